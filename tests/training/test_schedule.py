from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tb_attention_training import log_spaced
from tb_attention_training.capture.schedule import Schedule, timing_of


def all_steps(schedule: Schedule, end: int) -> list[int]:
    steps, step = list[int](), 0
    while (step := schedule.next_after(step)) <= end:
        steps.append(step)
    return steps


def test_the_steps_of_a_log_spaced_schedule() -> None:
    assert all_steps(log_spaced(per_decade=3), 1000) == [1, 2, 5, 10, 22, 46, 100, 215, 464, 1000]
    assert all_steps(log_spaced(per_decade=1, every=250), 1000) == [
        *(1, 10, 100, 250, 500, 750, 1000)
    ]


def test_what_the_documentation_says_of_the_default() -> None:
    steps = all_steps(log_spaced(), 100_000)
    assert len(steps) == 90
    assert steps[:9] == list(range(1, 10))
    later = [b / a for a, b in pairwise(steps) if a >= 100]
    assert 1.11 < min(later) <= max(later) < 1.14


@given(st.integers(1, 50), st.integers(0, 10**9))
def test_a_log_spaced_schedule_equals_its_definition_from_wherever_it_starts(
    per_decade: int, step: int
) -> None:
    defined = {round(10 ** (i / per_decade)) for i in range(10 * per_decade + 1)}
    assert log_spaced(per_decade).next_after(step) == min(one for one in defined if one > step)


@given(st.integers(1, 50), st.integers(1, 10**4), st.integers(0, 10**9))
def test_every_adds_the_multiples(per_decade: int, every: int, step: int) -> None:
    multiple = next(n for n in range(step + 1, step + every + 1) if n % every == 0)
    found = log_spaced(per_decade, every=every).next_after(step)
    assert found == min(multiple, log_spaced(per_decade).next_after(step))


@pytest.mark.parametrize("value", [0, -1, 1.5, True, math.inf, "10"])
@pytest.mark.parametrize("name", ["per_decade", "every"])
def test_arguments_are_checked(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name}: expected a positive int, received"):
        log_spaced(**{name: value})


def test_a_schedule_of_ones_own() -> None:
    class Squares:
        def next_after(self, step: int) -> int:
            return (math.isqrt(step) + 1) ** 2

    timing = timing_of(Squares())
    assert all_steps(timing, 30) == [1, 4, 9, 16, 25]
    assert timing.passed(9, 16)
    assert not timing.passed(9, 15)


def test_a_schedule_that_stands_still_does_not_hang() -> None:
    class Stuck:
        def next_after(self, step: int) -> int:
            return 0

    assert timing_of(Stuck()).next_after(7) == 8
