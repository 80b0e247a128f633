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
from torch.distributed.tensor import DTensor, Replicate, Shard

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


def draw(operator: Any, input: DTensor, p: float, share: int, options: Options, *rest: Any) -> DTensor:
    """An operator that is linear in its input, or affine, of a DTensor: what functions call of such."""
    mesh, placements = input.device_mesh, input.placements
    if mesh.get_coordinate() is None:
        return input
    order = getattr(input._spec, "shard_order", None) or ()
    if any(list(entry.mesh_dims) != sorted(entry.mesh_dims) for entry in order):
        raise ValueError("input: is cut along the mesh's dimensions in another order than theirs")
    _check_placements(placements, mesh, input.dim())
    seed, stream = _seed_and_stream(mesh, options)
    start, _ = _part(input.shape, mesh, placements)
    local = operator(input.to_local(), seed, stream, p, share, [*start, *input.shape], *rest)
    return DTensor.from_local(
        local, mesh, placements, run_check=False, shape=input.shape, stride=input.stride()
    )


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
