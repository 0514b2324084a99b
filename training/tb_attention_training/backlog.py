"""`Backlog`: a training never waits for the disk; captures that would are left out, and counted."""

from __future__ import annotations

from tb_attention_plugin import AttentionWriter

MAX_WAITING_BYTES = 256 << 20
"""Of weights in memory: hundreds of captures of a small model, a few of a large one."""


class Backlog:
    """Decides whether a writer has room for one more capture.

    Args:
        max_waiting_bytes: Of weights that may wait for the writer's thread. An idle writer takes a
            capture of any size.
    """

    def __init__(self, max_waiting_bytes: int = MAX_WAITING_BYTES) -> None:
        self._limit = max_waiting_bytes
        self._size = 0  # of the latest capture
        self._due = 0
        self._steps: list[int] = []  # first and last that was left out
        self._skipped = 0
        self._untold = 0  # left out since the latest capture

    def has_room(self, writer: AttentionWriter | None, step: int) -> bool:
        """Whether the capture that is due at a step can be handed to a writer at once."""
        if self._steps and step == self._steps[-1]:  # again, and better late than never
            self._due, self._skipped, self._untold = (
                n - 1 for n in (self._due, self._skipped, self._untold)
            )
        self._due += 1
        waiting = 0 if writer is None else writer.queued_bytes
        if not waiting or waiting + self._size <= self._limit:
            return True
        self._skipped += 1
        self._untold += 1
        self._steps = [*self._steps[:1], step]
        return False

    def captured(self, size: int) -> int:
        """Takes note of a capture that is about to be written.

        Args:
            size: Bytes of its weights.

        Returns:
            How many captures were left out since the one before.
        """
        self._size = size
        untold, self._untold = self._untold, 0
        return untold

    def report(self) -> str | None:
        """What was left out in a training that is over, as a warning; None when nothing was."""
        if not self._skipped:
            return None
        first, last = self._steps[0], self._steps[-1]
        said = (
            f"{self._skipped} of {self._due} captures were left out, between steps {first} and "
            f"{last}, because the writer was behind with {self._limit >> 20} MB and a training "
            "never waits for it. To record all of them: capture less often, fewer or shorter "
            "examples, with images=False, or on a faster disk."
        )
        self._due = self._skipped = 0
        self._steps = []
        return said
