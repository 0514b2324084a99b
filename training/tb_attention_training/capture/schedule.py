"""When to capture: `update_freq` as `keras.callbacks.TensorBoard` knows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

NEVER = 2**63 - 1
"""A step that no training reaches."""


@dataclass(frozen=True)
class Schedule:
    """The steps at which to capture during an epoch.

    Attributes:
        every: Capture at multiples of this many training steps; None: only at ends of epochs.
    """

    every: int | None

    @staticmethod
    def of(update_freq: Literal["epoch", "batch"] | int) -> Schedule:
        """Reads the argument `update_freq`.

        Raises:
            ValueError: It is neither `"epoch"`, `"batch"` nor a positive int.
        """
        given: Any = update_freq
        if given == "epoch":
            return Schedule(None)
        if given == "batch":
            return Schedule(1)
        if isinstance(given, int) and not isinstance(given, bool) and given > 0:
            return Schedule(given)
        raise ValueError(
            'update_freq: expected "epoch", "batch" or a positive int (every so many training '
            f"steps), received {given!r}."
        )

    @property
    def per_epoch(self) -> bool:
        """Whether ends of epochs, not steps, are what counts."""
        return self.every is None

    def next_after(self, step: int) -> int:
        """Returns the first step after `step` that is due, `NEVER` when none is."""
        return NEVER if self.every is None else (step // self.every + 1) * self.every
