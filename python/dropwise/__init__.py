"""Dropout masks from counter-based random numbers, fused with scaling and masking.

    m = dropwise.Mask(0.1, seed, stream)
    y = m.forward(x)
    dx = m.backward(dy)

`Mask` says what holds for everything here. `fused`, `variants`, `dropblock` and `dropconnect` have the other
steps of the C library, `interop` the masks of other systems.
"""

from . import _core, dropblock, dropconnect, fused, interop, variants
from ._arrays import Options, Place
from .mask import Mask

__all__ = [
    "Mask",
    "Options",
    "Place",
    "__version__",
    "dropblock",
    "dropconnect",
    "fused",
    "interop",
    "variants",
]

__version__: str = _core.version
