"""A progress bar on a terminal; nothing elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
_WIDTH = 30


def progress(items: Iterable[Item], total: int, label: str) -> Iterator[Item]:
    """Passes items on and shows how many of them are done.

    Args:
        items: What is worked on.
        total: Their number.
        label: What is done, e.g. `"verify"`.
    """
    shown = sys.stderr.isatty()
    started = drawn = time.monotonic()
    for number, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if shown and (now - drawn > 0.1 or number == total):
            drawn = now
            filled = _WIDTH * number // max(total, 1)
            left = (now - started) / number * (total - number)
            bar = "█" * filled + "·" * (_WIDTH - filled)
            sys.stderr.write(f"\r{label} {bar} {number:,}/{total:,}, {left:.0f} s left \x1b[K")
            sys.stderr.flush()
    if shown:
        sys.stderr.write("\r\x1b[K")
