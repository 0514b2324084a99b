"""Where the store lies in a run's directory, and who may write there."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import socket
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows: a second writer is not noticed there
    fcntl = None

FORMAT_VERSION = 1
"""Of what lies in the store; a reader refuses a newer one."""

# TensorBoard's own place for the files of a plugin (plugin_asset_util). No file name in it may
# contain "tfevents": TensorBoard would scan it.
STORE_PATH = Path("plugins") / "attention"
INDEX_SUFFIX = ".index"
DATA_SUFFIX = ".data"
_LOCK_NAME = "attention.lock"
_numbers = itertools.count()
_STEM = re.compile(r"attention-(\d{17})-")
_SEGMENT = re.compile(r"-s\d{8}$")
_LAST_START = 10**17 - 1


def store_directory(run_directory: str | os.PathLike[str]) -> Path:
    """Directory of the store of a run."""
    return Path(run_directory) / STORE_PATH


def new_stem(existing: Iterable[str]) -> str:
    """A file name, without suffix, that no other writer has.

    It sorts behind those that exist, and says which host and process wrote it.

    Args:
        existing: Names of the files that are there. When the clock was set back since the latest of
            them was made, the new name goes on from there: the order of the writers decides whose
            entries are seen.
    """
    matches = (_STEM.match(name) for name in existing)
    latest = max((int(match[1]) for match in matches if match), default=0)
    now = max(time.time_ns() // 1000, min(latest + 1, _LAST_START))
    host = re.sub(r"[^A-Za-z0-9.-]|tfevents", "_", socket.gethostname())[:64]
    return f"attention-{now:017d}-{host}-{os.getpid()}-{next(_numbers)}"


def start_time_of(stem: str) -> float:
    """When a writer was opened, in seconds since the epoch, as the names of its files say."""
    match = _STEM.match(stem)
    return int(match[1]) / 1e6 if match else 0.0


def segment_stem(stem: str, number: int) -> str:
    """A file name, without suffix, of one segment of a writer that cannot append to files."""
    return f"{stem}-s{number:08d}"


def writer_of(name: str) -> str:
    """What the names of all files of one writer have in common."""
    return _SEGMENT.sub("", name.removesuffix(INDEX_SUFFIX).removesuffix(DATA_SUFFIX))


class WriterLock:
    """Makes sure that one writer at a time writes to a store.

    The lock ends with the process however that ends. On file systems without locks, writers are
    not told apart; the reader's rule for resumed runs then decides what is shown.

    Args:
        directory: Of the store.

    Raises:
        RuntimeError: Another live writer holds the lock.
    """

    def __init__(self, directory: Path) -> None:
        self._process = os.getpid()
        self._file: IO[str] = open(directory / _LOCK_NAME, "a+", encoding="utf-8")  # noqa: SIM115
        if fcntl is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            holder = self._file.read(200).strip() or "another process"
            self._file.close()
            raise RuntimeError(
                f"log_dir: expected a directory that nobody else writes attention to, received "
                f"{str(directory.parent.parent)!r}, which {holder} is writing to. Close that "
                "AttentionWriter first, or give each writer a directory of its own."
            ) from None
        except OSError:  # no locks on this file system
            return
        self._file.truncate(0)
        self._file.write(f"process {os.getpid()} on {socket.gethostname()}")
        self._file.flush()

    def release(self) -> None:
        """Lets the next writer in."""
        # Closing would not be enough while a forked child, a data loader's worker say, lives: it
        # has inherited the lock. And a child that ends must not take its parent's lock away.
        if fcntl is not None and os.getpid() == self._process:
            with contextlib.suppress(OSError):  # no locks on this file system
                fcntl.flock(self._file, fcntl.LOCK_UN)
        self._file.close()


def not_writable(log_dir: str | os.PathLike[str], error: OSError) -> OSError:
    """What to raise for a log directory that cannot be written to.

    Args:
        log_dir: As it was given.
        error: What went wrong.

    Returns:
        An error of the same type, whose message names the argument and says what to do.
    """
    return type(error)(
        error.errno,
        f"log_dir: expected a directory that can be written to, received {str(log_dir)!r}: "
        f"{error.strerror or error}. Choose another directory or mend its permissions",
        error.filename,
    )
