"""Torn tails, flipped bytes, strange files: what is sound is shown, and the rest is said."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tb_attention_plugin import AttentionReader, AttentionWriter
from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store import tfrecord
from tb_attention_plugin.store.run import RunStore, StoreError

Maps = NDArray[np.float32]
Attention = Callable[..., Maps]
B, H, Q, K = 1, 2, 3, 5
STEPS = [2, 3, 5, 7]
STORE = Path("plugins") / "attention"


@pytest.fixture
def log(tmp_path: Path, attention: Attention) -> Path:
    path = tmp_path / "log"
    with AttentionWriter(path) as writer:
        for step in STEPS:
            writer.write("a", attention(B, H, Q, K, seed=step), step, key_tokens=[["k"] * K])
    return path


def file_of(log: Path, suffix: str) -> Path:
    (path,) = (log / STORE).glob("*" + suffix)
    return path


def look(log: Path) -> tuple[list[int], list[str]]:
    store = RunStore(log)
    store.refresh()
    history = store.histories.get("a")
    return (list(history.steps) if history else []), store.problems


def record_ends(index: bytes) -> list[int]:
    ends, at = list[int](), 0
    while (data := tfrecord.unframe(index, at, limit=1 << 20)) is not None:
        at += len(data) + tfrecord.FRAMING_BYTES
        ends.append(at)
    assert at == len(index)
    return ends


def add_record(index: Path, record: pb.IndexRecord) -> None:
    index.write_bytes(index.read_bytes() + tfrecord.frame(record.SerializeToString()))


def last_entry(index: Path) -> pb.Entry:
    data = index.read_bytes()
    start = record_ends(data)[-2]
    body = tfrecord.unframe(data, start, limit=1 << 20)
    assert body is not None
    return pb.IndexRecord.FromString(body).entry


def test_an_index_torn_at_any_byte_shows_its_complete_entries(log: Path) -> None:
    index = file_of(log, ".index")
    whole = index.read_bytes()
    ends = record_ends(whole)  # of the header, then of each entry
    for end in range(len(whole) + 1):
        index.write_bytes(whole[:end])
        complete = max(0, sum(e <= end for e in ends) - 1)
        assert look(log) == (STEPS[:complete], []), end


def test_a_reader_goes_on_where_the_tail_was_torn(log: Path) -> None:
    index = file_of(log, ".index")
    whole = index.read_bytes()
    ends = record_ends(whole)
    store = RunStore(log)
    index.write_bytes(b"")
    for end in range(0, len(whole) + 1, 7):
        index.write_bytes(whole[:end])
        store.refresh()
        complete = max(0, sum(e <= end for e in ends) - 1)
        history = store.histories.get("a")
        assert (list(history.steps) if history else []) == STEPS[:complete]
    index.write_bytes(whole)
    store.refresh()
    assert list(store.histories["a"].steps) == STEPS


def test_a_flipped_byte_in_the_index_keeps_what_lies_before_and_says_so(log: Path) -> None:
    index = file_of(log, ".index")
    whole = index.read_bytes()
    ends = record_ends(whole)
    for at in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[at] ^= 0x40
        index.write_bytes(damaged)
        before = max(0, sum(e <= at for e in ends) - 1)
        steps, problems = look(log)
        assert steps == STEPS[:before], at
        assert len(problems) == 1
        assert index.name in problems[0]
        assert problems[0].endswith(".")


def test_a_damaged_index_does_not_hide_another_run_or_writer(
    log: Path, attention: Attention
) -> None:
    index = file_of(log, ".index")
    index.write_bytes(b"\0" * 97)
    with AttentionWriter(log) as writer:
        writer.write("a", attention(B, H, Q, K), 11)
    shutil.copytree(log, log / "copy")
    reader = AttentionReader(log)
    assert [reader.steps(run, "a") for run in reader.runs()] == [[11], [11]]


def test_data_torn_at_any_byte_damages_only_what_is_missing(log: Path) -> None:
    data = file_of(log, ".data")
    whole = data.read_bytes()
    reader = AttentionReader(log)
    true = {step: reader.weights(".", "a", step) for step in STEPS}
    readable: list[bool] = []
    for end in [*range(0, len(whole), 11), len(whole)]:
        data.write_bytes(whole[:end])
        reader = AttentionReader(log)
        assert reader.steps(".", "a") == STEPS
        readable = [is_readable(reader, step, true[step], data.name) for step in STEPS]
        assert readable == sorted(readable, reverse=True)
    assert readable == [True] * len(STEPS)


def is_readable(reader: AttentionReader, step: int, true: Maps, said: str) -> bool:
    try:
        shown = reader.weights(".", "a", step)
    except StoreError as error:
        assert said in str(error)  # noqa: PT017
        return False
    np.testing.assert_array_equal(shown, true)
    return True


def test_a_flipped_byte_in_a_frame_damages_that_map_only(log: Path) -> None:
    store = RunStore(log)
    store.refresh()
    found = store.find("a", 5)
    assert found is not None
    blob = found.frame(0, 1)
    data = file_of(log, ".data")
    for at in range(blob.offset, blob.offset + blob.length):
        damaged = bytearray(data.read_bytes())
        damaged[at] ^= 1
        data.write_bytes(damaged)
        reader = AttentionReader(log)
        with pytest.raises(StoreError, match="checksum"):
            reader.weights(".", "a", 5)
        for step in (2, 3, 7):
            assert reader.weights(".", "a", step).shape == (B, H, Q, K)
        assert reader.metrics(".", "a")["entropy"].shape == (4, B, H)
        damaged[at] ^= 1
        data.write_bytes(damaged)


def test_missing_data_is_an_error_in_words(log: Path) -> None:
    data = file_of(log, ".data")
    data.unlink()
    reader = AttentionReader(log)
    for read in (reader.weights, reader.tokens):
        with pytest.raises(StoreError, match=f"{data.name} cannot be read: No such file"):
            read(".", "a", 3)


def test_an_index_of_a_newer_format_is_refused_with_advice(log: Path) -> None:
    index = file_of(log, ".index")
    index.write_bytes(b"")
    add_record(index, pb.IndexRecord(header=pb.Header(version=7)))
    add_record(index, pb.IndexRecord(entry=pb.Entry(step=1, layer="a")))
    steps, problems = look(log)
    assert steps == []
    assert len(problems) == 1
    assert "upgrade" in problems[0]


def test_steps_that_do_not_ascend_are_not_shown(log: Path) -> None:
    index = file_of(log, ".index")
    entry = last_entry(index)
    entry.step = 3
    add_record(index, pb.IndexRecord(entry=entry))
    steps, problems = look(log)
    assert steps == STEPS
    assert len(problems) == 1
    assert "'a'" in problems[0]


def test_a_record_that_is_no_message_is_not_shown(log: Path) -> None:
    index = file_of(log, ".index")
    index.write_bytes(index.read_bytes() + tfrecord.frame(b"\xff" * 13))
    steps, problems = look(log)
    assert steps == STEPS
    assert len(problems) == 1


def test_files_that_are_not_ours_are_left_alone(log: Path) -> None:
    for name in ("notes.txt", "attention.lock", "x.data", ".index.swp"):
        (log / STORE / name).write_bytes(b"\xff" * 31)
    assert look(log) == (STEPS, [])
    assert (log / STORE / "notes.txt").read_bytes() == b"\xff" * 31


def test_an_index_that_is_a_directory_is_no_crash(log: Path) -> None:
    (log / STORE / "attention-other.index").mkdir()
    assert look(log)[0] == STEPS


def changed(**fields: object) -> Callable[[pb.Entry], None]:
    def change(entry: pb.Entry) -> None:
        for name, value in fields.items():
            if isinstance(value, list):
                entry.ClearField(name)  # pyright: ignore[reportArgumentType]
                getattr(entry, name).extend(value)
            else:
                setattr(entry, name, value)

    return change


@pytest.mark.parametrize(
    "change",
    [
        changed(encoding=97),
        changed(encoding=0),
        changed(code_table=11),
        changed(queries=2**32 - 1, keys=2**32 - 1),
        changed(queries=13),
        changed(heads=3),
        changed(examples=7),
        changed(examples=2**32 - 1),
        changed(examples=0),
        changed(heads=0),
        changed(queries=0),
        changed(frame_lengths=[]),
        changed(frame_crc32s=[1]),
        changed(frames_offset=2**64 - 1),
        changed(frame_lengths=[2**32 - 1, 2**32 - 1]),
    ],
)
def test_an_entry_that_contradicts_itself_is_an_error_in_words(
    log: Path, change: Callable[[pb.Entry], None]
) -> None:
    index = file_of(log, ".index")
    entry = last_entry(index)
    entry.step = 11
    change(entry)
    add_record(index, pb.IndexRecord(entry=entry))
    reader = AttentionReader(log)
    with pytest.raises((StoreError, LookupError)) as caught:
        reader.weights(".", "a", 11)
    assert str(caught.value).endswith(".")
    for step in STEPS:
        assert reader.weights(".", "a", step).shape == (B, H, Q, K)
