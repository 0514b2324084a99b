"""`AttentionCallback`: records attention while `model.fit` runs."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import keras

from tb_attention_plugin import AttentionReader, AttentionWriter
from tb_attention_plugin.diagnosis.events import Event, EventKind
from tb_attention_plugin.store.files import not_writable
from tb_attention_training.backlog import Backlog
from tb_attention_training.budget import (
    MAX_BYTES_PER_CAPTURE,
    MAX_BYTES_PER_RUN,
    MAX_LENGTH,
    Budget,
)
from tb_attention_training.capture.heads import ChosenHeads, HeadTable
from tb_attention_training.capture.maps import LayerAttention
from tb_attention_training.capture.probe import (
    AttentionProbe,
    count_examples,
    standardize_inputs,
)
from tb_attention_training.capture.schedule import NEVER, UpdateFreq, timing_of
from tb_attention_training.capture.selection import Patterns, Selection
from tb_attention_training.capture.tokens import TokenFunction, TokenSource, TokenTable
from tb_attention_training.chief import is_chief
from tb_attention_training.guard import Guard, OnError, warn
from tb_attention_training.images import Images
from tb_attention_training.open_writers import OpenWriters
from tb_attention_training.watching import Watching


class _Fit(NamedTuple):
    thread: int
    params: Any  # Keras shares one object among the callbacks of a fit


# One fit at a time in a thread: a writer of another fit is what an interruption has left.
_open_writers: OpenWriters[_Fit] = OpenWriters(
    lambda left, new: left.thread == new.thread and left.params is not new.params
)


class AttentionCallback(keras.callbacks.Callback):
    """Records the attention of a few fixed examples while a model trains.

    Every so often the model looks at `inputs`, apart from the training, and the weights of each of
    its attention layers are written where TensorBoard's Attention tab finds them. The training
    stays as it is, bit by bit: variables, optimizer, metrics and random streams.

    The first capture is before the first step (after it, when the model is not built before), the
    last one at the end of training. Steps are `optimizer.iterations`, which goes on in a second
    `fit` and after a resume; no step is recorded twice.

    Args:
        log_dir: As for `keras.callbacks.TensorBoard`; maps are written to its `train` run.
        inputs: The fixed probe batch as the model takes it: an array, or a list, tuple or dict of
            arrays, with the examples along their first axes. Not a dataset: drawing from one would
            change the order of the training data.
        update_freq: `"epoch"`: at the end of each epoch. `"batch"`: at each training step. An int
            N: at each training step that is a multiple of N. A schedule, e.g. `log_spaced()`: at
            its steps, dense while attention forms. A function `(step) -> bool`: where it says so;
            it is asked once for each step. With `steps_per_execution`, a step that is passed counts
            at the end of its execution.
        query_tokens: Tokens of the queries (rows): a list of strings for each example, used for
            all layers; or a dict from a layer's name, or a regular expression on it, to such
            lists. As long as the map, or as its valid part when the batch is padded.
        key_tokens: Tokens of the keys (columns), likewise.
        tokens: Instead of both: a function `(layer, inputs) -> (query_tokens, key_tokens)`, called
            once for each layer with the examples that are recorded; None leaves a side bare.
        max_examples: Record this many examples at most, the first ones.
        max_length: Store maps with more queries or keys than this as maxima of neighbouring
            weights, with their tokens joined; the log and the tab say so, and metrics are of all
            weights. None: store every weight.
        max_bytes_per_capture: Of weights in memory, 4 bytes each. What takes more is cut down to
            the first examples that fit, then to the first layers, with a warning. None: no limit.
        max_bytes_per_run: Of files that are written, with those of earlier fits to this `log_dir`.
            When they are spent, a warning says so, and only the end of the training is recorded.
            None: no limit.
        layers: Regular expressions; record layers in whose path one is found. None: layers that
            call themselves attention by class or name, and whatever is tapped.
        exclude: Regular expressions; leave out layers in whose path one is found.
        heads: Numbers of the heads to record of all layers, e.g. `[3, 7]`; or a dict from a layer's
            name, or a regular expression on it, to such numbers, and of layers that none is found
            in all heads are recorded. None: all heads. Everywhere heads keep their numbers.
        images: Whether to add matplotlib figures for the Images dashboard, drawn on a background
            thread. Where `update_freq` counts steps, only some captures get them: the one before
            training, the first one in each epoch, and the one after training.
        precision: How weights are stored, see `AttentionWriter`. `"auto"` stores what a byte
            cannot, such as NaN, as float32, and flags it.
        on_event: Called with each `Event` of the training, e.g. an alignment that formed, between
            two training steps, some records after it happened. See `docs/diagnosis.md`.
        stop_on: Kinds of events that stop the training, e.g. `"entropy_collapse"`; a single kind
            or several.
        scalars: Names of head metrics, e.g. `"entropy"`, that also become scalar summaries, as
            `attention_entropy/<layer>/head_0`.
        on_error: `"warn"`: a failure while training, also of `on_event`, warns once, and training
            goes on. `"raise"`: it stops the training.

    Raises:
        TypeError: An argument is of the wrong type, e.g. `inputs` is a dataset.
        ValueError: An argument is not as described, e.g. `inputs` is empty.
        OSError: `log_dir` cannot be written to.
        ImportError: `images` is true and matplotlib is not installed.

    Example:
        >>> callback = AttentionCallback(
        ...     "runs/mine",
        ...     {"source": source[:4], "target": target[:4]},
        ...     update_freq=100,
        ...     query_tokens={"decoder": target_tokens, "encoder": source_tokens},
        ...     key_tokens={"decoder/self": target_tokens, ".": source_tokens},
        ... )
        >>> model.fit(dataset, epochs=3, callbacks=[callback])
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str],
        inputs: Any,
        *,
        update_freq: UpdateFreq = "epoch",
        query_tokens: TokenTable | None = None,
        key_tokens: TokenTable | None = None,
        tokens: TokenFunction | None = None,
        max_examples: int = 8,
        max_length: int | None = MAX_LENGTH,
        max_bytes_per_capture: int | None = MAX_BYTES_PER_CAPTURE,
        max_bytes_per_run: int | None = MAX_BYTES_PER_RUN,
        layers: Patterns | None = None,
        exclude: Patterns | None = None,
        heads: HeadTable | None = None,
        images: bool = True,
        precision: Literal["code8", "float16", "float32", "auto"] = "auto",
        on_event: Callable[[Event], object] | None = None,
        stop_on: EventKind | Iterable[EventKind] = (),
        scalars: Sequence[str] = (),
        on_error: OnError = "warn",
    ) -> None:
        super().__init__()
        if max_examples < 1:
            raise ValueError(f"max_examples: expected 1 or more, received {max_examples!r}.")
        if max_length is not None and max_length < 1:
            raise ValueError(f"max_length: expected 1 or more, received {max_length!r}.")
        given = standardize_inputs(inputs)
        self._inputs = keras.tree.map_structure(lambda array: array[:max_examples], given)
        self._tokens = TokenSource.of(
            query_tokens,
            key_tokens,
            tokens,
            inputs=self._inputs,
            given=count_examples(given),
            examples=count_examples(self._inputs),
        )
        self._timing = timing_of(update_freq)
        self._guard = Guard(on_error, "fit", self._abandon)
        self._watching = Watching(on_event, stop_on, scalars, on_error)
        Selection.of(layers, exclude)  # says now what is wrong with them
        self._layers, self._exclude = layers, exclude
        self._heads = ChosenHeads.of(heads)
        self._precision: Literal["code8", "float16", "float32", "auto"] = precision
        self._images = Images(only_chosen=True) if images else None
        self._backlog = Backlog()
        self._ending = False
        self._recording = True  # else another process does
        self._run_dir = _writable(log_dir) / "train"
        self._budget = Budget(self._run_dir, max_bytes_per_capture, max_bytes_per_run)
        self._max_length = max_length

        self._probe: AttentionProbe | None = None
        self._probed: tuple[int, ...] = ()  # identities of the variables that the probe was made of
        self._writer: AttentionWriter | None = None
        self._last_step = -1  # of the latest capture
        self._count = 0  # upper bound of the current step, without asking the optimizer
        self._due = NEVER
        self._asked = 0  # the timing has been asked about all steps up to this one
        self._owed = False  # the first capture, because the model was not built
        self._stride = 1  # steps for each call of on_train_batch_end, at most
        self._starting = False
        self._draw_next = False

    # ── Keras calls these ─────────────────────────────────────────────────────────────────────────

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Prepares for a fit; other callbacks may still restore weights after this."""
        self._starting = True
        self._ending = False
        self._guard.begin()
        self._recording = is_chief(self.model)
        self._guard.run(self._close)  # what an interrupted fit has left
        self._watching.restart()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Lets the epoch's first capture have its images."""
        self._draw_next = True

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Captures before the first step."""
        if self._starting and self._recording:
            self._starting = False
            self._guard.run(self._start)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Captures when a step is due; otherwise only counts."""
        self._count += self._stride
        if self._count >= self._due and self._recording:
            self._guard.run(self._capture_if_due)
        self._act_on_events()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Captures at the end of an epoch, when asked for."""
        if self._timing.per_epoch and self._recording:
            self._guard.run(self._capture_now)
        self._act_on_events()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Captures the final state and waits until everything is written."""
        if self._recording:
            self._guard.run(self._finish)
        self._guard.run(self._close)
        if said := self._backlog.report():
            warn(said)
        self._watching.finish()

    def _act_on_events(self) -> None:
        model: Any = self.model
        if self._watching.poll():
            model.stop_training = True

    @property
    def stopped_by(self) -> Event | None:
        """The first event of the latest training that is among `stop_on`, or None."""
        return self._watching.stopped_by

    # ── When ──────────────────────────────────────────────────────────────────────────────────────

    def _start(self) -> None:
        step = self._read_step()
        self._count = step
        self._stride = int(getattr(self.model, "steps_per_execution", 1) or 1)
        self._asked, self._due = step, self._timing.next_after(step)
        if step < self._last_step:
            warn(
                f"The step went back from {self._last_step} to {step} (compiling a model again "
                "resets optimizer.iterations). What is recorded now supersedes the records from "
                f"step {step} on in {str(self._run_dir)!r}; to keep both, give each training its "
                "own log_dir."
            )
            self._last_step = -1
        if not _is_built(self.model):
            self._due, self._owed = step + 1, True
        elif step != self._last_step and not self._was_recorded(step):
            self._capture(step, draw=True)

    def _capture_if_due(self) -> None:
        self._count = step = self._read_step()
        if step < self._due:
            return
        asked, self._asked = self._asked, step
        owed, self._owed = self._owed, False
        due = self._timing.passed(asked, step)
        self._due = self._timing.next_after(step)
        if due or owed:
            draw, self._draw_next = self._draw_next, False
            self._capture(step, draw=draw)

    def _capture_now(self) -> None:
        step = self._read_step()
        if step != self._last_step and _is_built(self.model):
            self._capture(step, draw=True)

    def _finish(self) -> None:
        if self._writer is not None and self._writer.queued_bytes:
            self._writer.flush()  # now that nothing trains, there is time
        self._ending = True
        self._capture_now()

    def _read_step(self) -> int:
        optimizer = getattr(self.model, "optimizer", None)
        if optimizer is None:  # a training loop of the user's own
            return self._count
        step: Any = optimizer.iterations.value
        replicas = getattr(step, "values", None)  # a tensor of PyTorch has a method of that name
        return int(replicas[0] if isinstance(replicas, tuple) else step)

    def _was_recorded(self, step: int) -> bool:
        """Whether a training that is being resumed has recorded this step already."""
        if step == 0 or not self._run_dir.is_dir():
            return False
        reader = AttentionReader(self._run_dir)
        return any(
            step in reader.steps(run, layer)
            for run in reader.runs()
            for layer in reader.layers(run)
        )

    # ── What ──────────────────────────────────────────────────────────────────────────────────────

    def _capture(self, step: int, *, draw: bool) -> None:
        if not self._budget.allows(self._writer, step, last=self._ending):
            return
        if not self._backlog.has_room(self._writer, step):
            return
        attentions = self._probe_of_model().capture()
        self._last_step = step
        if not attentions:
            return
        attentions = self._budget.trim(attentions)
        self._keep_examples(len(attentions[0].weights))
        if self._images is not None and draw:
            self._images.choose(step)
        if self._writer is None:
            self._writer = self._open()
        size = sum(one.weights.nbytes for one in attentions)
        skipped = self._backlog.captured(size) + self._budget.captured(size)
        for attention in attentions:
            self._write(self._writer, attention, step, skipped)
        self._guard.succeeded()

    def _write(
        self, writer: AttentionWriter, attention: LayerAttention, step: int, skipped: int
    ) -> None:
        labels = self._tokens.label(attention)
        writer.write(
            attention.layer,
            attention.weights,
            step,
            query_tokens=labels.query_tokens,
            key_tokens=labels.key_tokens,
            query_lengths=labels.query_lengths,
            key_lengths=labels.key_lengths,
            causal=attention.causal,
            skipped=skipped,
            heads=attention.heads,
        )

    def _keep_examples(self, count: int) -> None:
        """Takes no more examples in later captures than there is a budget for."""
        if count < count_examples(self._inputs):
            self._inputs = keras.tree.map_structure(lambda array: array[:count], self._inputs)
            self._probe = None

    def _probe_of_model(self) -> AttentionProbe:
        model: Any = self.model
        variables = (id(model), *(id(variable) for variable in model.variables))
        if self._probe is None or variables != self._probed:  # e.g. LoRA was switched on
            self._probe = AttentionProbe(
                model,
                self._inputs,
                layers=self._layers,
                exclude=self._exclude,
                heads=self._heads,
            )
            self._probed = variables
        return self._probe

    # ── Where ─────────────────────────────────────────────────────────────────────────────────────

    def _open(self) -> AttentionWriter:
        return _open_writers.open(
            self._run_dir,
            _Fit(threading.get_ident(), self.params),
            precision=self._precision,
            max_queue=None,
            max_length=self._max_length,
            render_images=None if self._images is None else self._images.render,
            **self._watching.writer_options,
        )

    def _close(self) -> None:
        writer, self._writer = self._writer, None
        _open_writers.close(writer)

    def _abandon(self) -> None:
        writer, self._writer = self._writer, None
        _open_writers.close_quietly(writer)


def _is_built(model: Any) -> bool:
    return bool(model.built and model.variables)


def _writable(log_dir: str | os.PathLike[str]) -> Path:
    """Makes the run's directory and makes sure that files can be made in it."""
    directory = Path(log_dir).expanduser()
    run = directory / "train"
    try:
        run.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=run):
            pass
    except OSError as error:
        raise not_writable(log_dir, error) from error
    return directory
