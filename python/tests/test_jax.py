"""dropwise.jax on one device: bits of JAX, results of Flax, transformations, errors, what a process keeps."""

import functools
import gc
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from conftest import needs

import dropwise

jax = needs("jax")
import jax.numpy as jnp  # noqa: E402

from dropwise.jax import _load, bernoulli, dropout  # noqa: E402

KEY = jax.random.fold_in(jax.random.key(42), 7)
RATES = [0.0, 0.1, 0.3, 0.5, 0.9, 1.0]
SHAPES = [(), (1,), (7,), (64,), (1000,), (3, 5, 7), (0, 4), (150001,), (2, 70000)]  # some on several threads


def same(a, b):
    """Bit for bit, but for signs of zero and of NaN."""
    a, b = np.asarray(a), np.asarray(b)
    return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b)


def flax_dropout(key, rate, x, broadcast_dims=()):
    """What Flax's Dropout computes."""
    keep = 1.0 - rate
    if isinstance(keep, jax.Array):
        keep = keep.astype(x.dtype)
    shape = [1 if d in broadcast_dims else size for d, size in enumerate(x.shape)]
    mask = jnp.broadcast_to(jax.random.bernoulli(key, 1.0 - rate, shape), x.shape)
    return jax.lax.select(mask, x / keep, jnp.zeros_like(x))


def compiled_flax(rate, **options):
    """The key is an argument: from a constant one XLA would draw while it compiles."""
    return jax.jit(lambda key, x: flax_dropout(key, rate, x, **options))


def numbers(shape, dtype="float32"):
    return jax.random.normal(jax.random.key(1), shape, jnp.float32).astype(dtype)


@pytest.fixture
def x64():
    with jax.enable_x64(True) if hasattr(jax, "enable_x64") else jax.experimental.enable_x64():
        yield


@pytest.fixture(params=[True, False], ids=["partitionable", "legacy"])
def partitionable(request):
    before = jax.config.jax_threefry_partitionable
    jax.config.update("jax_threefry_partitionable", request.param)
    yield request.param
    jax.config.update("jax_threefry_partitionable", before)


# ---- The same bits: 6 rates of 9 shapes, 4 dtypes, 2 modes ----


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_bernoulli_draws_what_jax_draws(shape, dtype, partitionable, x64):
    ours = jax.jit(lambda key, p: bernoulli(key, p, shape))
    theirs = jax.jit(lambda key, p: jax.random.bernoulli(key, p, shape))
    for rate in RATES:
        p = jnp.asarray(rate, dtype)
        assert same(ours(KEY, p), theirs(KEY, p)), rate


def test_bernoulli_takes_what_jax_takes(partitionable):
    for key in (KEY, jax.random.PRNGKey(2**32 - 1)):
        for p in (0.3, np.float32(0.3), np.float64(0.3), np.float16(0.3), jnp.bfloat16(0.3)):
            assert same(bernoulli(key, p, (9, 11)), jax.random.bernoulli(key, p, (9, 11)))
    assert same(bernoulli(KEY), jax.random.bernoulli(KEY))
    assert bernoulli(KEY, 1, (3,)).all() and not bernoulli(KEY, 0, (3,)).any()


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64"])
@pytest.mark.parametrize("shape", [(), (1000,), (3, 5, 7), (2, 70000)], ids=str)
def test_dropout_computes_what_flax_computes(shape, dtype, x64):
    """Compiled by XLA, with x64: a rate that is a Python number has float64 draws."""
    x = numbers(shape, dtype)
    for rate in (0.1, 0.9):
        assert same(dropout(KEY, rate, x), compiled_flax(rate)(KEY, x)), rate
    assert dropout(KEY, 0.0, x) is x and not dropout(KEY, 1.0, x).any()


def test_dropout_without_x64(partitionable):
    for dtype in ("float32", "bfloat16", "float16"):
        x = numbers((40, 50), dtype)
        assert same(dropout(KEY, 0.1, x), compiled_flax(0.1)(KEY, x))
        for dims in ((1,), (-1, 0)):
            ours = jax.jit(lambda key, x, dims=dims: dropout(key, 0.1, x, broadcast_dims=dims))
            assert same(ours(KEY, x), compiled_flax(0.1, broadcast_dims=[d % 2 for d in dims])(KEY, x))


def test_dropped_elements_are_zero_whatever_they_were():
    x = jnp.full(1000, jnp.nan)
    y, keep = np.asarray(dropout(KEY, 0.5, x)), np.asarray(bernoulli(KEY, 0.5, (1000,)))
    assert np.isnan(y[keep]).all() and (y[~keep] == 0).all() and not np.signbit(y[~keep]).any()


@pytest.mark.parametrize("generator", dropwise._core.generators)
def test_own_masks_are_those_of_the_library(generator):
    high, low = np.asarray(jax.random.key_data(KEY)).tolist()
    dtypes = ("float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")
    for dtype, rate in zip(dtypes, RATES[1:]):
        x = numbers((30, 11, 13), dtype)
        mask = dropwise.Mask(float(np.float32(rate)), high << 32 | low, 0, generator)
        y = dropout(KEY, rate, x, generator=generator)
        assert same(np.asarray(y).view("u1"), mask.forward(np.asarray(x)).view("u1"))
        shared = jax.jit(
            lambda key, x, p=rate: dropout(key, p, x, generator=generator, broadcast_dims=(0, 2))
        )
        expected = mask.forward(np.asarray(x), share=(0, 2)).astype("f4")
        assert same(np.asarray(shared(KEY, x)).astype("f4"), expected)


def test_the_rate_is_kept():
    for generator in ("threefry2x32", "philox4x32-10"):
        kept = dropout(KEY, 0.3, jnp.ones(1 << 20), generator=generator) != 0
        deviation = (float(kept.sum()) - 0.7 * 2**20) / np.sqrt(2**20 * 0.21)
        assert abs(deviation) < 4


# ---- Transformations ----


def calls(function, *arguments):
    """How often the compiled function calls the library."""
    return jax.jit(function).lower(*arguments).compile().as_text().count(f'"{_load.TARGET}"')


@pytest.mark.parametrize("rate", [0.3, jnp.float32(0.3)], ids=["number", "traced"])
@pytest.mark.parametrize("over", ["keys", "x", "both", "both twice"])
def test_vmap_is_one_call(over, rate, partitionable):
    axes, key, x = {
        "keys": ((0, None, None), jax.random.split(KEY, 8), numbers((6, 8))),
        "x": ((None, None, 1), KEY, numbers((6, 8, 3))),
        "both": ((0, None, 0), jax.random.split(KEY, 8), numbers((8, 6))),
        "both twice": ((1, None, 2), jax.random.split(KEY, (5, 4)), numbers((5, 6, 4))),
    }[over]

    def mapped(function):
        batch = jax.vmap(function, (0, None, 0)) if over == "both twice" else function
        return lambda key, x: jax.vmap(batch, axes)(key, rate, x)

    def gradient(function):
        return jax.jit(jax.grad(lambda x, key: (mapped(function)(key, x) ** 2).sum()))

    y, expected = (jax.jit(mapped(function))(key, x) for function in (dropout, flax_dropout))
    assert np.allclose(y, expected, rtol=1e-6) and same(y != 0, expected != 0)
    assert calls(mapped(dropout), key, x) == 1
    assert np.allclose(gradient(dropout)(x, key), gradient(flax_dropout)(x, key), rtol=1e-5)


def test_vmap_over_rates_and_of_bernoulli():
    rates = jnp.linspace(0.1, 0.9, 5)
    masks = jax.vmap(lambda p: bernoulli(KEY, p, (100,)))(rates)
    assert same(masks, jnp.stack([jax.random.bernoulli(KEY, p, (100,)) for p in rates]))
    keys = jax.random.split(KEY, 5)
    masks = jax.vmap(lambda k, p: bernoulli(k, p, (100,)))(keys, rates)
    assert same(masks, jnp.stack([jax.random.bernoulli(k, p, (100,)) for k, p in zip(keys, rates)]))
    own = jax.vmap(lambda k: dropout(k, 0.5, jnp.ones(9), generator="philox4x32-7"))(keys)
    assert same(own, jnp.stack([dropout(k, 0.5, jnp.ones(9), generator="philox4x32-7") for k in keys]))


def test_derivatives_of_both_modes():
    x, t = numbers((4, 30)), numbers((30, 4)).T
    ours, theirs = (lambda x, key, f=f: (f(key, 0.3, x) ** 3).sum() for f in (dropout, flax_dropout))
    for transform in (jax.grad, lambda f: jax.grad(lambda *a: (jax.grad(f)(*a) ** 2).sum()), jax.hessian):
        assert np.allclose(jax.jit(transform(ours))(x, KEY), jax.jit(transform(theirs))(x, KEY), rtol=1e-5)
    y, dy = jax.jvp(functools.partial(dropout, KEY, 0.3), (x,), (t,))
    assert same(y, dropout(KEY, 0.3, x)) and same(dy, dropout(KEY, 0.3, t))
    assert same(jax.linear_transpose(functools.partial(dropout, KEY, 0.3), x)(t)[0], dropout(KEY, 0.3, t))
    ours, theirs = (
        lambda x, key, f=f: (f(key, 0.3, x, broadcast_dims=(1,)) ** 2).sum() for f in (dropout, flax_dropout)
    )
    assert np.allclose(jax.jit(jax.grad(ours))(x, KEY), jax.jit(jax.grad(theirs))(x, KEY), rtol=1e-5)


@pytest.mark.parametrize("dims", [(), (0,), (0, 1)])
@pytest.mark.parametrize("rate, dtype", [(1.0, "f4"), (1.0, "f2"), (0.99999, "f2"), (0.3, "f2")])
def test_gradients_of_rates_near_one(rate, dtype, dims):
    x = numbers((3, 70)).astype(dtype)
    for generator in ("threefry2x32", "philox4x32-10"):
        f = functools.partial(dropout, KEY, generator=generator, broadcast_dims=dims)
        dx = jax.grad(lambda x, f=f: f(rate, x).astype(jnp.float32).sum())(x)
        kept = np.asarray(f(rate, jnp.ones_like(x)) != 0)
        assert np.array_equal(dx != 0, kept) and not np.isnan(dx).any()
        if rate == 0.3:
            by_rate = jax.grad(lambda r, f=f: f(r, x).astype(jnp.float32).sum())
            assert by_rate(0.3) == 0 and jax.jit(by_rate)(0.3) == 0


def test_infinities_of_rates_near_one_are_jaxs():
    x = jnp.array([1, 0, -1, 1e-7] * 10**5, jnp.float16)
    ours = dropout(KEY, 0.99999, x)
    assert np.array_equal(ours, compiled_flax(0.99999)(KEY, x), equal_nan=True)
    assert np.isinf(ours).any() and np.isnan(ours).any()  # infinity times 0


def test_the_backward_pass_has_saved_the_key_alone():
    _, backward = jax.vjp(lambda x: dropout(KEY, 0.3, x), numbers((1000,)))
    assert sum(leaf.size for leaf in jax.tree_util.tree_leaves(backward)) < 10


def test_gradients_of_per_sample_calls():
    keys, x = jax.random.split(KEY, 6), numbers((6, 20))
    loss = lambda x, k: (dropout(k, 0.5, x) ** 2).sum()  # noqa: E731
    expected = jnp.stack([jax.grad(loss)(a, k) for a, k in zip(x, keys)])
    assert same(jax.vmap(jax.grad(loss))(x, keys), expected)
    # One x for all keys: its gradient is the sum.
    total = jax.grad(lambda x: jax.vmap(loss, (None, 0))(x, keys).sum())(x[0])
    assert np.allclose(total, sum(jax.grad(loss)(x[0], k) for k in keys), rtol=1e-6)


def test_scan_checkpoint_and_a_schedule_of_rates():
    def steps(function, wrap):
        def step(x, i):
            return function(jax.random.fold_in(KEY, i), 0.1 * i.astype(jnp.float32), x), None

        return jax.jit(jax.grad(lambda x: (jax.lax.scan(wrap(step), x, jnp.arange(8))[0] ** 2).sum()))

    x = numbers((50,))
    expected = steps(flax_dropout, lambda f: f)(x)
    for wrap in (lambda f: f, jax.checkpoint):
        assert np.allclose(steps(dropout, wrap)(x), expected, rtol=1e-5)


def test_keys_have_gradients_of_float0_and_rates_of_zero():
    x = numbers((10,))
    gradient = jax.grad(lambda key: dropout(key, 0.3, x).sum(), allow_int=True)(jax.random.PRNGKey(1))
    assert gradient.dtype == jax.dtypes.float0
    assert jax.grad(lambda rate: dropout(KEY, rate, x).sum())(0.3) == 0
    assert jax.grad(lambda p: bernoulli(KEY, p, (9,)).sum(dtype=float))(0.3) == 0


@pytest.mark.filterwarnings("ignore:Some donated buffers")
def test_donation_and_two_equal_calls():
    x = numbers((1000,))
    expected = dropout(KEY, 0.3, x)
    both = jax.jit(lambda x: (dropout(KEY, 0.3, x), dropout(KEY, 0.3, x), x + 1))(x)
    assert same(both[0], expected) and same(both[1], expected) and same(both[2], x + 1)
    assert same(jax.jit(lambda x: dropout(KEY, 0.3, x), donate_argnums=0)(x + 0), expected)


def test_cond_and_while():
    x = numbers((10,))
    chosen = jax.jit(lambda c: jax.lax.cond(c, lambda: dropout(KEY, 0.5, x), lambda: x))
    assert same(chosen(True), dropout(KEY, 0.5, x)) and same(chosen(False), x)
    thrice = jax.lax.fori_loop(0, 3, lambda i, x: dropout(jax.random.fold_in(KEY, i), 0.2, x), x)
    expected = x
    for i in range(3):
        expected = dropout(jax.random.fold_in(KEY, i), 0.2, expected)
    assert same(thrice, expected)


# ---- Errors ----

X = np.ones((3, 4), np.float32)
ERRORS = {
    "rate above": (lambda: dropout(KEY, 1.5, X), ValueError, r"rate: must be from 0 to 1, not 1\.5"),
    "rate NaN": (lambda: dropout(KEY, float("nan"), X), ValueError, "rate: must be from 0 to 1"),
    "rate array": (lambda: dropout(KEY, jnp.ones(3), X), ValueError, "rate: must be a scalar"),
    "rate text": (lambda: dropout(KEY, "0.1", [X]), TypeError, "rate: must be a number"),
    "rate int": (lambda: dropout(KEY, jnp.int32(0), X), TypeError, "rate: must be of a dtype of floats"),
    "p below": (lambda: bernoulli(KEY, -0.1, (3,)), ValueError, r"p: must be from 0 to 1, not -0\.1"),
    "p array": (lambda: bernoulli(KEY, np.ones(3), (3,)), ValueError, "p: must be a scalar"),
    "p float8": (lambda: bernoulli(KEY, jnp.float8_e5m2(0.5), (3,)), TypeError, "p: JAX draws no float8"),
    "rbg": (lambda: dropout(jax.random.key(1, impl="rbg"), 0.1, X), TypeError, "key: .*rbg"),
    "rbg, raw": (lambda: dropout(jnp.zeros(4, jnp.uint32), 0.1, X), TypeError, "key: .*shape"),
    "many keys": (lambda: dropout(jax.random.split(KEY, 2), 0.1, X), TypeError, "key: must be one key"),
    "a seed": (lambda: dropout(42, 0.1, X), TypeError, "key: .*not int"),
    "words": (lambda: dropout(jnp.zeros(2, jnp.int32), 0.1, X), TypeError, "key: .*int32"),
    "integers": (lambda: dropout(KEY, 0.1, X.astype(int)), TypeError, "x: is of int"),
    "complex": (lambda: dropout(KEY, 0.1, X.astype("c8")), TypeError, "x: is of complex64"),
    "float8": (lambda: dropout(KEY, 0.1, X.astype(jnp.float8_e5m2)), TypeError, "x: .*threefry2x32"),
    "generator": (
        lambda: dropout(KEY, 0.1, X, generator="mt"),
        ValueError,
        "generator: takes threefry2x32, ",
    ),
    "dimension": (lambda: dropout(KEY, 0.1, X, broadcast_dims=(2,)), ValueError, "broadcast_dims: 2 is no"),
    "axes": (lambda: dropout(KEY, 0.1, X, axes=("a",)), ValueError, "axes: must be one for each of 2"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_name_the_argument(name):
    call, error, message = ERRORS[name]
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("rate", [1.5, -0.5, float("nan")])
def test_traced_rates_are_checked_when_they_are_known(rate):
    for call in (lambda r: dropout(KEY, r, X), lambda r: bernoulli(KEY, r, (200000,))):
        with pytest.raises(RuntimeError, match="dropwise: rate, or p: .* outside"):
            jax.jit(call)(rate).block_until_ready()
    with pytest.raises(RuntimeError, match="dropwise: rate, or p"):
        jax.vmap(lambda r: dropout(KEY, r, X))(jnp.array([0.5, rate])).block_until_ready()


def test_the_handler_refuses_operands_of_other_shapes():
    key, p, numbers = jax.random.key_data(KEY), jnp.float32(0.5), jnp.array([1, 1, 0, 4, 0], jnp.int32)
    call = jax.ffi.ffi_call(_load.TARGET, jax.ShapeDtypeStruct((4,), bool))
    assert call(key, p, numbers).shape == (4,)
    for operands in (
        (key[:1], p, numbers),
        (key.astype(jnp.int32), p, numbers),
        (key, jnp.ones(2), numbers),
        (key, p, numbers.at[4].set(-1)),
        (key, p, numbers.at[0].set(3)),
        (key, p, numbers[:2]),
        (key, p, numbers[:4]),
        (key, p, jnp.concatenate([numbers, numbers[2:]])),
        (key, p, numbers.astype(jnp.uint32)),
        (key, p),
        (key, p, numbers, jnp.ones(4)),
        (key, p, numbers, jnp.ones(5, bool)),
    ):
        with pytest.raises((RuntimeError, ValueError), match="dropwise: its|dropwise: takes"):
            call(*operands).block_until_ready()


def test_constants_beside_loops_compile():
    """jaxlib before 0.8 aborts here if a handler has attributes."""
    x = numbers((40, 10000))
    function = jax.jit(lambda i: dropout(jax.random.fold_in(KEY, i), 0.3, x))
    assert same(function(3), dropout(jax.random.fold_in(KEY, 3), 0.3, x))


def test_versions_are_compared_before_registering():
    header = "#define XLA_FFI_API_MAJOR {}\n#define XLA_FFI_API_MINOR {}\n"
    for minor in (1, 2, 3):
        _load.check_ffi(header.format(0, minor))
    for version in ((0, 0), (0, 4), (1, 1)):
        with pytest.raises(ImportError, match=rf"0\.1 to 0\.3.*{version[0]}\.{version[1]}"):
            _load.check_ffi(header.format(*version))
    with pytest.raises(ImportError, match="unknown"):
        _load.check_ffi("")
    _load.check_jax((0, 6, 0))
    with pytest.raises(ImportError, match=r"0\.6\.0 or later.* 0\.5\.3"):
        _load.check_jax((0, 5, 3))


# ---- The process ----


def python(code):
    """What a fresh interpreter prints; it must end well, and print nothing else."""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0 and result.stderr == "", result.stderr
    return result.stdout


def test_import_starts_nothing():
    code = """
import dropwise, sys
assert "jax" not in sys.modules
import dropwise.jax, jax, os
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=3"
print(jax.device_count())
"""
    assert python(code).strip() == "3"


def test_nothing_is_printed_at_exit():
    code = """
import jax, jax.numpy as jnp
from dropwise.jax import dropout
x = jnp.ones(2**20)
f = jax.jit(lambda k, x: dropout(k, 0.5, x))
f(jax.random.key(0), x).block_until_ready()
kept = [f(jax.random.key(i), x) for i in range(50)]
"""
    assert python(code) == ""


def test_four_python_threads():
    x = numbers((40, 10000))
    function = jax.jit(lambda i: dropout(jax.random.fold_in(KEY, i), 0.3, x))
    expected = [np.asarray(function(i)) for i in range(40)]
    results = [None] * 40

    def work(k):
        for i in range(k, 40, 4):
            results[i] = np.asarray(function(i))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(same(a, b) for a, b in zip(results, expected))


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="looks into /proc")
def test_nothing_leaks():
    """Memory stays over 10**5 small calls, and over large ones that several threads share."""

    def resident():
        gc.collect()
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    function = jax.jit(lambda key, x: dropout(key, 0.5, x))
    key = jax.random.key_data(KEY)
    for x, n in ((jnp.ones(64), 10**5), (jnp.ones(1 << 19), 300)):
        for i in range(2 * n):
            y = function(key, x)
            if i % 50 == 0:
                y.block_until_ready()
            if i == n:
                before = resident()
        assert resident() - before < 2**22
