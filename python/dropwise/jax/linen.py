"""A module that stands where flax.linen.Dropout stands."""

from __future__ import annotations

from typing import Any

import flax.linen
import jax
import jax.numpy as jnp
from flax.linen.module import compact, merge_param

from . import dropout

__all__ = ["Dropout"]


class Dropout(flax.linen.Dropout):
    """flax.linen.Dropout by dropwise.jax.dropout: the same attributes, arguments, keys, and masks.

    Besides Flax's attributes it has

    generator : str
        As of `dropwise.jax.dropout`: "threefry2x32" draws what Flax draws.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from dropwise.jax.linen import Dropout
    >>> layer = Dropout(0.5, deterministic=False)
    >>> layer.apply({}, jnp.ones(4), rngs={"dropout": jax.random.key(0)}).shape
    (4,)
    """

    generator: str = "threefry2x32"

    @compact
    def __call__(self, inputs: Any, deterministic: bool | None = None, rng: Any = None) -> jax.Array:
        """Dropout of the inputs, or the inputs themselves if deterministic.

        Parameters and exceptions are Flax's, and those of `dropwise.jax.dropout`.
        """
        deterministic = merge_param("deterministic", self.deterministic, deterministic)
        if self.rate == 0.0 or deterministic:
            return inputs
        if self.rate == 1.0:
            return jnp.zeros_like(inputs)
        if rng is None:
            rng = self.make_rng(self.rng_collection)
        return dropout(rng, self.rate, inputs, broadcast_dims=self.broadcast_dims, generator=self.generator)
