"""Mutates index files, data files and requests, and asks everything of what comes out.

`python tests/robustness/fuzz_lab.py --cases 100000 --seed 1` prints a summary as one line of
JSON, or ends with the case that broke something and how to repeat it. A process of its own, so that
its peak memory says something.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from google.protobuf.message import DecodeError, Message
from tensorboard.plugins import base_plugin
from werkzeug.test import Client

from tb_attention_plugin import AttentionReader, AttentionWriter, responses
from tb_attention_plugin.plugin import AttentionPlugin
from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store import files, tfrecord
from tb_attention_plugin.store.index import StoreError
from tb_attention_plugin.store.run import RunStore
from tb_attention_plugin.store.writer import Precision

Files = dict[str, bytes]
EDGES = [0, 1, 2, 3, 7, 64, 255, 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << 63) - 1]
ON_DISK = 16  # one case in so many goes through the file system and AttentionReader


class MemoryFolder:
    """A folder in memory: a fuzz case in half a millisecond."""

    def __init__(self, contents: Files) -> None:
        self.contents = contents

    def sizes(self) -> dict[str, int]:
        return {name: len(data) for name, data in self.contents.items()}

    def read(self, name: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        if name not in self.contents:
            raise FileNotFoundError(2, "No such file", name)
        data = self.contents[name]
        return [data[offset : offset + length] for offset, length in ranges]


def base_log(directory: Path) -> Files:
    """A log of two writers, the second one a rewind, with everything that an entry can hold."""
    rng = np.random.default_rng(0)
    precisions: list[Precision] = ["code8", "float16"]
    for start, precision in zip((0, 2), precisions, strict=True):
        with AttentionWriter(directory, precision=precision) as writer:
            for step in range(start, start + 3):
                weights = rng.dirichlet(np.ones(11), (2, 3, 7)).astype(np.float32)
                tokens = [["q"] * 7, ["<b>"] * 5]
                writer.write("a/b", weights, step, query_tokens=tokens, query_lengths=[7, 5])
                writer.write("c", weights[:1], step, key_tokens=[list("abcdefghijk")], causal=True)
    store = files.store_directory(directory)
    return {p.name: p.read_bytes() for p in store.iterdir() if p.suffix != ".lock"}


# ── mutations ─────────────────────────────────────────────────────────────────────────────────────


def flip(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice([1, 1, 1, 2, 8])):
        if changed:
            changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def splice(data: bytes, chance: random.Random) -> bytes:
    start, end = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    inserted = chance.choice([b"", data[start:end] * 2, chance.randbytes(chance.randrange(64))])
    return data[:start] + inserted + data[end:]


def records_of(data: bytes) -> list[bytes]:
    records: list[bytes] = []
    at = 0
    while (record := tfrecord.unframe(data, at, limit=1 << 24)) is not None:
        records.append(record)
        at += len(record) + tfrecord.FRAMING_BYTES
    return records


def rewrite(data: bytes, chance: random.Random) -> bytes:
    """Changes a record and gives it a checksum that is right: what a liar would do."""
    try:
        records = records_of(data)
        at = chance.randrange(len(records))
        record = pb.IndexRecord.FromString(records[at])
    except (ValueError, DecodeError):
        return data  # mutated before
    if chance.random() < 0.3:
        records[at] = chance.choice([flip, cut, splice])(records[at], chance)
    elif chance.random() < 0.05:
        records[at] = hostile_record(chance)
    else:
        for _ in range(chance.choice([1, 1, 2, 5])):
            lie(record, chance)
        records[at] = record.SerializeToString()
    if chance.random() < 0.1:
        chance.shuffle(records)
    return b"".join(map(tfrecord.frame, records))


def hostile_record(chance: random.Random) -> bytes:
    """A record made of many empty messages, which take far more memory than bytes."""
    field = chance.choice([16, 19])
    empty = (field << 3 | 2).to_bytes(2, "big")
    tag = bytes([(empty[1] & 127) | 128, 1]) if field >= 16 else empty[1:]
    entry = (tag + b"\0") * chance.choice([1, 1000, 400_000])
    length = len(entry)
    varint = b""
    while length > 127:
        varint += bytes([length & 127 | 128])
        length >>= 7
    return b"\x12" + varint + bytes([length]) + entry


def lie(message: Message, chance: random.Random) -> None:
    """Changes one field of a message, or of a message within it."""
    fields = [f for f, _ in message.ListFields()] or list(message.DESCRIPTOR.fields)
    field = chance.choice([*fields, chance.choice(message.DESCRIPTOR.fields)])
    value: Any = getattr(message, field.name)
    repeated = hasattr(value, "append")
    if field.message_type is not None:
        if repeated and (not value or chance.random() < 0.2):
            value.add()
        elif repeated and chance.random() < 0.2:
            del value[chance.randrange(len(value)) :]
        else:
            lie(value[chance.randrange(len(value))] if repeated else value, chance)
    elif repeated:
        action = chance.random()
        if value and action < 0.3:
            del value[chance.randrange(len(value)) :]
        elif value and action < 0.7:
            value[chance.randrange(len(value))] = scalar(field, chance)
        else:
            value.extend(scalar(field, chance) for _ in range(chance.choice([1, 3, 70])))
    else:
        setattr(message, field.name, scalar(field, chance))


def scalar(field: Any, chance: random.Random) -> Any:
    kind = field.cpp_type
    if kind == field.CPPTYPE_STRING:
        return chance.choice(
            ["", "a/b", "c", "\0", "../../etc", "<script>", "x" * 2000, "\U0001f600"]
        )
    if kind in (field.CPPTYPE_DOUBLE, field.CPPTYPE_FLOAT):
        return chance.choice([0.0, -1.0, 1e38, float("nan"), float("inf"), -float("inf")])
    if kind == field.CPPTYPE_BOOL:
        return chance.random() < 0.5
    if kind == field.CPPTYPE_ENUM:
        return chance.choice([0, 1, 2, 3, 99])
    value = chance.choice([*EDGES, chance.randrange(100)])
    if kind == field.CPPTYPE_INT64:
        return chance.choice([value, -value])
    bits = 32 if kind in (field.CPPTYPE_UINT32, field.CPPTYPE_INT32) else 63
    return min(value, (1 << bits) - 1)


def mutate(contents: Files, chance: random.Random) -> Files:
    changed = dict(contents)
    for _ in range(chance.choice([1, 1, 2])):
        name = chance.choice(sorted(changed))
        how = chance.choice([flip, cut, splice])
        if name.endswith(files.INDEX_SUFFIX):
            how = chance.choice([rewrite, rewrite, rewrite, how])
        changed[name] = how(changed[name], chance)
    if chance.random() < 0.02:
        del changed[chance.choice(sorted(changed))]
    return changed


# ── what is asked ─────────────────────────────────────────────────────────────────────────────────


def ask_store(contents: Files, chance: random.Random) -> None:
    store = RunStore(MemoryFolder(contents))
    store.refresh()
    runs = {"run": store}
    response = responses.runs_response(runs, "log")
    json.dumps(responses.runs_json(response), allow_nan=False)
    for layer in [*list(store.histories)[:4], "none"]:
        steps = list(store.histories[layer].steps)[:6] if layer in store.histories else [0]
        questions: list[Callable[[], object]] = [
            lambda layer=layer: responses.metrics_response(runs, "run", layer),
            lambda layer=layer, steps=steps: responses.maps_response(
                runs, "run", layer, 0, [0, 1], steps
            ),
            lambda layer=layer, steps=steps: responses.examples_response(
                runs, "run", layer, steps[0]
            ),
            lambda: responses.atlas_response(runs, "run", chance.choice(EDGES), [0, 1], 32, None),
        ]
        for question in questions:
            with contextlib.suppress(responses.RequestError, StoreError):
                question()


def ask_reader(logdir: Path) -> None:
    reader = AttentionReader(logdir)
    for run in reader.runs():
        for layer in reader.layers(run)[:4]:
            asked: list[Callable[[], object]] = [lambda r=run, n=layer: reader.metrics(r, n)]
            for step in reader.steps(run, layer)[:6]:
                asked += [
                    lambda m=method, r=run, n=layer, s=step: m(r, n, s)
                    for method in (reader.tokens, reader.lengths, reader.weights)
                ]
            for question in asked:
                with contextlib.suppress(StoreError, LookupError):
                    question()


ROUTES = ["runs", "examples", "metrics", "maps", "atlas", "index.js", "static/x"]
VALUES = {
    "run": [".", "", "..", "a" * 9999, "\0", "run/../.."],
    "layer": ["a/b", "c", "", "../../../etc/passwd", "%00", "\udcff"],
    "step": [*EDGES, "", "-1", "1.5", "1e9", "٣", " 1", "1_0", "9" * 5000],
    "steps": ["0", "0,1", ",", "0," * 3000, *EDGES],
    "heads": ["0", "0,1,2", "2,2,2", "", "a", *EDGES],
    "example": ["0", "1", "0,1", "", *EDGES],
    "size": [32, 64, 33, "", "-32"],
    "v": ["", "x"],
}
HEADERS = ["", "*/*", "application/json", "text/html;q=x", ",,,;;", "\u00ff", '"' * 50, "q" * 5000]


def ask_routes(apps: dict[str, Any], chance: random.Random) -> None:
    route = chance.choice(ROUTES)
    app = apps["/static/*" if route.startswith("static") else f"/{route}"]
    query: list[str] = []
    for name, values in VALUES.items():
        for _ in range(chance.choice([0, 1, 1, 1, 2])):
            # Mostly a good value, so that what lies behind the first check is reached.
            value = str(values[0] if chance.random() < 0.6 else chance.choice(values))
            query.append(f"{name}={quote(value, errors='surrogatepass')}")
    if chance.random() < 0.1:
        query = [flip("&".join(query).encode(), chance).decode("latin-1")]
    response = Client(app).open(
        path=f"/{route}",
        query_string="&".join(query),
        method=chance.choice(["GET", "GET", "GET", "HEAD", "POST"]),
        headers={"Accept": chance.choice(HEADERS), "If-None-Match": chance.choice(HEADERS)},
    )
    assert response.status_code in (200, 304, 400, 404, 405), (response.status, query)
    if response.status_code >= 400 and response.request.method == "GET":
        assert response.content_type == "text/plain; charset=utf-8"
        assert response.get_data(), query


def run_case(number: int, seed: int, base: Files, apps: dict[str, Any], scratch: Path) -> None:
    chance = random.Random(f"{seed}/{number}")
    if number % 2:
        ask_routes(apps, chance)
        return
    contents = mutate(base, chance)
    if number % ON_DISK:
        ask_store(contents, chance)
        return
    store = files.store_directory(scratch)
    for path in store.iterdir():
        path.unlink()
    for name, data in contents.items():
        (store / name).write_bytes(data)
    ask_reader(scratch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="run this case alone")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz_lab_") as temporary:
        base = base_log(Path(temporary) / "base")
        scratch = Path(temporary) / "scratch"
        files.store_directory(scratch).mkdir(parents=True)
        flags = argparse.Namespace(logdir_spec="")
        context = base_plugin.TBContext(logdir=str(Path(temporary) / "base"), flags=flags)
        apps = AttentionPlugin(context).get_plugin_apps()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        slowest = 0.0
        started = time.monotonic()
        cases = range(arguments.cases) if arguments.only is None else [arguments.only]
        for number in cases:
            case_started = time.process_time()
            try:
                run_case(number, arguments.seed, base, apps, scratch)
            except BaseException:
                print(f"repeat: --seed {arguments.seed} --only {number}", file=sys.stderr)
                raise
            slowest = max(slowest, time.process_time() - case_started)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    summary = {
        "cases": arguments.cases,
        "seconds": round(time.monotonic() - started, 1),
        "slowest_seconds": round(slowest, 3),
        "grown_mb": round((after - before) / 1024, 1),
    }
    json.dump(summary, sys.stdout)


if __name__ == "__main__":
    main()
