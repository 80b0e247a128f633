"""Dropout for JAX, on CPUs: what JAX and Flax draw, several times as fast, or masks of this library's own.

    from dropwise.jax import bernoulli, dropout

    keep = bernoulli(key, 0.9, x.shape)    # the bits of jax.random.bernoulli
    y = dropout(key, 0.1, x)               # what Flax's Dropout makes of x

Both can be called wherever functions of JAX can: under jit, vmap, grad and further derivatives of both
modes, scan, checkpoint, shard_map. The gradient is drawn again from the key; nothing else is saved. `linen`
and `nnx` have modules that stand where Flax's Dropout stands, `keys` has what layers of several libraries
make of a root key. JAX 0.6 or later is needed.
"""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import _core
from . import _load, keys
from ._primitive import bind, dropout_p, mask_p, numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    import jax.typing

__all__ = ["bernoulli", "dropout", "keys"]

_load.register()

#: JAX's generator by its name; others are the library's own.
_OF_JAX = "threefry2x32"

_OF_OWN_STREAM = 0
_DTYPES = {
    "float32": "f32",
    "float64": "f64",
    "float16": "f16",
    "bfloat16": "bf16",
    "float8_e4m3fn": "f8_e4m3",
    "float8_e5m2": "f8_e5m2",
}


# ---- Arguments ----


def _words(key: Any) -> jax.Array:
    """Both words of a key of threefry2x32."""
    dtype = getattr(key, "dtype", None)
    if dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key):
        if str(jax.random.key_impl(key)) not in ("fry", "threefry2x32"):
            raise TypeError(f"key: is {dtype}, of another generator than threefry2x32 (key<fry>)")
        key = jax.random.key_data(key)
    if getattr(key, "dtype", None) != jnp.uint32 or key.shape != (2,):
        kind = f"{dtype} of shape {key.shape}" if dtype is not None else type(key).__name__
        raise TypeError(f"key: must be one key of threefry2x32, typed or as uint32[2], not {kind}")
    return jnp.asarray(key)


def _probability(name: str, p: Any) -> Any:
    """p, which is a number or a scalar array, perhaps traced."""
    if np.ndim(p) != 0:
        raise ValueError(f"{name}: must be a scalar, not of shape {np.shape(p)}; jax.vmap maps over many")
    if not isinstance(p, jax.Array):
        if not isinstance(p, (Real, np.generic, np.ndarray)):
            raise TypeError(f"{name}: must be a number, not {type(p).__name__}")
        p = p if isinstance(p, (float, np.generic, np.ndarray)) else float(p)
        if not 0 <= p <= 1:
            raise ValueError(f"{name}: must be from 0 to 1, not {p}")
    elif not jnp.issubdtype(p.dtype, jnp.floating):
        raise TypeError(f"{name}: must be of a dtype of floats, not {p.dtype}")
    return p


def _operand(name: str, p: Any) -> tuple[Any, int]:
    """A probability as it is passed on, and the library's number of the dtype that JAX draws for it."""
    if not isinstance(p, jax.Array):
        p = np.asarray(p)
        if p.dtype == np.float64 and not jax.config.jax_enable_x64:
            p = p.astype(np.float32)
    draws = _DTYPES.get(p.dtype.name, "")
    if draws not in ("f32", "f64", "f16", "bf16"):
        raise TypeError(f"{name}: JAX draws no {p.dtype} that dropwise knows")
    return p if draws in ("f32", "f64") else p.astype(np.float32), _core.dtypes[draws]


def _layout() -> int:
    """That of JAX's masks, as it is configured."""
    return _core.layouts["jax" if jax.config.jax_threefry_partitionable else "jax-legacy"]


def _place(layout: int, detail: int, shape: tuple[int, ...], axes: Sequence[Any] | None) -> Any:
    """The operand of numbers, of a tensor, or of this device's part of one that is cut along these axes."""
    if axes is None:
        return numbers(layout, detail, shape, [0] * len(shape))
    if len(axes) != len(shape):
        raise ValueError(f"axes: must be one for each of {len(shape)} dimensions, a name or None; not {axes}")
    counts = [jax.lax.psum(1, names) if names else 1 for names in axes]
    block = [jax.lax.axis_index(names) if names else 0 for names in axes]
    return numbers(layout, detail, tuple(size * count for size, count in zip(shape, counts)), block)


def _varying(array: Any) -> frozenset[Any]:
    """The axes of a mesh that an array differs along, which its type says in shard_map."""
    kind = jax.typeof(array)
    varying: frozenset[Any] = kind.mat.varying if hasattr(kind, "mat") else getattr(kind, "vma", frozenset())
    return varying


def _alike(*operands: Any) -> list[Any]:
    """Operands that all differ along the axes of a mesh that one of them does."""
    axes = frozenset().union(*map(_varying, operands))
    results = []
    for operand in operands:
        more = tuple(axes - _varying(operand))
        if more:
            cast = hasattr(jax.lax, "pcast")
            operand = jax.lax.pcast(operand, more, to="varying") if cast else jax.lax.pvary(operand, more)
        results.append(operand)
    return results


def _draw(layout: int, detail: int, key: Any, p: Any, shape: Sequence[int], axes: Any, dtype: Any) -> Any:
    """The mask of a tensor."""
    part = tuple(shape) or (1,)
    operands = _alike(key, p, _place(layout, detail, part, axes if shape else None))
    y = bind(mask_p, *operands, part=part, dtype=dtype)
    return y if shape else y.reshape(())


# ---- What users call ----


def bernoulli(
    key: jax.typing.ArrayLike,
    p: jax.typing.ArrayLike = 0.5,
    shape: Sequence[int] = (),
    *,
    axes: Sequence[str | tuple[str, ...] | None] | None = None,
) -> jax.Array:
    """The bits of jax.random.bernoulli(key, p, shape).

    Parameters
    ----------
    key : key of JAX
        Of the default generator, threefry2x32: typed, or the two words as uint32. jax_threefry_partitionable
        says what is drawn from it, as in JAX.
    p : float, or scalar array
        Probability of True. It may be traced. Its dtype is that in which JAX draws, as there.
    shape : sequence of int
        Of the result. Under jit on several devices each draws the part that it has of the result, if
        something says how this is sharded.
    axes : sequence, optional
        In shard_map: for each dimension the name of the mesh's axis along which it is cut, names in a tuple,
        or None. The result is this device's part of the mask of the whole array, `shape` is the part's.
        Without it the mask is that of an array of this shape, the same on all devices with the same key.

    Returns
    -------
    bool array

    Raises
    ------
    TypeError
        key is no key of threefry2x32, or more than one; p is no number, or of integers.
    ValueError
        p is outside [0, 1] or NaN, or no scalar; axes does not fit. Of a p that is an array of JAX's, traced
        or not, the value is not waited for: one that is outside is an error of the computation.

    Examples
    --------
    >>> import jax
    >>> from dropwise.jax import bernoulli
    >>> key = jax.random.key(1)
    >>> bool((bernoulli(key, 0.3, (5, 7)) == jax.random.bernoulli(key, 0.3, (5, 7))).all())
    True
    """
    operand, draws = _operand("p", _probability("p", p))
    return _draw(_layout(), draws, _words(key), operand, shape, axes, bool)


def dropout(
    key: jax.typing.ArrayLike,
    rate: jax.typing.ArrayLike,
    x: jax.Array,
    *,
    broadcast_dims: Sequence[int] = (),
    generator: str = _OF_JAX,
    axes: Sequence[str | tuple[str, ...] | None] | None = None,
) -> jax.Array:
    """Dropout, by a mask that is drawn from a key: x / (1 - rate) where it keeps, 0 where it drops.

    Derivatives draw the mask again, in the backward pass and in further ones; key and rate are all that is
    saved. Under jit with an x on several devices the result is sharded as x is, and each device draws its
    part of the one mask.

    Parameters
    ----------
    key : key of JAX
        Of the default generator, threefry2x32: typed, or the two words as uint32.
    rate : float, or scalar array
        Probability of being dropped. It may be traced, as a schedule's is; in float16 only below 1 - 2**-16,
        from which on 1 / (1 - rate) is infinite. The derivative by it is taken as 0.
    x : array
        float32, float64, float16 or bfloat16; of own masks float8_e4m3fn and float8_e5m2, too.
    broadcast_dims : sequence of int
        Dimensions along which elements share their decision.
    generator : str
        "threefry2x32": the result is that of Flax's Dropout, compiled for CPUs: the bits of
        jax.random.bernoulli, and x times the rounded 1 / (1 - rate), as XLA compiles a division by a
        constant. The name of one of the library's own generators, which are faster: the result is
        ``dropwise.Mask(rate, seed, 0, generator).forward(x)``, the seed being the key's two words, the first
        one in the upper half, and the rate a float32, or float64 with jax_enable_x64.
    axes : sequence, optional
        In shard_map: for each dimension of x the name of the mesh's axis along which it is cut, names in a
        tuple, or None. The mask is this device's part of that of the whole array. Without it the mask is
        that of an array of this shape, the same on all devices with the same key.

    Returns
    -------
    array
        Of x's shape and dtype.

    Raises
    ------
    TypeError
        key is no key of threefry2x32, or more than one; x is of another dtype; rate is no number.
    ValueError
        rate is outside [0, 1] or NaN, or no scalar; generator is unknown; a dimension is none of x; axes does
        not fit. Of a rate that is an array of JAX's, traced or not, the value is not waited for: one that is
        outside is an error of the computation.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from dropwise.jax import dropout
    >>> key, x = jax.random.key(1), jnp.arange(1.0, 9.0)
    >>> float(jax.grad(lambda x: dropout(key, 0.5, x).sum())(x).max())
    2.0
    """
    words, rate = _words(key), _probability("rate", rate)
    x = jnp.asarray(x)
    dtype = _DTYPES.get(x.dtype.name)
    is_own = generator != _OF_JAX
    if is_own and generator not in _core.generators:
        raise ValueError(f"generator: takes {', '.join((_OF_JAX, *_core.generators))}, not {generator!r}")
    if dtype is None or (dtype.startswith("f8") and not is_own):
        raise TypeError(f"x: is of {x.dtype}, which has no dropout by {generator}")
    if isinstance(rate, float) and rate == 0:
        return x
    if is_own:
        layout, (p, _) = _OF_OWN_STREAM, _operand("rate", rate)
        detail = _core.generators[generator]
    else:
        layout, (p, detail) = _layout(), _operand("rate", 1.0 - rate)
    if len(broadcast_dims) > 0 or (not is_own and _is_scale_infinite(rate, x.dtype)):
        return _shared_dropout(layout, detail, words, p, rate, x, broadcast_dims, axes)
    if not x.shape:
        return dropout(key, rate, x.reshape(1), generator=generator).reshape(())
    place = _place(layout, detail, x.shape, axes)
    return bind(dropout_p, *_alike(words, p, place, x), part=x.shape, dtype=x.dtype)


def _is_scale_infinite(rate: Any, dtype: Any) -> bool:
    """Whether JAX makes infinities of what is kept, for which the library has no masks."""
    if dtype != jnp.float16 or isinstance(rate, jax.Array):
        return False
    with np.errstate(divide="ignore", over="ignore"):
        return bool(np.isinf(np.float16(1) / np.float16(1.0 - rate)))


def _shared_dropout(
    layout: int, detail: int, key: Any, p: Any, rate: Any, x: Any, dimensions: Any, axes: Any
) -> Any:
    """Dropout by a mask, along dimensions of which all elements share their decision: that of the others."""
    shape, cut = list(x.shape), None if axes is None else list(axes)
    for d in dimensions:
        if not -x.ndim <= d < x.ndim:
            raise ValueError(f"broadcast_dims: {d} is no dimension of {x.shape}")
        shape[d] = 1
        if cut is not None:
            cut[d] = None
    wide = jnp.float64 if x.dtype == jnp.float64 else jnp.float32
    if layout == _OF_OWN_STREAM:
        scale = _draw(layout, detail, key, p, shape, cut, wide)
        kept = scale != 0
    else:
        kept = _draw(layout, detail, key, p, shape, cut, bool)
        # Rounded to what XLA computes a division in.
        narrow = wide if x.dtype == jnp.bfloat16 else x.dtype
        scale = (1 / jnp.asarray(1.0 - rate, x.dtype).astype(narrow)).astype(wide)
    # Gradients are multiplied by it, too: an infinite scale would make NaN of those of dropped elements.
    scale = jax.lax.stop_gradient(jnp.where(kept, scale, 0))
    return jnp.where(kept, (x.astype(wide) * scale).astype(x.dtype), jnp.zeros_like(x))
