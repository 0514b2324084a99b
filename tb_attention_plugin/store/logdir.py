"""Finds the runs in a log directory."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from tb_attention_plugin.store import files
from tb_attention_plugin.store.run import RunStore

_RESCAN_SECONDS = 2.0


class LogDirectory:
    """All runs with recorded attention below some directories; safe to use from several threads.

    Args:
        roots: Directories by the name that precedes their runs' names; `""` adds nothing.
    """

    def __init__(self, roots: dict[str, Path]) -> None:
        self._roots = roots
        self._runs: dict[str, RunStore] = {}
        self._lock = threading.Lock()
        self._scanned = -float("inf")

    def runs(self) -> dict[str, RunStore]:
        """The stores of all runs by their names, refreshed.

        Directories are looked for at most every two seconds: several requests come at once.
        """
        with self._lock:
            if time.monotonic() - self._scanned > _RESCAN_SECONDS:
                found = self._scan()
                self._runs = {name: self._runs.get(name) or RunStore(found[name]) for name in found}
                self._scanned = time.monotonic()
            runs = self._runs
        for store in runs.values():
            store.refresh()
        return runs

    def _scan(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for prefix, root in self._roots.items():
            for directory, subdirectories, _ in os.walk(root):
                subdirectories.sort()
                if "plugins" in subdirectories:
                    subdirectories.remove("plugins")
                    if files.store_directory(directory).is_dir():
                        name = Path(directory).relative_to(root).as_posix()
                        found[_join(prefix, name)] = Path(directory)
        return dict(sorted(found.items()))


def _join(prefix: str, name: str) -> str:
    if not prefix:
        return name
    return prefix if name == "." else f"{prefix}/{name}"


def roots_of(logdir: str, logdir_spec: str) -> dict[str, Path]:
    """Where TensorBoard looks for runs, from its flags as they were given.

    Args:
        logdir: `--logdir`, which may be relative or start with `~`.
        logdir_spec: `--logdir_spec`, comma-separated directories, each with an optional `name:`.

    Returns:
        Directories by the name that precedes their runs' names.
    """
    if logdir:
        return {"": Path(logdir).expanduser().absolute()}
    roots: dict[str, Path] = {}
    for part in filter(None, logdir_spec.split(",")):
        name, colon, path = part.partition(":")
        if not colon or "/" in name:  # as TensorBoard: no name, or the colon of a URL or drive
            name, path = part, part
        roots[name] = Path(path).expanduser().absolute()
    return roots
