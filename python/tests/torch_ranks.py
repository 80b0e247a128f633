"""Checks that four ranks of gloo run together, each on all of them; test_torch_distributed.py starts them.

A check is a function of the rank. What it raises is reported.
"""

from __future__ import annotations

import copy
import functools
import os
import traceback
import warnings

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

import dropwise.torch
from dropwise.torch import distributed, patched, replace_dropout
from dropwise.torch.distributed import rank_stream

RANKS = 4
CHECKS = {}


def check(function):
    CHECKS[function.__name__] = function
    return function


def everyone(value):
    """What each rank has, in their order."""
    values = [None] * RANKS
    dist.all_gather_object(values, value)
    return values


def are_equal(values):
    return all(torch.equal(values[0], value) for value in values[1:])


def refuses(error, text, function, *arguments, **options):
    try:
        function(*arguments, **options)
    except error as caught:
        assert text in str(caught), str(caught)
        return
    raise AssertionError(f"{text}: was not refused")


X = torch.linspace(-1, 1, 7 * 10 * 6).reshape(7, 10, 6)
SEED = 1234567


def whole(x, p=0.3, seed=SEED, **options):
    """What one process makes of all."""
    return dropwise.torch.dropout(x, p, seed=seed, **options)


#: Meshes of one, two and four ranks, with each way to cut a tensor of three dimensions along theirs.
MESHES = {
    (1,): [[Shard(0)], [Replicate()]],
    (2,): [[Shard(1)], [Shard(2)], [Shard(0)]],
    (4,): [[Shard(0)], [Shard(1)], [Shard(2)], [Replicate()]],
    (2, 2): [
        [Shard(0), Shard(1)],
        [Shard(1), Shard(0)],
        [Shard(0), Shard(0)],
        [Shard(2), Replicate()],
        [Replicate(), Shard(1)],
        [Replicate(), Replicate()],
    ],
}


def meshes():
    for shape, cuts in MESHES.items():
        ranks = torch.arange(torch.Size(shape).numel()).reshape(shape)
        mesh = DeviceMesh("cpu", ranks)
        if mesh.get_coordinate() is not None:
            for placements in cuts:
                yield mesh, placements


# ---- Data of their own ----


@check
def ranks_have_masks_of_their_own(rank):
    """One manual_seed on all: by the stream masks differ, and pairs of ranks agree on half of their bits."""
    net = nn.Sequential(nn.Linear(8, 8), nn.Dropout(), nn.Dropout1d())
    replace_dropout(net, stream=rank_stream())
    torch.manual_seed(5)
    masks = everyone(net[1](torch.ones(4000)) != 0)
    agreed = [(a == b).float().mean() for i, a in enumerate(masks) for b in masks[:i]]
    assert all(0.45 < part < 0.55 for part in agreed), agreed
    torch.manual_seed(5)
    with patched(stream=rank_stream()):
        assert torch.equal(F.dropout(torch.ones(4000)) != 0, masks[rank])
    assert are_equal(everyone(torch.get_rng_state()))


@check
def masks_of_pytorch_are_equal(rank):
    net = nn.Sequential(nn.Dropout(), nn.AlphaDropout())
    replace_dropout(net, masks="torch")
    torch.manual_seed(5)
    assert are_equal(everyone(net(torch.ones(4000))))


@check
def streams_of_ranks(rank):
    assert rank_stream() == rank and rank_stream(7) == 7 * RANKS + rank
    mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "model"))
    assert rank_stream(of=mesh["data"]) == rank // 2 and rank_stream(3, of=mesh) == 12 + rank
    assert rank_stream(of=mesh.get_group("model")) == rank % 2
    pair = dist.new_group([0, 1])
    if rank < 2:
        assert rank_stream(5, of=pair) == 10 + rank
    else:
        refuses(ValueError, "of: this rank is not", rank_stream, of=pair)


class Net(nn.Module):
    def __init__(self, is_checkpointed=None):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(16, 16), nn.GELU(), nn.Dropout(0.4)) for _ in range(3)
        )
        self.is_checkpointed = is_checkpointed

    def forward(self, x):
        for layer in self.layers:
            if self.is_checkpointed is None:
                x = layer(x)
            else:
                x = checkpoint(layer, x, use_reentrant=self.is_checkpointed)
        return x


def rows_of(rank):
    return torch.randn(8, 16, generator=torch.Generator().manual_seed(100 + rank))


def eager(net):
    return net


def compiled(net):
    return torch.compile(net, backend="aot_eager")


def expected_gradients(net, streams, how=eager):
    """The mean over ranks, computed by one process: the gradients of each rank's rows and masks."""
    sums = [torch.zeros_like(p) for p in net.parameters()]
    for rank, stream in enumerate(streams):
        own = copy.deepcopy(net)
        replace_dropout(own, stream=stream)
        call = how(own)
        torch.manual_seed(9)
        call(rows_of(rank)).square().sum().backward()
        for total, p in zip(sums, own.parameters()):
            total += p.grad / len(streams)
    return sums


def new_net(**options):
    torch.manual_seed(0)
    return Net(**options)


@check
def ddp(rank):
    for how in (eager, compiled):
        expected = expected_gradients(new_net(), range(RANKS), how)
        net = new_net()
        replace_dropout(net, stream=rank_stream())
        call = how(DistributedDataParallel(net))
        torch.manual_seed(9)
        call(rows_of(rank)).square().sum().backward()
        for wanted, p in zip(expected, net.parameters(), strict=True):
            assert torch.allclose(p.grad, wanted, rtol=1e-4, atol=1e-5), how
    with_one_mask = expected_gradients(new_net(), [0] * RANKS)
    assert not torch.allclose(expected_gradients(new_net(), range(RANKS))[0], with_one_mask[0], rtol=0.01)


@check
def fsdp(rank):
    """With and without checkpoints, whose recomputed masks must be those of the forward pass."""
    expected = expected_gradients(new_net(), range(RANKS))
    for reentrant in (None, False):
        net = new_net(is_checkpointed=reentrant)
        replace_dropout(net, stream=rank_stream())
        for layer in net.layers:
            fully_shard(layer)
        fully_shard(net)
        torch.manual_seed(9)
        net(rows_of(rank)).square().sum().backward()
        for wanted, p in zip(expected, net.parameters(), strict=True):
            assert torch.allclose(p.grad.full_tensor(), wanted, rtol=1e-4, atol=1e-5), reentrant


# ---- Parts of one tensor ----


@check
def dtensors_have_the_mask_of_the_whole(rank):
    for mesh, placements in meshes():
        x = distribute_tensor(X, mesh, placements)
        y = dropwise.torch.dropout(x, 0.3, seed=SEED, stream=3)
        assert isinstance(y, DTensor) and y.placements == x.placements, placements
        assert torch.equal(y.full_tensor(), whole(X, stream=3)), placements


@check
def local_tensors_with_a_mesh_and_placements(rank):
    for mesh, placements in meshes():
        local = distribute_tensor(X, mesh, placements).to_local()
        options = {"mesh": mesh, "placements": placements, "shape": X.shape, "seed": SEED}
        y = distributed.dropout(local, 0.3, **options)
        assert type(y) is torch.Tensor
        assert torch.equal(
            DTensor.from_local(y, mesh, placements, shape=X.shape, stride=X.stride()).full_tensor(), whole(X)
        ), placements
        even = torch.arange(4 * 8 * 4, dtype=torch.float32).reshape(4, 8, 4)
        local = distribute_tensor(even, mesh, placements).to_local()
        y = distributed.dropout(local, 0.3, mesh=mesh, placements=placements, seed=SEED)
        assert torch.equal(DTensor.from_local(y, mesh, placements).full_tensor(), whole(even)), placements


@check
def channels_and_alpha_dropout_of_dtensors(rank):
    maps = torch.randn(6, 9, 4, 4, generator=torch.Generator().manual_seed(1))
    for mesh, placements in meshes():
        for name in ("dropout2d", "alpha_dropout", "feature_alpha_dropout"):
            function = getattr(dropwise.torch, name)
            y = function(distribute_tensor(maps, mesh, placements), 0.3, True, seed=SEED, step=2)
            assert torch.equal(y.full_tensor(), function(maps, 0.3, True, seed=SEED, step=2)), (
                name,
                placements,
            )


@check
def patched_functions_take_dtensors(rank):
    mesh = init_device_mesh("cpu", (4,))
    torch.manual_seed(5)
    expected = dropwise.torch.dropout(X)
    with patched():
        torch.manual_seed(5)
        assert torch.equal(F.dropout(distribute_tensor(X, mesh, [Shard(0)])).full_tensor(), expected)


@check
def compiled_functions_take_dtensors(rank):
    mesh = init_device_mesh("cpu", (4,))
    for options in ({"seed": SEED, "stream": 1}, {}):
        function = torch.compile(functools.partial(dropwise.torch.dropout, **options), backend="aot_eager")
        torch.manual_seed(5)
        expected = dropwise.torch.dropout(X, **options)
        torch.manual_seed(5)
        assert torch.equal(function(distribute_tensor(X, mesh, [Shard(0)])).full_tensor(), expected)


@check
def gradients_have_it_too(rank):
    weights = torch.randn(X.shape, generator=torch.Generator().manual_seed(1))
    wanted = X.clone().requires_grad_()
    (whole(wanted) ** 2 * weights).sum().backward()
    for mesh, placements in meshes():
        x = distribute_tensor(X, mesh, placements).requires_grad_()
        y = dropwise.torch.dropout(x, 0.3, seed=SEED)
        (y**2 * distribute_tensor(weights, mesh, placements)).sum().full_tensor().backward()
        assert x.grad.placements == x.placements
        assert torch.allclose(x.grad.full_tensor(), wanted.grad, rtol=1e-6), placements


@check
def redistributed_tensors_keep_it(rank):
    mesh = init_device_mesh("cpu", (4,))
    x = distribute_tensor(X, mesh, [Shard(0)])
    for placements in ([Replicate()], [Shard(2)], [Shard(1)]):
        before = dropwise.torch.dropout(x.redistribute(placements=placements), 0.3, seed=SEED)
        after = dropwise.torch.dropout(x, 0.3, seed=SEED).redistribute(placements=placements)
        assert torch.equal(before.to_local(), after.to_local()), placements


@check
def a_common_seed_is_drawn(rank):
    """Though the generators of the ranks stand at different places."""
    torch.manual_seed(rank)
    torch.rand(rank)
    for mesh, placements in meshes():
        x = distribute_tensor(torch.ones(8, 40), mesh, [p if p != Shard(2) else Shard(1) for p in placements])
        y, other = (dropwise.torch.dropout(x) for _ in range(2))
        masks = [y.full_tensor(), other.full_tensor()]
        assert 200 < masks[0].sum() < 440 and not torch.equal(*masks)
        values = [None] * mesh.size()
        if mesh.ndim == 1:
            dist.all_gather_object(values, masks[0], group=mesh.get_group())
            assert are_equal(values)
        assert 0 < (masks[0] == 0).float().mean() < 1
        seed = distributed.common_seed(mesh)
        given = dropwise.torch.dropout(x, seed=seed, stream=2).full_tensor()
        assert torch.equal(given, dropwise.torch.dropout(torch.ones(8, 40), seed=seed, stream=2))
    mesh = init_device_mesh("cpu", (4,))
    torch.manual_seed(rank)
    x = distribute_tensor(torch.ones(8, 40), mesh, [Replicate()])
    assert are_equal(everyone(dropwise.torch.dropout(x).to_local()))
    torch.manual_seed(77)  # and on one rank it is that of any other
    expected = dropwise.torch.dropout(torch.ones(8, 40))
    torch.manual_seed(77)
    if rank == 3:
        torch.rand(1)  # one draw more, as of a validation sample
    assert torch.equal(dropwise.torch.dropout(x).to_local(), expected)


@check
def checkpoints_of_dtensors(rank):
    mesh = init_device_mesh("cpu", (2, 2))
    for reentrant in (False, True):
        torch.manual_seed(rank)
        x = distribute_tensor(torch.ones(8, 40), mesh, [Shard(0), Shard(1)]).requires_grad_()
        y = checkpoint(lambda x: dropwise.torch.dropout(x) * 1.0, x, use_reentrant=reentrant)
        y.sum().backward()
        assert torch.equal(x.grad.full_tensor(), y.full_tensor()), reentrant


@check
def modules_of_tensor_parallel_layers(rank):
    """Between two linear layers that are cut by columns and by rows, and after them, where all have all."""
    from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

    mesh = init_device_mesh("cpu", (4,))
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 16), nn.Dropout(), nn.Linear(16, 8), nn.Dropout())
    replace_dropout(net)
    alone = copy.deepcopy(net)
    plan = {
        "0": ColwiseParallel(use_local_output=False),
        "2": RowwiseParallel(use_local_output=False, output_layouts=Replicate()),
    }
    net = parallelize_module(net, mesh, plan)
    x = torch.randn(5, 8)
    torch.manual_seed(3)
    expected = alone(x)
    torch.manual_seed(3 if rank == 0 else 100 + rank)
    y = net(x)
    assert torch.allclose(y.full_tensor(), expected, atol=1e-5)
    assert are_equal(everyone(y.to_local()))
    net.eval(), alone.eval()
    assert torch.allclose(net(x).full_tensor(), alone(x), atol=1e-5)


@check
def other_functions_of_dtensors(rank):
    mesh = init_device_mesh("cpu", (4,))
    x = distribute_tensor(torch.ones(8, 40), mesh, [Shard(0)])
    torch.manual_seed(4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = F.dropout(x).to_local()
    torch.manual_seed(4)
    assert torch.equal(dropwise.torch.dropout(x, masks="torch").to_local(), expected)
    heads = distribute_tensor(torch.randn(4, 2, 3, 8), mesh, [Shard(0)])
    results = []
    for attend in (
        F.scaled_dot_product_attention,
        functools.partial(dropwise.torch.scaled_dot_product_attention, masks="torch"),
    ):
        torch.manual_seed(4)
        results.append(attend(heads, heads, heads, dropout_p=0.3).to_local())
    assert are_equal(results)
    for same in (dropwise.torch.dropout(x, training=False), dropwise.torch.dropout(x, 0.0)):
        assert same is x
    y = dropwise.torch.dropout(x, seed=1)
    z = distribute_tensor(torch.ones(8, 40), mesh, [Shard(0)])
    assert dropwise.torch.dropout(z, inplace=True, seed=1) is z and torch.equal(z.to_local(), y.to_local())


FUSED = {
    "dropout_add": lambda x, other, row: dropwise.torch.dropout_add(x, other, None, 0.3, seed=SEED, stream=2),
    "with a bias": lambda x, other, row: dropwise.torch.dropout_add(x, other, row, 0.3, seed=SEED),
    "gelu_dropout": lambda x, other, row: dropwise.torch.gelu_dropout(x, 0.3, seed=SEED),
    "silu_dropout": lambda x, other, row: dropwise.torch.silu_dropout(x, 0.3, seed=SEED),
    "softmax_dropout": lambda x, other, row: dropwise.torch.softmax_dropout(x, -1, 0.3, seed=SEED),
    "zoneout": lambda x, other, row: dropwise.torch.zoneout(x, other, 0.3, seed=SEED),
}


@check
def fused_steps_of_dtensors(rank):
    chance = torch.Generator().manual_seed(1)
    wholes = [torch.randn(shape, generator=chance) for shape in (X.shape, X.shape, X.shape[-1:])]
    weights = torch.randn(X.shape, generator=chance)
    for name, function in FUSED.items():
        inputs = [x.clone().requires_grad_() for x in wholes]
        expected = function(*inputs)
        (expected * weights).sum().backward()
        for mesh, placements in meshes():
            everywhere = [Replicate()] * mesh.ndim
            cuts = placements, placements, everywhere
            parts = [distribute_tensor(x, mesh, cut).requires_grad_() for x, cut in zip(wholes, cuts)]
            y = function(*parts)
            assert y.placements == tuple(placements) or name == "softmax_dropout", (name, placements)
            assert torch.allclose(y.full_tensor(), expected, atol=1e-6), (name, placements)
            (y * distribute_tensor(weights, mesh, placements)).sum().full_tensor().backward()
            for part, input in zip(parts, inputs):
                if input.grad is not None:
                    found = part.grad.full_tensor()
                    assert torch.allclose(found, input.grad, rtol=1e-4, atol=1e-5), (name, placements)
    refuses(TypeError, "residual: must be a DTensor", FUSED["dropout_add"], parts[0], wholes[1], None)
    refuses(TypeError, "residual: must be a DTensor", FUSED["dropout_add"], wholes[0], parts[1], None)
    mesh = init_device_mesh("cpu", (4,))
    weight = torch.randn(5, 6, generator=chance)
    connect = functools.partial(dropwise.torch.drop_connect_linear, p=0.3, seed=SEED)
    for cut in (Shard(0), Replicate()):
        rows = X.flatten(0, 1)
        y = connect(distribute_tensor(rows, mesh, [Shard(0)]), distribute_tensor(weight, mesh, [cut]))
        assert torch.allclose(y.full_tensor(), connect(rows, weight), atol=1e-6), cut


#: Meshes, and how queries, and keys and values are cut; the last ones are cut otherwise first.
ATTENTION = [
    ((4,), [Shard(0)], [Shard(0)]),
    ((4,), [Shard(1)], [Shard(1)]),
    ((4,), [Shard(2)], [Replicate()]),
    ((4,), [Replicate()], [Replicate()]),
    ((2, 2), [Shard(0), Shard(1)], [Shard(0), Shard(1)]),
    ((2, 2), [Shard(1), Shard(2)], [Shard(1), Replicate()]),
    ((2, 2), [Shard(-4), Replicate()], [Shard(-4), Replicate()]),
    ((4,), [Shard(2)], [Shard(2)]),
    ((4,), [Shard(3)], [Shard(3)]),
]


@check
def attention_of_dtensors(rank):
    chance = torch.Generator().manual_seed(1)
    q = torch.randn(3, 6, 10, 8, generator=chance)
    k, v = (torch.randn(3, 6, 7, n, generator=chance) for n in (8, 5))
    weights = torch.randn(3, 6, 10, 5, generator=chance)
    allow = torch.rand(6, 1, 7, generator=chance) < 0.8
    kinds = {
        "": {},
        "causal": {"is_causal": True},
        "grouped": {"enable_gqa": True},
        "mask": {"attn_mask": allow},
    }
    for kind, more in kinds.items():
        attend = functools.partial(
            dropwise.torch.scaled_dot_product_attention, dropout_p=0.3, seed=SEED, stream=1, **more
        )
        heads = 2 if kind == "grouped" else 6
        wholes = [x.clone().requires_grad_() for x in (q, k[:, :heads], v[:, :heads])]
        expected = attend(*wholes)
        (expected * weights).sum().backward()
        for shape, of_queries, of_keys in ATTENTION:
            mesh = init_device_mesh("cpu", shape)
            cuts = of_queries, of_keys, of_keys
            parts = [
                distribute_tensor(x.detach(), mesh, cut).requires_grad_() for x, cut in zip(wholes, cuts)
            ]
            out = attend(*parts)
            assert torch.allclose(out.full_tensor(), expected, atol=1e-5), (kind, of_queries, of_keys)
            (out * distribute_tensor(weights, mesh, out.placements)).sum().full_tensor().backward()
            for part, x in zip(parts, wholes):
                found = part.grad.full_tensor()
                assert torch.allclose(found, x.grad, rtol=1e-4, atol=1e-5), (kind, of_queries, of_keys)
            wide = attend(*(part.detach().double() for part in parts))  # by steps
            assert torch.allclose(wide.full_tensor().float(), expected, atol=1e-5), (
                kind,
                of_queries,
                of_keys,
            )
    few = [x[0] for x in (q, k, v)]
    mesh = init_device_mesh("cpu", (4,))
    for dimension in range(2):  # without batches
        cuts = [Shard(dimension)], [Shard(0) if dimension == 0 else Replicate()]
        parts = [distribute_tensor(x, mesh, cuts[i > 0]) for i, x in enumerate(few)]
        attend = functools.partial(
            dropwise.torch.scaled_dot_product_attention, dropout_p=0.3, is_causal=True, seed=SEED
        )
        assert torch.allclose(attend(*parts).full_tensor(), attend(*few), atol=1e-5), dimension
    bias = torch.randn(10, 7, generator=chance).requires_grad_()
    attend(*few, attn_mask=bias, is_causal=False).square().sum().backward()
    parts = [distribute_tensor(x, mesh, [Shard(0)]) for x in few]
    part = distribute_tensor(bias.detach(), mesh, [Replicate()]).requires_grad_()
    attend(*parts, attn_mask=part, is_causal=False).square().sum().full_tensor().backward()
    assert torch.allclose(part.grad.full_tensor(), bias.grad, rtol=1e-4, atol=1e-5)
    mesh = init_device_mesh("cpu", (4,))
    parts = [distribute_tensor(x, mesh, [Shard(1)]) for x in (q, k, v)]
    torch.manual_seed(5)
    expected = dropwise.torch.scaled_dot_product_attention(q, k, v, dropout_p=0.3)
    with patched():
        torch.manual_seed(5)
        out = F.scaled_dot_product_attention(*parts, dropout_p=0.3)
    assert torch.allclose(out.full_tensor(), expected, atol=1e-5)
    refuses(TypeError, "key: must be a DTensor", attend, parts[0], k, parts[2])


@check
def what_cannot_be(rank):
    mesh = init_device_mesh("cpu", (4,))
    local = torch.ones(2, 3)
    summed = DTensor.from_local(local, mesh, [Partial()])
    call = distributed.dropout
    refuses(ValueError, "placements: P(sum) is a part of a sum", dropwise.torch.dropout, summed)
    refuses(
        ValueError, "placements: P(sum) is a part of a sum", call, local, mesh=mesh, placements=[Partial()]
    )
    refuses(ValueError, "placements: must be one for each", call, local, mesh=mesh, placements=[])
    refuses(ValueError, "placements: ", call, local, mesh=mesh, placements=[Shard(2)])
    refuses(TypeError, "sead: is no option", call, local, mesh=mesh, placements=[Shard(0)], sead=42)
    refuses(ValueError, "mesh: must be given", call, local)
    refuses(ValueError, "placements: must be given", call, local, mesh=mesh)
    refuses(ValueError, "mesh: a DTensor has its own", call, distribute_tensor(local, mesh), mesh=mesh)
    refuses(ValueError, "shape: of", call, local, mesh=mesh, placements=[Shard(0)], shape=(9, 3))
    refuses(ValueError, "shape: must have 2", call, local, mesh=mesh, placements=[Shard(0)], shape=(8,))


# ---- Stop, save, resume ----

PARTS, BATCH, WIDTH = 4, 16, 24


def train(weights, steps, mesh):
    """Of a layer that ends in dropout; the batch is cut into rows, and sums have one order on any ranks."""
    rank, ranks = mesh.get_local_rank(), mesh.size()
    for step in steps:
        x = torch.randn(BATCH, WIDTH, generator=torch.Generator().manual_seed(step))
        own = []
        for part in range(rank * PARTS // ranks, (rank + 1) * PARTS // ranks):
            weight = weights.clone().requires_grad_()
            rows = x.chunk(PARTS)[part]
            whole = distributed.dropout(
                (rows @ weight).relu().repeat(PARTS // ranks, 1)[: BATCH // ranks],
                0.25,
                mesh=mesh,
                placements=[Shard(0)],
                seed=SEED,
                step=step,
            )
            begin = (part - rank * PARTS // ranks) * len(rows)
            whole[begin : begin + len(rows)].square().sum().backward()
            own.append(weight.grad)
        parts = [None] * ranks
        dist.all_gather_object(parts, own, group=mesh.get_group())
        for gradient in (gradient for of_rank in parts for gradient in of_rank):
            weights = weights - 0.01 * gradient
    return weights


@check
def training_goes_on_with_other_numbers_of_ranks(rank):
    one, two, four = (DeviceMesh("cpu", list(range(n))) for n in (1, 2, 4))
    first = torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(1)) / WIDTH**0.5
    results = [train(first, range(9), mesh) for mesh in (one, two, four) if mesh.get_coordinate() is not None]
    assert are_equal(results)
    saved = [train(first, range(4), two) if rank < 2 else None]
    dist.broadcast_object_list(saved)
    saved = [train(saved[0], range(4, 7), four)]
    if rank == 0:
        assert torch.equal(train(saved[0], range(7, 9), one), results[0])
        assert not torch.equal(first, results[0])


# ---- What starts them ----


def run(rank, address, results):
    os.environ.update(OMP_NUM_THREADS="1")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=RANKS)
    for name, function in CHECKS.items():
        fault = None
        try:
            torch.manual_seed(1)
            function(rank)
        except Exception:
            fault = traceback.format_exc()
        results.put((name, rank, fault))
        dist.barrier()
    dist.destroy_process_group()
