"""`AttentionHook`: records attention while a `tf.compat.v1` session trains."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tb_attention_plugin import AttentionReader, AttentionWriter
from tb_attention_plugin.diagnosis.events import Event, EventKind
from tb_attention_training import graph as graphs
from tb_attention_training.backlog import Backlog
from tb_attention_training.guard import Guard, OnError, warn
from tb_attention_training.images import Images
from tb_attention_training.open_writers import OpenWriters
from tb_attention_training.sources import sources_of
from tb_attention_training.watching import Watching


class _Captured(NamedTuple):
    """Values of a step that is recorded once the run turns out to have trained."""

    step: int
    values: dict[str, dict[str, Any]] | None  # None: fetched beside the training


_open_writers: OpenWriters[weakref.ref[Any]] = OpenWriters(lambda left, new: left() is not new())


class AttentionHook(tf.compat.v1.train.SessionRunHook):
    """Records alignments of a graph-mode program, for `MonitoredTrainingSession` and its like.

    The alignments are a tensor that the program has already, e.g. `alignment_history.stack()`.
    It is computed on due steps only. Step N shows the weights after N updates: the alignments of
    the run that takes the global step from N on, so the first one is step 0.

    Only runs that train count: those that can write the global step, and then have advanced it.
    Evaluation runs of the same session get no fetches and are not recorded. No step is recorded
    twice, and a training that is resumed from a checkpoint goes on.

    By default alignments are fetched beside the training step and show that step's batch, another
    one at each step; they should lie on the way to the loss, else they may be computed after the
    update. With `feed_dict` they are computed apart from it, for the same examples at every step,
    and once more at the end. In both cases the training stays as it is, bit by bit: alignments that
    would draw other random numbers, draw data or write variables are refused.

    Args:
        log_dir: Directory of the run, as for `tf.compat.v1.summary.FileWriter`.
        alignments: A tensor, or a dict from a layer's name to its tensor.
        every_n_steps: Record at global steps that are a multiple of this, or the first one seen
            after it.
        time_major: Whether tensors are `[T, B, K]`, as `alignment_history.stack()` gives them;
            else they are `[B, Q, K]` or `[B, H, Q, K]`.
        layer: Name of the layer, when `alignments` is a tensor.
        query_tokens: Tokens of the queries (rows), a list of strings for each example or a string
            tensor `[B, Q]`; or a dict from layers to those.
        key_tokens: Tokens of the keys (columns), likewise.
        query_lengths: `[B]` valid queries of each example, a tensor or an array; or a dict from
            layers to those.
        key_lengths: `[B]` valid keys of each example, likewise.
        feed_dict: Feeds of fixed examples. None: alignments of the training batch.
        max_examples: Record this many examples at most, the first ones.
        global_step: The step's variable; `tf.compat.v1.train.get_global_step()` when None.
        images: Whether to add matplotlib figures for the Images dashboard, drawn on a background
            thread.
        on_event: Called with each `Event` of the training, between two runs, some records after it
            happened. See `docs/diagnosis.md`; events need fixed examples to mean much.
        stop_on: Kinds of events that stop the training; a single kind or several.
        scalars: Names of head metrics, e.g. `"entropy"`, that also become scalar summaries.
        on_error: `"warn"`: a failure while training, also of `on_event`, warns once, and training
            goes on. `"raise"`: it stops the training.

    Raises:
        TypeError: An argument is of the wrong type, e.g. a `TensorArray` that was not stacked.
        ValueError: An argument is not as described.
        ImportError: `images` is true and matplotlib is not installed.

    Example:
        >>> hook = AttentionHook("runs/mine", state.alignment_history.stack(), key_lengths=lengths)
        >>> with tf.compat.v1.train.MonitoredTrainingSession(hooks=[hook]) as session:
        ...     while not session.should_stop():
        ...         session.run(train_op)
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str],
        alignments: Any,
        *,
        every_n_steps: int = 100,
        time_major: bool = True,
        layer: str = "alignments",
        query_tokens: Any = None,
        key_tokens: Any = None,
        query_lengths: Any = None,
        key_lengths: Any = None,
        feed_dict: Mapping[Any, Any] | None = None,
        max_examples: int = 8,
        global_step: Any = None,
        images: bool = False,
        on_event: Callable[[Event], object] | None = None,
        stop_on: EventKind | Iterable[EventKind] = (),
        scalars: Sequence[str] = (),
        on_error: OnError = "warn",
    ) -> None:
        super().__init__()
        if every_n_steps < 1:
            raise ValueError(f"every_n_steps: expected 1 or more, received {every_n_steps!r}.")
        if max_examples < 1:
            raise ValueError(f"max_examples: expected 1 or more, received {max_examples!r}.")
        self._guard = Guard(on_error, "session", self._abandon)
        self._watching = Watching(on_event, stop_on, scalars, on_error)
        self._sources = sources_of(
            alignments if isinstance(alignments, Mapping) else {layer: alignments},
            query_tokens=query_tokens,
            key_tokens=key_tokens,
            query_lengths=query_lengths,
            key_lengths=key_lengths,
            time_major=time_major,
        )
        self._fetches = {name: source.fetches() for name, source in self._sources.items()}
        self._log_dir = log_dir
        self._every = every_n_steps
        self._time_major = time_major
        self._feed_dict = None if feed_dict is None else dict(feed_dict)
        self._max_examples = max_examples
        self._global_step = global_step
        self._images = Images(only_chosen=False) if images else None
        self._backlog = Backlog()

        self._graph: Any = None
        self._session: Any = lambda: None
        self._writer: AttentionWriter | None = None
        self._step_writers: set[Any] = set()
        self._trains: dict[tuple[str, ...], bool] = {}
        self._checked: set[tuple[str, ...]] = set()
        self._due: int | None = None
        self._stride: int | None = None  # steps of one run
        self._seen = 0  # lower bound of the current step
        self._last_step = -1  # of the latest record
        self._captured: _Captured | None = None
        self._trained = False

    # ── TensorFlow calls these ────────────────────────────────────────────────────────────────────

    def begin(self) -> None:
        """Finds the global step; nothing is added to the graph."""
        if self._global_step is None:
            self._global_step = tf.compat.v1.train.get_global_step()
        if self._global_step is None:
            raise ValueError(
                "global_step: the graph has none. Make it with "
                "tf.compat.v1.train.get_or_create_global_step() and hand it to the optimizer's "
                "minimize(..., global_step=...)."
            )

    def after_create_session(self, session: Any, coord: Any) -> None:
        """Starts anew, also after a session was lost and restored from a checkpoint."""
        self._abandon()
        self._guard.begin()
        self._watching.restart()
        self._trained = False
        self._captured = None
        self._due = None
        self._stride = None
        self._seen = 0
        self._last_step = -1
        self._guard.run(lambda: self._start(session))

    def before_run(self, run_context: Any) -> Any:
        """Asks for the alignments when a due step is trained.

        Returns:
            What to fetch beside the run's own fetches, or None.
        """
        self._captured = None
        fetches: Any = None

        def ask() -> None:
            nonlocal fetches
            fetches = self._ask(run_context)

        if not self._guard.run(ask):  # not again at once
            self._due = self._next_multiple(self._seen)
        return None if fetches is None else tf.compat.v1.train.SessionRunArgs(fetches)

    def after_run(self, run_context: Any, run_values: Any) -> None:
        """Records what was fetched, if the run has trained."""
        captured, self._captured = self._captured, None
        self._guard.run(lambda: self._look(run_context.session, run_values.results, captured))
        if self._watching.poll():
            run_context.request_stop()

    def end(self, session: Any) -> None:
        """Records the final state, when examples are fixed, and waits until all is written."""
        if self._trained and self._feed_dict is not None:
            self._guard.run(lambda: self._finish(session))
        self._guard.run(self._close)
        self._watching.finish()
        if said := self._backlog.report():
            warn(said)
        if not self._trained and not self._guard.failing:
            self._guard.warn_once(
                "No attention was recorded: no run of this session has advanced the global step. "
                "Hand it to the optimizer, minimize(..., global_step=...)."
            )

    @property
    def stopped_by(self) -> Event | None:
        """The first event of the training that is among `stop_on`, or None."""
        return self._watching.stopped_by

    # ── When ──────────────────────────────────────────────────────────────────────────────────────

    def _start(self, session: Any) -> None:
        self._session = weakref.ref(session)
        self._graph = session.graph
        self._trains.clear()
        self._checked.clear()
        self._step_writers = graphs.writers(self._global_step)

    def _first_due(self, step: int) -> int:
        due = -(-step // self._every) * self._every
        if step == due and self._was_recorded(step):
            self._last_step = step
            due += self._every
        return due

    def _ask(self, run_context: Any) -> dict[str, Any] | None:
        key = self._key(run_context.original_args.fetches)
        if not self._may_train(key):
            return None
        due, stride = self._due, self._stride
        if due is not None and stride is not None and self._seen + stride < due:
            return {"step": self._global_step}
        session = run_context.session
        self._seen = step = self._read_step(session)
        if self._due is None:
            self._due = self._first_due(step)
        if step < self._due:
            if self._stride is None:
                self._captured = _Captured(step, {})
            return {"step": self._global_step}
        if not self._backlog.has_room(self._writer, step):
            self._due = self._next_multiple(step)
            return {"step": self._global_step}
        if self._feed_dict is not None:
            self._captured = _Captured(step, self._fetch(session))
            return {"step": self._global_step}
        self._check(key, run_context.original_args.feed_dict or {})
        self._captured = _Captured(step, None)
        return {"step": self._global_step, "values": self._fetches}

    def _look(self, session: Any, results: Any, captured: _Captured | None) -> None:
        if results is None:
            return
        if captured is None:
            # Read beside the update, before or after it: only a bound.
            self._seen = max(self._seen, int(results["step"]))
            return
        now = self._read_step(session)
        if now <= captured.step:
            return  # an evaluation that could have trained
        self._trained = True
        self._stride = now - captured.step
        self._seen = now
        if values := results.get("values") if captured.values is None else captured.values:
            self._due = self._next_multiple(captured.step)
            self._record(captured.step, values)

    def _finish(self, session: Any) -> None:
        step = self._read_step(session)
        if step > self._last_step:
            self._record(step, self._fetch(session))

    def _next_multiple(self, step: int) -> int:
        return (step // self._every + 1) * self._every

    def _read_step(self, session: Any) -> int:
        """The global step between runs, where nothing can be changing it."""
        return int(session.run(self._global_step))

    def _key(self, fetches: Any) -> tuple[str, ...]:
        return tuple(operation.name for operation in graphs.operations(self._graph, fetches))

    def _may_train(self, key: tuple[str, ...]) -> bool:
        if key not in self._trains:
            self._trains[key] = not self._step_writers.isdisjoint(graphs.needed(self._by_name(key)))
        return self._trains[key]

    def _by_name(self, names: Iterable[str]) -> list[Any]:
        return [self._graph.get_operation_by_name(name) for name in names]

    def _was_recorded(self, step: int) -> bool:
        """Whether a training that is being resumed has recorded this step already."""
        if step == 0:
            return False
        try:
            reader = AttentionReader(self._log_dir)
        except FileNotFoundError:
            return False
        return all(
            any(
                layer in reader.layers(run) and step in reader.steps(run, layer)
                for run in reader.runs()
            )
            for layer in self._sources
        )

    # ── What ──────────────────────────────────────────────────────────────────────────────────────

    def _fetch(self, session: Any) -> dict[str, dict[str, Any]]:
        feeds = self._feed_dict or {}
        self._check((), feeds)
        return session.run(self._fetches, feed_dict=feeds)

    def _check(self, beside: tuple[str, ...], feeds: Mapping[Any, Any]) -> None:
        """Makes sure that fetching neither fails for want of a feed nor changes the training.

        Args:
            beside: Names of the operations that the run fetches anyhow.
            feeds: What the run is fed.
        """
        fed = {self._graph.as_graph_element(tensor).name for tensor in feeds}
        remembered = (*beside, "|", *sorted(fed))
        if remembered in self._checked:
            return
        wanted = graphs.needed(graphs.operations(self._graph, self._fetches), fed)
        if missing := graphs.unfed(wanted, fed):
            raise ValueError(
                f"alignments: they depend on placeholders that are not fed: {', '.join(missing)}. "
                "Feed them in feed_dict=..., or train with them."
            )
        added = wanted - graphs.needed(self._by_name(beside), fed)
        if found := graphs.disturbing(added, self._graph):
            raise ValueError(
                "alignments: computing them would change the training, through "
                f"{', '.join(found[:4])}. Take a tensor that the training step computes, or one "
                "without random numbers (dropout), data queues and updates, and feed its inputs."
            )
        self._checked.add(remembered)

    def _record(self, step: int, values: dict[str, dict[str, Any]]) -> None:
        self._last_step = step
        writer = self._open()
        arguments = {
            layer: source.arguments(values[layer], self._max_examples)
            for layer, source in self._sources.items()
        }
        skipped = self._backlog.captured(sum(one["weights"].nbytes for one in arguments.values()))
        for layer, given in arguments.items():
            writer.write(layer, step=step, time_major=self._time_major, skipped=skipped, **given)
        self._guard.succeeded()

    # ── Where ─────────────────────────────────────────────────────────────────────────────────────

    def _open(self) -> AttentionWriter:
        if self._writer is None:
            self._writer = _open_writers.open(
                self._log_dir,
                self._session,
                precision="auto",
                max_queue=None,
                render_images=None if self._images is None else self._images.render,
                **self._watching.writer_options,
            )
        return self._writer

    def _close(self) -> None:
        writer, self._writer = self._writer, None
        _open_writers.close(writer)

    def _abandon(self) -> None:
        writer, self._writer = self._writer, None
        _open_writers.close_quietly(writer)
