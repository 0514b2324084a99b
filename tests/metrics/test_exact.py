"""Hand-made maps whose metrics one can write down."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tb_attention_plugin.metrics import HeadMetrics, head_metrics, induction_probe
from tb_attention_plugin.metrics.tokens import matches_of
from tb_attention_plugin.store.record import AttentionRecord

MakeRecord = Callable[..., AttentionRecord]
N = 7


def of(record: AttentionRecord) -> dict[str, float]:
    return {name: float(values[0, 0]) for name, values in head_metrics(record).items()}


def shares(actual: dict[str, float], **expected: float) -> None:
    for name, value in expected.items():
        np.testing.assert_allclose(actual[name], value, rtol=1e-6, atol=1e-6, err_msg=name)


def test_identity(make: MakeRecord) -> None:
    shares(
        of(make(np.eye(N))),
        entropy=0,
        max_weight=1,
        diagonality=1,
        monotonicity=1,
        coverage=1,
        alignment=1,
        first_key_mass=1 / N,
        sink_mass=1 / N,
        previous_token=0,
        induction=math.nan,
        mean_distance=0,
        change=math.nan,
        row_sum_error=0,
        padding_mass=0,
        future_mass=math.nan,
        nonfinite=0,
    )


def test_uniform(make: MakeRecord) -> None:
    shares(
        of(make(np.full((N, N), 1 / N, np.float32))),
        entropy=1,
        max_weight=1 / N,
        monotonicity=math.nan,
        coverage=1,
        alignment=0,
        first_key_mass=1 / N,
        sink_mass=1 / N,
        previous_token=1 / N,
        mean_distance=(N * N - 1) / (3 * N),
        row_sum_error=0,
    )


def test_uniform_over_what_a_causal_query_may_see(make: MakeRecord) -> None:
    weights = np.tri(N) / np.arange(1, N + 1)[:, None]
    harmonic = sum(1 / q for q in range(1, N + 1))
    shares(
        of(make(weights, causal=True)),
        entropy=1,
        first_key_mass=harmonic / N,
        sink_mass=harmonic / N,
        future_mass=0,
    )


def test_shifted_diagonal(make: MakeRecord) -> None:
    weights = np.eye(N, k=-1)
    weights[0, 0] = 1
    shares(
        of(make(weights, causal=True)),
        entropy=0,
        monotonicity=1,
        coverage=(N - 1) / N,
        first_key_mass=2 / N,
        sink_mass=2 / N,
        previous_token=1,
        alignment=math.nan,
        mean_distance=(N - 1) / N,
        future_mass=0,
    )


def test_one_column(make: MakeRecord) -> None:
    weights = np.zeros((N, 5))
    weights[:, 3] = 1
    shares(
        of(make(weights)),
        entropy=0,
        max_weight=1,
        monotonicity=math.nan,
        coverage=1 / 5,
        alignment=0,
        first_key_mass=0,
        sink_mass=1,
        previous_token=math.nan,
        mean_distance=sum(abs(q * 5 / N - 3) for q in range(N)) / N,
    )


def test_reversed_diagonal_only_goes_back(make: MakeRecord) -> None:
    metrics = of(make(np.eye(N)[::-1]))
    shares(metrics, monotonicity=0, alignment=1)
    assert metrics["diagonality"] < 0.5


def test_alignment_is_what_the_query_tells_of_the_key(make: MakeRecord) -> None:
    # 13 keys, of which the queries look at 4 in turn, then at 2: ln 4 and ln 2 of ln 7.
    rows = np.eye(13)[[9, 1, 4, 6, 9, 1, 4]]
    counts = np.array([2, 2, 2, 1]) / 7
    four = -(counts * np.log(counts)).sum()
    shares(of(make(rows)), alignment=four / math.log(7))
    halves = np.eye(13)[[9, 1] * 5]
    shares(of(make(halves)), alignment=math.log(2) / math.log(10))
    # Each query has two keys of its own; then shares them with its neighbour: 2 bits of 3.
    shares(of(make(np.kron(np.eye(4), np.full((1, 2), 0.5)))), alignment=1)
    shares(of(make(np.kron(np.eye(4), np.full((2, 2), 0.5)))), alignment=2 / 3)


def test_a_sequence_is_not_aligned_with_itself(make: MakeRecord) -> None:
    tokens = [list("abcdefg")]
    others = [list("ABCDEFG")]
    sharp = np.eye(N)
    assert math.isnan(of(make(sharp, query_tokens=tokens))["alignment"])
    assert math.isnan(of(make(sharp, query_tokens=tokens, key_tokens=tokens))["alignment"])
    shares(of(make(sharp, query_tokens=tokens, key_tokens=others)), alignment=1)
    shares(of(make(sharp, key_tokens=others)), alignment=1)


def test_one_query_has_no_sink_and_no_alignment(make: MakeRecord) -> None:
    pooling = of(make(np.eye(1, 5)))
    shares(pooling, sink_mass=math.nan, alignment=math.nan, first_key_mass=1)


def test_diagonality_of_uniform_attention_is_not_zero(make: MakeRecord) -> None:
    # Stated in the documentation, because the number surprises people.
    for shape in ((40, 40), (11, 67), (512, 512)):
        value = of(make(np.full(shape, 1 / shape[1], np.float32)))["diagonality"]
        assert 0.40 < value < 0.45


def test_padding_does_not_reach_the_metrics(make: MakeRecord) -> None:
    padded = np.full((N + 4, N + 2), 0.5)
    padded[:N, :N] = np.eye(N)
    padded[:N, N:] = 0
    metrics = of(make(padded, query_lengths=[N], key_lengths=[N]))
    shares(metrics, entropy=0, diagonality=1, coverage=1, sink_mass=1 / N, row_sum_error=0)


def test_change_is_the_share_of_weight_that_moved(make: MakeRecord) -> None:
    metrics = HeadMetrics()
    before, after = np.eye(N), np.eye(N)
    after[2], after[4] = 0, 0
    after[2, 0] = 1  # moved wholly
    after[4, [4, 5]] = 0.5  # moved by half
    assert np.isnan(metrics.measure(make(before, 0))["change"]).all()
    shares({"change": metrics.measure(make(after, 1))["change"].item()}, change=1.5 / N)
    shares({"change": metrics.measure(make(after, 2))["change"].item()}, change=0)


@pytest.mark.parametrize(
    "options",
    [
        {"layer": "another"},
        {"query_lengths": [N - 1]},
        {"key_tokens": [list("abcdefg")]},
    ],
)
def test_change_compares_like_with_like(make: MakeRecord, options: dict[str, Any]) -> None:
    metrics = HeadMetrics()
    metrics.measure(make(np.eye(N), 0))
    assert np.isnan(metrics.measure(make(np.eye(N), 1, **options))["change"]).all()


def test_nan_and_infinity_are_counted_and_not_hidden(make: MakeRecord) -> None:
    weights = np.broadcast_to(np.eye(N, dtype=np.float32), (1, 4, N, N)).copy()
    weights[0, 1, 3, 2] = np.nan
    weights[0, 2, 0, 1:3] = np.inf
    weights[0, 3, 0, 0], weights[0, 3, 0, 1] = np.inf, -np.inf
    metrics = head_metrics(make(weights))
    assert metrics["nonfinite"].tolist() == [[0, 1, 2, 2]]
    assert np.isfinite(metrics["entropy"][0, 0])
    for name in ("entropy", "max_weight", "diagonality", "monotonicity", "mean_distance"):
        assert np.isnan(metrics[name][0, 1]), name


def test_raw_scores_have_no_entropy(make: MakeRecord) -> None:
    scores = np.random.default_rng(0).normal(0, 3, (1, 1, 5, 7)).astype(np.float32)
    assert np.isnan(head_metrics(make(scores))["entropy"]).all()


# ── induction ─────────────────────────────────────────────────────────────────────────────────────


def test_matches_follow_earlier_occurrences() -> None:
    #                                   0    1    2    3    4
    assert matches_of(("a", "b", "a", "a", "b")).pairs.tolist() == [[2, 1], [3, 1], [4, 2]]
    # (3, 3) is no match: the key would be the query itself.
    assert matches_of(("a", "b", "c")).queries == 0
    assert matches_of(("a",) * 500).queries == 0  # says nothing, and would be large


def test_an_induction_head_has_score_one_on_the_probe(make: MakeRecord) -> None:
    tokens = induction_probe(100, 2 * N, 3, seed=5)
    assert tokens.shape == (3, 2 * N)
    assert tokens.dtype == np.int32
    np.testing.assert_array_equal(tokens[:, :N], tokens[:, N:])
    assert all(len(set(half)) == N for half in tokens[:, :N].tolist())
    assert len({tuple(example) for example in tokens.tolist()}) == 3

    weights: NDArray[np.float64] = np.zeros((3, 1, 2 * N, 2 * N))
    for q in range(2 * N):
        weights[:, :, q, max(0, q - N + 1)] = 1
    text = tokens.astype(str).tolist()
    values = head_metrics(make(weights, causal=True, query_tokens=text, key_tokens=text))
    assert values["induction"].tolist() == [[1]] * 3
    # Keys that are another sequence are no place for induction.
    other = head_metrics(make(weights, query_tokens=text, key_tokens=text[::-1]))
    assert np.isnan(other["induction"][[0, 2]]).all()


def test_the_probe_uses_what_there_is() -> None:
    assert induction_probe(3, 9, 2, lowest=1).min() >= 1
    assert induction_probe(3, 9, 2, lowest=1).max() <= 2
    np.testing.assert_array_equal(induction_probe(9, 8, seed=3), induction_probe(9, 8, seed=3))
    with pytest.raises(ValueError, match="vocabulary_size=1, lowest=1"):
        induction_probe(1, 8, lowest=1)
    with pytest.raises(ValueError, match="length=3"):
        induction_probe(9, 3)
