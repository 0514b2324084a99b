"""`AttentionReader`: recorded attention for notebooks and scripts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tb_attention_plugin.diagnosis.events import Event, EventDetector, order_of
from tb_attention_plugin.diagnosis.summaries import metrics_of
from tb_attention_plugin.store import codec
from tb_attention_plugin.store.heads import heads_of
from tb_attention_plugin.store.history import History
from tb_attention_plugin.store.logdir import LogDirectory, root_at
from tb_attention_plugin.store.metric_series import Stack, stack_metrics
from tb_attention_plugin.store.pooling import Pooling
from tb_attention_plugin.store.run import Found, RunStore, StoreError
from tb_attention_plugin.store.urls import is_url


class AttentionReader:
    """Reads the attention maps that were recorded below a log directory.

    Every call sees what was written until then, also by a training that still runs.

    Args:
        logdir: What one passes to `tensorboard --logdir`.

    Raises:
        FileNotFoundError: There is no such directory.

    Example:
        >>> reader = AttentionReader("runs")
        >>> run = reader.runs()[0]
        >>> layer = reader.layers(run)[0]
        >>> weights = reader.weights(run, layer, reader.steps(run, layer)[-1])  # [B, H, Q, K]
    """

    def __init__(self, logdir: str | os.PathLike[str]) -> None:
        if not is_url(logdir) and not Path(logdir).expanduser().is_dir():
            raise FileNotFoundError(
                f"logdir: expected a directory as for `tensorboard --logdir`, received "
                f"{str(logdir)!r}, which does not exist."
            )
        self._logs = LogDirectory([("", root_at(os.fspath(logdir)))])

    def runs(self) -> list[str]:
        """Names of the runs, sorted."""
        self._logs.rescan()
        return list(self._logs.runs())

    def layers(self, run: str) -> list[str]:
        """Names of the layers of a run, in the order in which they were first recorded."""
        return list(self._store(run).histories)

    def steps(self, run: str, layer: str) -> list[int]:
        """Every recorded step of a layer, ascending."""
        return list(self._history(run, layer)[1].steps)

    def tokens(self, run: str, layer: str, step: int) -> list[tuple[list[str], list[str]]]:
        """Tokens of a record.

        Returns:
            Of each example its query tokens and its key tokens; empty lists when none were given.
        """
        store, found = self._found(run, layer, step)
        sides: list[list[list[str]]] = []
        for side in ("query_tokens", "key_tokens"):
            table = store.tokens(found, side)
            lists = [list(e.tokens) for e in table.examples] if table else []
            sides.append(lists or [[] for _ in range(found.entry.examples)])
        return list(zip(*sides, strict=True))

    def lengths(self, run: str, layer: str, step: int) -> list[tuple[int, int]]:
        """Valid queries and valid keys of each example of a record."""
        _, found = self._found(run, layer, step)
        return [found.lengths(b) for b in range(found.entry.examples)]

    def weights(self, run: str, layer: str, step: int) -> NDArray[np.float32]:
        """The attention weights of a record.

        Returns:
            float32 `[B, H, Q, K]` with the heads that `heads` numbers, each weight within 5e-4
            absolute or 1 % relative of what was recorded (with `precision="code8"`).

        Raises:
            LookupError: There is no such run, layer or step.
            StoreError: The data cannot be read.
        """
        _, found = self._found(run, layer, step)
        entry = found.entry
        B, H, heads = entry.examples, entry.heads, found.heads
        frames = found.read([found.frame(b, h) for b in range(B) for h in range(H)])
        out = np.empty((B * H, entry.queries, entry.keys), np.float32)
        for i, frame in enumerate(frames):
            if isinstance(frame, StoreError):
                raise frame
            try:
                out[i] = codec.decode_frame(
                    frame, entry.encoding, entry.queries, entry.keys, entry.code_table
                )
            except ValueError as error:
                raise StoreError(
                    f"weights: the map of example {i // H}, head {heads[i % H]} at step {step} "
                    f"cannot be decoded. {error}"
                ) from error
        return out.reshape(B, H, entry.queries, entry.keys)

    def heads(self, run: str, layer: str, step: int | None = None) -> list[int]:
        """The number in the model of each head that was recorded, ascending.

        Args:
            run: Name of the run.
            layer: Name of the layer.
            step: A recorded step, for the heads along axis 1 of its `weights`. None: the heads of
                all steps together, along the last axis of `metrics`.

        Returns:
            0 to H - 1, unless only some of the heads were chosen.

        Raises:
            LookupError: There is no such run, layer or step.
        """
        if step is not None:
            return list(self._found(run, layer, step)[1].heads)
        return list(self._stack(run, layer).heads)

    def pooling(self, run: str, layer: str, step: int) -> Pooling:
        """How many queries and keys a row and a column of a record stand for.

        `Pooling(1, 1)` where every weight was stored. Else a cell of `weights` is the maximum of so
        many, and `tokens` and `lengths` are of rows and columns.
        """
        _, found = self._found(run, layer, step)
        return Pooling(found.entry.query_pooling or 1, found.entry.key_pooling or 1)

    def metrics(self, run: str, layer: str) -> dict[str, NDArray[np.float32]]:
        """Metrics of every recorded step.

        Returns:
            Each metric's name and its float32 `[steps, B, H]`; NaN where a step has none. The heads
            are those of `heads(run, layer)`.
        """
        return dict(self._stack(run, layer).series)

    def metrics_table(self, run: str) -> dict[str, NDArray[Any]]:
        """Metrics of all layers of a run as the columns of a table.

        Args:
            run: Name of the run.

        Returns:
            Columns of equal length by their names: `layer`, `step`, `example`, `head`, then each
            metric, NaN where it has no value. A row for each map, in the order of those four.

        Raises:
            LookupError: There is no such run.

        Example:
            >>> table = pandas.DataFrame(reader.metrics_table("run"))
            >>> table.groupby(["layer", "head"])["entropy"].last()
        """
        parts: list[dict[str, NDArray[Any]]] = []
        for layer in self.layers(run):
            steps, stack = self.steps(run, layer), self._stack(run, layer)
            series = stack.series
            shape = next(iter(series.values()), np.empty((0, 0, 0))).shape
            # A training that goes on may have recorded in between.
            count = min(len(steps), shape[0])
            step, example, head = np.indices((count, *shape[1:])).reshape(3, -1)
            parts.append(
                {
                    "layer": np.full(step.size, layer),
                    "step": np.array(steps, np.int64)[step],
                    "example": example,
                    "head": np.array(stack.heads, np.int64)[head],
                    **{name: values[:count].ravel() for name, values in series.items()},
                }
            )
        names = dict.fromkeys(name for part in parts for name in part)
        return {
            name: np.concatenate(
                [part.get(name, np.full(part["step"].size, np.nan, np.float32)) for part in parts]
            )
            for name in names
        }

    def events(self, run: str) -> list[Event]:
        """What happened to the heads of a run over the training, found in the stored metrics.

        Args:
            run: Name of the run.

        Returns:
            The events of all layers, in the order in which they came to count, as the tab shows
            them. Records that cannot be read are left out.

        Raises:
            LookupError: There is no such run.

        Example:
            >>> for event in reader.events("run"):
            ...     print(event.confirmed_step, event.message)
        """
        store = self._store(run)
        events: list[Event] = []
        for layer in store.histories:
            detector = EventDetector()
            for entry in store.entries(layer):
                if not isinstance(entry, StoreError):
                    events += detector.update(layer, entry.step, metrics_of(entry), heads_of(entry))
        return sorted(events, key=order_of)

    def _stack(self, run: str, layer: str) -> Stack:
        store, _ = self._history(run, layer)
        return stack_metrics(store.entries(layer))

    def _store(self, run: str) -> RunStore:
        store = self._logs.run(run)
        if store is None:
            raise LookupError(f"run: expected one of {self.runs()}, received {run!r}.")
        return store

    def _history(self, run: str, layer: str) -> tuple[RunStore, History]:
        store = self._store(run)
        if layer not in store.histories:
            raise LookupError(
                f"layer: expected one of {list(store.histories)} of run {run!r}, received "
                f"{layer!r}."
            )
        return store, store.histories[layer]

    def _found(self, run: str, layer: str, step: int) -> tuple[RunStore, Found]:
        store, history = self._history(run, layer)
        found = store.find(layer, step)
        if found is None:
            raise LookupError(
                f"step: expected a recorded step of layer {layer!r}, received {step}; the nearest "
                f"one before it is {history.at_or_before(step)} of {len(history.steps)}."
            )
        return store, found
