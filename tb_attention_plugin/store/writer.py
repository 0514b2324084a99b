"""`AttentionWriter`: NumPy in, files out, on a thread of its own."""

from __future__ import annotations

import atexit
import os
import queue
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, get_args

from numpy.typing import ArrayLike

from tb_attention_plugin.diagnosis import summaries
from tb_attention_plugin.diagnosis.events import Event, EventDetector
from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store import files
from tb_attention_plugin.store.heads import heads_of
from tb_attention_plugin.store.journal import Journal, LocalJournal
from tb_attention_plugin.store.record import AttentionRecord, ImageRenderer, Tokens
from tb_attention_plugin.store.urls import is_url
from tb_attention_plugin.store.validation import check_codable, make_record

Precision = Literal["code8", "float16", "float32", "auto"]
_FLOAT_ENCODINGS = {"float16": pb.FLOAT16, "float32": pb.FLOAT32, "auto": pb.FLOAT32}


class _Flush:
    """In the queue: all before it is to be readable by others."""


def _journal_at(log_dir: str | Path, max_length: int | None) -> Journal:
    if isinstance(log_dir, Path):
        return LocalJournal(log_dir, max_length)
    from tb_attention_plugin.store.remote import RemoteJournal

    return RemoteJournal(log_dir, max_length)


class AttentionWriter:
    """Records attention maps from arrays of any framework.

    Weights are copied and validated at once; encoding and writing happen on a background thread.
    What is in the queue when the process ends regularly is still written.

    Args:
        log_dir: Directory of the run, as for `tf.summary.create_file_writer`. Made when missing.
            May be a URL such as `s3://bucket/run` with the extra `remote`; what is written there
            becomes readable with the first record after 15 seconds, after 32 MB, or at `flush`.
        precision: How weights are stored. `"code8"`: one byte each, shown within 5e-4 absolute or
            1 % relative of the true value; takes finite weights in [0, 1]. `"float16"` and
            `"float32"` take any value. `"auto"`: `"code8"` where the weights allow it, else
            `"float32"`.
        max_queue: Records that may wait for the background thread; `write` blocks beyond that.
            None: it never blocks, and who calls it looks at `queued_bytes` before.
        max_length: Maps with more queries or keys than this are stored as maxima of as many as it
            takes; the log and the tab say so, and metrics are of all weights. None: every weight is
            stored.
        render_images: Makes image summaries of each record, e.g.
            `tb_attention_training.plotting.render_attention_images`; called on the background
            thread, after the record is written.
        scalars: Names of head metrics, e.g. `"entropy"`, that also become scalar summaries, as
            `attention_entropy/<layer>/head_0`, for comparing runs in the Time Series dashboard.
        on_event: Called with each event of the training, see `tb_attention_plugin.diagnosis`, on
            the background thread; what it raises counts as a failure of the writer. `EventWatch`
            brings events to another thread.

    The writer keeps each layer's latest record in memory, to say what changed since.

    Raises:
        ValueError: An argument is not as described.
        OSError: The directory cannot be written to.
        RuntimeError: Another live writer writes to the same directory.

    Example:
        >>> with AttentionWriter("runs/mine") as writer:
        ...     writer.write("encoder/self_attention", weights, step, key_tokens=tokens)
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str],
        *,
        precision: Precision = "code8",
        max_queue: int | None = 16,
        max_length: int | None = None,
        render_images: ImageRenderer | None = None,
        scalars: Sequence[str] = (),
        on_event: Callable[[Event], object] | None = None,
    ) -> None:
        if precision not in get_args(Precision):
            raise ValueError(
                f"precision: expected one of {', '.join(map(repr, get_args(Precision)))}, received "
                f"{precision!r}."
            )
        if max_queue is not None and max_queue < 1:
            raise ValueError(f"max_queue: expected 1 or more records, received {max_queue!r}.")
        if max_length is not None and max_length < 1:
            raise ValueError(f"max_length: expected 1 or more, received {max_length!r}.")
        self._precision = precision
        self._render_images = render_images
        self._scalars = summaries.check_scalars(scalars)
        self._on_event = on_event
        self._detector = EventDetector()
        self._last_steps: dict[str, int] = {}
        self._failure: Exception | None = None
        self._closed = False

        self.log_dir = os.fspath(log_dir) if is_url(log_dir) else Path(log_dir).expanduser()
        try:
            self._journal = _journal_at(self.log_dir, max_length)
        except OSError as error:
            raise files.not_writable(log_dir, error) from error

        self._queue: queue.Queue[AttentionRecord | _Flush | None] = queue.Queue(max_queue or 0)
        self._queued_bytes = 0
        self._counting = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="AttentionWriter", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def write(
        self,
        layer: str,
        weights: ArrayLike,
        step: int,
        *,
        query_tokens: Tokens | None = None,
        key_tokens: Tokens | None = None,
        query_lengths: ArrayLike | None = None,
        key_lengths: ArrayLike | None = None,
        causal: bool = False,
        wall_time: float | None = None,
        time_major: bool = False,
        skipped: int = 0,
        heads: Sequence[int] | None = None,
    ) -> None:
        """Records one layer's attention at one step.

        Args:
            layer: Name of the layer, its path in the model, e.g. `"decoder/cross_attention"`.
            weights: `[B, H, Q, K]`, `[B, Q, K]`, or, with `time_major=True`, `[T, B, K]` as
                `alignment_history.stack()` gives it.
            step: Training step, from 0 on; later than the layer's last one in this writer.
            query_tokens: Of each example, as many strings as it has queries (Q, or its length).
            key_tokens: Of each example, as many strings as it has keys (K, or its length).
            query_lengths: `[B]` valid queries of each example; all when None.
            key_lengths: `[B]` valid keys of each example; all when None.
            causal: Whether a query cannot attend to later keys.
            wall_time: Seconds since the epoch; now when None.
            time_major: Says that `weights` is `[T, B, K]`. A shape is never guessed.
            skipped: Captures that were due since the layer's last one and were left out.
            heads: Number of each of the H heads in the model, ascending, where `weights` is of some
                of them, e.g. `weights[:, [3, 7]]` with `heads=(3, 7)`. The tab, the metrics and the
                events call them by these numbers. None: 0 to H - 1.

        Raises:
            ValueError: An argument is not as described, or the step is not later than the last.
            TypeError: An argument is of the wrong type.
            RuntimeError: The writer is closed, or its background thread has failed.
        """
        self._check_alive()
        record = make_record(
            layer,
            weights,
            step,
            query_tokens=query_tokens,
            key_tokens=key_tokens,
            query_lengths=query_lengths,
            key_lengths=key_lengths,
            causal=causal,
            wall_time=wall_time,
            time_major=time_major,
            skipped=skipped,
            heads=heads,
        )
        last = self._last_steps.get(record.layer)
        if last is not None and record.step <= last:
            raise ValueError(
                f"step: expected a step after {last}, the last one of layer {record.layer!r}, "
                f"received {record.step}. For a training that goes on from an earlier step open a "
                "new AttentionWriter: its records supersede the older ones from there on."
            )
        if self._precision == "code8" and (reason := check_codable(record.weights)):
            raise ValueError(reason)
        self._last_steps[record.layer] = record.step
        self._count(record.weights.nbytes)
        self._queue.put(record)

    @property
    def queued_bytes(self) -> int:
        """Bytes of the weights that wait for the background thread, or that it is writing."""
        return self._queued_bytes

    def _count(self, change: int) -> None:
        with self._counting:
            self._queued_bytes += change

    def flush(self) -> None:
        """Waits until all that was written can be read by others.

        Raises:
            RuntimeError: The background thread has failed.
        """
        self._queue.put(_Flush())
        self._queue.join()
        self._raise_failure()

    def close(self) -> None:
        """Writes what is waiting and closes the files. Closing twice is fine.

        Raises:
            RuntimeError: The background thread has failed.
        """
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        self._queue.put(None)
        self._thread.join()
        try:
            self._journal.close()
        except OSError as error:  # a full disk refuses what waits in a buffer once more
            self._failure = self._failure or error
        self._raise_failure()

    def __enter__(self) -> AttentionWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _check_alive(self) -> None:
        if self._closed:
            raise RuntimeError("This AttentionWriter is closed; open a new one to write more.")
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise RuntimeError(
                f"Writing attention to {str(self.log_dir)!r} failed: {self._failure}. Records "
                "written before that are safe; later ones are not stored."
            ) from self._failure

    # ── on the background thread ──────────────────────────────────────────────────────────────────

    def _work(self) -> None:
        while (record := self._queue.get()) is not None:
            if self._failure is None:
                self._failure = self._try_to_store(record)
            if isinstance(record, AttentionRecord):
                self._count(-record.weights.nbytes)
            self._queue.task_done()
        self._queue.task_done()

    def _try_to_store(self, record: AttentionRecord | _Flush) -> Exception | None:
        try:
            if isinstance(record, AttentionRecord):
                self._store(record)
            else:
                self._journal.flush()
        except Exception as error:
            return error  # raised on the user's thread, at the next call
        return None

    def _store(self, record: AttentionRecord) -> None:
        encoding = _FLOAT_ENCODINGS.get(self._precision, pb.CODE8)
        if self._precision == "auto" and check_codable(record.weights) is None:
            encoding = pb.CODE8
        entry = self._journal.append(record, encoding)
        self._diagnose(entry)
        if self._render_images is not None:
            images = list(self._render_images(record))
            self._journal.append_images(images, record.step, record.wall_time)

    def _diagnose(self, entry: pb.Entry) -> None:
        metrics = summaries.metrics_of(entry)
        heads = heads_of(entry)
        scalars = summaries.scalars_of(entry.layer, metrics, self._scalars, heads)
        events = self._detector.update(entry.layer, entry.step, metrics, heads)
        tag = f"{summaries.EVENTS_TAG}/{entry.layer}"
        texts = {tag: summaries.text_of(events)} if events else {}
        if scalars or texts:
            self._journal.append_summaries(scalars, texts, entry.step, entry.wall_time)
        if self._on_event is not None:
            for event in events:
                self._on_event(event)
