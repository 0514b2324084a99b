"""All metrics of a record, and the memory of the record before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tb_attention_plugin.metrics import definitions, integrity
from tb_attention_plugin.metrics.measure import Floats, Measured, Previous, measure
from tb_attention_plugin.metrics.tokens import NO_MATCHES, matches_of
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


@dataclass(frozen=True)
class _Previous:
    weights: NDArray[np.float32]
    totals: NDArray[np.float64]  # [B, H]
    empty_corners: NDArray[np.bool_]  # [B, H]
    lengths: tuple[bytes, bytes]
    tokens: tuple[Tokens | None, Tokens | None]
    heads: tuple[int, ...] | None

    @staticmethod
    def of(record: AttentionRecord) -> _Previous:
        return _Previous(
            record.weights,
            np.full(record.weights.shape[:2], np.nan),
            np.zeros(record.weights.shape[:2], np.bool_),
            (record.query_lengths.tobytes(), record.key_lengths.tobytes()),
            (record.query_tokens, record.key_tokens),
            record.heads,
        )

    def of_example(self, b: int, queries: int, keys: int) -> Previous:
        return Previous(self.weights[b, :, :queries, :keys], self.empty_corners[b])

    def is_comparable(self, other: _Previous) -> bool:
        return (
            self.weights.shape == other.weights.shape
            and self.lengths == other.lengths
            and self.tokens == other.tokens
            and self.heads == other.heads
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
            and where the examples, their lengths or tokens, or the heads are others than before.
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
                queries, keys = int(record.query_lengths[b]), int(record.key_lengths[b])
                rows = record.weights[b, :, :queries]
                earlier = before and before.of_example(b, queries, keys)
                maps = np.ascontiguousarray(rows[:, :, :keys])
                measured = measure(maps, record.causal, earlier)
                this.totals[b], this.empty_corners[b] = measured.total, measured.empty_corner
                of_example = _values(measured, rows, _common_tokens(record, b, queries, keys))
                if before is not None:
                    of_example["change"] = definitions.change(measured, before.totals[b])
                for name, numbers in of_example.items():
                    values[name][b] = numbers
        return values


def head_metrics(record: AttentionRecord) -> Values:
    """All metrics of a record by itself; `change` is NaN.

    Args:
        record: The record.

    Returns:
        Each metric's name and its float32 `[B, H]`.
    """
    return HeadMetrics().measure(record)


def _values(
    measured: Measured, rows: NDArray[np.float32], tokens: tuple[str, ...] | None
) -> dict[str, Floats]:
    if tokens is None:
        matches, alignment = NO_MATCHES, definitions.alignment(measured)
    else:  # a sequence is not aligned with itself
        matches, alignment = matches_of(tokens), np.full(len(rows), np.nan)
    return {
        "entropy": definitions.entropy(measured),
        "max_weight": definitions.max_weight(measured),
        "diagonality": definitions.diagonality(measured),
        "monotonicity": definitions.monotonicity(measured),
        "coverage": definitions.coverage(measured),
        "alignment": alignment,
        "first_key_mass": definitions.first_key_mass(measured),
        "sink_mass": definitions.sink_mass(measured),
        "previous_token": definitions.previous_token(measured),
        "induction": definitions.induction(measured, matches),
        "mean_distance": definitions.mean_distance(measured),
        **integrity.integrity_metrics(measured, rows),
    }


def _common_tokens(
    record: AttentionRecord, b: int, queries: int, keys: int
) -> tuple[str, ...] | None:
    """Tokens of a sequence that attends to itself; None where it is another, or not known."""
    if record.query_tokens is None or queries != keys:
        return None
    tokens = tuple(record.query_tokens[b])[:queries]
    of_keys = record.key_tokens
    return tokens if of_keys is None or tuple(of_keys[b])[:keys] == tokens else None
