"""What Inductor, torch.compile's own compiler, is told of dropout that follows a ReLU.

The gradient of ReLU is 0 where its result is, and that is kept for the backward pass as a bool for each
element, as Inductor cannot see what dropout does. On CPUs its code for bools takes 50 times as long as the
ReLU. They need not be kept: what dropout made of the result is 0 there, too, and is kept anyway, for the
product that follows. Where it is dropout that made the 0, its own gradient is one.

This is a pattern of the joint graph, which is not public: nothing is done where it is not found.
"""

from __future__ import annotations

import math
import sys
import threading
from typing import Any

import torch

_JOINT_GRAPH = "torch._inductor.fx_passes.joint_graph"
_PATTERNS = "torch._inductor.pattern_matcher"
_aten = torch.ops.aten

_told: set[Any] = set()
_lock = threading.Lock()


def tell(dropout: Any) -> None:
    """Registers the pattern for this operator, once, if Inductor is in use: that is not imported for it.

    To be called while a graph is traced: others that are compiled wait for that.
    """
    patterns = getattr(sys.modules.get(_JOINT_GRAPH), "patterns", None)
    if patterns is None:
        return
    with _lock:
        if dropout not in _told:
            _told.add(dropout)
            _register(dropout, patterns, sys.modules.get(_PATTERNS))


def _register(dropout: Any, patterns: Any, matcher: Any) -> None:
    try:
        arguments = [matcher.KeywordArg(name) for name in ("is_zero", "zero", "gradient")]
        matcher.register_graph_pattern(
            matcher.CallFunction(_aten.where.self, *arguments),
            extra_check=lambda match: _dropped(dropout, **match.kwargs) is not None,
            pass_dict=patterns,
        )(lambda match, **kwargs: _replace(match.output_node(), _dropped(dropout, **kwargs)))
    except (AttributeError, TypeError):
        pass


def _is_call(node: Any, *targets: Any) -> bool:
    return isinstance(node, torch.fx.Node) and node.op == "call_function" and node.target in targets


def _kind(node: Any) -> Any:
    """The shape and dtype of a node's tensor: masks of equal seeds are equal if these are."""
    value = node.meta.get("val") if isinstance(node, torch.fx.Node) else None
    return None if value is None else (tuple(value.shape), value.dtype)


def _origin(node: Any) -> Any:
    while _is_call(node, _aten.alias.default):
        node = node.args[0]
    return node


def _dropped(dropout: Any, is_zero: Any, zero: Any, gradient: Any) -> Any:
    """The result of dropout of x in where(x <= 0, 0, gradient), if the gradient is one of the same mask."""
    if (
        not _is_call(is_zero, _aten.le.Scalar)
        or is_zero.args[1] != 0
        or not _is_call(zero, _aten.full.default, _aten.scalar_tensor.default)
        or zero.args[-1] != 0
        or math.copysign(1, zero.args[-1]) < 0
        or not _is_call(gradient, dropout)
    ):
        return None
    x = _origin(is_zero.args[0])
    if _kind(x) is None or _kind(x) != _kind(gradient):
        return None
    for node in x.users:
        if _is_call(node, dropout) and node.args[0] is x and node.args[1:] == gradient.args[1:]:
            return node
    return None


def _replace(where: Any, y: Any) -> None:
    old = where.args[0]
    new = where.graph.call_function(_aten.le.Scalar, (y, 0))
    new.meta.update(old.meta)
    where.replace_input_with(old, new)
