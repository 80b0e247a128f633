"""dropwise.torch: the other functions, and the modules, against the C library and PyTorch's own steps."""

import copy
import itertools
import pickle

import numpy as np
import pytest
from conftest import needs

import dropwise

torch = needs("torch")
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

import dropwise.torch as dw  # noqa: E402

HAS_MATH = dropwise._core.info()["math"]
SEED = {"seed": 5, "stream": 2}
MASK = dropwise.Mask(0.3, 5, 2)


def numbers(*shape, dtype=torch.float32):
    torch.manual_seed(len(shape))
    return torch.randn(*shape).to(dtype)


def layouts(x):
    """A tensor of 4 dimensions in several layouts."""
    yield x
    yield x.contiguous(memory_format=torch.channels_last)
    yield x.transpose(0, 2)
    yield x[..., ::2]
    yield x[:, :1].expand(-1, 3, -1, -1)
    yield x[..., :1].expand(-1, -1, -1, 4)


def array(x):
    return x.detach().contiguous().numpy()


# ---- Gradients that autograd has not, or that are infinite ----


def test_a_softmax_without_gradients():
    class NoGradient(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, dy):
            return None

    x = numbers(3, 4).requires_grad_()
    NoGradient.apply(dw.softmax_dropout(x, -1, 0.3, **SEED)).sum().backward()
    assert x.grad is None or (x.grad == 0).all()


def test_infinite_gradients_of_zoneout():
    x, before = numbers(50).requires_grad_(), numbers(50).requires_grad_()
    y = dw.zoneout(x, before, 0.3, **SEED)
    dy = torch.full_like(y, float("inf"))
    plain = torch.autograd.grad(y, (x, before), dy, retain_graph=True)
    again = torch.autograd.grad(y, (x, before), dy, create_graph=True)
    assert all(torch.equal(a, b) for a, b in zip(plain, again))
    assert torch.isinf(sum(plain)).all() and not torch.isnan(sum(plain)).any()


# ---- Values: those of the library's functions ----


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16], ids=str)
def test_values_are_those_of_the_library(dtype):
    expected = {
        "alpha": lambda x: dropwise.variants.alpha_forward(MASK, x),
        "channels": lambda x: MASK.forward(x, share=(2, 3)),
        "feature alpha": lambda x: dropwise.variants.alpha_forward(MASK, x, share=(2, 3)),
        "path": lambda x: MASK.forward(x, share=(1, 2, 3)),
        "locked": lambda x: MASK.forward(x, share=(1,)),
        "add": lambda x: dropwise.fused.residual_forward(MASK, x, residual=x * 2),
        "zoneout": lambda x: dropwise.variants.zoneout_forward(MASK, x, x * 2),
    }
    ours = {
        "alpha": lambda x: dw.alpha_dropout(x, 0.3, True, **SEED),
        "channels": lambda x: dw.dropout2d(x, 0.3, **SEED),
        "feature alpha": lambda x: dw.feature_alpha_dropout(x, 0.3, True, **SEED),
        "path": lambda x: dw.drop_path(x, 0.3, **SEED),
        "locked": lambda x: dw.locked_dropout(x, 0.3, dim=1, **SEED),
        "add": lambda x: dw.dropout_add(x, x * 2, None, 0.3, **SEED),
        "zoneout": lambda x: dw.zoneout(x, x * 2, 0.3, **SEED),
    }
    if dtype != torch.float64 or HAS_MATH:
        expected["gelu"] = lambda x: dropwise.fused.activation_forward(MASK, "gelu", x)
        expected["gelu tanh"] = lambda x: dropwise.fused.activation_forward(MASK, "gelu_tanh", x)
        expected["silu"] = lambda x: dropwise.fused.activation_forward(MASK, "silu", x)
        expected["softmax"] = lambda x: dropwise.fused.softmax_forward(MASK, x)
        ours["gelu"] = lambda x: dw.gelu_dropout(x, 0.3, **SEED)
        ours["gelu tanh"] = lambda x: dw.gelu_dropout(x, 0.3, approximate="tanh", **SEED)
        ours["silu"] = lambda x: dw.silu_dropout(x, 0.3, **SEED)
        ours["softmax"] = lambda x: dw.softmax_dropout(x, -1, 0.3, **SEED)
    for name, x in itertools.product(expected, layouts(numbers(2, 3, 4, 4, dtype=dtype))):
        y = ours[name](x)
        assert np.array_equal(array(y), expected[name](array(x))), name
        if name != "softmax":
            assert y.stride() == F.dropout(x, 0.3).stride(), name


def test_a_bias_of_dropout_add():
    x, bias = numbers(3, 4, 5), numbers(5)
    for y in (x, x.transpose(0, 1), x[:, :, :1].expand(3, 4, 5)):
        result = dw.dropout_add(y, y * 2, bias, 0.3, **SEED)
        assert np.array_equal(
            array(result), dropwise.fused.residual_forward(MASK, array(y), array(bias), residual=array(y * 2))
        )
    wide = torch.stack([bias, bias], 1)[:, 0]
    assert torch.equal(dw.dropout_add(x, x, wide, 0.3, **SEED), dw.dropout_add(x, x, bias, 0.3, **SEED))


def test_blocks():
    x = numbers(4, 3, 16, 16)
    for dim, y in itertools.product((None, (-1,)), (x, x.contiguous(memory_format=torch.channels_last))):
        block = dropwise.dropblock.Block(y.shape, (2, 3) if dim is None else dim, 5)
        mask = dropwise.Mask(block.gamma(0.3), 5, 2)
        expected, _ = block.forward(mask, array(y))
        result = dw.drop_block(y, 0.3, 5, dim=dim, **SEED)
        assert np.array_equal(array(result), expected) and result.stride() == y.stride()


def test_products_with_dropped_weights():
    x, w, b = numbers(6, 8), numbers(5, 8), numbers(5)
    for bias in (None, b):
        expected = dropwise.dropconnect.forward(
            MASK, array(w), array(x), None if bias is None else array(bias)
        )
        assert np.array_equal(array(dw.drop_connect_linear(x, w, bias, 0.3, **SEED)), expected)
        many = dw.drop_connect_linear(x.view(2, 3, 8), w, bias, 0.3, **SEED)
        assert np.array_equal(array(many.view(6, 5)), expected)
        turned = dw.drop_connect_linear(x.t().contiguous().t(), w.t().contiguous().t(), bias, 0.3, **SEED)
        assert np.array_equal(array(turned), expected)


def test_numbers_of_concrete_dropout():
    x = numbers(4, 5)
    expected = dropwise.variants.Concrete(-0.5, 0.2).forward(dropwise.Mask(0, 5, 2), array(x))
    assert np.allclose(array(dw.concrete_dropout(x, torch.tensor(-0.5), 0.2, **SEED)), expected, rtol=1e-5)


def test_gaussian_dropout():
    x = numbers(4, 5)
    expected = dropwise.variants.gaussian_forward(MASK, array(x))
    assert np.array_equal(array(dw.gaussian_dropout(x, 0.3, **SEED)), expected)
    if not HAS_MATH:
        with pytest.raises(NotImplementedError, match="gaussian_dropout: float64 needs SLEEF"):
            dw.gaussian_dropout(x.double(), 0.3)
    assert dw.gaussian_dropout(x, 0.3, False) is x and dw.gaussian_dropout(x, 0.0) is x


# ---- Gradients ----

FUNCTIONS = {
    "dropout": lambda x: dw.dropout(x, 0.3, **SEED),
    "dropout2d": lambda x: dw.dropout2d(x, 0.3, **SEED),
    "alpha": lambda x: dw.alpha_dropout(x, 0.3, True, **SEED),
    "feature alpha": lambda x: dw.feature_alpha_dropout(x, 0.3, True, **SEED),
    "path": lambda x: dw.drop_path(x, 0.3, **SEED),
    "locked": lambda x: dw.locked_dropout(x, 0.3, dim=(0, 2), **SEED),
    "blocks": lambda x: dw.drop_block(x, 0.3, 2, **SEED),
    "add": lambda x: dw.dropout_add(x, x * x, x[0, 0, 0], 0.3, **SEED),
    "add without bias": lambda x: dw.dropout_add(x, x * x, None, 0.3, **SEED),
    "gelu": lambda x: dw.gelu_dropout(x, 0.3, **SEED),
    "gelu tanh": lambda x: dw.gelu_dropout(x, 0.3, approximate="tanh", **SEED),
    "silu": lambda x: dw.silu_dropout(x, 0.3, **SEED),
    "softmax": lambda x: dw.softmax_dropout(x, -1, 0.3, **SEED),
    "softmax along another": lambda x: dw.softmax_dropout(x, 1, 0.3, **SEED),
    "zoneout": lambda x: dw.zoneout(x, x * x, 0.3, **SEED),
    "connect": lambda x: dw.drop_connect_linear(x, x[0, 0] * x[0, 0], x[0, 0, :, 0], 0.3, **SEED),
    "concrete": lambda x: dw.concrete_dropout(x, x[0, 0, 0, 0], 0.5, **SEED),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_of_both_orders(name):
    x = numbers(2, 2, 3, 3, dtype=torch.float64).requires_grad_()
    turned = numbers(3, 2, 3, 2, dtype=torch.float64).transpose(0, 3).requires_grad_()
    for y in (x, turned):
        assert torch.autograd.gradcheck(FUNCTIONS[name], y)
        assert torch.autograd.gradgradcheck(FUNCTIONS[name], y)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_in_float32(name):
    """The fused operators' gradients, of any strides, against float64's."""
    x = numbers(2, 2, 3, 3)
    for reshape in (lambda y: y, lambda y: y.transpose(0, 1), lambda y: y[..., :1].expand(-1, -1, -1, 3)):
        for reduce in (lambda y: y.sum(), lambda y: (y.transpose(0, -1) * 3).square().sum()):
            gradients = []
            for dtype in (torch.float32, torch.float64):
                leaf = x.detach().to(dtype, copy=True).requires_grad_()
                reduce(FUNCTIONS[name](reshape(leaf))).backward()
                gradients.append(leaf.grad.double())
            assert torch.allclose(*gradients, rtol=1e-4, atol=1e-4)


def test_hessian_vector_products():
    for name in ("dropout", "gelu", "softmax", "connect"):
        x = numbers(2, 2, 3, 3).requires_grad_()
        v = numbers(36).view_as(x)
        products = []
        for dtype in (torch.float32, torch.float64):
            y = x.detach().to(dtype).requires_grad_()
            (gradient,) = torch.autograd.grad(FUNCTIONS[name](y).square().sum(), y, create_graph=True)
            products.append(torch.autograd.grad((gradient * v).sum(), y)[0].double())
        assert torch.allclose(*products, rtol=1e-3, atol=1e-3)


def test_softmax_of_a_batch_adds_to_each_its_own():
    """By seeds of a batch, as vmap makes them: as each by itself."""
    softmax, x = torch.ops.dropwise.softmax_v1, numbers(2, 3, 4, 5)
    add = numbers(3, 2, 4, 5).transpose(0, 1)
    seeds = torch.tensor([[3], [4], [5]])
    for seed in (seeds.expand(2, 3, 1), torch.stack([seeds, seeds + 7])):
        results = softmax(x, add, seed, 1, 0.3, 0, None, 0.5, 0, 0)
        for i, k in itertools.product(range(2), range(3)):
            alone = softmax(x[i, k], add[i, k], seed[i, k], 1, 0.3, 0, None, 0.5, 0, 0)
            assert all(torch.equal(result[i, k], one) for result, one in zip(results, alone))


# ---- Behaviour ----


def test_in_eval_and_without_dropping():
    x, w = numbers(2, 3, 4, 4), numbers(4, 4)
    for p, training in ((0.3, False), (0.0, True)):
        before = torch.get_rng_state()
        assert torch.equal(dw.gelu_dropout(x, p, training), F.gelu(x))
        assert torch.equal(dw.silu_dropout(x, p, training), F.silu(x))
        assert torch.equal(dw.softmax_dropout(x, 1, p, training), F.softmax(x, 1))
        assert torch.equal(dw.dropout_add(x, x, x[0, 0, 0], p, training), x + (x + x[0, 0, 0]))
        assert torch.equal(dw.drop_connect_linear(x, w, None, p, training), F.linear(x, w))
        for function in (dw.drop_path, dw.drop_block, dw.locked_dropout):
            assert function(x, p, training=training) is x
        assert torch.equal(before, torch.get_rng_state())
    assert torch.allclose(dw.zoneout(x, x * 2, 0.3, False), 0.7 * x + 0.3 * (x * 2))
    assert dw.concrete_dropout(x, torch.tensor(0.1), training=False) is x


def test_by_pytorchs_masks():
    x, r = numbers(3, 4, 5), numbers(3, 4, 5)
    pairs = [
        (lambda **m: dw.dropout_add(x, r, r[0, 0], 0.3, **m), lambda: r + F.dropout(x + r[0, 0], 0.3)),
        (lambda **m: dw.gelu_dropout(x, 0.3, **m), lambda: F.dropout(F.gelu(x), 0.3)),
        (lambda **m: dw.silu_dropout(x, 0.3, **m), lambda: F.dropout(F.silu(x), 0.3)),
        (lambda **m: dw.softmax_dropout(x, 1, 0.3, **m), lambda: F.dropout(F.softmax(x, 1), 0.3)),
    ]
    for ours, theirs in pairs:
        torch.manual_seed(1)
        y, after = ours(masks="torch"), torch.get_rng_state()
        torch.manual_seed(1)
        assert torch.equal(y, theirs()) and torch.equal(after, torch.get_rng_state())


def test_bfloat16_and_long_rows():
    for dtype in (torch.bfloat16, torch.float16):
        x = numbers(3, 10000, dtype=dtype)
        wide = dw.gelu_dropout(x.float(), 0.3, **SEED)
        assert torch.equal(dw.gelu_dropout(x, 0.3, **SEED), wide.to(dtype))
        wide = dw.softmax_dropout(x.float(), -1, 0.3, **SEED)
        assert torch.equal(dw.softmax_dropout(x, -1, 0.3, **SEED), wide.to(dtype))


X = torch.ones(3, 4)
ERRORS = {
    "residual": (lambda: dw.dropout_add(X, X[0]), ValueError, r"residual: must be of shape \(3, 4\)"),
    "residual's dtype": (lambda: dw.dropout_add(X, X.double()), TypeError, r"residual: is of torch\.float64"),
    "bias": (lambda: dw.dropout_add(X, X, X), ValueError, r"bias: must be of shape \(4,\)"),
    "approximate": (lambda: dw.gelu_dropout(X, approximate="erf"), ValueError, "approximate: must be one of"),
    "dim": (lambda: dw.softmax_dropout(X, 2), ValueError, "dim: 2 is no dimension"),
    "before": (lambda: dw.zoneout(X, X[:2]), ValueError, "before: must be of shape"),
    "gaussian": (lambda: dw.gaussian_dropout(X, 1.0), ValueError, "p: must be below 1"),
    "block": (lambda: dw.drop_block(X[None], 0.1, 0), ValueError, "block_size: must be a whole number"),
    "no block": (lambda: dw.drop_block(X), ValueError, "input: must have dimensions with blocks"),
    "weight": (lambda: dw.drop_connect_linear(X, X.t()), ValueError, "weight: must be of shape"),
    "logit": (lambda: dw.concrete_dropout(X, X), ValueError, "logit: must be a tensor of one element"),
    "temperature": (lambda: dw.concrete_dropout(X, X.sum(), 0.0), ValueError, "temperature: must be above 0"),
    "locked": (lambda: dw.locked_dropout(X, 0.5, dim=3), ValueError, "dim: 3 is no dimension"),
    "path": (lambda: dw.drop_path(X.sum()), ValueError, "input: must have a dimension of samples"),
    "module": (lambda: dw.Dropout(1.5), ValueError, "p: must be from 0 to 1"),
    "module's masks": (lambda: dw.Dropout(0.5, masks="x"), ValueError, "masks: must be one of"),
    "concrete": (lambda: dw.ConcreteDropout(0.0), ValueError, "p: must be above 0 and below 1"),
    "no weight": (lambda: dw.WeightDrop(nn.Linear(2, 2), ["w"]), ValueError, "weights: 'w' is no parameter"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_name_the_argument(name):
    call, error, message = ERRORS[name]
    with pytest.raises(error, match=message):
        call()


# ---- Modules ----

MODULES = {
    "Dropout": (lambda **o: dw.Dropout(0.3, **o), (X,), nn.Dropout(0.3)),
    "Dropout1d": (lambda **o: dw.Dropout1d(0.3, **o), (X,), nn.Dropout1d(0.3)),
    "Dropout2d": (lambda **o: dw.Dropout2d(0.3, **o), (torch.ones(2, 3, 4, 5),), nn.Dropout2d(0.3)),
    "Dropout3d": (lambda **o: dw.Dropout3d(0.3, **o), (torch.ones(2, 3, 4, 5),), nn.Dropout3d(0.3)),
    "AlphaDropout": (lambda **o: dw.AlphaDropout(0.3, **o), (X,), nn.AlphaDropout(0.3)),
    "FeatureAlphaDropout": (lambda **o: dw.FeatureAlphaDropout(0.3, **o), (X,), nn.FeatureAlphaDropout(0.3)),
    "DropoutAdd": (lambda **o: dw.DropoutAdd(0.3, **o), (X, X), None),
    "GELUDropout": (lambda **o: dw.GELUDropout(0.3, "tanh", **o), (X,), None),
    "SiLUDropout": (lambda **o: dw.SiLUDropout(0.3, **o), (X,), None),
    "SoftmaxDropout": (lambda **o: dw.SoftmaxDropout(1, 0.3, **o), (X,), None),
    "Zoneout": (lambda **o: dw.Zoneout(0.3, **o), (X, X * 2), None),
    "DropPath": (lambda **o: dw.DropPath(0.3, **o), (torch.ones(20, 2),), None),
    "DropBlock": (lambda **o: dw.DropBlock(0.3, 2, **o), (torch.ones(2, 3, 8, 8),), None),
    "LockedDropout": (lambda **o: dw.LockedDropout(0.3, 1, **o), (X,), None),
    "DropConnectLinear": (lambda **o: dw.DropConnectLinear(4, 8, p=0.3, **o), (X,), None),
    "ConcreteDropout": (lambda **o: dw.ConcreteDropout(0.3, **o), (X,), None),
    "WeightDrop": (lambda **o: dw.WeightDrop(nn.Linear(4, 9), ["weight"], 0.3, **o), (X,), None),
}


@pytest.mark.parametrize("name", MODULES)
def test_modules(name):
    make, inputs, theirs = MODULES[name]
    layer = make(seed=1, stream=2)
    y = layer(*inputs)
    assert torch.equal(layer(*inputs), y)
    layer.step = 1
    assert not torch.equal(layer(*inputs), y)
    again = pickle.loads(pickle.dumps(layer))
    assert torch.equal(again(*inputs), layer(*inputs)) and again.step == 1
    assert "seed=1, stream=2, step=1" in repr(layer)
    free = make()
    torch.manual_seed(1)
    first = free(*inputs)
    torch.manual_seed(1)
    assert torch.equal(copy.deepcopy(free)(*inputs), first)
    free.eval()
    before = torch.get_rng_state()
    free(*inputs)
    assert torch.equal(before, torch.get_rng_state())
    if theirs is not None:
        assert repr(free) == repr(theirs) and free.p == theirs.p and free.inplace == theirs.inplace
        layer = make(masks="torch")
        torch.manual_seed(1)
        expected = theirs(*inputs)
        torch.manual_seed(1)
        assert torch.equal(layer(*inputs), expected) and "masks='torch'" in repr(layer)


def test_modules_keep_a_generator():
    layer = dw.Dropout(0.5, generator=torch.Generator().manual_seed(3))
    both = copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))
    y = layer(X)
    assert all(torch.equal(other(X), y) for other in both) and not torch.equal(layer(X), y)


def test_weights_of_a_recurrent_layer():
    lstm = nn.LSTM(4, 6, 2)
    layer = dw.WeightDrop(lstm, ["weight_hh_l0", "weight_hh_l1"], 0.5, seed=1)
    assert [name for name, _ in layer.named_parameters()] == [
        f"module.{n}" for n, _ in lstm.named_parameters()
    ]
    x = numbers(5, 3, 4)
    y, _ = layer(x)
    dropped = copy.deepcopy(lstm)
    with torch.no_grad():
        for i, name in enumerate(layer.weights):
            getattr(dropped, name).copy_(dw.dropout(getattr(lstm, name), 0.5, seed=1, stream=i))
    assert torch.allclose(dropped(x)[0], y, atol=1e-6)
    y.sum().backward()
    gradient = lstm.weight_hh_l0.grad
    assert torch.equal(gradient == 0, dropped.weight_hh_l0 == 0)
    layer.eval()
    assert torch.equal(layer(x)[0], lstm(x)[0])
    rows = dw.WeightDrop(nn.Linear(8, 50, False), ["weight"], 0.5, True, seed=1)(torch.ones(8))
    assert torch.equal(rows == 0, dw.locked_dropout(torch.ones(50, 8), 0.5, dim=1, seed=1)[:, 0] == 0)


def test_concrete_dropout_learns():
    layer = dw.ConcreteDropout(0.3, weight_regularizer=1e-3, dropout_regularizer=1e-2)
    w = numbers(5, 8).requires_grad_()
    loss = (layer(numbers(64, 8)) @ w.t()).square().mean() + layer.regularizer(w, 8)
    loss.backward()
    assert layer.logit.grad.abs() > 0 and w.grad.abs().sum() > 0
    assert layer.p == pytest.approx(0.3)
    concrete = dropwise.variants.Concrete(
        layer.logit.item(), weight_regularizer=1e-3, dropout_regularizer=1e-2, features=8
    )
    assert layer.regularizer(w, 8).item() == pytest.approx(concrete.regularizer(array(w)).value, rel=1e-4)
