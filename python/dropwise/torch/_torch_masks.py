"""masks="torch": the masks of PyTorch's own eager dropout, drawn from its own generator, but faster."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch._subclasses import FakeTensor
from torch.utils._python_dispatch import _disable_current_modes

from .. import _core
from . import _operators
from ._arguments import NotPlainError, check_generator, direct_apply

if TYPE_CHECKING:
    from collections.abc import Callable

#: Between reading a generator's state and writing it back no other thread may draw here.
_lock = threading.Lock()
_is_checked = False


def _renew_lock() -> None:
    """A child of a fork must not wait for a thread that it does not have."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)


def _draw(draw: Callable[[Tensor], Any], generator: torch.Generator | None) -> Any:
    """What is drawn from a state, which is then the generator's."""
    if not _is_checked:
        check_once()
    source = torch.default_generator if generator is None else generator
    with _lock:
        state = source.get_state()
        result = draw(state)
        source.set_state(state)
    return result


def compare(n: int = 301) -> bool:
    """Whether this PyTorch, on this CPU, draws what is drawn here; the generator is left as it was."""
    # What users put into the dispatcher's way, `patched` among it, must neither see nor answer this.
    own, key = torch.ops.aten.dropout.default, torch._C.DispatchKey.CompositeImplicitAutograd
    generator = torch.default_generator
    with torch.no_grad(), torch._C.DisableTorchFunction(), _disable_current_modes():
        for dtype in (torch.float32, torch.bfloat16, torch.float64):
            for p in (0.1, 0.5):
                x = torch.linspace(-3, 3, n, dtype=dtype, device="cpu")
                before = generator.get_state()
                theirs = own._op_dk(key, x, p, True)
                after = generator.get_state()
                generator.set_state(before)
                ours, _ = _operators.torch_dropout(x, p, before)
                if not (torch.equal(ours, theirs) and torch.equal(before, after)):
                    return False
    return True


def check_once() -> None:
    """RuntimeError, at the first use in a process, if PyTorch draws otherwise here."""
    global _is_checked
    with _lock:
        if not _is_checked and not compare():
            raise RuntimeError(
                f"masks: 'torch' is not available, as PyTorch {torch.__version__} draws other masks here "
                "than the versions that are known do"
            )
        _is_checked = True


# ---- Dropout of elements ----


def _save_bits(ctx: Any, p: float, y: Tensor, bits: Tensor) -> None:
    ctx.p, ctx.strides = p, y.stride()
    ctx.save_for_backward(bits)


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, p: float, generator: torch.Generator | None) -> Tensor:
        y: Tensor
        y, bits = _draw(lambda state: _operators.torch_dropout(x, p, state), generator)
        _save_bits(ctx, p, y, bits)
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        (bits,) = ctx.saved_tensors
        return _operators.torch_apply(dy, bits, ctx.p, ctx.strides), None, None


def _fill_own(x: Tensor, p: float, bits: Tensor | None) -> Tensor:
    """Dropout of a plain tensor by PyTorch's default generator."""
    if not _is_checked:
        check_once()
    y, source = torch.empty_like(x), torch.default_generator
    with _lock:
        state = source.get_state()
        if not _core.torch_fill_own(x, y, bits, state, p):
            raise NotPlainError
        source.set_state(state)
    return y


class _Eager(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, p: float) -> Tensor:
        bits = torch.empty((x.numel() + 7) // 8, dtype=torch.uint8, device="cpu")
        y = _fill_own(x, p, bits)
        _save_bits(ctx, p, y, bits)
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        (bits,) = ctx.saved_tensors
        return _operators.torch_apply(dy, bits, ctx.p, ctx.strides), None


_eager = direct_apply(_Eager)


def eager(input: Tensor, p: float) -> Tensor:
    """What `dropout` does with a plain tensor and the default generator, past the dispatcher."""
    if input.requires_grad and torch.is_grad_enabled():
        result: Tensor = _eager(input, p)
        return result
    return _fill_own(input, p, None)


def _is_traced(x: Tensor) -> bool:
    """Whether no generator's state can be read and written here, as a graph or a fake tensor is made."""
    return (
        torch.compiler.is_compiling() or torch._C._len_torch_dispatch_stack() > 0 or isinstance(x, FakeTensor)
    )


def _times_zero(input: Tensor, inplace: bool) -> Tensor:
    zero = torch.zeros((), dtype=input.dtype, device=input.device)
    return input.mul_(zero) if inplace else input * zero


def dropout(input: Tensor, p: float, inplace: bool, generator: torch.Generator | None) -> Tensor:
    """torch.nn.functional.dropout in training, p not being 0."""
    if p == 1:
        return _times_zero(input, inplace)
    if generator is not None:
        check_generator(generator)
    if generator is None and _is_traced(input):
        y: Tensor = _operators.torch_default_dropout(input, p, _operators.call_site())[0]
    elif torch.is_grad_enabled() and input.requires_grad:
        y = _Dropout.apply(input, p, generator)
    else:
        y = _draw(lambda state: _operators.torch_dropout(input, p, state), generator)[0]
    return input.copy_(y) if inplace else y


# ---- By noise, which PyTorch multiplies by ----


def _bernoulli(like: Tensor, p: float, generator: torch.Generator | None) -> Tensor:
    """Ones with the probability 1 - p, else zeros, laid out as torch.empty_like."""
    if generator is not None:
        check_generator(generator)
    if generator is None and _is_traced(like):
        noise: Tensor = _operators.torch_default_bernoulli(like, p, _operators.call_site())
        return noise
    noise = torch.empty_like(like)
    _draw(lambda state: _operators.torch_bernoulli(noise, p, state), generator)
    return noise


def _noise(input: Tensor, p: float, by_channel: bool, generator: torch.Generator | None) -> Tensor:
    like = input.detach()
    if by_channel:
        ones = [1] * (input.dim() - 2)
        like = torch.empty([*input.shape[:2], *ones], dtype=input.dtype, device=input.device)
    return _bernoulli(like, p, generator)


def dropout_of_channels(input: Tensor, p: float, inplace: bool, generator: torch.Generator | None) -> Tensor:
    """torch.feature_dropout: dropout1d, dropout2d and dropout3d."""
    if p == 1:
        return _times_zero(input, inplace)
    noise = _noise(input, p, True, generator).div_(1 - p)
    return input.mul_(noise) if inplace else input * noise


def alpha_dropout(
    input: Tensor, p: float, inplace: bool, by_channel: bool, generator: torch.Generator | None
) -> Tensor:
    """torch.alpha_dropout and torch.feature_alpha_dropout."""
    if p == 1:
        return _times_zero(input, inplace)
    noise = _noise(input, p, by_channel, generator)
    alpha = 1.7580993408473766
    a = 1.0 / ((alpha * alpha * p + 1) * (1 - p)) ** 0.5
    b = noise.add(-1).mul_(alpha * a).add_(alpha * a * p)
    noise.mul_(a)
    return (input.mul_(noise) if inplace else input * noise).add_(b)


def native_dropout(
    input: Tensor, p: float, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """torch.native_dropout in training: the result, and the mask as bool. It draws also where p is 0 or 1."""
    is_sure = p in (0, 1)
    mask = _bernoulli(torch.empty_like(input, dtype=torch.bool), 0.5 if is_sure else p, generator)
    if is_sure:
        mask.fill_(p == 0)
    return input * mask * (0.0 if p == 1 else float(1.0 / (1.0 - p))), mask


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None,
    p: float,
    is_causal: bool,
    scale: float,
    generator: torch.Generator | None,
) -> Tensor:
    """torch.nn.functional.scaled_dot_product_attention with dropout, step by step as PyTorch takes them."""
    dtype, root = q.dtype, scale**0.5
    if dtype in (torch.float16, torch.bfloat16):
        q, k, v = q.float(), k.float(), v.float()
        mask = mask.float() if mask is not None and mask.dtype != torch.bool else mask
    if is_causal:
        mask = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool, device=q.device).tril()
    if mask is not None and mask.dtype == torch.bool:
        mask = torch.zeros_like(mask, dtype=q.dtype).masked_fill_(~mask, float("-inf"))
    q = q * root
    if q.shape[-3] != k.shape[-3]:
        k, v = (x.repeat_interleave(q.shape[-3] // x.shape[-3], -3) for x in (k, v))
    attention = q @ (k.transpose(-2, -1) * root)
    if mask is not None:
        attention = attention + mask
    attention = torch.ops.aten._safe_softmax(attention, -1)
    return (dropout(attention, p, False, generator) @ v).to(dtype)


# ---- For compiled graphs, which do not take generators ----


def _default_dropout(x: Tensor, p: float, site: int) -> tuple[Tensor, Tensor]:
    result: tuple[Tensor, Tensor] = _draw(lambda state: _operators.torch_dropout(x, p, state), None)
    return result


def _default_bernoulli(like: Tensor, p: float, site: int) -> Tensor:
    noise = torch.empty_like(like)
    _draw(lambda state: _operators.torch_bernoulli(noise, p, state), None)
    return noise


_operators.library.impl("torch_default_dropout_v1", _default_dropout, "CPU")
_operators.library.impl("torch_default_bernoulli_v1", _default_bernoulli, "CPU")
