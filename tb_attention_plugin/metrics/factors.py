"""Fixed factors by which weights are multiplied before they are summed."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

GUIDE_WIDTH = 0.2
"""g of the guided-attention penalty, as in the paper: see `definitions.diagonality`."""


@lru_cache(maxsize=8)
def factors(queries: int, keys: int) -> NDArray[np.float32]:
    """What the sums over whole maps need.

    Args:
        queries: Q.
        keys: K.

    Returns:
        float32 `[2, Q K]`: the guided-attention penalty `1 - exp(-(q/Q - k/K)^2 / 2 g^2)`, and the
        distance `|q K/Q - k|` in keys. Together, so that the weights are read once. Read-only.
    """
    q, k = np.arange(queries)[:, None], np.arange(keys)
    off_diagonal = q / queries - k / keys
    out = np.empty((2, queries, keys), np.float32)
    out[0] = 1 - np.exp(-(off_diagonal**2) / (2 * GUIDE_WIDTH**2))
    out[1] = np.abs(q * (keys / queries) - k)
    out.flags.writeable = False
    return out.reshape(2, -1)


@lru_cache(maxsize=8)
def after_query(queries: int) -> NDArray[np.float32]:
    """float32 `[Q, Q]`: 1 where a key comes after the query, else 0. Read-only."""
    out = np.triu(np.ones((queries, queries), np.float32), 1)
    out.flags.writeable = False
    return out
