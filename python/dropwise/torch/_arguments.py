"""What the functions share: they read what users give, or raise an exception that names the argument."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from . import _load, _operators

if TYPE_CHECKING:
    from collections.abc import Sequence

MASKS = ("dropwise", "torch")
ELSEWHERE = ("torch", "error")
DTYPES = {torch.float32, torch.float64, torch.float16, torch.bfloat16}

#: Steps are counted above streams, of which so many have a number.
_STREAMS = 2**32
_STEPS = 2**31


#: Whether tensors can be read without a call through the dispatcher, which costs more than a small dropout.
HAS_EXCHANGE = _load.register_exchange()

_PLAIN = (Tensor, torch.nn.Parameter)
_is_functorch_active = torch._C._are_functorch_transforms_active
_count_modes = torch._C._len_torch_dispatch_stack
_tracing_state = torch._C._get_tracing_state
_is_compiling = torch.compiler.is_compiling


def is_plain(x: Tensor) -> bool:
    """Whether nobody but eager mode has to know of a call, which then need not go through the dispatcher."""
    return (
        HAS_EXCHANGE
        and type(x) in _PLAIN
        and not _is_compiling()
        and not _is_functorch_active()
        and _count_modes() == 0
        and forward_ad._current_level < 0
        and _tracing_state() is None
        and not x.is_neg()
    )


class NotPlainError(Exception):
    """A tensor that only the operators know what to do with."""


def direct_apply(function: Any) -> Any:
    """An autograd.Function's apply, for plain tensors, with less around it.

    It is PyTorch's own, without what its wrapper in Python does for functorch. In the backward pass another
    wrapper looks for the method each time, in whose place this puts the method itself.
    """
    if hasattr(function, "_backward_cls"):
        function._backward_cls.apply = function.backward
    return super(torch.autograd.Function, function).apply


def is_transformed() -> bool:
    """Whether functorch's transformations, or forward mode, are at work: they need rules of their own."""
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0


def is_distributed(input: Any) -> bool:
    """Whether it is a DTensor, whose module takes a second to import, and is not imported to know."""
    return type(input) is not Tensor and type(input).__name__ == "DTensor"


def check_p(p: float, name: str = "p") -> None:
    try:
        inside = 0.0 <= p <= 1.0
    except TypeError:
        raise TypeError(f"{name}: must be a number, not {type(p).__name__}") from None
    if not inside:
        raise ValueError(f"{name}: must be from 0 to 1, not {p}")


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ValueError(f"{name}: must be one of {', '.join(map(repr, choices))}, not {value!r}")


def is_ours(input: Tensor, elsewhere: str, name: str = "input", may_be_nested: bool = False) -> bool:
    """Whether a tensor is one for the operators; false if PyTorch's own function is to be called instead."""
    if not isinstance(input, Tensor):
        raise TypeError(f"{name}: must be a torch.Tensor, not {type(input).__name__}")
    if input.dtype not in DTYPES:
        raise TypeError(f"{name}: is of {input.dtype}; dropout takes float32, float64, float16 and bfloat16")
    if input.layout not in (torch.strided, torch.jagged):
        raise TypeError(f"{name}: is of {input.layout}; dropout takes dense tensors")
    if input.is_nested and not may_be_nested:
        raise TypeError(f"{name}: is nested, and this function takes dense tensors")
    if input.device.type in ("cpu", "meta"):
        return True
    if elsewhere == "error":
        raise TypeError(f"{name}: is on {input.device}, and elsewhere='error' refuses what is not on the CPU")
    return False


def check_like(input: Tensor, other: Tensor, name: str, shape: Sequence[int]) -> None:
    """Whether another tensor fits the input."""
    if not isinstance(other, Tensor):
        raise TypeError(f"{name}: must be a torch.Tensor, not {type(other).__name__}")
    if other.dtype != input.dtype or other.device != input.device:
        raise TypeError(
            f"{name}: is of {other.dtype} on {other.device}, and input of {input.dtype} on {input.device}"
        )
    if is_distributed(other) != is_distributed(input):
        raise TypeError(f"{name}: must be a DTensor if the input is one, and only then")
    if tuple(other.shape) != tuple(shape):
        raise ValueError(f"{name}: must be of shape {tuple(shape)}, not {tuple(other.shape)}")


def stream_number(stream: int, step: int) -> int:
    """The mask's stream: step * 2**32 + stream, so that no two of a run have the same number."""
    for name, value, end in (("stream", stream, _STREAMS), ("step", step, _STEPS)):
        if not isinstance(value, (int, torch.SymInt)):
            raise TypeError(f"{name}: must be a whole number, not {type(value).__name__}")
        if not 0 <= value < end:
            raise ValueError(f"{name}: must be from 0 to {end - 1}, not {value}")
    return step * _STREAMS + stream


def check_generator(generator: Any) -> None:
    """Whether seeds may be drawn from a generator here, which no checkpoint restores for a second pass."""
    if torch.compiler.is_compiling():
        raise TypeError(
            "generator: cannot be compiled; pass a seed, as torch.randint(2**62, (1,), generator=generator) "
            "draws it outside of the compiled function"
        )
    if not isinstance(generator, torch.Generator):
        raise TypeError(f"generator: must be a torch.Generator, not {type(generator).__name__}")
    if generator.device.type != "cpu":
        raise ValueError(f"generator: is on {generator.device}, and masks are drawn on the CPU")
    if torch._C._current_graph_task_id() != -1:
        raise RuntimeError(
            "generator: was asked for a mask in a backward pass, where checkpoint repeats what it kept no "
            "state of a generator for: the mask would be another one; pass seed=, stream= and step= instead"
        )


def seed_tensor(
    seed: int | Tensor | None, generator: torch.Generator | None, input: Tensor | None = None
) -> Tensor:
    """The seed as int64[1]: given, or drawn from the generator, or from PyTorch's own.

    One without a value, on meta, is for an input on meta only.
    """
    if seed is None:
        if generator is None:
            drawn: Tensor = _operators.seed()
            return drawn
        check_generator(generator)
        return torch.randint(*_operators.SEEDS, (1,), generator=generator, device="cpu")
    if generator is not None:
        raise ValueError("generator: has nothing to draw where seed is given")
    if isinstance(seed, Tensor):
        devices = ("cpu", "meta") if input is not None and input.is_meta else ("cpu",)
        if seed.dtype != torch.int64 or seed.numel() != 1 or seed.device.type not in devices:
            raise TypeError(
                f"seed: must be one number of int64 on the CPU, not {seed.dtype} of shape "
                f"{tuple(seed.shape)} on {seed.device}"
            )
        return seed.reshape(1)
    if not isinstance(seed, (int, torch.SymInt)):
        raise TypeError(f"seed: must be a whole number or a tensor of int64, not {type(seed).__name__}")
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed: must be from 0 to 2**64 - 1, not {seed}")
    return torch.full((1,), seed if seed < 2**63 else seed - 2**64, dtype=torch.int64, device="cpu")


def dimension_bits(dimensions: Sequence[int], rank: int, name: str) -> int:
    """A bit for each of some dimensions."""
    bits = 0
    for d in dimensions:
        if not -rank <= d < rank:
            raise ValueError(f"{name}: {d} is no dimension of a tensor that has {rank}")
        bits |= 1 << d % rank
    return bits
