"""Entries that lie with checksums that are right, and links that lead elsewhere."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from tb_attention_plugin import AttentionReader, AttentionWriter, responses
from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store import files, journal, limits, tfrecord
from tb_attention_plugin.store.logdir import LogDirectory, root_at
from tb_attention_plugin.store.run import StoreError

Maps = NDArray[np.float32]
Attention = Callable[..., Maps]
Lie = Callable[[pb.Entry], object]
B, H, Q, K = 2, 3, 5, 7


@pytest.fixture
def log(tmp_path: Path, attention: Attention) -> Path:
    with AttentionWriter(tmp_path / "log" / "run") as writer:
        for step in range(3):
            writer.write("a", attention(B, H, Q, K), step, key_tokens=[["k"] * K] * B)
            writer.write("b", attention(B, H, Q, K), step)
    return tmp_path / "log"


def index_of(log: Path) -> Path:
    (index,) = files.store_directory(log / "run").glob("*.index")
    return index


def rewrite(log: Path, lie: Lie, layer: str = "a", steps: tuple[int, ...] = (2,)) -> None:
    index = index_of(log)
    data, at, out = index.read_bytes(), 0, list[bytes]()
    while (record := tfrecord.unframe(data, at, limit=1 << 24)) is not None:
        at += len(record) + tfrecord.FRAMING_BYTES
        message = pb.IndexRecord.FromString(record)
        if message.entry.layer == layer and message.entry.step in steps:
            lie(message.entry)
        out.append(tfrecord.frame(message.SerializeToString()))
    index.write_bytes(b"".join(out))


def runs_of(log: Path) -> pb.RunsResponse:
    logs = LogDirectory([("", root_at(str(log)))])
    return responses.runs_response(logs.runs(), "", logs.problems)


def set_fields(**values: int) -> Lie:
    return lambda entry: [setattr(entry, name, value) for name, value in values.items()]


def inconsistent_lies() -> dict[str, Lie]:
    return {
        "no examples": set_fields(examples=0),
        "more maps than frames": set_fields(heads=4),
        "more maps than can be": set_fields(examples=1 << 16, heads=1 << 16),
        "maps larger than their frames can hold": set_fields(queries=1 << 14, keys=1 << 14),
        "maps larger than any": set_fields(queries=(1 << 32) - 1, keys=(1 << 32) - 1),
        "frames at the end of the world": set_fields(frames_offset=(1 << 64) - 1),
        "a huge frame": lambda e: e.frame_lengths.__setitem__(1, (1 << 32) - 1),
        "a checksum too few": lambda e: e.frame_crc32s.pop(),
        "a number for another number of heads": lambda e: e.head_numbers.append(3),
        "numbers of heads that do not ascend": lambda e: e.head_numbers.extend([5, 4, 4]),
        "a giant number of a head": lambda e: e.head_numbers.extend([0, 1, 1 << 16]),
        "lengths of other examples": lambda e: e.query_lengths.extend([1]),
        "longer than it is": lambda e: e.key_lengths.extend([K, K + 1]),
        "thumbnails of another number of examples": lambda e: e.atlases[0].rows.pop(),
        "a giant thumbnail": lambda e: e.atlases[0].columns.__setitem__(0, (1 << 32) - 1),
        "thumbnails of no size": lambda e: setattr(e.atlases[1], "size", 0),
        "metrics of other maps": lambda e: e.metrics[0].values.append(0.5),
        "a hundred metrics": lambda e: [e.metrics.add(name=str(i)) for i in range(100)],
        "tokens without end": lambda e: setattr(e.key_tokens, "length", (1 << 32) - 1),
    }


def test_an_entry_that_is_no_message_within_is_a_sentence_and_hides_nothing_else(log: Path) -> None:
    # The index takes only a glance at it, which passes over what is wrong.
    metric_of_garbage = b"\x9a\x01\x03\xff\xff\xff"
    entry = pb.Entry(step=3, layer="a").SerializeToString() + metric_of_garbage
    record = b"\x12" + bytes([len(entry)]) + entry
    with pytest.raises(DecodeError):
        pb.IndexRecord.FromString(record)
    index = index_of(log)
    index.write_bytes(index.read_bytes() + tfrecord.frame(record))
    reader = AttentionReader(log)
    assert reader.steps("run", "a") == [0, 1, 2, 3]
    assert reader.weights("run", "a", 2).shape == (B, H, Q, K)
    with pytest.raises(StoreError, match="the entry of step 3 is no protobuf message"):
        reader.weights("run", "a", 3)
    assert np.isnan(reader.metrics("run", "a")["entropy"][3]).all()


@pytest.mark.parametrize("lie", inconsistent_lies().values(), ids=inconsistent_lies())
def test_an_entry_that_contradicts_itself_is_a_sentence_and_hides_nothing_else(
    log: Path, lie: Lie
) -> None:
    rewrite(log, lie)
    reader = AttentionReader(log)
    assert reader.steps("run", "a") == [0, 1, 2]
    assert reader.weights("run", "a", 1).shape == (B, H, Q, K)
    for method in (reader.weights, reader.tokens, reader.lengths):
        with pytest.raises(StoreError, match=r"the entry of step 2 claims .*\."):
            method("run", "a", 2)
    metrics = reader.metrics("run", "a")["entropy"]
    assert np.isnan(metrics[2]).all()
    assert np.isfinite(metrics[:2]).all()
    layers = runs_of(log).runs[0].layers
    assert [(layer.name, layer.heads, layer.queries) for layer in layers] == [
        ("a", H, Q),
        ("b", H, Q),
    ]


@pytest.mark.parametrize(
    ("lie", "sentence"),
    [
        (set_fields(step=-1), "1 entry is left out, the first because it claims step -1"),
        (set_fields(step=0), "step 0 of layer 'a' after step 1"),
        (lambda e: setattr(e, "wall_time", float("nan")), "wall time nan"),
        (lambda e: setattr(e, "layer", ""), "a layer name of 0 characters"),
        (lambda e: setattr(e, "layer", "x" * 1025), "a layer name of 1025 characters"),
    ],
)
def test_an_entry_that_belongs_nowhere_is_left_out_and_what_follows_is_shown(
    log: Path, lie: Lie, sentence: str
) -> None:
    rewrite(log, lie)
    response = runs_of(log)
    (problem,) = response.problems
    assert sentence in problem
    steps = {layer.name: list(layer.steps) for layer in response.runs[0].layers}
    assert steps == {"a": [0, 1], "b": [0, 1, 2]}


def test_a_layer_of_which_nothing_can_be_read_hides_no_other(log: Path) -> None:
    rewrite(log, set_fields(examples=0), steps=(0, 1, 2))
    response = runs_of(log)
    assert [layer.name for layer in response.runs[0].layers] == ["b"]
    (problem,) = response.problems
    assert problem.startswith("Run run, layer a: ")


def test_more_layers_than_can_be_are_left_out(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_LAYERS", 1)
    response = runs_of(log)
    assert [layer.name for layer in response.runs[0].layers] == ["a"]
    assert "3 entries are left out" in response.problems[0]


def test_a_record_of_very_many_fields_is_not_parsed() -> None:
    entry = b"\x82\x01\x00" * 600_000  # empty atlases
    length, varint = len(entry), b""
    while length > 127:
        varint, length = varint + bytes([length & 127 | 128]), length >> 7
    record = b"\x12" + varint + bytes([length]) + entry
    assert pb.IndexRecord.FromString(record).entry.atlases  # it would be
    assert "fields" in (limits.fields_problem(record) or "")


def test_the_largest_honest_entry_is_within_the_limits() -> None:
    B, H = 1024, 64
    entry = pb.Entry(layer="a", examples=B, heads=H, queries=64, keys=64, encoding=pb.CODE8)
    entry.frame_lengths.extend([900] * B * H)
    entry.frame_crc32s.extend([1] * B * H)
    for size in (32, 64):
        tiles = [pb.Blob(offset=10**12, length=2000, crc32=1)] * B
        entry.atlases.add(size=size, rows=[size] * B, columns=[size] * B, tiles=tiles)
    entry.metrics.add(name="entropy", values=[0.5] * B * H)
    record = pb.IndexRecord(entry=entry).SerializeToString()
    assert len(record) < limits.MAX_RECORD_BYTES
    assert limits.fields_problem(record) is None
    assert limits.entry_problem(entry) is None


def test_token_tables_of_other_examples_are_refused(log: Path) -> None:
    rewrite(log, lambda e: e.key_tokens.CopyFrom(e.atlases[0].tiles[0]))
    with pytest.raises(StoreError, match=r"[Tt]okens"):
        AttentionReader(log).tokens("run", "a", 2)
    assert any("tokens cannot be read" in problem for problem in runs_of(log).problems)


def test_a_store_that_is_a_link_out_of_the_log_directory_is_not_followed(
    log: Path, tmp_path: Path
) -> None:
    store = files.store_directory(log / "run")
    shutil.move(store, tmp_path / "elsewhere")
    store.symlink_to(tmp_path / "elsewhere")
    response = runs_of(log)
    assert not response.runs
    assert "is a link out of the log directory" in response.problems[0]


def test_a_store_that_is_a_link_within_the_log_directory_is_read(log: Path) -> None:
    store = files.store_directory(log / "run")
    shutil.move(store, log / "elsewhere")
    store.symlink_to(log / "elsewhere")
    assert AttentionReader(log).steps("run", "a") == [0, 1, 2]


def test_the_log_directory_itself_may_be_a_link(log: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(log)
    assert AttentionReader(tmp_path / "link").steps("run", "a") == [0, 1, 2]


@pytest.mark.parametrize("suffix", [files.INDEX_SUFFIX, files.DATA_SUFFIX])
def test_files_that_are_links_are_not_opened(log: Path, tmp_path: Path, suffix: str) -> None:
    file = index_of(log).with_suffix(suffix)
    shutil.move(file, tmp_path / "secret")
    file.symlink_to(tmp_path / "secret")
    reader = AttentionReader(log)
    if suffix == files.INDEX_SUFFIX:
        assert reader.layers("run") == []
    else:
        with pytest.raises(StoreError, match="cannot be read"):
            reader.weights("run", "a", 0)
    assert responses.runs_response(LogDirectory([("", root_at(str(log)))]).runs(), "") is not None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_makes_nobody_wait(log: Path) -> None:
    data = index_of(log).with_suffix(files.DATA_SUFFIX)
    data.unlink()
    os.mkfifo(data)
    os.mkfifo(data.with_name("attention-99999999999999999-x-1-0.index"))
    with pytest.raises(StoreError, match="not a regular file"):
        AttentionReader(log).weights("run", "a", 0)


def test_an_index_that_was_replaced_is_read_anew(log: Path, tmp_path: Path) -> None:
    reader = AttentionReader(log)
    assert reader.steps("run", "a") == [0, 1, 2]
    index = index_of(log)
    stem = index.stem
    index.write_bytes(journal.framed_header(stem))
    assert reader.layers("run") == []


def test_writers_sort_behind_those_before_them_though_the_clock_was_set_back(
    tmp_path: Path, attention: Attention, monkeypatch: pytest.MonkeyPatch
) -> None:
    with AttentionWriter(tmp_path) as writer:
        for step in range(4):
            writer.write("a", attention(1, 1, 2, 3, seed=1), step)
    monkeypatch.setattr(files.time, "time_ns", lambda: 1_000_000_000)
    second = attention(1, 1, 2, 3, seed=2)
    with AttentionWriter(tmp_path) as writer:
        writer.write("a", second, 2)
    reader = AttentionReader(tmp_path)
    assert reader.steps(".", "a") == [0, 1, 2]
    np.testing.assert_allclose(reader.weights(".", "a", 2), second, atol=5e-4, rtol=0.01)
