"""`Guard`: what goes wrong while recording must not stop a training."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Literal

GIVE_UP_AFTER = 3
"""Failures in a row after which a training is not bothered any more."""

OnError = Literal["warn", "raise"]


class Guard:
    """Runs actions whose failure must not stop a training, and tells the first one.

    Args:
        on_error: `"warn"`: the first failure warns, and after three in a row nothing more is run.
            `"raise"`: failures are raised.
        training: What goes on, for people: `"fit"` or `"session"`.
        clean_up: Called after each failure.

    Raises:
        ValueError: `on_error` is neither `"warn"` nor `"raise"`.
    """

    def __init__(self, on_error: OnError, training: str, clean_up: Callable[[], None]) -> None:
        if on_error not in ("warn", "raise"):
            raise ValueError(f'on_error: expected "warn" or "raise", received {on_error!r}.')
        self._on_error = on_error
        self._training = training
        self._clean_up = clean_up
        self._in_a_row = 0
        self._warned = False

    @property
    def failing(self) -> bool:
        """Whether the latest thing that was to be recorded was not."""
        return self._in_a_row > 0

    def begin(self) -> None:
        """Says that a training begins: what failed before is forgiven, not forgotten."""
        self._in_a_row = 0

    def succeeded(self) -> None:
        """Says that something was recorded."""
        self._in_a_row = 0

    def run(self, action: Callable[[], None]) -> bool:
        """Runs `action`.

        Returns:
            Whether it was run and did not fail.
        """
        if self._in_a_row >= GIVE_UP_AFTER:
            return False
        try:
            action()
        except Exception as error:
            if self._on_error == "raise":
                raise
            self._in_a_row += 1
            self._clean_up()
            self.warn_once(
                f"Attention was not recorded; training goes on. {gist(error)} Further failures "
                f"are not reported, and after {GIVE_UP_AFTER} in a row nothing more is recorded "
                f'in this {self._training}. `on_error="raise"` shows the whole traceback.',
                stacklevel=4,
            )
            return False
        return True

    def warn_once(self, message: str, stacklevel: int = 3) -> None:
        """Warns, unless it has warned already: a training's log is not for us to fill."""
        if not self._warned:
            self._warned = True
            warn(message, stacklevel + 1)


def warn(message: str, stacklevel: int = 2) -> None:
    """Warns with an `AttentionWarning`."""
    # Here, because it brings Keras along, which a session does without.
    from tb_attention_training.capture.probe import AttentionWarning

    warnings.warn(message, AttentionWarning, stacklevel=stacklevel + 1)


def gist(error: Exception) -> str:
    """An error in one line: its type, what it says, and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{where}."
