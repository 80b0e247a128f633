"""A module that stands where flax.nnx.Dropout stands."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from . import dropout

__all__ = ["Dropout"]


class Dropout(nnx.Dropout):
    """flax.nnx.Dropout by dropwise.jax.dropout: the same arguments, keys, and masks.

    Parameters
    ----------
    *arguments, **options
        Those of flax.nnx.Dropout.
    generator : str
        As of `dropwise.jax.dropout`: "threefry2x32" draws what Flax draws.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from flax import nnx
    >>> from dropwise.jax.nnx import Dropout
    >>> Dropout(0.5, rngs=nnx.Rngs(0))(jnp.ones(4)).shape
    (4,)
    """

    def __init__(self, *arguments: Any, generator: str = "threefry2x32", **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.generator = generator

    def __call__(self, inputs: Any, *, deterministic: bool | None = None, rngs: Any = None) -> jax.Array:
        """Dropout of the inputs, or the inputs themselves if deterministic.

        Parameters and exceptions are Flax's, and those of `dropwise.jax.dropout`.
        """
        if deterministic is None:
            deterministic = self.deterministic
        if deterministic is None:
            raise ValueError("deterministic: was given neither to Dropout nor to the call")
        if self.rate == 0.0 or deterministic:
            return inputs
        if self.rate == 1.0:
            return jnp.zeros_like(inputs)
        rngs = self.rngs if rngs is None else rngs
        if isinstance(rngs, nnx.Rngs):
            key = rngs[self.rng_collection]()
        elif isinstance(rngs, nnx.RngStream):
            key = rngs()
        elif isinstance(rngs, jax.Array):
            key = rngs
        elif rngs is None:
            raise ValueError("rngs: was given neither to Dropout nor to the call")
        else:
            raise TypeError(f"rngs: must be nnx.Rngs, nnx.RngStream or a key, not {type(rngs).__name__}")
        return dropout(key, self.rate, inputs, broadcast_dims=self.broadcast_dims, generator=self.generator)
