"""The store at the size of a real training: opening, serving, writing, surviving.

The peer of serving maps is TensorBoard's own image route with the same maps as PNG, asked in the
same run through the same WSGI application.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from figures import Figure, alternate, compare, cpu_milliseconds
from numpy.typing import NDArray
from PIL import Image
from werkzeug.test import Client

from tb_attention_plugin import AttentionWriter
from tb_attention_plugin.loader import AttentionLoader
from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store import codec, files, journal
from tb_attention_plugin.store.record import AttentionRecord, RenderedImage

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from tensorboard.backend import application
    from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
    from tensorboard.plugins.image import images_plugin

ENTRIES, LAYERS, HEADS, SIDE = 100_000, 12, 12, 512
ROBUSTNESS = Path(__file__).parents[1] / "tests" / "robustness"
COLD = """
import json, re, sys, time
from tb_attention_plugin import responses
from tb_attention_plugin.store import logdir
started, cpu = time.perf_counter(), time.process_time()
def peak():  # of this program: what getrusage says includes the process that started it
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
before = peak()
runs = logdir.LogDirectory(logdir.roots_of(sys.argv[1], "")).runs()
steps = sum(len(h.steps) for h in runs["."].histories.values())
opened, cpu = time.perf_counter() - started, time.process_time() - cpu
responses.runs_response(runs, "")
grown = (peak() - before) / 1024
print(json.dumps([steps, opened, cpu, grown]))
"""


def _maps(seed: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    place = (np.arange(SIDE)[:, None] - np.arange(SIDE)) ** 2 / SIDE
    weights = np.exp(rng.normal(size=(1, HEADS, SIDE, SIDE)) * 2 - place)
    return (weights / weights.sum(-1, keepdims=True)).astype(np.float32)


def _synthetic_log(directory: Path, entries: int, data_bytes: int) -> None:
    """Real entries of 4 examples × 12 heads; the data file is sparse."""
    store = files.store_directory(directory)
    store.mkdir(parents=True)
    stem = files.new_stem([])
    maps = 4 * HEADS
    entry = pb.Entry(wall_time=1.7e9, examples=4, heads=HEADS, queries=SIDE, keys=SIDE)
    entry.encoding, entry.code_table, entry.dtype = pb.CODE8, 1, "float32"
    entry.frame_lengths.extend([60_000] * maps)
    entry.frame_crc32s.extend(range(10**9, 10**9 + maps))
    for size in (64, 32):
        tiles = [pb.Blob(offset=1, length=9000, crc32=1)] * 4
        entry.atlases.add(size=size, rows=[size] * 4, columns=[size] * 4, tiles=tiles)
    for name in ("entropy", "max_weight", "diagonality", "coverage", "row_sum_error"):
        entry.metrics.add(name=name, values=np.random.default_rng(0).random(maps).tolist())
    with open(store / (stem + files.INDEX_SUFFIX), "wb") as index:
        index.write(journal.framed_header(stem))
        for number in range(entries):
            entry.step, entry.layer = number // LAYERS, f"encoder/{number % LAYERS}/attention"
            index.write(journal.framed_entry(entry))
    with open(store / (stem + files.DATA_SUFFIX), "wb") as data:
        data.truncate(data_bytes)


def _cold() -> Iterator[Figure]:
    opened: dict[int, float] = {}
    for entries, gigabytes in ((1000, 0.2), (1000, 20), (ENTRIES, 290)):
        with tempfile.TemporaryDirectory() as temporary:
            _synthetic_log(Path(temporary), entries, int(gigabytes * 1e9))
            times: list[list[float]] = []
            for _ in range(3):
                out = subprocess.run(
                    [sys.executable, "-c", COLD, temporary], check=True, capture_output=True
                ).stdout
                times.append(json.loads(out))
        steps, wall, cpu, grown = min(times, key=lambda one: one[2])
        assert steps == entries
        note = f"{entries:,} entries of 48 maps, {wall:.2f} s elapsed, data file sparse"
        if entries == ENTRIES:
            yield Figure(f"cold index, {entries:,} entries", round(cpu, 3), "s CPU", note=note)
            yield Figure(f"memory of {entries:,} entries", round(grown, 1), "MB", note=note)
        else:
            opened[int(gigabytes)] = cpu * 1e3
    yield compare("open a log of 20 GB", opened[20], "ms CPU", "one of 200 MB", opened[0])


def _application(logdir: Path) -> Client:
    multiplexer = plugin_event_multiplexer.EventMultiplexer(
        size_guidance={"tensors": 0}, tensor_size_guidance={"images": 0, "attention": 1}
    )
    multiplexer.AddRunsFromDirectory(str(logdir))
    multiplexer.Reload()
    flags: dict[str, Any] = {
        **{"logdir": str(logdir), "logdir_spec": "", "path_prefix": "", "window_title": ""},
        **{"samples_per_plugin": {}, "reload_interval": 5},
    }
    provider = data_provider.MultiplexerDataProvider(multiplexer, str(logdir))
    loaders = [AttentionLoader(), images_plugin.ImagesPlugin]
    return Client(
        application.TensorBoardWSGIApp(argparse.Namespace(**flags), loaders, data_provider=provider)
    )


def _images(record: AttentionRecord) -> Iterator[RenderedImage]:
    for h, weights in enumerate(record.weights[0]):
        png = io.BytesIO()
        Image.fromarray(np.round(weights * 255).astype(np.uint8)).save(png, "png")
        yield RenderedImage(f"map/{h}", png.getvalue(), SIDE, SIDE)


def _timed(work: Callable[[], object]) -> float:
    """The least CPU time of several calls: what others do on this machine only adds to it."""
    work()
    return min(cpu_milliseconds(work) for _ in range(7))


def _serving() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as temporary:
        logdir = Path(temporary)
        with AttentionWriter(logdir / "run", render_images=_images) as writer:
            for step in range(4):
                writer.write("a", _maps(step), step)
        client = _application(logdir)
        queries: list[str] = []
        for h in range(HEADS):
            query = {"run": "run", "tag": f"map/{h}", "sample": 0}
            listed = client.get("/data/plugin/images/images", query_string=query).get_json()
            queries += [image["query"] for image in listed]

        def ours(heads: str, steps: str) -> None:
            query = {"run": "run", "layer": "a", "example": "0", "heads": heads, "steps": steps}
            response = client.get("/data/plugin/attention/maps", query_string=query)
            assert response.status_code == 200
            assert len(response.get_data()) > 10_000

        def peer() -> None:
            for query in queries:
                response = client.get(f"/data/plugin/images/individualImage?{query}")
                assert response.status_code == 200
                assert response.get_data()

        heads = ",".join(map(str, range(HEADS)))
        batch = _timed(lambda: ours(heads, "0,1,2,3")) / (4 * HEADS)
        single = _timed(lambda: ours("3", "2"))
        name, peer_one = "TensorBoard's image route, PNG", _timed(peer) / len(queries)
        note = f"{SIDE} × {SIDE}, through the whole WSGI application"
        yield compare("serve a map, 48 in a request", batch, "ms CPU", name, peer_one, note)
        yield compare("serve a map, one in a request", single, "ms CPU", name, peer_one, note)
        yield Figure("maps per second on one core", round(1e3 / batch), "1/s", note=note)


def _writing() -> Iterator[Figure]:
    maps = [_maps(0), _maps(1)]  # in turns, so that `change` has something to compare
    codes = codec.layout(maps[0][0], pb.CODE8)
    positive, logs = np.maximum(maps[0][0], 1e-30), np.empty((SIDE, SIDE), np.float32)
    data = os.urandom(60_000 * HEADS)
    with tempfile.TemporaryDirectory() as temporary, AttentionWriter(Path(temporary)) as writer:
        step = iter(range(1000))

        def write() -> None:
            number = next(step)
            writer.write("a", maps[number % 2], number)
            writer.flush()

        def to_disk() -> None:
            with open(Path(temporary) / "disk", "wb") as file:
                file.write(data)
                os.fsync(file.fileno())

        limits: dict[str, Callable[[], object]] = {
            "copying its float32": maps[0].copy,
            "deflating its codes": lambda: [codec.deflate(one) for one in codes],
            "np.log of its weights, for the entropy": lambda: [
                np.log(one, out=logs) for one in positive
            ],
            "60 KB to the disk": to_disk,
        }
        ours, *others = (time / HEADS for time in alternate([write, *limits.values()], 15))
    note = "metrics, thumbnails and event file included; the peer is a part of it, or a limit"
    for name, limit in zip(limits, others, strict=True):
        yield compare("write a map of 512 × 512", ours, "ms CPU", name, limit, note)


def _surviving() -> Iterator[Figure]:
    kills = _lab("kill_lab", "--kills", 1000)
    yield Figure("writers killed, nothing lost", 1000, "cases", note=kills)
    mutations = _lab("fuzz_lab", "--cases", 100_000)
    yield Figure("mutations, no crash", 100_000, "cases", note=mutations)
    live = _lab("live_lab", "--seconds", 300)
    slowest = json.loads(live)["slowest_seconds"]
    yield Figure("from a write to what TensorBoard serves, at most", slowest, "s", note=live)


def _lab(name: str, option: str, count: int) -> str:
    command = [sys.executable, "-W", "error", str(ROBUSTNESS / f"{name}.py"), option, str(count)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def figures() -> Iterator[Figure]:
    """Measures opening, serving and writing, then runs the labs; BENCH_LABS=0 leaves those out."""
    yield from _cold()
    yield from _serving()
    yield from _writing()
    if os.environ.get("BENCH_LABS", "1") != "0":
        yield from _surviving()
