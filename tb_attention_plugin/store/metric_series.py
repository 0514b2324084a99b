"""The metrics of all entries of a layer as arrays over steps."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store import limits
from tb_attention_plugin.store.history import StoredHistory
from tb_attention_plugin.store.index import StoreError

Series = NDArray[np.float32]
"""`[steps, B, H]`."""

_MOST_BYTES = 64 << 20
"""Of the metrics that are remembered."""

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


@dataclass(frozen=True)
class _Known:
    generation: str
    count: int
    series: Mapping[str, Series]

    @property
    def size(self) -> int:
        return sum(values.nbytes for values in self.series.values())

    def fits(self, later: Mapping[str, Series], count: int) -> bool:
        """Whether later entries have the same metrics, examples and heads, and room."""
        shapes, later_shapes = (
            {name: values.shape[1:] for name, values in series.items()}
            for series in (self.series, later)
        )
        values = sum(math.prod(shape) for shape in shapes.values())
        return shapes == later_shapes and values * count <= _MAX_VALUES


class MetricLog:
    """The metrics of the layers that were asked for lately; safe to use from several threads.

    A training that is watched is asked for at every poll: only what was recorded in between is
    read. What could not be read may be mended, and is not remembered.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], _Known] = OrderedDict()
        self._lock = threading.Lock()

    def series(self, run: str, layer: str, history: StoredHistory) -> Mapping[str, Series]:
        """Metrics of all entries of a history; see `stack_metrics`.

        Args:
            run: Name of the run.
            layer: Name of the layer.
            history: Of the layer.
        """
        with self._lock:
            known = self._known.get((run, layer))
        count = len(history.steps)
        if known is None or known.generation != history.generation or known.count > count:
            known = _Known(history.generation, 0, {})
        entries = list(history.entries(known.count))
        series = stack_metrics(entries)
        if not entries:
            series = known.series
        elif known.count and known.fits(series, count):
            series = {n: np.concatenate([known.series[n], v]) for n, v in series.items()}
        elif known.count:
            entries = list(history.entries())
            series = stack_metrics(entries)
        if not any(isinstance(entry, StoreError) for entry in entries):
            self._remember((run, layer), _Known(history.generation, count, series))
        return series

    def _remember(self, key: tuple[str, str], known: _Known) -> None:
        with self._lock:
            self._known[key] = known
            self._known.move_to_end(key)
            while len(self._known) > 1 and sum(k.size for k in self._known.values()) > _MOST_BYTES:
                self._known.popitem(last=False)
