"""Finds the runs in a log directory."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Protocol

from tb_attention_plugin.store import files
from tb_attention_plugin.store.folder import Folder, LocalFolder
from tb_attention_plugin.store.run import RunStore
from tb_attention_plugin.store.urls import is_url

RESCAN_SECONDS = 0.75
"""Several requests come at once; a run that appears is seen at the next poll, a second later."""


class Root(Protocol):
    """A directory below which runs lie.

    Attributes:
        interval: Seconds for which what was found counts as fresh.
    """

    interval: float

    def stores(self) -> tuple[dict[str, Folder], list[str]]:
        """The folders of all stores by the path of their run, and sentences about problems."""
        ...


class LocalRoot:
    """A directory of this machine. What lies outside of it is not read, whatever links say.

    Args:
        path: Of the directory; it need not exist yet, and may be a link itself.
    """

    interval = 0.0

    def __init__(self, path: Path) -> None:
        self.path = path

    def stores(self) -> tuple[dict[str, Folder], list[str]]:
        """The folders of all stores; see `Root`."""
        found: dict[str, Folder] = {}
        problems: list[str] = []
        real_root = os.path.realpath(self.path)
        for directory, subdirectories, _ in os.walk(self.path):
            subdirectories.sort()
            if "plugins" not in subdirectories:
                continue
            subdirectories.remove("plugins")
            store = files.store_directory(directory)
            if not store.is_dir():
                continue
            name = shown_name(Path(directory).relative_to(self.path).as_posix(), found)
            real = os.path.realpath(store)
            if real.startswith(os.path.join(real_root, "")):
                found[name] = LocalFolder(real)
            else:
                problems.append(
                    f"Run {name}: {files.STORE_PATH} is a link out of the log directory, which is "
                    "not followed."
                )
        return found, problems


def shown_name(path: str, taken: Container[str] = ()) -> str:
    """The name of a run or directory as text: a file name may be any bytes.

    Args:
        path: Of the directory.
        taken: Names that others have. A name that is not UTF-8 gets replacement characters, as in
            TensorBoard's data server, or says its bytes where another has that name already.
    """
    raw = os.fsencode(path)
    name = raw.decode("utf-8", "replace")
    return name if name not in taken else raw.decode("utf-8", "backslashreplace")


class UnreadableRoot:
    """Stands for a directory that cannot be looked at, and says why.

    Args:
        reason: A sentence.
    """

    interval = 0.0

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def stores(self) -> tuple[dict[str, Folder], list[str]]:
        """Nothing, and the sentence; see `Root`."""
        return {}, [self.reason]


class LogDirectory:
    """All runs with recorded attention below some directories; safe to use from several threads.

    Args:
        roots: Each with the name that precedes its runs' names; `""` adds nothing. Of runs that are
            named alike the last one counts, as in TensorBoard.
    """

    def __init__(self, roots: Sequence[tuple[str, Root]]) -> None:
        self._roots = roots
        self._interval = max(RESCAN_SECONDS, *(root.interval for _, root in roots), 0)
        self._runs: dict[str, RunStore] = {}
        self._lock = threading.Lock()
        self._scanned = -float("inf")
        self.problems: list[str] = []

    def runs(self) -> dict[str, RunStore]:
        """The stores of all runs by their names, refreshed.

        Directories are looked for at most every three quarters of a second, objects every two.
        """
        with self._lock:
            if time.monotonic() - self._scanned > self._interval:
                self._scan()
            runs = self._runs
        for store in runs.values():
            store.refresh()
        return runs

    def run(self, name: str) -> RunStore | None:
        """The store of one run, refreshed; None when there is no such run."""
        with self._lock:
            if name not in self._runs:
                self._scan()
            store = self._runs.get(name)
        if store is not None:
            store.refresh()
        return store

    def rescan(self) -> None:
        """Looks for new directories at the next occasion."""
        with self._lock:
            self._scanned = -float("inf")

    def _scan(self) -> None:
        runs: dict[str, RunStore] = {}
        problems: list[str] = []
        for prefix, root in self._roots:
            try:
                stores, of_root = root.stores()
            except OSError as error:
                problems.append(f"{prefix or 'The log directory'} cannot be read: {error}.")
                continue
            problems += of_root
            for path, folder in stores.items():
                name = _join(prefix, path)
                known = self._runs.get(name)
                same = known is not None and known.folder == folder
                runs[name] = known if known and same else RunStore(folder, interval=root.interval)
        self._runs = dict(sorted(runs.items()))
        self.problems = problems
        self._scanned = time.monotonic()


def _join(prefix: str, name: str) -> str:
    return f"{prefix}/{name}" if prefix else name  # "prefix/." too: so TensorBoard names it


def root_at(path: str) -> Root:
    """The root at a path as a person gives it: relative, with `~`, or a URL such as `s3://…`."""
    if is_url(path):
        from tb_attention_plugin.store.remote import RemoteRoot

        return RemoteRoot(path)
    return LocalRoot(Path(path).expanduser().absolute())


def roots_of(logdir: str, logdir_spec: str) -> list[tuple[str, Root]]:
    """Where TensorBoard looks for runs, from its flags as they were given.

    Args:
        logdir: `--logdir`, which may be relative or start with `~`.
        logdir_spec: `--logdir_spec`, comma-separated directories, each with an optional `name:`.

    Returns:
        Roots, each with the name that precedes its runs' names: runs are named as in TensorBoard.
    """
    if logdir:
        return [("", root_at(logdir))]
    roots: list[tuple[str, Root]] = []
    for part in filter(None, logdir_spec.split(",")):
        name, path = "", part
        # No name stands before the colon of a URL or of a drive, or in an absolute path.
        if ":" in part and part[0] != "/" and not _SCHEME.match(part):
            name, _, path = part.partition(":")
        roots.append((name, root_at(path)))
    return roots


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9.]*://|[A-Za-z]:\\")
