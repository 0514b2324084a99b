"""Thumbnails: small max-pooled copies of the maps.

The maximum, not the mean: a sharp diagonal of 0.68 stays 0.68, where the mean of a 16 × 16 block
would leave 0.06 of it. Codes ascend with the weight, so pooling them is pooling the weights.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

THUMBNAIL_SIZES = (32, 64)


def tile_length(length: int, size: int) -> int:
    """Rows or columns of a thumbnail of at most `size` for a map with `length` of them."""
    return min(length, size)


def max_pool(codes: NDArray[np.uint8], rows: int, columns: int) -> NDArray[np.uint8]:
    """Pools maps by maximum.

    Pixel `i` of `n` covers the positions from `floor(i L / n)` to `floor((i + 1) L / n)` of `L`, so
    that every weight is in exactly one pixel.

    Args:
        codes: uint8 `[H, Q, K]`.
        rows: At most Q.
        columns: At most K.

    Returns:
        uint8 `[H, rows, columns]`.
    """
    _, queries, keys = codes.shape
    if rows < queries:
        codes = np.maximum.reduceat(codes, np.arange(rows) * queries // rows, axis=1)
    if columns < keys:
        if keys % columns == 0:  # reduceat on the last axis is ten times slower than a reshape
            codes = codes.reshape(*codes.shape[:2], columns, keys // columns).max(-1)
        else:
            codes = np.maximum.reduceat(codes, np.arange(columns) * keys // columns, axis=2)
    return codes
