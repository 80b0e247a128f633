"""The stream of docs/stream.md, written from there in NumPy: no line of the library's is in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def philox(seed: int, stream: int, counters: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint32]:
    """A row of four words for each counter."""
    low = np.uint64(0xFFFFFFFF)
    shift = np.uint64(32)
    c = [counters & low, counters >> shift]
    c += [np.full_like(counters, stream & 0xFFFFFFFF), np.full_like(counters, stream >> 32)]
    k = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [b >> shift ^ c[1] ^ np.uint64(k[0]), b & low, a >> shift ^ c[3] ^ np.uint64(k[1]), a & low]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return np.stack(c, axis=1).astype(np.uint32)


def keep(p: float, seed: int, stream: int, index: Any) -> npt.NDArray[np.bool_]:
    """Whether each index is kept: by bytes of blocks, and by words of domain 1 where these are a tie."""
    index = np.asarray(index, np.uint64)
    threshold = round((1.0 - p) * 2**40)
    flat = index.reshape(-1)
    row = np.arange(len(flat))
    words = philox(seed, stream, flat // np.uint64(16))
    byte = words.astype("<u4").view(np.uint8).reshape(-1, 16)[row, flat % np.uint64(16)]
    ties = philox(seed, stream, flat // np.uint64(4) | np.uint64(1 << 60))[row, flat % np.uint64(4)]
    kept = (byte < threshold >> 32) | ((byte == threshold >> 32) & (ties < (threshold & 0xFFFFFFFF)))
    return kept.reshape(index.shape)


def keep_of(
    p: float, seed: int, stream: int, shape: tuple[int, ...], first: int = 0
) -> npt.NDArray[np.bool_]:
    """The mask of a dense tensor."""
    return keep(p, seed, stream, first + np.arange(int(np.prod(shape))).reshape(shape))
