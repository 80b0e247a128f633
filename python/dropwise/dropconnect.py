"""DropConnect (Wan et al., 2013): dropout of the weights of a linear layer, a mask for each sample of a
batch.

Masks are drawn while weights and inputs are multiplied, and never stored. One mask for a batch needs nothing
of this module: ``Mask.forward(w)`` makes the masked weights, ``Mask.backward`` the gradient of them.

The keep bit of weight (o, i) in sample b has the mask's index first + (b * rows + o) * columns + i. Products
are summed in float64 for float64, else in float32. Arrays are C-contiguous; inputs that are not are copied
first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core
from ._arrays import flat, integer

if TYPE_CHECKING:
    from ._arrays import Array, ArrayLike
    from .mask import Mask

_OPERATIONS = _core.operations


def _check(name: str, array: Array | None, shape: tuple[int, ...]) -> None:
    if array is not None and array.shape != shape:
        raise ValueError(f"{name}: must have shape {shape}, not {array.shape}")


def _check_dtype(name: str, array: Array, w: Array) -> None:
    if array.dtype != w.dtype:
        raise TypeError(f"{name}: elements of {array.dtype}, where those of w are {w.dtype}")


def _sum_dtype(dtype: np.dtype[Any]) -> type[np.floating[Any]]:
    return np.float64 if dtype == np.float64 else np.float32


def _layer(w: Array, samples: int, first: int, is_shared: bool = False) -> bytes:
    rows, columns = w.shape
    return _core.dropconnect(first, (samples, rows, columns, 0 if is_shared else columns))


def _matrix(name: str, given: ArrayLike) -> Array:
    array = flat(given, name)
    if array.ndim != 2:
        raise ValueError(f"{name}: must have two dimensions, not {array.ndim}")
    return array


def _inputs(w: Array, x: ArrayLike, samples: int | None) -> tuple[Array, int]:
    inputs = flat(x, "x")
    if samples is not None:
        n = integer("samples", samples, 0, 2**60 + 1)
    elif inputs.ndim == 2:
        n = inputs.shape[0]
    else:
        raise ValueError("samples: must be given for one x that all samples share")
    _check("x", inputs, (w.shape[1],) if inputs.ndim == 1 else (n, w.shape[1]))
    return inputs, n


def _output(name: str, out: Array | None, shape: tuple[int, ...], dtype: Any) -> Array:
    _check(name, out, shape)
    return np.empty(shape, dtype) if out is None else out


def forward(
    mask: Mask,
    w: ArrayLike,
    x: ArrayLike,
    bias: ArrayLike | None = None,
    out: Array | None = None,
    *,
    first: int = 0,
    samples: int | None = None,
) -> Array:
    """Training, forward: y[b, o] = bias[o] + scale * sum over i of m[b, o, i] * w[o, i] * x[b, i].

    Parameters
    ----------
    w : array (rows, columns)
    x : array (samples, columns), or (columns,) with `samples`
        One x for all samples gives averages over masks.
    bias : array (rows,), optional
    out : array (samples, rows), optional
        Overlaps no other argument.
    first : int
        The mask's index of weight (0, 0) in sample 0.

    Returns
    -------
    array (samples, rows)

    Raises
    ------
    ValueError, TypeError
        An argument has the wrong shape or dtype.
    """
    weights = _matrix("w", w)
    inputs, n = _inputs(weights, x, samples)
    if bias is not None:
        bias = flat(bias, "bias")
        _check("bias", bias, weights.shape[:1])
    y = _output("out", out, (n, weights.shape[0]), weights.dtype)
    layer = _layer(weights, n, first, inputs.ndim == 1)
    _core.run(
        _OPERATIONS["dropconnect_forward"], mask._struct, 0, layer, None, 1, 0, weights, inputs, bias, y
    )
    return y


def backward(
    mask: Mask,
    w: ArrayLike,
    x: ArrayLike,
    dy: ArrayLike,
    *,
    first: int = 0,
) -> tuple[Array, Array, Array]:
    """Training, backward, with the masks of the forward pass.

    Parameters
    ----------
    w : array (rows, columns)
    x : array (samples, columns)
    dy : array (samples, rows)

    Returns
    -------
    dx : array (samples, columns)
        Of the dtype of w.
    dw, db : array (rows, columns), array (rows,)
        float64 for float64, else float32.
    """
    weights, inputs, gradient = _matrix("w", w), _matrix("x", x), _matrix("dy", dy)
    _check("x", inputs, (gradient.shape[0], weights.shape[1]))
    _check("dy", gradient, (inputs.shape[0], weights.shape[0]))
    _check_dtype("x", inputs, weights)
    _check_dtype("dy", gradient, weights)
    layer = _layer(weights, inputs.shape[0], first)
    dx = np.empty_like(inputs)
    dw = np.zeros(weights.shape, _sum_dtype(weights.dtype))
    db = np.zeros(weights.shape[0], _sum_dtype(weights.dtype))
    run, struct = _core.run, mask._struct
    run(_OPERATIONS["dropconnect_backward_input"], struct, 0, layer, None, 1, 0, weights, gradient, dx)
    run(_OPERATIONS["dropconnect_backward_weights"], struct, 0, layer, None, 1, 0, inputs, gradient, dw, db)
    return dx, dw, db


def moments(mask: Mask, w: ArrayLike, x: ArrayLike, bias: ArrayLike | None = None) -> tuple[Array, Array]:
    """Inference: mean and variance of `forward` over all masks; none is drawn.

    Returns
    -------
    mean, variance : array (samples, rows)
        float64 for float64, else float32.
    """
    weights, inputs = _matrix("w", w), _matrix("x", x)
    _check("x", inputs, (inputs.shape[0], weights.shape[1]))
    if bias is not None:
        bias = flat(bias, "bias")
        _check("bias", bias, weights.shape[:1])
    shape = inputs.shape[0], weights.shape[0]
    mean = np.empty(shape, _sum_dtype(weights.dtype))
    variance = np.empty_like(mean)
    layer = _layer(weights, inputs.shape[0], 0)
    _core.run(
        _OPERATIONS["dropconnect_moments"],
        mask._struct,
        0,
        layer,
        None,
        1,
        0,
        weights,
        inputs,
        bias,
        mean,
        variance,
    )
    return mean, variance


def sample(mask: Mask, mean: ArrayLike, variance: ArrayLike, *, first: int = 0) -> Array:
    """Inference: a sample of the normal distribution with these `moments`, float64 or float32 as they are.

    It is mean + sqrt(variance) * z.

    z are the numbers of `dropwise.variants.normal` from element `first` on: give each sample others.
    """
    means, variances = flat(mean, "mean"), flat(variance, "variance")
    _check("variance", variances, means.shape)
    out = np.empty_like(means)
    _core.run(_OPERATIONS["dropconnect_sample"], mask._struct, first, None, None, 1, 0, means, variances, out)
    return out
