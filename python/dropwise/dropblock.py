"""DropBlock (Ghiasi, Lin, Le, 2018): dropout of whole blocks of feature maps, in any number of dimensions.

block = dropwise.dropblock.Block((n, c, h, w), (2, 3), 7)
mask = dropwise.Mask(block.gamma(0.1), seed, stream)
y, bits = block.forward(mask, x)
dx = block.backward(mask, dy, bits)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core
from ._arrays import Place, check_names, dtype_number, place, shared_dimensions

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from typing_extensions import Unpack

    from ._arrays import ArrayLike
    from .mask import Mask

_SEEDS = {"inside": 1, "anywhere": 2}
_OPERATIONS = _core.operations


class Block:
    """Blocks of one size in tensors of one shape.

    Parameters
    ----------
    shape : sequence of int
        Of the tensors.
    dimensions : sequence of int
        Those that have blocks, such as height and width. Negative ones count from the end.
    block_size : int
        Along each of them, at most the tensor's size there.
    seeds : str
        "inside": seeds count only where the whole block lies inside of the map, as in the paper. "anywhere":
        they count everywhere, and blocks end at the edges.
    **options
        `dropwise.Place`; dimensions that share their mask share blocks.

    Raises
    ------
    ValueError
        A dimension is none of the shape, a size is 0, or seeds is unknown.
    """

    __slots__ = ("_place", "_struct", "shape")

    def __init__(
        self,
        shape: Sequence[int],
        dimensions: Sequence[int],
        block_size: int,
        seeds: str = "inside",
        **options: Unpack[Place],
    ) -> None:
        if seeds not in _SEEDS:
            raise ValueError(f"seeds: takes {', '.join(_SEEDS)}, not {seeds!r}")
        check_names(options, Place)
        self.shape = tuple(shape)
        try:
            bits = shared_dimensions(self.shape, {"share": dimensions})
        except ValueError as error:
            raise ValueError(str(error).replace("share", "dimensions", 1)) from None
        self._place = place(self.shape, options)
        self._struct = _core.dropblock(self._place, bits, block_size, _SEEDS[seeds])

    @property
    def entries(self) -> int:
        """Entries of the mask: one for each element, or for those that share it."""
        return _core.dropblock_entries(self._place)

    def gamma(self, p: float) -> float:
        """The mask's p, that of a seed, with which about the part p of all elements is dropped."""
        return _core.dropblock_gamma(self._struct, self._place, p)

    def _bits(self) -> npt.NDArray[np.uint8]:
        return np.empty((self.entries + 7) // 8, np.uint8)

    def draw(self, mask: Mask) -> tuple[npt.NDArray[np.uint8], int]:
        """Packed keep bits, least significant first, and how many entries are kept. For shards: sum those."""
        bits = self._bits()
        _, kept = _core.run(
            _OPERATIONS["dropblock_draw"], mask._struct, self._place, self._struct, None, 1, 0, bits
        )
        return bits, int(kept)

    def apply(
        self,
        scale: float,
        bits: ArrayLike,
        x: ArrayLike,
        out: ArrayLike | None = None,
        *,
        dtype: str | None = None,
    ) -> Any:
        """x * scale where the bits keep, else +0.0. For shards scale is entries / kept, both over all."""
        unused = _core.mask(0.0, 0, 0, 1, 1)
        return _core.run(
            _OPERATIONS["dropblock_apply"],
            unused,
            self._place,
            scale,
            None,
            1,
            dtype_number(dtype),
            x,
            out,
            bits,
        )

    def forward(
        self, mask: Mask, x: ArrayLike, out: ArrayLike | None = None, *, dtype: str | None = None
    ) -> tuple[Any, npt.NDArray[np.uint8]]:
        """Training, forward: what is kept is multiplied by entries / kept entries, or by 1 with standard
        scaling.

        Parameters
        ----------
        mask : Mask
            Its p is `gamma`.
        x : array
            Of the shape that the blocks are for.
        out : array, optional
            It may be x.

        Returns
        -------
        (array, uint8 array)
            The result, and the packed keep bits, for the backward pass.
        """
        bits = self._bits()
        result: tuple[Any, npt.NDArray[np.uint8]] = _core.run(
            _OPERATIONS["dropblock_forward"],
            mask._struct,
            self._place,
            self._struct,
            None,
            1,
            dtype_number(dtype),
            x,
            out,
            bits,
        )
        return result

    def backward(
        self,
        mask: Mask,
        dy: ArrayLike,
        bits: ArrayLike,
        out: ArrayLike | None = None,
        *,
        dtype: str | None = None,
    ) -> Any:
        """Training, backward, by the bits of the forward pass: dy * its scale where they keep, else +0.0."""
        return _core.run(
            _OPERATIONS["dropblock_backward"],
            mask._struct,
            self._place,
            None,
            None,
            1,
            dtype_number(dtype),
            dy,
            out,
            bits,
        )
