"""Hysteresis, for all heads of a layer at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]
"""`[H]`"""
Firings = list[tuple[int, int]]
"""Each head that something happened to, and the step at which it began."""


class Streak:
    """Says when a condition has held for so many records in a row.

    Args:
        heads: H.
        length: Records.
    """

    def __init__(self, heads: int, length: int) -> None:
        self._length = length
        self._count = np.zeros(heads, np.int64)
        self._first = np.zeros(heads, np.int64)

    def update(self, step: int, holds: Flags) -> Firings:
        """Takes in one record.

        Args:
            step: Its step.
            holds: Whether the condition holds.

        Returns:
            The heads for which it has now held long enough; each once until it ceases to hold.
        """
        self._count = np.where(holds, self._count + 1, 0)
        self._first = np.where(self._count == 1, step, self._first)
        fired = np.flatnonzero(self._count == self._length)
        return [(int(head), int(self._first[head])) for head in fired]


class Latch:
    """A state that is entered over one threshold and left over another.

    A head that is in the state at its first records has not entered it: the training began so.

    Args:
        heads: H.
        patience: Records in a row that a change of state takes.
    """

    def __init__(self, heads: int, patience: int) -> None:
        self._inside = np.zeros(heads, bool)
        self._was_outside = np.zeros(heads, bool)
        self._entering = Streak(heads, patience)
        self._leaving = Streak(heads, patience)

    @property
    def inside(self) -> Flags:
        """Which heads are in the state."""
        return self._inside

    def update(self, step: int, enter: Flags, leave: Flags) -> tuple[Firings, Firings]:
        """Takes in one record.

        Args:
            step: Its step.
            enter: Whether the value is beyond the threshold to enter.
            leave: Whether it is beyond the one to leave.

        Returns:
            The heads that entered the state, and those that left it.
        """
        entered = self._entering.update(step, enter & ~self._inside)
        left = self._leaving.update(step, leave & self._inside)
        for head, _ in entered:
            self._inside[head] = True
        for head, _ in left:
            self._inside[head] = False
        entered = [(head, first) for head, first in entered if self._was_outside[head]]
        self._was_outside |= leave
        return entered, left
