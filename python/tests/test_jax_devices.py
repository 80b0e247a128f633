"""dropwise.jax on four devices: each draws its part of the one mask, and nothing is gathered."""

import numpy as np
import pytest
from conftest import needs

jax = needs("jax")
import jax.numpy as jnp  # noqa: E402
from jax.sharding import Mesh, NamedSharding  # noqa: E402
from jax.sharding import PartitionSpec as P  # noqa: E402

from dropwise.jax import bernoulli, dropout  # noqa: E402

if jax.device_count() < 4:
    pytest.fail("XLA_FLAGS of conftest.py did not make four devices of the CPU", pytrace=False)

shard_map = getattr(jax, "shard_map", None)
if shard_map is None:
    from jax.experimental.shard_map import shard_map

KEY = jax.random.key(7)
MESH = Mesh(np.array(jax.devices()[:4]).reshape(2, 2), ("a", "b"))
X = jax.random.normal(jax.random.key(1), (8, 12, 16))
SPECS = [
    P("a"),
    P(None, "b"),
    P("a", None, "b"),
    P("b", "a"),
    P(None, None, ("a", "b")),
    P(("b", "a"), None, None),
    P(),
]
OPTIONS = {
    "as JAX": {},
    "own": {"generator": "philox4x32-10"},
    "shared": {"broadcast_dims": (1,)},
    "own, shared": {"generator": "philox4x32-10", "broadcast_dims": (0, 2)},
}


def on_mesh(x, spec):
    return jax.device_put(x, NamedSharding(MESH, spec))


def whole(x=X, rate=0.3, **options):
    """What one device makes of it."""
    return np.asarray(dropout(KEY, rate, jax.device_put(x, jax.devices()[0]), **options))


def gathers(text):
    return any(name in text for name in ("all-gather", "all-to-all", "collective-permute"))


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_under_jit_results_are_cut_as_the_input_is(spec, options):
    options = OPTIONS[options]
    x = on_mesh(X, spec)
    function = jax.jit(lambda key, x: dropout(key, 0.3, x, **options))
    compiled = function.lower(KEY, x).compile()
    assert not gathers(compiled.as_text())
    y = function(KEY, x)
    assert y.sharding.is_equivalent_to(x.sharding, 3)
    assert np.array_equal(y, whole(**options))


@pytest.mark.parametrize("spec", [P("a", None, "b"), P(None, None, ("a", "b"))], ids=str)
def test_gradients_are_cut_as_well(spec):
    x = on_mesh(X, spec)
    function = jax.jit(jax.grad(lambda x: (dropout(KEY, 0.3, x) ** 2).sum()))
    assert not gathers(function.lower(x).compile().as_text())
    gradient = function(x)
    assert gradient.sharding.is_equivalent_to(x.sharding, 3)
    assert np.allclose(gradient, 2 * whole() / 0.7, rtol=1e-6)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_masks_are_drawn_where_they_are_wanted(spec):
    sharding = NamedSharding(MESH, spec)
    function = jax.jit(lambda key: bernoulli(key, 0.3, X.shape), out_shardings=sharding)
    text = function.lower(KEY).compile().as_text()
    assert not gathers(text) and (spec == P() or "pred[8,12,16]" not in text)
    y = function(KEY)
    assert y.sharding.is_equivalent_to(sharding, 3)
    assert np.array_equal(y, jax.random.bernoulli(KEY, 0.3, X.shape))


@pytest.fixture
def legacy():
    before = jax.config.jax_threefry_partitionable
    jax.config.update("jax_threefry_partitionable", False)
    yield
    jax.config.update("jax_threefry_partitionable", before)


def test_legacy_masks_are_parts_of_one_too(legacy):
    y = jax.jit(lambda x: dropout(KEY, 0.3, x))(on_mesh(X, P("a", None, "b")))
    assert np.array_equal(np.asarray(y) != 0, jax.random.bernoulli(KEY, 1.0 - 0.3, X.shape))


@pytest.mark.parametrize("spec", [P("a", None, None), P(None, "b", "a")], ids=str)
def test_vmap_of_what_is_cut(spec):
    keys, x = jax.random.split(KEY, 8), on_mesh(X, spec)
    for arguments, axes in (((keys, x), (0, 0)), ((KEY, x), (None, 0)), ((keys, x[0]), (0, None))):
        function = jax.jit(jax.vmap(lambda key, x: dropout(key, 0.3, x), axes))
        alone = [jax.device_put(a, jax.devices()[0]) for a in arguments]
        assert np.array_equal(function(*arguments), function(*alone))
    assert not gathers(jax.jit(jax.vmap(lambda x: dropout(KEY, 0.3, x))).lower(x).compile().as_text())


def check_sizes_that_do_not_divide():
    x = X[:7, :5, :3]

    @jax.jit
    def function(x):
        cut = NamedSharding(MESH, P(("a", "b"), None, None))
        y = dropout(KEY, 0.3, jax.lax.with_sharding_constraint(x + 1, cut))
        return jax.lax.with_sharding_constraint(y, cut) * 2

    assert "f32[2,5,3]" in function.lower(on_mesh(x, P())).compile().as_text()  # of 7 over four devices
    assert np.array_equal(function(on_mesh(x, P())), whole(x + 1) * 2)


def test_sizes_that_do_not_divide():
    check_sizes_that_do_not_divide()


def test_sizes_that_do_not_divide_of_legacy_masks(legacy):
    """Which have no numbers beyond the tensor."""
    check_sizes_that_do_not_divide()


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("spec", [P("a", None, "b"), P(None, ("b", "a"), None), P("b", None, None)], ids=str)
def test_shard_map_with_axes_draws_parts_of_one_mask(spec, options):
    options = OPTIONS[options]

    def part(x):
        return dropout(KEY, 0.3, x, axes=tuple(spec), **options)

    function = jax.jit(shard_map(part, mesh=MESH, in_specs=spec, out_specs=spec))
    assert np.array_equal(function(X), whole(**options))
    gradient = jax.jit(jax.grad(lambda x: (function(x) ** 2).sum()))(X)
    assert np.allclose(gradient, 2 * whole(**options) / 0.7, rtol=1e-5)


def test_shard_map_of_masks_and_of_a_key_for_each_device():
    spec = P("a", "b")
    function = shard_map(
        lambda: bernoulli(KEY, 0.3, (4, 6), axes=spec), mesh=MESH, in_specs=(), out_specs=spec
    )
    assert np.array_equal(jax.jit(function)(), jax.random.bernoulli(KEY, 0.3, (8, 12)))
    # Without axes, each device draws of its own key, as jax.random does.
    keys = jax.random.split(KEY, 2)
    each = shard_map(
        lambda keys, x: dropout(keys[0], 0.3, x), mesh=MESH, in_specs=(P("a"), P("a")), out_specs=P("a")
    )
    expected = np.concatenate([dropout(key, 0.3, x) for key, x in zip(keys, (X[:4], X[4:]))])
    assert np.array_equal(jax.jit(each)(keys, X), expected)


@pytest.mark.skipif(jax.__version_info__ < (0, 10), reason="JAX before 0.10 cannot partition calls here")
def test_meshes_with_explicit_axes():
    mesh = jax.make_mesh((2, 2), ("a", "b"), axis_types=(jax.sharding.AxisType.Explicit,) * 2)
    x = jax.device_put(X, NamedSharding(mesh, P("a", None, "b")))
    expected = [whole(**options) for options in OPTIONS.values()]
    first = whole(X[0])
    with jax.set_mesh(mesh):
        for options, all_of_it in zip(OPTIONS.values(), expected):
            y = jax.jit(lambda x, options=options: dropout(KEY, 0.3, x, **options))(x)
            assert jax.typeof(y).sharding.spec == P("a", None, "b")
            assert np.array_equal(y, all_of_it)
        assert np.array_equal(np.asarray(jax.vmap(lambda x: dropout(KEY, 0.3, x))(x))[0], first)


def test_axes_are_those_of_a_mesh():
    with pytest.raises(NotImplementedError, match="axes: "):
        jax.vmap(lambda x: dropout(KEY, 0.3, x, axes=("i", None)), axis_name="i")(jnp.ones((3, 4, 5)))
