"""The metrics of all entries of a layer as arrays over steps."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store import limits
from tb_attention_plugin.store.run import StoreError

# 1 GiB as float32: a hundred thousand steps of six metrics of 400 heads.
_MAX_VALUES = 1 << 28


def stack_metrics(
    entries: Iterable[pb.Entry | StoreError],
) -> dict[str, NDArray[np.float32]]:
    """Metrics of entries, `[steps, B, H]` each; NaN where one is missing.

    Where the number of examples or heads changed over time, the array holds the most there were.

    Raises:
        StoreError: There are more values than can be.
    """
    found: dict[str, list[tuple[int, NDArray[np.float32]]]] = {}
    steps = examples = heads = 0
    for entry in entries:
        steps += 1
        if isinstance(entry, StoreError):
            continue
        examples, heads = max(examples, entry.examples), max(heads, entry.heads)
        for metric in entry.metrics:
            values = np.array(metric.values, np.float32).reshape(entry.examples, entry.heads)
            found.setdefault(metric.name, []).append((steps - 1, values))
        # Steps of different shapes need room for the largest: a few lying entries must not need
        # all memory there is.
        if len(found) > limits.MAX_METRICS or len(found) * steps * examples * heads > _MAX_VALUES:
            raise StoreError(
                f"metrics: {len(found)} of {examples} examples and {heads} heads at {steps:,} "
                f"steps; at most {_MAX_VALUES:,} values and {limits.MAX_METRICS} metrics are "
                "possible."
            )
    series: dict[str, NDArray[np.float32]] = {}
    for name, rows in found.items():
        series[name] = np.full((steps, examples, heads), np.nan, np.float32)
        for step, values in rows:
            series[name][step, : values.shape[0], : values.shape[1]] = values
    return series
