"""The event file, as TensorBoard's own loader sees it."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tb_attention_plugin import AttentionWriter
from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store.record import AttentionRecord, RenderedImage
from tb_attention_plugin.store.run import RunStore

# In a process of its own: with TensorFlow installed, TensorBoard's reader imports it.
READ = """if True:
    import base64, json, sys, warnings
    sys.modules["tensorflow"] = None
    warnings.simplefilter("ignore")
    from tensorboard.backend.event_processing import event_file_loader
    events = []
    for event in event_file_loader.EventFileLoader(sys.argv[1]).Load():
        for value in event.summary.value:
            events.append({
                "step": event.step,
                "wall_time": event.wall_time,
                "tag": value.tag,
                "plugin": value.metadata.plugin_data.plugin_name,
                "data_class": value.metadata.data_class,
                "shape": [dim.size for dim in value.tensor.tensor_shape.dim],
                "blobs": [base64.b16encode(b).decode() for b in value.tensor.string_val],
            })
        if event.file_version:
            events.append(event.file_version)
    print(json.dumps(events))
"""
BLOB_SEQUENCE = 3
STEPS = (2, 3, 7)


def render(record: AttentionRecord) -> Iterable[RenderedImage]:
    yield RenderedImage(f"{record.layer}/0", b"png of %d" % record.step, 11, 13)


@pytest.fixture(scope="module")
def log(
    tmp_path_factory: pytest.TempPathFactory, attention: Callable[..., NDArray[np.float32]]
) -> Path:
    path = tmp_path_factory.mktemp("log")
    with AttentionWriter(path, render_images=render) as writer:
        for step in STEPS:
            writer.write("dec/cross", attention(2, 3, 37, 5, seed=step), step, wall_time=step + 0.5)
    return path


@pytest.fixture(scope="module")
def events(log: Path) -> list[Any]:
    (path,) = log.glob("*tfevents*")
    done = subprocess.run(
        [sys.executable, "-c", READ, path], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_tensorboards_loader_reads_every_event(events: list[Any]) -> None:
    assert events[0] == "brain.Event:2"
    assert [(e["plugin"], e["tag"], e["step"], e["wall_time"]) for e in events[1:]] == [
        (plugin, tag, step, step + 0.5)
        for step in STEPS
        for plugin, tag in (("attention", "dec/cross"), ("images", "dec/cross/0"))
    ]


def test_summaries_are_blob_sequences_of_rank_1(events: list[Any]) -> None:
    # The data server drops any other without a word.
    for event in events[1:]:
        assert event["data_class"] == BLOB_SEQUENCE
        assert event["shape"] == [len(event["blobs"])]


def test_our_summary_is_the_entry_and_its_small_thumbnails(log: Path, events: list[Any]) -> None:
    store = RunStore(log)
    store.refresh()
    for event in [e for e in events[1:] if e["plugin"] == "attention"]:
        entry_bytes, *tiles = [bytes.fromhex(blob) for blob in event["blobs"]]
        entry = pb.Entry.FromString(entry_bytes)
        found = store.find("dec/cross", event["step"])
        assert found is not None
        assert entry == found.entry
        small = next(atlas for atlas in entry.atlases if atlas.size == 32)
        assert [zlib.crc32(tile) for tile in tiles] == [blob.crc32 for blob in small.tiles]
        assert [len(zlib.decompress(tile, wbits=-15)) for tile in tiles] == [3 * 32 * 5] * 2


def test_an_image_summary_is_width_height_and_png(events: list[Any]) -> None:
    image = events[2]
    assert [bytes.fromhex(blob) for blob in image["blobs"]] == [b"11", b"13", b"png of 2"]


def test_no_other_file_looks_like_an_event_file(log: Path) -> None:
    names = [path.name for path in (log / "plugins").rglob("*") if path.is_file()]
    assert len(names) >= 2
    assert not [name for name in names if "tfevents" in name]
    assert len(list(log.rglob("*tfevents*"))) == 1
