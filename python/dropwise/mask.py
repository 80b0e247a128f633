"""Masks of dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core
from ._arrays import (
    Place,
    call,
    check_names,
    draw_bits,
    dtype_number,
    integer,
    place,
    shape_of,
    shared_dimensions,
    thread_number,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from typing_extensions import Unpack

    from ._arrays import Array, ArrayLike, Options

_SCALINGS = {"inverted": 1, "standard": 2}

_FORWARD = _core.operations["forward"]
_BACKWARD = _core.operations["backward"]
_INFER = _core.operations["infer"]
_BITS = _core.operations["bits"]
_BYTES = _core.operations["bytes"]
_KEEP = _core.operations["keep"]


class Mask:
    """A mask of dropout: a value of 64 bytes, drawn anew by every call and never stored.

    The same (generator, seed, stream, p) gives the same mask on every CPU, with any number of threads, any
    cut into calls, and in every language that the library is called from.

    Parameters
    ----------
    p : float
        Probability of being dropped, 0 to 1. It is realised to 2**-41.
    seed : int
        Key of the generator, 0 to 2**64 - 1: one for a run.
    stream : int
        Number of the mask under this seed, 0 to 2**64 - 1: one for each layer and step. Masks of different
        streams are independent.
    generator : str
        "philox4x32-10", "philox4x32-7", "threefry4x32-20" or "ars4x32-7".
    scaling : str
        "inverted": training multiplies what is kept by 1 / (1 - p), and inference changes nothing.
        "standard": training leaves it, and inference multiplies by 1 - p.

    Raises
    ------
    ValueError
        p is NaN or outside [0, 1]; seed or stream need more than 64 bits; generator or scaling is unknown.
    TypeError
        p is no number, seed or stream no integer.

    Notes
    -----
    What holds for all methods, and for the functions of this package:

    - Arrays are NumPy's of float64, float32, float16, or of ml_dtypes' bfloat16, float8_e4m3fn and
      float8_e5m2, or tensors with ``__dlpack__`` in the memory of the CPU. Any shape and, where nothing else
      is said, any strides, which cost no copy. Subclasses are taken as the arrays that they are, but masked
      arrays raise TypeError.
    - An index of the mask belongs to each element, in row-major order whatever the strides.
    - ``out`` is where the result goes: an array of the same shape and dtype, which may be the input itself
      (in place), and else must not overlap it (ValueError; NumPy would make a copy). It is returned. Without
      it a new array is made and returned.
    - Arrays of more than 8 dimensions are taken where all are C-contiguous and no option but ``first``,
      ``threads`` and ``dtype`` is given, by `forward`, `backward` and `infer`; else they raise ValueError.
    - Options by keyword are those of `dropwise.Options`.
    - Masks do not change. All calls may run on several threads at once, as long as no two of them write the
      same array. Calls on more than some thousand elements release the GIL.

    Examples
    --------
    >>> import numpy as np, dropwise
    >>> m = dropwise.Mask(0.5, seed=42, stream=7)
    >>> x = np.arange(1, 9, dtype=np.float32)
    >>> y = m.forward(x)
    >>> bool((y[m.keep(8)] == 2 * x[m.keep(8)]).all())
    True
    """

    __slots__ = ("_struct", "generator", "p", "scaling", "seed", "stream")

    _struct: bytes
    p: float
    seed: int
    stream: int
    generator: str
    scaling: str

    def __init__(
        self,
        p: float,
        seed: int,
        stream: int = 0,
        generator: str = "philox4x32-10",
        scaling: str = "inverted",
    ) -> None:
        if generator not in _core.generators:
            raise ValueError(f"generator: takes {', '.join(_core.generators)}, not {generator!r}")
        if scaling not in _SCALINGS:
            raise ValueError(f"scaling: takes {', '.join(_SCALINGS)}, not {scaling!r}")
        struct = _core.mask(p, seed, stream, _core.generators[generator], _SCALINGS[scaling])
        fields = {"p": p, "seed": seed, "stream": stream, "generator": generator, "scaling": scaling}
        for name, value in {"_struct": struct, **fields}.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name}: a mask does not change; replace({name}=...) makes another one")

    def __repr__(self) -> str:
        return (
            f"Mask(p={self.p!r}, seed={self.seed!r}, stream={self.stream!r}, "
            f"generator={self.generator!r}, scaling={self.scaling!r})"
        )

    def __eq__(self, other: object) -> bool:
        return self._struct == other._struct if isinstance(other, Mask) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._struct)

    def __reduce__(self) -> tuple[Any, ...]:
        return Mask, (self.p, self.seed, self.stream, self.generator, self.scaling)

    def replace(self, **changes: Any) -> Mask:
        """A mask like this one but for some arguments: ``m.replace(stream=8)``."""
        fields = {name: getattr(self, name) for name in ("p", "seed", "stream", "generator", "scaling")}
        return Mask(**{**fields, **changes})

    @property
    def keep_probability(self) -> float:
        """Probability of being kept, as it is realised: a multiple of 2**-40."""
        return _core.mask_threshold(self._struct) / 2**40

    def forward(self, x: ArrayLike, out: ArrayLike | None = None, **options: Unpack[Options]) -> Any:
        """Dropout in training: x * scale where the mask keeps, +0.0 where it drops, whatever x is there.

        Parameters
        ----------
        x : array
            Any shape, dtype and strides that `Mask` names.
        out : array, optional
            Where the result goes. It may be x.
        **options
            `dropwise.Options`.

        Returns
        -------
        array
            out, or a new array of x's shape, dtype and order of dimensions.

        Raises
        ------
        TypeError
            x or out has another dtype or byte order, or is no array; an option is unknown.
        ValueError
            The shapes differ; out is read-only, overlaps x, or has two elements at one place; an option is
            out of range.
        """
        return call(_FORWARD, self._struct, options, None, x, out)

    def backward(self, dy: ArrayLike, out: ArrayLike | None = None, **options: Unpack[Options]) -> Any:
        """The gradient of `forward`: dy * scale where the mask keeps, +0.0 where it drops.

        Arguments, result and exceptions are those of `forward`. The mask is drawn again, or is ``stored``.
        """
        return call(_BACKWARD, self._struct, options, None, dy, out)

    def infer(
        self,
        x: ArrayLike,
        out: ArrayLike | None = None,
        *,
        threads: int | None = None,
        dtype: str | None = None,
    ) -> Any:
        """Dropout at inference: x itself with inverted scaling, x * (1 - p) with standard scaling.

        Arguments and result are those of `forward`, and exceptions but those of overlaps and options: no mask
        is drawn, and arrays that are not C-contiguous are copied meanwhile, so that an out may overlap them.
        """
        return _core.run(
            _INFER, self._struct, 0, None, None, thread_number(threads), dtype_number(dtype), x, out
        )

    def bits(
        self, n: int, first: int = 0, out: Array | None = None, threads: int | None = None
    ) -> npt.NDArray[np.uint8]:
        """Keep bits of n elements from `first` on: 1 is kept, 0 is dropped.

        Bit j is element first + j; it is bit j % 8, least significant first, of byte j // 8. Unused bits of
        the last byte are 0. ``numpy.unpackbits(bits, count=n, bitorder="little")`` has them one by one.

        Parameters
        ----------
        n, first : int
            first + n is at most 2**60.
        out : uint8 array, optional
            Dense, of ceil(n / 8) bytes or more.

        Raises
        ------
        ValueError
            out is too small, or elements are past 2**60.
        """
        return draw_bits(_BITS, self._struct, n, first, out, threads)

    def keep(
        self, shape: int | Sequence[int], out: Array | None = None, **options: Unpack[Place]
    ) -> npt.NDArray[np.bool_]:
        """The mask of a tensor of this shape as bool: True is kept.

        Returns
        -------
        bool array
            out, or a new array: of this shape, but 1 long where the mask is shared, so that it broadcasts.
        """
        check_names(options, Place)
        sizes = shape_of(shape)
        where = place(sizes, options)
        if out is None:
            shared = shared_dimensions(sizes, options)
            out = np.empty([1 if shared >> d & 1 else size for d, size in enumerate(sizes)], np.bool_)
        _core.run(_KEEP, self._struct, where, None, out, 1, dtype_number("f32"))
        return out

    def keeps(self, index: int = 0) -> bool:
        """Whether element `index` is kept: one decision, for a layer (LayerDrop) or a branch."""
        return _core.keeps(self._struct, index)

    def bytes(self, n: int, first_block: int = 0) -> npt.NDArray[np.uint8]:
        """n raw bytes of the generator from a block of 16 bytes on, for tests of it; p does not count."""
        first_block = integer("first_block", first_block, 0, 2**64)
        out = np.empty(integer("n", n, 0, 2**60 + 1), np.uint8)
        result: npt.NDArray[np.uint8] = _core.run(_BYTES, self._struct, first_block, None, None, 1, 0, out)
        return result
