"""The modules: torch.nn's names and arguments, with the options of the functions besides."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from . import functional
from ._arguments import ELSEWHERE, MASKS, check_choice, check_p

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Options:
    """What all modules keep of the options, and hand to the functions.

    `seed`, `stream` and `step` are plain attributes: a training loop may count `step` up.
    """

    generator: torch.Generator | None
    seed: int | Tensor | None
    stream: int
    step: int
    elsewhere: str

    def _keep_options(
        self,
        generator: torch.Generator | None = None,
        seed: int | Tensor | None = None,
        stream: int = 0,
        step: int = 0,
        elsewhere: str = "torch",
    ) -> None:
        check_choice("elsewhere", elsewhere, ELSEWHERE)
        self.generator = generator
        self.seed = seed
        self.stream = stream
        self.step = step
        self.elsewhere = elsewhere

    def _options(self) -> dict[str, Any]:
        """Those that are not what they are without being given."""
        options: dict[str, Any] = {}
        if self.generator is not None:
            options["generator"] = self.generator
        if self.seed is not None:
            options["seed"] = self.seed
        if self.stream != 0:
            options["stream"] = self.stream
        if self.step != 0:
            options["step"] = self.step
        if self.elsewhere != "torch":
            options["elsewhere"] = self.elsewhere
        return options

    def _options_repr(self) -> str:
        return "".join(f", {name}={value!r}" for name, value in self._options().items())


class _Module(nn.Module, _Options):
    p: float

    def __init__(self, p: float = 0.5, **options: Any) -> None:
        super().__init__()
        check_p(p)
        self.p = p
        self._keep_options(**options)

    def extra_repr(self) -> str:
        return f"p={self.p}{self._options_repr()}"


class _MaskModule(_Module):
    """A module whose masks may be PyTorch's."""

    masks: str

    def __init__(self, p: float = 0.5, *, masks: str = "dropwise", **options: Any) -> None:
        super().__init__(p, **options)
        check_choice("masks", masks, MASKS)
        self.masks = masks

    def extra_repr(self) -> str:
        masks = "" if self.masks == "dropwise" else f", masks={self.masks!r}"
        return f"p={self.p}{masks}{self._options_repr()}"


class _DropoutNd(_MaskModule):
    """A module with the arguments of torch.nn's.

    Parameters
    ----------
    p : float
        Probability of being dropped.
    inplace : bool
    masks : str
        "dropwise" or "torch", as of `dropwise.torch.dropout`.
    **options
        `dropwise.torch.Options`, kept as attributes that may be changed.
    """

    inplace: bool

    def __init__(
        self, p: float = 0.5, inplace: bool = False, *, masks: str = "dropwise", **options: Any
    ) -> None:
        super().__init__(p, masks=masks, **options)
        self.inplace = inplace

    def extra_repr(self) -> str:
        return super().extra_repr().replace(f"p={self.p}", f"p={self.p}, inplace={self.inplace}", 1)


class Dropout(_DropoutNd, nn.Dropout):
    """torch.nn.Dropout by `dropwise.torch.dropout`."""

    __doc__ = (__doc__ or "") + "\n\n" + (_DropoutNd.__doc__ or "")

    def forward(self, input: Tensor) -> Tensor:
        return functional.dropout(
            input, self.p, self.training, self.inplace, masks=self.masks, **self._options()
        )


class Dropout1d(_DropoutNd, nn.Dropout1d):
    """torch.nn.Dropout1d by `dropwise.torch.dropout1d`; arguments are those of `Dropout`."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.dropout1d(
            input, self.p, self.training, self.inplace, masks=self.masks, **self._options()
        )


class Dropout2d(_DropoutNd, nn.Dropout2d):
    """torch.nn.Dropout2d by `dropwise.torch.dropout2d`; arguments are those of `Dropout`."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.dropout2d(
            input, self.p, self.training, self.inplace, masks=self.masks, **self._options()
        )


class Dropout3d(_DropoutNd, nn.Dropout3d):
    """torch.nn.Dropout3d by `dropwise.torch.dropout3d`; arguments are those of `Dropout`."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.dropout3d(
            input, self.p, self.training, self.inplace, masks=self.masks, **self._options()
        )


class AlphaDropout(_DropoutNd, nn.AlphaDropout):
    """torch.nn.AlphaDropout by `dropwise.torch.alpha_dropout`; arguments are those of `Dropout`."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.alpha_dropout(
            input, self.p, self.training, self.inplace, masks=self.masks, **self._options()
        )


class FeatureAlphaDropout(_DropoutNd, nn.FeatureAlphaDropout):
    """torch.nn.FeatureAlphaDropout by `feature_alpha_dropout`; arguments are those of `Dropout`."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.feature_alpha_dropout(
            input, self.p, self.training, self.inplace, masks=self.masks, **self._options()
        )


class DropoutAdd(_MaskModule):
    """`dropwise.torch.dropout_add` of an input and a residual, and perhaps a bias."""

    def forward(self, input: Tensor, residual: Tensor, bias: Tensor | None = None) -> Tensor:
        return functional.dropout_add(
            input, residual, bias, self.p, self.training, masks=self.masks, **self._options()
        )


class GELUDropout(_MaskModule):
    """`dropwise.torch.gelu_dropout`: torch.nn.GELU and torch.nn.Dropout in one pass."""

    approximate: str

    def __init__(self, p: float = 0.5, approximate: str = "none", **options: Any) -> None:
        super().__init__(p, **options)
        check_choice("approximate", approximate, ("none", "tanh"))
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        return functional.gelu_dropout(
            input,
            self.p,
            self.training,
            approximate=self.approximate,
            masks=self.masks,
            **self._options(),
        )

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, approximate={self.approximate!r}"


class SiLUDropout(_MaskModule):
    """`dropwise.torch.silu_dropout`: torch.nn.SiLU and torch.nn.Dropout in one pass."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.silu_dropout(input, self.p, self.training, masks=self.masks, **self._options())


class SoftmaxDropout(_MaskModule):
    """`dropwise.torch.softmax_dropout`: torch.nn.Softmax and torch.nn.Dropout in one pass."""

    dim: int

    def __init__(self, dim: int = -1, p: float = 0.5, **options: Any) -> None:
        super().__init__(p, **options)
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return functional.softmax_dropout(
            input, self.dim, self.p, self.training, masks=self.masks, **self._options()
        )

    def extra_repr(self) -> str:
        return f"dim={self.dim}, {super().extra_repr()}"


class GaussianDropout(_Module):
    """`dropwise.torch.gaussian_dropout`."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.gaussian_dropout(input, self.p, self.training, **self._options())


class Zoneout(_Module):
    """`dropwise.torch.zoneout` of a new state and the one before."""

    def forward(self, input: Tensor, before: Tensor) -> Tensor:
        return functional.zoneout(input, before, self.p, self.training, **self._options())


class DropPath(_Module):
    """`dropwise.torch.drop_path`: whole samples are dropped."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.drop_path(input, self.p, self.training, **self._options())


class DropBlock(_Module):
    """`dropwise.torch.drop_block`: blocks of feature maps are dropped."""

    block_size: int
    dim: Sequence[int] | None

    def __init__(
        self, p: float = 0.1, block_size: int = 7, *, dim: Sequence[int] | None = None, **options: Any
    ) -> None:
        super().__init__(p, **options)
        self.block_size = block_size
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return functional.drop_block(
            input, self.p, self.block_size, self.training, dim=self.dim, **self._options()
        )

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, block_size={self.block_size}, dim={self.dim}"


class LockedDropout(_Module):
    """Dropout with one mask for all steps of a sequence (`dropwise.torch.locked_dropout`).

    Parameters
    ----------
    p : float
    dim : int or sequence of int
        The dimension of time: 0 of (T, B, F), 1 of (B, T, F).
    **options
        `dropwise.torch.Options`.
    """

    dim: int | Sequence[int]

    def __init__(self, p: float = 0.5, dim: int | Sequence[int] = 0, **options: Any) -> None:
        super().__init__(p, **options)
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return functional.locked_dropout(input, self.p, self.training, dim=self.dim, **self._options())

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, dim={self.dim}"


class WeightDrop(_Module):
    """A module some of whose weights are dropped at each call (AWD-LSTM: Merity et al., 2018).

    Parameters
    ----------
    module : torch.nn.Module
        As an nn.LSTM.
    weights : sequence of str
        The names of its parameters, as "weight_hh_l0".
    p : float
    variational : bool
        Whole rows of a matrix are dropped.
    **options
        `dropwise.torch.Options`; of a stream given here, each weight takes the next one.
    """

    module: nn.Module
    weights: tuple[str, ...]
    variational: bool

    def __init__(
        self,
        module: nn.Module,
        weights: Sequence[str],
        p: float = 0.5,
        variational: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(p, **options)
        parameters = dict(module.named_parameters())
        for name in weights:
            if name not in parameters:
                raise ValueError(f"weights: {name!r} is no parameter of {type(module).__name__}")
        self.module = module
        self.weights = tuple(weights)
        self.variational = variational

    def forward(self, *inputs: Any, **keywords: Any) -> Any:
        parameters = dict(self.module.named_parameters())
        dropped = {}
        for i, name in enumerate(self.weights):
            weight, options = parameters[name], self._options()
            if self.seed is not None or self.stream != 0:
                options["stream"] = self.stream + i
            dim = tuple(range(1, weight.dim())) if self.variational else ()
            dropped[name] = functional.locked_dropout(weight, self.p, self.training, dim=dim, **options)
        return torch.func.functional_call(self.module, dropped, inputs, keywords)

    def extra_repr(self) -> str:
        return f"weights={self.weights}, {super().extra_repr()}, variational={self.variational}"


class DropConnectLinear(nn.Linear, _Options):
    """torch.nn.Linear whose weights are dropped, for each sample others (`drop_connect_linear`).

    Parameters
    ----------
    in_features, out_features, bias, device, dtype
        As of torch.nn.Linear.
    p : float
    **options
        `dropwise.torch.Options`.
    """

    p: float

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        p: float = 0.5,
        device: Any = None,
        dtype: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(in_features, out_features, bias, device, dtype)
        check_p(p)
        self.p = p
        self._keep_options(**options)

    def forward(self, input: Tensor) -> Tensor:
        return functional.drop_connect_linear(
            input, self.weight, self.bias, self.p, self.training, **self._options()
        )

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, p={self.p}{self._options_repr()}"


class ConcreteDropout(nn.Module, _Options):
    """Concrete dropout, whose p is learned (Gal, Hron, Kendall, 2017).

    Parameters
    ----------
    p : float
        To begin with, above 0 and below 1.
    temperature : float
    share : sequence of int
        Dimensions along which elements share their number.
    weight_regularizer, dropout_regularizer : float
        l**2 / (tau N), and 2 / (tau N) for a Euclidean loss, 1 / (tau N) for cross-entropy.
    **options
        `dropwise.torch.Options`.
    """

    temperature: float
    share: Sequence[int]
    weight_regularizer: float
    dropout_regularizer: float

    def __init__(
        self,
        p: float = 0.1,
        temperature: float = 0.1,
        share: Sequence[int] = (),
        weight_regularizer: float = 0.0,
        dropout_regularizer: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__()
        if not 0 < p < 1:
            raise ValueError(f"p: must be above 0 and below 1, not {p}")
        self.logit = nn.Parameter(torch.tensor(math.log(p) - math.log1p(-p)))
        self.temperature = temperature
        self.share = share
        self.weight_regularizer = weight_regularizer
        self.dropout_regularizer = dropout_regularizer
        self._keep_options(**options)

    @property
    def p(self) -> float:
        """Probability of being dropped, as it was learned so far."""
        return float(torch.sigmoid(self.logit.detach()))

    def forward(self, input: Tensor) -> Tensor:
        return functional.concrete_dropout(
            input, self.logit, self.temperature, self.training, share=self.share, **self._options()
        )

    def regularizer(self, weights: Tensor, features: int) -> Tensor:
        """What the loss gets for a tensor of weights behind this, which has so many inputs.

        All but one of a layer's tensors have 0 features.
        """
        kept = torch.sigmoid(-self.logit)
        p = torch.sigmoid(self.logit)
        entropy = p * torch.log(p) + kept * torch.log(kept)
        squares = weights.square().sum() / kept
        return self.weight_regularizer * squares + self.dropout_regularizer * features * entropy

    def extra_repr(self) -> str:
        return f"p={self.p:.4g}, temperature={self.temperature}{self._options_repr()}"
