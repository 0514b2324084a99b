"""Every metric once more: slow, in Python floats, straight from the formula."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

Map = Sequence[Sequence[float]]
"""Rows of a map, padding included."""


def reference(
    rows: Map,
    queries: int,
    keys: int,
    *,
    causal: bool,
    tokens: Sequence[str] | None = None,
    previous: Map | None = None,
) -> dict[str, float]:
    w = [list(row[:keys]) for row in rows[:queries]]
    Q, K = range(queries), range(keys)
    total = sum(sum(row) for row in w)
    column = [sum(w[q][k] for q in Q) for k in K]

    entropies: list[float] = []
    for q in Q:
        reach = min(q + 1, keys) if causal else keys
        mass = sum(w[q])
        if reach > 1 and mass > 1e-30:
            p = [x / mass for x in w[q]]
            entropies.append(-sum(x * math.log(x) for x in p if x > 0) / math.log(reach))

    # Mutual information, cell by cell.
    alignment = math.nan
    itself = causal or (tokens is not None and queries == keys)
    if not itself and total > 0 and min(queries, keys) > 1:
        nats = sum(
            w[q][k] / total * math.log(w[q][k] * total / (sum(w[q]) * column[k]))
            for q in Q
            for k in K
            if w[q][k] > 0
        )
        alignment = nats / math.log(min(queries, keys))

    penalty = sum(
        w[q][k] * (1 - math.exp(-((q / queries - k / keys) ** 2) / (2 * 0.2**2)))
        for q in Q
        for k in K
    )

    peaks = [w[q].index(max(w[q])) for q in Q]
    forward = sum(max(b - a, 0) for a, b in pairwise(peaks))
    travelled = sum(abs(b - a) for a, b in pairwise(peaks))

    prefix: list[float] = []
    if tokens is not None and queries == keys:
        for q in Q:
            hits = [k for k in range(1, q) if tokens[k - 1] == tokens[q]]
            if hits:
                prefix.append(sum(w[q][k] for k in hits))

    return {
        "entropy": _mean(entropies),
        "max_weight": _mean([max(w[q]) for q in Q]),
        "diagonality": 1 - penalty / total if total else math.nan,
        "monotonicity": forward / travelled if travelled else math.nan,
        "coverage": _mean([min(1.0, column[k] * keys / queries) for k in K]),
        "first_key_mass": column[0] / queries,
        "alignment": alignment,
        "sink_mass": max(column) / queries if queries > 1 else math.nan,
        "previous_token": _mean([w[q][q - 1] for q in range(1, queries)])
        if queries == keys
        else math.nan,
        "induction": _mean(prefix),
        "mean_distance": sum(w[q][k] * abs(q * keys / queries - k) for q in Q for k in K) / total
        if total
        else math.nan,
        "change": _mean([sum(abs(w[q][k] - previous[q][k]) for k in K) / 2 for q in Q])
        if previous is not None
        else math.nan,
        "row_sum_error": max(abs(sum(rows[q]) - 1) for q in Q),
        "padding_mass": max(sum(rows[q][keys:]) for q in Q),
        "future_mass": max(sum(w[q][q + 1 :]) for q in Q) if causal else math.nan,
        "nonfinite": 0.0,
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
