"""`tb-attention prune`: keeps every k-th step of a run, and never loses the others by accident.

The kept entries are copied to new files, which are brought to the disk before the index gets its
name. That renaming is the switch: the new index starts at the first step of every layer, so it
supersedes all older ones at once. Only then are those removed; a crash before or between leaves a
log that is whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from tb_attention_plugin.cli.progress import progress
from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store import files, journal
from tb_attention_plugin.store.run import Found, RunStore, StoreError


def kept_steps(steps: Sequence[int], every: int) -> list[int]:
    """Every k-th step from the first one on, and the last one."""
    kept = list(steps[::every])
    return kept if kept[-1] == steps[-1] else [*kept, steps[-1]]


def prune(directory: Path, every: int) -> tuple[int, int]:
    """Rewrites the store of one run.

    Args:
        directory: Of the store.
        every: Of so many steps of a layer one is kept; the first and the last ones always are.

    Returns:
        Bytes before and after.

    Raises:
        StoreError: Something that is to be kept cannot be read; nothing is changed then.
        RuntimeError: A writer is at work.
        OSError: The directory cannot be written to; nothing is lost then.
    """
    lock = files.WriterLock(directory)
    try:
        return _prune(directory, every)
    finally:
        lock.release()


def _prune(directory: Path, every: int) -> tuple[int, int]:
    store = RunStore(directory.parent.parent)
    store.refresh()
    if store.problems:
        raise StoreError(
            f"{' '.join(store.problems)} Nothing was changed: what cannot be read would be lost."
        )
    before = store.folder.sizes()
    old = [n for n in before if n.endswith((files.INDEX_SUFFIX, files.DATA_SUFFIX))]
    stem = files.new_stem(before)
    data_path = directory / (stem + files.DATA_SUFFIX)
    index_path = directory / (stem + files.INDEX_SUFFIX)
    unfinished = directory / (stem + ".unfinished")
    try:
        with open(data_path, "xb") as data, open(unfinished, "xb") as index:
            index.write(journal.framed_header(stem))
            for entry in _copied(store, every, _Copier(data)):
                index.write(journal.framed_entry(entry))
            for file in (data, index):
                file.flush()
                os.fsync(file.fileno())
    except BaseException:
        data_path.unlink(missing_ok=True)
        unfinished.unlink(missing_ok=True)
        raise
    _sync(directory)
    unfinished.rename(index_path)
    _sync(directory)
    # An index without data would be a problem to readers, data without an index is none.
    for name in sorted(old, key=lambda name: not name.endswith(files.INDEX_SUFFIX)):
        (directory / name).unlink()
    after = data_path.stat().st_size + index_path.stat().st_size
    return sum(before[name] for name in old), after


def _copied(store: RunStore, every: int, copier: _Copier) -> Iterator[pb.Entry]:
    kept = [
        (step, layer)
        for layer, history in store.histories.items()
        for step in kept_steps(history.steps, every)
    ]
    for step, layer in progress(sorted(kept, key=lambda pair: pair[0]), len(kept), "prune"):
        found = store.find(layer, step)
        if found is not None:
            yield copier.copy(found)


class _Copier:
    def __init__(self, data: IO[bytes]) -> None:
        self._data = data
        self._tokens: dict[tuple[str, int], pb.Blob] = {}

    def copy(self, found: Found) -> pb.Entry:
        """Copies an entry's data, checking it, and returns the entry that finds the copy."""
        entry = pb.Entry()
        entry.CopyFrom(found.entry)
        frames = [found.frame(b, h) for b in range(entry.examples) for h in range(entry.heads)]
        entry.frames_offset = self._data.tell()
        for frame in found.read(frames):
            if isinstance(frame, StoreError):
                raise StoreError(f"Step {entry.step} of layer {entry.layer}: {frame}")
            self._data.write(frame)
        for atlas in entry.atlases:
            for tile in atlas.tiles:
                self._move(found, tile)
        for side in ("query_tokens", "key_tokens"):
            if entry.HasField(side):
                blob: pb.Blob = getattr(entry, side)
                key = found.data_name, blob.offset
                if key not in self._tokens:
                    self._move(found, blob)
                    self._tokens[key] = blob
                blob.CopyFrom(self._tokens[key])
        return entry

    def _move(self, found: Found, blob: pb.Blob) -> None:
        data = found.read_one(blob)
        blob.offset = self._data.tell()
        self._data.write(data)


def _sync(directory: Path) -> None:
    if os.name != "posix":  # Windows cannot open a directory
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
