"""What the routes answer, apart from HTTP: messages and parts from the store."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

from google.protobuf.message import Message

from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store import code_table
from tb_attention_plugin.store.reader import stack_metrics
from tb_attention_plugin.store.run import Found, History, RunStore, StoreError, read_blobs

MAX_MAPS = 1024
MAX_EXAMPLES = 64
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


Runs = dict[str, RunStore]


def runs_response(runs: Runs, log_dir: str) -> pb.RunsResponse:
    """All runs, their layers and steps."""
    response = pb.RunsResponse(
        code_tables=[
            pb.CodeTable(id=id_, values=table().tolist(), tiny=code_table.TINY)
            for id_, table in code_table.CODE_TABLES.items()
        ],
        log_dir=log_dir,
    )
    for name, store in runs.items():
        run = pb.Run(name=name)
        for layer, history in store.histories.items():
            run.layers.append(_layer(store, layer, history, response.problems))
        if run.layers:
            response.runs.append(run)
        response.problems.extend(f"Run {name}: {problem}" for problem in store.problems)
    return response


def _layer(store: RunStore, name: str, history: History, problems: Any) -> pb.Layer:
    latest = _find(store, name, history.steps[-1])
    layer = pb.Layer(
        name=name,
        steps=history.steps,
        wall_times=history.wall_times,
        heads=latest.entry.heads,
        queries=latest.entry.queries,
        keys=latest.entry.keys,
        causal=latest.entry.causal,
        example_steps=store.example_steps(name),
        generation=history.generation,
    )
    try:
        layer.examples.extend(_examples(store, latest))
    except (StoreError, ValueError) as error:
        problems.append(f"Layer {name}: the tokens cannot be read. {error}")
        layer.examples.extend(_example(latest, b, [], []) for b in range(latest.entry.examples))
    return layer


def _examples(store: RunStore, found: Found) -> list[pb.Example]:
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
    except (StoreError, ValueError) as error:
        raise RequestError(404, f"The tokens of step {step} cannot be read. {error}") from error


def metrics_response(runs: Runs, run: str, layer: str) -> pb.MetricsResponse:
    """Every metric of a layer at every step."""
    store = _store(runs, run)
    history = _history(store, layer)
    response = pb.MetricsResponse(steps=history.steps)
    for name, values in stack_metrics(store, layer).items():
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
    parts: list[bytes] = []
    for step in steps:
        found = _find(store, layer, step)
        entry = found.entry
        _check_below("example", example, entry.examples, layer, step)
        query_length, key_length = found.lengths(example)
        for head in heads:
            _check_below("heads", head, entry.heads, layer, step)
            blob = found.frame(example, head)
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
            )
            parts.append(_part_of_blob(header, found, blob))
    return b"".join(parts)


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
    parts: list[bytes] = []
    for name in layers:
        recorded = _history(store, name).at_or_before(step)
        found = _find(store, name, recorded)
        entry = found.entry
        atlas = next((a for a in entry.atlases if a.size == size), None)
        if atlas is None:
            raise RequestError(
                400,
                f"size: expected one of {[a.size for a in entry.atlases]}, received {size}.",
            )
        for b in examples:
            if layer is None and b >= entry.examples:
                continue  # layers may be recorded with different examples
            _check_below("example", b, entry.examples, name, recorded)
            query_length, key_length = found.lengths(b)
            header = pb.AtlasHeader(
                layer=name,
                step=recorded,
                example=b,
                heads=entry.heads,
                rows=atlas.rows[b],
                columns=atlas.columns[b],
                causal=entry.causal,
                query_length=query_length,
                key_length=key_length,
                code_table=entry.code_table or code_table.CODE_TABLE_ID,
            )
            parts.append(_part_of_blob(header, found, atlas.tiles[b]))
    if not parts:
        raise RequestError(404, f"example: no layer has example {min(examples)} at step {step}.")
    return b"".join(parts)


def _part_of_blob(header: pb.MapHeader | pb.AtlasHeader, found: Found, blob: pb.Blob) -> bytes:
    try:
        (payload,) = read_blobs(found.data_path, [blob])
    except StoreError as error:
        header.problem, payload = str(error), b""
    head = header.SerializeToString()
    return _PART_LENGTHS.pack(len(head), len(payload)) + head + payload


def _store(runs: Runs, run: str) -> RunStore:
    if run not in runs:
        raise RequestError(404, f"run: no run {run[:200]!r} has recorded attention here.")
    return runs[run]


def _history(store: RunStore, layer: str) -> History:
    if layer not in store.histories:
        raise RequestError(404, f"layer: the run has no layer {layer[:200]!r}.")
    return store.histories[layer]


def _find(store: RunStore, layer: str, step: int) -> Found:
    history = _history(store, layer)
    found = store.find(layer, step)
    if found is None:
        raise RequestError(
            404,
            f"step: layer {layer!r} has no record at step {step}; the nearest one before it is "
            f"{history.at_or_before(step)}.",
        )
    return found


def _check_below(name: str, value: int, limit: int, layer: str, step: int) -> None:
    if value >= limit:
        raise RequestError(
            404,
            f"{name}: layer {layer!r} has {limit} at step {step}, numbered from 0; received "
            f"{value}.",
        )
