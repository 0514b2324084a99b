"""One run's store: several index files seen as one history per layer."""

from __future__ import annotations

import bisect
import threading
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store import codec, files
from tb_attention_plugin.store.index import IndexFile, Track

_ENTRIES_IN_MEMORY = 512
_TOKEN_TABLES_IN_MEMORY = 32
_TOKEN_TABLE_LIMIT = 256 << 20


class StoreError(Exception):
    """Something stored cannot be read; the message is a sentence for people."""


@dataclass(frozen=True)
class Span:
    """The visible entries of one layer in one index file: the first `count` of its track."""

    file: IndexFile
    track: Track
    count: int


@dataclass(frozen=True)
class History:
    """What is to be seen of one layer.

    A training that goes on from an earlier step writes to new files, whose entries supersede the
    older ones from their first step on, as TensorBoard does. Nothing is deleted.

    Attributes:
        spans: From the oldest file to the newest; their steps ascend throughout.
        steps: All of them.
        wall_times: Of each step.
        generation: Differs when steps that were visible before were superseded.
    """

    spans: tuple[Span, ...]
    steps: list[int]
    wall_times: list[float]
    generation: str

    @staticmethod
    def of(tracks: list[tuple[IndexFile, Track]]) -> History:
        """The history of a layer from its tracks, oldest file first."""
        spans: list[Span] = []
        first_newer = 1 << 63
        for file, track in reversed(tracks):
            spans.insert(0, Span(file, track, track.count_before(first_newer)))
            first_newer = min(first_newer, track.steps[0])
        spans = [span for span in spans if span.count]
        closed = [(span.file.path.name, span.count) for span in spans[:-1]]
        identity = repr((closed, spans[-1].file.path.name)).encode()
        return History(
            spans=tuple(spans),
            steps=[s for span in spans for s in span.track.steps[: span.count]],
            wall_times=[t for span in spans for t in span.track.wall_times[: span.count]],
            generation=f"{zlib.crc32(identity):08x}",
        )

    def at_or_before(self, step: int) -> int:
        """The latest recorded step at or before a step; the first one when there is none."""
        return self.steps[max(0, bisect.bisect_right(self.steps, step) - 1)]

    def locate(self, step: int) -> tuple[Span, int] | None:
        """The span that holds a step, and the entry's position in its track."""
        for span in self.spans:
            position = span.track.count_before(step)
            if position < span.count and span.track.steps[position] == step:
                return span, position
        return None


@dataclass(frozen=True)
class Found:
    """An entry and the file with its data."""

    entry: pb.Entry
    data_path: Path

    def lengths(self, example: int) -> tuple[int, int]:
        """Valid queries and keys of an example."""
        entry = self.entry
        queries = entry.query_lengths[example] if entry.query_lengths else entry.queries
        keys = entry.key_lengths[example] if entry.key_lengths else entry.keys
        return queries, keys

    def frame(self, example: int, head: int) -> pb.Blob:
        """Where the frame of a map lies."""
        at = example * self.entry.heads + head
        lengths = self.entry.frame_lengths
        return pb.Blob(
            offset=self.entry.frames_offset + sum(lengths[:at]),
            length=lengths[at],
            crc32=self.entry.frame_crc32s[at],
        )


class RunStore:
    """The store of one run; safe to use from several threads.

    Args:
        run_directory: Directory of the run.
    """

    def __init__(self, run_directory: Path) -> None:
        self.directory = files.store_directory(run_directory)
        self._files: dict[str, IndexFile] = {}
        self._histories: dict[str, History] = {}
        self._entries: OrderedDict[tuple[str, int], pb.Entry] = OrderedDict()
        self._tokens: OrderedDict[tuple[Path, int], pb.TokenTable] = OrderedDict()
        self._lock = threading.RLock()

    def refresh(self) -> None:
        """Takes in what was written since the last call."""
        with self._lock:
            changed = False
            try:
                names = sorted(p.name for p in self.directory.glob("*" + files.INDEX_SUFFIX))
            except OSError:
                names = []
            if gone := self._files.keys() - names:
                changed = True
                for name in gone:
                    del self._files[name]
                self._entries.clear()
                self._tokens.clear()
            for name in names:
                file = self._files.setdefault(name, IndexFile(self.directory / name))
                try:
                    changed |= file.refresh()
                except OSError as error:
                    file.problem = f"{name} cannot be read: {error.strerror}."
            if changed:
                self._histories = self._make_histories()

    def _make_histories(self) -> dict[str, History]:
        tracks: dict[str, list[tuple[IndexFile, Track]]] = {}
        for file in sorted(self._files.values(), key=lambda f: (f.start_time, f.path.name)):
            for layer, track in file.tracks.items():
                tracks.setdefault(layer, []).append((file, track))
        return {layer: History.of(of_layer) for layer, of_layer in tracks.items()}

    @property
    def histories(self) -> dict[str, History]:
        """The history of each layer, as of the last refresh."""
        return self._histories

    @property
    def problems(self) -> list[str]:
        """Sentences about index files that cannot be read."""
        with self._lock:
            return [file.problem for file in self._files.values() if file.problem]

    def find(self, layer: str, step: int) -> Found | None:
        """The entry of a layer at a recorded step, or None."""
        history = self._histories.get(layer)
        located = history.locate(step) if history else None
        if located is None:
            return None
        span, position = located
        key = (span.file.path.name, span.track.offsets[position])
        with self._lock:
            entry = self._entries.pop(key, None)
            if entry is None:
                entry = span.file.entry(span.track, position)
            self._entries[key] = entry
            while len(self._entries) > _ENTRIES_IN_MEMORY:
                self._entries.popitem(last=False)
        return Found(entry, span.file.data_path)

    def example_steps(self, layer: str) -> list[int]:
        """Steps at which tokens or lengths differ from the record before; the first one is."""
        steps: list[int] = []
        for span in self._histories[layer].spans:
            changes = span.track.example_changes
            steps.extend(step for step in changes if step <= span.track.steps[span.count - 1])
        return steps

    def entries(self, layer: str) -> list[pb.Entry]:
        """All visible entries of a layer, read anew."""
        history = self._histories[layer]
        return [
            span.file.entry(span.track, position)
            for span in history.spans
            for position in range(span.count)
        ]

    def tokens(self, found: Found, side: str) -> pb.TokenTable | None:
        """Tokens of one side of an entry.

        Args:
            found: The entry.
            side: `"query_tokens"` or `"key_tokens"`.

        Returns:
            The table, or None when no tokens were recorded.

        Raises:
            StoreError: The table cannot be read.
        """
        if not found.entry.HasField(side):
            return None
        blob: pb.Blob = getattr(found.entry, side)
        key = (found.data_path, blob.offset)
        with self._lock:
            if key in self._tokens:
                self._tokens.move_to_end(key)
                return self._tokens[key]
        (data,) = read_blobs(found.data_path, [blob])
        size = int.from_bytes(data[:8], "little")
        if size > _TOKEN_TABLE_LIMIT:
            raise StoreError(f"The tokens claim {size} bytes, more than can be.")
        table = pb.TokenTable.FromString(codec.inflate(data[8:], size))
        with self._lock:
            self._tokens[key] = table
            while len(self._tokens) > _TOKEN_TABLES_IN_MEMORY:
                self._tokens.popitem(last=False)
        return table


def read_blobs(path: Path, blobs: list[pb.Blob]) -> list[bytes]:
    """Reads stretches of a data file, and nothing else of it.

    Args:
        path: Of the data file.
        blobs: The stretches.

    Returns:
        Their bytes.

    Raises:
        StoreError: One is missing or its checksum differs.
    """
    out: list[bytes] = []
    try:
        with open(path, "rb", buffering=0) as file:
            size = file.seek(0, 2)
            for blob in blobs:
                if blob.offset + blob.length > size:
                    raise StoreError(
                        f"{path.name} ends at byte {size}, before the data it should hold: the "
                        "file was copied in part."
                    )
                file.seek(blob.offset)
                data = file.read(blob.length)
                if zlib.crc32(data) != blob.crc32:
                    raise StoreError(
                        f"The stored data fails its checksum (crc32 {zlib.crc32(data):08x}, "
                        f"expected {blob.crc32:08x}, {blob.length:,} bytes): the file was changed "
                        "or copied in part."
                    )
                out.append(data)
    except OSError as error:
        raise StoreError(f"{path.name} cannot be read: {error.strerror}.") from error
    return out
