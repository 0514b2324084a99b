"""Alignment failures on hand-made maps: what is there is found at its place, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from tb_attention_plugin.diagnosis.alignment import Failure, Limits, alignment_failures


def path(keys: Sequence[int], width: int, peak: float = 0.9) -> NDArray[np.float32]:
    """A map whose queries look at these keys, and a little at their neighbours."""
    weights = np.zeros((len(keys), width), np.float32)
    for query, key in enumerate(keys):
        neighbours = [k for k in (key - 1, key + 1) if 0 <= k < width]
        weights[query, neighbours] = (1 - peak) / len(neighbours)
        weights[query, key] = peak
    return weights


def test_a_good_alignment_has_none() -> None:
    assert alignment_failures(path(range(13), 13)) == []
    assert alignment_failures(path([q // 3 for q in range(39)], 13)) == []  # three frames a letter
    assert alignment_failures(path([2 * q for q in range(7)], 13)) == []  # two letters a word


def test_local_reordering_is_no_failure() -> None:
    assert alignment_failures(path([0, 1, 3, 2, 4, 6, 5, 7, 8, 10, 9], 11)) == []


def test_skip() -> None:
    keys = [0, 1, 2, 3, 8, 9, 10, 11, 12]
    # Keys 4 and 7 are grazed by their neighbours: 0.05 is under a tenth of what a query has.
    weights = path(keys, 13)
    assert alignment_failures(weights) == [Failure("skip", 0, 9, 4, 8)]
    assert alignment_failures(weights, Limits(skip=5)) == []


def test_an_end_that_is_never_reached_is_a_skip() -> None:
    assert alignment_failures(path(range(9), 13)) == [Failure("skip", 0, 9, 9, 13)]


def test_backward_jump_without_repeating() -> None:
    # 5 6 7 first, then 1 2 3 4, which were not visited before: order, not repetition.
    assert alignment_failures(path([0, 5, 6, 7, 1, 2, 3, 4, 8, 9], 10)) == [
        Failure("backward_jump", 3, 5, 1, 8)
    ]


def test_repeat() -> None:
    keys = [0, 1, 2, 3, 4, 5, 6, 2, 3, 4, 5, 6, 7, 8]
    assert alignment_failures(path(keys, 9)) == [
        Failure("backward_jump", 6, 8, 2, 7),
        Failure("repeat", 7, 12, 2, 7),
    ]


def test_two_repeats_of_the_same_keys() -> None:
    keys = [0, 1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4, 5, 6]
    assert alignment_failures(path(keys, 7)) == [
        Failure("backward_jump", 4, 6, 1, 5),
        Failure("backward_jump", 8, 10, 1, 5),
        Failure("repeat", 5, 9, 1, 5),
        Failure("repeat", 9, 13, 1, 5),
    ]


def test_repeat_until_the_end() -> None:
    keys = [0, 1, 2, 3, 4, 5, 6, 3, 4, 5]
    assert Failure("repeat", 7, 10, 3, 6) in alignment_failures(path(keys, 7))


def test_stall() -> None:
    keys = [0, 1, 2, 2, 2, 2, 2, 3, 4, 5, 6, 7, 8, 9]
    # 5 queries on one key are a stall where there is a key for each; here are 1.4 queries for each.
    assert alignment_failures(path(keys, 10)) == []
    assert alignment_failures(path(keys, 10), Limits(stall=3)) == [Failure("stall", 2, 7, 2, 3)]
    assert alignment_failures(path(keys, 10), Limits(stall=4)) == []
    assert Failure("stall", 2, 7, 2, 3) in alignment_failures(path(keys, 14))


def test_a_stall_takes_longer_where_there_are_more_queries_than_keys() -> None:
    keys = [q // 6 for q in range(30)]
    assert alignment_failures(path(keys, 5)) == []
    keys[6:] = [1] * 24
    stalls = [f for f in alignment_failures(path(keys, 5)) if f.kind == "stall"]
    assert stalls == []  # it takes 30 where there are six queries for each key
    keys = [0, *[1] * 30, 2, 3, 4, 4]
    stalls = [f for f in alignment_failures(path(keys, 6)) if f.kind == "stall"]
    assert stalls == [Failure("stall", 1, 31, 1, 2)]


def test_end_collapse() -> None:
    keys = [0, 1, 2, 3, 4, 5, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6]
    found = alignment_failures(path(keys, 7), Limits(stall=4))
    assert found == [Failure("end_collapse", 6, 16, 6, 7)]
    # The last key, but not until the last query.
    found = alignment_failures(path([*keys, 3, 4], 7), Limits(stall=3))
    assert Failure("stall", 6, 16, 6, 7) in found
    assert "end_collapse" not in {failure.kind for failure in found}


def test_unsure_queries_do_not_break_the_path() -> None:
    weights = path(range(13), 13)
    weights[5] = 1 / 13
    assert alignment_failures(weights) == []
    jumping = path([0, 1, 2, 3, 4, 5, 6, 7, 0, 2], 10)
    jumping[8] = 0.1
    found = [f for f in alignment_failures(jumping) if f.kind == "backward_jump"]
    assert found == [Failure("backward_jump", 7, 10, 2, 8)]


@pytest.mark.parametrize("value", [1 / 13, np.nan, 0.0])
def test_what_is_no_alignment_has_no_failures(value: float) -> None:
    assert alignment_failures(np.full((11, 13), value)) == []


def test_a_random_alignment_is_full_of_them() -> None:
    keys = np.random.default_rng(0).integers(0, 13, 40).tolist()
    assert len(alignment_failures(path(keys, 13))) > 5


def test_a_batch_is_refused() -> None:
    with pytest.raises(ValueError, match=r"received shape \(2, 3, 5\)"):
        alignment_failures(np.zeros((2, 3, 5)))
