"""One line on the terminal that says how a training is coming along."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

import keras

_REFRESH = 0.2  # seconds between updates of a terminal's line
_LINES = 10  # so many lines where there is no terminal


class Progress(keras.callbacks.Callback):
    """Shows steps, loss, accuracy and the time that is left.

    A terminal has one line that is updated; a file or pipe gets a few plain lines.

    Args:
        name: What is being trained.
        steps: How many steps there will be.
        stream: Where to write.
    """

    def __init__(self, name: str, steps: int, stream: TextIO | None = None) -> None:
        super().__init__()
        self._name = name
        self._steps = steps
        self._stream = sys.stdout if stream is None else stream
        self._step = 0
        self._start = 0.0
        self._shown = 0.0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Starts the clock."""
        self._start = time.monotonic()
        if self._stream.isatty():
            self._stream.write(f"\r{self._name:<12} preparing …")
            self._stream.flush()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Shows the step, unless the line was just updated."""
        self._step += 1
        now = time.monotonic()
        if self._stream.isatty():
            if now - self._shown < _REFRESH and self._step < self._steps:
                return
            self._shown = now
            self._stream.write(f"\r\x1b[K{self._line(now, logs or {})}")
        elif self._step % max(1, self._steps // _LINES) == 0:
            self._stream.write(f"{self._line(now, logs or {})}\n")
        self._stream.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Leaves the line behind."""
        if self._stream.isatty():
            self._stream.write("\n")
            self._stream.flush()

    def _line(self, now: float, logs: dict[str, Any]) -> str:
        taken = now - self._start
        left = taken / self._step * (self._steps - self._step)
        return (
            f"{self._name:<12} step {self._step:>{len(str(self._steps))}}/{self._steps}"
            f"  loss {logs.get('loss', float('nan')):.3f}"
            f"  characters {100 * logs.get('accuracy', float('nan')):5.1f} %"
            f"  {taken:.0f} s, {left:.0f} s left"
        )
