"""Fused steps, variants, DropBlock, DropConnect: against formulas in NumPy over the mask that `keep` draws.

That the C functions are right is proved by the C library's tests; these are of the arguments that reach them.
float64 is compared to a few roundings.
"""

import numpy as np
import pytest

import dropwise
from dropwise import dropblock, dropconnect, fused, variants

P = 0.25
SHAPE = (4, 6, 37)


@pytest.fixture
def mask():
    return dropwise.Mask(P, 3, 5)


def tensor(shape=SHAPE, seed=1, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def dropped(mask, x, **options):
    return np.where(mask.keep(x.shape, **options), x / mask.keep_probability, 0)


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def wide(shape=SHAPE, dtype=np.float64):
    """A tensor with gaps between its rows, and rows in another order."""
    return np.full((shape[0], shape[1], shape[2] + 13), 7, dtype)[::-1, :, : shape[2]]


def sums(x):
    return x.reshape(-1, x.shape[-1]).sum(axis=0)


# ---- Fused steps ----


def test_residual(mask):
    x, residual, bias = tensor(), tensor(seed=2), tensor(37, 3)
    close(fused.residual_forward(mask, x), dropped(mask, x))
    close(fused.residual_forward(mask, x, bias), dropped(mask, x + bias))
    expected = residual + dropped(mask, x + bias)
    close(fused.residual_forward(mask, x, bias, residual), expected)
    close(fused.residual_forward(mask, x.T.copy().T, bias, residual.T.copy().T), expected)
    out = np.empty_like(x)
    assert fused.residual_forward(mask, x, bias, residual[::-1, ::-1][::-1, ::-1], out) is out
    close(out, expected)
    close(fused.residual_forward(mask, x, bias, residual, wide()), expected)
    close(fused.residual_forward(mask, x, bias, None, wide()), dropped(mask, x + bias))
    close(fused.residual_forward(mask, x, np.repeat(bias, 2)[::2], residual), expected)
    close(fused.residual_forward(mask, x, bias, residual, out=residual), expected)
    dbias = np.empty(37)
    dx = fused.residual_backward(mask, x, dbias=dbias)
    close(dx, dropped(mask, x))
    close(dbias, sums(dx))


def test_sums_of_narrow_types_are_float32(mask):
    x = tensor(dtype=np.float16)
    dbias = np.empty(37, np.float32)
    dx = fused.residual_backward(mask, x, dbias=dbias)
    np.testing.assert_allclose(dbias, sums(dx.astype(np.float32)), rtol=1e-2, atol=1e-2)
    with pytest.raises(TypeError, match="dbias: .*float32"):
        fused.residual_backward(mask, x, dbias=np.empty(37, np.float16))


def test_activation(mask):
    x, bias, dy = tensor(), tensor(37, 3), tensor(seed=4)
    z = x + bias
    close(fused.activation_forward(mask, "relu", x, bias), dropped(mask, np.maximum(z, 0)))
    close(fused.activation_forward(mask, "relu", x, share=(0,)), dropped(mask, np.maximum(x, 0), share=(0,)))
    dbias = np.empty(37)
    dx = fused.activation_backward(mask, "relu", dy, x, bias, dbias=dbias)
    close(dx, dropped(mask, dy * (z > 0)))
    close(dbias, sums(dx))


@pytest.mark.usefixtures("math")
@pytest.mark.parametrize(
    "name, function",
    [
        ("gelu_tanh", lambda z: z * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))) / 2),
        ("silu", lambda z: z / (1 + np.exp(-z))),
    ],
)
def test_smooth_activations(mask, name, function):
    x, bias, dy = tensor(), tensor(37, 3), tensor(seed=4)
    z, step = x + bias, 1e-6
    close(fused.activation_forward(mask, name, x, bias), dropped(mask, function(z)))
    slope = (function(z + step) - function(z - step)) / (2 * step)
    got = fused.activation_backward(mask, name, dy, x, bias)
    np.testing.assert_allclose(got, dropped(mask, dy * slope), atol=1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_functions_of_float32_need_no_sleef(mask, dtype):
    x = tensor(dtype=dtype)
    z, near = x.astype(np.float64), {"rtol": 2e-3 if dtype == np.float16 else 1e-5, "atol": 1e-6}
    y = fused.activation_forward(mask, "silu", x)
    np.testing.assert_allclose(y, dropped(mask, z / (1 + np.exp(-z))), **near)
    slope = fused.activation_backward(mask, "gelu", np.ones_like(x), x)
    assert np.isfinite(slope).all() and abs(slope).max() < 1.2 / (1 - P)
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(fused.softmax_forward(mask, x, 1.0), dropped(mask, p), **near)
    assert fused.softmax_backward(mask, np.ones_like(x), p.astype(dtype), 1.0).dtype == dtype


@pytest.mark.usefixtures("math")
@pytest.mark.parametrize("causal", [False, True])
def test_softmax(mask, causal):
    x, add, dy = tensor(), tensor((6, 37), 2), tensor(seed=4)
    logits = 0.3 * x + add
    if causal:
        logits[:, np.arange(37)[None, :] > np.arange(6)[:, None] + 31] = -np.inf
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    options = {"causal": causal, "causal_offset": 31}
    probabilities = np.empty_like(x)
    y = fused.softmax_forward(mask, x, 0.3, add=add, probabilities=probabilities, **options)
    close(probabilities, p)
    close(y, dropped(mask, p))
    close(fused.softmax_forward(mask, x, 0.3, add=add, **options), y)
    rows = add[0].copy()
    with_rows = fused.softmax_forward(mask, x, 0.3, add=np.broadcast_to(rows, SHAPE), **options)
    for same in (rows, rows[None], np.repeat(rows, 2)[::2]):
        close(fused.softmax_forward(mask, x, 0.3, add=same, **options), with_rows)
    column = fused.softmax_forward(mask, x, 0.3, add=add[:, :1], **options)  # which changes nothing
    close(column, fused.softmax_forward(mask, x, 0.3, **options))
    close(fused.softmax_forward(mask, x, 0.3, add=np.float64(5), **options), column)
    dp = dropped(mask, dy)
    expected = 0.3 * p * (dp - (dp * p).sum(axis=-1, keepdims=True))
    close(fused.softmax_backward(mask, dy, probabilities, 0.3, **options), expected)


# ---- Variants ----


def test_alpha(mask):
    x, q, alpha = tensor(), 1 - P, -1.7580993408473766
    a = 1 / np.sqrt(q + alpha**2 * q * (1 - q))
    b = -a * alpha * (1 - q)
    for options in ({}, {"share": (1,)}):
        keep = mask.keep(x.shape, **options)
        close(variants.alpha_forward(mask, x, **options), np.where(keep, a * x + b, a * alpha + b))
        close(variants.alpha_backward(mask, x, **options), np.where(keep, a * x, 0))


def test_zoneout(mask):
    h, before = tensor(dtype=np.float32), tensor(seed=2, dtype=np.float32)
    keep = mask.keep(h.shape)
    assert np.array_equal(variants.zoneout_forward(mask, h, before), np.where(keep, h, before))
    assert np.array_equal(variants.zoneout_forward(mask, h.T.copy().T, before), np.where(keep, h, before))
    dh, dbefore = variants.zoneout_backward(mask, h)
    assert np.array_equal(dh, np.where(keep, h, 0)) and np.array_equal(dbefore, np.where(keep, 0, h))
    out, other = np.empty_like(h), np.empty_like(h)
    got = variants.zoneout_backward(mask, h, out, other)
    assert got[0] is out and got[1] is other and np.array_equal(out, dh) and np.array_equal(other, dbefore)
    got = variants.zoneout_backward(mask, h[0, 0, 0])
    assert [gradient.shape for gradient in got] == [(), ()] and sum(got) == h[0, 0, 0]
    expected = 0.75 * h + 0.25 * before
    np.testing.assert_allclose(variants.zoneout_infer(mask, h, before), expected, rtol=1e-5, atol=1e-6)


def test_uniform_numbers(mask):
    u = variants.uniform(mask, (3, 1000), np.float64)
    assert 0 < u.min() < 0.01 and 0.99 < u.max() < 1
    assert np.array_equal(variants.uniform(mask, (2, 1000), np.float64, first=1000), u[1:])


@pytest.fixture(params=[np.float32, np.float64])
def of_noise(request):
    """A dtype that noise is computed in, and how near it comes: in float64 by SLEEF."""
    if request.param == np.float64:
        request.getfixturevalue("math")
        return request.param, {"rtol": 1e-12, "atol": 1e-12}
    return request.param, {"rtol": 3e-6, "atol": 3e-6}


def test_noise(mask, of_noise):
    dtype, near = of_noise
    x = tensor(dtype=dtype)
    z = variants.normal(mask, SHAPE, dtype)
    assert abs(z.mean()) < 0.2 and abs(z.std() - 1) < 0.1
    sigma = np.sqrt(P / (1 - P))
    np.testing.assert_allclose(variants.gaussian_forward(mask, x), x * (1 + sigma * z), **near)
    np.testing.assert_allclose(variants.gaussian_backward(mask, x), x * (1 + sigma * z), **near)
    np.testing.assert_allclose(variants.gaussian_noise(mask, 0.5, x), x + 0.5 * z, **near)


def test_concrete(mask, of_noise):
    dtype, near = of_noise
    x, dy = tensor(dtype=dtype), tensor(seed=2, dtype=dtype)
    concrete = variants.Concrete(-1.0, 0.5, 1e-4, 1e-3, 37)
    u = variants.uniform(mask, SHAPE, np.float64)
    z = 1 / (1 + np.exp(-(-1.0 + np.log(u / (1 - u))) / 0.5))
    p = 1 / (1 + np.exp(1.0))
    close(concrete.p, p)
    np.testing.assert_allclose(concrete.forward(mask, x), x * (1 - z) / (1 - p), **near)
    dx, dlogit = concrete.backward(mask, dy, x)
    np.testing.assert_allclose(dx, dy * (1 - z) / (1 - p), **near)
    np.testing.assert_allclose(dlogit, (dx * x * (p - z / 0.5)).sum(), rtol=1e3 * near["rtol"])
    w = tensor((10, 37), 5)
    regularizer = concrete.regularizer(w)
    squares = (w * w).sum()
    entropy = p * np.log(p) + (1 - p) * np.log(1 - p)
    np.testing.assert_allclose(regularizer.value, 1e-4 * squares / (1 - p) + 1e-3 * 37 * entropy, rtol=1e-9)
    np.testing.assert_allclose(regularizer.decay, 2e-4 / (1 - p), rtol=1e-9)


# ---- DropBlock ----


def test_dropblock():
    x = tensor((2, 3, 16, 16), dtype=np.float32)
    block = dropblock.Block(x.shape, (2, -1), 3)
    mask = dropwise.Mask(block.gamma(0.2), 8)
    seeds = ~mask.keep(x.shape)
    seeds[:, :, [0, -1], :] = seeds[:, :, :, [0, -1]] = False
    keep = np.ones(x.shape, bool)
    for n, c, h, w in np.argwhere(seeds):
        keep[n, c, h - 1 : h + 2, w - 1 : w + 2] = False
    y, bits = block.forward(mask, x)
    assert block.entries == x.size and 0.6 < keep.mean() < 0.95
    assert np.array_equal(np.unpackbits(bits, count=x.size, bitorder="little").reshape(x.shape), keep)
    scale = np.float32(x.size / keep.sum())
    assert np.array_equal(y, np.where(keep, x * scale, 0))
    assert np.array_equal(block.backward(mask, x, bits), y)
    drawn, kept = block.draw(mask)
    assert np.array_equal(drawn, bits) and kept == keep.sum()
    assert np.array_equal(block.apply(float(scale), bits, x), y)
    shared = dropblock.Block(x.shape, (2, 3), 3, share=(1,))
    assert shared.entries == x.size // 3


# ---- DropConnect ----


def test_dropconnect(mask):
    w, x, bias, dy = tensor((5, 19)), tensor((7, 19), 2), tensor(5, 3), tensor((7, 5), 4)
    m = np.where(mask.keep((7, 5, 19)), 1 / mask.keep_probability, 0)
    y = dropconnect.forward(mask, w, x, bias)
    close(y, bias + np.einsum("boi,oi,bi->bo", m, w, x))
    close(dropconnect.forward(mask, w.T.copy().T, x, bias), y)
    out = np.empty((7, 5))
    assert dropconnect.forward(mask, w, x, bias, out) is out
    close(out, y)
    close(dropconnect.forward(mask, w, x[3:], bias, first=3 * 95), y[3:])
    close(dropconnect.forward(mask, w, x[0], samples=7), np.einsum("boi,oi,i->bo", m, w, x[0]))
    dx, dw, db = dropconnect.backward(mask, w, x, dy)
    close(dx, np.einsum("boi,oi,bo->bi", m, w, dy))
    close(dw, np.einsum("boi,bi,bo->oi", m, x, dy))
    close(db, dy.sum(axis=0))
    mean, variance = dropconnect.moments(mask, w, x, bias)
    close(mean, bias + x @ w.T)
    close(variance, P / (1 - P) * (x * x) @ (w * w).T)


def test_dropconnect_samples(mask, of_noise):
    dtype, near = of_noise
    mean, variance = tensor((7, 5), dtype=dtype), tensor((7, 5), 2, dtype) ** 2
    z = variants.normal(mask, (7, 5), dtype, first=11)
    sample = dropconnect.sample(mask, mean, variance, first=11)
    np.testing.assert_allclose(sample, mean + np.sqrt(variance) * z, **near)


@pytest.mark.parametrize("name", ["x", "w", "bias", "out"])
def test_dropconnect_shapes(mask, name):
    arguments = {"w": tensor((5, 19)), "x": tensor((7, 19)), "bias": tensor(5), "out": tensor((7, 5))}
    arguments[name] = tensor((3,) * arguments[name].ndim)
    with pytest.raises(ValueError, match="(x|w|bias|out): must have"):
        dropconnect.forward(mask, **arguments)


def test_dropconnect_samples_of_scalars_are_scalars(mask):
    assert dropconnect.sample(mask, np.float32(1), np.float32(0)).shape == ()


# ---- All of them ----


def test_outputs_are_laid_out_as_one_that_is_given(mask):
    x, dy = tensor(dtype=np.float32), tensor(seed=2, dtype=np.float32)
    probabilities = wide(dtype=np.float32)
    y = fused.softmax_forward(mask, x, probabilities=probabilities)
    assert y.strides == probabilities.strides and np.array_equal(y, fused.softmax_forward(mask, x))
    dx = fused.softmax_backward(mask, dy, probabilities, out=wide(dtype=np.float32))
    assert np.array_equal(dx, fused.softmax_backward(mask, dy, probabilities))
    dh, dbefore = variants.zoneout_backward(mask, dy)
    for given in ({"out": wide(dtype=np.float32)}, {"dbefore": wide(dtype=np.float32)}):
        got = variants.zoneout_backward(mask, dy, **given)
        assert np.array_equal(got[0], dh) and np.array_equal(got[1], dbefore)
        assert got[0].strides == got[1].strides and got["dbefore" in given] is next(iter(given.values()))


@pytest.mark.parametrize("shape", [(0,), (3, 0), (2, 0, 5), (0, 4), (2, 5, 0)])
def test_empty_tensors(mask, shape):
    x, row = np.ones(shape, np.float32), np.ones(shape[-1:], np.float32)
    dbias = np.ones(shape[-1:], np.float32)
    results = [
        fused.residual_forward(mask, x, row, x.copy()),
        fused.residual_backward(mask, x, dbias=dbias),
        fused.activation_forward(mask, "relu", x, row, first=5),
        fused.activation_backward(mask, "silu", x, x.copy(), row),
        fused.softmax_forward(mask, x, add=row, probabilities=x.copy()),
        fused.softmax_backward(mask, x, x.copy()),
        variants.alpha_forward(mask, x, stored=np.empty(shape, bool)),
        variants.zoneout_forward(mask, x, x.copy(), share=(0,)),
        *variants.zoneout_backward(mask, x),
        variants.uniform(mask, shape),
    ]
    assert all(y.shape == shape and y.dtype == x.dtype for y in results)
    assert (dbias == 0).all()
    with pytest.raises(ValueError, match="sigma: "):
        variants.gaussian_noise(mask, -1.0, x)


def test_layers_do_not_depend_on_threads(mask):
    x = tensor((3, 400, 1000), dtype=np.float32)
    y, bias = x[::-1].copy(), x[0, 0].copy()
    for threads in (2, 5):
        for function in (
            lambda **o: fused.residual_forward(mask, x, bias, y, **o),
            lambda **o: fused.activation_forward(mask, "relu", x, bias, share=(1,), **o),
            lambda **o: variants.alpha_forward(mask, x, **o),
            lambda **o: variants.zoneout_forward(mask, x, y, **o),
            lambda **o: variants.zoneout_backward(mask, x, **o)[1],
            lambda **o: variants.uniform(mask, x.shape, **o),
            lambda **o: fused.residual_forward(mask, x[0, 0], bias=bias, **o),
        ):
            assert np.array_equal(function(threads=threads), function(threads=1))
    long = tensor(2**20, dtype=np.float32)
    assert np.array_equal(
        fused.residual_forward(mask, long, long, threads=3),
        fused.residual_forward(mask, long, long, threads=1),
    )
