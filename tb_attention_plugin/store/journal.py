"""Where a writer puts its records: data first, then the index entry that commits it."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Protocol

from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store import files, tfrecord
from tb_attention_plugin.store.events import EventFile
from tb_attention_plugin.store.frames import FrameWriter
from tb_attention_plugin.store.record import AttentionRecord, RenderedImage


class Journal(Protocol):
    """What a writer writes to; used by one thread."""

    def append(self, record: AttentionRecord, encoding: pb.Encoding) -> pb.Entry:
        """Stores a record, and returns its entry."""
        ...

    def append_summaries(
        self,
        scalars: Mapping[str, float],
        texts: Mapping[str, str],
        step: int,
        wall_time: float,
    ) -> None:
        """Stores scalar and text summaries by their tags."""
        ...

    def append_images(self, images: list[RenderedImage], step: int, wall_time: float) -> None:
        """Stores image summaries."""
        ...

    def flush(self) -> None:
        """Makes readable by others what was appended."""
        ...

    def close(self) -> None:
        """Makes readable what was appended, and lets go of all that is held."""
        ...


def framed_header(stem: str) -> bytes:
    """The first record of an index file, as it lies there."""
    header = pb.Header(
        version=files.FORMAT_VERSION,
        start_time=files.start_time_of(stem),
        writer=f"{socket.gethostname()} {os.getpid()}",
    )
    return tfrecord.frame(pb.IndexRecord(header=header).SerializeToString())


def framed_entry(entry: pb.Entry) -> bytes:
    """One entry as it lies in an index file."""
    return tfrecord.frame(pb.IndexRecord(entry=entry).SerializeToString())


class LocalJournal:
    """Appends to files of its own in a directory of this machine.

    Everything is readable by others as soon as it is appended.

    Args:
        log_dir: Directory of the run. Made when missing.
        max_length: As of `AttentionWriter`.

    Raises:
        OSError: The directory cannot be written to.
        RuntimeError: Another live writer writes to the same directory.
    """

    def __init__(self, log_dir: Path, max_length: int | None = None) -> None:
        directory = files.store_directory(log_dir)
        with ExitStack() as opened:
            directory.mkdir(parents=True, exist_ok=True)
            opened.callback(files.WriterLock(directory).release)
            stem = files.new_stem(os.listdir(directory))
            self._data = opened.enter_context(
                closing(_DataFile(directory / (stem + files.DATA_SUFFIX)))
            )
            # Unbuffered: readers see an entry as soon as it is written, in one piece.
            index = directory / (stem + files.INDEX_SUFFIX)
            self._index = opened.enter_context(open(index, "xb", buffering=0))
            self._events = opened.enter_context(closing(EventFile(log_dir)))
            self._append_to_index(framed_header(stem))
            self._opened = opened.pop_all()  # all is well: close() closes them
        self._frames = FrameWriter(self._data, max_length)
        self._place = directory

    def append(self, record: AttentionRecord, encoding: pb.Encoding) -> pb.Entry:
        """Stores a record; see `Journal`."""
        if os.fstat(self._index.fileno()).st_nlink == 0:  # writing would succeed, into nothing
            raise FileNotFoundError(errno.ENOENT, "The directory was removed", str(self._place))
        entry, tiles = self._frames.append(record, encoding)
        self._data.flush()  # an entry means that its data is there
        self._append_to_index(framed_entry(entry))
        self._events.write_entry(
            record.layer, record.step, record.wall_time, entry.SerializeToString(), tiles
        )
        self._events.flush()
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
            self._events.write_scalar(tag, value, step, wall_time)
        for tag, text in texts.items():
            self._events.write_text(tag, text, step, wall_time)
        self._events.flush()

    def append_images(self, images: list[RenderedImage], step: int, wall_time: float) -> None:
        """Stores image summaries; see `Journal`."""
        for image in images:
            self._events.write_image(image, step, wall_time)
        self._events.flush()

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """Closes the files; see `Journal`."""
        self._opened.close()

    def _append_to_index(self, data: bytes) -> None:
        if self._index.write(data) != len(data):
            raise OSError("The file system took only part of an index entry; it is full.")


class _DataFile:
    def __init__(self, path: Path) -> None:
        self._file = open(path, "xb")  # noqa: SIM115 - closed by close()
        self._end = 0

    def append(self, data: bytes) -> int:
        start = self._end
        self._file.write(data)
        self._end += len(data)
        return start

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()
