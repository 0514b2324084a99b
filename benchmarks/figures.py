"""What a benchmark reports, and how it is measured."""

from __future__ import annotations

import dataclasses
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    Attributes:
        name: What was measured.
        value: Ours.
        unit: Of `value` and `peer_value`.
        peer: What it is compared with, measured in the same run; None for a bare figure.
        peer_value: The peer's.
        ratio: Peer divided by ours: above 1 we win, below 1 we lose.
        note: How it was measured.
    """

    name: str
    value: float
    unit: str
    peer: str | None = None
    peer_value: float | None = None
    ratio: float | None = None
    note: str = ""

    def json(self) -> str:
        """The figure as one line of JSON."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False)


def compare(
    name: str, value: float, unit: str, peer: str, peer_value: float, note: str = ""
) -> Figure:
    """A figure beside its peer's."""
    ratio = peer_value / value if value else float("inf")
    return Figure(name, _short(value), unit, peer, _short(peer_value), _short(ratio), note)


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def cpu_milliseconds(work: Callable[[], object]) -> float:
    """CPU time of all threads of this process while `work` runs."""
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1e3


def wall_milliseconds(work: Callable[[], object]) -> float:
    """Elapsed time while `work` runs."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def alternate(
    works: list[Callable[[], object]],
    rounds: int,
    clock: Callable[[Callable[[], object]], float] = cpu_milliseconds,
) -> list[float]:
    """Median of each work, measured in turns, so that a drift of the machine meets all alike.

    Args:
        works: What to measure; each is called once before to warm up.
        rounds: How often each is measured.
        clock: Measures one call, in milliseconds.

    Returns:
        Milliseconds of each.
    """
    for work in works:
        work()
    times = [[clock(work) for work in works] for _ in range(rounds)]
    return [statistics.median(of_work) for of_work in zip(*times, strict=True)]
