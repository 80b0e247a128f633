"""Modules that stand where Flax's Dropout stands, and the keys of layers, against what others drew."""

import numpy as np
import pytest
from conftest import needs

jax = needs("jax")
needs("flax")
import flax.linen as nn  # noqa: E402
import jax.numpy as jnp  # noqa: E402
from flax import nnx  # noqa: E402

import dropwise.jax.linen  # noqa: E402
import dropwise.jax.nnx  # noqa: E402
from dropwise.jax import bernoulli, keys  # noqa: E402

X = jax.random.normal(jax.random.key(0), (8, 16))


def digits(keep):
    return "".join("01"[int(bit)] for bit in np.asarray(keep).reshape(-1))


# By Flax 0.12.8, Keras 3.15.1 and Haiku 0.0.17 on JAX 0.10.2: what 64 elements of a layer are kept.
DRAWN = {
    "linen, key(0), path enc/Dropout_0, first call, rate 0.5": (
        lambda: (keys.linen(jax.random.key(0), ("enc", "Dropout_0")), 0.5),
        "1100000010100101000001110100100011000100101010001001110011000100",
    ),
    "linen, the same, rate 0.1": (
        lambda: (keys.linen(jax.random.key(0), ("enc", "Dropout_0")), 0.9),
        "1101101110111111110111111111101111011111111111111111111111011111",
    ),
    "nnx.Rngs(dropout=0), second layer, third call, rate 0.5": (
        lambda: (keys.nnx(jax.random.key(0), 1, 2), 0.5),
        "0011100111001011000100010010111110001101011001110101100111111010",
    ),
    "keras, Dropout(0.5, seed=0), second call": (
        lambda: (keys.keras(0, 1), 0.5),
        "1011000010110000010111101001110100000100000000000011111101111001",
    ),
    "haiku, PRNGKey(0), first key": (
        lambda: (keys.haiku(jax.random.PRNGKey(0)), 0.5),
        "1101111010101110111111001100101110111111111101001001010110101000",
    ),
    "haiku, third key": (
        lambda: (keys.haiku(jax.random.PRNGKey(0), 2), 0.5),
        "1000111010110000101001010100110011000100111110011111001101001110",
    ),
}


@pytest.mark.parametrize("name", DRAWN)
def test_keys_are_those_of_others(name):
    arguments, expected = DRAWN[name]
    assert digits(bernoulli(*arguments(), (64,))) == expected


def test_every_function_has_a_docstring():
    for place in (dropwise.jax, keys, dropwise.jax.linen, dropwise.jax.nnx):
        assert place.__doc__ and all(getattr(place, name).__doc__ for name in place.__all__)


def network(dropout):
    class Block(nn.Module):
        @nn.compact
        def __call__(self, x, deterministic):
            x = dropout(0.4)(nn.Dense(16)(x), deterministic=deterministic)
            return dropout(0.2, broadcast_dims=(0,), deterministic=deterministic)(x)

    class Network(nn.Module):
        @nn.compact
        def __call__(self, x, deterministic=False):
            return Block()(Block(name="first")(x, deterministic), deterministic)

    return Network()


def test_linen_stands_where_flax_stands():
    theirs, ours = network(nn.Dropout), network(dropwise.jax.linen.Dropout)
    variables = theirs.init({"params": jax.random.key(1), "dropout": jax.random.key(2)}, X)
    same = jax.tree.map(
        np.array_equal, variables, ours.init({"params": jax.random.key(1), "dropout": jax.random.key(2)}, X)
    )
    assert all(jax.tree.leaves(same))
    results = []
    for module in (theirs, ours):

        @jax.jit
        def run(variables, key, module=module):
            def loss(variables):
                return (module.apply(variables, X, rngs={"dropout": key}) ** 2).sum()

            return module.apply(variables, X, rngs={"dropout": key}), jax.grad(loss)(variables)

        results.append(run(variables, jax.random.key(3)))
    assert np.array_equal(results[0][0], results[1][0])
    for a, b in zip(*(jax.tree.leaves(gradient) for _, gradient in results)):
        assert np.allclose(a, b, rtol=1e-5)
    assert np.array_equal(*(module.apply(variables, X, deterministic=True) for module in (theirs, ours)))


def test_a_layer_of_linen_can_be_redrawn():
    class Network(nn.Module):
        @nn.compact
        def __call__(self, x):
            layer = dropwise.jax.linen.Dropout(0.5, name="d", deterministic=False)
            return jnp.stack([layer(x), layer(x)])

    y = Network().apply({}, jnp.ones(64), rngs={"dropout": jax.random.key(3)})
    for call in range(2):
        key = keys.linen(jax.random.key(3), ("d",), call)
        assert np.array_equal(y[call] != 0, bernoulli(key, 0.5, (64,)))


def test_nnx_stands_where_flax_stands():
    results = []
    for dropout in (nnx.Dropout, dropwise.jax.nnx.Dropout):
        rngs = nnx.Rngs(5, dropout=6)
        layers = [dropout(0.3, rngs=rngs), dropout(0.5, broadcast_dims=(0,), rngs=rngs)]
        run = nnx.jit(lambda layer, x: layer(x))
        y = [run(layer, X) for layer in layers for _ in range(2)]
        y += [layers[0](X, rngs=nnx.Rngs(1)), layers[0](X, deterministic=True)]
        layers[0].eval()
        results.append([*y, layers[0](X), dropout(0.0, rngs=rngs)(X), dropout(1.0, rngs=rngs)(X)])
    for theirs, ours in zip(*results):
        assert np.allclose(theirs, ours, rtol=1e-6) and np.array_equal(theirs == 0, ours == 0)
    key = keys.nnx(jax.random.key(6), 0, 1)
    assert np.array_equal(np.asarray(results[1][1]) != 0, bernoulli(key, 0.7, X.shape))


def test_own_generators_in_modules():
    layer = dropwise.jax.linen.Dropout(0.5, generator="philox4x32-10", deterministic=False)
    key = jax.random.key(3)
    expected = dropwise.jax.dropout(key, 0.5, X, generator="philox4x32-10")
    assert np.array_equal(layer.apply({}, X, rng=key), expected)
    layer = dropwise.jax.nnx.Dropout(0.5, generator="philox4x32-10")
    if jax.__version_info__ >= (0, 7):
        assert np.array_equal(layer(X, rngs=key), expected)
    with pytest.raises(ValueError, match="rngs: "):
        layer(X)
    with pytest.raises(TypeError, match="rngs: .*not int"):
        layer(X, rngs=1)
