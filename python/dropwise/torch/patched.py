"""`with patched():` what calls PyTorch's functions of dropout draws this library's masks.

PyTorch's functions keep their names and places. What changes is what its dispatcher calls for tensors of
CPUs, below all of these names, so it does not matter how a function is reached: F.dropout, torch.dropout, a
name imported by value, a module, an LSTM, TorchScript.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch._C import _current_graph_task_id as current_backward
from torch._subclasses import FakeTensor
from torch._subclasses.functional_tensor import FunctionalTensor

from . import functional
from ._arguments import MASKS, check_choice, is_distributed, stream_number
from ._torch_masks import dropout_of_channels
from .functional import alpha_dropout, dropout, feature_alpha_dropout, scaled_dot_product_attention

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Options = dict[str, Any]

__all__ = ["patched"]

#: The name under which a state of the random generator keeps what dropout was when it was saved.
_MARK = "_dropwise_choice"


def chosen(masks: str, stream: int) -> Options:
    """The options of functions by which a user's choice is called."""
    check_choice("masks", masks, MASKS)
    stream_number(stream, 0)
    return {"masks": masks, "stream": stream} if masks == "dropwise" and stream != 0 else {"masks": masks}


class _Choice(NamedTuple):
    """What functions of dropout are: ours, called with these options, or with None PyTorch's own.

    It was made in this backward pass, of which PyTorch has a number, or -1 outside of all.
    """

    options: Options | None
    backward: int


class _Thread(threading.local):
    """What holds in a thread."""

    #: By the innermost `with`.
    entered = _Choice(None, -1)

    #: By the random state that a recomputation began with.
    recomputed: _Choice | None = None


_thread = _Thread()


def _choice() -> _Choice | None:
    """What holds here and now; None where nobody can say.

    A backward pass calls dropout where it recomputes what a checkpoint did not keep, and has to draw the
    mask of the forward pass: so not the `with` around the backward pass counts, but that of the forward
    pass. All checkpoints save the random state in the one and restore it in the other, and it goes with it.
    """
    backward = current_backward()
    if _thread.recomputed is not None and _thread.recomputed.backward == backward:
        return _thread.recomputed
    return _thread.entered if _thread.entered.backward == backward else None


def _options() -> Options | None:
    """The options of our functions, or None for PyTorch's own."""
    choice = _choice()
    if choice is not None:
        return choice.options
    # Of PyTorch's own masks both make the same, and outside of any `with` all is as without this module.
    entered = _thread.entered.options
    if entered is None or entered["masks"] == "torch":
        return None
    raise RuntimeError(
        "dropout is called by a backward pass within `with patched()`, and nothing says whether the forward "
        "pass, whose mask it needs, was within, too: a checkpoint must restore the state of the random "
        "generator (preserve_rng_state=True); else use dropwise.torch.dropout with a seed"
    )


class _holds:
    """Within it these options hold. Of ours it is entered with None: they may call PyTorch's own."""

    __slots__ = ("before", "options")

    def __init__(self, options: Options | None) -> None:
        self.options = options

    def __enter__(self) -> None:
        self.before = _thread.entered, _thread.recomputed
        _thread.entered, _thread.recomputed = _Choice(self.options, current_backward()), None

    def __exit__(self, *error: object) -> None:
        _thread.entered, _thread.recomputed = self.before


# ---- What the dispatcher calls ----

_TYPES: set[type] = {torch.Tensor, torch.nn.Parameter}
_DTYPES = {torch.float32, torch.float64, torch.float16, torch.bfloat16}


def _is_ours(input: torch.Tensor) -> bool:
    """Not what traces (fake and functional tensors, whose graphs outlive the `with`), and nothing sparse."""
    return (
        (type(input) in _TYPES or is_distributed(input))
        and input.layout == torch.strided
        and input.dtype in _DTYPES
        and input.numel() > 0
    )


def _by_torch(own: Any, input: torch.Tensor, *arguments: Any, **options: Any) -> Any:
    """What would be called without this module."""
    if isinstance(input, (FakeTensor, FunctionalTensor)):
        return own.decompose(input, *arguments, **options)
    return own._op_dk(torch._C.DispatchKey.CompositeImplicitAutograd, input, *arguments, **options)


def _dropout(own: Any, ours: Any, inplace: bool, least: int) -> Callable[..., Any]:
    """For an operator of (input, p, train), and tensors that have so many dimensions at least."""

    def kernel(input: torch.Tensor, p: float, train: bool) -> Any:
        options = _options() if train and p > 0 else None
        if options is None or not _is_ours(input) or input.dim() < least:
            return _by_torch(own, input, p, train)
        with _holds(None):
            return ours(input, p, True, inplace, **options)

    return kernel


def _feature_dropout(
    input: torch.Tensor, p: float, train: bool, inplace: bool, *, masks: str, stream: int = 0
) -> torch.Tensor:
    """Of tensors (N, C, ...): whole feature maps, of any number of dimensions."""

    def by_torch() -> torch.Tensor:
        if functional._has_memory(input):
            return dropout_of_channels(input, p, inplace, None)
        return (torch.feature_dropout_ if inplace else torch.feature_dropout)(input, p, train)

    maps = range(2, input.dim())
    return functional._shared(by_torch, input, p, train, inplace, maps, masks, {"stream": stream})


def _is_attention_ours(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None,
    dropout_p: float,
    is_causal: bool,
    enable_gqa: bool,
) -> bool:
    """PyTorch's own takes more shapes and masks, and has exceptions of its own."""
    if not all(map(_is_ours, (query, key, value))):
        return False
    try:
        functional._check_attention(query, key, value, attn_mask, dropout_p, is_causal, enable_gqa)
        if attn_mask is not None:
            attn_mask.expand(*query.shape[:-1], key.shape[-2])
    except (TypeError, ValueError, RuntimeError):
        return False
    return True


def _attention(own: Any) -> Callable[..., Any]:
    def kernel(
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attn_mask: torch.Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        *,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Any:
        options = _options() if dropout_p > 0 else None
        arguments = query, key, value, attn_mask, dropout_p, is_causal
        if options is None or not _is_attention_ours(*arguments, enable_gqa):
            # It calls dropout, which comes here, too.
            return _by_torch(own, *arguments, scale=scale, enable_gqa=enable_gqa)
        with _holds(None):
            return scaled_dot_product_attention(*arguments, scale, enable_gqa, **options)

    return kernel


_lock = threading.Lock()
_library: torch.library.Library | None = None


def _renew_lock() -> None:
    """A child of a fork must not wait for a thread that it does not have."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)


def _reach() -> None:
    """Once for a process, and for good: a recomputation after the `with` needs it, too."""
    global _library
    with _lock:
        if _library is None:
            _library = torch.library.Library("aten", "IMPL")
            _register(_library)
            _wrap_random_state()


def _register(library: torch.library.Library) -> None:
    aten = torch.ops.aten
    kernels: dict[Any, Callable[..., Any]] = {
        aten.scaled_dot_product_attention.default: _attention(aten.scaled_dot_product_attention.default)
    }
    for name, ours, least in (
        ("dropout", dropout, 0),
        ("feature_dropout", _feature_dropout, 2),
        ("alpha_dropout", alpha_dropout, 0),
        ("feature_alpha_dropout", feature_alpha_dropout, 2),
    ):
        for suffix, inplace in (("", False), ("_", True)):
            own = getattr(aten, name + suffix).default
            kernels[own] = _dropout(own, ours, inplace, least)
    for own, kernel in kernels.items():
        for key in ("AutogradCPU", "CPU"):
            library.impl(own, kernel, key)


def _wrap_random_state() -> None:
    """What holds goes with the states that are saved."""
    own_get, own_set = torch.random.get_rng_state, torch.random.set_rng_state

    @functools.wraps(own_get)
    def get_rng_state() -> torch.Tensor:
        state = own_get()
        setattr(state, _MARK, _choice())
        return state

    @functools.wraps(own_set)
    def set_rng_state(new_state: torch.Tensor) -> None:
        own_set(new_state)
        backward, choice = current_backward(), getattr(new_state, _MARK, None)
        if backward != -1:
            _thread.recomputed = None if choice is None else _Choice(choice.options, backward)

    for module in (torch, torch.random):
        module.get_rng_state, module.set_rng_state = get_rng_state, set_rng_state


# ---- What users call ----


def patched(*, masks: str = "dropwise", stream: int = 0) -> contextlib.AbstractContextManager[None]:
    """Within the `with`, PyTorch's functions of dropout on tensors of CPUs are those of `dropwise.torch`.

    That is F.dropout and its relatives for features and for alpha, and scaled_dot_product_attention, however
    they are called: by torch.dropout, names imported by value, modules, LSTMs, TorchScript, C++. It can be a
    decorator, too. When dropout acts does not change: where a model drops in evaluation, it still does.

    Parameters
    ----------
    masks : str
        "dropwise": own masks, from seeds that are drawn from PyTorch's generator. "torch": PyTorch's own.
    stream : int
        Of own masks: number under each seed. Data-parallel ranks with one seed need different ones, which
        `dropwise.torch.distributed.rank_stream` has. Masks of PyTorch have no streams: it is not asked then.

    Raises
    ------
    ValueError
        masks is unknown; stream is out of range.
    RuntimeError
        In the `with`: a backward pass calls dropout, and nothing says what its forward pass drew.

    Notes
    -----
    It holds for the thread that enters, and for backward passes that this starts. What a checkpoint of
    either kind recomputes in a backward pass draws the masks of its forward pass, wherever that was, since
    the choice goes with the state of the random generator that the checkpoint saves. Without one
    (preserve_rng_state=False) masks are wrong, as PyTorch's are, or an error.

    Compiled code is not reached, neither what is compiled within nor before, as graphs outlive the `with`:
    use `replace_dropout`. Neither are functorch's transformations, and tensors that are sparse, nested, or of
    subclasses other than DTensor. All these are PyTorch's own then, as outside.

    The first `with` of a process tells PyTorch's dispatcher to call Python for these functions, and wraps
    torch.get_rng_state and set_rng_state. Both stay so, since a recomputation may come after the `with`. A
    call of F.dropout then takes some microseconds more, and does what it did before.

    Examples
    --------
    >>> import torch
    >>> from dropwise.torch import patched
    >>> x = torch.ones(8)
    >>> with patched():
    ...     y = torch.nn.functional.dropout(x, 0.5)
    """
    options = chosen(masks, stream)
    _reach()
    return _entered(options)


@contextlib.contextmanager
def _entered(options: Options) -> Iterator[None]:
    with _holds(options):
        yield
