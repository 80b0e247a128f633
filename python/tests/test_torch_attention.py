"""dropwise.torch.scaled_dot_product_attention, against its steps and against PyTorch's."""

import functools
import itertools

import pytest
from conftest import needs

torch = needs("torch")
import torch.nn.functional as F  # noqa: E402

import dropwise.torch as dw  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")

SEED = {"seed": 5, "stream": 2}


def tensors(kind="dense", dtype=torch.float32, queries=7, keys=9):
    torch.manual_seed(1)
    heads, kv_heads = (4, 2) if kind == "grouped" else (3, 3)
    q, k, v = (
        torch.randn(2, heads, queries, 8),
        torch.randn(2, kv_heads, keys, 8),
        torch.randn(2, kv_heads, keys, 6),
    )
    if kind == "heads inside":
        q, k, v = (x.transpose(1, 2).contiguous().transpose(1, 2) for x in (q, k, v))
    if kind == "rows apart":
        q, k, v = (x.transpose(2, 3).contiguous().transpose(2, 3) for x in (q, k, v))
    if kind == "three dimensions":
        q, k, v = q[0], k[0], v[0]
    return [x.to(dtype) for x in (q, k, v)]


def by_steps(q, k, v, mask=None, p=0.3, causal=False, scale=None, **options):
    """The definition, by dropout of the probabilities."""
    if k.shape[-3] != q.shape[-3]:
        k, v = (x.repeat_interleave(q.shape[-3] // x.shape[-3], -3) for x in (k, v))
    logits = q @ k.mT * (q.shape[-1] ** -0.5 if scale is None else scale)
    if causal:
        mask = torch.ones(logits.shape[-2:], dtype=torch.bool).tril()
    if mask is not None:
        logits = logits.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else logits + mask
    return dw.dropout(torch.nan_to_num(logits.softmax(-1)), p, **options) @ v


MASKS = {
    "none": {},
    "causal": {"is_causal": True},
    "bool": {"attn_mask": torch.rand(7, 9, generator=torch.Generator().manual_seed(3)) > 0.3},
    "of keys": {"attn_mask": (torch.arange(9) < 6).view(1, 1, 1, 9)},
    "added": {"attn_mask": torch.randn(2, 1, 7, 9, generator=torch.Generator().manual_seed(3))},
    "scaled": {"scale": 0.7},
}


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("kind", ["dense", "grouped", "heads inside", "rows apart", "three dimensions"])
def test_values_and_gradients(kind, mask):
    arguments = dict(MASKS[mask])
    if kind == "three dimensions" and mask in ("of keys", "added"):
        arguments["attn_mask"] = arguments["attn_mask"][0]
    renamed = {"attn_mask": "mask", "is_causal": "causal"}
    steps = {renamed.get(name, name): value for name, value in arguments.items()}
    results = []
    for function in (
        functools.partial(
            dw.scaled_dot_product_attention, dropout_p=0.3, enable_gqa=True, **arguments, **SEED
        ),
        functools.partial(by_steps, **steps, **SEED),
    ):
        leaves = [x.detach().requires_grad_() for x in tensors(kind)]
        out = function(*leaves)
        (out.transpose(-1, -2) * 3).square().sum().backward()
        results.append([out, *(x.grad for x in leaves)])
    for a, b in zip(*results):
        assert torch.allclose(a, b, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_narrow_dtypes(dtype):
    results = []
    for to in (dtype, torch.float32):
        leaves = [x.to(to).requires_grad_() for x in tensors(dtype=dtype, queries=70, keys=90)]
        out = dw.scaled_dot_product_attention(*leaves, None, 0.3, **SEED)
        out.float().square().sum().backward()
        results.append([x.float() for x in (out, *(leaf.grad for leaf in leaves))])
    for a, b in zip(*results):
        assert torch.allclose(a, b, rtol=0.05, atol=0.05)


def test_derivatives_of_both_orders():
    function = lambda *x: dw.scaled_dot_product_attention(*x, None, 0.3, True, **SEED)  # noqa: E731
    leaves = [x[:1, :1, :3, :3].requires_grad_() for x in tensors(dtype=torch.float64)]
    assert torch.autograd.gradcheck(function, leaves) and torch.autograd.gradgradcheck(function, leaves)
    products = []
    for dtype in (torch.float32, torch.float64):
        leaves = [x.detach().to(dtype).requires_grad_() for x in tensors()]
        gradients = torch.autograd.grad(function(*leaves).square().sum(), leaves, create_graph=True)
        products.append(torch.autograd.grad(sum(g.square().sum() for g in gradients), leaves))
    for a, b in zip(*products):
        assert torch.allclose(a.double(), b, rtol=1e-3, atol=1e-3)


def test_gradients_of_gradients_belong_to_arguments():
    """Also where these are one tensor, or one is computed from another, or some need no gradient."""
    x = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(2))
    attention = functools.partial(dw.scaled_dot_product_attention, dropout_p=0.3, **SEED)
    constant = x.flip(0)
    functions = {
        "one": lambda x: attention(x, x, x),
        "computed": lambda x: attention(x, x * 2, x.sin()),
        "query": lambda x: attention(x, constant, constant),
        "key and value": lambda x: attention(constant, x, x + 1),
        "value": lambda x: attention(constant, constant, x),
    }
    for name, function in functions.items():
        gradients = []
        for create_graph in (False, True):
            leaf = x.clone().requires_grad_()
            out = function(leaf).square().sum()
            gradients += torch.autograd.grad(out, leaf, create_graph=create_graph)
        assert torch.allclose(*gradients, rtol=1e-3, atol=1e-4), name


def test_queries_without_keys_are_zero():
    q, k, v = tensors()
    out = dw.scaled_dot_product_attention(q, k, v, torch.zeros(7, 9, dtype=torch.bool), 0.3)
    assert (out == 0).all()


def test_threads_do_not_matter():
    before = torch.get_num_threads()
    results = []
    try:
        for threads, heads in itertools.product((1, 2, 5), (1, 3)):
            torch.set_num_threads(threads)
            leaves = [x[:, :heads].detach().requires_grad_() for x in tensors(queries=300, keys=200)]
            out = dw.scaled_dot_product_attention(*leaves, None, 0.3, **SEED)
            out.sum().backward()
            results.append((heads, [out, *(x.grad for x in leaves)]))
    finally:
        torch.set_num_threads(before)
    for heads in (1, 3):
        first, *rest = [result for of, result in results if of == heads]
        assert all(torch.equal(a, b) for other in rest for a, b in zip(first, other))


def test_without_dropout_it_is_pytorchs():
    q, k, v = tensors()
    before = torch.get_rng_state()
    assert torch.equal(dw.scaled_dot_product_attention(q, k, v), F.scaled_dot_product_attention(q, k, v))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("kind", ["dense", "grouped", "three dimensions"])
def test_pytorchs_masks(kind, mask, dtype):
    arguments = {"enable_gqa": kind == "grouped", **MASKS[mask]}
    if mask == "added":
        arguments["attn_mask"] = arguments["attn_mask"].to(dtype)
    if kind == "three dimensions" and mask in ("of keys", "added"):
        arguments["attn_mask"] = arguments["attn_mask"][0]
    results = []
    for function in (
        functools.partial(dw.scaled_dot_product_attention, masks="torch"),
        F.scaled_dot_product_attention,
    ):
        leaves = [x.detach().requires_grad_() for x in tensors(kind, dtype)]
        torch.manual_seed(3)
        out = function(*leaves, dropout_p=0.3, **arguments)
        out.float().square().sum().backward()
        results.append([out, *(x.grad for x in leaves), torch.get_rng_state()])
    for a, b in zip(*results):
        assert torch.equal(a, b)


def test_transformations():
    q, k, v = tensors()
    function = lambda q, k, v: dw.scaled_dot_product_attention(q, k, v, None, 0.3, **SEED)  # noqa: E731
    y = torch.vmap(function)(q, k, v)
    assert torch.allclose(y, torch.stack([function(*x) for x in zip(q, k, v)]), atol=1e-5)
    _, dy = torch.func.jvp(lambda q: function(q, k, v), (q,), (torch.ones_like(q),))
    assert torch.isfinite(dy).all() and (dy != 0).any()
    torch._dynamo.reset()
    compiled = torch.compile(function, fullgraph=True, dynamic=True, backend="aot_eager")
    for n in (7, 8):
        leaves = [x.detach().requires_grad_() for x in tensors(queries=n)]
        out = compiled(*leaves)
        assert torch.equal(out, function(*leaves)) and out.stride() == function(*leaves).stride()
        out.sum().backward()
        compiled_gradient, leaves[0].grad = leaves[0].grad, None
        function(*leaves).sum().backward()
        assert torch.allclose(compiled_gradient, leaves[0].grad, atol=1e-6)
    for tests in (
        "test_schema",
        "test_autograd_registration",
        "test_faketensor",
        "test_aot_dispatch_dynamic",
    ):
        arguments = (
            *(x.requires_grad_() for x in (q, k, v)),
            None,
            None,
            torch.tensor([5]),
            2,
            0.3,
            0,
            None,
            0.4,
            1,
        )
        torch.library.opcheck(torch.ops.dropwise.attention_v1, arguments, test_utils=tests)


Q, K, V = tensors()
ERRORS = {
    "p": (
        lambda: dw.scaled_dot_product_attention(Q, K, V, None, 1.5),
        ValueError,
        "dropout_p: must be from 0",
    ),
    "rows": (lambda: dw.scaled_dot_product_attention(Q, V, V, None, 0.5), ValueError, "key: has rows of 6"),
    "keys": (
        lambda: dw.scaled_dot_product_attention(Q, K, V[:, :, 1:], None, 0.5),
        ValueError,
        "value: has 8 rows",
    ),
    "heads": (
        lambda: dw.scaled_dot_product_attention(Q, K[:, :1], V[:, :1], None, 0.5),
        ValueError,
        "key: has 1 heads",
    ),
    "dtype": (
        lambda: dw.scaled_dot_product_attention(Q, K, V.double(), None, 0.5),
        TypeError,
        "value: is of",
    ),
    "mask": (
        lambda: dw.scaled_dot_product_attention(Q, K, V, torch.ones(7, 9).int(), 0.5),
        TypeError,
        "attn_mask: must be of bool",
    ),
    "list": (
        lambda: dw.scaled_dot_product_attention(Q, K, V, [[1.0]], 0.5),
        TypeError,
        r"attn_mask: must be a torch\.Tensor, not list",
    ),
    "mask's shape": (
        lambda: dw.scaled_dot_product_attention(Q, K, V, torch.ones(6, 9), 0.5),
        ValueError,
        r"attn_mask: must broadcast to \(2, 3, 7, 9\), not be of shape \(6, 9\)",
    ),
    "mask's dimensions": (
        lambda: dw.scaled_dot_product_attention(Q[0], K[0], V[0], torch.ones(1, 3, 7, 9), 0.5),
        ValueError,
        r"attn_mask: must broadcast to \(3, 7, 9\)",
    ),
    "seed of torch": (
        lambda: dw.scaled_dot_product_attention(Q, K, V, None, 0.5, masks="torch", seed=0),
        ValueError,
        "seed: is for masks='dropwise'",
    ),
    "both": (
        lambda: dw.scaled_dot_product_attention(Q, K, V, torch.ones(7, 9), 0.5, True),
        ValueError,
        "attn_mask: cannot be given",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_name_the_argument(name):
    call, error, message = ERRORS[name]
    with pytest.raises(error, match=message):
        call()
