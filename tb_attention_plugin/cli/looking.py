"""`tb-attention inspect` and `verify`: what is in a log, and whether it is whole."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterator, Sequence

from tb_attention_plugin.cli.progress import progress
from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store import codec
from tb_attention_plugin.store.heads import listed
from tb_attention_plugin.store.logdir import LogDirectory
from tb_attention_plugin.store.run import Found, RunStore, StoreError

Sides = ("query_tokens", "key_tokens")


def inspect(logs: LogDirectory) -> Iterator[str]:
    """Lines that say what runs, layers and steps there are, their sizes and gaps."""
    stores = logs.runs()
    yield from logs.problems
    if not stores:
        yield "No attention is recorded here."
    for name, store in stores.items():
        size = sum(store.folder.sizes().values())
        yield f"{name}: {len(store.histories)} layers, {_bytes(size)}"
        for layer, history in store.histories.items():
            yield f"  {layer}: {_steps(history.steps)}, {_shape(store, layer, history.steps[-1])}"
        yield from (f"  {problem}" for problem in store.problems)


def _bytes(size: int) -> str:
    value, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def _steps(steps: Sequence[int]) -> str:
    text = f"{len(steps):,} steps {steps[0]}–{steps[-1]}"
    distances = collections.Counter(b - a for a, b in itertools.pairwise(steps))
    if not distances:
        return text
    usual = distances.most_common(1)[0][0]
    gaps = [(a, b) for a, b in itertools.pairwise(steps) if b - a > usual]
    text += f" every {usual}"
    if gaps:
        first = ", ".join(f"{a}→{b}" for a, b in gaps[:3])
        text += f", {len(gaps)} gaps ({first}{', …' if len(gaps) > 3 else ''})"
    return text


def _shape(store: RunStore, layer: str, step: int) -> str:
    try:
        found = store.find(layer, step)
    except StoreError as error:
        return str(error)
    if found is None:
        return "no records"
    entry = found.entry
    encoding = (
        pb.Encoding.Name(entry.encoding).lower()
        if entry.encoding in pb.Encoding.values()
        else f"encoding {entry.encoding}"
    )
    pooled = ""
    if entry.query_pooling or entry.key_pooling:
        pooled = f" maxima of {entry.query_pooling} × {entry.key_pooling}"
    chosen = f" ({listed(found.heads)})" if entry.head_numbers else ""
    weights = sum(entry.frame_lengths)
    skipped = sum(one.entry.skipped for one in store.found(layer))
    left_out = f", {skipped:,} captures left out" if skipped else ""
    return (
        f"{entry.examples} examples × {entry.heads} heads{chosen} × {entry.queries} × {entry.keys}"
        f"{pooled}, {encoding}, {_bytes(weights)} a step{left_out}"
    )


def verify(logs: LogDirectory) -> Iterator[str]:
    """Sentences about all that is damaged; reads and decodes every byte that is shown."""
    stores = logs.runs()
    yield from logs.problems
    total = sum(len(h.steps) for store in stores.values() for h in store.histories.values())
    for problems in progress(_checks(stores), total, "verify"):
        yield from problems
    for name, store in stores.items():
        yield from (f"Run {name}: {problem}" for problem in store.problems)


def _checks(stores: dict[str, RunStore]) -> Iterator[list[str]]:
    for name, store in stores.items():
        for layer, history in store.histories.items():
            for step in history.steps:
                where = f"Run {name}, layer {layer}, step {step}"
                yield [f"{where}: {problem}" for problem in _entry_problems(store, layer, step)]


def _entry_problems(store: RunStore, layer: str, step: int) -> Iterator[str]:
    try:
        found = store.find(layer, step)
    except StoreError as error:
        yield str(error)
        return
    if found is None:
        return
    entry = found.entry
    B, H = entry.examples, entry.heads
    maps = [(b, h) for b in range(B) for h in range(H)]
    for (b, h), frame in zip(maps, found.read([found.frame(b, h) for b, h in maps]), strict=True):
        if problem := _frame_problem(entry, frame):
            yield f"example {b}, head {found.heads[h]}: {problem}"
    for atlas in entry.atlases:
        for b, tiles in enumerate(found.read(atlas.tiles)):
            size = H * atlas.rows[b] * atlas.columns[b]
            if problem := _inflate_problem(tiles, size):
                yield f"example {b}, thumbnails of size {atlas.size}: {problem}"
    for side in Sides:
        if problem := _tokens_problem(store, found, side):
            yield problem


def _frame_problem(entry: pb.Entry, frame: bytes | StoreError) -> str | None:
    if isinstance(frame, StoreError):
        return str(frame)
    try:
        codec.decode_frame(frame, entry.encoding, entry.queries, entry.keys, entry.code_table)
    except ValueError as error:
        return str(error)
    return None


def _inflate_problem(data: bytes | StoreError, size: int) -> str | None:
    if isinstance(data, StoreError):
        return str(data)
    try:
        codec.inflate(data, size)
    except ValueError as error:
        return str(error)
    return None


def _tokens_problem(store: RunStore, found: Found, side: str) -> str | None:
    try:
        store.tokens(found, side)
    except StoreError as error:
        return str(error)
    return None
