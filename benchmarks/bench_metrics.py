"""CPU time of all head metrics together, beside the logarithm that the entropy cannot do without.

The metrics are not compared with another tool: none computes them. What a person would write
instead is a formula of NumPy for each, and the logarithm alone says how far down one could get.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from figures import Figure, alternate, compare
from numpy.typing import NDArray

from tb_attention_plugin.metrics import HeadMetrics
from tb_attention_plugin.store.record import AttentionRecord

ROUNDS = 25
HEADS = 4


def _record(size: int, step: int, *, causal: bool) -> AttentionRecord:
    logits = np.random.default_rng(step).normal(0, 2, (1, HEADS, size, size))
    if causal:
        logits = np.where(np.tri(size, dtype=bool), logits, -np.inf)
    weights = np.exp(logits)
    weights /= weights.sum(-1, keepdims=True)
    words = [[f"w{i % 97}" for i in range(size)]]
    return AttentionRecord(
        layer="layer",
        step=step,
        wall_time=0.0,
        weights=weights.astype(np.float32),
        query_tokens=words,
        key_tokens=words,
        query_lengths=np.array([size]),
        key_lengths=np.array([size]),
        causal=causal,
        dtype="float32",
    )


def _ours(size: int, *, causal: bool) -> Callable[[], None]:
    records = [_record(size, step, causal=causal) for step in range(2)]
    metrics = HeadMetrics()

    def measure() -> None:
        for record in records:  # each has a predecessor, so that `change` is part of it
            metrics.measure(record)

    return measure


def _logarithm(size: int) -> Callable[[], None]:
    weights: NDArray[np.float32] = _record(size, 0, causal=False).weights[0]

    def log() -> None:
        for _ in range(2):
            for head in weights:
                np.log(head)

    return log


def figures() -> Iterator[Figure]:
    """Measures bidirectional and causal maps of two sizes."""
    for size in (40, 512):
        for causal in (False, True):
            times = alternate([_ours(size, causal=causal), _logarithm(size)], ROUNDS)
            ours, log = (time / (2 * HEADS) for time in times)
            yield compare(
                f"all metrics of one map, {size} × {size}{', causal' if causal else ''}",
                ours,
                "ms CPU",
                "np.log of the map alone",
                log,
                "15 metrics; the goal at 512 × 512 is 0.5 ms, below np.log without AVX-512",
            )
