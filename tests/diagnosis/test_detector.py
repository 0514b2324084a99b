"""Events on series made by hand: each happens where it should, once, and noise does not ring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tb_attention_plugin.diagnosis.events import Event, EventDetector, events_of
from tb_attention_plugin.diagnosis.thresholds import Thresholds

CALM = {
    "entropy": 0.6,
    "max_weight": 0.35,
    "diagonality": 0.5,
    "monotonicity": 0.5,
    "alignment": 0.2,
    "sink_mass": 0.2,
    "induction": 0.05,
    "change": 0.02,
}


def feed(series: Mapping[str, Sequence[float]], **options: Any) -> list[Event]:
    """One head, one example, a record every 10 steps; what is not given stays calm."""
    length = len(next(iter(series.values())))
    full = {name: [value] * length for name, value in CALM.items()} | dict(series)
    arrays = {name: np.array(values, float).reshape(-1, 1, 1) for name, values in full.items()}
    return events_of("layer", range(0, 10 * length, 10), arrays, **options)


def brief(events: list[Event]) -> list[tuple[str, int, int]]:
    return [(event.kind, event.step, event.confirmed_step) for event in events]


def test_a_calm_training_has_no_events() -> None:
    assert feed({"entropy": [0.6] * 50}) == []


SINGLE = {
    "sink_emerged": ({"sink_mass": [0.2, 0.3, 0.55, 0.6, 0.7]}, "sink_mass", 0.6),
    "induction_formed": ({"induction": [0.1, 0.2, 0.5, 0.8, 0.9]}, "induction", 0.8),
    "diagonal_formed": (
        {
            "diagonality": [0.45, 0.6, 0.85, 0.9, 0.9],
            "max_weight": [0.1, 0.2, 0.5, 0.6, 0.6],
            "monotonicity": [0.5, 0.6, 0.9, 1, 1],
        },
        "diagonality",
        0.9,
    ),
    "alignment_formed": (
        {"alignment": [0.02, 0.4, 0.7, 0.9, 0.95], "monotonicity": [0.5] * 5},
        "alignment",
        0.9,
    ),
    "entropy_collapse": (
        {"entropy": [0.9, 0.5, 0.03, 0.01, 0.0], "sink_mass": [0.1, 0.36, 0.4, 0.4, 0.4]},
        "entropy",
        0.01,
    ),
}


@pytest.mark.parametrize("kind", SINGLE)
def test_each_is_found_once_at_its_first_record(kind: str) -> None:
    series, metric, value = SINGLE[kind]
    assert feed(series) == [Event(kind, "layer", 0, 20, 30, metric, value)]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("kind", SINGLE)
def test_one_record_alone_is_noise(kind: str) -> None:
    series, _, _ = SINGLE[kind]
    spikes = {name: [v[0], v[4], v[0], v[0], v[4], v[0]] for name, v in series.items()}
    assert feed(spikes) == []


@pytest.mark.parametrize("kind", SINGLE)
def test_what_was_there_from_the_beginning_did_not_happen(kind: str) -> None:
    series, _, _ = SINGLE[kind]
    assert feed({name: [v[4]] * 9 for name, v in series.items()}) == []


@pytest.mark.parametrize("kind", SINGLE)
def test_it_happens_again_only_after_it_ended(kind: str) -> None:
    series, _, _ = SINGLE[kind]

    def replay(*states: str) -> list[str]:
        between = {
            "alignment_formed": 0.55,
            "sink_emerged": 0.42,
            "induction_formed": 0.3,
            "entropy_collapse": 0.15,
        }
        rows: dict[str, list[float]] = {name: [] for name in series}
        for state in states:
            for name, values in series.items():
                rows[name].append({"out": values[0], "in": values[4]}.get(state, 0.7))
                if state == "between":
                    rows[name][-1] = between.get(kind, 0.7)
        return [event.kind for event in feed(rows) if not event.kind.endswith("_lost")]

    twice = ["out", "in", "in", "out", "out", "in", "in"]
    assert replay(*twice) == [kind, kind]
    if kind != "entropy_collapse":  # whose second metric has no threshold to leave
        assert replay("out", "in", "in", "between", "between", "in", "in") == [kind]


def test_a_diagonal_is_lost() -> None:
    sharp, diffuse = (0.9, 0.6, 1.0), (0.45, 0.1, 0.5)
    states = [diffuse] * 2 + [sharp] * 4 + [diffuse] * 3
    names = ("diagonality", "max_weight", "monotonicity")
    series = {name: [state[i] for state in states] for i, name in enumerate(names)}
    assert brief(feed(series)) == [("diagonal_formed", 20, 30), ("diagonal_lost", 60, 70)]
    # One that was there from the beginning, as when fine-tuning, can be lost too.
    late = {name: values[2:] for name, values in series.items()}
    assert brief(feed(late)) == [("diagonal_lost", 40, 50)]


def test_a_blurred_diagonal_is_none() -> None:
    start = {"diagonality": [0.7] * 5, "max_weight": [0.1] * 5, "monotonicity": [0.9] * 5}
    assert feed(start) == []
    formed = {name: [*values, *[0.95] * 3] for name, values in start.items()}
    assert brief(feed(formed)) == [("diagonal_formed", 50, 60)]


ALONG = {"diagonality": 0.9, "max_weight": 0.6, "monotonicity": 1.0, "alignment": 0.9}
ACROSS = {"diagonality": 0.2, "max_weight": 0.9, "monotonicity": 0.4, "alignment": 0.9}
NOWHERE = {"diagonality": 0.42, "max_weight": 0.1, "monotonicity": 0.5, "alignment": 0.1}


def told(*states: Mapping[str, float]) -> list[str]:
    return [event.kind for event in feed({name: [s[name] for s in states] for name in ALONG})]


def test_an_alignment_is_lost() -> None:
    series = {"alignment": [0.1] * 2 + [0.9] * 3 + [0.5] * 4 + [0.3] * 3}
    assert brief(feed(series)) == [("alignment_formed", 20, 30), ("alignment_lost", 90, 100)]
    # One that was there from the beginning can be lost too.
    late = {"alignment": series["alignment"][2:]}
    assert brief(feed(late)) == [("alignment_lost", 70, 80)]


def test_an_alignment_along_the_diagonal_is_told_once() -> None:
    start, end = [NOWHERE] * 2, [NOWHERE] * 3
    assert told(*start, *[ALONG] * 3, *end) == ["diagonal_formed", "diagonal_lost"]
    assert told(*start, *[ACROSS] * 3, *end) == ["alignment_formed", "alignment_lost"]
    # Blurred before it is lost: the alignment goes first, and is not told of.
    blurred = ALONG | {"alignment": 0.3}
    assert told(*start, *[ALONG] * 3, *[blurred] * 3, *end) == ["diagonal_formed", "diagonal_lost"]
    # What forms anew is another alignment.
    assert told(*start, *[ALONG] * 3, *end, *[ACROSS] * 3, *end) == [
        "diagonal_formed",
        "diagonal_lost",
        "alignment_formed",
        "alignment_lost",
    ]
    # It reorders first and then does not: both happened.
    assert told(*start, *[ACROSS] * 3, *[ALONG] * 3, *end) == [
        "alignment_formed",
        "diagonal_formed",
        "diagonal_lost",
    ]


def test_a_sharp_alignment_has_not_collapsed() -> None:
    # Its entropy is as low as that of a collapse; but its queries look at different keys.
    assert feed({"entropy": [0.9, 0.5, 0.03, 0.01, 0.0], "sink_mass": [0.1] * 5}) == []


def test_a_head_that_rests_on_the_first_key_has_a_sink_and_has_not_collapsed() -> None:
    resting = {"entropy": [0.9, 0.5, 0.03, 0.01, 0.0], "sink_mass": [0.1, 0.3, 0.9, 0.9, 0.95]}
    causal = {"future_mass": [0.0] * 5, "first_key_mass": [0.1, 0.3, 0.9, 0.9, 0.95]}
    assert brief(feed(resting | causal)) == [("sink_emerged", 20, 30)]
    # On another key, and in a decoder that looks at a source, it is a collapse; told once.
    elsewhere = causal | {"first_key_mass": [0.0] * 5}
    assert brief(feed(resting | elsewhere)) == [("entropy_collapse", 20, 30)]
    assert brief(feed(resting | {"first_key_mass": causal["first_key_mass"]})) == [
        ("entropy_collapse", 20, 30)
    ]


def test_a_head_that_looks_at_its_neighbours_is_no_alignment() -> None:
    local = SINGLE["diagonal_formed"][0]
    assert feed({**local, "future_mass": [0.0] * 5}) == []


def test_stuck_uniform() -> None:
    assert brief(feed({"entropy": [0.99] * 12})) == [("stuck_uniform", 0, 110)]
    assert feed({"entropy": [0.99] * 11}) == []
    assert feed({"entropy": [0.99] * 6 + [0.8] + [0.99] * 30}) == []  # it found something once
    # Softening a little before it settles is no way out.
    settling = [0.97] * 3 + [0.92] * 3 + [0.98] * 12
    assert brief(feed({"entropy": settling})) == [("stuck_uniform", 60, 170)]
    assert brief(feed({"entropy": [0.99] * 3}, thresholds=Thresholds(uniform_records=3))) == [
        ("stuck_uniform", 0, 20)
    ]


def test_head_dead_needs_others_that_live() -> None:
    change = np.full((20, 2, 3), 0.05)
    change[0] = np.nan  # the first record has no predecessor
    change[6:, :, 1] = 1e-5
    events = events_of("layer", range(20), {"change": change})
    assert [(e.kind, e.head, e.step, e.confirmed_step) for e in events] == [("head_dead", 1, 6, 13)]
    still = np.full((20, 2, 3), 1e-5)  # the training has come to rest
    assert events_of("layer", range(20), {"change": still}) == []
    assert events_of("layer", range(20), {"change": change[..., 1:2]}) == []  # nobody to compare
    resting = np.full((20, 2, 3), 9e-4)  # and comes to rest sooner in one head than in another
    resting[..., 1] = 1e-5
    assert events_of("layer", range(20), {"change": resting}) == []


def test_nan_is_no_event() -> None:
    assert feed({name: [np.nan] * 20 for name in CALM}) == []
    with_gaps = [0.2, 0.3, np.nan, 0.6, np.nan, 0.7, 0.7]
    assert brief(feed({"sink_mass": with_gaps})) == [("sink_emerged", 50, 60)]


def test_examples_are_averaged_and_those_without_a_value_left_out() -> None:
    induction = np.full((4, 2, 1), np.nan)
    induction[:, 0, 0] = [0.1, 0.1, 0.9, 0.9]
    (event,) = events_of("layer", range(4), {"induction": induction})
    assert (event.kind, event.value) == ("induction_formed", 0.9)


def test_heads_and_layers_do_not_mix() -> None:
    detector = EventDetector()
    found: list[Event] = []
    for step in range(4):
        values = {"sink_mass": np.array([[0.1, 0.1 if step < 2 else 0.8]])}
        found += detector.update("a", step, values)
        found += detector.update("b", step, {"sink_mass": np.array([[0.1, 0.1]])})
    assert [(event.layer, event.head) for event in found] == [("a", 1)]
    assert found[0].message == "a, head 1: one key became a sink (it gets 80% of the attention)."
    # A model whose number of heads changed starts anew.
    assert detector.update("a", 4, {"sink_mass": np.array([[0.8, 0.8, 0.8]])}) == []


@settings(max_examples=30)
@given(
    noise=st.lists(st.floats(-0.07, 0.07), min_size=30, max_size=30),
    metric=st.sampled_from(["sink_mass", "induction"]),
)
def test_noise_at_the_threshold_rings_at_most_once(noise: list[float], metric: str) -> None:
    threshold = {"sink_mass": 0.5, "induction": 0.4}[metric]
    rising = [0.1, 0.2, *(threshold + n for n in noise)]
    assert len(feed({metric: rising})) <= 1


@settings(max_examples=30)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.integers(0, 40))
def test_streaming_gives_the_same_as_the_whole(values: list[float], cut: int) -> None:
    series = {"sink_mass": values}
    assert [e for e in feed(series) if e.confirmed_step < 10 * cut] == (
        feed({"sink_mass": values[:cut]}) if values[:cut] else []
    )
