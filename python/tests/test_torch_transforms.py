"""dropwise.torch under PyTorch's transformations: compilers, functorch, forward mode, checkpoint, export."""

import functools
import itertools

import pytest
from conftest import needs

torch = needs("torch")
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402
from torch.autograd import forward_ad  # noqa: E402
from torch.utils.checkpoint import checkpoint  # noqa: E402

import dropwise.torch as dw  # noqa: E402
from dropwise.torch import _torch_masks  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")


@pytest.fixture(autouse=True)
def fresh_compiler():
    torch._dynamo.reset()
    torch.manual_seed(1)


def numbers(*shape, dtype=torch.float32):
    torch.manual_seed(len(shape))
    return torch.randn(*shape).to(dtype)


# ---- What torch.library says of the operators ----

SEED = torch.tensor([5])
REST = (SEED, 2, 0.3, 0, None)


def samples():
    """Arguments of each operator."""
    ops = torch.ops.dropwise
    for x in (
        numbers(3, 4, 5).requires_grad_(),
        numbers(5, 4, 3).transpose(0, 2),
        numbers(3, 4, 10)[..., ::2],
        numbers(3, 1, 5).expand(3, 4, 5),
        numbers(2, 3, 4, 5).contiguous(memory_format=torch.channels_last).requires_grad_(),
    ):
        for operator in (ops.dropout_v1, ops.kept_v1, ops.alpha_v1, ops.alpha_backward_v1):
            yield operator, (x, *REST)
        yield ops.dropout_v1, (x, SEED, 0, 0.3, 0b110, [1] * x.dim() + [n + 3 for n in x.shape])
        yield ops.blocks_v1, (x, *REST, 0b110, 2)
        yield ops.zoneout_v1, (x, x.detach().contiguous() * 2, *REST)
        yield ops.residual_v1, (x, numbers(x.shape[-1]).requires_grad_(), x.detach() * 2, *REST)
        yield ops.residual_v1, (x, None, None, *REST)
        yield ops.activation_v1, (x, None, *REST, 2)
        yield ops.activation_v1, (x, None, *REST, 4)
        yield ops.softmax_v1, (x, None, *REST, 0.5, 1, 0)
        yield (
            ops.torch_apply_v1,
            (
                x,
                torch.full(((x.numel() + 7) // 8,), 0x5A, dtype=torch.uint8),
                0.3,
                torch.empty_like(x).stride(),
            ),
        )
    x, w = numbers(6, 8).requires_grad_(), numbers(5, 8).requires_grad_()
    yield ops.connect_v1, (x, w, numbers(5).requires_grad_(), *REST)
    yield ops.connect_v1, (x, w, None, *REST)


@pytest.mark.parametrize(
    "tests", ["test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_dynamic"]
)
def test_operators_are_what_they_say(tests):
    for operator, arguments in samples():
        torch.library.opcheck(operator, arguments, test_utils=tests)
    if tests != "test_aot_dispatch_dynamic":
        ops, x, state = torch.ops.dropwise, numbers(3, 4), torch.get_rng_state()
        torch.library.opcheck(ops.dropout_out_v1, (x, *REST, x.clone()), test_utils=tests)
        torch.library.opcheck(ops.torch_dropout_v1, (x, 0.3, state), test_utils=tests)
        torch.library.opcheck(ops.torch_bernoulli_v1, (x, 0.3, state), test_utils=tests)
        torch.library.opcheck(ops.uniform_v1, (x, *REST), test_utils=tests)


# ---- torch.compile ----


def steps(x, masks="dropwise"):
    """One of each."""
    source = {"masks": masks}
    y = dw.dropout(x * 2, 0.3, **source)
    y = dw.gelu_dropout(y + 1, 0.3, **source)
    y = dw.dropout_add(y, x, None, 0.3, **source)
    y = dw.alpha_dropout(y, 0.3, True, **source)
    y = dw.dropout(y.sin(), 0.3, inplace=True, **source)
    return dw.softmax_dropout(y, -1, 0.3, **source)


def others(x):
    y = dw.zoneout(x * 2, x, 0.3)
    y = dw.drop_path(y, 0.3, stream=4)
    y = dw.silu_dropout(y, 0.3, seed=5, step=3)
    y = dw.drop_block(y, 0.3, 2)
    y = dw.dropout2d(y, 0.3)
    return dw.drop_connect_linear(y, x[0, 0] * 2, None, 0.3)


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.parametrize("function", [steps, functools.partial(steps, masks="torch"), others], ids=str)
def test_compiled_is_what_eager_is(function, backend):
    compiled = torch.compile(function, fullgraph=True, dynamic=True, backend=backend)
    for n, layout in itertools.product((3, 5), ("dense", "channels last")):
        x = numbers(2, n, 4, 4)
        if layout == "channels last":
            x = x.contiguous(memory_format=torch.channels_last)
        results = []
        for f in (function, compiled):
            leaf = x.clone().requires_grad_()
            torch.manual_seed(7)
            y = f(leaf)
            y.square().sum().backward()
            results.append((y.detach(), leaf.grad, torch.get_rng_state()))
        (a, da, after), (b, db, after_compiled) = results
        assert torch.equal(a, b) and a.stride() == b.stride() and torch.equal(after, after_compiled)
        assert torch.allclose(da, db, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("masks", ["dropwise", "torch"])
def test_inductor(masks):
    """Two compilations: forward and backward in one, and shapes that change."""
    model = nn.Sequential(nn.Linear(8, 16), dw.GELUDropout(0.3, masks=masks), dw.Dropout(0.3, masks=masks))
    compiled = torch.compile(model, fullgraph=True, dynamic=True)
    for n in (3, 6):
        x = numbers(n, 8)
        gradients = []
        for f in (model, compiled):
            torch.manual_seed(7)
            y = f(x)
            y.square().sum().backward()
            gradients.append((y.detach(), model[0].weight.grad, torch.get_rng_state()))
            model.zero_grad()
        (a, da, after), (b, db, after_compiled) = gradients
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-6) and torch.equal(after, after_compiled)
        assert torch.allclose(da, db, rtol=1e-4, atol=1e-5)
    first, second = compiled(x), compiled(x)
    assert not torch.equal(first, second)


def by_joint_graph(function):
    """As Inductor compiles it, but for code: derivatives by its passes, and what it keeps for them."""
    pytest.importorskip("torch._inductor.fx_passes.joint_graph")
    from torch._dynamo.backends.common import aot_autograd
    from torch._functorch.aot_autograd import make_boxed_func
    from torch._functorch.partitioners import min_cut_rematerialization_partition
    from torch._inductor.decomposition import select_decomp_table
    from torch._inductor.fx_passes.joint_graph import joint_graph_passes

    def partition(graph, *arguments, **options):
        joint_graph_passes(graph)
        return min_cut_rematerialization_partition(graph, *arguments, **options)

    code = lambda graph, _: make_boxed_func(graph.forward)  # noqa: E731
    backend = aot_autograd(
        fw_compiler=code, bw_compiler=code, partition_fn=partition, decompositions=select_decomp_table()
    )
    return torch.compile(function, fullgraph=True, backend=backend)


def saved_and_gradient(function, x):
    saved, leaf = [], x.clone().requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        y = function(leaf)
    return saved, torch.autograd.grad(y, leaf, numbers(*x.shape))[0]


@pytest.mark.parametrize("p", [0.5, 1.0])
def test_no_bool_is_kept_of_a_relu(p):
    """What dropout made of its result says the same, and is kept anyway."""
    function = lambda x: dw.dropout(F.relu(x), p, seed=5).square()  # noqa: E731
    special = torch.tensor([-float("inf"), -1.0, -0.0, 0.0, 1e-42, 1.0, float("inf"), float("nan")])
    compiled = by_joint_graph(function)
    for x in (numbers(64, 32), special.repeat(64, 4)):
        saved, dx = saved_and_gradient(compiled, x)
        _, expected = saved_and_gradient(function, x)
        assert saved and all(t.dtype != torch.bool for t in saved)
        assert torch.equal(dx.view(torch.int32), expected.view(torch.int32))


def test_inductor_finds_the_pattern_itself(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))  # and not a graph of another version
    compiled = torch.compile(lambda x: dw.dropout(F.relu(x), 0.5, seed=5).square(), fullgraph=True)
    saved, _ = saved_and_gradient(compiled, numbers(16, 8))
    assert saved and all(t.dtype != torch.bool for t in saved)


@pytest.mark.parametrize(
    "function",
    [
        lambda y: dw.dropout(y.detach(), 0.5, seed=6) + dw.dropout(y, 0.5, seed=5),
        lambda y: dw.dropout(y, 0.5, seed=5).sin() * dw.dropout(y, 0.5, seed=6) * y,
        lambda y: dw.dropout(y, 0.5, masks="torch").sin(),
    ],
)
def test_the_same_mask_alone_says_where_a_relu_was_0(function):
    x, whole = numbers(64, 32), lambda x: function(F.relu(x))
    gradients = []
    for f in (whole, by_joint_graph(whole)):
        torch.manual_seed(7)
        gradients.append(saved_and_gradient(f, x)[1])
    assert torch.allclose(*gradients, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("masks", ["dropwise", "torch"])
def test_make_fx(masks, monkeypatch):
    """A graph draws and asks the generator as eager mode does, and making it leaves the generator alone."""
    from torch.fx.experimental.proxy_tensor import make_fx

    monkeypatch.setattr(_torch_masks, "_is_checked", False)

    def function(x):
        y = dw.alpha_dropout(dw.dropout(x, 0.5, masks=masks), 0.3, True, masks=masks)
        return dw.dropout1d(y, 0.3, masks=masks)

    x = numbers(3, 4, 5)
    for mode in ("real", "fake", "symbolic"):
        graph = make_fx(function, tracing_mode=mode)(x)
        results = []
        for f in (function, graph):
            for seed in (1, 2):
                torch.manual_seed(seed)
                results.append(f(x))
        assert torch.equal(results[0], results[2]) and torch.equal(results[1], results[3])


@pytest.mark.parametrize("masks", ["dropwise", "torch"])
def test_make_fx_of_a_gradient(masks):
    from torch.fx.experimental.proxy_tensor import make_fx

    x = torch.ones(50, requires_grad=True)
    y, dy = dw.dropout(x, 0.5, masks=masks), numbers(50)
    graph = make_fx(lambda dy: torch.autograd.grad(y, x, dy, retain_graph=True))(torch.ones(50))
    assert torch.equal(graph(dy)[0], y.detach() * dy)


def test_fake_tensors_have_no_masks(monkeypatch):
    from torch._subclasses import FakeTensorMode

    monkeypatch.setattr(_torch_masks, "_is_checked", False)
    before = torch.get_rng_state()
    with FakeTensorMode():
        assert _torch_masks.compare()
        x = torch.ones(3, 4, 5)
        for function in (dw.dropout, dw.dropout1d, dw.alpha_dropout):
            y = function(x, 0.5, True, masks="torch")
            assert y.shape == x.shape and type(y) is type(x)
    y = dw.dropout(x, 0.5, masks="torch")
    assert type(y) is type(x) and torch.equal(before, torch.get_rng_state())


def test_more_dimensions_than_the_library_has():
    x = numbers(*[2] * 9).permute(*range(8, -1, -1)).requires_grad_()
    function = lambda x: dw.alpha_dropout(x, 0.3, True, seed=5)  # noqa: E731
    expected, y = function(x), torch.compile(function, fullgraph=True, backend="aot_eager")(x)
    assert torch.equal(y, expected) and y.stride() == expected.stride()
    assert torch.equal(torch.autograd.grad(y.sum(), x)[0], torch.autograd.grad(expected.sum(), x)[0])
    batch = torch.stack([x, x * 2], 3)
    mapped = torch.vmap(lambda x: dw.dropout(x, 0.3, seed=5), in_dims=3)(batch)
    assert torch.equal(mapped, torch.stack([dw.dropout(y, 0.3, seed=5) for y in (x, x * 2)]))
    _, tangent = torch.func.jvp(function, (x.detach(),), (torch.ones_like(x),))
    assert torch.allclose(tangent, torch.autograd.grad(function(x).sum(), x)[0])


def test_two_calls_are_two_masks():
    """They must be neither merged nor drawn in another order."""

    def twice(x):
        a = dw.dropout(x, 0.5)
        b = dw.dropout(x, 0.5)
        return a, b, dw.dropout(x, 0.5, masks="torch"), dw.dropout(x, 0.5, masks="torch")

    compiled = torch.compile(twice, fullgraph=True, backend="aot_eager")
    for x in (numbers(100), numbers(100).requires_grad_()):
        torch.manual_seed(7)
        expected = twice(x)
        torch.manual_seed(7)
        for a, b in zip(compiled(x), expected):
            assert torch.equal(a, b)
        assert not torch.equal(*expected[:2]) and not torch.equal(*expected[2:])


def test_steps_do_not_compile_again():
    counter = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")

    @torch.compile(fullgraph=True, backend=counter)
    def step(x, k):
        return dw.dropout(x, 0.5, seed=3, step=k)

    x = numbers(50)
    for k in range(6):
        assert torch.equal(step(x, k), dw.dropout(x, 0.5, seed=3, step=k))
    assert counter.frame_count <= 3  # 0 and 1 are constants, then steps are symbols


def test_generators_are_refused_when_compiled():
    @torch.compile(fullgraph=True, backend="eager")
    def function(x, generator):
        return dw.dropout(x, 0.5, generator=generator)

    with pytest.raises(Exception, match=r"pass a seed|Generator"):
        function(numbers(3), torch.Generator())


def test_a_seed_tensor_in_a_graph():
    @torch.compile(fullgraph=True, backend="aot_eager")
    def function(x, seed):
        return dw.dropout(x, 0.5, seed=seed, stream=1)

    x = numbers(50)
    for seed in (1, 2):
        assert torch.equal(function(x, torch.tensor([seed])), dw.dropout(x, 0.5, seed=seed, stream=1))


def test_export():
    layer = nn.Sequential(nn.Linear(4, 8), dw.Dropout(0.5, seed=3), dw.GELUDropout(0.3, seed=4))
    x = numbers(3, 4)
    program = torch.export.export(layer, (x,), dynamic_shapes=({0: torch.export.Dim("n", min=2)},))
    for y in (x, numbers(7, 4)):
        assert torch.allclose(program.module()(y), layer(y), atol=1e-6)
    names = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    assert "dropwise.dropout_v1.default" in names
    layer.eval()
    assert "dropwise" not in str(torch.export.export(layer, (x,)).graph)


# ---- functorch and forward mode ----

LINEAR = {
    "dropout": lambda x, **o: dw.dropout(x, 0.4, **o),
    "alpha": lambda x, **o: dw.alpha_dropout(x, 0.4, True, **o),
    "path": lambda x, **o: dw.drop_path(x, 0.4, **o),
    "locked": lambda x, **o: dw.locked_dropout(x, 0.4, dim=-1, **o),
    "gelu": lambda x, **o: dw.gelu_dropout(x, 0.4, **o),
    "softmax": lambda x, **o: dw.softmax_dropout(x, -1, 0.4, **o),
    "add": lambda x, **o: dw.dropout_add(x, x, None, 0.4, **o),
    "zoneout": lambda x, **o: dw.zoneout(x, x * 2, 0.4, **o),
    "blocks": lambda x, **o: dw.drop_block(x, 0.4, 2, dim=(-1,), **o),
    "connect": lambda x, **o: dw.drop_connect_linear(x, x[:1] * x[:1], None, 0.4, **o),
}


@pytest.mark.parametrize("name", LINEAR)
def test_vmap(name):
    """A batch with one seed for all is what the samples are one by one."""
    function, x = LINEAR[name], numbers(5, 6, 8)
    expected = torch.stack([function(a, seed=3) for a in x])
    for d in range(3):
        y = torch.vmap(lambda a: function(a, seed=3), d, d)(x.movedim(0, d))
        assert torch.allclose(y.movedim(d, 0), expected, atol=1e-6)
    seeds = torch.tensor([3, 8, 3, 9, 3])
    both = torch.vmap(lambda a, s: function(a, seed=s))(x, seeds)
    one_by_one = torch.stack([function(a, seed=s) for a, s in zip(x, seeds)])
    assert torch.allclose(both, one_by_one, atol=1e-6)
    only = torch.vmap(lambda s: function(x[0], seed=s))(seeds)
    assert torch.allclose(only, torch.stack([function(x[0], seed=s) for s in seeds]), atol=1e-6)
    nested = torch.vmap(torch.vmap(lambda a, s: function(a, seed=s), (0, None)), (1, 0))(
        x.expand(2, 5, 6, 8).movedim(0, 1), torch.tensor([3, 8])
    )
    for k, s in enumerate((3, 8)):
        assert torch.allclose(nested[k], torch.stack([function(a, seed=s) for a in x]), atol=1e-6)


@pytest.mark.parametrize("masks", ["dropwise", "torch"])
def test_randomness_of_vmap(masks):
    x = torch.ones(6, 50)
    function = functools.partial(dw.dropout, p=0.5, masks=masks)
    different = torch.vmap(function, randomness="different")(x)
    assert len({tuple(row.tolist()) for row in different}) == 6
    same = torch.vmap(function, randomness="same")(x)
    assert len({tuple(row.tolist()) for row in same}) == 1
    nested = torch.vmap(torch.vmap(function, randomness="different"), randomness="different")(
        x.view(2, 3, 50)
    )
    assert len({tuple(row.tolist()) for row in nested.view(6, 50)}) == 6
    with pytest.raises(RuntimeError, match="randomness"):
        torch.vmap(function)(x)
    if masks == "torch":
        for randomness in ("different", "same"):
            torch.manual_seed(2)
            ours = torch.vmap(function, randomness=randomness)(x)
            torch.manual_seed(2)
            assert torch.equal(ours, torch.vmap(lambda a: F.dropout(a, 0.5), randomness=randomness)(x))


@pytest.mark.parametrize("name", LINEAR)
def test_gradients_of_samples(name):
    function, x = LINEAR[name], numbers(5, 6, 8)
    loss = lambda a, s: (function(a, seed=s) ** 3).sum()  # noqa: E731
    seeds = torch.arange(5)
    expected = torch.stack([torch.func.grad(loss)(a, s) for a, s in zip(x, seeds)])
    assert torch.allclose(torch.vmap(torch.func.grad(loss))(x, seeds), expected, atol=1e-4)
    leaf = x.clone().requires_grad_()
    sum(loss(a, s) for a, s in zip(leaf, seeds)).backward()
    assert torch.allclose(leaf.grad, expected, atol=1e-4)
    leaf = x.clone().requires_grad_()
    torch.vmap(loss)(leaf, seeds).sum().backward()
    assert torch.allclose(leaf.grad, expected, atol=1e-4)


def test_gradients_of_samples_with_different_masks():
    w, x = numbers(8), torch.ones(6, 8)
    loss = lambda w, a: dw.dropout(w * a, 0.5).sum()  # noqa: E731
    gradients = torch.vmap(torch.func.grad(loss), (None, 0), randomness="different")(w, x)
    assert len({tuple(row.tolist()) for row in gradients}) > 1 and set(gradients.flatten().tolist()) == {
        0.0,
        2.0,
    }


@pytest.mark.parametrize("name", LINEAR)
def test_forward_mode_gives_values(name):
    function = functools.partial(LINEAR[name], seed=3)
    x, t = numbers(6, 8, dtype=torch.float64), numbers(8, 6, dtype=torch.float64).t()
    leaf = x.clone().requires_grad_()
    jacobian = torch.autograd.functional.jacobian(function, leaf)
    expected = (jacobian.flatten(-2) @ t.flatten().unsqueeze(-1)).squeeze(-1)
    y, dy = torch.func.jvp(function, (x,), (t,))
    assert torch.allclose(y, function(x)) and torch.allclose(dy, expected)
    with forward_ad.dual_level():
        dual = function(forward_ad.make_dual(x, t))
        assert torch.allclose(forward_ad.unpack_dual(dual).tangent, expected)
    assert torch.allclose(torch.func.jacfwd(function)(x), jacobian)
    assert torch.allclose(torch.func.jacrev(function)(x), jacobian)


def test_hessians():
    function = lambda x: (dw.dropout(x, 0.4, seed=3) ** 3).sum()  # noqa: E731
    x = numbers(10, dtype=torch.float64)
    scale = dw.dropout(torch.ones_like(x), 0.4, seed=3)
    assert torch.allclose(torch.func.hessian(function)(x), torch.diag(6 * x * scale**3))


def test_pytorchs_masks_in_forward_mode():
    x = numbers(50)
    for transform in (
        lambda f: torch.func.jvp(f, (x,), (x,))[1],
        lambda f: torch.func.grad(lambda a: f(a).sum())(x),
    ):
        torch.manual_seed(3)
        ours = transform(lambda a: dw.dropout(a, 0.5, masks="torch"))
        torch.manual_seed(3)
        assert torch.equal(ours, transform(lambda a: F.dropout(a, 0.5)))


@pytest.mark.parametrize("name", ["dropout", "alpha", "locked", "gelu", "blocks"])
def test_compiled_transformations(name):
    function, x, t = functools.partial(LINEAR[name], seed=3), numbers(5, 6, 8), numbers(5, 6, 8).flip(0)
    loss = lambda a: (function(a) ** 3).sum()  # noqa: E731
    for transform in (
        lambda x, t: torch.vmap(function)(x),
        lambda x, t: torch.func.grad(loss)(x[0]),
        lambda x, t: torch.vmap(torch.func.grad(loss))(x),
        lambda x, t: torch.func.jvp(function, (x[0],), (t[0],))[1],
        lambda x, t: torch.func.jvp(torch.func.grad(loss), (x[0],), (t[0],))[1],
    ):
        compiled = torch.compile(transform, backend="aot_eager", fullgraph=True)
        y = transform(x, t)
        assert y.abs().sum() > 0 and torch.allclose(compiled(x, t), y, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("masks", ["dropwise", "torch"])
def test_compiled_randomness_of_vmap(masks):
    function = lambda a: dw.dropout(a, 0.5, masks=masks)  # noqa: E731
    for randomness, n in (("different", 6), ("same", 1)):
        compiled = torch.compile(torch.vmap(function, randomness=randomness), backend="aot_eager")
        rows = compiled(torch.ones(6, 50))
        assert len({tuple(row.tolist()) for row in rows}) == n


# ---- Checkpoint ----


def chain(x, **source):
    for _ in range(2):
        x = dw.dropout(x.sin(), 0.5, **source)
        x = (
            dw.gelu_dropout(x, 0.5, **({} if "generator" in source else source))
            if source.get("masks") is None
            else x
        )
    return x


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("masks", ["dropwise", "torch"])
def test_checkpoint(reentrant, masks):
    source = {} if masks == "dropwise" else {"masks": masks}
    gradients = []
    for wrap in (chain, lambda x, **o: checkpoint(functools.partial(chain, **o), x, use_reentrant=reentrant)):
        x = numbers(1000).requires_grad_()
        torch.manual_seed(3)
        y = wrap(x, **source)
        y.backward(torch.ones_like(y))
        gradients.append(x.grad)
    assert torch.equal(*gradients)


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpoint_without_the_generators_state(reentrant):
    gradients = []
    for wrap in (
        chain,
        lambda x, **o: checkpoint(
            functools.partial(chain, **o), x, use_reentrant=reentrant, preserve_rng_state=False
        ),
    ):
        x = numbers(1000).requires_grad_()
        y = wrap(x, seed=5, stream=3, step=7)
        y.backward(torch.ones_like(y))
        gradients.append(x.grad)
    assert torch.equal(*gradients)


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("masks", ["dropwise", "torch"])
def test_checkpoint_with_a_generator_is_an_error(reentrant, masks):
    source = {"generator": torch.Generator(), "masks": masks}
    x = numbers(1000).requires_grad_()
    y = checkpoint(lambda x: dw.dropout(x.sin(), 0.5, **source).sin(), x, use_reentrant=reentrant)
    with pytest.raises(RuntimeError, match="generator: was asked for a mask in a backward pass"):
        y.sum().backward()


def test_checkpoint_when_compiled():
    def function(x):
        return checkpoint(lambda x: dw.dropout(x.sin(), 0.5).sin(), x, use_reentrant=False)

    gradients = []
    for f in (function, torch.compile(function, backend="aot_eager", fullgraph=True)):
        x = numbers(1000).requires_grad_()
        torch.manual_seed(3)
        f(x).sum().backward()
        gradients.append(x.grad)
    assert torch.allclose(*gradients, atol=1e-6)


# ---- Others ----


def test_autocast():
    layer = nn.Sequential(nn.Linear(8, 8), dw.Dropout(0.5, seed=1))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = layer(numbers(3, 8))
    assert y.dtype == torch.bfloat16
    y.float().sum().backward()
    assert torch.isfinite(layer[0].weight.grad).all()


def test_a_function_mode_sees_the_functions():
    from torch.overrides import TorchFunctionMode

    seen = []

    class Mode(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            seen.append(function)
            return function(*args, **(kwargs or {}))

    with Mode():
        y = dw.dropout(torch.ones(100), 0.5, seed=1)
    assert dw.dropout in seen and torch.equal(y, dw.dropout(torch.ones(100), 0.5, seed=1))


def test_subclasses():
    class Mine(torch.Tensor):
        pass

    x = numbers(50).as_subclass(Mine)
    y = dw.dropout(x, 0.5, seed=1)
    assert type(y) is Mine and torch.equal(y.as_subclass(torch.Tensor), dw.dropout(numbers(50), 0.5, seed=1))


# ---- The way past the dispatcher: eager mode with a seed of its own ----


@pytest.mark.parametrize("masks", ["dropwise", "torch"])
def test_derivatives_of_eager_calls(masks):
    x = numbers(20, dtype=torch.float64).requires_grad_()
    torch.manual_seed(3)
    y = dw.dropout(x, 0.5, masks=masks)
    scale = (y / x).detach()
    (gradient,) = torch.autograd.grad((y**3).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(gradient.sum(), x)
    assert torch.allclose(gradient, 3 * y**2 * scale) and torch.allclose(second, 6 * y * scale**2)
    torch.manual_seed(3)
    rows = torch.autograd.functional.jacobian(lambda x: dw.dropout(x, 0.5, masks=masks), x, vectorize=True)
    assert torch.allclose(rows, torch.diag(scale))


@pytest.mark.filterwarnings("ignore:The .grad attribute")
@pytest.mark.parametrize("masks", ["dropwise", "torch"])
def test_compiled_autograd(masks):
    from torch._dynamo import compiled_autograd

    gradients = []
    for compiles in (False, True):
        x = numbers(50).requires_grad_()
        torch.manual_seed(3)
        loss = dw.dropout(x.sin(), 0.5, masks=masks).square().sum()
        if compiles:
            with compiled_autograd._enable(torch.compile(backend="eager")):
                loss.backward()
        else:
            loss.backward()
        gradients.append(x.grad)
    assert torch.allclose(*gradients)


def test_traced_by_make_fx():
    from torch.fx.experimental.proxy_tensor import make_fx

    x = numbers(50)
    graph = make_fx(lambda x: dw.dropout(x, 0.5))(x)
    assert "dropwise.seed_v1" in graph.code and not torch.equal(graph(x), graph(x))
