"""The metrics of all entries of a layer as arrays over steps."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store import limits
from tb_attention_plugin.store.heads import heads_of
from tb_attention_plugin.store.history import StoredHistory
from tb_attention_plugin.store.index import StoreError

Series = NDArray[np.float32]
"""`[steps, B, H]`."""

_MOST_BYTES = 64 << 20
"""Of the metrics that are remembered."""

# 1 GiB as float32: a hundred thousand steps of six metrics of 400 heads.
_MAX_VALUES = 1 << 28


@dataclass(frozen=True)
class Stack:
    """The metrics of a layer over its steps.

    Attributes:
        heads: Number of each of the H heads, ascending: all that were recorded at any step.
        series: Each metric's name and its `[steps, B, H]`; NaN where a step has none.
    """

    heads: Sequence[int]
    series: Mapping[str, Series]


def stack_metrics(entries: Iterable[pb.Entry | StoreError]) -> Stack:
    """Metrics of entries, each head in a column of its own.

    Where the number of examples changed over time, the arrays hold the most there were.

    Raises:
        StoreError: There are more values than can be.
    """
    found: dict[str, list[tuple[int, Sequence[int], Series]]] = {}
    steps = examples = 0
    known: set[int] = set()  # numbers of heads
    for entry in entries:
        steps += 1
        if isinstance(entry, StoreError):
            continue
        examples, numbers = max(examples, entry.examples), heads_of(entry)
        known.update(numbers)
        for metric in entry.metrics:
            values = np.array(metric.values, np.float32).reshape(entry.examples, entry.heads)
            found.setdefault(metric.name, []).append((steps - 1, numbers, values))
        # Steps of different shapes need room for the largest: a few lying entries must not need
        # all memory there is.
        values_of_all = len(found) * steps * examples * len(known)
        if len(found) > limits.MAX_METRICS or values_of_all > _MAX_VALUES:
            raise StoreError(
                f"metrics: {len(found)} of {examples} examples and {len(known)} heads at {steps:,} "
                f"steps; at most {_MAX_VALUES:,} values and {limits.MAX_METRICS} metrics are "
                "possible."
            )
    heads = tuple(sorted(known))
    columns = {number: column for column, number in enumerate(heads)}
    series: dict[str, Series] = {}
    for name, rows in found.items():
        series[name] = np.full((steps, examples, len(heads)), np.nan, np.float32)
        for step, numbers, values in rows:
            at = slice(len(heads)) if len(numbers) == len(heads) else [columns[n] for n in numbers]
            series[name][step][: len(values), at] = values
    return Stack(heads, series)


@dataclass(frozen=True)
class _Known:
    generation: str
    count: int
    stack: Stack

    @property
    def size(self) -> int:
        return sum(values.nbytes for values in self.stack.series.values())

    def fits(self, later: Stack, count: int) -> bool:
        """Whether later entries have the same metrics, examples and heads, and room."""
        shapes, later_shapes = (
            {name: values.shape[1:] for name, values in stack.series.items()}
            for stack in (self.stack, later)
        )
        values = sum(math.prod(shape) for shape in shapes.values())
        same = shapes == later_shapes and self.stack.heads == later.heads
        return same and values * count <= _MAX_VALUES


class MetricLog:
    """The metrics of the layers that were asked for lately; safe to use from several threads.

    A training that is watched is asked for at every poll: only what was recorded in between is
    read. What could not be read may be mended, and is not remembered.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], _Known] = OrderedDict()
        self._lock = threading.Lock()

    def stack(self, run: str, layer: str, history: StoredHistory) -> Stack:
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
            known = _Known(history.generation, 0, Stack((), {}))
        entries = list(history.entries(known.count))
        stack = stack_metrics(entries)
        if not entries:
            stack = known.stack
        elif known.count and known.fits(stack, count):
            before = known.stack.series
            series = {n: np.concatenate([before[n], v]) for n, v in stack.series.items()}
            stack = Stack(stack.heads, series)
        elif known.count:
            entries = list(history.entries())
            stack = stack_metrics(entries)
        if not any(isinstance(entry, StoreError) for entry in entries):
            self._remember((run, layer), _Known(history.generation, count, stack))
        return stack

    def _remember(self, key: tuple[str, str], known: _Known) -> None:
        with self._lock:
            self._known[key] = known
            self._known.move_to_end(key)
            while len(self._known) > 1 and sum(k.size for k in self._known.values()) > _MOST_BYTES:
                self._known.popitem(last=False)
