"""The one pass over the weights that all metrics share.

It goes block by block and does all that needs the weights while a block is in the cache: sums by
BLAS in float32, the strongest keys, the logarithms. A metric is then a formula on what is left,
`[H, Q]` numbers or fewer. The logarithm of the entropy is half of the whole cost: tables and
polynomials in its place, made of NumPy's operations, were measured and are no faster.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tb_attention_plugin.metrics.factors import after_query, factors

Maps = NDArray[np.float32]
"""`[H, Q, K]`, contiguous."""

Floats = NDArray[np.floating]

_BLOCK = 1 << 18
"""Weights of a block: 1 MB. Small maps are measured together, larger ones in parts."""

_CAUSAL_ROWS = 128
"""Rows of a block of a causal map, so that what lies to its right can be left out."""

_TINY = np.finfo(np.float32).tiny


@dataclass(frozen=True)
class Measured:
    """What one example's maps come down to.

    Attributes:
        maps: float32 `[H, Q, K]`, contiguous; the valid queries and keys.
        causal: Whether query `q` can attend to the keys up to `q` only.
        mass: Sum of each row, `[H, Q]`.
        received: Sum of each column, `[H, K]`.
        log_sum: Sum over the keys of `w ln w`, `[H, Q]`; NaN where a weight is negative.
        peak: Key with the largest weight of each row, the first of equals, `[H, Q]`.
        future: Sum of what each row gives to keys after its query, `[H, Q]`; 0 if not causal.
        weighed: Sum over queries and keys of the weights times each of `factors`, `[H, 2]`.
        larger: Sum over queries and keys of the larger of a weight and that of the record before,
            `[H]`; NaN without one.
        empty_corner: Whether all is 0 to the right of each block of a causal map, `[H]`.
    """

    maps: Maps
    causal: bool
    mass: Floats
    received: Floats
    log_sum: Floats
    peak: NDArray[np.intp]
    future: Floats
    weighed: Floats
    larger: Floats
    empty_corner: NDArray[np.bool_]

    @cached_property
    def total(self) -> Floats:
        """Sum of each map, `[H]`."""
        return self.mass.sum(-1, dtype=np.float64)

    @cached_property
    def peak_weight(self) -> Floats:
        """Largest weight of each row, `[H, Q]`."""
        H, Q, K = self.maps.shape
        return self.maps.reshape(-1)[self.peak + np.arange(0, H * Q * K, K).reshape(H, Q)]

    @cached_property
    def reach(self) -> NDArray[np.intp]:
        """Number of keys that each query can attend to, `[Q]`."""
        _, queries, keys = self.maps.shape
        if not self.causal:
            return np.full(queries, keys)
        return np.minimum(np.arange(1, queries + 1), keys)


@dataclass(frozen=True)
class Previous:
    """The maps of the record before.

    Attributes:
        maps: float32 `[H, Q, K]`, of the same shape; need not be contiguous.
        empty_corner: As `Measured` had it.
    """

    maps: NDArray[np.float32]
    empty_corner: NDArray[np.bool_]


def measure(maps: Maps, causal: bool, previous: Previous | None = None) -> Measured:
    """Measures maps.

    Args:
        maps: float32 `[H, Q, K]`, contiguous; the valid queries and keys.
        causal: Whether query `q` can attend to the keys up to `q` only.
        previous: The record before, or None.

    Returns:
        All that the metrics need of them.
    """
    H, Q, K = maps.shape
    out = Measured(
        maps=maps,
        causal=causal,
        mass=np.empty((H, Q), np.float32),
        received=np.zeros((H, K), np.float32),
        log_sum=np.empty((H, Q), np.float32),
        peak=np.empty((H, Q), np.intp),
        future=np.zeros((H, Q), np.float32),
        weighed=np.zeros((H, 2)),
        larger=np.full(H, np.nan) if previous is None else np.zeros(H),
        empty_corner=np.full(H, causal),
    )
    spare = np.empty(min(maps.size, max(_BLOCK, K)), np.float32)
    for heads, rows in _blocks(H, Q, K, _CAUSAL_ROWS if causal else Q):
        block = _without_corner(out, heads, rows)
        _measure_block(out, heads, rows, block, spare)
        if previous is not None:
            _compare_block(out, heads, rows, block, previous, spare)
    return out


def _blocks(H: int, Q: int, K: int, most_rows: int) -> Iterator[tuple[slice, slice]]:
    """Heads and rows of each block."""
    rows = min(Q, most_rows, max(1, _BLOCK // K))
    heads = max(1, _BLOCK // (Q * K)) if rows == Q else 1  # so that a block is contiguous
    for head in range(0, H, heads):
        for row in range(0, Q, rows):
            yield slice(head, min(head + heads, H)), slice(row, min(row + rows, Q))


def _without_corner(out: Measured, heads: slice, rows: slice) -> Maps:
    """A block without the keys that none of its queries can attend to.

    Half of a causal map is 0 and says nothing. Where it is not, it cheats, and is not left out.
    """
    block = out.maps[heads, rows]
    if not out.causal or rows.stop >= block.shape[-1]:
        return block
    if block[..., rows.stop :].view(np.uint32).max() == 0:
        return block[..., : rows.stop]
    out.empty_corner[heads] = False
    return block


def _measure_block(
    out: Measured, heads: slice, rows: slice, block: Maps, spare: NDArray[np.float32]
) -> None:
    queries, keys = block.shape[1:]
    out.mass[heads, rows] = sum_rows(block)
    out.received[heads, :keys] += np.ones(queries, np.float32) @ block
    out.peak[heads, rows] = block.argmax(-1)
    _, Q, K = out.maps.shape
    whole = out.maps[heads, rows].reshape(len(block), -1)  # contiguous
    out.weighed[heads] += whole @ factors(Q, K)[:, rows.start * K : rows.stop * K].T
    # The log of a zero is that of the smallest normal number: w ln w is 0 all the same. Adding it
    # changes no weight above 1e-30 and is faster than a maximum.
    logs = spare[: block.size].reshape(block.shape)
    np.add(block, _TINY, out=logs)
    np.log(logs, out=logs)
    out.log_sum[heads, rows] = (block[..., None, :] @ logs[..., None])[..., 0, 0]
    if out.causal and rows.start < keys:
        square = block[..., rows.start : rows.stop]
        after = after_query(queries)[:, : square.shape[-1]]
        out.future[heads, rows] = np.einsum("hqk,qk->hq", square, after)
        out.future[heads, rows] += sum_rows(block[..., rows.stop :])


def _compare_block(
    out: Measured,
    heads: slice,
    rows: slice,
    block: Maps,
    previous: Previous,
    spare: NDArray[np.float32],
) -> None:
    if not previous.empty_corner[heads].all():
        block = out.maps[heads, rows]
    larger = spare[: block.size].reshape(block.shape)
    np.maximum(block, previous.maps[heads, rows, : block.shape[-1]], out=larger)
    out.larger[heads] += sum_rows(larger).sum(-1, dtype=np.float64)


def sum_rows(maps: Maps) -> Floats:
    """Sum over the keys, `[H, Q]`. BLAS: three times as fast as `sum`, to a few 1e-7."""
    return maps @ np.ones(maps.shape[-1], np.float32)
