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
    pooled = _pool_rows(codes, size)
    # What is left is small: turned over, its columns are rows, and lie together.
    return _pool_rows(np.ascontiguousarray(pooled.swapaxes(1, 2)), size).swapaxes(1, 2)


def _pool_rows(codes: NDArray[np.uint8], rows: int) -> NDArray[np.uint8]:
    length = codes.shape[1]
    if length <= rows:
        return codes
    starts = np.arange(rows + 1) * length // rows
    most = int(np.diff(starts).max())
    # The i-th row of every pixel at once: many times as fast as a reduction along the axis.
    pooled = codes[:, starts[:-1]]
    for i in range(1, most):
        if length == rows * most:
            np.maximum(pooled, codes[:, i::most], out=pooled)
        else:  # a pixel of fewer rows takes its last one again
            np.maximum(pooled, codes[:, np.minimum(starts[:-1] + i, starts[1:] - 1)], out=pooled)
    return pooled
