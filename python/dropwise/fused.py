"""The steps of a network that dropout stands in the middle of, each in one pass over memory.

    residual + dropout(x + bias)              residual_forward, residual_backward
    dropout(activation(x + bias))             activation_forward, activation_backward
    dropout(softmax(scale * x + add))         softmax_forward, softmax_backward

float64 is computed in float64, all other dtypes in float32, with one rounding where an output is written. The
last dimension is a row, whose elements lie next to each other: inputs that are laid out otherwise are copied
first. Outputs may be an input of the same shape (in place). GELU, SiLU and softmax of float64 raise
NotImplementedError where the package was built without SLEEF, and on x86 CPUs without FMA.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _core
from ._arrays import call

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._arrays import ArrayLike, Options
    from .mask import Mask

#: Numbers of the activations, by name.
ACTIVATIONS = {"relu": 1, "gelu": 2, "gelu_tanh": 3, "silu": 4}

_OPERATIONS = _core.operations


def residual_forward(
    mask: Mask,
    x: ArrayLike,
    bias: ArrayLike | None = None,
    residual: ArrayLike | None = None,
    out: ArrayLike | None = None,
    **options: Unpack[Options],
) -> Any:
    """residual + dropout(x + bias): the end of a transformer's sublayers.

    Parameters
    ----------
    mask : Mask
    x : array (..., n)
    bias : array (n,), optional
    residual : array (..., n), optional
    out : array (..., n), optional
        Where the result goes; it may be x or residual.
    **options
        `dropwise.Options`.

    Returns
    -------
    array (..., n)

    Raises
    ------
    TypeError, ValueError
        As `dropwise.Mask.forward`; an argument has the wrong shape or dtype.
    """
    return call(_OPERATIONS["residual_forward"], mask._struct, options, None, x, bias, residual, out)


def residual_backward(
    mask: Mask,
    dy: ArrayLike,
    out: ArrayLike | None = None,
    dbias: ArrayLike | None = None,
    **options: Unpack[Options],
) -> Any:
    """The gradient of `residual_forward` to x: dy * scale where the mask keeps. That of the residual is dy
    itself.

    Parameters
    ----------
    dy : array (..., n)
    out : array (..., n), optional
        It may be dy.
    dbias : array (n,), optional
        Is filled with the gradient of the bias, the sum of the result over all rows, summed before it is
        rounded: float64 for float64, and float32 for all other dtypes.

    Returns
    -------
    array (..., n)
    """
    return call(_OPERATIONS["residual_backward"], mask._struct, options, None, dy, out, dbias)


def _activation(name: str) -> float:
    if name not in ACTIVATIONS:
        raise ValueError(f"activation: takes {', '.join(ACTIVATIONS)}, not {name!r}")
    return float(ACTIVATIONS[name])


def activation_forward(
    mask: Mask,
    activation: str,
    x: ArrayLike,
    bias: ArrayLike | None = None,
    out: ArrayLike | None = None,
    **options: Unpack[Options],
) -> Any:
    """dropout(activation(x + bias)): feed-forward layers.

    Parameters
    ----------
    activation : str
        "relu", "gelu" (by erf), "gelu_tanh" or "silu".
    x : array (..., n)
    bias : array (n,), optional
    out : array (..., n), optional
        It may be x.

    Returns
    -------
    array (..., n)
    """
    return call(
        _OPERATIONS["activation_forward"], mask._struct, options, _activation(activation), x, bias, out
    )


def activation_backward(
    mask: Mask,
    activation: str,
    dy: ArrayLike,
    x: ArrayLike,
    bias: ArrayLike | None = None,
    out: ArrayLike | None = None,
    dbias: ArrayLike | None = None,
    **options: Unpack[Options],
) -> Any:
    """The gradient of `activation_forward` to x: dy * scale * activation'(x + bias) where the mask keeps.

    Parameters
    ----------
    dy, x : array (..., n)
        The gradient of the output, and the input of the forward pass.
    bias : array (n,), optional
    out : array (..., n), optional
        It may be dy or x.
    dbias : array (n,), optional
        As in `residual_backward`.

    Returns
    -------
    array (..., n)
    """
    return call(
        _OPERATIONS["activation_backward"],
        mask._struct,
        options,
        _activation(activation),
        dy,
        x,
        bias,
        out,
        dbias,
    )


def softmax_forward(
    mask: Mask,
    x: ArrayLike,
    scale: float = 1.0,
    *,
    causal: bool = False,
    causal_offset: int = 0,
    add: ArrayLike | None = None,
    probabilities: ArrayLike | None = None,
    out: ArrayLike | None = None,
    **options: Unpack[Options],
) -> Any:
    """dropout(softmax(scale * x + add)) along rows: the weights of attention.

    Parameters
    ----------
    x : array (..., queries, keys)
        Scores.
    scale : float
        Usually 1 / sqrt(size of a head).
    causal : bool
        Column c of row r counts only if c <= r + causal_offset.
    causal_offset : int
        Keys before the first query.
    add : array, optional
        Is added to the scaled scores; of x's dtype, and its shape broadcasts to x's.
    probabilities : array (..., queries, keys), optional
        Is filled with the softmax before dropout, which `softmax_backward` needs. Laid out as out.
    out : array (..., queries, keys), optional
        It may be x.

    Returns
    -------
    array (..., queries, keys)
        A row in which no column counts is 0.
    """
    parameter = _core.softmax(scale, causal, causal_offset)
    return call(_OPERATIONS["softmax_forward"], mask._struct, options, parameter, x, add, probabilities, out)


def softmax_backward(
    mask: Mask,
    dy: ArrayLike,
    probabilities: ArrayLike,
    scale: float = 1.0,
    *,
    causal: bool = False,
    causal_offset: int = 0,
    out: ArrayLike | None = None,
    **options: Unpack[Options],
) -> Any:
    """The gradient of `softmax_forward` to x.

    Parameters
    ----------
    dy : array (..., queries, keys)
    probabilities : array (..., queries, keys)
        As the forward pass wrote them.
    scale, causal, causal_offset
        Those of the forward pass.
    out : array (..., queries, keys), optional
        It may be dy or probabilities.

    Returns
    -------
    array (..., queries, keys)
    """
    parameter = _core.softmax(scale, causal, causal_offset)
    return call(_OPERATIONS["softmax_backward"], mask._struct, options, parameter, dy, probabilities, out)
