"""Whether a map is a map: for telling whether the plot or the model is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tb_attention_plugin.metrics.measure import Floats, Maps, Measured, measure, sum_rows
from tb_attention_plugin.store.record import AttentionRecord

INTEGRITY_METRICS = ("row_sum_error", "padding_mass", "future_mass", "nonfinite")
"""Names of the metrics that are 0 for a sound map."""

TOLERANCE = 1e-3
"""What rounding may do: rows of float16 or bfloat16 weights do not sum to 1 exactly."""

_DROPPED = (0.01, 0.9)
"""Share of exact zeros among attendable weights that looks like dropout's."""

CheckName = Literal["nonfinite", "row_sum", "dropout", "padding", "future"]


def row_sum_error(sums: Floats) -> Floats:
    """The largest distance of a row's sum from 1: of the integrity of a map, not of its meaning.

    Monotonic attention loses mass past the end by design; after dropout, rows do not sum to 1.

    Args:
        sums: `[H, Q]`, of the valid queries over all keys, padding included.

    Returns:
        `[H]`, 0 or above.
    """
    return np.abs(sums - 1).max(-1)


def padding_mass(padding: Floats) -> Floats:
    """The largest weight that a valid query gives to padding: above 0 says that a mask is missing.

    Args:
        padding: `[H, Q]`, each valid query's sum over the padding keys.

    Returns:
        `[H]`, 0 or above.
    """
    return padding.max(-1)


def future_mass(measured: Measured) -> Floats:
    """The largest weight that a query gives to later keys: above 0 in a causal map, it cheats.

    Args:
        measured: The maps.

    Returns:
        `[H]`, 0 or above; NaN for maps that are not causal.
    """
    if not measured.causal:
        return np.full(len(measured.maps), np.nan)
    return measured.future.max(-1)


def nonfinite(rows: Maps, sums: Floats) -> NDArray[np.intp]:
    """Number of NaN and infinite weights of the valid queries.

    Args:
        rows: `[H, Q, K]`, the valid queries and all keys, padding included.
        sums: `[H, Q]`, their sums.

    Returns:
        `[H]`.
    """
    if np.isfinite(sums).all():  # none can hide in a sum
        return np.zeros(len(rows), np.intp)
    return (~np.isfinite(rows)).sum((-1, -2))


def integrity_metrics(measured: Measured, rows: Maps) -> dict[str, Floats]:
    """All metrics of integrity.

    Args:
        measured: The valid region.
        rows: `[H, Q, K]`, the valid queries and all keys, padding included.

    Returns:
        Each of `INTEGRITY_METRICS` and its `[H]`.
    """
    padding = sum_rows(rows[:, :, measured.maps.shape[-1] :])
    sums = measured.mass + padding
    return {
        "row_sum_error": row_sum_error(sums),
        "padding_mass": padding_mass(padding),
        "future_mass": future_mass(measured),
        "nonfinite": nonfinite(rows, sums).astype(np.float64),
    }


@dataclass(frozen=True)
class Check:
    """One thing that is wrong with maps of a record.

    Attributes:
        name: What is wrong.
        example: Index of the example.
        heads: Heads that it holds for.
        worst: The worst value: a count (`nonfinite`), a distance from 1 (`row_sum`, `dropout`) or
            a weight (`padding`, `future`).
        message: A sentence for a person.
    """

    name: CheckName
    example: int
    heads: tuple[int, ...]
    worst: float
    message: str


def checks(record: AttentionRecord, tolerance: float = TOLERANCE) -> list[Check]:
    """What is wrong with the maps of a record.

    Args:
        record: The record.
        tolerance: What rounding may do.

    Returns:
        One for each example and kind that is wrong; none for a sound record.
    """
    found: list[Check] = []
    with np.errstate(all="ignore"):
        for b in range(len(record.weights)):
            queries, keys = int(record.query_lengths[b]), int(record.key_lengths[b])
            rows = record.weights[b, :, :queries]
            measured = measure(np.ascontiguousarray(rows[:, :, :keys]), record.causal)
            values = integrity_metrics(measured, rows)
            dropped = _looks_dropped(measured, tolerance)
            sums = values["row_sum_error"]
            verdicts: tuple[tuple[CheckName, Floats, NDArray[np.bool_]], ...] = (
                ("nonfinite", values["nonfinite"], values["nonfinite"] > 0),
                ("dropout", sums, (sums > tolerance) & dropped),
                ("row_sum", sums, (sums > tolerance) & ~dropped),
                ("padding", values["padding_mass"], values["padding_mass"] > tolerance),
                ("future", values["future_mass"], values["future_mass"] > tolerance),
            )
            for name, worst, wrong in verdicts:
                if wrong.any():
                    heads = tuple(np.flatnonzero(wrong).tolist())
                    most = float(worst[wrong].max())
                    found.append(Check(name, b, heads, most, _sentence(name, heads, most)))
    return found


def _looks_dropped(measured: Measured, tolerance: float) -> NDArray[np.bool_]:
    # Dropout zeroes some weights and scales the others up: rows sum to more than 1 and to less,
    # but to 1 on average, and zeros lie where a softmax leaves none.
    attendable = np.arange(measured.maps.shape[-1]) < measured.reach[:, None]
    zeros = ((measured.maps == 0) & attendable).sum((-1, -2)) / attendable.sum()
    both = (measured.mass.max(-1) > 1 + tolerance) & (measured.mass.min(-1) < 1 - tolerance)
    return both & (zeros > _DROPPED[0]) & (zeros < _DROPPED[1])


def _sentence(name: CheckName, heads: tuple[int, ...], worst: float) -> str:
    who = f"head {heads[0]}" if len(heads) == 1 else f"{len(heads)} heads"
    return {
        "nonfinite": f"{who}: up to {worst:.0f} weights are NaN or infinite. The model is wrong: "
        "look for a row whose keys are all masked, or for scores that overflow.",
        "dropout": f"{who}: rows sum to 1 only on average, off by up to {worst:.3g}, and weights "
        "are zero where a softmax leaves none: the weights were taken after dropout. Take them "
        "before it, or in inference mode.",
        "row_sum": f"{who}: a row's sum is {worst:.3g} away from 1. The weights are not those of a "
        "softmax over the keys (monotonic attention loses mass by design).",
        "padding": f"{who}: a query gives {worst:.3g} to padding: a key mask is missing, or the "
        "key lengths are wrong.",
        "future": f"{who}: a query gives {worst:.3g} to later keys: the causal mask is missing.",
    }[name]
