"""TFRecord framing, as TensorBoard's event files and our index files have it.

A record is `u64 length · u32 masked crc32c of the length · data · u32 masked crc32c of the data`,
little-endian. Source: tensorflow/core/lib/io/record_writer.h. TensorBoard's own Python
implementation computes the CRC in pure Python at 10 MB/s with the GIL held; this one is in C.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache

import google_crc32c

_LENGTH = struct.Struct("<Q")
_CRC = struct.Struct("<I")
_HEADER = struct.Struct("<QI")
HEADER_BYTES = 12
FRAMING_BYTES = HEADER_BYTES + 4


def _masked_crc32c(data: bytes) -> int:
    crc = int(google_crc32c.value(data))
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


@lru_cache(maxsize=4096)
def _crc_of_length(length: int) -> int:
    # Records of one kind are of few different lengths.
    return _masked_crc32c(_LENGTH.pack(length))


def frame(data: bytes) -> bytes:
    """One record as it lies in the file."""
    header = _HEADER.pack(len(data), _crc_of_length(len(data)))
    return b"".join((header, data, _CRC.pack(_masked_crc32c(data))))


class DamagedRecordError(ValueError):
    """A record whose checksum differs: what follows it in the file cannot be found."""


def unframe(buffer: bytes, position: int, *, limit: int) -> bytes | None:
    """The record that starts at a position of a buffer.

    Args:
        buffer: Bytes of the file.
        position: Where the record starts in them.
        limit: A longer record is taken for damage, before anything is allocated for it.

    Returns:
        The record's data, or None when the buffer ends before the record does.

    Raises:
        DamagedRecordError: A checksum differs, or the record is longer than `limit`.
    """
    return next(unframe_all(buffer, position, limit=limit), None)


def unframe_all(buffer: bytes, position: int, *, limit: int) -> Iterator[bytes]:
    """The records from a position of a buffer on, up to the last one that is whole.

    Args:
        buffer: Bytes of the file.
        position: Where the first record starts in them.
        limit: See `unframe`.

    Yields:
        Each record's data.

    Raises:
        DamagedRecordError: See `unframe`; the records before were yielded.
    """
    size = len(buffer)
    while (start := position + HEADER_BYTES) <= size:
        length, crc = _HEADER.unpack_from(buffer, position)
        if crc != _crc_of_length(length):
            raise DamagedRecordError("The checksum of a record's length differs.")
        if length > limit:
            raise DamagedRecordError(
                f"A record claims {length} bytes; at most {limit} are possible."
            )
        end = start + length
        position = end + 4
        if position > size:
            return
        data = buffer[start:end]
        if _CRC.unpack_from(buffer, end)[0] != _masked_crc32c(data):
            raise DamagedRecordError("The checksum of a record's data differs.")
        yield data
