"""Pooling of maps that are longer than what is stored: maxima, so that sharp attention stays sharp.

One cell stands for `queries × keys` weights and holds their maximum, as in thumbnails; the last row
and the last column may stand for fewer. Metrics are of the weights before.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from tb_attention_plugin.store.record import Tokens

Item = TypeVar("Item", bound=np.generic)

SEPARATOR = " "
"""Between the tokens of positions that became one."""


class Pooling(NamedTuple):
    """How many weights one stored cell stands for.

    Attributes:
        queries: Rows of weights in a row of cells.
        keys: Columns of weights in a column of cells.
    """

    queries: int
    keys: int

    @staticmethod
    def of(Q: int, K: int, *, causal: bool, max_length: int | None) -> Pooling:
        """The least pooling that leaves at most `max_length` rows and columns."""
        if max_length is None:
            return Pooling(1, 1)
        queries, keys = -(-Q // max_length), -(-K // max_length)
        if causal or Q == K:  # the diagonal stays one
            queries = keys = max(queries, keys)
        return Pooling(queries, keys)

    @property
    def pools(self) -> bool:
        """Whether there is anything to pool."""
        return max(self) > 1

    def maps(self, maps: NDArray[Item]) -> NDArray[Item]:
        """Maxima of `[..., Q, K]`; NaN wins."""
        return _maxima(_maxima(maps, self.queries, -2), self.keys, -1)


def _maxima(maps: NDArray[Any], factor: int, axis: int) -> NDArray[Any]:
    if factor == 1:
        return maps
    return np.maximum.reduceat(maps, np.arange(0, maps.shape[axis], factor), axis=axis)


def pool_lengths(lengths: NDArray[np.int64], factor: int) -> NDArray[np.int64]:
    """Valid rows or columns of cells: those that stand for something valid."""
    return -(-lengths // factor)


def pool_tokens(tokens: Tokens | None, factor: int) -> Tokens | None:
    """The tokens of the positions that a row or column of cells stands for, as one string."""
    if tokens is None or factor == 1:
        return tokens
    return tuple(
        tuple(
            SEPARATOR.join(sequence[start : start + factor])
            for start in range(0, len(sequence), factor)
        )
        for sequence in tokens
    )
