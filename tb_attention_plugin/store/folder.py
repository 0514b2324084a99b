"""Where the files of a store lie: a directory of this machine, or objects behind fsspec."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

Range = tuple[int, int]
"""Offset and length."""

# A link may lead out of the log directory, and a log directory may come from somebody else. Opening
# a named pipe would wait for ever without O_NONBLOCK.
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


class Folder(Protocol):
    """The files of one store, for reading."""

    def sizes(self) -> dict[str, int]:
        """Names and sizes of the files.

        Raises:
            OSError: The folder cannot be read.
        """
        ...

    def read(self, name: str, ranges: Sequence[Range]) -> list[bytes]:
        """Stretches of one file, each shorter than asked for where the file ends before it does.

        Raises:
            OSError: The file cannot be read.
        """
        ...


class LocalFolder:
    """A directory. Only regular files are read; links are not followed.

    Args:
        path: Of the directory.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def sizes(self) -> dict[str, int]:
        """Names and sizes of the files; see `Folder`."""
        sizes: dict[str, int] = {}
        with os.scandir(self.path) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    sizes[entry.name] = entry.stat(follow_symlinks=False).st_size
        return sizes

    def read(self, name: str, ranges: Sequence[Range]) -> list[bytes]:
        """Stretches of one file; see `Folder`."""
        with open(os.open(self.path / name, _FLAGS), "rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "It is not a regular file", name)
            return [_read(file, offset, length, status.st_size) for offset, length in ranges]


def _read(file: io.FileIO, offset: int, length: int, size: int) -> bytes:
    length = min(length, size - offset)  # before anything is allocated for it
    if length <= 0:
        return b""
    file.seek(offset)
    return file.read(length)
