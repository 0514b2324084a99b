"""Statistics of attention maps, computed when a map is recorded, from the unquantised weights.

Every metric sees only the valid region of a map (`query_lengths`, `key_lengths`), except those of
integrity, which look at what lies outside of it.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from tb_attention_plugin.store.record import AttentionRecord

_GUIDE_WIDTH = 0.2
"""g of the guided-attention penalty, as in the paper."""

Heads = NDArray[np.floating]
"""One value for each head, `[H]`."""


def _valid_keys(queries: int, keys: int, *, causal: bool) -> NDArray[np.intp]:
    if not causal:
        return np.full(queries, keys)
    return np.minimum(np.arange(1, queries + 1), keys)


def entropy(maps: NDArray[np.float32], *, causal: bool = False) -> Heads:
    """Normalised entropy: 0 when every query looks at one key, 1 when at all keys alike.

    Mean over the queries of `-sum_k p_qk ln p_qk / ln n_q`, where `p` is the row scaled to sum 1
    and `n_q` the number of keys that query `q` can attend to. Queries that can attend to one key
    only, or that attend to none, say nothing and are left out.

    Args:
        maps: float32 `[H, Q, K]`, the valid region only.
        causal: Whether query `q` can attend to the keys up to `q` only.

    Returns:
        `[H]` in [0, 1]; NaN where no query counts.

    Source: Zhai et al. 2023, "Stabilizing Transformer Training by Preventing Attention Entropy
    Collapse", arXiv 2303.06296; the normalisation makes lengths comparable.
    """
    mass = maps.sum(-1, dtype=np.float64)
    # -sum p ln p for p = w / m is ln m - (sum w ln w) / m: one pass over the weights, and w ln w
    # of a zero is 0 whatever finite number stands for its logarithm.
    logs = np.log(np.maximum(maps, np.finfo(np.float32).tiny))
    with np.errstate(divide="ignore", invalid="ignore"):
        nats = np.log(mass) - np.einsum("hqk,hqk->hq", maps, logs) / mass
        limit = np.log(_valid_keys(*maps.shape[1:], causal=causal))
        counted = (mass > 0) & (limit > 0) | np.isnan(mass)
        total = np.where(counted, nats / limit, 0).sum(-1)
        return np.clip(total / counted.sum(-1), 0, 1)


def max_weight(maps: NDArray[np.float32]) -> Heads:
    """Mean over the queries of the largest weight (focus rate): 1 when each looks at one key.

    Args:
        maps: float32 `[H, Q, K]`, the valid region only.

    Returns:
        `[H]`.

    Source: Ren et al. 2019, "FastSpeech", arXiv 1905.09263, section 3.1.
    """
    return maps.max(-1).mean(-1, dtype=np.float64)


@cache
def _guide(queries: int, keys: int) -> NDArray[np.float32]:
    distance = np.arange(queries)[:, None] / queries - np.arange(keys) / keys
    return (1 - np.exp(-(distance**2) / (2 * _GUIDE_WIDTH**2))).astype(np.float32)


def diagonality(maps: NDArray[np.float32]) -> Heads:
    """One minus the guided-attention penalty: near 1 when the weight lies along the diagonal.

    `1 - sum_qk p_qk W_qk / sum_qk p_qk` with `W_qk = 1 - exp(-(q/Q - k/K)^2 / 2 g^2)`, g = 0.2.

    Args:
        maps: float32 `[H, Q, K]`, the valid region only.

    Returns:
        `[H]` in [0, 1]; NaN where there is no weight at all.

    Source: Tachibana et al. 2017, "Efficiently Trainable Text-to-Speech System Based on Deep
    Convolutional Networks with Guided Attention", arXiv 1710.08969, equation 7.
    """
    guide = _guide(*maps.shape[1:])
    with np.errstate(divide="ignore", invalid="ignore"):
        penalty = maps.reshape(len(maps), -1) @ guide.ravel()
        return 1 - penalty / maps.sum((-1, -2), dtype=np.float64)


def coverage(maps: NDArray[np.float32]) -> Heads:
    """How much of the keys is attended to: 1 when each key gets at least its even share.

    Mean over the keys of `min(1, K / Q * sum_q p_qk)`.

    Args:
        maps: float32 `[H, Q, K]`, the valid region only.

    Returns:
        `[H]` in [0, 1].

    Source: the coverage vector of Tu et al. 2016, "Modeling Coverage for Neural Machine
    Translation", arXiv 1601.04811, against an even share.
    """
    _, queries, keys = maps.shape
    received = maps.sum(1, dtype=np.float64)
    return np.minimum(1, received * (keys / queries)).mean(-1)


def row_sum_error(maps: NDArray[np.float32]) -> Heads:
    """The largest distance of a row's sum from 1: of the integrity of a map, not of its meaning.

    Monotonic attention loses mass past the end by design; after dropout, rows do not sum to 1.

    Args:
        maps: float32 `[H, Q, K]` with the valid queries and all keys, padding included.

    Returns:
        `[H]`, 0 or above.
    """
    return np.abs(maps.sum(-1, dtype=np.float64) - 1).max(-1)


def padding_mass(maps: NDArray[np.float32], key_length: int) -> Heads:
    """The largest weight that a valid query gives to padding: above 0 says that a mask is missing.

    Args:
        maps: float32 `[H, Q, K]` with the valid queries and all keys, padding included.
        key_length: Number of valid keys.

    Returns:
        `[H]`, 0 or above.
    """
    return maps[:, :, key_length:].sum(-1, dtype=np.float64).max(-1)


def head_metrics(record: AttentionRecord) -> dict[str, NDArray[np.float32]]:
    """All metrics of a record.

    Args:
        record: The record.

    Returns:
        Each metric's name and its float32 `[B, H]`.
    """
    B, H = record.weights.shape[:2]
    values: dict[str, NDArray[np.float32]] = {}
    for b in range(B):
        rows = record.weights[b, :, : int(record.query_lengths[b])]
        key_length = int(record.key_lengths[b])
        maps = rows[:, :, :key_length]
        with np.errstate(invalid="ignore", over="ignore"):
            of_example = {
                "entropy": entropy(maps, causal=record.causal),
                "max_weight": max_weight(maps),
                "diagonality": diagonality(maps),
                "coverage": coverage(maps),
                "row_sum_error": row_sum_error(rows),
                "padding_mass": padding_mass(rows, key_length),
            }
            for name, heads in of_example.items():
                values.setdefault(name, np.empty((B, H), np.float32))[b] = heads
    return values
