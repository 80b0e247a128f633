"""Relatives of dropout, which do something else with what is dropped, or drop by degrees, from the same
masks.

    alpha dropout         alpha_forward, alpha_backward: for self-normalizing networks (SELU)
    zoneout               zoneout_forward, zoneout_backward, zoneout_infer: what is dropped keeps its old
    value Gaussian dropout      gaussian_forward, gaussian_backward: times noise of the same variance Gaussian
    noise        gaussian_noise: plus noise concrete dropout      Concrete: p is learned

float64 is computed in float64, all other dtypes in float32, with one rounding at the end. The last dimension
is a row, whose elements lie next to each other: inputs that are laid out otherwise are copied first. In
float64 normal numbers and concrete dropout raise NotImplementedError where the package was built without
SLEEF, as wheels are, and on x86 CPUs without FMA.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import _core
from ._arrays import call, shape_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from typing_extensions import Unpack

    from ._arrays import Array, ArrayLike, Options, Place
    from .mask import Mask

_OPERATIONS = _core.operations


def alpha_forward(mask: Mask, x: ArrayLike, out: ArrayLike | None = None, **options: Unpack[Options]) -> Any:
    """Alpha dropout (Klambauer et al., 2017): mean 0 and variance 1 stay so.

    a * x + b where the mask keeps, a * alpha' + b where it drops. With ``share`` along the feature maps'
    dimensions it is feature-alpha dropout. At inference nothing is done.

    Parameters
    ----------
    x : array
    out : array, optional
        It may be x.

    Returns
    -------
    array of x's shape
    """
    return call(_OPERATIONS["alpha_forward"], mask._struct, options, None, x, out)


def alpha_backward(
    mask: Mask, dy: ArrayLike, out: ArrayLike | None = None, **options: Unpack[Options]
) -> Any:
    """The gradient of `alpha_forward`: a * dy where the mask keeps, +0.0 where it drops."""
    return call(_OPERATIONS["alpha_backward"], mask._struct, options, None, dy, out)


def zoneout_forward(
    mask: Mask,
    h: ArrayLike,
    before: ArrayLike,
    out: ArrayLike | None = None,
    **options: Unpack[Options],
) -> Any:
    """Zoneout (Krueger et al., 2017): h where the mask keeps, before where it drops, bit for bit.

    Parameters
    ----------
    h, before : array
        The new state and that of the step before, of the same shape. Another stream for each step.
    out : array, optional
        It may be h or before.

    Returns
    -------
    array of h's shape
    """
    return call(_OPERATIONS["zoneout_forward"], mask._struct, options, None, h, before, out)


def zoneout_backward(
    mask: Mask,
    dy: ArrayLike,
    out: ArrayLike | None = None,
    dbefore: Array | None = None,
    **options: Unpack[Options],
) -> tuple[Any, Any]:
    """The gradients of `zoneout_forward` to h and to before: dy where the mask keeps, and where it drops.

    Parameters
    ----------
    dy : array
    out, dbefore : array, optional
        Where they go, laid out alike. One of them may be dy.

    Returns
    -------
    (array, array)
    """
    gradients: tuple[Any, Any] = call(
        _OPERATIONS["zoneout_backward"], mask._struct, options, None, dy, out, dbefore
    )
    return gradients


def zoneout_infer(
    mask: Mask,
    h: ArrayLike,
    before: ArrayLike,
    out: ArrayLike | None = None,
    **options: Unpack[Options],
) -> Any:
    """Zoneout at inference, the expectation: q * h + (1 - q) * before, q the probability of being kept."""
    return call(_OPERATIONS["zoneout_infer"], mask._struct, options, None, h, before, out)


def uniform(
    mask: Mask,
    shape: int | Sequence[int],
    dtype: npt.DTypeLike = np.float32,
    out: Array | None = None,
    *,
    threads: int | None = None,
    **options: Unpack[Place],
) -> Array:
    """Uniform numbers in (0, 1) of the mask's seed and stream, whatever its p; concrete dropout's."""
    out = np.empty(shape_of(shape), dtype) if out is None else out
    everything: Options = {"threads": threads, **options}  # type: ignore[typeddict-item]
    result: Array = call(_OPERATIONS["uniform"], mask._struct, everything, None, out)
    return result


def normal(
    mask: Mask,
    shape: int | Sequence[int],
    dtype: npt.DTypeLike = np.float32,
    out: Array | None = None,
    *,
    threads: int | None = None,
    **options: Unpack[Place],
) -> Array:
    """Standard normal numbers of the mask's seed and stream, whatever its p; Gaussian dropout's."""
    out = np.empty(shape_of(shape), dtype) if out is None else out
    everything: Options = {"threads": threads, **options}  # type: ignore[typeddict-item]
    result: Array = call(_OPERATIONS["normal"], mask._struct, everything, None, out)
    return result


def gaussian_forward(
    mask: Mask, x: ArrayLike, out: ArrayLike | None = None, **options: Unpack[Options]
) -> Any:
    """Gaussian dropout (Srivastava et al., 2014): x * (1 + sigma * z), sigma = sqrt(p / (1 - p)).

    z are the numbers of `normal`. The mean and the variance are those of dropout with the mask's p, which is
    below 1 (ValueError). At inference nothing is done.
    """
    return call(_OPERATIONS["gaussian_forward"], mask._struct, options, None, x, out)


def gaussian_backward(
    mask: Mask, dy: ArrayLike, out: ArrayLike | None = None, **options: Unpack[Options]
) -> Any:
    """The gradient of `gaussian_forward`: dy * (1 + sigma * z)."""
    return call(_OPERATIONS["gaussian_backward"], mask._struct, options, None, dy, out)


def gaussian_noise(
    mask: Mask,
    sigma: float,
    x: ArrayLike,
    out: ArrayLike | None = None,
    **options: Unpack[Options],
) -> Any:
    """Gaussian noise: x + sigma * z, whatever the p of the mask; sigma is finite and not negative."""
    return call(_OPERATIONS["gaussian_noise"], mask._struct, options, sigma, x, out)


class Regularizer(NamedTuple):
    """What a loss gets for a tensor of weights behind a concrete dropout."""

    #: Is added to the loss.
    value: float
    #: Its gradient to the logit.
    dlogit: float
    #: Its gradient to each weight is this times the weight.
    decay: float


class Concrete:
    """Concrete dropout (Gal, Hron, Kendall, 2017), whose p is learned by its logit.

    Parameters
    ----------
    logit : float
        Of p: p = 1 / (1 + exp(-logit)); -64 to 64.
    temperature : float
        The authors take 0.1, and 2/3 for the spatial form; 2**-20 to 2**20.
    weight_regularizer, dropout_regularizer : float
        l**2 / (tau N), and 2 / (tau N) for a Euclidean loss, 1 / (tau N) for cross-entropy.
    features : int
        The inputs that are dropped; in the spatial form channels.

    Raises
    ------
    ValueError
        A number is out of its range.
    """

    __slots__ = ("_struct",)

    def __init__(
        self,
        logit: float,
        temperature: float = 0.1,
        weight_regularizer: float = 0.0,
        dropout_regularizer: float = 0.0,
        features: int = 0,
    ) -> None:
        self._struct = _core.concrete(logit, temperature, weight_regularizer, dropout_regularizer, features)

    @property
    def p(self) -> float:
        """Probability of being dropped: of the logit."""
        return _core.concrete_probability(self._struct)

    def forward(
        self, mask: Mask, x: ArrayLike, out: ArrayLike | None = None, **options: Unpack[Options]
    ) -> Any:
        """x * (1 - z) / (1 - p), z the relaxed mask, of `uniform` numbers; the mask's p does not count."""
        return call(_OPERATIONS["concrete_forward"], mask._struct, options, self._struct, x, out)

    def backward(
        self,
        mask: Mask,
        dy: ArrayLike,
        x: ArrayLike,
        out: ArrayLike | None = None,
        **options: Unpack[Options],
    ) -> tuple[Any, float]:
        """The gradients to x, and to the logit.

        Parameters
        ----------
        dy, x : array
            The gradient of the output, and the input of the forward pass.
        out : array, optional
            It may be dy or x.

        Returns
        -------
        (array, float)
        """
        result: tuple[Any, float] = call(
            _OPERATIONS["concrete_backward"], mask._struct, options, self._struct, dy, x, out
        )
        return result

    def regularizer(self, weights: ArrayLike) -> Regularizer:
        """What the loss gets for a tensor of weights; all but one of a layer's have features = 0."""
        mask = _core.mask(0.0, 0, 0, 1, 1)  # none is needed
        _, *numbers = _core.run(
            _OPERATIONS["concrete_regularizer"], mask, 0, self._struct, None, 1, 0, weights
        )
        return Regularizer(*numbers)
