"""What the routes `events` and `failures` answer, apart from HTTP."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from tb_attention_plugin.diagnosis.alignment import alignment_failures
from tb_attention_plugin.diagnosis.events import Event, EventDetector, order_of
from tb_attention_plugin.diagnosis.summaries import metrics_of
from tb_attention_plugin.responses import RequestError, positions_of
from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store import codec
from tb_attention_plugin.store.heads import heads_of
from tb_attention_plugin.store.history import StoredHistory
from tb_attention_plugin.store.run import Found, RunStore, StoreError


@dataclass
class _Followed:
    """One layer, as far as it was read."""

    generation: str
    count: int = 0
    unreadable: int = 0
    detector: EventDetector = field(default_factory=EventDetector)
    events: list[Event] = field(default_factory=list[Event])


class EventLog:
    """The events of stored runs, found in their metrics on demand.

    Reads each entry once: a later question costs only what was recorded in between. A rewind of the
    training changes a layer's generation, and has it read anew.
    """

    def __init__(self) -> None:
        self._layers: dict[tuple[str, str], _Followed] = {}
        self._lock = threading.Lock()

    def of_run(self, run: str, store: RunStore) -> pb.EventsResponse:
        """The events of a run.

        Args:
            run: Its name.
            store: Its store.

        Returns:
            They, in the order in which they came to count.
        """
        response = pb.EventsResponse()
        events: list[Event] = []
        with self._lock:
            for layer, history in store.histories.items():
                if not isinstance(history, StoredHistory):
                    continue
                followed = self._follow(run, layer, history)
                events.extend(followed.events)
                if followed.unreadable:
                    response.problems.append(
                        f"Layer {layer}: {followed.unreadable} records cannot be read; events may "
                        "be missing."
                    )
        events.sort(key=order_of)
        response.events.extend(_message(event) for event in events)
        return response

    def _follow(self, run: str, layer: str, history: StoredHistory) -> _Followed:
        key = (run, layer)
        followed = self._layers.get(key)
        if (
            followed is None
            or followed.generation != history.generation
            or followed.count > len(history.steps)
        ):
            followed = self._layers[key] = _Followed(history.generation)
        for entry in history.entries(followed.count):
            followed.count += 1
            if isinstance(entry, StoreError):
                followed.unreadable += 1
            else:
                found = followed.detector.update(
                    layer, entry.step, metrics_of(entry), heads_of(entry)
                )
                followed.events.extend(found)
        return followed


def _message(event: Event) -> pb.Event:
    return pb.Event(
        kind=event.kind,
        layer=event.layer,
        head=event.head,
        step=event.step,
        confirmed_step=event.confirmed_step,
        metric=event.metric,
        value=event.value,
        message=event.message,
    )


def events_response(log: EventLog, runs: Mapping[str, object], run: str) -> pb.EventsResponse:
    """The events of a run; none where only event files are there, which hold a sample of it."""
    store = _source(runs, run)
    return log.of_run(run, store) if isinstance(store, RunStore) else pb.EventsResponse()


def failures_response(
    runs: Mapping[str, object], run: str, layer: str, example: int, head: int, step: int
) -> pb.FailuresResponse:
    """What is wrong with one map as an alignment, ordered by kind and place."""
    store = _source(runs, run)
    if not isinstance(store, RunStore):
        raise RequestError(404, f"run: of {run[:200]!r} only event files are here, without maps.")
    try:
        found = store.find(layer, step)
        if found is None:
            raise RequestError(404, f"step: layer {layer[:200]!r} has no record at step {step}.")
        if example >= found.entry.examples:
            raise RequestError(
                404,
                f"example: there are {found.entry.examples}, numbered from 0; received {example}.",
            )
        (position,) = positions_of("head", [head], found, layer)
        if found.entry.query_pooling or found.entry.key_pooling:
            raise RequestError(
                400,
                f"layer: the maps of {layer[:200]!r} are stored as maxima of "
                f"{found.entry.query_pooling} × {found.entry.key_pooling} weights, which say "
                "nothing about single queries. Record with a larger max_length.",
            )
        return _failures(found, example, position)
    except StoreError as error:
        raise RequestError(404, f"The map of step {step} cannot be read. {error}") from error


def _source(runs: Mapping[str, object], run: str) -> object:
    if run not in runs:
        raise RequestError(404, f"run: no run {run[:200]!r} has recorded attention here.")
    return runs[run]


def _failures(found: Found, example: int, position: int) -> pb.FailuresResponse:
    entry = found.entry
    frame = found.read_one(found.frame(example, position))
    try:
        weights = codec.decode_frame(
            frame, entry.encoding, entry.queries, entry.keys, entry.code_table
        )
    except ValueError as error:
        raise StoreError(f"The map cannot be decoded. {error}") from error
    queries, keys = found.lengths(example)
    return pb.FailuresResponse(
        failures=[
            pb.Failure(
                kind=failure.kind,
                first_query=failure.first_query,
                end_query=failure.end_query,
                first_key=failure.first_key,
                end_key=failure.end_key,
            )
            for failure in alignment_failures(weights[:queries, :keys])
        ]
    )
