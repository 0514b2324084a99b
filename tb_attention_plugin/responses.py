"""What the routes answer, apart from HTTP: messages and parts from the store."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from google.protobuf.message import Message

from tb_attention_plugin.sampled import SampledRun
from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store import code_table
from tb_attention_plugin.store.heads import listed, to_store
from tb_attention_plugin.store.history import History, StoredHistory
from tb_attention_plugin.store.metric_series import MetricLog, stack_metrics
from tb_attention_plugin.store.run import Found, RunStore, StoreError

MAX_MAPS = 1024
MAX_EXAMPLES = 64
MAX_BODY_BYTES = 256 << 20
_PART_LENGTHS = struct.Struct("<II")


class RequestError(Exception):
    """A request that cannot be answered; the message is a sentence for the person who made it.

    Args:
        status: HTTP status, 400 or 404.
        message: The sentence.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


Source = RunStore | SampledRun
Runs = Mapping[str, Source]
_LATEST_TRIED = 8


def runs_response(runs: Runs, log_dir: str, problems: Sequence[str] = ()) -> pb.RunsResponse:
    """All runs, their layers and steps. What is damaged becomes a problem and hides nothing else.

    Args:
        runs: The runs.
        log_dir: As TensorBoard was given it.
        problems: Sentences about what is no run.
    """
    response = pb.RunsResponse(
        code_tables=[
            pb.CodeTable(id=id_, values=table().tolist(), tiny=code_table.TINY)
            for id_, table in code_table.CODE_TABLES.items()
        ],
        log_dir=log_dir,
        problems=problems,
    )
    for name, store in runs.items():
        run = pb.Run(name=name, thumbnails_only=store.thumbnails_only)
        for layer, history in store.histories.items():
            _add_layer(run, store, layer, history, response.problems)
        if run.layers:
            response.runs.append(run)
        response.problems.extend(f"Run {name}: {problem}" for problem in store.problems)
    return response


def _add_layer(run: pb.Run, store: Source, name: str, history: History, problems: Any) -> None:
    try:
        latest = _latest(store, name, history)
    except StoreError as error:
        problems.append(f"Run {run.name}, layer {name}: {error}")
        return
    layer = run.layers.add(
        name=name,
        steps=history.steps,
        wall_times=history.wall_times,
        heads=latest.entry.heads,
        head_numbers=latest.entry.head_numbers,
        queries=latest.entry.queries,
        keys=latest.entry.keys,
        causal=latest.entry.causal,
        example_steps=history.example_steps,
        generation=history.generation,
        gap_steps=[step for step, _ in history.gaps],
        gap_counts=[count for _, count in history.gaps],
        query_pooling=latest.entry.query_pooling,
        key_pooling=latest.entry.key_pooling,
    )
    try:
        layer.examples.extend(_examples(store, latest))
    except StoreError as error:
        problems.append(f"Run {run.name}, layer {name}: the tokens cannot be read. {error}")
        layer.examples.extend(_example(latest, b, [], []) for b in range(latest.entry.examples))


def _latest(store: Source, layer: str, history: History) -> Found:
    """The latest entry that can be read, of the last few."""
    reason = StoreError("it has no records.")
    for step in reversed(history.steps[-_LATEST_TRIED:]):
        try:
            found = store.find(layer, step)
        except StoreError as error:
            reason = error
            continue
        if found is not None:
            return found
    raise reason


def _examples(store: Source, found: Found) -> list[pb.Example]:
    queries = store.tokens(found, "query_tokens")
    keys = store.tokens(found, "key_tokens")
    return [
        _example(
            found,
            b,
            queries.examples[b].tokens if queries else [],
            keys.examples[b].tokens if keys else [],
        )
        for b in range(found.entry.examples)
    ]


def _example(found: Found, b: int, queries: Iterable[str], keys: Iterable[str]) -> pb.Example:
    query_length, key_length = found.lengths(b)
    return pb.Example(
        query_tokens=queries,
        key_tokens=keys,
        query_length=query_length,
        key_length=key_length,
    )


def runs_json(response: pb.RunsResponse) -> dict[str, Any]:
    """The runs as JSON. protobuf's own JSON would turn steps into strings."""
    return _plain(response)


def _plain(message: Message) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        value: Any = getattr(message, field.name)
        if field.message_type is not None:  # every message in these responses is repeated
            out[field.name] = [_plain(item) for item in value]
        else:
            out[field.name] = value if isinstance(value, str | int | float) else list(value)
    return out


def examples_response(runs: Runs, run: str, layer: str, step: int) -> pb.ExamplesResponse:
    """Tokens and lengths of the record at a step."""
    store = _store(runs, run)
    found = _find(store, layer, step)
    try:
        return pb.ExamplesResponse(examples=_examples(store, found))
    except StoreError as error:
        raise RequestError(404, f"The tokens of step {step} cannot be read. {error}") from error


def metrics_response(
    runs: Runs, run: str, layer: str, log: MetricLog | None = None
) -> pb.MetricsResponse:
    """Every metric of a layer at every step; read anew unless a log remembers them."""
    store = _store(runs, run)
    history = _history(store, layer)
    response = pb.MetricsResponse(steps=history.steps)
    try:
        if log is not None and isinstance(history, StoredHistory):
            stack = log.stack(run, layer, history)
        else:
            stack = stack_metrics(store.entries(layer))
    except StoreError as error:
        raise RequestError(400, str(error)) from error
    if stack.series:
        response.head_numbers.extend(to_store(stack.heads))
    for name, values in stack.series.items():
        response.examples, response.heads = values.shape[1:]
        response.series.append(pb.MetricSeries(name=name, values=values.ravel().tolist()))
    return response


def maps_response(
    runs: Runs, run: str, layer: str, example: int, heads: list[int], steps: list[int]
) -> bytes:
    """The stored frames of one example, a part for each step and head, passed through undecoded."""
    if len(heads) * len(steps) > MAX_MAPS:
        raise RequestError(
            400,
            f"heads and steps: expected at most {MAX_MAPS} maps in one request, received "
            f"{len(heads)} heads at {len(steps)} steps; ask in several requests.",
        )
    store = _store(runs, run)
    if store.thumbnails_only:
        raise RequestError(
            404,
            f"run: of {run[:200]!r} only event files are here, which hold thumbnails. For the maps "
            "copy plugins/attention of the run, too.",
        )
    parts = _Parts()
    for step in steps:
        try:
            found = _find(store, layer, step)
        except StoreError as error:
            for head in heads:
                parts.add(
                    pb.MapHeader(step=step, example=example, head=head, problem=str(error)), b""
                )
            continue
        entry = found.entry
        _check_below("example", example, entry.examples, layer, step)
        positions = positions_of("heads", heads, found, layer)
        query_length, key_length = found.lengths(example)
        blobs = [found.frame(example, position) for position in positions]
        parts.reserve(blobs)
        for head, blob, frame in zip(heads, blobs, found.read(blobs), strict=True):
            header = pb.MapHeader(
                step=step,
                example=example,
                head=head,
                queries=entry.queries,
                keys=entry.keys,
                query_length=query_length,
                key_length=key_length,
                causal=entry.causal,
                encoding=entry.encoding,
                code_table=entry.code_table,
                crc32=blob.crc32,
                has_nonfinite=entry.has_nonfinite,
                out_of_range=entry.out_of_range,
                query_pooling=entry.query_pooling,
                key_pooling=entry.key_pooling,
            )
            parts.add(header, frame)
    return parts.body()


def atlas_response(
    runs: Runs, run: str, step: int, examples: list[int], size: int, layer: str | None
) -> bytes:
    """Thumbnails of every head, a part for each layer and example."""
    if len(examples) > MAX_EXAMPLES:
        raise RequestError(
            400,
            f"example: expected at most {MAX_EXAMPLES} in one request, received {len(examples)}.",
        )
    store = _store(runs, run)
    layers = list(store.histories) if layer is None else [layer]
    most_examples = 0
    parts = _Parts()
    for name in layers:
        recorded = _history(store, name).at_or_before(step)
        try:
            found = _find(store, name, recorded)
        except StoreError as error:
            for b in examples:
                header = pb.AtlasHeader(layer=name, step=recorded, example=b, problem=str(error))
                parts.add(header, b"")
            continue
        entry = found.entry
        most_examples = max(most_examples, entry.examples)
        # Event files hold one size, whatever is asked for.
        sizes = [a.size for a in entry.atlases]
        wanted = sizes[0] if store.thumbnails_only and sizes else size
        atlas = next((a for a in entry.atlases if a.size == wanted), None)
        if atlas is None:
            raise RequestError(
                400,
                f"size: expected one of {sizes}, received {size}.",
            )
        if layer is None:  # layers may be recorded with different examples
            shown = [b for b in examples if b < entry.examples]
        else:
            _check_below("example", max(examples), entry.examples, name, recorded)
            shown = examples
        blobs = [atlas.tiles[b] for b in shown]
        parts.reserve(blobs)
        for b, tiles in zip(shown, found.read(blobs), strict=True):
            query_length, key_length = found.lengths(b)
            header = pb.AtlasHeader(
                layer=name,
                step=recorded,
                example=b,
                heads=entry.heads,
                head_numbers=entry.head_numbers,
                rows=atlas.rows[b],
                columns=atlas.columns[b],
                causal=entry.causal,
                query_length=query_length,
                key_length=key_length,
                code_table=entry.code_table or code_table.CODE_TABLE_ID,
            )
            parts.add(header, tiles)
    if layer is None and 0 < most_examples <= max(examples):
        raise RequestError(
            404,
            f"example: the layers have up to {most_examples}, numbered from 0; received "
            f"{max(examples)}.",
        )
    return parts.body()


class _Parts:
    """The parts of a response, one after the other."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._reserved = 0

    def reserve(self, blobs: Sequence[pb.Blob]) -> None:
        """Refuses what would not fit, before it is read."""
        self._reserved += sum(blob.length for blob in blobs)
        if self._reserved > MAX_BODY_BYTES:
            raise RequestError(
                400,
                f"heads and steps: expected at most {MAX_BODY_BYTES >> 20} MiB in one request; ask "
                "in several requests.",
            )

    def add(self, header: pb.MapHeader | pb.AtlasHeader, payload: bytes | StoreError) -> None:
        """Adds a part; one that cannot be read says why."""
        if isinstance(payload, StoreError):
            header.problem, payload = str(payload), b""
        head = header.SerializeToString()
        self._pieces += (_PART_LENGTHS.pack(len(head), len(payload)), head, payload)

    def body(self) -> bytes:
        """All of them."""
        return b"".join(self._pieces)


def _store(runs: Runs, run: str) -> Source:
    if run not in runs:
        raise RequestError(404, f"run: no run {run[:200]!r} has recorded attention here.")
    return runs[run]


def _history(store: Source, layer: str) -> History:
    if layer not in store.histories:
        raise RequestError(404, f"layer: the run has no layer {layer[:200]!r}.")
    return store.histories[layer]


def _find(store: Source, layer: str, step: int) -> Found:
    history = _history(store, layer)
    found = store.find(layer, step)
    if found is None:
        raise RequestError(
            404,
            f"step: layer {layer!r} has no record at step {step}; the nearest one before it is "
            f"{history.at_or_before(step)}.",
        )
    return found


def positions_of(name: str, heads: Sequence[int], found: Found, layer: str) -> list[int]:
    """Where heads lie among those of a record.

    Args:
        name: Of the parameter.
        heads: Numbers of heads.
        found: The record.
        layer: Name of its layer.

    Raises:
        RequestError: The record has no such head.
    """
    recorded = found.heads
    if missing := [head for head in heads if head not in recorded]:
        raise RequestError(
            404,
            f"{name}: layer {layer[:200]!r} has {listed(recorded)} at step {found.entry.step}, "
            f"received {missing[0]}.",
        )
    return [recorded.index(head) for head in heads]


def _check_below(name: str, value: int, limit: int, layer: str, step: int) -> None:
    if value >= limit:
        raise RequestError(
            404,
            f"{name}: layer {layer!r} has {limit} at step {step}, numbered from 0; received "
            f"{value}.",
        )
