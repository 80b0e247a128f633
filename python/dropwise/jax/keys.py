"""The keys that libraries on JAX make of a root key, so that a named layer's mask can be drawn again.

    key = keys.linen(jax.random.key(seed), ("Encoder_0", "Dropout_1"), call=0)
    keep = dropwise.jax.bernoulli(key, 0.9, shape)

Functions take a key of JAX, typed or as uint32, and give one of its kind. Calls are counted from 0.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["haiku", "keras", "linen", "nnx"]


def linen(root: Any, path: Sequence[str], call: int = 0, *, separator: bool = False) -> Any:
    """What make_rng gives a module of flax.linen.

    Parameters
    ----------
    root : key
        The one of ``rngs={"dropout": root}``.
    path : sequence of str
        Names of the modules from the root to the layer: ``module.path``.
    call : int
        How many keys the module has taken of this collection before in this apply.
    separator : bool
        The flag flax_fix_rng_separator.

    Examples
    --------
    >>> import jax
    >>> from dropwise.jax import keys
    >>> keys.linen(jax.random.PRNGKey(0), ("enc", "Dropout_0")).tolist()
    [263236431, 850285081]
    """
    digest = hashlib.sha1()
    count = call + 1
    for part in (*(name.encode() for name in path), count.to_bytes((count.bit_length() + 7) // 8, "big")):
        digest.update(b"\0" + part if separator else part)
    return jax.random.fold_in(root, jnp.uint32(int.from_bytes(digest.digest()[:4], "big")))


def nnx(root: Any, taken: int, call: int = 0) -> Any:
    """What a flax.nnx layer draws from that has made a stream of its own, as Dropout does since Flax 0.11.

    Parameters
    ----------
    root : key
        The stream's: jax.random.key(seed) of nnx.Rngs(dropout=seed). nnx.Rngs(seed) has one stream for all.
    taken : int
        How many keys were taken of the stream before the layer was made: by layers made before it, and, if
        the stream is one for all, by their parameters.
    call : int
        How often the layer was called before.
    """
    return jax.random.fold_in(jax.random.fold_in(root, taken), call)


def haiku(root: Any, call: int = 0) -> Any:
    """What hk.next_rng_key gives in a transformed function.

    Parameters
    ----------
    root : key
        The one given to apply.
    call : int
        How many keys were taken before in this apply, by all modules. Each is a step of this function.
    """
    for _ in range(call):
        root = jax.random.split(root)[0]
    return jax.random.split(root)[1]


def keras(seed: int, call: int = 0) -> jax.Array:
    """What a layer of Keras draws from on JAX: its seed, and how often it was called before."""
    if not (0 <= seed < 2**32 and 0 <= call < 2**32):
        raise ValueError(f"seed, call: must be from 0 to 2**32 - 1, not {seed}, {call}")
    return jnp.array([seed, call], jnp.uint32)
