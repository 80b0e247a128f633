"""The operators: what PyTorch is told of each, their gradients, and what vmap makes of them.

Their kernels are in C (python/src/torch_views.c and others). Compiled graphs are kept on disk under the names
of operators, so each name ends with a version: it gets a new number when its arguments mean something else.

All masks have the same arguments:

    seed    int64[*batch, 1]: for each tensor of a batch, which is what the first dimensions of the others are
    stream  of the mask, together with the seed
    p       the probability of being dropped
    share   a bit for each dimension (after the batch) along which elements share their decision
    part    None, or where a tensor begins in a whole one, and the sizes of that: twice the dimensions
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from . import _inductor, _load

if TYPE_CHECKING:
    from collections.abc import Callable

_MASK = "Tensor seed, SymInt stream, float p, int share, SymInt[]? part"
_QKV = "Tensor q, Tensor k, Tensor v, Tensor? add, Tensor? allow"
_SOFTMAX = "float scale, int causal, SymInt causal_offset"

_SCHEMAS = {
    # Linear in x, and their own transposes; alpha_v1 is affine, and alpha_backward_v1 its derivative.
    "dropout_v1": f"(Tensor x, {_MASK}) -> Tensor",
    "kept_v1": f"(Tensor x, {_MASK}) -> Tensor",
    "alpha_v1": f"(Tensor x, {_MASK}) -> Tensor",
    "alpha_backward_v1": f"(Tensor dy, {_MASK}) -> Tensor",
    "gaussian_v1": f"(Tensor x, {_MASK}) -> Tensor",
    "blocks_v1": f"(Tensor x, {_MASK}, int dimensions, int size) -> Tensor",
    # Uniform numbers, of the shape of `like`.
    "uniform_v1": f"(Tensor like, {_MASK}) -> Tensor",
    # Fused steps.
    "zoneout_v1": f"(Tensor h, Tensor before, {_MASK}) -> Tensor",
    "zoneout_backward_v1": f"(Tensor dy, {_MASK}) -> (Tensor, Tensor)",
    "residual_v1": f"(Tensor x, Tensor? bias, Tensor? residual, {_MASK}) -> Tensor",
    "activation_v1": f"(Tensor x, Tensor? bias, {_MASK}, int activation) -> Tensor",
    "activation_backward_v1": f"(Tensor dy, Tensor x, Tensor? bias, {_MASK}, int activation) -> Tensor",
    "softmax_v1": f"(Tensor x, Tensor? add, {_MASK}, {_SOFTMAX}) -> (Tensor probabilities, Tensor y)",
    "softmax_backward_v1": f"(Tensor dy, Tensor probabilities, {_MASK}, {_SOFTMAX}) -> Tensor",
    "attention_v1": f"({_QKV}, {_MASK}, float scale, int causal) -> (Tensor out, Tensor lse)",
    "attention_backward_v1": f"(Tensor dout, Tensor out, Tensor lse, {_QKV}, {_MASK}, float scale, "
    "int causal) -> (Tensor, Tensor, Tensor)",
    "connect_v1": f"(Tensor x, Tensor w, Tensor? bias, {_MASK}) -> Tensor",
    "connect_backward_v1": f"(Tensor dy, Tensor x, Tensor w, {_MASK}) -> (Tensor, Tensor)",
    # Of eager mode, without gradients: what functions call that know that none is wanted, or have their own.
    "dropout_plain_v1": "(Tensor x, Tensor seed, SymInt stream, float p) -> Tensor",
    "dropout_out_v1": f"(Tensor x, {_MASK}, Tensor(a!) out) -> ()",
    # A seed of PyTorch's generator. `site` tells calls apart, see `call_site`.
    "seed_v1": "(int site, *, Device device) -> Tensor",
    # PyTorch's own masks: by the state of a generator, which moves on; the backward pass; zeros and ones.
    "torch_dropout_v1": "(Tensor x, float p, Tensor(a!) state) -> (Tensor y, Tensor bits)",
    "torch_apply_v1": "(Tensor dy, Tensor bits, float p, SymInt[] strides) -> Tensor",
    "torch_bernoulli_v1": "(Tensor(a!) out, float p, Tensor(b!) state) -> ()",
    # The same by the default generator, and its noise of a shape; these are Python's, for compiled graphs.
    "torch_default_dropout_v1": "(Tensor x, float p, int site) -> (Tensor y, Tensor bits)",
    "torch_default_bernoulli_v1": "(Tensor like, float p, int site) -> Tensor",
}

#: What draws from a generator must be neither left out nor done twice nor merged with another.
_SEEDED = {"seed_v1", "torch_default_dropout_v1", "torch_default_bernoulli_v1"}
#: What takes a tensor's strides as they are: results have strides that follow from them.
_STRIDES = getattr(torch.Tag, "needs_exact_strides", torch.Tag.needs_fixed_stride_order)
_PLAIN = {"dropout_plain_v1", "dropout_out_v1", "seed_v1", "torch_dropout_v1"}

library = torch.library.Library("dropwise", "DEF")
for _name, _schema in _SCHEMAS.items():
    _tags = [torch.Tag.pt2_compliant_tag, _STRIDES]
    if _name in _SEEDED:
        _tags.append(torch.Tag.nondeterministic_seeded)
    library.define(_name + _schema, tags=tuple(_tags))
for _name in _PLAIN:
    library.impl(_name, torch.library.fallthrough_kernel, "Autograd")
_load.register()

_OPS = torch.ops.dropwise
dropout = _OPS.dropout_v1.default
kept = _OPS.kept_v1.default
alpha = _OPS.alpha_v1.default
alpha_backward = _OPS.alpha_backward_v1.default
gaussian = _OPS.gaussian_v1.default
uniform = _OPS.uniform_v1.default
blocks = _OPS.blocks_v1.default
zoneout = _OPS.zoneout_v1.default
zoneout_backward = _OPS.zoneout_backward_v1.default
residual = _OPS.residual_v1.default
activation = _OPS.activation_v1.default
activation_backward = _OPS.activation_backward_v1.default
softmax = _OPS.softmax_v1.default
softmax_backward = _OPS.softmax_backward_v1.default
attention = _OPS.attention_v1.default
attention_backward = _OPS.attention_backward_v1.default
connect = _OPS.connect_v1.default
connect_backward = _OPS.connect_backward_v1.default
dropout_plain = _OPS.dropout_plain_v1.default
dropout_out = _OPS.dropout_out_v1.default
_seed = _OPS.seed_v1.default
torch_dropout = _OPS.torch_dropout_v1.default
torch_apply = _OPS.torch_apply_v1.default
torch_bernoulli = _OPS.torch_bernoulli_v1.default
torch_default_dropout = _OPS.torch_default_dropout_v1.default
torch_default_bernoulli = _OPS.torch_default_bernoulli_v1.default

#: Seeds are torch.randint(*SEEDS, (1,)).
SEEDS = (-(2**63), 2**63 - 1)
_CPU = torch.device("cpu")


_sites = itertools.count()


def call_site() -> int:
    """Another number at each call, which a compiler takes for a constant of the place that it compiles.

    AOTAutograd merges calls of an operator that have the same arguments, those that draw random numbers, too,
    but for PyTorch's own: two layers would have one seed.
    """
    return next(_sites)


# What torch.compiler.assume_constant_result does, without an import of the compiler.
call_site._dynamo_marked_constant = True  # type: ignore[attr-defined]


def seed() -> Tensor:
    """A seed of PyTorch's generator. The device says to compilers which generator it is."""
    drawn: Tensor = _seed(call_site(), device=_CPU)
    return drawn


def _fake(name: str) -> Callable[[Any], Any]:
    return torch.library.register_fake(f"dropwise::{name}", lib=library)


# ---- What results look like ----


def _like(x: Tensor, seed: Tensor | None = None) -> Tensor:
    """As PyTorch lays results of dropout out; those of batches are row-major."""
    if seed is not None and seed.dim() > 1:
        return torch.empty_like(x, memory_format=torch.contiguous_format)
    return torch.empty_like(x)


def _row_major(x: Tensor) -> Tensor:
    return torch.empty_like(x, memory_format=torch.contiguous_format)


def _like_first(x: Tensor, seed: Tensor, *rest: Any) -> Tensor:
    return _like(x, seed)


for _name in (
    "dropout_v1",
    "kept_v1",
    "alpha_v1",
    "alpha_backward_v1",
    "gaussian_v1",
    "uniform_v1",
    "blocks_v1",
):
    _fake(_name)(_like_first)
_fake("dropout_plain_v1")(_like_first)


@_fake("dropout_out_v1")
def _(x: Tensor, seed: Tensor, stream: Any, p: float, share: int, part: Any, out: Tensor) -> None:
    return None


@_fake("seed_v1")
def _(site: int, *, device: Any) -> Tensor:
    return torch.empty(1, dtype=torch.int64, device=device)


@_fake("zoneout_v1")
def _(h: Tensor, before: Tensor, seed: Tensor, *rest: Any) -> Tensor:
    return _like(h, seed)


@_fake("zoneout_backward_v1")
def _(dy: Tensor, seed: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    return _like(dy, seed), _like(dy, seed)


@_fake("residual_v1")
def _(x: Tensor, bias: Tensor | None, residual: Tensor | None, seed: Tensor, *rest: Any) -> Tensor:
    return _like(x, seed) if bias is None else _row_major(x)


@_fake("activation_v1")
def _(x: Tensor, bias: Tensor | None, seed: Tensor, *rest: Any) -> Tensor:
    return _like(x, seed) if bias is None else _row_major(x)


@_fake("activation_backward_v1")
def _(dy: Tensor, x: Tensor, bias: Tensor | None, seed: Tensor, *rest: Any) -> Tensor:
    return _like(dy, seed) if bias is None else _row_major(dy)


@_fake("softmax_v1")
def _(x: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    return _row_major(x), _row_major(x)


@_fake("softmax_backward_v1")
def _(dy: Tensor, *rest: Any) -> Tensor:
    return _row_major(dy)


def heads_like(like: Tensor, last: Any) -> Tensor:
    """As it lies in memory, or with heads between rows, where these have another length."""
    batches, heads, rows, length = like.shape
    if last == length:
        made = torch.empty_like(like)
        if made.stride(3) == 1:
            return made
    return like.new_empty(batches, rows, heads, last).transpose(1, 2)


@_fake("attention_v1")
def _(q: Tensor, k: Tensor, v: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    return heads_like(q, v.shape[3]), q.new_empty(q.shape[:3], dtype=torch.float32)


@_fake("attention_backward_v1")
def _(dout: Tensor, out: Tensor, lse: Tensor, q: Tensor, k: Tensor, v: Tensor, *rest: Any) -> Any:
    return tuple(heads_like(x, x.shape[3]) for x in (q, k, v))


@_fake("connect_v1")
def _(x: Tensor, w: Tensor, *rest: Any) -> Tensor:
    return x.new_empty(x.shape[0], w.shape[0])


@_fake("connect_backward_v1")
def _(dy: Tensor, x: Tensor, w: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    sums = torch.float64 if w.dtype == torch.float64 else torch.float32
    return torch.empty_like(x), torch.empty_like(w, dtype=sums)


def _bits(x: Tensor) -> Tensor:
    return torch.empty((x.numel() + 7) // 8, dtype=torch.uint8, device=x.device)


@_fake("torch_dropout_v1")
def _(x: Tensor, p: float, state: Tensor) -> tuple[Tensor, Tensor]:
    return torch.empty_like(x), _bits(x)


@_fake("torch_apply_v1")
def _(dy: Tensor, bits: Tensor, p: float, strides: Any) -> Tensor:
    return dy.new_empty_strided(dy.shape, strides)


@_fake("torch_bernoulli_v1")
def _(out: Tensor, p: float, state: Tensor) -> None:
    return None


@_fake("torch_default_dropout_v1")
def _(x: Tensor, p: float, site: int) -> tuple[Tensor, Tensor]:
    return torch.empty_like(x), _bits(x)


@_fake("torch_default_bernoulli_v1")
def _(like: Tensor, p: float, site: int) -> Tensor:
    return torch.empty_like(like)


# ---- Many dimensions ----

#: For so many dimensions that cannot be merged the kernels have loops; DROPWISE_MAX_RANK.
_MAX_RANK = 8


def has_many_dimensions(x: Tensor) -> bool:
    """Whether it has to be copied to row-major, whose dimensions are one, before an operator takes it."""
    return x.dim() > _MAX_RANK and sum(n != 1 for n in x.shape) > _MAX_RANK and not x.is_contiguous()


def few_dimensions(x: Tensor) -> Tensor:
    """A tensor that the operators take: itself, but for those of many dimensions."""
    return x.contiguous() if has_many_dimensions(x) else x


# ---- Gradients ----

_ALPHA = {alpha: alpha_backward, alpha_backward: alpha_backward}


def derivative_of(operator: Any) -> Any:
    """The operator of the same mask that is the derivative, and its transpose, of one that is linear in x."""
    return _ALPHA.get(operator, operator)


def _linear_context(ctx: Any, inputs: Any, output: Any) -> None:
    _, seed, *ctx.rest = inputs
    ctx.save_for_backward(seed)
    if type(output) is not Tensor:  # but one of a graph, of which Inductor may compile derivatives next
        _inductor.tell(dropout)


def _linear_backward(operator: Any) -> Callable[[Any, Tensor], Any]:
    def backward(ctx: Any, dy: Tensor) -> Any:
        (seed,) = ctx.saved_tensors
        dx = derivative_of(operator)(few_dimensions(dy), seed, *ctx.rest)
        return dx, None, *[None] * len(ctx.rest)

    return backward


def _register(operator: Any, backward: Callable[..., Any], setup_context: Callable[..., None]) -> None:
    torch.library.register_autograd(
        operator._name.rsplit(".", 1)[0] if "." in operator._name else operator._name,
        backward,
        setup_context=setup_context,
        lib=library,
    )


LINEAR = (dropout, kept, alpha, alpha_backward, gaussian, blocks)
for _operator in LINEAR:
    _register(_operator, _linear_backward(_operator), _linear_context)


def _no_gradient(ctx: Any, *dy: Any) -> Any:
    return (None,) * ctx.n


def _count_inputs(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.n = len(inputs)


_register(uniform, _no_gradient, _count_inputs)


def _zoneout_backward(ctx: Any, dy: Tensor) -> Any:
    (seed,) = ctx.saved_tensors
    dy = few_dimensions(dy)
    if torch.is_grad_enabled():
        # Chosen and not subtracted: gradients may be infinite.
        keep = kept(torch.ones_like(dy, requires_grad=False), seed, *ctx.rest) != 0
        dh, dbefore = torch.where(keep, dy, 0), torch.where(keep, 0, dy)
        return dh, dbefore, None, *[None] * len(ctx.rest)
    return *zoneout_backward(dy, seed, *ctx.rest), None, *[None] * len(ctx.rest)


def _zoneout_context(ctx: Any, inputs: Any, output: Any) -> None:
    _, _, seed, *ctx.rest = inputs
    ctx.save_for_backward(seed)


_register(zoneout, _zoneout_backward, _zoneout_context)


def _residual_context(ctx: Any, inputs: Any, output: Any) -> None:
    _, bias, residual, seed, *ctx.rest = inputs
    ctx.has_bias, ctx.has_residual = bias is not None, residual is not None
    ctx.save_for_backward(seed)


def _residual_backward(ctx: Any, dy: Tensor) -> Any:
    (seed,) = ctx.saved_tensors
    dx = dropout(few_dimensions(dy), seed, *ctx.rest)
    dbias = dx.flatten(0, -2).sum(0) if ctx.has_bias and dx.dim() > 1 else dx if ctx.has_bias else None
    return dx, dbias, dy if ctx.has_residual else None, None, *[None] * len(ctx.rest)


_register(residual, _residual_backward, _residual_context)

#: The library's numbers of activations.
GELU, GELU_TANH, SILU = 2, 3, 4


def _activation_context(ctx: Any, inputs: Any, output: Any) -> None:
    x, _, seed, *ctx.rest, ctx.activation = inputs
    ctx.save_for_backward(x, seed)


def _activation_slope(dy: Tensor, x: Tensor, activation: int) -> Tensor:
    """dy times the derivative, by PyTorch, which can differentiate it again."""
    if activation == SILU:
        result: Tensor = torch.ops.aten.silu_backward(dy, x)
    else:
        approximate = "tanh" if activation == GELU_TANH else "none"
        result = torch.ops.aten.gelu_backward(dy, x, approximate=approximate)
    return result


def _activation_backward(ctx: Any, dy: Tensor) -> Any:
    x, seed = ctx.saved_tensors
    dy = few_dimensions(dy)
    if torch.is_grad_enabled():
        dx = _activation_slope(dropout(dy, seed, *ctx.rest), x, ctx.activation)
    else:
        dx = activation_backward(dy, x, None, seed, *ctx.rest, ctx.activation)
    return dx, None, None, *[None] * len(ctx.rest), None


_register(activation, _activation_backward, _activation_context)


def _softmax_context(ctx: Any, inputs: Any, output: Any) -> None:
    _, _, seed, *ctx.rest, ctx.scale, ctx.causal, ctx.causal_offset = inputs
    ctx.save_for_backward(output[0], seed)
    ctx.set_materialize_grads(False)


def _softmax_backward(ctx: Any, dprobabilities: Tensor | None, dy: Tensor | None) -> Any:
    """Probabilities are a result, too, so that they can be differentiated again."""
    probabilities, seed = ctx.saved_tensors
    if dprobabilities is None and dy is None:
        dx = None
    elif dprobabilities is None and not torch.is_grad_enabled():
        dx = softmax_backward(dy, probabilities, seed, *ctx.rest, ctx.scale, ctx.causal, ctx.causal_offset)
    else:
        both = [dprobabilities, None if dy is None else dropout(dy, seed, *ctx.rest)]
        dp = sum(gradient for gradient in both if gradient is not None)
        dx = ctx.scale * torch.ops.aten._softmax_backward_data(dp, probabilities, -1, probabilities.dtype)
    return dx, None, None, *[None] * len(ctx.rest), None, None, None


_register(softmax, _softmax_backward, _softmax_context)


def attention_by_steps(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    add: Tensor | None,
    allow: Tensor | None,
    scale: float,
    causal: int,
    drop: Callable[[Tensor], Tensor],
    causal_offset: int = 0,
) -> Tensor:
    """Attention by a matrix of queries by keys, which can be differentiated as often as one likes."""
    if q.shape[-3] != k.shape[-3]:
        k, v = (x.repeat_interleave(q.shape[-3] // x.shape[-3], -3) for x in (k, v))
    logits = q @ k.transpose(-2, -1) * scale
    if add is not None:
        logits = logits + add
    if causal:
        below = torch.ones(logits.shape[-2:], dtype=torch.bool, device=q.device).tril(causal_offset)
        allow = below if allow is None else allow & below
    if allow is not None:
        logits = logits.masked_fill(~allow, float("-inf"))
    return drop(torch.ops.aten._safe_softmax(logits, -1)) @ v


def _attention_context(ctx: Any, inputs: Any, output: Any) -> None:
    q, k, v, add, allow, seed, *ctx.rest, ctx.scale, ctx.causal = inputs
    ctx.save_for_backward(q, k, v, add, allow, seed, *output)
    ctx.mark_non_differentiable(output[1])


def _attention_backward(ctx: Any, dout: Tensor, _: Any) -> Any:
    q, k, v, add, allow, seed, out, lse = ctx.saved_tensors
    if torch.is_grad_enabled():
        drop = lambda probabilities: dropout(probabilities, seed, *ctx.rest)  # noqa: E731
        # Aliases of q, k and v, each with the gradient of its own place: they may be one tensor, or be
        # computed from each other.
        needs = ctx.needs_input_grad[:3]
        q, k, v = (x.view_as(x) if need else x for x, need in zip((q, k, v), needs))
        part = ctx.rest[-1]
        offset = part[2] - part[3] if part else 0
        again = attention_by_steps(q, k, v, add, allow, ctx.scale, ctx.causal, drop, offset)
        wanted = [x for x, need in zip((q, k, v), needs) if need]
        found = iter(torch.autograd.grad(again, wanted, dout, create_graph=True))
        gradients = [next(found) if need else None for need in needs]
    else:
        dout = dout if dout.stride(-1) == 1 or dout.shape[-1] == 1 else dout.contiguous()
        arguments = (q, k, v, add, allow, seed, *ctx.rest, ctx.scale, ctx.causal)
        gradients = list(attention_backward(dout, out, lse, *arguments))
    return *gradients, None, None, None, *[None] * len(ctx.rest), None, None


_register(attention, _attention_backward, _attention_context)


def _connect_context(ctx: Any, inputs: Any, output: Any) -> None:
    x, w, bias, seed, *ctx.rest = inputs
    ctx.has_bias = bias is not None
    ctx.save_for_backward(x, w, seed)


def connect_weights(x: Tensor, w: Tensor, seed: Tensor, *rest: Any) -> Tensor:
    """The weights that each sample is multiplied by: a matrix for each."""
    return dropout(w.expand(x.shape[0], *w.shape), seed, *rest)


def _connect_backward(ctx: Any, dy: Tensor) -> Any:
    x, w, seed = ctx.saved_tensors
    if torch.is_grad_enabled():
        dx = torch.einsum("bo,boi->bi", dy, connect_weights(x, w, seed, *ctx.rest))
        dw = dropout(torch.einsum("bo,bi->boi", dy, x), seed, *ctx.rest).sum(0)
    else:
        dx, dw = connect_backward(dy.contiguous(), x, w, seed, *ctx.rest)
    return dx, dw.to(w.dtype), dy.sum(0) if ctx.has_bias else None, None, *[None] * len(ctx.rest)


_register(connect, _connect_backward, _connect_context)


def _apply_context(ctx: Any, inputs: Any, output: Any) -> None:
    _, bits, *ctx.rest = inputs
    ctx.save_for_backward(bits)


def _apply_backward(ctx: Any, dy: Tensor) -> Any:
    (bits,) = ctx.saved_tensors
    return torch_apply(dy, bits, *ctx.rest), None, None, None


_register(torch_apply, _apply_backward, _apply_context)


def _default_dropout_context(ctx: Any, inputs: Any, output: Any) -> None:
    y, bits = output
    ctx.p, ctx.strides = inputs[1], y.stride()
    ctx.save_for_backward(bits)
    ctx.mark_non_differentiable(bits)


def _default_dropout_backward(ctx: Any, dy: Tensor, _: Any) -> Any:
    (bits,) = ctx.saved_tensors
    return torch_apply(dy, bits, ctx.p, ctx.strides), None, None


_register(torch_default_dropout, _default_dropout_backward, _default_dropout_context)


# ---- vmap ----


def _batched(info: Any, dimensions: Any, x: Tensor, seed: Tensor) -> tuple[Tensor, Tensor]:
    """A tensor and its seed, both with the batch first; where all share the seed, this is 1 long there."""
    x = (
        x.unsqueeze(0).expand(info.batch_size, *x.shape)
        if dimensions[0] is None
        else x.movedim(dimensions[0], 0)
    )
    return x, seed.unsqueeze(0) if dimensions[1] is None else seed.movedim(dimensions[1], 0)


def _linear_vmap(operator: Any) -> Callable[..., Any]:
    def vmap(info: Any, dimensions: Any, x: Tensor, seed: Tensor, *rest: Any) -> Any:
        return operator(*_batched(info, dimensions, x, seed), *rest), 0

    return vmap


for _operator in (*LINEAR, uniform):
    torch.library.register_vmap(_operator._name, _linear_vmap(_operator), lib=library)


def _seed_of_vmap(site: int, *, device: Any) -> Tensor:
    """A seed for each of a batch, or for all, or an exception: PyTorch's own function decides."""
    return torch.randint(*SEEDS, (1,), device=_CPU)


library.impl("seed_v1", _seed_of_vmap, "FuncTorchVmapMode")


class Linear(torch.autograd.Function):
    """Such an operator where registered rules do not reach: in functorch and in forward mode."""

    @staticmethod
    def forward(x: Tensor, seed: Tensor, operator: Any, *rest: Any) -> Tensor:
        result: Tensor = operator(x, seed, *rest)
        return result

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        _, seed, ctx.operator, *ctx.rest = inputs
        ctx.save_for_backward(seed)
        ctx.save_for_forward(seed)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        (seed,) = ctx.saved_tensors
        return Linear.apply(dy, seed, derivative_of(ctx.operator), *ctx.rest), *[None] * (2 + len(ctx.rest))

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: Any) -> Any:
        (seed,) = ctx.saved_tensors
        return Linear.apply(dx, seed, derivative_of(ctx.operator), *ctx.rest)

    @staticmethod
    def vmap(info: Any, dimensions: Any, x: Tensor, seed: Tensor, operator: Any, *rest: Any) -> Any:
        return Linear.apply(*_batched(info, dimensions, x, seed), operator, *rest), 0
