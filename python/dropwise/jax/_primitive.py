"""What JAX's transformations make of a mask: batches, derivatives, parts on several devices.

Two primitives have the same operands:

    key      uint32[*batch, 2]
    p        float32 or float64[*batch]: the probability of JAX's masks to keep, of the library's own to drop
    numbers  int32[2 + 3 * rank], see `numbers`: what masks are, and where in them this tensor lies
    x        [*batch, *part]: only of dropout

and the result is [*batch, *part]. Where an operand is the same for all of a batch, its dimension there is 1
long: so vmap makes one call of many, and copies nothing.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.custom_partitioning import ArrayMapping, SdyShardingRule, custom_partitioning
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jax.sharding import NamedSharding, PartitionSpec

from ._load import TARGET

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def numbers(layout: int, detail: int, whole: tuple[int, ...], block: Sequence[Any]) -> Any:
    """The operand of numbers.

    Parameters
    ----------
    layout, detail : int
        Of JAX's masks their layout, and the dtype of its draws; of the library's own 0, and the generator.
    whole : tuple of int
        The shape of the whole tensor.
    block : sequence
        Along each dimension, the number of this part of it.
    """
    sizes = [word for size in whole for word in divmod(size, 2**32)]
    known = np.array([layout, detail, *sizes], np.uint32).view(np.int32)
    if all(isinstance(number, int) for number in block):
        return np.concatenate([known, np.array(block, np.int32)])
    return jnp.concatenate([known, jnp.stack([jnp.asarray(number, jnp.int32) for number in block])])


def _shape(part: tuple[int, ...], key: Any, p: Any, x: Any = None) -> tuple[int, ...]:
    """The result's."""
    batches = [key.shape[:-1], p.shape, *([] if x is None else [x.shape[: x.ndim - len(part)]])]
    return (*np.broadcast_shapes(*batches), *part)


def _call(part: tuple[int, ...], dtype: Any, key: Any, p: Any, numbers: Any, *x: Any) -> jax.Array:
    result = jax.ShapeDtypeStruct(_shape(part, key, p, *x), dtype)
    return jax.ffi.ffi_call(TARGET, result)(key, p, numbers, *x)


# ---- Several devices ----


def _spec(array: Any) -> tuple[Any, ...]:
    """The axes of the mesh along each dimension."""
    if not isinstance(array.sharding, NamedSharding):
        raise TypeError(f"dropwise.jax: needs arrays with a NamedSharding, not {array.sharding}")
    spec = tuple(array.sharding.spec)
    return (*spec, *[None] * (len(array.shape) - len(spec)))


def _sharded_as(spec: Sequence[Any], shape: tuple[int, ...], result: tuple[int, ...]) -> PartitionSpec:
    """The axes of an operand whose first dimensions are those of the result, or 1 long."""
    same = [axes if size == n else None for axes, size, n in zip(spec, shape, result)]
    return PartitionSpec(*same, *[None] * (len(shape) - len(same)))


def _partitioned(part: tuple[int, ...], dtype: Any) -> Callable[..., Any]:
    """A call that is cut as its result is: each device draws its part of the mask."""
    rank = len(part)

    def partition(mesh: Any, operands: Any, result: Any) -> Any:
        key, p, _, *x = operands
        spec = _spec(result)
        mesh = result.sharding.mesh
        axes = [names if isinstance(names, tuple) else (names,) if names else () for names in spec]
        counts = [int(np.prod([mesh.shape[name] for name in names], dtype=int)) for names in axes]
        own = tuple(-(-size // count) for size, count in zip(result.shape, counts))[len(spec) - rank :]

        def draw(key: Any, p: Any, numbers: Any, *x: Any) -> Any:
            block = [jax.lax.axis_index(names) if names else 0 for names in axes[len(spec) - rank :]]
            numbers = jnp.concatenate([numbers[:-rank], jnp.asarray(block, jnp.int32)])
            return _call(own, dtype, key, p, numbers, *x)

        batch = len(spec) - rank
        specs = [
            _sharded_as(spec[:batch], key.shape, result.shape),
            _sharded_as(spec[:batch], p.shape, result.shape),
            PartitionSpec(None),
            *(_sharded_as(spec, operand.shape, result.shape) for operand in x),
        ]
        return mesh, draw, result.sharding, tuple(NamedSharding(mesh, spec) for spec in specs)

    def infer(mesh: Any, operands: Any, result: Any) -> Any:
        if len(operands) == 3:
            return NamedSharding(mesh, PartitionSpec())
        x = operands[3]
        return NamedSharding(mesh, _sharded_as(_spec(x), x.shape, result.shape))

    def propagate(mesh: Any, user: Any) -> Any:
        return user.sharding

    def rule(mesh: Any, operand_types: Any, result_types: Any) -> SdyShardingRule:
        shape = tuple(result_types[0].shape)
        factors = [f"d{d}" for d in range(len(shape))]

        def of_result(name: str, sizes: Sequence[int]) -> list[str]:
            return [factors[d] if size == shape[d] else f"{name}{d}" for d, size in enumerate(sizes)]

        key, p, _, *x = (tuple(operand.shape) for operand in operand_types)
        operands = [
            ArrayMapping(*of_result("key", key[:-1]), "words"),
            ArrayMapping(*of_result("p", p)),
            ArrayMapping("numbers"),
            *(ArrayMapping(*of_result("x", sizes)) for sizes in x),
        ]
        return SdyShardingRule(tuple(operands), (ArrayMapping(*factors),))

    call = custom_partitioning(lambda *operands: _call(part, dtype, *operands))
    call.def_partition(
        partition,
        infer_sharding_from_operands=infer,
        propagate_user_sharding=propagate,
        sharding_rule=rule,
    )
    return call


def _lower(
    context: mlir.LoweringRuleContext,
    *operands: Any,
    part: tuple[int, ...],
    dtype: Any,
    marker: Any,
) -> Any:
    axes = context.module_context.axis_context
    if isinstance(axes, mlir.SPMDAxisContext) and axes.manual_axes:
        # In shard_map every device does what it is told; what is sharded besides is gathered.
        call: Any = functools.partial(_call, part, dtype)
    else:
        call = _partitioned(part, dtype)
    return mlir.lower_fun(call, multiple_results=False)(context, *operands)


def _mark() -> Any:
    call = custom_partitioning(lambda x: x)
    call.def_partition(None, sharding_rule="->")
    return jax.make_jaxpr(call)(jax.ShapeDtypeStruct((), np.float32))


#: A parameter of the primitives by which JAX, which looks for custom_partitioning in the functions that it
#: compiles, sees that their devices have to be known when these are lowered.
_MARKER = _mark()


def _lower_elsewhere(context: mlir.LoweringRuleContext, *operands: Any, **parameters: Any) -> Any:
    raise NotImplementedError("dropwise.jax: runs on CPUs only")


# ---- Batches, and types ----


def _abstract(*operands: Any, part: tuple[int, ...], dtype: Any, marker: Any) -> Any:
    key, p, _, *x = operands
    shape = _shape(part, key, p, *x)
    like = x[0] if x else key
    # Of meshes with explicit axes: the types of arrays say how they are sharded.
    known = like.sharding
    spec = _sharded_as(tuple(known.spec), like.shape, shape) if x else PartitionSpec()
    sharding = NamedSharding(known.mesh, PartitionSpec(*spec, *[None] * (len(shape) - len(spec))))
    return like.update(shape=shape, dtype=np.dtype(dtype), weak_type=False, sharding=sharding)


def _batch(primitive: Primitive, operands: Any, dimensions: Any, **parameters: Any) -> Any:
    if dimensions[2] is not None:
        raise NotImplementedError("axes: of vmap are no axes of a mesh")
    one = [
        operand if i == 2 else jnp.expand_dims(operand, 0) if d is None else jnp.moveaxis(operand, d, 0)
        for i, (operand, d) in enumerate(zip(operands, dimensions))
    ]
    return primitive.bind(*one, **parameters), 0


@functools.lru_cache(maxsize=1024)
def _compiled(primitive: Primitive, **parameters: Any) -> Callable[..., Any]:
    return jax.jit(functools.partial(primitive.bind, **parameters))


def _make(name: str) -> Primitive:
    primitive = Primitive(name)
    primitive.def_impl(lambda *operands, **parameters: _compiled(primitive, **parameters)(*operands))
    primitive.def_abstract_eval(_abstract)
    batching.primitive_batchers[primitive] = functools.partial(_batch, primitive)
    mlir.register_lowering(primitive, _lower, platform="cpu")
    mlir.register_lowering(primitive, _lower_elsewhere)
    return primitive


mask_p = _make("dropwise_mask")
dropout_p = _make("dropwise_dropout")


def bind(primitive: Primitive, *operands: Any, part: tuple[int, ...], dtype: Any) -> Any:
    """A mask, or dropout, of this device's part of a tensor, of this shape."""
    return primitive.bind(*operands, part=part, dtype=np.dtype(dtype), marker=_MARKER)


# ---- Derivatives: dropout is linear in x, and nothing is differentiable by key or probability ----


def _no_tangent(y: Any) -> Any:
    kind = jax.typeof(y)
    return (
        ad.Zero(kind.to_tangent_aval()) if hasattr(kind, "to_tangent_aval") else ad.Zero.from_primal_value(y)
    )


def _mask_jvp(primals: Any, tangents: Any, **parameters: Any) -> Any:
    y = mask_p.bind(*primals, **parameters)
    return y, _no_tangent(y)


def _dropout_jvp(primals: Any, tangents: Any, **parameters: Any) -> Any:
    y = dropout_p.bind(*primals, **parameters)
    if isinstance(tangents[3], ad.Zero):
        return y, _no_tangent(y)
    return y, dropout_p.bind(*primals[:3], tangents[3], **parameters)


def _dropout_transpose(dy: Any, key: Any, p: Any, numbers: Any, x: Any, **parameters: Any) -> Any:
    if isinstance(dy, ad.Zero):
        return None, None, None, ad.Zero(x.aval)
    dx = dropout_p.bind(key, p, numbers, dy, **parameters)
    shared = [d for d, (size, n) in enumerate(zip(x.aval.shape, dx.shape)) if size != n]
    return None, None, None, dx.sum(shared, keepdims=True) if shared else dx


ad.primitive_jvps[mask_p] = _mask_jvp
ad.primitive_jvps[dropout_p] = _dropout_jvp
ad.primitive_transposes[dropout_p] = _dropout_transpose
