"""The functions: PyTorch's names and arguments, and others' papers'."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function, has_torch_function_unary

from .. import _core
from . import _operators, _torch_masks
from ._arguments import (
    ELSEWHERE,
    MASKS,
    NotPlainError,
    check_choice,
    check_like,
    check_p,
    dimension_bits,
    direct_apply,
    is_distributed,
    is_ours,
    is_plain,
    is_transformed,
    seed_tensor,
    stream_number,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from typing_extensions import Unpack

    from ._options import Options

#: Whether float64's noise, GELU, SiLU and softmax are built in.
_HAS_MATH = bool(_core.info()["math"])

_OPTIONS = {"generator", "seed", "stream", "step", "elsewhere"}


# ---- What all share ----


def _check_options(options: Options) -> None:
    for name in options:
        if name not in _OPTIONS:
            raise TypeError(f"{name}: is no option; there are {', '.join(sorted(_OPTIONS))}")
    check_choice("elsewhere", options.get("elsewhere", "torch"), ELSEWHERE)


def _seed_and_stream(input: Tensor, options: Options) -> tuple[Tensor, int]:
    stream = stream_number(options.get("stream", 0), options.get("step", 0))
    return seed_tensor(options.get("seed"), options.get("generator"), input), stream


def _check_elsewhere(options: Options) -> None:
    """PyTorch's own functions take no seeds."""
    for name in ("generator", "seed"):
        if options.get(name) is not None:
            raise TypeError(
                f"{name}: is for tensors on the CPU; elsewhere PyTorch draws from its own generator"
            )


def _is_eager() -> bool:
    """Whether operators may be called, rather than what functorch and forward mode take."""
    return not is_transformed()


def _has_memory(x: Tensor) -> bool:
    """Whether this is the tensor that kernels get: on the CPU, and no part of another one."""
    return x.device.type == "cpu" and _is_eager() and not is_distributed(x)


def _generator_of_torch(input: Tensor, options: Options) -> torch.Generator | None:
    """The generator that masks="torch" has, which takes no other source."""
    for name, value in (
        ("seed", options.get("seed")),
        ("stream", options.get("stream", 0) or None),
        ("step", options.get("step", 0) or None),
    ):
        if value is not None:
            raise ValueError(f"{name}: is for masks='dropwise'; PyTorch's masks come from its generator")
    generator = options.get("generator")
    if generator is not None and not _has_memory(input):
        raise TypeError("generator: is for tensors on the CPU, outside of functorch's transformations")
    return generator


def _is_recorded() -> bool:
    """Whether a compiler, a mode, a transformation or forward mode has to see which operator is called."""
    return torch.compiler.is_compiling() or is_transformed() or torch._C._len_torch_dispatch_stack() > 0


def _by_factors(operator: Any, x: Tensor, *mask: Any) -> Tensor:
    """The same by PyTorch's own product, of compiled transformations, which take no rules of functions."""
    wide = torch.float64 if x.dtype == torch.float64 else torch.float32
    like = torch.zeros_like(x, dtype=wide, requires_grad=False)
    factor = _operators.derivative_of(operator)(like + 1, *mask)
    y = torch.where(factor != 0, x.to(wide) * factor, like)
    if operator is _operators.alpha:
        y = y + operator(like, *mask)
    return y.to(x.dtype)


def _draw(operator: Any, x: Tensor, p: float, share: int, options: Options, *rest: Any) -> Tensor:
    """An operator that is linear in x, by a new mask."""
    if is_distributed(x):
        from . import distributed

        parts: Tensor = distributed.draw(operator, (x,), p, share, options, *rest)
        return parts
    if _operators.has_many_dimensions(x):
        y = _draw(operator, x.contiguous(), p, share, options, *rest)
        return torch.empty_like(x).copy_(y) if _is_eager() else y
    seed, stream = _seed_and_stream(x, options)
    needs_gradient = x.requires_grad and torch.is_grad_enabled()
    if operator is _operators.dropout and share == 0 and not needs_gradient and not _is_recorded():
        result: Tensor = _operators.dropout_plain(x, seed, stream, p)
    elif _is_eager() or operator is _operators.uniform:  # which has no derivative
        result = operator(x, seed, stream, p, share, None, *rest)
    elif torch.compiler.is_compiling():
        result = _by_factors(operator, x, seed, stream, p, share, None, *rest)
    else:
        result = _operators.Linear.apply(x, seed, operator, stream, p, share, None, *rest)
    return result


def _draw_elsewhere(x: Tensor, p: float, share: int, options: Options) -> Tensor:
    """Dropout of a tensor that is not on the CPU, by PyTorch."""
    _check_elsewhere(options)
    if share == 0:
        return F.dropout(x, p)
    ones = x.new_ones([1 if share >> d & 1 else size for d, size in enumerate(x.shape)])
    return x * F.dropout(ones, p)


def _check_out(input: Tensor, out: Tensor) -> None:
    check_like(input, out, "out", input.shape)
    if torch.is_grad_enabled() and (input.requires_grad or out.requires_grad):
        raise RuntimeError("out: cannot be differentiated; input or out requires a gradient")


def _check_inplace(input: Tensor) -> None:
    if input.requires_grad and input.is_leaf and torch.is_grad_enabled():
        raise RuntimeError("inplace: a leaf tensor that requires a gradient cannot be changed in place")


def _nested(function: Callable[[Tensor], Tensor], input: Tensor) -> Tensor:
    """A function of the elements of a nested tensor, as of the dense one that its components make."""
    if input.layout == torch.jagged:
        result: Tensor = torch.nested.nested_tensor_from_jagged(
            function(input.values()), input.offsets(), input.lengths(), jagged_dim=input._ragged_idx
        )
        return result
    parts = input.unbind()
    flat = function(torch.cat([part.reshape(-1) for part in parts]))
    pieces = flat.split([part.numel() for part in parts])
    return torch.nested.as_nested_tensor([piece.view_as(part) for piece, part in zip(pieces, parts)])


# ---- Dropout of elements ----


_fill = _core.torch_fill
_is_compiling = torch.compiler.is_compiling
_count_modes = torch._C._len_torch_dispatch_stack
_is_grad_enabled = torch.is_grad_enabled
_empty_like = torch.empty_like


class _Eager(torch.autograd.Function):
    """Dropout of a plain tensor: the seed, a number, is all that is kept."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, p: float) -> Tensor:
        y = _empty_like(x)
        seed = _fill(x, y, None, 0, p)
        if seed is None:
            raise NotPlainError
        ctx.mask = seed, 0, p
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        # Gradients of transformations have no memory of their own, which _fill sees.
        if (
            not _is_compiling()
            and _count_modes() == 0
            and type(dy) is Tensor
            and not _is_grad_enabled()
            and not dy.is_neg()
        ):
            dx = _empty_like(dy)
            if _fill(dy, dx, *ctx.mask) is not None:
                return dx, None
        number, stream, p = ctx.mask
        seed = torch.full((1,), number, dtype=torch.int64, device="cpu")
        return _operators.dropout(_operators.few_dimensions(dy), seed, stream, p, 0, None), None


_eager = direct_apply(_Eager)


class _InPlace(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, seed: Tensor, stream: int, p: float) -> Tensor:
        _operators.dropout_out(x, seed, stream, p, 0, None, x)
        ctx.mark_dirty(x)
        ctx.save_for_backward(seed)
        ctx.stream, ctx.p = stream, p
        return x

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        (seed,) = ctx.saved_tensors
        dx = _operators.dropout(_operators.few_dimensions(dy), seed, ctx.stream, ctx.p, 0, None)
        return dx, None, None, None


def dropout(
    input: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    masks: str = "dropwise",
    out: Tensor | None = None,
    **options: Unpack[Options],
) -> Tensor:
    """Dropout, in place of torch.nn.functional.dropout: input / (1 - p) where it is kept, else 0.

    The backward pass draws the mask again from the seed, which is all that is saved. Without training, with
    p = 0 and without elements the result is the input itself, and nothing is drawn.

    Parameters
    ----------
    input : Tensor
        float32, float64, float16 or bfloat16, of any shape and strides. Elements are numbered in row-major
        order, whatever the strides; the result's memory is ordered as that of PyTorch's function is. Nested
        tensors are taken, too: jagged ones are numbered as their values() are, others one component after
        the other.
    p : float
        Probability of being dropped, 0 to 1.
    training, inplace : bool
        As of PyTorch's function.
    masks : str
        "dropwise": masks of this library, from a seed that PyTorch's generator draws (torch.manual_seed
        reproduces them), or from a given one. "torch": the mask and the values of PyTorch's own eager
        dropout, bit for bit, whose generator is left as PyTorch would leave it; a bit for each element is
        saved for the backward pass. Of options it takes `generator` and `elsewhere`.
    out : Tensor, optional
        Where the result goes: of the same shape and dtype, not differentiated. It may be the input.
    **options
        `dropwise.torch.Options`.

    Returns
    -------
    Tensor
        The input itself in place, out, or a new tensor.

    Raises
    ------
    ValueError
        p is outside [0, 1] or NaN; masks is unknown; stream, step or seed is out of range; out has another
        shape.
    TypeError
        input is of another dtype, sparse, or no tensor; an option is unknown, or does not fit.
    RuntimeError
        A generator in a backward pass, where a checkpoint calls this again; a leaf that requires a gradient
        in place; masks="torch" with a PyTorch that draws otherwise.

    Examples
    --------
    >>> import torch
    >>> from dropwise.torch import dropout
    >>> x = torch.ones(8)
    >>> bool(torch.equal(dropout(x, 0.5, seed=1), dropout(x, 0.5, seed=1)))
    True
    """
    if has_torch_function_unary(input):
        result: Tensor = handle_torch_function(
            dropout, (input,), input, p, training, inplace, masks=masks, out=out, **options
        )
        return result
    is_usual = training and not (options or inplace or out is not None)
    if is_usual and type(p) is float and 0.0 < p < 1.0 and is_plain(input):
        # What training calls most, with as little around it as can be. _fill refuses what it is not for.
        try:
            if masks == "torch":
                return _torch_masks.eager(input, p)
            if masks == "dropwise" and input.requires_grad:
                result = _eager(input, p)
                return result
            if masks == "dropwise":
                result = _empty_like(input)
                if _fill(input, result, None, 0, p) is not None:
                    return result
        except NotPlainError:
            pass
    check_p(p)
    return _dropout(input, p, training, inplace, masks, out, options)


def _dropout(
    input: Tensor, p: float, training: bool, inplace: bool, masks: str, out: Tensor | None, options: Options
) -> Tensor:
    _check_options(options)
    check_choice("masks", masks, MASKS)
    ours = is_ours(input, options.get("elsewhere", "torch"), may_be_nested=True)
    if out is not None:
        _check_out(input, out)
        if inplace:
            raise ValueError("out: is the input itself where inplace is True")
    if not training or p == 0 or input.numel() == 0:
        return input if out is None else out.copy_(input)
    if inplace:
        _check_inplace(input)
    if input.is_nested:
        if inplace:
            raise ValueError("inplace: is not for nested tensors")
        return _nested(lambda values: _dropout(values, p, True, False, masks, None, options), input)
    if masks == "torch":
        generator = _generator_of_torch(input, options)
        if _has_memory(input):
            result = _torch_masks.dropout(input, p, inplace, generator)
        else:
            result = F.dropout(input, p, True, inplace)
        return result if out is None else out.copy_(result)
    if not ours:
        _check_elsewhere(options)
        result = F.dropout(input, p, True, inplace)
        return result if out is None else out.copy_(result)
    target = input if inplace else out
    if target is None:
        return _draw(_operators.dropout, input, p, 0, options)
    is_differentiated = inplace and input.requires_grad and torch.is_grad_enabled()
    if (
        torch.compiler.is_compiling()
        or not _has_memory(input)
        or any(map(_operators.has_many_dimensions, (input, target)))
        or (is_differentiated and input._is_view())  # which may be a leaf's: PyTorch asks before it writes
    ):
        return target.copy_(_draw(_operators.dropout, input, p, 0, options))
    seed, stream = _seed_and_stream(input, options)
    if is_differentiated:
        result = _InPlace.apply(input, seed, stream, p)
        return result
    _operators.dropout_out(input.detach(), seed, stream, p, 0, None, target.detach())
    torch.autograd.graph.increment_version(target)
    return target


# ---- Dropout of channels ----


def _shared(
    function: Callable[..., Tensor],
    input: Tensor,
    p: float,
    training: bool,
    inplace: bool,
    dimensions: Sequence[int],
    masks: str,
    options: Options,
) -> Tensor:
    """Dropout that is shared along dimensions; `function` is PyTorch's, with the same masks="torch"."""
    check_p(p)
    _check_options(options)
    check_choice("masks", masks, MASKS)
    ours = is_ours(input, options.get("elsewhere", "torch"))
    if not training or p == 0 or input.numel() == 0:
        return input
    if inplace:
        _check_inplace(input)
    share = dimension_bits(dimensions, input.dim(), "input")
    if masks == "torch":
        result = function()
    elif ours:
        result = _draw(_operators.dropout, input, p, share, options)
    else:
        result = _draw_elsewhere(input, p, share, options)
    return input.copy_(result) if inplace and result is not input else result


def _channels(
    name: str,
    input: Tensor,
    p: float,
    training: bool,
    inplace: bool,
    masks: str,
    options: Options,
    unbatched: bool,
) -> Tensor:
    """dropout1d, dropout2d, dropout3d: one decision for each channel, of each sample."""

    def by_torch() -> Tensor:
        generator = _generator_of_torch(input, options)
        if not _has_memory(input):
            theirs: Tensor = getattr(F, name)(input, p, True, inplace)
            return theirs
        batch = input.unsqueeze(0) if unbatched else input
        batch = _torch_masks.dropout_of_channels(batch, p, inplace, generator)
        return input if inplace else batch.squeeze(0) if unbatched else batch

    first = 1 if unbatched else 2
    return _shared(by_torch, input, p, training, inplace, range(first, input.dim()), masks, options)


def dropout1d(
    input: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    masks: str = "dropwise",
    **options: Unpack[Options],
) -> Tensor:
    """Dropout of whole channels, in place of torch.nn.functional.dropout1d.

    Parameters
    ----------
    input : Tensor
        (N, C, L) or (C, L).
    p, training, inplace, masks, **options
        As of `dropout`.

    Returns
    -------
    Tensor
    """
    if has_torch_function_unary(input):
        result: Tensor = handle_torch_function(
            dropout1d, (input,), input, p, training, inplace, masks=masks, **options
        )
        return result
    if input.dim() not in (2, 3):
        raise ValueError(f"input: must have 2 or 3 dimensions, not {input.dim()}")
    return _channels("dropout1d", input, p, training, inplace, masks, options, input.dim() == 2)


def dropout2d(
    input: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    masks: str = "dropwise",
    **options: Unpack[Options],
) -> Tensor:
    """Dropout of whole channels, in place of torch.nn.functional.dropout2d.

    Parameters
    ----------
    input : Tensor
        (N, C, H, W). As PyTorch's function takes them, other tensors of 2 and more dimensions are
        (N, C, ...), with a warning; so (C, H, W) is not what it seems.
    p, training, inplace, masks, **options
        As of `dropout`.

    Returns
    -------
    Tensor
    """
    if has_torch_function_unary(input):
        result: Tensor = handle_torch_function(
            dropout2d, (input,), input, p, training, inplace, masks=masks, **options
        )
        return result
    if input.dim() < 2:
        raise ValueError(f"input: must have 2 or more dimensions, not {input.dim()}")
    if input.dim() != 4:
        warnings.warn(
            f"dropout2d: input has {input.dim()} dimensions, which are taken for (N, C, ...)",
            stacklevel=2,
        )
    return _channels("dropout2d", input, p, training, inplace, masks, options, False)


def dropout3d(
    input: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    masks: str = "dropwise",
    **options: Unpack[Options],
) -> Tensor:
    """Dropout of whole channels, in place of torch.nn.functional.dropout3d.

    Parameters
    ----------
    input : Tensor
        (N, C, D, H, W) or (C, D, H, W).
    p, training, inplace, masks, **options
        As of `dropout`.

    Returns
    -------
    Tensor
    """
    if has_torch_function_unary(input):
        result: Tensor = handle_torch_function(
            dropout3d, (input,), input, p, training, inplace, masks=masks, **options
        )
        return result
    if input.dim() not in (4, 5):
        raise ValueError(f"input: must have 4 or 5 dimensions, not {input.dim()}")
    return _channels("dropout3d", input, p, training, inplace, masks, options, input.dim() == 4)


# ---- Alpha dropout ----


def _alpha(
    name: str,
    input: Tensor,
    p: float,
    training: bool,
    inplace: bool,
    masks: str,
    options: Options,
    share: int,
) -> Tensor:
    check_p(p)
    _check_options(options)
    check_choice("masks", masks, MASKS)
    ours = is_ours(input, options.get("elsewhere", "torch"))
    if not training or p == 0 or input.numel() == 0:
        return input
    if inplace:
        _check_inplace(input)
    if masks == "torch":
        generator = _generator_of_torch(input, options)
        if _has_memory(input):
            by_channel = name == "feature_alpha_dropout"
            return _torch_masks.alpha_dropout(input, p, inplace, by_channel, generator)
    if masks == "torch" or not ours:
        _check_elsewhere(options)
        theirs: Tensor = getattr(F, name)(input, p, True, inplace)
        return theirs
    result = _draw(_operators.alpha, input, p, share, options)
    return input.copy_(result) if inplace else result


def alpha_dropout(
    input: Tensor,
    p: float = 0.5,
    training: bool = False,
    inplace: bool = False,
    *,
    masks: str = "dropwise",
    **options: Unpack[Options],
) -> Tensor:
    """Alpha dropout, in place of torch.nn.functional.alpha_dropout: mean 0 and variance 1 stay so.

    Parameters
    ----------
    input : Tensor
    training : bool
        False by default, as there.
    p, inplace, masks, **options
        As of `dropout`.

    Returns
    -------
    Tensor
    """
    if has_torch_function_unary(input):
        result: Tensor = handle_torch_function(
            alpha_dropout, (input,), input, p, training, inplace, masks=masks, **options
        )
        return result
    return _alpha("alpha_dropout", input, p, training, inplace, masks, options, 0)


def feature_alpha_dropout(
    input: Tensor,
    p: float = 0.5,
    training: bool = False,
    inplace: bool = False,
    *,
    masks: str = "dropwise",
    **options: Unpack[Options],
) -> Tensor:
    """Alpha dropout of whole channels, in place of torch.nn.functional.feature_alpha_dropout.

    Parameters
    ----------
    input : Tensor
        (N, C, ...).
    training : bool
        False by default, as there.
    p, inplace, masks, **options
        As of `dropout`.

    Returns
    -------
    Tensor
    """
    if has_torch_function_unary(input):
        result: Tensor = handle_torch_function(
            feature_alpha_dropout, (input,), input, p, training, inplace, masks=masks, **options
        )
        return result
    if input.dim() < 2:
        raise ValueError(f"input: must have 2 or more dimensions, not {input.dim()}")
    share = dimension_bits(range(2, input.dim()), input.dim(), "input")
    return _alpha("feature_alpha_dropout", input, p, training, inplace, masks, options, share)


# ---- Fused steps ----


def _begin(
    input: Tensor, p: float, options: Options, masks: str = "dropwise", may_be_nested: bool = False
) -> bool:
    """Checks what all functions below have; whether the operators are for this tensor."""
    check_p(p)
    _check_options(options)
    check_choice("masks", masks, MASKS)
    return is_ours(input, options.get("elsewhere", "torch"), may_be_nested=may_be_nested)


def _is_fused(input: Tensor, ours: bool, masks: str, needs_math: bool = False) -> bool:
    """Whether one operator does it all; else PyTorch's own and dropout do it one after the other."""
    has_math = not needs_math or input.dtype != torch.float64 or _HAS_MATH
    is_one = _is_eager() and not input.is_nested and not _operators.has_many_dimensions(input)
    return ours and masks == "dropwise" and has_math and is_one


def _fused(operator: Any, tensors: tuple[Tensor | None, ...], p: float, options: Options, *rest: Any) -> Any:
    """The operator that does it all; the first of its tensors is the input."""
    input = tensors[0]
    assert input is not None
    if is_distributed(input):
        from . import distributed

        return distributed.draw(operator, tensors, p, 0, options, *rest)
    seed, stream = _seed_and_stream(input, options)
    return operator(*tensors, seed, stream, p, 0, None, *rest)


def dropout_add(
    input: Tensor,
    residual: Tensor,
    bias: Tensor | None = None,
    p: float = 0.5,
    training: bool = True,
    *,
    masks: str = "dropwise",
    **options: Unpack[Options],
) -> Tensor:
    """residual + dropout(input + bias), in one pass: the end of a transformer's sublayers.

    Parameters
    ----------
    input, residual : Tensor
        Of the same shape and dtype.
    bias : Tensor, optional
        As long as the last dimension.
    p, training, masks, **options
        As of `dropout`.

    Returns
    -------
    Tensor

    Raises
    ------
    ValueError, TypeError
        As of `dropout`; residual or bias does not fit the input.
    """
    if has_torch_function((input, residual, bias)):
        result: Tensor = handle_torch_function(
            dropout_add, (input, residual, bias), input, residual, bias, p, training, masks=masks, **options
        )
        return result
    ours = _begin(input, p, options, masks, may_be_nested=True)
    check_like(input, residual, "residual", input.shape)
    if bias is not None:
        check_like(input, bias, "bias", input.shape[-1:])
    drops = training and p != 0 and input.numel() > 0
    if drops and _is_fused(input, ours, masks):
        if bias is not None and is_distributed(input):
            input, bias = input + bias, None  # its gradient is a sum over ranks
        row = bias if bias is None else bias.contiguous()
        result = _fused(_operators.residual, (input, row, residual), p, options)
        return result
    x = input if bias is None else input + bias
    return residual + (_dropout(x, p, True, False, masks, None, options) if drops else x)


def _activation(
    number: int,
    function: Callable[[Tensor], Tensor],
    input: Tensor,
    p: float,
    training: bool,
    masks: str,
    options: Options,
) -> Tensor:
    ours = _begin(input, p, options, masks, may_be_nested=True)
    if not training or p == 0 or input.numel() == 0:
        return function(input)
    if _is_fused(input, ours, masks, needs_math=True):
        result: Tensor = _fused(_operators.activation, (input, None), p, options, number)
        return result
    return _dropout(function(input), p, True, False, masks, None, options)


def gelu_dropout(
    input: Tensor,
    p: float = 0.5,
    training: bool = True,
    *,
    approximate: str = "none",
    masks: str = "dropwise",
    **options: Unpack[Options],
) -> Tensor:
    """dropout(gelu(input)), in one pass, forward and backward.

    Parameters
    ----------
    input : Tensor
    approximate : str
        "none" or "tanh", as of torch.nn.functional.gelu.
    p, training, masks, **options
        As of `dropout`.

    Returns
    -------
    Tensor
        GELU is this library's, whose last bits may differ from PyTorch's; but PyTorch's with masks="torch",
        and in float64 where the package was built without SLEEF.
    """
    if has_torch_function_unary(input):
        result: Tensor = handle_torch_function(
            gelu_dropout, (input,), input, p, training, approximate=approximate, masks=masks, **options
        )
        return result
    check_choice("approximate", approximate, ("none", "tanh"))
    number = _operators.GELU_TANH if approximate == "tanh" else _operators.GELU
    gelu = lambda x: F.gelu(x, approximate=approximate)  # noqa: E731
    return _activation(number, gelu, input, p, training, masks, options)


def silu_dropout(
    input: Tensor,
    p: float = 0.5,
    training: bool = True,
    *,
    masks: str = "dropwise",
    **options: Unpack[Options],
) -> Tensor:
    """dropout(silu(input)), in one pass, forward and backward.

    Parameters and result are those of `gelu_dropout`.
    """
    if has_torch_function_unary(input):
        result: Tensor = handle_torch_function(
            silu_dropout, (input,), input, p, training, masks=masks, **options
        )
        return result
    return _activation(_operators.SILU, F.silu, input, p, training, masks, options)


def softmax_dropout(
    input: Tensor,
    dim: int = -1,
    p: float = 0.5,
    training: bool = True,
    *,
    masks: str = "dropwise",
    **options: Unpack[Options],
) -> Tensor:
    """dropout(softmax(input, dim)), in one pass along the last dimension.

    Parameters
    ----------
    input : Tensor
    dim : int
    p, training, masks, **options
        As of `dropout`.

    Returns
    -------
    Tensor
        A row of which all are -infinity is 0, where PyTorch's softmax has NaN.
    """
    if has_torch_function_unary(input):
        result: Tensor = handle_torch_function(
            softmax_dropout, (input,), input, dim, p, training, masks=masks, **options
        )
        return result
    ours = _begin(input, p, options, masks, may_be_nested=True)
    dimension_bits((dim,), input.dim(), "dim")
    if not training or p == 0 or input.numel() == 0:
        return F.softmax(input, dim)
    has_rows = dim in (-1, input.dim() - 1) and input.dim() <= 8
    if is_distributed(input):
        from . import distributed

        has_rows = has_rows and not distributed.is_cut_along(input, input.dim() - 1)
    # Gradients of gradients are PyTorch's.
    if has_rows and _is_fused(input, ours, masks, needs_math=True):
        softmax = lambda *arguments: _operators.softmax(*arguments)[1]  # noqa: E731
        result = _fused(softmax, (input, None), p, options, 1.0, 0, 0)
        return result
    return _dropout(F.softmax(input, dim), p, True, False, masks, None, options)


# ---- Relatives of dropout ----


def gaussian_dropout(
    input: Tensor, p: float = 0.5, training: bool = True, **options: Unpack[Options]
) -> Tensor:
    """Gaussian dropout (Srivastava et al., 2014): input * (1 + sqrt(p / (1 - p)) * z), z normal numbers.

    Parameters
    ----------
    input : Tensor
    p : float
        Mean and variance are those of dropout with this p, which is below 1.
    training, **options
        As of `dropout`.

    Returns
    -------
    Tensor

    Raises
    ------
    NotImplementedError
        In float64, where the package was built without SLEEF, as wheels are.
    """
    if has_torch_function_unary(input):
        result: Tensor = handle_torch_function(gaussian_dropout, (input,), input, p, training, **options)
        return result
    ours = _begin(input, p, options)
    if p == 1:
        raise ValueError("p: must be below 1, not 1")
    if not training or p == 0 or input.numel() == 0:
        return input
    if not ours:
        _check_elsewhere(options)
        return input * (1 + (p / (1 - p)) ** 0.5 * torch.randn_like(input))
    if input.dtype == torch.float64 and not _HAS_MATH:
        raise NotImplementedError("gaussian_dropout: float64 needs SLEEF, which this build has not")
    return _draw(_operators.gaussian, input, p, 0, options)


def zoneout(
    input: Tensor,
    before: Tensor,
    p: float = 0.5,
    training: bool = True,
    **options: Unpack[Options],
) -> Tensor:
    """Zoneout (Krueger et al., 2017): the new state, but where it is dropped that of the step before.

    Parameters
    ----------
    input, before : Tensor
        The new state and the old one, of the same shape and dtype.
    p : float
        Probability that an element keeps its old value.
    training : bool
        If not, the expectation: (1 - p) * input + p * before.
    **options
        As of `dropout`.

    Returns
    -------
    Tensor
    """
    if has_torch_function((input, before)):
        result: Tensor = handle_torch_function(
            zoneout, (input, before), input, before, p, training, **options
        )
        return result
    ours = _begin(input, p, options)
    check_like(input, before, "before", input.shape)
    if p == 0 or input.numel() == 0:
        return input
    if not training:
        return torch.lerp(input, before, p)
    if _is_fused(input, ours, "dropwise"):
        result = _fused(_operators.zoneout, (input, before), p, options)
        return result
    ones = torch.ones_like(input)
    keep = _draw(_operators.kept, ones, p, 0, options) if ours else _draw_elsewhere(ones, p, 0, options)
    return torch.where(keep != 0, input, before)


def drop_path(input: Tensor, p: float = 0.5, training: bool = True, **options: Unpack[Options]) -> Tensor:
    """Stochastic depth (Huang et al., 2016): dropout of whole samples, along the first dimension.

    Parameters
    ----------
    input : Tensor
    p, training, **options
        As of `dropout`.

    Returns
    -------
    Tensor
    """
    if has_torch_function_unary(input):
        result: Tensor = handle_torch_function(drop_path, (input,), input, p, training, **options)
        return result
    if input.dim() < 1:
        raise ValueError("input: must have a dimension of samples")
    dimensions = range(1, input.dim())
    return _shared(lambda: input, input, p, training, False, dimensions, "dropwise", options)


def locked_dropout(
    input: Tensor,
    p: float = 0.5,
    training: bool = True,
    *,
    dim: int | Sequence[int] = 0,
    **options: Unpack[Options],
) -> Tensor:
    """Dropout whose mask is the same along some dimensions, as that of time (Gal, Ghahramani, 2016).

    Parameters
    ----------
    input : Tensor
    dim : int or sequence of int
        Along which all elements share their decision.
    p, training, **options
        As of `dropout`.

    Returns
    -------
    Tensor
    """
    if has_torch_function_unary(input):
        result: Tensor = handle_torch_function(
            locked_dropout, (input,), input, p, training, dim=dim, **options
        )
        return result
    dimensions = (dim,) if isinstance(dim, int) else dim
    dimension_bits(dimensions, input.dim(), "dim")
    return _shared(lambda: input, input, p, training, False, dimensions, "dropwise", options)


def drop_block(
    input: Tensor,
    p: float = 0.1,
    block_size: int = 7,
    training: bool = True,
    *,
    dim: Sequence[int] | None = None,
    **options: Unpack[Options],
) -> Tensor:
    """DropBlock (Ghiasi et al., 2018): dropout of blocks of feature maps.

    Parameters
    ----------
    input : Tensor
        Of at most 8 dimensions.
    p : float
        The part of the elements that is dropped, about.
    block_size : int
        Along each of these dimensions; at most the size of the map counts.
    dim : sequence of int
        Dimensions that have blocks; by default all but the first two, (N, C, ...).
    training, **options
        As of `dropout`.

    Returns
    -------
    Tensor
        Scaled by elements / kept elements, which are counted.
    """
    if has_torch_function_unary(input):
        result: Tensor = handle_torch_function(
            drop_block, (input,), input, p, block_size, training, dim=dim, **options
        )
        return result
    ours = _begin(input, p, options)
    if not isinstance(block_size, int) or block_size < 1:
        raise ValueError(f"block_size: must be a whole number from 1 on, not {block_size!r}")
    if input.dim() > 8:
        raise ValueError(f"input: may have 8 dimensions, and has {input.dim()}")
    dimensions = dimension_bits(range(2, input.dim()) if dim is None else dim, input.dim(), "dim")
    if dimensions == 0:
        raise ValueError("input: must have dimensions with blocks: (N, C, ...), or those that dim names")
    if not training or p == 0 or input.numel() == 0:
        return input
    if not ours:
        raise TypeError(f"input: is on {input.device}, where there is no DropBlock")
    return _draw(_operators.blocks, input, p, 0, options, dimensions, block_size)


def drop_connect_linear(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    p: float = 0.5,
    training: bool = True,
    **options: Unpack[Options],
) -> Tensor:
    """A linear layer whose weights are dropped, for each sample others (DropConnect: Wan et al., 2013).

    Parameters
    ----------
    input : Tensor
        (..., in_features): all but the last dimension are samples.
    weight, bias : Tensor
        As of torch.nn.functional.linear; the bias is not dropped.
    p, training, **options
        As of `dropout`. Without training the layer is linear: kept weights are scaled by 1 / (1 - p).

    Returns
    -------
    Tensor
        Masks are neither stored nor applied to copies, but for gradients of gradients and in functorch's
        transformations, which make a matrix of weights for each sample.
    """
    if has_torch_function((input, weight, bias)):
        result: Tensor = handle_torch_function(
            drop_connect_linear, (input, weight, bias), input, weight, bias, p, training, **options
        )
        return result
    ours = _begin(input, p, options)
    if weight.dim() != 2 or input.dim() < 1 or input.shape[-1] != weight.shape[1]:
        raise ValueError(
            f"weight: must be of shape (out_features, in_features), not {tuple(weight.shape)}, for an input "
            f"of {tuple(input.shape)}"
        )
    check_like(input, weight, "weight", weight.shape)
    if bias is not None:
        check_like(input, bias, "bias", weight.shape[:1])
    if not training or p == 0 or input.numel() == 0 or weight.numel() == 0:
        return F.linear(input, weight, bias)
    x = input.reshape(-1, input.shape[-1]).contiguous()
    if _is_fused(input, ours, "dropwise") and not is_distributed(input):
        seed, stream = _seed_and_stream(input, options)
        row = bias if bias is None else bias.contiguous()
        y: Tensor = _operators.connect(x, weight.contiguous(), row, seed, stream, p, 0, None)
    else:
        of_samples = weight.expand(x.shape[0], *weight.shape)
        y = torch.einsum("bi,boi->bo", x, _dropout(of_samples, p, True, False, "dropwise", None, options))
        y = y if bias is None else y + bias
    return y.reshape(*input.shape[:-1], weight.shape[0])


def concrete_dropout(
    input: Tensor,
    logit: Tensor,
    temperature: float = 0.1,
    training: bool = True,
    *,
    share: Sequence[int] = (),
    **options: Unpack[Options],
) -> Tensor:
    """Concrete dropout (Gal, Hron, Kendall, 2017): a relaxed mask, whose p can be learned by its logit.

    Parameters
    ----------
    input : Tensor
    logit : Tensor
        A scalar: p = sigmoid(logit). It gets a gradient.
    temperature : float
        Above 0; the authors take 0.1, and 2/3 for the spatial form.
    share : sequence of int
        Dimensions along which elements share their number: of the spatial form all but the first two.
    training, **options
        As of `dropout`. Uniform numbers are those of ``dropwise.variants.uniform``.

    Returns
    -------
    Tensor
    """
    if has_torch_function((input, logit)):
        result: Tensor = handle_torch_function(
            concrete_dropout, (input, logit), input, logit, temperature, training, share=share, **options
        )
        return result
    ours = _begin(input, 0.0, options)
    if not isinstance(logit, Tensor) or logit.numel() != 1:
        raise ValueError("logit: must be a tensor of one element")
    if not temperature > 0:
        raise ValueError(f"temperature: must be above 0, not {temperature}")
    bits = dimension_bits(share, input.dim(), "share")
    if not training or input.numel() == 0:
        return input
    if ours:
        # Narrow dtypes would round numbers to 0 and 1, whose logarithms are infinite.
        wide = torch.float64 if input.dtype == torch.float64 else torch.float32
        like = torch.empty_like(input, dtype=wide, requires_grad=False)
        u = _draw(_operators.uniform, like, 0.0, bits, options)
    else:
        _check_elsewhere(options)
        u = torch.rand([1 if bits >> d & 1 else n for d, n in enumerate(input.shape)], device=input.device)
        u = u.clamp(2**-33, 1 - 2**-24)
    logit = logit.reshape(()).to(u.dtype)
    kept = torch.sigmoid((torch.log1p(-u) - torch.log(u) - logit) / temperature)
    return (input * kept / torch.sigmoid(-logit)).to(input.dtype)


# ---- Attention ----


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    masks: str = "dropwise",
    **options: Unpack[Options],
) -> Tensor:
    """Attention with dropout of its probabilities, in place of torch.nn.functional's function of this name.

    No matrix of queries by keys is in memory, forward or backward. As PyTorch's, this knows nothing of
    training: a model passes dropout_p = 0 in eval; then this is PyTorch's own function.

    Parameters
    ----------
    query, key, value : Tensor
        (..., heads, L, E), (..., heads, S, E), (..., heads, S, Ev).
    attn_mask : Tensor, optional
        Of a shape that broadcasts to (..., heads, L, S): bool, True where a key counts, or numbers that are
        added. Keys at which these are below -2.3e38 do not count, as with -infinity; a query without a key
        that counts gives 0, where PyTorch gives NaN, or a mean for the lowest float.
    dropout_p : float
        Probability that an attention is dropped.
    is_causal, scale, enable_gqa
        As of PyTorch's function.
    masks : str
        "dropwise", or "torch": PyTorch's values and masks, step by step as PyTorch computes them.
    **options
        As of `dropout`.

    Returns
    -------
    Tensor
        (..., heads, L, Ev). A query for which no key counts has 0. float64, functorch's transformations, and
        masks that require a gradient go by steps, with a matrix of queries by keys.
    """
    tensors = (query, key, value, attn_mask)
    if has_torch_function(tensors):
        result: Tensor = handle_torch_function(
            scaled_dot_product_attention,
            tensors,
            *tensors,
            dropout_p,
            is_causal,
            scale,
            enable_gqa,
            masks=masks,
            **options,
        )
        return result
    _check_attention(query, key, value, attn_mask, dropout_p, is_causal, enable_gqa)
    _check_options(options)
    check_choice("masks", masks, MASKS)
    ours = is_ours(query, options.get("elsewhere", "torch"), "query", may_be_nested=True)
    if dropout_p == 0 or not ours or query.is_nested:
        if dropout_p != 0:
            _check_elsewhere(options)
        return F.scaled_dot_product_attention(
            query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
        )
    factor = query.shape[-1] ** -0.5 if scale is None else float(scale)
    if masks == "torch":
        generator = _generator_of_torch(query, options)
        if not _has_memory(query) or factor < 0:
            return F.scaled_dot_product_attention(
                query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
            )
        return _torch_masks.attention(query, key, value, attn_mask, dropout_p, is_causal, factor, generator)
    is_bool = attn_mask is not None and attn_mask.dtype == torch.bool
    add, allow = (None, attn_mask) if is_bool else (attn_mask, None)
    needs_steps = (
        not _is_fused(query, ours, masks)
        or query.dtype == torch.float64
        or query.dim() not in (3, 4)
        or not 2**-100 <= factor <= 2**100
        or 0 in (*query.shape, *key.shape, *value.shape)
        or (add is not None and add.requires_grad and torch.is_grad_enabled())
    )
    if is_distributed(query):
        from . import distributed

        return distributed.attention(
            query, key, value, add, allow, dropout_p, options, factor, int(is_causal), needs_steps
        )
    if needs_steps:
        drop = lambda x: _dropout(x, dropout_p, True, False, masks, None, options)  # noqa: E731
        return _operators.attention_by_steps(query, key, value, add, allow, factor, int(is_causal), drop)
    seed, stream = _seed_and_stream(query, options)
    mask = (seed, stream, dropout_p, 0, None)
    return attention(query, key, value, add, allow, mask, factor, int(is_causal))


def four_dimensions(x: Tensor) -> Tensor:
    """Those of three have no batches."""
    return x if x.dim() == 4 else x.unsqueeze(0)


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    add: Tensor | None,
    allow: Tensor | None,
    mask: tuple[Tensor, int, float, int, list[int] | None],
    scale: float,
    causal: int,
) -> Tensor:
    """The operator, of 3 or 4 dimensions; `mask` is its arguments of that."""
    *rest, part = mask
    if part is not None and len(part) == 6:
        part = [0, *part[:3], 1, *part[3:]]
    shape = (*q.shape[:-1], k.shape[-2])
    tensors = [q, k, v, *(None if x is None else x.expand(shape) for x in (add, allow))]
    arguments = [None if x is None else _with_rows(four_dimensions(x)) for x in tensors]
    out: Tensor = _operators.attention(*arguments, *rest, part, scale, causal)[0]
    return out if q.dim() == 4 else out.squeeze(0)


def _with_rows(x: Tensor) -> Tensor:
    """A tensor whose rows are dense: itself, if they are."""
    return x if x.stride(-1) == 1 or x.shape[-1] == 1 else x.contiguous()


def _check_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None,
    dropout_p: float,
    is_causal: bool,
    enable_gqa: bool,
) -> None:
    check_p(dropout_p, "dropout_p")
    for name, x in (("query", query), ("key", key), ("value", value)):
        if not isinstance(x, Tensor):
            raise TypeError(f"{name}: must be a torch.Tensor, not {type(x).__name__}")
        if x.dim() < 2:
            raise ValueError(f"{name}: must have 2 or more dimensions, not {x.dim()}")
        if x.dtype != query.dtype or x.device != query.device:
            raise TypeError(
                f"{name}: is of {x.dtype} on {x.device}, and query of {query.dtype} on {query.device}"
            )
        if is_distributed(x) != is_distributed(query):
            raise TypeError(f"{name}: must be a DTensor if query is one, and only then")
    if query.is_nested:
        return
    if key.shape[-1] != query.shape[-1]:
        raise ValueError(f"key: has rows of {key.shape[-1]}, and query of {query.shape[-1]}")
    if value.shape[-2] != key.shape[-2]:
        raise ValueError(f"value: has {value.shape[-2]} rows, and key {key.shape[-2]}")
    heads = (query.shape[-3], key.shape[-3]) if query.dim() > 2 and key.dim() > 2 else (1, 1)
    if key.shape[:-2] != value.shape[:-2] or key.dim() != query.dim() or key.shape[:-3] != query.shape[:-3]:
        raise ValueError("key: must have as many batches as query, and value as many heads as key")
    if heads[0] != heads[1] and (not enable_gqa or heads[1] == 0 or heads[0] % heads[1] != 0):
        raise ValueError(
            f"key: has {heads[1]} heads, and query {heads[0]}; with enable_gqa these are a multiple of those"
        )
    if attn_mask is not None:
        if not isinstance(attn_mask, Tensor):
            raise TypeError(f"attn_mask: must be a torch.Tensor, not {type(attn_mask).__name__}")
        if is_causal:
            raise ValueError("attn_mask: cannot be given where is_causal is True")
        if attn_mask.dtype not in (torch.bool, query.dtype):
            raise TypeError(f"attn_mask: must be of bool or {query.dtype}, not {attn_mask.dtype}")
        shape, given = (*query.shape[:-1], key.shape[-2]), attn_mask.shape
        if len(given) > len(shape) or any(m not in (1, n) for m, n in zip(reversed(given), reversed(shape))):
            raise ValueError(f"attn_mask: must broadcast to {tuple(shape)}, not be of shape {tuple(given)}")
