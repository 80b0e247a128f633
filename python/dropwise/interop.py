"""The dropout masks of other systems, bit for bit.

Each function makes the masks of one system from what the system was given: seeds, offsets, launch parameters.
docs/interop.md has the steps for each system, the versions that the layouts were read from, and how each was
verified. p is the probability of being dropped, rounded as the system rounds it; it raises ValueError where
it is NaN or outside [0, 1], or where it is 1 and the system forbids that.

Dtypes are names: "f32", "f64", "f16", "bf16".
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import _core
from ._arrays import draw_bits, dtype_number, integer, integers, shape_of, thread_number
from .mask import Mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from ._arrays import Array, ArrayLike

    Key = Sequence[int] | npt.NDArray[Any]

_FORWARD = _core.operations["interop_forward"]
_BITS = _core.operations["interop_bits"]


class Masks:
    """Masks of another system; the functions of this module make them.

    Attributes
    ----------
    layout : str
        The system's name, as the program dropwise has it.
    size : int
        Elements that are numbered: indices are below.
    keep_probability : float
        Probability that an element is really kept, which some systems round to a few bits.
    scale : float
        What the system multiplies kept elements by, in its own rounding.
    """

    __slots__ = ("_struct", "keep_probability", "layout", "scale", "size")

    def __init__(self, layout: str, struct: bytes) -> None:
        self.layout = layout
        self._struct = struct
        self.size, self.keep_probability, self.scale = _core.interop_fields(struct)

    def __repr__(self) -> str:
        return f"<masks of {self.layout}, {self.keep_probability:.6g} kept, scale {self.scale!r}>"

    def __eq__(self, other: object) -> bool:
        return self._struct == other._struct if isinstance(other, Masks) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._struct)

    def __reduce__(self) -> tuple[Any, ...]:
        return Masks, (self.layout, self._struct)

    def bits(
        self, n: int, first: int = 0, out: Array | None = None, threads: int | None = None
    ) -> npt.NDArray[np.uint8]:
        """Packed keep bits of n elements from `first` on, as `dropwise.Mask.bits` has them.

        Raises
        ------
        ValueError
            Elements are beyond `size`.
        """
        return draw_bits(_BITS, self._struct, n, first, out, threads)

    def keep(self, shape: int | Sequence[int], first: int = 0) -> npt.NDArray[np.bool_]:
        """The mask of a tensor of this shape as bool, True is kept; elements count in row-major order."""
        sizes = shape_of(shape)
        n = int(np.prod(sizes, dtype=np.int64))
        bits = np.unpackbits(self.bits(n, first), count=n, bitorder="little")
        return bits.view(np.bool_).reshape(sizes)

    def mask(self) -> Mask:
        """A mask that scales as the system does, for functions that take a mask as ``stored``.

        Do not draw from it: the bits come from `bits` or `keep`.

        Examples
        --------
        >>> import numpy as np, dropwise
        >>> masks, x = dropwise.interop.triton(5, 0.5), np.ones((4, 8), np.float32)
        >>> y = dropwise.fused.residual_backward(masks.mask(), x, stored=masks.keep(x.shape))
        >>> bool((y == masks.forward(x)).all())
        True

        Raises
        ------
        ValueError
            The scale is above 2**15, where the 40 bits of a mask's p are too few.
        """
        return Mask(1.0 - _core.mask_threshold(_core.interop_mask(self._struct)) / 2**40, 0)

    def forward(
        self,
        x: ArrayLike,
        out: ArrayLike | None = None,
        *,
        first: int = 0,
        threads: int | None = None,
        dtype: str | None = None,
    ) -> Any:
        """Dropout as the system computes it: x * scale where it keeps, +0.0 where it drops.

        Parameters
        ----------
        x : array
            Elements are counted in row-major order. Arrays that are not C-contiguous are copied meanwhile.
        out : array, optional
            Where the result goes; it may be x.
        first : int
            The index of the first element.

        Returns
        -------
        array
            out, or a new array of x's shape and dtype.

        Raises
        ------
        ValueError
            Elements are beyond `size`; shapes differ; out is read-only, or overlaps x, where both are
            C-contiguous.
        TypeError
            As `dropwise.Mask.forward`.
        """
        return _core.run(
            _FORWARD, self._struct, first, None, None, thread_number(threads), dtype_number(dtype), x, out
        )

    def backward(self, dy: ArrayLike, out: ArrayLike | None = None, **options: Any) -> Any:
        """The gradient: the map of `forward`. PyTorch's on CUDA may differ in the scale's last bit."""
        return self.forward(dy, out, **options)


class Launch(NamedTuple):
    """Launch parameters of a kernel for a GPU."""

    #: All threads of the kernel.
    threads: int
    #: Elements that a thread treats at a time.
    vector: int
    #: By how much a call moves the generator's offset on.
    step: int


def _make(
    layout: str,
    p: float,
    seed: int = 0,
    *,
    stream: int = 0,
    offset: int = 0,
    size: int = 0,
    rows: int = 0,
    columns: int = 0,
    before: int = 0,
    run: int = 0,
    threads: int = 0,
    vector: int = 0,
    draws: str = "f32",
    dtype: str = "f32",
    key: Sequence[int] = (0, 0),
    counter: Sequence[int] = (0, 0, 0, 0),
    called: tuple[str, str] = ("", ""),
) -> Masks:
    """Masks of a layout; `called` is the name of an argument, and what it is called by who gives it."""
    numbers = seed, stream, offset, size, rows, columns, before, run, threads, vector
    dtypes = dtype_number(draws, "draws"), dtype_number(dtype)
    try:
        struct = _core.interop(_core.layouts[layout], p, *numbers, *dtypes, key, counter)
    except (TypeError, ValueError) as error:
        name, separator, text = str(error).partition(":")
        raise type(error)((called[1] if name == called[0] else name) + separator + text) from None
    return Masks(layout, struct)


#: Layouts whose systems are given the probability of being kept.
_GIVEN_KEEP = {
    *("jax", "jax-legacy", "jax-rbg", "jax-high", "jax-legacy-high", "jax-rbg-high"),
    *("mlx", "onemkl-bernoulli", "onemkl-mcg31"),
}


def _signed(name: str, value: int, bits: int = 64) -> int:
    """The bits of a number that may be negative."""
    return integer(name, value, -(1 << bits - 1), 1 << bits) % (1 << bits)


def _seeds(seed: Sequence[int]) -> tuple[int, int]:
    """The two seeds of TensorFlow."""
    first, second = integers("seed", seed, 2, -(2**63), 2**64)
    return first % 2**64, second % 2**64


def _seed32(seed: int) -> int:
    return integer("seed", seed, 0, 2**32)


def by_name(
    layout: str,
    p: float | None,
    seed: int,
    *,
    stream: int | None = None,
    dtype: str | None = None,
    keep: float | None = None,
    path: str | None = None,
    **numbers: Any,
) -> Masks:
    """Masks of the layout that the program dropwise calls so, from the numbers that its options take.

    Parameters
    ----------
    layout : str
        "jax", "tf", "torch-cuda", ...: a name without its version raises ValueError.
    p : float or None
        Probability of being dropped. None where `keep` is given.
    seed : int
        For JAX both words of the key, the first one in the upper half; for NumPy a seed. It may be negative.
    stream : int, optional
        Second seed of tf, subsequence of curand, last two words of a key of jax-rbg.
    dtype : str, optional
    keep : float, optional
        Probability of being kept, of layouts that take it.
    path : str, optional
        Of jax's layouts: a layer of flax.linen, as `jax_linen_key` takes it, with `run` as its call. The seed
        is that of the root key.
    **numbers
        `offset`, `size`, `rows`, `columns`, `before`, `run`, `threads`, `vector`.

    Raises
    ------
    TypeError
        The layout needs an option that is not given, or takes none of this name.
    ValueError
        The layout is unknown, or a number is not one that it has masks for.
    """
    if layout not in _core.layouts:
        raise ValueError(f"layout: takes {', '.join(_core.layouts)}, not {layout!r}")
    seed_bits, needs, takes = _core.layout_options(_core.layouts[layout])
    options = {"stream": stream, "dtype": dtype, "keep": keep, "path": path, **numbers}
    given = {name: value for name, value in options.items() if value is not None}
    for name in needs:
        if name not in given:
            raise TypeError(f"{name}: layout {layout} needs it")
    for name in given:
        if name not in needs and name not in takes:
            raise TypeError(f"{name}: layout {layout} takes none")
    if "path" in takes and "run" in given and path is None:
        raise TypeError(f"run: layout {layout} takes it with a path only")
    if (p is None) == (keep is None):
        raise TypeError("p: is needed, or keep, and one of them")
    seed = _signed("seed", seed, seed_bits)
    for name, bits in {**needs, **takes}.items():
        if name == "stream" and stream is not None:
            given[name] = _signed(name, stream)
        elif bits != 0 and name in given:
            given[name] = integer(name, given[name], 0, 2**bits)
    if path is not None:
        high, low = jax_linen_key((seed >> 32, seed % 2**32), given.pop("path"), given.pop("run", 0))
        seed = high << 32 | low
    if dtype is None:
        dtype = "f64" if layout in ("numpy", "numpy-pcg64") else "f32"
    probability: Any = given.pop("keep", p)
    if keep is None and layout in _GIVEN_KEEP:
        probability = 1.0 - probability
    key, counter = (0, 0), (0, 0)
    if layout == "numpy":
        key = _core.numpy_key(seed)
    elif layout == "numpy-pcg64":
        key, counter = _core.numpy_pcg64_seed(seed)
    elif layout in ("jax-rbg", "jax-rbg-high"):
        given.setdefault("stream", seed)
    everything = {**given, "draws": dtype, "dtype": dtype, "key": key, "counter": (*counter, 0, 0)}
    return _make(layout, probability, seed, **everything)


# ---- JAX ----


def _words(key: Any) -> tuple[int, int]:
    """Both words of a key of threefry2x32: a pair of numbers, or a key of JAX, typed or of uint32."""
    kind = str(getattr(key, "dtype", ""))
    if kind.startswith("key<"):
        if kind != "key<fry>":
            raise TypeError(f"key: is {kind}, of another generator than threefry2x32 (key<fry>)")
        key = sys.modules["jax"].random.key_data(key)
    words = np.asarray(key)
    if words.shape != (2,) or words.dtype.kind not in "iu":
        raise TypeError(
            f"key: must be the two words of a key of threefry2x32, not {words.dtype} of shape {words.shape}"
        )
    high, low = (int(word) for word in words)
    if not (0 <= high < 2**32 and 0 <= low < 2**32):
        raise ValueError(f"key: words must be from 0 to 2**32 - 1, not {high} and {low}")
    return high, low


def _rbg_words(key: Sequence[int]) -> tuple[int, int]:
    """Both halves of a key of rbg or unsafe_rbg."""
    words = integers("key", key, 4, 0, 2**32)
    return words[0] << 32 | words[1], words[2] << 32 | words[3]


def jax_key(seed: int) -> tuple[int, int]:
    """jax.random.key(seed). Without jax_enable_x64, JAX takes the lower 32 bits of a seed."""
    return _core.jax_key(_signed("seed", seed))


def jax_fold_in(key: Key, data: int) -> tuple[int, int]:
    """jax.random.fold_in(key, data); data has 32 bits."""
    return _core.jax_fold_in(*_words(key), data)


def jax_split(key: Key, child: int, children: int = 2, *, partitionable: bool = True) -> tuple[int, int]:
    """jax.random.split(key, children)[child].

    partitionable is jax_threefry_partitionable, on by default since JAX 0.5.0. Where it is on, children does
    not count.
    """
    return _core.jax_split(*_words(key), child, 0 if partitionable else children)


def jax_linen_key(
    root: Key, path: str | Sequence[str], call: int = 0, *, separator: bool = False
) -> tuple[int, int]:
    """What make_rng gives a module of flax.linen.

    Parameters
    ----------
    root : two integers of 32 bits, or a key of JAX
        The one of ``rngs={"dropout": root}``.
    path : str or sequence of str
        Names of the modules from the root to the layer, ``module.path``; in a str with "/" between them.
    call : int
        How many keys the module has taken of this collection before in this apply.
    separator : bool
        The flag flax_fix_rng_separator.
    """
    names = path if isinstance(path, str) else "/".join(path)
    return _core.jax_linen_key(*_words(root), names, call, bool(separator))


def jax_nnx_key(root: Key, taken: int, call: int = 0) -> tuple[int, int]:
    """What a flax.nnx layer draws from that has made a stream of its own, as Dropout does since Flax 0.11.

    taken is how many keys were taken of the stream of `root` before the layer was made, call how often the
    layer was called before.
    """
    return _core.jax_nnx_key(*_words(root), taken, call)


def jax_haiku_key(root: Key, call: int = 0) -> tuple[int, int]:
    """What hk.next_rng_key gives after so many calls of it in this apply, by all modules."""
    return _core.jax_haiku_key(*_words(root), call)


def jax_keras_key(seed: int, call: int = 0) -> tuple[int, int]:
    """What a layer of Keras 3 with a seed draws from on JAX, after so many calls."""
    return _core.jax_keras_key(seed, call)


def jax(key: Key, keep: float, draws: str = "f32", dtype: str = "f32") -> Masks:
    """jax.random.bernoulli(key, keep, shape), which Flax's Dropout draws, with jax_threefry_partitionable.

    Parameters
    ----------
    key : two integers of 32 bits, or a key of JAX
        Of the default generator, threefry2x32; others raise TypeError.
    keep : float
        Probability of being kept: of a Flax layer 1.0 - rate.
    draws : str
        dtype of the uniform numbers, which is keep's own: "f32" for a Python float, "f64" with
        jax_enable_x64.
    dtype : str
        Of the tensor, in which Flax divides by keep. Where 1 / keep is infinite in it, there are no masks
        (ValueError): keep of at most 2**-16 in "f16".
    """
    high, low = _words(key)
    return _make("jax", keep, high << 32 | low, draws=draws, dtype=dtype, called=("p", "keep"))


def jax_legacy(key: Key, size: int, keep: float, draws: str = "f32", dtype: str = "f32") -> Masks:
    """The same without jax_threefry_partitionable; size is how many elements are drawn."""
    high, low = _words(key)
    return _make(
        "jax-legacy", keep, high << 32 | low, size=size, draws=draws, dtype=dtype, called=("p", "keep")
    )


def jax_rbg(key: Sequence[int], keep: float, draws: str = "f32", dtype: str = "f32") -> Masks:
    """jax.random.bernoulli(key, keep, shape) of keys of rbg and unsafe_rbg, on CPUs.

    Parameters
    ----------
    key : four integers of 32 bits
        jax.random.key_data of the key.
    """
    first, last = _rbg_words(key)
    return _make("jax-rbg", keep, first, stream=last, draws=draws, dtype=dtype, called=("p", "keep"))


def jax_high(key: Key, size: int, keep: float, draws: str = "f32", dtype: str = "f32") -> Masks:
    """jax.random.bernoulli(key, keep, shape, mode="high"); size is how many elements are drawn."""
    high, low = _words(key)
    return _make(
        "jax-high", keep, high << 32 | low, size=size, draws=draws, dtype=dtype, called=("p", "keep")
    )


def jax_legacy_high(key: Key, size: int, keep: float, draws: str = "f32", dtype: str = "f32") -> Masks:
    """The same without jax_threefry_partitionable."""
    high, low = _words(key)
    return _make(
        "jax-legacy-high", keep, high << 32 | low, size=size, draws=draws, dtype=dtype, called=("p", "keep")
    )


def jax_rbg_high(key: Sequence[int], size: int, keep: float, draws: str = "f32", dtype: str = "f32") -> Masks:
    """The same of keys of rbg and unsafe_rbg, on CPUs, as `jax_rbg` takes them."""
    first, last = _rbg_words(key)
    return _make(
        "jax-rbg-high", keep, first, stream=last, size=size, draws=draws, dtype=dtype, called=("p", "keep")
    )


# ---- MLX, tinygrad ----


def mlx(key: Key, size: int, keep: float) -> Masks:
    """mx.random.bernoulli(keep, shape, key) on CPUs; size is how many elements are drawn.

    The key of mx.random.seed(seed) is `jax_key` of it, and mx.random.split(key, n)[i] is `jax_split` with
    partitionable=False.
    """
    high, low = _words(key)
    return _make("mlx", keep, high << 32 | low, size=size, called=("p", "keep"))


def tinygrad(seed: int, before: int, size: int, p: float) -> Masks:
    """Tensor.dropout(p) on CPUs after Tensor.manual_seed(seed) and so many words drawn before."""
    return _make("tinygrad", p, _signed("seed", seed), before=before, size=size)


# ---- TensorFlow, oneDNN, oneMKL, NumPy ----


def tensorflow(seed: tuple[int, int], rate: float, dtype: str = "f32") -> Masks:
    """tf.nn.experimental.stateless_dropout(x, rate, seed), and so Keras' Dropout on TensorFlow.

    Parameters
    ----------
    seed : pair of int
        -2**63 to 2**64 - 1.
    dtype : str
        Of x.
    """
    first, second = _seeds(seed)
    return _make("tf", rate, first, stream=second, dtype=dtype, called=("p", "rate"))


def tensorflow_xla(seed: tuple[int, int], rate: float, dtype: str = "f32") -> Masks:
    """The same under jit_compile=True on a CPU, which takes the lower 32 bits of each seed."""
    first, second = _seeds(seed)
    return _make("tf-xla", rate, first, stream=second, dtype=dtype, called=("p", "rate"))


def tensorflow_stateful(seed: tuple[int, int], before: int, rate: float, dtype: str = "f32") -> Masks:
    """tf.nn.dropout(x, rate) on a CPU.

    Parameters
    ----------
    seed : pair of int
        Of the operation, as docs/interop.md says.
    before : int
        Elements that this operation has drawn before.
    """
    first, second = _seeds(seed)
    return _make("tf-stateful", rate, first, stream=second, before=before, dtype=dtype, called=("p", "rate"))


def onednn_3_6(seed: int, p: float) -> Masks:
    """The dropout attribute of oneDNN 3.6 to 3.10; seed has 32 bits."""
    return _make("onednn-3.6", p, _seed32(seed))


def onednn_3_11(seed: int, offset: int, p: float) -> Masks:
    """The dropout attribute of oneDNN from 3.11 on, with an offset, which is not 0."""
    return _make("onednn-3.11", p, seed, offset=offset)


def onednn_3_11_no_offset(seed: int, p: float) -> Masks:
    """The same without an offset, whose masks keep or drop aligned groups of four elements as one."""
    return _make("onednn-3.11-no-offset", p, _seed32(seed))


def onemkl(seed: int, p: float) -> Masks:
    """vsRngUniform with VSL_BRNG_PHILOX4X32X10, kept where it is at least p; seed has 32 bits."""
    return _make("onemkl", p, _seed32(seed))


def onemkl_bernoulli(seed: int, keep: float) -> Masks:
    """viRngBernoulli of VSL_BRNG_PHILOX4X32X10 with the probability keep, kept where it is 1."""
    return _make("onemkl-bernoulli", keep, _seed32(seed), called=("p", "keep"))


def onemkl_mcg31(seed: int, keep: float) -> Masks:
    """viRngBernoulli of VSL_BRNG_MCG31 with the probability keep, kept where it is 1."""
    return _make("onemkl-mcg31", keep, _seed32(seed), called=("p", "keep"))


def numpy_key(seed: int) -> tuple[int, int]:
    """The key of numpy.random.Philox(seed), for seeds of at most 64 bits."""
    return _core.numpy_key(seed)


def numpy(
    key: tuple[int, int],
    p: float,
    draws: str = "f64",
    counter: tuple[int, int, int, int] = (0, 0, 0, 0),
) -> Masks:
    """Generator(Philox(key=key, counter=counter)).random(n, dtype) >= p, of a fresh generator.

    Parameters
    ----------
    key : pair of int
        Words of 64 bits: `numpy_key`, of a seed.
    draws : str
        "f64" or "f32".
    counter : four int
        Words of 64 bits, low ones first.
    """
    return _make("numpy", p, draws=draws, dtype=draws, key=key, counter=counter)


def numpy_pcg64_seed(seed: int) -> tuple[int, int]:
    """State and increment, of 128 bits, of numpy.random.default_rng(seed), for seeds of at most 64 bits."""
    words = _core.numpy_pcg64_seed(seed)
    state, increment = (low | high << 64 for low, high in words)
    return state, increment


def numpy_pcg64(state: int, increment: int, p: float, draws: str = "f64") -> Masks:
    """default_rng(...).random(n, dtype) >= p, from what bit_generator.state["state"] has as state and inc."""
    words = []
    for name, number in (("state", state), ("increment", increment)):
        whole = integer(name, number, 0, 2**128)
        words.append((whole % 2**64, whole >> 64))
    return _make("numpy-pcg64", p, draws=draws, dtype=draws, key=words[0], counter=(*words[1], 0, 0))


# ---- PyTorch, Triton, cuRAND ----


def torch_cpu(dtype: str, seed: int, words: int, p: float) -> Masks:
    """torch.nn.functional.dropout on a CPU, not compiled.

    Parameters
    ----------
    dtype : str
        Of the tensor, in which the scale is rounded; the mask is one for all.
    seed : int
        Of torch.manual_seed, which takes 32 bits of it.
    words : int
        What the generator gave before: 2 for each element of a dropout; docs/interop.md has other calls.
    """
    return _make("torch-cpu", p, _signed("seed", seed), offset=words, dtype=dtype, called=("offset", "words"))


def torch_cuda_launch(dtype: str, numel: int, sm_count: int, threads_per_sm: int) -> Launch:
    """Launch parameters of torch.nn.functional.dropout on a CUDA device.

    Parameters
    ----------
    dtype : str
        Of the tensor.
    numel : int
        Its elements.
    sm_count, threads_per_sm : int
        multi_processor_count and max_threads_per_multi_processor of torch.cuda.get_device_properties.

    Returns
    -------
    Launch
        vector is for a dense tensor whose data is aligned to 16 bytes.
    """
    number = _core.layouts["torch-cuda"]
    return Launch(*_core.launch(number, dtype_number(dtype), numel, sm_count, threads_per_sm))


def torch_cuda(dtype: str, numel: int, threads: int, vector: int, seed: int, offset: int, p: float) -> Masks:
    """torch.nn.functional.dropout on a CUDA device, not compiled.

    Parameters
    ----------
    dtype : str
        Of the tensor.
    numel, threads, vector : int
        Its elements, and what `torch_cuda_launch` says; vector is 1 for tensors that are not dense.
    seed, offset : int
        Of the generator before the call.
    """
    return _make(
        "torch-cuda",
        p,
        seed,
        offset=offset,
        size=numel,
        threads=threads,
        vector=vector,
        dtype=dtype,
        called=("size", "numel"),
    )


def paddle_cpu(dtype: str, seed: int, before: int, p: float) -> Masks:
    """paddle.nn.functional.dropout on a CPU, after paddle.seed(seed) and so many elements drawn before."""
    return _make("paddle-cpu", p, _signed("seed", seed), before=before, dtype=dtype)


def mxnet_cpu(dtype: str, seed: int, size: int, run: int, p: float) -> Masks:
    """mx.nd.Dropout on cpu(0) after mx.random.seed(seed) and `run` such calls, each of `size` elements."""
    return _make("mxnet-cpu", p, _signed("seed", seed, 32), size=size, run=run, dtype=dtype)


def torch_func_random(key: tuple[int, int], p: float, draws: str = "f32") -> Masks:
    """torch.func._random.uniform(key, (n,), dtype=draws) >= p, on CPUs; key is (seed, offset)."""
    seed, offset = integers("key", key, 2, 0, 2**64)
    return _make("torch-func-random", p, seed, offset=offset, draws=draws, dtype=draws)


def inductor_gpu(dtype: str, seed: int, p: float) -> Masks:
    """torch.compile for a GPU, up to PyTorch 2.11. seed is what the compiled code draws, of any sign."""
    return _make("inductor-gpu-2.11", p, _signed("seed", seed), dtype=dtype)


def inductor_gpu_2_12(dtype: str, seed: int, p: float) -> Masks:
    """The same, PyTorch 2.12, and later where `inductor_gpu_2_13` is not for."""
    return _make("inductor-gpu-2.12", p, _signed("seed", seed), dtype=dtype)


def inductor_gpu_2_13(dtype: str, seed: int, p: float) -> Masks:
    """The same from PyTorch 2.13 on, in kernels whose code calls rand4x."""
    return _make("inductor-gpu-2.13", p, _signed("seed", seed), dtype=dtype)


def inductor_cpu(dtype: str, seed: int, p: float) -> Masks:
    """torch.compile for a CPU, up to PyTorch 2.11."""
    return _make("inductor-cpu-2.11", p, _signed("seed", seed), dtype=dtype)


def inductor_cpu_2_12(dtype: str, seed: int, p: float) -> Masks:
    """The same from PyTorch 2.12 on."""
    return _make("inductor-cpu-2.12", p, _signed("seed", seed), dtype=dtype)


def triton(seed: int, p: float) -> Masks:
    """tl.rand(seed, offset) > p for the offsets i, as in Triton's tutorial; seed may be negative."""
    return _make("triton", p, _signed("seed", seed))


def curand(seed: int, subsequence: int, offset: int, p: float) -> Masks:
    """curand_uniform of one Philox4_32_10 state: curand_init(seed, subsequence, offset, &state)."""
    return _make("curand", p, seed, stream=subsequence, offset=offset, called=("stream", "subsequence"))


def curand_host(seed: int, offset: int, p: float) -> Masks:
    """curandGenerateUniform of Philox4_32_10, with any ordering but DYNAMIC; offset is at most 2**60."""
    return _make("curand-host", p, seed, offset=offset)


# ---- Attention and transformers ----


def flash_attention_2(rows: int, columns: int, seed: int, offset: int, p: float) -> Masks:
    """The attention matrix (batch, head, row, column) in FlashAttention 2: rows are queries, columns keys."""
    return _make("flash-attention-2", p, seed, offset=offset, rows=rows, columns=columns)


def transformer_engine(seed: int, offset: int, p: float) -> Masks:
    """TransformerEngine's own dropout kernel; offset is a multiple of 4."""
    return _make("transformer-engine", p, seed, offset=offset)


def onnx_runtime_launch(numel: int, sm_count: int, threads_per_sm: int) -> Launch:
    """Launch parameters of ONNX Runtime's Dropout on CUDA; vector is always 4."""
    return Launch(*_core.launch(_core.layouts["onnx-runtime"], 0, numel, sm_count, threads_per_sm))


def onnx_runtime(numel: int, threads: int, seed: int, offset: int, p: float) -> Masks:
    """ONNX Runtime's Dropout and BitmaskDropout on CUDA; offset is a multiple of 4."""
    return _make(
        "onnx-runtime", p, seed, offset=offset, size=numel, threads=threads, called=("size", "numel")
    )


def onnx_runtime_cpu(seed: int, run: int, p: float) -> Masks:
    """ONNX Runtime's Dropout on a CPU: run `run`, from 0, of a session whose node has the attribute seed."""
    return _make("onnx-runtime-cpu", p, _signed("seed", seed), run=run)


def onnx_runtime_web(seed: int, run: int, p: float) -> Masks:
    """The same of the build for browsers."""
    return _make("onnx-runtime-web", p, _signed("seed", seed), run=run)


def deepspeed_launch(numel: int) -> Launch:
    """Launch parameters of DeepSpeed's transformer kernels; vector is always 4."""
    return Launch(*_core.launch(_core.layouts["deepspeed"], 0, numel, 0, 0))


def deepspeed(numel: int, threads: int, seed: int, offset: int, p: float) -> Masks:
    """DeepSpeed's transformer kernels; numel is a multiple of 4."""
    return _make("deepspeed", p, seed, offset=offset, size=numel, threads=threads, called=("size", "numel"))
