"""All metrics of a record, and the memory of the record before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tb_attention_plugin.metrics import definitions, integrity
from tb_attention_plugin.metrics.measure import Floats, Measured
from tb_attention_plugin.metrics.tokens import NO_MATCHES, Matches, matches_of
from tb_attention_plugin.store.record import AttentionRecord, Tokens

Values = dict[str, NDArray[np.float32]]
"""Each metric's name and its float32 `[B, H]`."""

METRICS = (
    "entropy",
    "max_weight",
    "diagonality",
    "monotonicity",
    "coverage",
    "alignment",
    "first_key_mass",
    "sink_mass",
    "previous_token",
    "induction",
    "mean_distance",
    "change",
    *integrity.INTEGRITY_METRICS,
)
"""Names of all metrics, in the order in which they are stored."""

_CHUNK = 1 << 18
"""Weights measured at a time: small maps together, large ones apart, so that they stay in cache."""


@dataclass(frozen=True)
class _Previous:
    weights: NDArray[np.float32]
    totals: NDArray[np.float64]  # [B, H]
    lengths: tuple[bytes, bytes]
    tokens: tuple[Tokens | None, Tokens | None]

    @staticmethod
    def of(record: AttentionRecord) -> _Previous:
        return _Previous(
            record.weights,
            np.full(record.weights.shape[:2], np.nan),
            (record.query_lengths.tobytes(), record.key_lengths.tobytes()),
            (record.query_tokens, record.key_tokens),
        )

    def is_comparable(self, other: _Previous) -> bool:
        return (
            self.weights.shape == other.weights.shape
            and self.lengths == other.lengths
            and self.tokens == other.tokens
        )


class HeadMetrics:
    """Metrics of successive records of any number of layers.

    Remembers each layer's latest record, to say what changed since: it holds on to the record's
    weights, 4 B H Q K bytes for each layer, and copies nothing. Not for several threads: a writer
    owns one and calls it on its thread.
    """

    def __init__(self) -> None:
        self._previous: dict[str, _Previous] = {}

    def measure(self, record: AttentionRecord) -> Values:
        """All metrics of a record.

        Args:
            record: The record; its weights must not change afterwards.

        Returns:
            Each of `METRICS` and its float32 `[B, H]`; `change` is NaN for a layer's first record
            and where the examples, their lengths or tokens are others than before.
        """
        this = _Previous.of(record)
        before = self._previous.get(record.layer)
        self._previous[record.layer] = this
        if before is not None and not before.is_comparable(this):
            before = None
        B, H = record.weights.shape[:2]
        values: Values = {name: np.full((B, H), np.nan, np.float32) for name in METRICS}
        with np.errstate(all="ignore"):  # NaN and infinity come out as NaN, which says enough
            for b in range(B):
                for heads in _chunks(record, b):
                    measured, of_heads = _measure_example(record, b, heads)
                    this.totals[b, heads] = measured.total
                    if before is not None:
                        queries, keys = measured.maps.shape[1:]
                        earlier = before.weights[b, heads, :queries, :keys]
                        of_heads["change"] = definitions.change(
                            measured, earlier, before.totals[b, heads]
                        )
                    for name, numbers in of_heads.items():
                        values[name][b, heads] = numbers
        return values


def head_metrics(record: AttentionRecord) -> Values:
    """All metrics of a record by itself; `change` is NaN.

    Args:
        record: The record.

    Returns:
        Each metric's name and its float32 `[B, H]`.
    """
    return HeadMetrics().measure(record)


def _chunks(record: AttentionRecord, b: int) -> list[slice]:
    heads = record.weights.shape[1]
    size = int(record.query_lengths[b]) * int(record.key_lengths[b])
    stride = max(1, _CHUNK // size)
    return [slice(start, min(start + stride, heads)) for start in range(0, heads, stride)]


def _measure_example(
    record: AttentionRecord, b: int, heads: slice
) -> tuple[Measured, dict[str, Floats]]:
    queries, keys = int(record.query_lengths[b]), int(record.key_lengths[b])
    rows = record.weights[b, heads, :queries]
    measured = Measured(np.ascontiguousarray(rows[:, :, :keys]), record.causal)
    values = {
        "entropy": definitions.entropy(measured),
        "max_weight": definitions.max_weight(measured),
        "diagonality": definitions.diagonality(measured),
        "monotonicity": definitions.monotonicity(measured),
        "coverage": definitions.coverage(measured),
        "alignment": _alignment(record, b, measured),
        "first_key_mass": definitions.first_key_mass(measured),
        "sink_mass": definitions.sink_mass(measured),
        "previous_token": definitions.previous_token(measured),
        "induction": definitions.induction(measured, _matches(record, b, queries, keys)),
        "mean_distance": definitions.mean_distance(measured),
        **integrity.integrity_metrics(measured, rows),
    }
    return measured, values


def _matches(record: AttentionRecord, b: int, queries: int, keys: int) -> Matches:
    tokens = _common_tokens(record, b, queries, keys)
    return NO_MATCHES if tokens is None else matches_of(tokens)


def _alignment(record: AttentionRecord, b: int, measured: Measured) -> Floats:
    if _common_tokens(record, b, *measured.maps.shape[1:]) is not None:
        return np.full(len(measured.maps), np.nan)  # a sequence is not aligned with itself
    return definitions.alignment(measured)


def _common_tokens(
    record: AttentionRecord, b: int, queries: int, keys: int
) -> tuple[str, ...] | None:
    """Tokens of a sequence that attends to itself; None where it is another, or not known."""
    if record.query_tokens is None or queries != keys:
        return None
    tokens = tuple(record.query_tokens[b])[:queries]
    of_keys = record.key_tokens
    return tokens if of_keys is None or tuple(of_keys[b])[:keys] == tokens else None
