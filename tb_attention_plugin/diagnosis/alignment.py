"""What is wrong with an alignment: where a decoder skips, repeats, stalls or jumps back.

All of it follows from the path of the strongest key over the queries, and from how much each key
got. It is meant for encoder-decoder attention; in self-attention such a path means nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

FailureKind = Literal["skip", "repeat", "stall", "backward_jump", "end_collapse"]


@dataclass(frozen=True, order=True)
class Failure:
    """One failure and its place; ranges are half open.

    Attributes:
        kind: `"skip"`: keys that get next to no attention. `"repeat"`: keys that were attended to
            before are gone through again. `"stall"`: many queries stay on one key.
            `"backward_jump"`: from one query to the next the strongest key goes far back.
            `"end_collapse"`: the remaining queries all look at the last key.
        first_query: First query of it.
        end_query: The query after its last one.
        first_key: First key of it.
        end_key: The key after its last one.
    """

    kind: FailureKind
    first_query: int
    end_query: int
    first_key: int
    end_key: int


@dataclass(frozen=True)
class Limits:
    """From where on something counts as a failure.

    Attributes:
        focus: A query whose largest weight is below this has no place on the path.
        focused: Share of the queries that must have one; a map with fewer is no alignment.
        skipped: A key that gets less than this share of an even one is skipped.
        skip: Keys in a row that make a skip.
        jump: Keys that a backward jump goes back at least.
        repeat: Different keys that are gone through again.
        stall: Queries on one key that make a stall, where there are no more queries than keys;
            with Q > K it is Q / K times as many.
    """

    focus: float = 0.3
    focused: float = 0.5
    skipped: float = 0.1
    skip: int = 3
    jump: int = 3
    repeat: int = 3
    stall: int = 5


DEFAULT_LIMITS = Limits()


def alignment_failures(weights: ArrayLike, limits: Limits = DEFAULT_LIMITS) -> list[Failure]:
    """Finds what is wrong with one alignment.

    Args:
        weights: `[Q, K]`, the valid region of one map.
        limits: From where on something counts.

    Returns:
        The failures, ordered by kind and place. None where too few queries have a strongest key:
        such a map is not wrong as an alignment, it is none.

    Raises:
        ValueError: `weights` has not two dimensions.
    """
    map_ = np.asarray(weights, np.float32)
    if map_.ndim != 2 or 0 in map_.shape:
        raise ValueError(
            f"weights: expected one map, [queries, keys], received shape {map_.shape}."
        )
    queries, keys = map_.shape
    peaks: NDArray[np.intp] = map_.argmax(-1)
    focused = np.take_along_axis(map_, peaks[:, None], 1)[:, 0] >= limits.focus  # NaN is not
    if focused.mean() < limits.focused:
        return []
    path = [int(peak) if sure else None for peak, sure in zip(peaks, focused, strict=True)]
    stall = math.ceil(limits.stall * max(1, queries / keys))
    return sorted(
        [
            *_skips(map_, limits),
            *_jumps_and_repeats(path, limits),
            *_stalls(path, keys, stall),
        ]
    )


def _skips(map_: NDArray[np.float32], limits: Limits) -> Iterator[Failure]:
    queries, keys = map_.shape
    even = queries / keys
    # Where the output is shorter than the input, a query has several keys to account for: what
    # counts is the best that a key got, against what one query has to give.
    received = map_.sum(0) / min(1.0, even)
    start = 0
    for key, skipped in enumerate([*(received < limits.skipped), False]):
        if not skipped:
            if key - start >= limits.skip:
                yield Failure("skip", 0, queries, start, key)
            start = key + 1


def _jumps_and_repeats(path: Sequence[int | None], limits: Limits) -> Iterator[Failure]:
    visited: set[int] = set()
    again: list[tuple[int, int]] = []  # queries and keys since the latest backward jump
    furthest = -1
    last: tuple[int, int] | None = None
    for query, key in enumerate(path):
        if key is None:
            continue
        if last is not None and last[1] - key >= limits.jump:
            yield Failure("backward_jump", last[0], query + 1, key, last[1] + 1)
            yield from _repeat(again, visited, limits)
            visited |= {k for _, k in again}
            again = [(query, key)]
        elif again:
            if key > furthest:
                yield from _repeat(again, visited, limits)
                again = []
            else:
                again.append((query, key))
        if not again:
            visited.add(key)
        furthest = max(furthest, key)
        last = query, key
    yield from _repeat(again, visited, limits)


def _repeat(
    again: Sequence[tuple[int, int]], visited: set[int], limits: Limits
) -> Iterator[Failure]:
    repeated = [(query, key) for query, key in again if key in visited]
    keys = {key for _, key in repeated}
    if len(keys) >= limits.repeat:
        yield Failure("repeat", repeated[0][0], repeated[-1][0] + 1, min(keys), max(keys) + 1)


def _stalls(path: Sequence[int | None], keys: int, stall: int) -> Iterator[Failure]:
    start = 0
    for query in range(1, len(path) + 1):
        key = path[start]
        if query < len(path) and path[query] == key and key is not None:
            continue
        if key is not None and query - start >= stall:
            at_end = query == len(path) and key == keys - 1
            yield Failure("end_collapse" if at_end else "stall", start, query, key, key + 1)
        start = query
