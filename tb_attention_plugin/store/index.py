"""Follows one index file as it grows, keeping 32 bytes of memory for each entry."""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf.message import DecodeError

from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store import files, tfrecord

_CHUNK_BYTES = 4 << 20
_ENTRY_LIMIT = 64 << 20


@dataclass
class Track:
    """Where the entries of one layer lie in one index file, in the order of their steps.

    Attributes:
        steps: Training steps, strictly ascending.
        wall_times: Seconds since the epoch.
        offsets: Where each entry's data starts in the index file.
        lengths: Bytes of each entry's data.
        example_changes: Steps at which tokens, lengths or shape differ from the entry before.
        latest_examples: What says so: those of the latest entry.
    """

    steps: array[int] = field(default_factory=lambda: array("q"))
    wall_times: array[float] = field(default_factory=lambda: array("d"))
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    lengths: array[int] = field(default_factory=lambda: array("Q"))
    example_changes: array[int] = field(default_factory=lambda: array("q"))
    latest_examples: tuple[object, ...] = ()

    def __len__(self) -> int:
        return len(self.steps)

    def count_before(self, step: int) -> int:
        """Number of entries at steps below a step."""
        return bisect_left(self.steps, step)


class IndexFile:
    """One index file.

    Args:
        path: Of the file.

    Attributes:
        tracks: Of each layer, in the order in which the layers first appeared.
        start_time: When the writer was opened, in seconds since the epoch; 0 until it is known.
        problem: A sentence for people when the file is damaged, else None.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data_path = path.with_suffix(files.DATA_SUFFIX)
        self.tracks: dict[str, Track] = {}
        self.start_time = 0.0
        self.problem: str | None = None
        self._position = 0

    def refresh(self) -> bool:
        """Reads what was appended since the last call.

        A record that is not complete yet is left for the next call: a torn tail is never an error.

        Returns:
            Whether there is anything new.
        """
        if self.problem is not None or os.path.getsize(self.path) == self._position:
            return False
        before = self._position
        try:
            for offset, data in self._new_records():
                self._take(offset, pb.IndexRecord.FromString(data), len(data))
        except (tfrecord.DamagedRecordError, DecodeError, _UnknownVersionError) as error:
            self.problem = (
                f"{self.path.name} cannot be read beyond byte {self._position}: {error} What lies "
                "before it is shown."
            )
            return True
        return self._position != before

    def _new_records(self) -> Iterator[tuple[int, bytes]]:
        with open(self.path, "rb") as file:
            file.seek(self._position)
            buffer, at = b"", 0
            while chunk := file.read(_CHUNK_BYTES):
                buffer, at = buffer[at:] + chunk, 0
                while (data := tfrecord.unframe(buffer, at, limit=_ENTRY_LIMIT)) is not None:
                    yield self._position + tfrecord.HEADER_BYTES, data
                    size = len(data) + tfrecord.FRAMING_BYTES
                    self._position += size
                    at += size

    def _take(self, offset: int, record: pb.IndexRecord, length: int) -> None:
        kind = record.WhichOneof("record")
        if kind == "header":
            if record.header.version > files.FORMAT_VERSION:
                raise _UnknownVersionError(
                    f"It has format {record.header.version} and this version reads up to "
                    f"{files.FORMAT_VERSION}: upgrade tb-attention-plugin."
                )
            self.start_time = record.header.start_time
        elif kind == "entry":
            entry = record.entry
            track = self.tracks.setdefault(entry.layer, Track())
            if track.steps and entry.step <= track.steps[-1]:
                raise tfrecord.DamagedRecordError(
                    f"The steps of layer {entry.layer!r} do not ascend."
                )
            examples = _examples_identity(entry)
            if examples != track.latest_examples:
                track.example_changes.append(entry.step)
                track.latest_examples = examples
            track.steps.append(entry.step)
            track.wall_times.append(entry.wall_time)
            track.offsets.append(offset)
            track.lengths.append(length)

    def entry(self, track: Track, position: int) -> pb.Entry:
        """Reads one entry.

        Args:
            track: Of the entry's layer.
            position: Of the entry in the track.

        Returns:
            The entry.
        """
        with open(self.path, "rb") as file:
            data = os.pread(file.fileno(), track.lengths[position], track.offsets[position])
        return pb.IndexRecord.FromString(data).entry


def _examples_identity(entry: pb.Entry) -> tuple[object, ...]:
    return (
        entry.examples,
        entry.queries,
        entry.keys,
        tuple(entry.query_lengths),
        tuple(entry.key_lengths),
        entry.query_tokens.offset if entry.HasField("query_tokens") else None,
        entry.key_tokens.offset if entry.HasField("key_tokens") else None,
    )


class _UnknownVersionError(ValueError):
    pass
