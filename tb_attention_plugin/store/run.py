"""One run's store: several index files, and the data that belongs to them."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError

from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store import codec, files, limits
from tb_attention_plugin.store.folder import Folder, LocalFolder
from tb_attention_plugin.store.heads import heads_of
from tb_attention_plugin.store.history import History, StoredHistory
from tb_attention_plugin.store.index import IndexFile, StoreError, Track

__all__ = ["Found", "RunStore", "StoreError"]

_ENTRIES_IN_MEMORY = 512
_TOKEN_BYTES_IN_MEMORY = 32 << 20


@dataclass(frozen=True)
class Found:
    """An entry and the file with its data."""

    entry: pb.Entry
    folder: Folder
    data_name: str

    def lengths(self, example: int) -> tuple[int, int]:
        """Valid queries and keys of an example."""
        entry = self.entry
        queries = entry.query_lengths[example] if entry.query_lengths else entry.queries
        keys = entry.key_lengths[example] if entry.key_lengths else entry.keys
        return queries, keys

    @property
    def heads(self) -> Sequence[int]:
        """The number of each head in the model, ascending."""
        return heads_of(self.entry)

    def frame(self, example: int, position: int) -> pb.Blob:
        """Where the frame of a map lies, of the head at a position in `heads`."""
        at = example * self.entry.heads + position
        lengths = self.entry.frame_lengths
        return pb.Blob(
            offset=self.entry.frames_offset + sum(lengths[:at]),
            length=lengths[at],
            crc32=self.entry.frame_crc32s[at],
        )

    def read(self, blobs: Sequence[pb.Blob]) -> list[bytes | StoreError]:
        """Reads stretches of the data file, and nothing else of it.

        Returns:
            The bytes of each, or why they cannot be used: one damaged map does not hide the others.
        """
        try:
            parts = self.folder.read(self.data_name, [(b.offset, b.length) for b in blobs])
        except OSError as error:
            reason = error.strerror or str(error)
            return [StoreError(f"{self.data_name} cannot be read: {reason}.") for _ in blobs]
        return [self._checked(part, blob) for part, blob in zip(parts, blobs, strict=True)]

    def read_one(self, blob: pb.Blob) -> bytes:
        """Reads one stretch of the data file.

        Raises:
            StoreError: It is missing or its checksum differs.
        """
        (data,) = self.read([blob])
        if isinstance(data, StoreError):
            raise data
        return data

    def _checked(self, data: bytes, blob: pb.Blob) -> bytes | StoreError:
        if len(data) != blob.length:
            return StoreError(
                f"{self.data_name} ends at byte {blob.offset + len(data)}, before the data it "
                "should hold: the file was copied in part."
            )
        if (crc := codec.crc32(data)) != blob.crc32:
            return StoreError(
                f"The stored data fails its checksum (crc32 {crc:08x}, expected {blob.crc32:08x}, "
                f"{blob.length:,} bytes): the file was changed or copied in part."
            )
        return data


class RunStore:
    """The store of one run; safe to use from several threads.

    Args:
        place: Directory of the run, or the folder of its store.
        interval: Seconds for which what was found counts as fresh.
    """

    thumbnails_only = False

    def __init__(self, place: Path | Folder, *, interval: float = 0) -> None:
        self.folder = (
            LocalFolder(files.store_directory(place)) if isinstance(place, Path) else place
        )
        self._interval = interval
        self._refreshed = -float("inf")
        self._files: dict[str, IndexFile] = {}
        self._unreadable: dict[str, str] = {}
        self._histories: dict[str, StoredHistory] = {}
        self._entries: OrderedDict[tuple[str, int], pb.Entry] = OrderedDict()
        self._tokens: OrderedDict[tuple[str, int], tuple[int, pb.TokenTable]] = OrderedDict()
        self._lock = threading.RLock()
        self.state: object = None
        """Equal to what it was as long as nothing was written; as of the last refresh."""

    def refresh(self) -> None:
        """Takes in what was written since the last call."""
        with self._lock:
            if time.monotonic() - self._refreshed < self._interval:
                return
            self._refreshed = time.monotonic()
            self._unreadable.clear()
            try:
                sizes = self.folder.sizes()
            except FileNotFoundError:
                sizes = {}
            except OSError as error:
                self._unreadable[""] = f"The store cannot be read: {error.strerror or error}."
                return
            self.state = sorted(sizes.items())
            sizes = {n: size for n, size in sizes.items() if n.endswith(files.INDEX_SUFFIX)}
            changed = self._forget(self._files.keys() - sizes)
            for name in sorted(sizes):
                file = self._files.setdefault(name, IndexFile(self.folder, name))
                if sizes[name] < file.size:  # another file of this name
                    self._entries.clear()
                    self._tokens.clear()
                try:
                    changed |= file.refresh(sizes[name])
                except OSError as error:
                    self._unreadable[name] = f"{name} cannot be read: {error.strerror or error}."
            if changed:
                self._histories = self._make_histories()

    def _forget(self, gone: set[str]) -> bool:
        for name in gone:
            del self._files[name]
        if gone:
            self._entries.clear()
            self._tokens.clear()
        return bool(gone)

    def _make_histories(self) -> dict[str, StoredHistory]:
        tracks: dict[str, list[tuple[IndexFile, Track]]] = {}
        for file in sorted(self._files.values(), key=lambda f: (f.start_time, f.name)):
            for layer, track in file.tracks.items():
                tracks.setdefault(layer, []).append((file, track))
        return {layer: StoredHistory.of(of_layer) for layer, of_layer in tracks.items()}

    @property
    def histories(self) -> Mapping[str, History]:
        """The history of each layer, as of the last refresh."""
        return self._histories

    @property
    def problems(self) -> list[str]:
        """Sentences about index files that cannot be read."""
        with self._lock:
            damaged = [file.problem for file in self._files.values() if file.problem]
            return [*self._unreadable.values(), *damaged]

    def find(self, layer: str, step: int) -> Found | None:
        """The entry of a layer at a recorded step, or None.

        Raises:
            StoreError: The entry cannot be read.
        """
        history = self._histories.get(layer)
        located = history.locate(step) if history else None
        if located is None:
            return None
        span, position = located
        key = (span.file.name, span.track.offsets[position])
        with self._lock:
            entry = self._entries.get(key)
        if entry is None or entry.step != step:
            entry = span.file.entry(span.track, position)
        with self._lock:
            self._entries[key] = entry
            self._entries.move_to_end(key)
            while len(self._entries) > _ENTRIES_IN_MEMORY:
                self._entries.popitem(last=False)
        return Found(entry, self.folder, span.file.data_name)

    def entries(self, layer: str) -> Iterator[pb.Entry | StoreError]:
        """All visible entries of a layer, read anew: each, or why it cannot be used."""
        yield from self._histories[layer].entries()

    def found(self, layer: str) -> Iterator[Found]:
        """All visible entries of a layer that can be used, with the files of their data."""
        for span in self._histories[layer].spans:
            for entry in span.file.entries(span.track, range(span.count)):
                if not isinstance(entry, StoreError):
                    yield Found(entry, self.folder, span.file.data_name)

    def tokens(self, found: Found, side: str) -> pb.TokenTable | None:
        """Tokens of one side of an entry.

        Args:
            found: The entry.
            side: `"query_tokens"` or `"key_tokens"`.

        Returns:
            The table, with a list for each example, or None when no tokens were recorded.

        Raises:
            StoreError: The table cannot be read.
        """
        entry = found.entry
        if not entry.HasField(side):
            return None
        blob: pb.Blob = getattr(entry, side)
        key = (found.data_name, blob.offset)
        with self._lock:
            size, table = self._tokens.get(key, (0, None))
        if table is None:
            size, table = _token_table(found.read_one(blob))
        limit = entry.queries if side == "query_tokens" else entry.keys
        if len(table.examples) != entry.examples or any(
            len(example.tokens) > limit for example in table.examples
        ):
            raise StoreError(
                f"{found.data_name}: the {side.replace('_', ' ')} are not those of "
                f"{entry.examples} examples of up to {limit} positions."
            )
        with self._lock:
            self._tokens[key] = size, table
            self._tokens.move_to_end(key)
            while sum(size for size, _ in self._tokens.values()) > _TOKEN_BYTES_IN_MEMORY:
                self._tokens.popitem(last=False)
        return table


def _token_table(data: bytes) -> tuple[int, pb.TokenTable]:
    size = int.from_bytes(data[:8], "little")
    if size > limits.MAX_TOKEN_BYTES:
        raise StoreError(
            f"The tokens claim {size:,} bytes; at most {limits.MAX_TOKEN_BYTES:,} are possible."
        )
    try:
        return size, pb.TokenTable.FromString(codec.inflate(data[8:], size))
    except (ValueError, DecodeError) as error:
        raise StoreError(f"The tokens cannot be decoded: {error}") from error
