"""Follows one index file as it grows, keeping 32 bytes of memory for each entry."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError

from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store import files, limits, tfrecord
from tb_attention_plugin.store.folder import Folder

_CHUNK_BYTES = 4 << 20


class StoreError(Exception):
    """Something stored cannot be read; the message is a sentence for people."""


def same_examples(one: pb.EntryGlance, other: pb.EntryGlance) -> bool:
    """Whether two entries have the same examples: shape, lengths and tokens.

    Args:
        one: Of an entry, its `examples_of`.
        other: Of another one, possibly of another file.
    """
    # Within a file the tokens lie at the same place, too, and the messages are equal.
    return one == other or (
        one.examples == other.examples
        and one.queries == other.queries
        and one.keys == other.keys
        and one.query_pooling == other.query_pooling
        and one.key_pooling == other.key_pooling
        and one.query_lengths == other.query_lengths
        and one.key_lengths == other.key_lengths
        and _same_tokens(one.query_tokens, other.query_tokens)
        and _same_tokens(one.key_tokens, other.key_tokens)
    )


def _same_tokens(one: pb.Blob, other: pb.Blob) -> bool:
    # Not by offset: every file holds tokens of its own. An absent table is all zeros.
    return one.crc32 == other.crc32 and one.length == other.length


def examples_of(entry: pb.EntryGlance) -> pb.EntryGlance:
    """Takes from an entry all but its examples."""
    entry.DiscardUnknownFields()
    entry.ClearField("step")
    entry.ClearField("layer")
    entry.ClearField("wall_time")
    entry.ClearField("skipped")
    return entry


@dataclass
class Track:
    """Where the entries of one layer lie in one index file, in the order of their steps.

    Attributes:
        first: Examples of the first entry, see `examples_of`.
        latest: Examples of the last one.
        steps: Training steps, strictly ascending.
        wall_times: Seconds since the epoch.
        offsets: Where each entry's data starts in the index file.
        lengths: Bytes of each entry's data.
        example_changes: Steps at which the examples differ from those of the entry before.
        gaps: For each entry before which captures were left out, its step and their number.
    """

    first: pb.EntryGlance
    latest: pb.EntryGlance
    steps: array[int] = field(default_factory=lambda: array("q"))
    wall_times: array[float] = field(default_factory=lambda: array("d"))
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    lengths: array[int] = field(default_factory=lambda: array("Q"))
    example_changes: array[int] = field(default_factory=lambda: array("q"))
    gaps: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    def __len__(self) -> int:
        return len(self.steps)

    def count_before(self, step: int) -> int:
        """Number of entries at steps below a step."""
        return bisect_left(self.steps, step)

    def append(
        self, step: int, wall_time: float, examples: pb.EntryGlance, offset: int, length: int
    ) -> None:
        """Takes in the next entry."""
        if not self.steps or not same_examples(examples, self.latest):
            self.example_changes.append(step)
            self.latest = examples
        self.steps.append(step)
        self.wall_times.append(wall_time)
        self.offsets.append(offset)
        self.lengths.append(length)


class IndexFile:
    """One index file.

    Args:
        folder: Where it lies.
        name: Of the file.

    Attributes:
        name: Of the file.
        data_name: Of the file with its data.
        tracks: Of each layer, in the order in which the layers first appeared.
        start_time: When the writer was opened, in seconds since the epoch; 0 until it is known.
        size: Of the file at the last refresh.
    """

    def __init__(self, folder: Folder, name: str) -> None:
        self.folder = folder
        self.name = name
        self.data_name = name.removesuffix(files.INDEX_SUFFIX) + files.DATA_SUFFIX
        self._reset()

    def _reset(self) -> None:
        self.tracks: dict[str, Track] = {}
        self.start_time = 0.0
        self._position = 0
        self.size = 0
        self._end: str | None = None  # why nothing beyond the position can be read
        self._left_out = 0
        self._first_left_out = ""

    @property
    def problem(self) -> str | None:
        """A sentence for people when the file is damaged, else None."""
        sentences: list[str] = []
        if self._left_out:
            entries = "entry is" if self._left_out == 1 else "entries are"
            sentences.append(
                f"{self.name}: {self._left_out:,} {entries} left out, the first because it claims "
                f"{self._first_left_out}."
            )
        if self._end:
            sentences.append(
                f"{self.name} cannot be read beyond byte {self._position}: {self._end} What lies "
                "before it is shown."
            )
        return " ".join(sentences) or None

    def refresh(self, size: int) -> bool:
        """Reads what was appended since the last call.

        A record that is not complete yet is left for the next call: a torn tail is never an error.

        Args:
            size: Of the file now.

        Returns:
            Whether there is anything new.

        Raises:
            OSError: The file cannot be read.
        """
        if size == self.size:
            return False
        before = self._position, self._end
        if size < self.size:  # nobody shortens an index: it was replaced by another one
            self._reset()
            before = -1, None
        if self._end is None:
            try:
                for offset, data in self._new_records(size):
                    self._take(offset, data)
            except (tfrecord.DamagedRecordError, _UnknownVersionError) as error:
                self._end = str(error)
        self.size = size
        return before != (self._position, self._end)

    def _new_records(self, size: int) -> Iterator[tuple[int, bytes]]:
        buffer, at, read = b"", 0, self._position
        while read < size:
            (chunk,) = self.folder.read(self.name, [(read, min(_CHUNK_BYTES, size - read))])
            if not chunk:
                return
            read += len(chunk)
            buffer, at = buffer[at:] + chunk, 0
            for data in tfrecord.unframe_all(buffer, 0, limit=limits.MAX_RECORD_BYTES):
                yield self._position + tfrecord.HEADER_BYTES, data
                length = len(data) + tfrecord.FRAMING_BYTES
                self._position += length
                at += length

    def _take(self, offset: int, data: bytes) -> None:
        if problem := limits.fields_problem(data):
            self._leave_out(problem)
            return
        try:
            record = pb.RecordGlance.FromString(data)
        except DecodeError:
            self._leave_out("what is no protobuf message")
            return
        if record.HasField("entry"):
            self._take_entry(record.entry, offset, len(data))
        elif record.HasField("header"):
            self._take_header(record.header)

    def _take_header(self, header: pb.Header) -> None:
        if header.version > files.FORMAT_VERSION:
            raise _UnknownVersionError(
                f"It has format {header.version} and this version reads up to "
                f"{files.FORMAT_VERSION}: upgrade tb-attention-plugin."
            )
        # Comparing with NaN would leave the order of the files to chance.
        self.start_time = header.start_time if math.isfinite(header.start_time) else 0.0

    def _take_entry(self, entry: pb.EntryGlance, offset: int, length: int) -> None:
        step, layer, wall_time = entry.step, entry.layer, entry.wall_time
        skipped = entry.skipped
        track = self.tracks.get(layer)
        # Nearly all entries go on where the one before ended, which was found possible.
        if track is None or step <= track.steps[-1] or not math.isfinite(wall_time):
            problem = limits.glance_problem(entry)
            if problem is None and track is not None:
                problem = f"step {step} of layer {layer!r} after step {track.steps[-1]}"
            elif problem is None and len(self.tracks) >= limits.MAX_LAYERS:
                problem = f"to be of one more layer than the possible {limits.MAX_LAYERS:,}"
            if problem is not None:
                self._leave_out(problem)
                return
        examples = examples_of(entry)
        if track is None:
            track = self.tracks[layer] = Track(examples, examples)
        track.append(step, wall_time, examples, offset, length)
        if skipped:
            track.gaps.append((step, skipped))

    def _leave_out(self, claim: str) -> None:
        self._first_left_out = self._first_left_out or claim
        self._left_out += 1

    def entries(self, track: Track, positions: range) -> Iterator[pb.Entry | StoreError]:
        """Reads entries of a track, with few reads where they lie close together.

        Args:
            track: Of the entries' layer.
            positions: Of the entries in the track, ascending by 1.

        Yields:
            Each entry, or why it cannot be used.
        """
        for group in _groups(track, positions):
            start = track.offsets[group[0]]
            length = track.offsets[group[-1]] + track.lengths[group[-1]] - start
            try:
                (chunk,) = self.folder.read(self.name, [(start, length)])
            except OSError as error:
                reason = StoreError(f"{self.name} cannot be read: {error.strerror}.")
                yield from (reason for _ in group)
                continue
            for position in group:
                at = track.offsets[position] - start
                data = chunk[at : at + track.lengths[position]]
                yield self._parsed(data, track.steps[position])

    def entry(self, track: Track, position: int) -> pb.Entry:
        """Reads one entry.

        Args:
            track: Of the entry's layer.
            position: Of the entry in the track.

        Returns:
            The entry.

        Raises:
            StoreError: It cannot be read, or contradicts itself.
        """
        (entry,) = self.entries(track, range(position, position + 1))
        if isinstance(entry, StoreError):
            raise entry
        return entry

    def _parsed(self, data: bytes, step: int) -> pb.Entry | StoreError:
        try:
            entry = pb.IndexRecord.FromString(data).entry
        except DecodeError:  # the glance at it passed over most of it
            return StoreError(f"{self.name}: the entry of step {step} is no protobuf message.")
        if entry.step != step:
            return StoreError(f"{self.name} was changed while it was open; reload to read it anew.")
        if problem := limits.entry_problem(entry):
            return StoreError(f"{self.name}: the entry of step {step} claims {problem}.")
        return entry


def _groups(track: Track, positions: range) -> Iterator[range]:
    """Splits positions so that a group spans at most a chunk, and holds few entries of others."""
    start = positions.start
    wanted = 0
    for position in positions:
        span = track.offsets[position] + track.lengths[position] - track.offsets[start]
        wanted += track.lengths[position]
        if position > start and (span > _CHUNK_BYTES or span > 32 * wanted):
            yield range(start, position)
            start, wanted = position, track.lengths[position]
    if start < positions.stop:
        yield range(start, positions.stop)


class _UnknownVersionError(ValueError):
    pass
