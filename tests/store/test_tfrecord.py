from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.compat.tensorflow_stub import errors
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New

from tb_attention_plugin.store.tfrecord import (
    FRAMING_BYTES,
    DamagedRecordError,
    frame,
    unframe,
)

LIMIT = 1 << 20
records_of_bytes = st.lists(st.binary(max_size=97), max_size=7)


def read_as_tensorboard(path: Path) -> list[bytes]:
    reader: Any = PyRecordReader_New(str(path))
    records: list[bytes] = []
    while True:
        try:
            reader.GetNext()
        except errors.OutOfRangeError:
            return records
        records.append(reader.record())


@given(records=records_of_bytes)
def test_records_come_back_one_after_the_other(records: list[bytes]) -> None:
    buffer = b"".join(frame(data) for data in records)
    position, read = 0, list[bytes]()
    while (data := unframe(buffer, position, limit=LIMIT)) is not None:
        read.append(data)
        position += FRAMING_BYTES + len(data)
    assert read == records
    assert position == len(buffer)


def test_tensorboards_own_reader_reads_them(tmp_path: Path) -> None:
    records = [b"", b"a", bytes(range(256)) * 31]
    path = tmp_path / "records"
    path.write_bytes(b"".join(frame(data) for data in records))
    assert read_as_tensorboard(path) == records


def test_a_torn_record_is_none_at_every_byte() -> None:
    whole = frame(b"seventeen bytes!!")
    assert unframe(whole, 0, limit=LIMIT) == b"seventeen bytes!!"
    for end in range(len(whole)):
        assert unframe(whole[:end], 0, limit=LIMIT) is None


def test_a_flip_of_any_bit_is_noticed() -> None:
    whole = frame(b"eleven byte")
    for at in range(len(whole)):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[at] ^= 1 << bit
            with pytest.raises(DamagedRecordError, match="checksum"):
                unframe(bytes(damaged), 0, limit=LIMIT)


def test_a_record_longer_than_the_limit_is_damage_before_it_is_there() -> None:
    header = frame(bytes(1009))[:12]
    with pytest.raises(DamagedRecordError, match="1009 bytes; at most 1008"):
        unframe(header, 0, limit=1008)
    assert unframe(header, 0, limit=1009) is None


def test_the_length_is_little_endian_of_64_bits() -> None:
    assert struct.unpack("<Q", frame(bytes(257))[:8]) == (257,)
