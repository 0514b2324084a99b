"""Log directories behind fsspec: `s3://`, `gs://`, `memory://` and others.

Objects cannot be appended to, so a writer makes segments: a data object, an index object that
commits it, and an event file, each written once. To a reader a segment is one more file of the same
writer; the format is the same as on a disk.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store import files, journal
from tb_attention_plugin.store.events import EventBuffer
from tb_attention_plugin.store.folder import Folder, Range
from tb_attention_plugin.store.frames import FrameWriter
from tb_attention_plugin.store.record import AttentionRecord, RenderedImage

SEGMENT_BYTES = 32 << 20
SEGMENT_SECONDS = 15.0
_STORE = files.STORE_PATH.as_posix()
# Ranges this close are asked for in one request: a request costs more than such a gap.
_GAP = 64 << 10


def open_url(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path within it.

    Raises:
        ImportError: What is needed for this kind of URL is not installed.
        ValueError: No such kind of URL is known.
    """
    try:
        import fsspec

        return fsspec.core.url_to_fs(url.rstrip("/"))
    except ImportError as error:
        scheme = url.split("://")[0]
        package = {"s3": "s3fs", "gs": "gcsfs"}.get(scheme, f"fsspec's package for {scheme}://")
        raise ImportError(
            f"{url!r} needs packages that are not installed ({error}). Install them: pip install "
            f"'tb-attention-plugin[remote]' {package}"
        ) from error


class RemoteFolder:
    """The objects below a prefix.

    Args:
        system: fsspec's file system.
        path: The prefix.
    """

    def __init__(self, system: Any, path: str) -> None:
        self.system = system
        self.path = path

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemoteFolder) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)

    def sizes(self) -> dict[str, int]:
        """Names and sizes of the objects; see `Folder`."""
        self.system.invalidate_cache(self.path)
        found = _asked(lambda: self.system.ls(self.path, detail=True))
        return {one["name"].rsplit("/", 1)[-1]: one["size"] or 0 for one in found}

    def read(self, name: str, ranges: Sequence[Range]) -> list[bytes]:
        """Stretches of one object; see `Folder`."""
        merged: list[list[int]] = []
        for start, length in sorted(ranges):
            if merged and start <= merged[-1][1] + _GAP:
                merged[-1][1] = max(merged[-1][1], start + length)
            else:
                merged.append([start, start + length])
        path = f"{self.path}/{name}"
        size = int(_asked(lambda: self.system.size(path)))
        # A range beyond the end is an error to some stores and empty to others.
        spans = [(start, min(end, size)) for start, end in merged if start < min(end, size)]
        starts, ends = [start for start, _ in spans], [end for _, end in spans]
        chunks = _asked(lambda: self.system.cat_ranges([path] * len(spans), starts, ends))
        out: list[bytes] = []
        for start, length in ranges:
            data = b""
            for (first, end), chunk in zip(spans, chunks, strict=True):
                if first <= start < end:
                    data = chunk[start - first : start - first + length]
            out.append(data)
        return out


def _asked(question: Any) -> Any:
    try:
        return question()
    except OSError:
        raise
    except Exception as error:  # every backend has errors of its own
        raise OSError(errno.EIO, f"The object store answers: {error}") from error


class RemoteRoot:
    """A URL below which runs lie.

    Args:
        url: Of the log directory.
    """

    interval = 2.0  # a listing costs money and a round trip

    def __init__(self, url: str) -> None:
        self.system, self.path = open_url(url)

    def stores(self) -> tuple[dict[str, Folder], list[str]]:
        """The folders of all stores; see `Root`."""
        self.system.invalidate_cache(self.path)
        try:
            paths = _asked(lambda: self.system.find(self.path))
        except FileNotFoundError:
            paths = []
        found: dict[str, Folder] = {}
        for path in paths:
            folder, _, name = str(path).rpartition("/")
            if not folder.endswith(f"/{_STORE}") or not name.endswith(files.INDEX_SUFFIX):
                continue
            run = folder.removesuffix(_STORE).rstrip("/").removeprefix(self.path).strip("/")
            found.setdefault(run or ".", RemoteFolder(self.system, folder))
        return found, []


class RemoteJournal:
    """Writes segments to objects.

    A segment is written when it is large enough or old enough, and at `flush` and `close`. Nobody
    else may write to the same run: object stores have no locks.

    Args:
        url: Of the run.
        max_length: As of `AttentionWriter`.

    Raises:
        ImportError: What is needed for this kind of URL is not installed.
        OSError: The object store cannot be reached.
    """

    def __init__(self, url: str, max_length: int | None = None) -> None:
        self._max_length = max_length
        self._system, self._run = open_url(url)
        self._folder = RemoteFolder(self._system, f"{self._run}/{_STORE}")
        try:
            existing = self._folder.sizes()
        except FileNotFoundError:
            existing = {}
        self._stem = files.new_stem(existing)
        self._count = 0
        self._segment: _Segment | None = None

    def append(self, record: AttentionRecord, encoding: pb.Encoding) -> pb.Entry:
        """Stores a record, and returns its entry; see `Journal`."""
        segment = self._open()
        entry = segment.append(record, encoding)
        if (
            len(segment.data.content) > SEGMENT_BYTES
            or time.monotonic() - segment.opened > SEGMENT_SECONDS
        ):
            self.flush()
        return entry

    def append_summaries(
        self,
        scalars: Mapping[str, float],
        texts: Mapping[str, str],
        step: int,
        wall_time: float,
    ) -> None:
        """Stores scalar and text summaries; see `Journal`."""
        for tag, value in scalars.items():
            self._open().events.write_scalar(tag, value, step, wall_time)
        for tag, text in texts.items():
            self._open().events.write_text(tag, text, step, wall_time)

    def append_images(self, images: list[RenderedImage], step: int, wall_time: float) -> None:
        """Stores image summaries; see `Journal`."""
        for image in images:
            self._open().events.write_image(image, step, wall_time)

    def flush(self) -> None:
        """Writes the segment; see `Journal`."""
        segment, self._segment = self._segment, None
        if segment is None:
            return
        stem = files.segment_stem(self._stem, self._count)
        self._count += 1
        store = self._folder.path
        if segment.index:
            index = journal.framed_header(self._stem) + segment.index
            self._put(f"{store}/{stem}{files.DATA_SUFFIX}", bytes(segment.data.content))
            self._put(f"{store}/{stem}{files.INDEX_SUFFIX}", index)  # commits the data
        self._put(f"{self._run}/{segment.events.name}", segment.events.content())

    def close(self) -> None:
        """Writes what waits; see `Journal`."""
        self.flush()

    def _open(self) -> _Segment:
        if self._segment is None:
            self._segment = _Segment(self._max_length)
        return self._segment

    def _put(self, path: str, data: bytes) -> None:
        _asked(lambda: self._system.pipe_file(path, data))


class _Data:
    def __init__(self) -> None:
        self.content = bytearray()

    def append(self, data: bytes) -> int:
        start = len(self.content)
        self.content += data
        return start


class _Segment:
    """What waits to be written."""

    def __init__(self, max_length: int | None) -> None:
        self.opened = time.monotonic()
        self.data = _Data()
        self.index = b""
        self.events = EventBuffer()
        # Of its own, so that the tokens are in the same object as what refers to them.
        self._frames = FrameWriter(self.data, max_length)

    def append(self, record: AttentionRecord, encoding: pb.Encoding) -> pb.Entry:
        entry, tiles = self._frames.append(record, encoding)
        self.index += journal.framed_entry(entry)
        self.events.write_entry(
            record.layer, record.step, record.wall_time, entry.SerializeToString(), tiles
        )
        return entry
