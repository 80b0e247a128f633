"""dropwise.torch: the masks, against the C library and against PyTorch, of every dtype, layout and size."""

import functools
import itertools
import pathlib
import re

import numpy as np
import pytest
from conftest import needs

import dropwise

torch = needs("torch")
import torch.nn.functional as F  # noqa: E402

import dropwise.torch as dw  # noqa: E402
from dropwise.torch import _arguments, _load, _operators, _torch_masks  # noqa: E402

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
RATES = [0.1, 0.5, 0.9, 1.0]

#: Tensors that lie in memory in every way: each a function of a dense one of 4 dimensions.
LAYOUTS = {
    "dense": lambda x: x,
    "transposed": lambda x: x.transpose(1, 3),
    "channels last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "sliced": lambda x: x[:, 1:, ::2, 1:],
    "expanded": lambda x: x[:, :1].expand(-1, 5, -1, -1),
    "expanded at last": lambda x: x[..., :1].expand(-1, -1, -1, 6),
    "all the same": lambda x: x[:1, :1, :1, :1].expand(2, 3, 4, 5),
    "flat": lambda x: x.reshape(-1),
    "every third": lambda x: x.reshape(-1)[::3],
    "scalar": lambda x: x[0, 0, 0, 0],
    "one": lambda x: x[:1, :1, :1, :1],
    "nine dimensions": lambda x: x.reshape(2, 1, 3, 2, 2, 1, 5, 1, 1),
    "nine, turned": lambda x: x.reshape(2, 1, 3, 2, 2, 1, 5, 1, 1).transpose(0, 6).transpose(2, 4),
}


def numbers(layout, dtype=torch.float32):
    torch.manual_seed(1)
    return LAYOUTS[layout](torch.randn(2, 3, 4, 5).to(dtype))


def same(a, b):
    """Bit for bit, zeros' signs included, and by strides where these mean something."""
    words = {8: torch.int64, 4: torch.int32, 2: torch.int16, 1: torch.uint8}[a.element_size()]
    return (
        a.dtype == b.dtype
        and a.shape == b.shape
        and all(m == n for m, n, size in zip(a.stride(), b.stride(), a.shape) if size > 1)
        and torch.equal(a.contiguous().view(words), b.contiguous().view(words))
    )


def by_library(x, p, seed, stream=0, **options):
    """The C library's result through NumPy, laid out as PyTorch's."""
    m = dropwise.Mask(p, seed, stream)
    if x.dtype == torch.bfloat16:
        words = m.forward(x.contiguous().view(torch.int16).numpy(), dtype="bf16", **options)
        y = torch.from_numpy(words).view(torch.bfloat16)
    else:
        y = torch.from_numpy(np.asarray(m.forward(x.contiguous().numpy(), **options)))
    return F.dropout(x, 0.5).copy_(y)


# ---- Own masks ----


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_masks_are_those_of_the_library(layout, dtype):
    x = numbers(layout, dtype)
    for p in RATES:
        y = dw.dropout(x, p, seed=42, stream=7)
        assert same(y, by_library(x, p, 42, 7)), p
        assert y.stride() == F.dropout(x, p).stride()


def test_seed_stream_and_step_make_the_mask():
    x = torch.randn(100)
    for seed, stream, step in ((0, 0, 0), (2**64 - 1, 2**32 - 1, 2**31 - 1), (2**63, 5, 3)):
        expected = by_library(x, 0.3, seed, step * 2**32 + stream)
        assert same(dw.dropout(x, 0.3, seed=seed, stream=stream, step=step), expected)
        signed = seed if seed < 2**63 else seed - 2**64
        for tensor in (torch.tensor(signed), torch.tensor([signed]), torch.tensor([[signed]])):
            assert same(dw.dropout(x, 0.3, seed=tensor, stream=stream, step=step), expected)


def test_seeds_come_from_pytorch():
    x = torch.randn(100)
    torch.manual_seed(5)
    first, second = dw.dropout(x, 0.5), dw.dropout(x, 0.5)
    torch.manual_seed(5)
    assert same(dw.dropout(x, 0.5), first) and same(dw.dropout(x, 0.5), second) and not same(first, second)
    torch.manual_seed(5)
    seed = torch.randint(-(2**63), 2**63 - 1, (1,))
    assert same(dw.dropout(x, 0.5, seed=seed), first)
    generator = torch.Generator().manual_seed(5)
    before = torch.get_rng_state()
    assert same(dw.dropout(x, 0.5, generator=generator), first)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(5)
    assert same(dw.dropout(x, 0.5, stream=3), dw.dropout(x, 0.5, seed=seed, stream=3))


@pytest.mark.parametrize("masks", ["dropwise", "torch"])
def test_calls_past_the_dispatcher_are_those_through_it(monkeypatch, masks):
    """Those of eager mode read tensors by DLPack's exchange interface: the same masks, strides and seeds."""
    assert _arguments.HAS_EXCHANGE
    for layout, dtype in itertools.product(LAYOUTS, DTYPES):
        results = []
        for has_exchange in (True, False):
            monkeypatch.setattr(_arguments, "HAS_EXCHANGE", has_exchange)
            x = numbers(layout, dtype)
            leaf = x.detach().clone().requires_grad_()
            torch.manual_seed(3)
            y, z = dw.dropout(x, 0.3, masks=masks), dw.dropout(leaf, 0.3, masks=masks)
            z.backward(torch.full_like(z, 1.5))
            results.append((y, z.detach(), leaf.grad, torch.get_rng_state()))
        for a, b in zip(*results):
            assert torch.equal(a, b)
        assert all(
            m == n for m, n, size in zip(results[0][0].stride(), results[1][0].stride(), x.shape) if size > 1
        )
    with torch.inference_mode():
        dw.dropout(x, 0.3, masks=masks)
    dw.dropout(x, 0.3, masks=masks)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_gradients_of_any_strides(layout):
    """As a dense gradient of the same numbers, whatever consumes the result."""
    consumers = {
        "sum": lambda y: y.sum(),
        "cat": lambda y: (torch.cat([y, y], -1) * 2 if y.dim() else y * 2).square().sum(),
        "expand": lambda y: y.expand(3, *y.shape).sum(),
        "transpose": lambda y: y.transpose(0, -1).contiguous().square().sum() if y.dim() else y * 3,
        "channels last": lambda y: (
            (y.contiguous(memory_format=torch.channels_last) if y.dim() == 4 else y).square().sum()
        ),
        "slice": lambda y: y[..., ::2].sum() if y.dim() else y,
    }
    for name, consume in consumers.items():
        x = numbers(layout, torch.float64).detach().requires_grad_()
        consume(dw.dropout(x, 0.3, seed=1)).backward()
        scale = (by_library(torch.ones_like(x), 0.3, 1)).detach()
        z = numbers(layout, torch.float64).detach().requires_grad_()
        consume(z * scale).backward()
        assert torch.allclose(x.grad, z.grad, rtol=1e-14, atol=0), name


def test_dropped_elements_are_zero_whatever_they_were():
    x = torch.full((1000,), float("nan"))
    x[::2] = float("inf")
    y, keep = dw.dropout(x, 0.5, seed=1), by_library(torch.ones(1000), 0.5, 1) != 0
    assert not keep.all() and keep.any()
    assert (y[~keep] == 0).all() and not torch.signbit(y[~keep]).any() and not torch.isfinite(y[keep]).any()


@pytest.mark.parametrize("masks", ["dropwise", "torch"])
def test_the_input_itself_where_nothing_is_dropped(masks):
    x, empty = torch.randn(3, 4, 5, requires_grad=True), torch.empty(2, 0, 3)
    before = torch.get_rng_state()
    for function in (dw.dropout, dw.dropout1d, dw.alpha_dropout, dw.feature_alpha_dropout):
        assert function(x, 0.5, False, masks=masks) is x
        assert function(x, 0.0, True, masks=masks) is x
        assert function(empty, 0.5, True, masks=masks) is empty
        assert function(x, 0.0, True, True, masks=masks) is x
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("masks", ["dropwise", "torch"])
@pytest.mark.parametrize("layout", ["dense", "channels last", "sliced", "every third", "scalar"])
def test_in_place_and_out(layout, masks):
    source = {"masks": masks} if masks == "torch" else {"seed": 3}
    for requires_grad in (False, True):
        x = numbers(layout).clone().requires_grad_(requires_grad)
        torch.manual_seed(2)
        expected = dw.dropout(x.detach(), 0.5, **source)
        leaf = x * 1
        torch.manual_seed(2)
        assert dw.dropout(leaf, 0.5, inplace=True, **source) is leaf
        assert torch.equal(leaf, expected)
        if requires_grad:
            leaf.sum().backward()
            assert torch.equal(x.grad != 0, expected != 0)
    for out in (torch.empty_like(expected), x.detach().clone(), torch.empty(expected.numel() * 2)[::2]):
        out = (
            out
            if out.shape == expected.shape
            else out.view(expected.shape)
            if out.dim() == 1 and (expected.dim() == 1)
            else torch.empty_like(expected)
        )
        torch.manual_seed(2)
        assert dw.dropout(x.detach(), 0.5, out=out, **source) is out
        assert torch.equal(out, expected)
    same_place = x.detach().clone()
    torch.manual_seed(2)
    dw.dropout(same_place, 0.5, out=same_place, **source)
    assert torch.equal(same_place, expected)


@pytest.mark.parametrize("masks", ["dropwise", "torch"])
@pytest.mark.parametrize("way", ["in place", "in place, differentiated", "out"])
def test_what_autograd_saved_is_not_changed_in_silence(way, masks):
    w = torch.randn(5, requires_grad=True)
    x = w * 1 if "differentiated" in way else torch.randn(5)
    y = x * w
    if way == "out":
        dw.dropout(torch.randn(5), 0.5, masks=masks, out=x)
    else:
        dw.dropout(x, 0.5, inplace=True, masks=masks)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_in_place_in_inference_mode():
    with torch.inference_mode():
        x = torch.ones(50)
        dw.dropout(x, 0.5, inplace=True, seed=1)
        dw.dropout(torch.ones(50), 0.5, out=torch.empty(50))
    assert same(x.clone(), by_library(torch.ones(50), 0.5, 1))


@pytest.mark.parametrize("masks", ["dropwise", "torch"])
def test_views_in_place(masks):
    source = {"masks": masks} if masks == "torch" else {"seed": 3}
    w = torch.ones(20, requires_grad=True)
    for view in (w.view(4, 5), w[3:], w.view(4, 5).t()):
        with pytest.raises(RuntimeError, match="leaf"):
            dw.dropout(view, 0.5, inplace=True, **source)
        assert (w == 1).all()
    with pytest.raises(RuntimeError, match="multiple views"):
        dw.dropout((w * 1).chunk(2)[0], 0.5, inplace=True, **source)
    torch.manual_seed(2)
    expected = dw.dropout(torch.ones(10), 0.5, **source)
    whole = w * 1
    torch.manual_seed(2)
    dw.dropout(whole[10:], 0.5, inplace=True, **source)
    assert torch.equal(whole, torch.cat([torch.ones(10), expected]))
    whole.sum().backward()
    assert torch.equal(w.grad, whole)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_do_not_matter(threads):
    before = torch.get_num_threads()
    x = torch.randn(3, 5, 40000)
    try:
        torch.set_num_threads(threads)
        for y in (x, x.transpose(0, 1), x[..., ::2], x.bfloat16()):
            assert same(dw.dropout(y, 0.3, seed=1), by_library(y, 0.3, 1))
        assert same(dw.alpha_dropout(x, 0.3, True, seed=1), dw.alpha_dropout(x, 0.3, True, seed=1))
        torch.manual_seed(1)
        ours = dw.dropout(x, 0.3, masks="torch")
        torch.manual_seed(1)
        assert same(ours, F.dropout(x, 0.3))
    finally:
        torch.set_num_threads(before)


def test_the_rate_is_kept():
    kept = (dw.dropout(torch.ones(1 << 20), 0.3) != 0).sum().item()
    assert abs(kept - 0.7 * 2**20) < 4 * (2**20 * 0.21) ** 0.5


def test_bytes_saved_for_backward():
    saved = []

    def pack(tensor):
        saved.append(tensor.numel() * tensor.element_size())
        return tensor

    x = torch.randn(1000, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        dw.dropout(x, 0.5)
        assert sum(saved) <= 8
        saved.clear()
        dw.dropout_add(x, x, None, 0.5)
        dw.alpha_dropout(x, 0.5, True)
        dw.drop_path(x, 0.5)
        assert sum(saved) <= 24
        saved.clear()
        dw.gelu_dropout(x, 0.5)
        assert sum(saved) <= 4000 + 8
        saved.clear()
        dw.dropout(x, 0.5, masks="torch")
        assert sum(saved) <= 1000 / 8


# ---- PyTorch's masks ----


def both(ours, theirs, x, seed=3):
    """Results of both, and the state of the generator after each."""
    results = []
    for function in (ours, theirs):
        torch.manual_seed(seed)
        torch.randn(3)  # one normal number waits, and the position is odd
        results.append((function(x), torch.get_rng_state()))
    return results


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_torch_masks_are_those_of_pytorch(layout, dtype):
    for p, inplace in itertools.product(RATES, (False, True)):
        x = numbers(layout, dtype)
        if inplace and ("expanded" in layout or layout == "all the same"):
            continue
        (y, after), (z, after_theirs) = both(
            lambda x, p=p, i=inplace: dw.dropout(x.clone() if i else x, p, True, i, masks="torch"),
            lambda x, p=p, i=inplace: F.dropout(x.clone() if i else x, p, True, i),
            x,
        )
        assert same(y, z) and torch.equal(after, after_theirs), (p, inplace)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    "name, shape",
    [
        ("alpha_dropout", (5, 7)),
        ("feature_alpha_dropout", (5, 7, 3)),
        ("dropout1d", (5, 7, 3)),
        ("dropout1d", (5, 7)),
        ("dropout2d", (5, 7, 3, 2)),
        ("dropout3d", (5, 7, 3, 2, 2)),
        ("dropout3d", (7, 3, 2, 2)),
    ],
)
def test_torch_masks_of_other_functions(name, shape, dtype):
    ours, theirs = getattr(dw, name), getattr(F, name)
    torch.manual_seed(0)
    x = torch.randn(shape).to(dtype)
    for y, p, inplace in itertools.product((x, x.transpose(0, -1)), RATES, (False, True)):
        (a, after), (b, after_theirs) = both(
            lambda x, p=p, i=inplace: ours(x.clone() if i else x, p, True, i, masks="torch"),
            lambda x, p=p, i=inplace: theirs(x.clone() if i else x, p, True, i),
            y,
        )
        assert same(a, b) and torch.equal(after, after_theirs), (p, inplace)


def test_torch_gradients_are_those_of_pytorch():
    for layout, name in itertools.product(LAYOUTS, ("dropout", "alpha_dropout")):
        gradients = []
        for function in (functools.partial(getattr(dw, name), masks="torch"), getattr(F, name)):
            x = numbers(layout).detach().requires_grad_()
            torch.manual_seed(3)
            y = function(x, 0.3, True)
            y.backward(torch.full_like(y, 1.7).requires_grad_())
            gradients.append(x.grad)
        assert torch.equal(*gradients), layout


def test_native_dropout():
    x = torch.randn(1000)
    for p in (0.0, 0.3, 1.0):
        (a, after), (b, after_theirs) = both(
            lambda x, p=p: _torch_masks.native_dropout(x, p),
            lambda x, p=p: torch.native_dropout(x, p, True),
            x,
        )
        assert torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) and torch.equal(after, after_theirs)


def test_torch_masks_by_a_generator():
    x = torch.randn(100)
    torch.manual_seed(9)
    expected = F.dropout(x, 0.3)
    before = torch.get_rng_state()
    generator = torch.Generator().manual_seed(9)
    assert same(dw.dropout(x, 0.3, masks="torch", generator=generator), expected)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(generator.get_state()[:5056], before)


def test_the_check_finds_other_masks(monkeypatch):
    assert _torch_masks.compare()
    before = torch.get_rng_state()
    other = lambda x, p, state: (x * 0, torch.empty(0))  # noqa: E731
    monkeypatch.setattr(_torch_masks, "_is_checked", False)
    monkeypatch.setattr(_operators, "torch_dropout", other)
    with pytest.raises(RuntimeError, match="masks: 'torch' is not available, as PyTorch 2"):
        dw.dropout(torch.ones(3), 0.5, masks="torch")
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("name", ["dropout", "dropout1d", "alpha_dropout", "feature_alpha_dropout"])
def test_torch_masks_take_no_seeds(name):
    function, x, before = getattr(dw, name), torch.ones(3, 4, 5), torch.get_rng_state()
    for option, value in (("seed", 0), ("seed", torch.tensor([3])), ("stream", 1), ("step", 2)):
        with pytest.raises(ValueError, match=f"{option}: is for masks='dropwise'"):
            function(x, 0.5, True, masks="torch", **{option: value})
    for option, value in (("seed", None), ("stream", 0), ("step", 0)):
        torch.set_rng_state(before)
        y = function(x, 0.5, True, masks="torch", **{option: value})
        torch.set_rng_state(before)
        assert torch.equal(y, function(x, 0.5, True, masks="torch"))
    with pytest.raises(TypeError, match="generator: is for tensors on the CPU"):
        function(x.to("meta"), 0.5, True, masks="torch", generator=torch.Generator())


# ---- Other tensors ----


@pytest.mark.parametrize(
    "name", ["dropout", "dropout1d", "alpha", "add", "gelu", "silu", "zoneout", "uniform"]
)
def test_more_dimensions_than_the_library_has(name):
    """Of any strides, forward and backward, and laid out as PyTorch's."""
    functions = {
        "dropout": lambda x: dw.dropout(x, 0.3, seed=1),
        "dropout1d": lambda x: dw.locked_dropout(x, 0.3, dim=(4, 5), seed=1),
        "alpha": lambda x: dw.alpha_dropout(x, 0.3, True, seed=1),
        "add": lambda x: dw.dropout_add(x, x.flip(0), None, 0.3, seed=1),
        "gelu": lambda x: dw.gelu_dropout(x, 0.3, seed=1),
        "silu": lambda x: dw.silu_dropout(x, 0.3, seed=1),
        "zoneout": lambda x: dw.zoneout(x, x.flip(0), 0.3, seed=1),
        "uniform": lambda x: dw.concrete_dropout(x, torch.tensor(0.3), seed=1),
    }
    function, order = functions[name], (3, 1, 4, 9, 5, 8, 2, 6, 0, 7)
    x = torch.randn([2] * 10, generator=torch.Generator().manual_seed(1)).permute(order)
    dy = torch.randn([2] * 10, generator=torch.Generator().manual_seed(2)).permute(order[::-1])
    for source in (x, x.contiguous()):
        results = []
        for y, dz in ((source, dy), (x.contiguous(), dy.contiguous())):
            leaf = y.detach().requires_grad_()
            z = function(leaf)
            results.append((z, *torch.autograd.grad(z, leaf, dz, retain_graph=True)))
            for h in torch.autograd.grad(z, leaf, dz, create_graph=True):
                assert torch.allclose(h, results[-1][1], rtol=1e-4, atol=1e-5)
        assert all(torch.allclose(a, b, rtol=1e-5, atol=1e-6) for a, b in zip(*results))
        assert results[0][0].stride() == F.dropout(source).stride()


def test_more_dimensions_in_place_and_out():
    x = torch.randn([2] * 10).permute(3, 1, 4, 9, 5, 8, 2, 6, 0, 7)
    expected = dw.dropout(x.contiguous(), 0.3, seed=1)
    assert torch.equal(dw.dropout(x, 0.3, seed=1), expected)
    for out in (torch.empty_like(x), torch.empty(x.shape)):
        assert torch.equal(dw.dropout(x, 0.3, seed=1, out=out), expected)
    leaf = x.detach().requires_grad_()
    y = dw.dropout(leaf * 1, 0.3, inplace=True, seed=1)
    y.backward(x.permute(*range(9, -1, -1)) * 0 + 1)
    assert torch.equal(y, expected) and torch.equal(leaf.grad != 0, expected != 0)
    torch.manual_seed(1)
    y = dw.dropout(x, 0.3)
    torch.manual_seed(1)
    assert torch.equal(y, dw.dropout(x.contiguous(), 0.3))


def test_another_default_device():
    """PyTorch calls functions like ours without it, but not what they are made of."""
    x = torch.ones(50, requires_grad=True)
    expected, drawn = dw.dropout(x, 0.5, seed=3), dw.dropout(x, 0.5)
    torch.set_default_device("meta")
    try:
        seeds = [_arguments.seed_tensor(3, None), _arguments.seed_tensor(None, torch.Generator("cpu"))]
        y = torch.ops.dropwise.dropout_v1(x, seeds[0], 0, 0.5, 0, None)
        (dx,) = torch.autograd.grad(drawn, x, x.detach(), create_graph=True)
        assert all(seed.device.type == "cpu" for seed in seeds)
    finally:
        torch.set_default_device(None)
    assert torch.equal(y, expected) and torch.equal(dx, drawn)


def test_views_that_are_lazily_negated():
    x = torch.randn(50, dtype=torch.complex64).conj().imag
    assert x.is_neg()
    assert same(dw.dropout(x, 0.3, seed=1), by_library(x.resolve_neg(), 0.3, 1))
    torch.manual_seed(1)
    ours = dw.dropout(x, 0.3, masks="torch")
    torch.manual_seed(1)
    assert torch.equal(ours, F.dropout(x, 0.3))
    z = torch.randn(50, dtype=torch.complex64, requires_grad=True)
    dw.dropout(z.conj().imag, 0.3, seed=1).sum().backward()
    assert torch.equal(z.grad.imag, -by_library(torch.ones(50), 0.3, 1))


@pytest.mark.parametrize("masks", ["dropwise", "torch"])
def test_meta_and_fake_tensors(masks):
    from torch._subclasses import FakeTensorMode

    for layout in LAYOUTS:
        x = numbers(layout)
        for function in (dw.dropout, dw.alpha_dropout):
            y = function(x, 0.3, True, masks=masks)
            meta = function(x.to("meta"), 0.3, True, masks=masks)
            assert meta.is_meta and meta.shape == y.shape
            with FakeTensorMode(allow_non_fake_inputs=True) as mode:
                fake = function(mode.from_tensor(x), 0.3, True, masks=masks)
            assert fake.dtype == y.dtype
            assert all(m == n for m, n, size in zip(fake.stride(), y.stride(), x.shape) if size > 1)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("masks", ["dropwise", "torch"])
@pytest.mark.parametrize("layout", [torch.jagged, torch.strided], ids=str)
def test_nested_tensors(layout, masks):
    parts = [torch.randn(n, 4) for n in (3, 1, 5)]
    x = torch.nested.nested_tensor(parts, layout=layout, requires_grad=True)
    source = {"masks": "torch"} if masks == "torch" else {"seed": 1}
    torch.manual_seed(1)
    y = dw.dropout(x, 0.3, **source)
    torch.manual_seed(1)
    expected = dw.dropout(torch.cat(parts), 0.3, **source)
    assert y.is_nested and y.layout == layout and torch.equal(torch.cat(list(y.unbind())), expected)
    torch.nested.to_padded_tensor(y, 0.0).sum().backward()
    assert torch.equal(torch.cat(list(x.grad.unbind())) != 0, expected != 0)
    assert dw.dropout(x, 0.0) is x


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("masks", ["dropwise", "torch"])
def test_nested_tensors_that_are_transposed(masks):
    parts = [torch.ones(n, 4) for n in (3, 1, 5)]
    x = torch.nested.nested_tensor(parts, layout=torch.jagged, requires_grad=True)
    turned = x.transpose(1, 2)
    y = dw.dropout(turned, 0.3, masks=masks)
    assert [part.shape for part in y.unbind()] == [part.shape for part in turned.unbind()]
    y.values().sum().backward()
    assert torch.equal(x.grad.values(), y.transpose(1, 2).values())


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("layout", [torch.jagged, torch.strided], ids=str)
def test_nested_tensors_of_other_functions(layout):
    x = torch.nested.nested_tensor([torch.ones(3, 4), torch.ones(1, 4)], layout=layout)
    y = dw.gelu_dropout(x, 0.3, seed=1)
    assert torch.equal(torch.cat(list(y.unbind())), dw.dropout(F.gelu(torch.ones(4, 4)), 0.3, seed=1))
    for function in (dw.dropout1d, dw.alpha_dropout, dw.drop_path, dw.drop_block, dw.locked_dropout):
        with pytest.raises(TypeError, match="input: is nested, and this function takes dense tensors"):
            function(x, training=True)
    with pytest.raises(TypeError, match="input: is nested"):
        dw.zoneout(x, x)
    if layout == torch.jagged:
        y = dw.dropout_add(x, x, None, 0.3, seed=1)
        assert torch.equal(y.values(), 1 + dw.dropout(torch.ones(4, 4), 0.3, seed=1))


# ---- Errors ----

X = torch.ones(3, 4)
ERRORS = {
    "p above": (lambda: dw.dropout(X, 1.5), ValueError, r"p: must be from 0 to 1, not 1\.5"),
    "p NaN": (lambda: dw.dropout(X, float("nan")), ValueError, "p: must be from 0 to 1, not nan"),
    "p text": (lambda: dw.dropout(X, "0.1"), TypeError, "p: must be a number, not str"),
    "p in eval": (lambda: dw.dropout(X, -1, False), ValueError, "p: must be"),
    "integers": (lambda: dw.dropout(X.int()), TypeError, r"input: is of torch\.int32"),
    "bool": (lambda: dw.dropout(X.bool()), TypeError, r"input: is of torch\.bool"),
    "complex": (lambda: dw.dropout(X.cfloat()), TypeError, r"input: is of torch\.complex64"),
    "float8": (lambda: dw.dropout(X.to(torch.float8_e5m2)), TypeError, r"input: is of torch\.float8_e5m2"),
    "sparse": (lambda: dw.dropout(X.to_sparse()), TypeError, r"input: is of torch\.sparse_coo"),
    "list": (lambda: dw.dropout([1.0]), TypeError, r"input: must be a torch\.Tensor, not list"),
    "masks": (lambda: dw.dropout(X, masks="numpy"), ValueError, "masks: must be one of 'dropwise', 'torch'"),
    "option": (lambda: dw.dropout(X, sead=1), TypeError, "sead: is no option; there are elsewhere"),
    "seed below": (lambda: dw.dropout(X, seed=-1), ValueError, "seed: must be from 0"),
    "seed above": (lambda: dw.dropout(X, seed=2**64), ValueError, "seed: must be from 0"),
    "seed float": (lambda: dw.dropout(X, seed=1.0), TypeError, "seed: must be a whole number"),
    "seed dtype": (
        lambda: dw.dropout(X, seed=torch.ones(1)),
        TypeError,
        r"seed: must be one number of int64",
    ),
    "seed without a value": (
        lambda: dw.dropout(X, seed=torch.ones(1, dtype=torch.int64, device="meta")),
        TypeError,
        "seed: must be one number of int64 on the CPU, not .* on meta",
    ),
    "elsewhere": (
        lambda: dw.dropout(X, elsewhere="bogus"),
        ValueError,
        "elsewhere: must be one of 'torch', 'error', not 'bogus'",
    ),
    "elsewhere of a module": (lambda: dw.Dropout(elsewhere="bogus"), ValueError, "elsewhere: must be one of"),
    "seeds": (lambda: dw.dropout(X, seed=torch.tensor([1, 2])), TypeError, "seed: must be one number"),
    "stream": (lambda: dw.dropout(X, seed=1, stream=2**32), ValueError, "stream: must be from 0 to"),
    "stream float": (lambda: dw.dropout(X, stream=0.5), TypeError, "stream: must be a whole number"),
    "step": (lambda: dw.dropout(X, seed=1, step=-1), ValueError, "step: must be from 0 to"),
    "both": (
        lambda: dw.dropout(X, seed=1, generator=torch.Generator()),
        ValueError,
        "generator: has nothing to draw",
    ),
    "generator": (lambda: dw.dropout(X, generator=5), TypeError, r"generator: must be a torch\.Generator"),
    "generator's device": (
        lambda: dw.dropout(X, generator=type("G", (), {"device": torch.device("cuda")})()),
        TypeError,
        "generator: must be",
    ),
    "seed of torch": (
        lambda: dw.dropout(X, seed=1, masks="torch"),
        ValueError,
        "seed: is for masks='dropwise'",
    ),
    "out's shape": (
        lambda: dw.dropout(X, out=torch.ones(4, 3)),
        ValueError,
        r"out: must be of shape \(3, 4\)",
    ),
    "out's dtype": (lambda: dw.dropout(X, out=X.double()), TypeError, r"out: is of torch\.float64"),
    "out in place": (lambda: dw.dropout(X, 0.5, True, True, out=X), ValueError, "out: is the input itself"),
    "out's gradient": (
        lambda: dw.dropout(X.clone().requires_grad_(), out=X.clone()),
        RuntimeError,
        "out: cannot be differentiated",
    ),
    "leaf in place": (
        lambda: dw.dropout(X.clone().requires_grad_(), inplace=True),
        RuntimeError,
        "inplace: a leaf",
    ),
    "dimensions of 1d": (lambda: dw.dropout1d(X[0]), ValueError, "input: must have 2 or 3 dimensions, not 1"),
    "dimensions of 3d": (lambda: dw.dropout3d(X), ValueError, "input: must have 4 or 5 dimensions, not 2"),
    "dimensions of 2d": (lambda: dw.dropout2d(X[0]), ValueError, "input: must have 2 or more dimensions"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_name_the_argument(name):
    call, error, message = ERRORS[name]
    before, state = X.clone(), torch.get_rng_state()
    with pytest.raises(error, match=message):
        call()
    assert torch.equal(X, before) and torch.equal(state, torch.get_rng_state())


def test_operators_refuse_what_functions_do_not_hand_them():
    ops, seed, state = torch.ops.dropwise, torch.tensor([1]), torch.get_rng_state()
    calls = [
        lambda: ops.dropout_v1(X, seed.int(), 0, 0.5, 0, None),
        lambda: ops.dropout_v1(X, torch.tensor(1), 0, 0.5, 0, None),
        lambda: ops.dropout_v1(X, torch.ones(2, 1, dtype=torch.int64), 0, 0.5, 0, None),
        lambda: ops.dropout_v1(X, torch.ones(1, 1, 1, 1, dtype=torch.int64), 0, 0.5, 0, None),
        lambda: ops.dropout_v1(X, seed, 0, 0.5, 0, [1]),
        lambda: ops.dropout_v1(X, seed, 0, 0.5, 0, [0, 0, 2, 4]),
        lambda: ops.dropout_v1(X, seed, 0, 0.5, 0, [0, 0, 2**40, 2**40]),
        lambda: ops.dropout_v1(X, seed, 0, 0.5, 0, [-1, 0, 5, 4]),
        lambda: ops.dropout_v1(X, seed, 0, 0.5, 0, [0] * 200),
        lambda: ops.dropout_v1(X, seed, 0, 2.0, 0, None),
        lambda: ops.dropout_v1(X.int(), seed, 0, 0.5, 0, None),
        lambda: ops.dropout_v1(
            torch.ones([2] * 18).permute(*range(17, -1, -2), *range(0, 18, 2)), seed, 0, 0.5, 0, None
        ),
        lambda: ops.dropout_out_v1(X, seed, 0, 0.5, 0, None, X.double()),
        lambda: ops.dropout_out_v1(X, seed, 0, 0.5, 0, None, torch.ones(1, 1).expand(3, 4)),
        lambda: ops.zoneout_v1(X, X[:2], seed, 0, 0.5, 0, None),
        lambda: ops.residual_v1(X, X[0, :2], X, seed, 0, 0.5, 0, None),
        lambda: ops.activation_v1(X, None, seed, 0, 0.5, 0, None, 99),
        lambda: ops.activation_v1(X, None, seed, 0, 0.5, 0, None, 2**32 + 1),
        lambda: ops.activation_v1(X, None, seed, 0, 0.5, 0, None, 2**62),
        lambda: ops.activation_v1(X, None, seed, 0, 0.5, 0, None, -1),
        lambda: ops.softmax_v1(X, None, seed, 0, 0.5, 0, None, float("inf"), 0, 0),
        lambda: ops.blocks_v1(X, seed, 0, 0.5, 0, None, 1 << 5, 3),
        lambda: ops.blocks_v1(X, seed, 0, 0.5, 0, None, 2**32 + 1, 1),
        lambda: ops.blocks_v1(X, seed, 0, 0.5, 0, None, -1, 1),
        lambda: ops.connect_v1(X, X[:, :2], None, seed, 0, 0.5, 0, None),
        lambda: ops.connect_v1(X, X.t(), None, seed, 0, 0.5, 0, None),
        lambda: ops.torch_dropout_v1(X, 0.5, state[:100].clone()),
        lambda: ops.torch_dropout_v1(X, 0.5, torch.zeros_like(state)),
        lambda: ops.torch_dropout_v1(X, 0.5, state.view(torch.int8)),
        lambda: ops.torch_dropout_v1(X, 0.5, state.repeat_interleave(2)[::2]),
        lambda: ops.torch_apply_v1(X, torch.zeros(1, dtype=torch.uint8), 0.5, [4, 1]),
        lambda: ops.torch_apply_v1(X, torch.zeros(2, dtype=torch.uint8), 0.5, [4]),
        lambda: ops.torch_apply_v1(X, torch.zeros(1, dtype=torch.uint8).expand(2), 0.5, [4, 1]),
        lambda: ops.torch_apply_v1(X, torch.zeros(2, dtype=torch.int8), 0.5, [4, 1]),
        lambda: ops.torch_bernoulli_v1(X.int(), 0.5, state),
    ]
    for i, call in enumerate(calls):
        with pytest.raises(RuntimeError, match="dropwise::"):
            call()
            pytest.fail(str(i))


def test_other_versions_are_import_errors():
    _load.check_torch("2.10.0")
    _load.check_torch("3.0.0a0+git123")
    for version in ("2.9.1", "1.13.1+cpu"):
        with pytest.raises(
            ImportError, match=rf"dropwise {dropwise.__version__} needs PyTorch 2\.10 .* {version[:3]}"
        ):
            _load.check_torch(version)
    with pytest.raises(ImportError, match=r"calls aoti_torch_check, which PyTorch 9\.9 does not have"):
        _load.addresses(object(), "9.9")


def without(path):
    """torch, of which one name is missing."""

    class Without:
        def __init__(self, of, path):
            self.of, (self.name, *self.rest) = of, path

        def __getattr__(self, name):
            found = getattr(self.of, name)
            if name != self.name:
                return found
            if not self.rest:
                raise AttributeError(name)
            return Without(found, self.rest)

    return Without(torch, path.split("."))


@pytest.mark.parametrize("name", _load.PRIVATE)
def test_versions_without_a_private_name_are_import_errors(name):
    _load.check_private(torch, torch.__version__)
    with pytest.raises(
        ImportError,
        match=rf"dropwise {dropwise.__version__} calls torch\.{name}, which PyTorch 9\.9 does not",
    ):
        _load.check_private(without(name), "9.9")


def test_private_names_are_checked_where_they_are_named():
    """What the package's modules take of PyTorch by names with an underscore is in the one list.

    Inductor is not: where it lacks what it is told by, it is told nothing.
    """
    known = {part for name in _load.PRIVATE for part in name.split(".")}
    known |= {"_functional_collectives", "_inductor"}
    for path in pathlib.Path(dw.__file__).parent.glob("*.py"):
        for found in re.findall(r"\b(?:torch|forward_ad|own)((?:\.\w+)+)", path.read_text()):
            names = {name for name in found.split(".") if re.match("_[^_]", name)}
            assert names <= known, (path.name, found)
