"""`replace_dropout(model)`: the dropout that a model has becomes this library's, and the way back."""

from __future__ import annotations

import dis
import functools
import types
import warnings
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import nn

from .functional import dropout, dropout_add, gelu_dropout, scaled_dot_product_attention, silu_dropout
from .modules import AlphaDropout, Dropout, Dropout1d, Dropout2d, Dropout3d, FeatureAlphaDropout
from .patched import chosen

if TYPE_CHECKING:
    from collections.abc import Callable

    from .patched import Options

__all__ = ["Report", "replace_dropout", "restore_dropout"]

#: The attribute in which a replaced module keeps what it was.
_MARK = "_dropwise_replaced"


# ---- Modules that call functions ----


@functools.cache
def _attention(masks: str, stream: int) -> Callable[..., Any]:
    """F.multi_head_attention_forward, whose names of dropout stand for ours.

    The same code, so it is what this version of PyTorch computes; torch.compile follows it.
    """
    own = F.multi_head_attention_forward
    options = chosen(masks, stream)
    ours = {
        "dropout": functools.partial(dropout, **options),
        "scaled_dot_product_attention": functools.partial(scaled_dot_product_attention, **options),
    }
    if not set(ours) <= set(own.__code__.co_names):
        raise NotImplementedError(f"nn.MultiheadAttention of PyTorch {torch.__version__} is not known")
    # Without __name__, as torch.compile would look names up in the module of this name.
    scope = {name: value for name, value in own.__globals__.items() if name != "__name__"}
    copy = types.FunctionType(own.__code__, scope, own.__name__, own.__defaults__)
    scope.update(ours)
    scope[own.__name__] = copy  # which it hands to modes and subclasses that override functions
    return copy


class _MultiheadAttention(nn.MultiheadAttention):
    """Attention that calls our functions where dropout acts, and else is PyTorch's own."""

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_attend"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        options = vars(self)[_MARK][0]
        self._attend = _attention(options["masks"], options.get("stream", 0))

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        key_padding_mask: torch.Tensor | None = None,
        need_weights: bool = True,
        attn_mask: torch.Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        nested = query.is_nested or key.is_nested or value.is_nested
        if not self.training or self.dropout == 0 or nested:
            return super().forward(
                query, key, value, key_padding_mask, need_weights, attn_mask, average_attn_weights, is_causal
            )
        is_swapped = self.batch_first and query.dim() == 3
        if is_swapped:  # equal ones stay so, of which the projection is one product
            swapped = {id(x): x.transpose(0, 1) for x in (query, key, value)}
            query, key, value = (swapped[id(x)] for x in (query, key, value))
        attended: torch.Tensor
        attended, weights = self._attend(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            training=True,
            key_padding_mask=key_padding_mask,
            need_weights=need_weights,
            attn_mask=attn_mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim,
            q_proj_weight=self.q_proj_weight,
            k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
        return attended.transpose(0, 1) if is_swapped else attended, weights


def _has_hooks(module: nn.Module) -> bool:
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )


def _is_plain(module: Any) -> bool:
    """Whether a call of its function is all that a call of this dropout does."""
    return type(module) is Dropout and not module.inplace and not _has_hooks(module)


def _attended(
    attention: Any,
    x: torch.Tensor,
    of: torch.Tensor,
    attn_mask: torch.Tensor | None,
    key_padding_mask: torch.Tensor | None,
    is_causal: bool,
) -> torch.Tensor:
    """What attention makes, without its weights."""
    is_usual = (
        x is of
        and x.dim() == 3
        and not x.is_nested
        and key_padding_mask is None
        and is_causal == (attn_mask is not None)
        and type(attention) is _MultiheadAttention
        and attention.training
        and attention.in_proj_weight is not None
        and attention.bias_k is None
        and not attention.add_zero_attn
        and not _has_hooks(attention)
    )
    y: torch.Tensor
    if not is_usual:
        y, _ = attention(
            x,
            of,
            of,
            need_weights=False,
            attn_mask=attn_mask,
            key_padding_mask=key_padding_mask,
            is_causal=is_causal,
        )
        return y
    # PyTorch's steps, but that queries, keys and values stay where the product leaves them, as do gradients.
    packed = F.linear(x, attention.in_proj_weight, attention.in_proj_bias)
    packed = packed.unflatten(-1, (3, attention.num_heads, attention.head_dim))
    order = (0, 2, 1, 3) if attention.batch_first else (1, 2, 0, 3)
    back = (0, 2, 1, 3) if attention.batch_first else (2, 0, 1, 3)
    query, key, value = (part.permute(order) for part in packed.unbind(2))
    y = scaled_dot_product_attention(
        query, key, value, None, attention.dropout, is_causal, **vars(attention)[_MARK][0]
    )
    return F.linear(y.permute(back).flatten(-2), attention.out_proj.weight, attention.out_proj.bias)


class _Fused:
    """What layers of transformers share whose dropout is one step with what stands before and after it."""

    dropout: Any
    activation: Any
    linear1: Any
    linear2: Any

    def _dropped(self, module: Any, function: Callable[..., Any], *tensors: torch.Tensor) -> Any:
        return function(*tensors, p=module.p, training=module.training, **module._options())

    def _feed(self, x: torch.Tensor) -> torch.Tensor:
        """The feed-forward block but for its last dropout."""
        activation, x = self.activation, self.linear1(x)
        if activation is F.gelu or (type(activation) is nn.GELU and activation.approximate == "none"):
            x = self._dropped(self.dropout, gelu_dropout, x)
        elif activation is F.silu or type(activation) is nn.SiLU:
            x = self._dropped(self.dropout, silu_dropout, x)
        elif activation is F.relu or type(activation) is nn.ReLU:
            # Either order gives the same. In this one what ReLU saves is what the product does, too.
            dropped = self.dropout(x)
            x = dropped.relu() if dropped is x else dropped.relu_()
        else:
            x = self.dropout(activation(x))
        y: torch.Tensor = self.linear2(x)
        return y

    def _add(self, module: Any, x: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        same = x.dtype == residual.dtype  # which autocast may have changed
        y: torch.Tensor = self._dropped(module, dropout_add, x, residual) if same else residual + module(x)
        return y


class _TransformerEncoderLayer(_Fused, nn.TransformerEncoderLayer):
    def forward(
        self,
        src: torch.Tensor,
        src_mask: torch.Tensor | None = None,
        src_key_padding_mask: torch.Tensor | None = None,
        is_causal: bool = False,
    ) -> torch.Tensor:
        if not self.training or not all(map(_is_plain, (self.dropout, self.dropout1, self.dropout2))):
            return super().forward(src, src_mask, src_key_padding_mask, is_causal)
        masks = src_mask, src_key_padding_mask, is_causal
        x = src
        if self.norm_first:
            of = self.norm1(x)
            x = self._add(self.dropout1, _attended(self.self_attn, of, of, *masks), x)
            return self._add(self.dropout2, self._feed(self.norm2(x)), x)
        x = self.norm1(self._add(self.dropout1, _attended(self.self_attn, x, x, *masks), x))
        y: torch.Tensor = self.norm2(self._add(self.dropout2, self._feed(x), x))
        return y


class _TransformerDecoderLayer(_Fused, nn.TransformerDecoderLayer):
    def forward(
        self,
        tgt: torch.Tensor,
        memory: torch.Tensor,
        tgt_mask: torch.Tensor | None = None,
        memory_mask: torch.Tensor | None = None,
        tgt_key_padding_mask: torch.Tensor | None = None,
        memory_key_padding_mask: torch.Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> torch.Tensor:
        dropouts = self.dropout, self.dropout1, self.dropout2, self.dropout3
        if not self.training or not all(map(_is_plain, dropouts)):
            return super().forward(
                tgt,
                memory,
                tgt_mask,
                memory_mask,
                tgt_key_padding_mask,
                memory_key_padding_mask,
                tgt_is_causal,
                memory_is_causal,
            )
        own = tgt_mask, tgt_key_padding_mask, tgt_is_causal
        other = memory_mask, memory_key_padding_mask, memory_is_causal
        x = tgt
        if self.norm_first:
            of = self.norm1(x)
            x = self._add(self.dropout1, _attended(self.self_attn, of, of, *own), x)
            x = self._add(self.dropout2, _attended(self.multihead_attn, self.norm2(x), memory, *other), x)
            return self._add(self.dropout3, self._feed(self.norm3(x)), x)
        x = self.norm1(self._add(self.dropout1, _attended(self.self_attn, x, x, *own), x))
        x = self.norm2(self._add(self.dropout2, _attended(self.multihead_attn, x, memory, *other), x))
        y: torch.Tensor = self.norm3(self._add(self.dropout3, self._feed(x), x))
        return y


_LAYERS: dict[type[nn.Module], type[nn.Module]] = {
    nn.TransformerEncoderLayer: _TransformerEncoderLayer,
    nn.TransformerDecoderLayer: _TransformerDecoderLayer,
}

_DROPOUTS: dict[type[nn.Module], Any] = {
    nn.Dropout: Dropout,
    nn.Dropout1d: Dropout1d,
    nn.Dropout2d: Dropout2d,
    nn.Dropout3d: Dropout3d,
    nn.AlphaDropout: AlphaDropout,
    nn.FeatureAlphaDropout: FeatureAlphaDropout,
}


# ---- What is found in a model ----


def _distinct(model: nn.Module) -> dict[nn.Module, list[str]]:
    """All modules, each once, with its names: more than one where it is shared."""
    names: dict[nn.Module, list[str]] = {}

    def visit(module: nn.Module, name: str) -> None:
        if module in names:
            names[module].append(name)
            return
        names[module] = [name]
        if isinstance(module, torch.jit.ScriptModule):
            return
        for child, of_child in module._modules.items():
            if of_child is not None:
                visit(of_child, f"{name}.{child}" if name else child)

    visit(model, "")
    return names


#: Of functions of dropout.
_NAMES = (
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "alpha_dropout",
    "feature_alpha_dropout",
    "scaled_dot_product_attention",
)
_FUNCTIONS = {
    getattr(where, name)
    for where in (F, torch)
    for name in (*_NAMES, "native_dropout")
    if hasattr(where, name)
}


def _calls_functions(module: nn.Module) -> bool:
    """Whether the module's own code, and no method of PyTorch's, calls a function of dropout."""
    code = getattr(type(module).forward, "__code__", None)
    scope = getattr(type(module).forward, "__globals__", {})
    if code is None or scope.get("__name__", "").startswith("torch."):
        return False
    of_module = False
    for step in dis.get_instructions(code):
        name = step.argval if isinstance(step.argval, str) else ""
        if step.opname == "LOAD_GLOBAL":
            value = scope.get(name)
            if isinstance(value, Hashable) and value in _FUNCTIONS:
                return True
            of_module = isinstance(value, types.ModuleType)
        elif step.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            if of_module and name in _NAMES:
                return True
        else:
            of_module = False
    return False


def _why_not(module: nn.Module) -> str | None:
    """Why the dropout that a module has is not replaced; None if it has none."""
    kind = type(module).__name__
    if isinstance(module, torch.jit.ScriptModule):
        return "is TorchScript" if "dropout" in str(module.inlined_graph) else None
    if isinstance(module, nn.RNNBase) and module.dropout > 0 and module.num_layers > 1:
        return f"{kind} calls PyTorch's own dropout, from C++; patched() reaches it"
    for known in (*_DROPOUTS, nn.MultiheadAttention):
        if (
            isinstance(module, known)
            and getattr(module, "dropout" if known is nn.MultiheadAttention else "p") != 0
        ):
            return f"{kind} is a subclass of nn.{known.__name__}, and may do something else"
    return f"{kind} calls functions; patched() reaches them" if _calls_functions(module) else None


# ---- What users call ----


@dataclass(repr=False)
class Report:
    """What `replace_dropout` did, by names of modules; a shared module has several."""

    #: Modules that are ours now, with the name of the class that they had.
    replaced: dict[str, str] = field(default_factory=dict)

    #: Those that were ours before.
    kept: list[str] = field(default_factory=list)

    #: Those whose dropout is not ours, and why.
    missed: dict[str, str] = field(default_factory=dict)

    _modules: list[nn.Module] = field(default_factory=list)

    def undo(self) -> None:
        """Makes the modules what they were; `restore_dropout` does so for all of a model."""
        for module in self._modules:
            _restore(module)

    def __repr__(self) -> str:
        counts = Counter(self.replaced.values())
        lines = ["replaced: " + (", ".join(f"{n} {kind}" for kind, n in counts.items()) or "nothing")]
        if self.kept:
            lines.append(f"replaced before: {len(self.kept)}")
        lines += [f"not replaced: {name or 'the model'}: {why}" for name, why in self.missed.items()]
        return "\n".join(lines)


def _become(module: nn.Module, kind: type[nn.Module], options: Options, attributes: dict[str, Any]) -> None:
    """Gives a module another class, and what instances of that have besides."""
    added = {name: value for name, value in attributes.items() if name not in vars(module)}
    vars(module).update(added)
    vars(module)[_MARK] = options, type(module), tuple(added)
    module.__class__ = kind


def _restore(module: nn.Module) -> bool:
    mark = vars(module).pop(_MARK, None)
    if mark is None:
        return False
    _, module.__class__, added = mark
    for name in added:
        del vars(module)[name]
    return True


def replace_dropout(
    model: nn.Module, *, masks: str = "dropwise", stream: int = 0, fuse: bool = False
) -> Report:
    """Makes the dropout that a model has this library's.

    Modules stay the objects that they are, with their names, hooks, modes and whatever refers to them, and
    get another class. State dictionaries are as before. When dropout acts does not change.

    Parameters
    ----------
    model : nn.Module
        It is changed. nn.Dropout, Dropout1d, 2d, 3d, AlphaDropout, FeatureAlphaDropout and
        nn.MultiheadAttention in it are replaced, also those of nn.TransformerEncoderLayer and
        nn.TransformerDecoderLayer; their subclasses are not, which may do something else.
    masks : str
        "dropwise": own masks, from seeds that are drawn from PyTorch's generator. "torch": PyTorch's own
        ones, of which a seeded run gives the same results.
    stream : int
        Of own masks: number under each seed. Data-parallel ranks with one seed need different ones, which
        `dropwise.torch.distributed.rank_stream` has. Masks of PyTorch have no streams: it is not asked then.
    fuse : bool
        In training, layers of transformers take dropout as one step with the activation before it and with
        the residual after it, as long as their own dropout has no hooks. Results differ in roundings.

    Returns
    -------
    Report
        What was replaced, what was not, and why; its ``undo`` is the way back, as `restore_dropout` is.

    Raises
    ------
    TypeError
        model is no nn.Module.
    ValueError
        masks is unknown; stream is out of range; fuse with masks="torch"; the model's dropout was
        replaced with other options.
    NotImplementedError
        The model has an nn.MultiheadAttention, and that of this PyTorch is not known. Nothing is changed.

    Warns
    -----
    UserWarning
        Nothing was replaced, nor before.

    Examples
    --------
    >>> from torch import nn
    >>> from dropwise.torch import replace_dropout
    >>> replace_dropout(nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.1), nn.LSTM(8, 8, 2, dropout=0.1)))
    replaced: 1 Dropout
    not replaced: 2: LSTM calls PyTorch's own dropout, from C++; patched() reaches it
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model: must be an nn.Module, not {type(model).__name__}")
    options = chosen(masks, stream)
    if fuse and masks == "torch":
        raise ValueError("fuse: rounds otherwise than PyTorch, whose results masks='torch' is to keep")
    report, found = Report(), _distinct(model)
    for module in found:
        if vars(module).get(_MARK, (options,))[0] != options:
            name = found[module][0] or "model"
            raise ValueError(f"{name}: was replaced with other options; restore_dropout(model) comes before")
    if any(type(module) is nn.MultiheadAttention for module in found):
        _attention(masks, stream)  # of which nothing is changed where it raises
    for module, names in found.items():
        kind = type(module)
        if kind in _DROPOUTS:
            ours = _DROPOUTS[kind]
            _become(module, ours, options, vars(ours(module.p, module.inplace, **options)))
        elif kind is nn.MultiheadAttention:
            _become(module, _MultiheadAttention, options, {"_attend": _attention(masks, stream)})
        elif kind in _LAYERS and fuse:
            _become(module, _LAYERS[kind], options, {})
        else:
            why = None if kind in _OURS else _why_not(module)
            if kind in _OURS:
                report.kept += names
            elif why is not None:
                report.missed.update(dict.fromkeys(names, why))
            continue
        report._modules.append(module)
        report.replaced.update(dict.fromkeys(names, kind.__name__))
    if not report.replaced and not report.kept:
        warnings.warn(f"replace_dropout found nothing to replace in {type(model).__name__}", stacklevel=2)
    return report


_OURS = {*_DROPOUTS.values(), *_LAYERS.values(), _MultiheadAttention}


def restore_dropout(model: nn.Module) -> list[str]:
    """Makes what `replace_dropout` replaced in a model what it was, and returns the names of the modules."""
    return [name for module, names in _distinct(model).items() if _restore(module) for name in names]
