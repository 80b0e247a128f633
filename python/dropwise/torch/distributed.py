"""Dropout of many processes: masks that differ by rank, and parts of one mask for parts of one tensor.

torch.distributed gives each rank a part of a tensor or a copy (DTensor, tensor and sequence parallelism), or
data of its own (DDP, FSDP2). In the first case `dropout` draws what one process would draw for the whole
tensor; in the second the rank belongs into the stream, by `rank_stream`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
import torch.distributed._functional_collectives as collectives
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard

from . import _operators, functional
from ._arguments import MASKS, check_choice, check_p, is_ours, seed_tensor, stream_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch.distributed.tensor.placement_types import Placement
    from typing_extensions import Unpack

    from ._options import Options

__all__ = ["common_seed", "dropout", "rank_stream"]


# ---- Numbers ----


def rank_stream(stream: int = 0, *, of: dist.ProcessGroup | DeviceMesh | None = None) -> int:
    """A number of a stream that no other rank has: stream * ranks + rank.

    Data-parallel ranks that call torch.manual_seed with one number draw the same seeds, and without a stream
    of their own the same masks, for other data. With ``masks="torch"`` there are no streams, and all ranks
    draw the same masks, as PyTorch's are.

    Parameters
    ----------
    stream : int
        Where streams are numbered for something else, too: this one's number.
    of : ProcessGroup or DeviceMesh, optional
        The ranks that must differ. Default: all. Where only some dimensions of a mesh are data-parallel it
        is a mesh of these, ``mesh["data"]``: ranks along the others have parts or copies of the same data.

    Returns
    -------
    int
        0 for stream 0 of a process that is alone.

    Raises
    ------
    RuntimeError
        Ranks were started (WORLD_SIZE says so), and torch.distributed is not initialised.
    ValueError
        This process is not among the ranks.

    Examples
    --------
    >>> from torch import nn
    >>> from dropwise.torch import replace_dropout
    >>> from dropwise.torch.distributed import rank_stream
    >>> replace_dropout(nn.Sequential(nn.Dropout(0.1)), stream=rank_stream())
    replaced: 1 Dropout
    """
    rank, ranks = 0, 1
    if isinstance(of, DeviceMesh):
        coordinate = of.get_coordinate()
        if coordinate is None:
            raise ValueError("of: this rank is not in the mesh")
        for own, size in zip(coordinate, of.shape):
            rank, ranks = rank * size + own, ranks * size
    elif dist.is_initialized():
        rank, ranks = dist.get_rank(of), dist.get_world_size(of)
        if rank < 0:
            raise ValueError("of: this rank is not in the group")
    elif int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise RuntimeError(
            f"rank_stream: WORLD_SIZE is {os.environ['WORLD_SIZE']}, and torch.distributed is not "
            "initialised, so that all ranks would have one stream: init_process_group comes before"
        )
    return stream * ranks + rank


def common_seed(mesh: DeviceMesh, *, generator: torch.Generator | None = None) -> Tensor:
    """A seed that all ranks of a mesh have: each draws one, and that of the first rank is sent to all.

    All ranks of the mesh must call it, and it costs a broadcast. With such a seed, and a stream or a step for
    each call, `dropout` needs no more of them.

    Parameters
    ----------
    mesh : DeviceMesh
    generator : torch.Generator, optional
        From which it is drawn. Default: PyTorch's own.

    Returns
    -------
    int64 tensor of one element
    """
    seed = seed_tensor(None, generator)
    for dimension in range(mesh.ndim):
        if mesh.size(dimension) > 1:
            seed = collectives.wait_tensor(collectives.broadcast(seed, 0, mesh.get_group(dimension)))
    return seed


# ---- Parts ----


def _check_placements(placements: Sequence[Placement], mesh: DeviceMesh, rank: int) -> None:
    if len(placements) != mesh.ndim:
        raise ValueError(
            f"placements: must be one for each of {mesh.ndim} dimensions of the mesh, not {placements}"
        )
    for placement in placements:
        if placement.is_partial():
            raise ValueError(
                f"placements: {placement} is a part of a sum, and what is dropped of a sum is not what is "
                "dropped of its parts; redistribute it to Shard or Replicate"
            )
        if type(placement) is Shard:
            if not -rank <= placement.dim < rank:
                raise ValueError(f"placements: {placement} is of no dimension of a tensor that has {rank}")
        elif type(placement) is not Replicate:
            raise ValueError(f"placements: takes Shard and Replicate, not {placement}")


def _part(
    shape: Sequence[int], mesh: DeviceMesh, placements: Sequence[Placement]
) -> tuple[list[int], list[int]]:
    """Where the part of this rank begins in a tensor of this shape, and its sizes."""
    start, sizes = [0] * len(shape), list(shape)
    for dimension, placement in enumerate(placements):
        if isinstance(placement, Shard):
            each = -(-sizes[placement.dim] // mesh.size(dimension))  # the last parts may be smaller, or empty
            begin = min(mesh.get_local_rank(dimension) * each, sizes[placement.dim])
            start[placement.dim] += begin
            sizes[placement.dim] = min(each, sizes[placement.dim] - begin)
    return start, sizes


def _seed_and_stream(mesh: DeviceMesh, options: Options) -> tuple[Tensor, int]:
    stream = stream_number(options.get("stream", 0), options.get("step", 0))
    seed, generator = options.get("seed"), options.get("generator")
    return common_seed(mesh, generator=generator) if seed is None else seed_tensor(seed, generator), stream


def _check_cut(input: DTensor) -> None:
    order = getattr(input._spec, "shard_order", None) or ()
    if any(list(entry.mesh_dims) != sorted(entry.mesh_dims) for entry in order):
        raise ValueError("input: is cut along the mesh's dimensions in another order than theirs")
    _check_placements(input.placements, input.device_mesh, input.dim())


def _whole(local: Tensor, of: DTensor, shape: Sequence[int], stride: Sequence[int]) -> DTensor:
    return DTensor.from_local(
        local, of.device_mesh, of.placements, run_check=False, shape=torch.Size(shape), stride=tuple(stride)
    )


def draw(
    operator: Any, tensors: Sequence[Tensor | None], p: float, share: int, options: Options, *rest: Any
) -> DTensor:
    """An operator whose result is cut as its first tensor, a DTensor, is: what functions call of such.

    The other tensors are DTensors of the same shape, or None.
    """
    input = tensors[0]
    assert isinstance(input, DTensor)
    mesh, placements = input.device_mesh, input.placements
    if mesh.get_coordinate() is None:
        return input
    _check_cut(input)
    seed, stream = _seed_and_stream(mesh, options)
    start, _ = _part(input.shape, mesh, placements)
    locals = (x.redistribute(mesh, placements).to_local() if isinstance(x, DTensor) else x for x in tensors)
    local = operator(*locals, seed, stream, p, share, [*start, *input.shape], *rest)
    return _whole(local, input, input.shape, input.stride())


def is_cut_along(input: DTensor, dimension: int) -> bool:
    """Whether ranks have parts of rows along a dimension rather than all of them."""
    return any(isinstance(p, Shard) and p.dim % input.dim() == dimension for p in input.placements)


def _cuts_of_attention(query: DTensor, key: DTensor) -> tuple[list[Placement], list[Placement]]:
    """How queries, and keys and values, have to be cut for each rank to do with what it has.

    Batches and heads are cut as those of the queries are; of parts of the queries each has all the keys.
    """
    of_queries: list[Placement] = []
    of_keys: list[Placement] = []
    rows, heads = query.dim() - 2, 1
    for dimension, placement in enumerate(query.placements):
        cut = placement.dim % query.dim() if isinstance(placement, Shard) else query.dim()
        if cut == rows - 1 and query.shape[cut] != key.shape[cut]:
            heads *= query.device_mesh.size(dimension)
            if key.shape[cut] % heads != 0:  # groups of heads would be cut
                cut = query.dim()
        of_queries.append(Shard(cut) if cut <= rows else Replicate())
        of_keys.append(Shard(cut) if cut < rows else Replicate())
    return of_queries, of_keys


def attention(
    query: DTensor,
    key: DTensor,
    value: DTensor,
    add: Tensor | None,
    allow: Tensor | None,
    p: float,
    options: Options,
    scale: float,
    causal: int,
    by_steps: bool,
) -> DTensor:
    """Attention of DTensors, which are cut otherwise first where parts do not suffice."""
    mesh, dimensions = query.device_mesh, query.dim()
    if mesh.get_coordinate() is None:
        return query
    of_queries, of_keys = _cuts_of_attention(query, key)
    query = query.redistribute(mesh, of_queries)
    _check_cut(query)
    seed, stream = _seed_and_stream(mesh, options)
    shape = (*query.shape[:-1], key.shape[-2])
    start, sizes = _part(shape, mesh, of_queries)
    # Queries, or heads, of a rank are a part of those that gradients of keys, or of a mask, are sums over.
    summed = [Partial() if isinstance(p, Shard) else p for p in of_queries]
    of_gradients = [own if own == p else Partial() for own, p in zip(of_keys, of_queries)]

    def part_of_mask(x: Tensor | None) -> Tensor | None:
        if x is None:
            return None
        part = (x.full_tensor(grad_placements=summed) if isinstance(x, DTensor) else x).expand(shape)
        for dimension, (begin, size) in enumerate(zip(start, sizes)):
            part = part.narrow(dimension, begin, size)
        return part

    q = query.to_local()
    k, v = (x.redistribute(mesh, of_keys).to_local(grad_placements=of_gradients) for x in (key, value))
    add, allow = (part_of_mask(x) for x in (add, allow))
    part = [*start, *shape]
    if by_steps or q.numel() == 0:
        drop = lambda x: _operators.dropout(x, seed, stream, p, 0, part)  # noqa: E731
        offset = start[-2] - start[-1]
        out = _operators.attention_by_steps(q, k, v, add, allow, scale, causal, drop, offset)
    else:
        mask = (seed, stream, p, 0, part)
        out = functional.attention(q, k, v, add, allow, mask, scale, causal)
    like = torch.empty_strided(query.shape, query.stride(), device="meta")
    if by_steps:
        whole = like.new_empty(*query.shape[:-1], value.shape[-1])
    else:
        whole = _operators.heads_like(functional.four_dimensions(like), value.shape[-1])
    return _whole(out, query, whole.shape[-dimensions:], whole.stride()[-dimensions:])


def dropout(
    input: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    mesh: DeviceMesh | None = None,
    placements: Sequence[Placement] | None = None,
    shape: Sequence[int] | None = None,
    masks: str = "dropwise",
    **options: Unpack[Options],
) -> Tensor:
    """Dropout of a tensor of which each rank of a mesh has a part or a copy, by the mask of the whole.

    Redistributed it is the same: of a tensor that is cut otherwise, or not at all, the same elements are
    dropped. Of a DTensor this is `dropwise.torch.dropout`.

    Parameters
    ----------
    input : DTensor, or Tensor
        A tensor is what this rank has, and `mesh` and `placements` say of what.
    p, training, inplace, masks, **options
        As of `dropwise.torch.dropout`. A seed must be the same on all ranks. Without one each draws a seed,
        and that of the first rank is sent to all: a broadcast for each call. With ``masks="torch"`` each rank
        draws as PyTorch does: from its own generator, for its part alone.
    mesh : DeviceMesh
    placements : sequence of Shard or Replicate
        One for each dimension of the mesh.
    shape : sequence of int, optional
        That of the whole. Default: all parts have the sizes of this one.

    Returns
    -------
    DTensor, or Tensor
        As the input.

    Raises
    ------
    ValueError
        A placement is Partial, or of no dimension of the tensor; the shape is not that of a tensor of which
        this would be the part; mesh and placements are missing, or were given for a DTensor.
    TypeError
        An option is unknown.

    Examples
    --------
    Rows of an activation, of which each rank of a mesh has some::

        y = dropout(rows, 0.1, mesh=mesh, placements=[Shard(0)], seed=42, stream=layer, step=step)
    """
    if isinstance(input, DTensor):
        for name, value in (("mesh", mesh), ("placements", placements), ("shape", shape)):
            if value is not None:
                raise ValueError(f"{name}: a DTensor has its own")
        return functional.dropout(input, p, training, inplace, masks=masks, **options)
    if mesh is None or placements is None:
        missing = "mesh" if mesh is None else "placements"
        raise ValueError(f"{missing}: must be given for what is no DTensor")
    _check_placements(placements, mesh, input.dim())
    if shape is None:
        shape = list(input.shape)
        for dimension, placement in enumerate(placements):
            if isinstance(placement, Shard):
                shape[placement.dim] *= mesh.size(dimension)
    elif len(shape) != input.dim():
        raise ValueError(f"shape: must have {input.dim()} dimensions, not {tuple(shape)}")
    start, sizes = _part(shape, mesh, placements)
    if sizes != list(input.shape):
        raise ValueError(
            f"shape: of {tuple(shape)}, cut as {tuple(placements)}, this rank has {tuple(sizes)}, and the "
            f"input is {tuple(input.shape)}"
        )
    check_p(p)
    functional._check_options(options)
    check_choice("masks", masks, MASKS)
    is_ours(input, "error")
    if masks == "torch":
        return functional.dropout(input, p, training, inplace, masks=masks, **options)
    if not training or p == 0:
        return input
    seed, stream = _seed_and_stream(mesh, options)  # also by ranks whose part is empty: all must call
    y: Tensor = _operators.dropout(input, seed, stream, p, 0, [*start, *shape])
    return input.copy_(y) if inplace else y
