"""Writers that are open: what an interrupted training has left is closed by the next one."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

from tb_attention_plugin import AttentionWriter

Owner = TypeVar("Owner")


class OpenWriters(Generic[Owner]):
    """The open writers of this process, each with the training that it belongs to.

    A directory takes one writer at a time, and Keras does not tell its callbacks when a training
    was interrupted: the next one in the same directory has to close what was left.

    Args:
        is_over: `(left, new)`: whether the training `left` is over, now that `new` wants to write.
    """

    def __init__(self, is_over: Callable[[Owner, Owner], bool]) -> None:
        self._is_over = is_over
        self._open: dict[Path, tuple[AttentionWriter, Owner]] = {}

    def open(
        self, log_dir: str | os.PathLike[str], owner: Owner, **arguments: Any
    ) -> AttentionWriter:
        """Opens a writer; see `AttentionWriter` for the arguments and what it raises."""
        directory = Path(log_dir).expanduser().resolve()
        left = self._open.get(directory)
        if left is not None and self._is_over(left[1], owner):
            self.close_quietly(left[0])
        writer = AttentionWriter(log_dir, **arguments)
        self._open[directory] = (writer, owner)
        return writer

    def close(self, writer: AttentionWriter | None) -> None:
        """Closes a writer; raises what its thread has failed with."""
        if writer is None:
            return
        self._open = {place: held for place, held in self._open.items() if held[0] is not writer}
        writer.close()

    def close_quietly(self, writer: AttentionWriter | None) -> None:
        """Closes a writer of which nothing more is expected; an earlier failure was told."""
        with suppress(Exception):
            self.close(writer)
