"""Thumbnails: small max-pooled copies of the maps.

The maximum, not the mean: a sharp diagonal of 0.68 stays 0.68, where the mean of a 16 × 16 block
would leave 0.06 of it. Codes ascend with the weight, so pooling them is pooling the weights.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

THUMBNAIL_SIZES = (32, 64)
"""Each twice the one before: a pixel of the smaller is then exactly 2 × 2 of the larger."""


def max_pool(codes: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Pools maps by maximum.

    Pixel `i` of `n` covers the positions from `floor(i L / n)` to `floor((i + 1) L / n)` of `L`, so
    that every weight is in exactly one pixel.

    Args:
        codes: uint8 `[H, Q, K]`.
        size: Rows and columns of the result at most; a side of a map that is shorter stays.

    Returns:
        uint8 `[H, min(Q, size), min(K, size)]`.
    """
    # Rows first: their maximum is taken over contiguous memory, and leaves little for the columns.
    pooled = _pool_rows(codes, size)
    return _pool_rows(pooled.swapaxes(1, 2), size).swapaxes(1, 2)


def _pool_rows(codes: NDArray[np.uint8], rows: int) -> NDArray[np.uint8]:
    H, length, width = codes.shape
    if length <= rows:
        return codes
    if length % rows == 0:  # several times as fast as reduceat
        return codes.reshape(H, rows, length // rows, width).max(2)
    return np.maximum.reduceat(codes, np.arange(rows) * length // rows, axis=1)
