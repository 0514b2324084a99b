"""The metrics of heads against slow loops written from their definitions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tb_attention_plugin.metrics import head_metrics
from tb_attention_plugin.store.validation import make_record

Maps = NDArray[np.float32]
Attention = Callable[..., Maps]
B, H, Q, K = 2, 3, 11, 13
QUERY_LENGTHS, KEY_LENGTHS = [11, 7], [13, 5]


def metrics_of(weights: Any, **arguments: Any) -> dict[str, NDArray[np.float32]]:
    defaults: dict[str, Any] = {
        **{"query_tokens": None, "key_tokens": None, "query_lengths": None, "key_lengths": None},
        **{"causal": False, "wall_time": 0.0, "time_major": False},
    }
    return head_metrics(make_record("a", weights, 1, **(defaults | arguments)))


def slow_entropy(rows: list[list[float]], keys: int, *, causal: bool) -> float:
    values: list[float] = []
    for q, row in enumerate(rows):
        reach = min(q + 1, keys) if causal else keys
        mass = sum(row[:keys])
        if reach < 2 or mass == 0:
            continue
        shares = [weight / mass for weight in row[:keys] if weight > 0]
        values.append(-sum(p * math.log(p) for p in shares) / math.log(reach))
    return sum(values) / len(values) if values else math.nan


def slow_metrics(rows: list[list[float]], keys: int, *, causal: bool) -> dict[str, float]:
    """Of one map: its valid queries with all keys, of which the first `keys` are valid."""
    queries = len(rows)
    total = sum(sum(row[:keys]) for row in rows)
    penalty = 0.0
    for q, row in enumerate(rows):
        for k in range(keys):
            distance = q / queries - k / keys
            penalty += row[k] * (1 - math.exp(-(distance**2) / (2 * 0.2**2)))
    received = [sum(row[k] for row in rows) for k in range(keys)]
    return {
        "entropy": slow_entropy(rows, keys, causal=causal),
        "max_weight": sum(max(row[:keys]) for row in rows) / queries,
        "diagonality": 1 - penalty / total if total else math.nan,
        "coverage": sum(min(1, keys / queries * r) for r in received) / keys,
        "row_sum_error": max(abs(sum(row) - 1) for row in rows),
        "padding_mass": max(sum(row[keys:]) for row in rows),
    }


NAMES = list(slow_metrics([[1.0, 0.0]], 2, causal=False))


def assert_as_slow(weights: Maps, queries: list[int], keys: list[int], *, causal: bool) -> None:
    shown = metrics_of(weights, query_lengths=queries, key_lengths=keys, causal=causal)
    for b in range(weights.shape[0]):
        for h in range(weights.shape[1]):
            rows = weights[b, h, : queries[b]].astype(float).tolist()
            for name, value in slow_metrics(rows, keys[b], causal=causal).items():
                assert shown[name].shape == weights.shape[:2]
                assert shown[name].dtype == np.float32
                assert shown[name][b, h] == pytest.approx(value, abs=2e-6, nan_ok=True), name


@pytest.mark.parametrize("causal", [False, True])
def test_all_metrics_agree_with_slow_loops(attention: Attention, causal: bool) -> None:
    weights = attention(B, H, Q, K)
    if causal:
        weights = np.tril(weights)
        weights /= weights.sum(-1, keepdims=True)
    assert_as_slow(weights, [Q] * B, [K] * B, causal=causal)


@pytest.mark.parametrize("causal", [False, True])
def test_all_metrics_see_the_valid_region(attention: Attention, causal: bool) -> None:
    # The weights are not masked: what lies in the padding must not count, but for padding_mass.
    assert_as_slow(attention(B, H, Q, K), QUERY_LENGTHS, KEY_LENGTHS, causal=causal)


def test_garbage_in_padded_queries_does_not_matter(attention: Attention) -> None:
    weights = attention(B, H, Q, K)
    arguments = {"query_lengths": QUERY_LENGTHS, "key_lengths": KEY_LENGTHS}
    expected = metrics_of(weights, **arguments)
    weights[1, :, 7:] = np.nan
    shown = metrics_of(weights, **arguments)
    for name in NAMES:
        np.testing.assert_array_equal(shown[name], expected[name])


@pytest.mark.parametrize(("queries", "keys"), [(1, 1), (1, 7), (7, 1), (2, 2), (17, 5)])
@pytest.mark.parametrize("causal", [False, True])
def test_all_metrics_agree_on_any_shape(
    attention: Attention, queries: int, keys: int, causal: bool
) -> None:
    assert_as_slow(attention(1, 2, queries, keys), [queries], [keys], causal=causal)


def test_zero_rows_say_nothing_about_the_entropy(attention: Attention) -> None:
    weights = attention(B, H, Q, K)
    weights[0, 1, 3:5] = 0
    assert_as_slow(weights, [Q] * B, [K] * B, causal=False)
    weights[0, 1] = 0
    shown = metrics_of(weights)
    assert np.isnan(shown["entropy"][0, 1])
    assert np.isnan(shown["diagonality"][0, 1])
    assert shown["max_weight"][0, 1] == 0
    assert shown["coverage"][0, 1] == 0
    assert shown["row_sum_error"][0, 1] == 1
    assert np.isfinite([shown[name][1] for name in NAMES]).all()


def only(weights: NDArray[Any], **arguments: Any) -> dict[str, float]:
    return {name: float(value[0, 0]) for name, value in metrics_of(weights, **arguments).items()}


def test_identity_is_as_sharp_as_can_be() -> None:
    shown = only(np.eye(17)[None])
    assert shown["entropy"] == 0
    assert shown["max_weight"] == 1
    assert shown["diagonality"] == 1
    assert shown["coverage"] == 1
    assert shown["row_sum_error"] == 0
    assert shown["padding_mass"] == 0


def test_uniform_attention_is_as_diffuse_as_can_be() -> None:
    shown = only(np.full((1, Q, K), 1 / K))
    assert shown["entropy"] == pytest.approx(1, abs=1e-6)
    assert shown["max_weight"] == pytest.approx(1 / K)
    assert shown["coverage"] == pytest.approx(1, abs=1e-6)
    assert 0.3 < shown["diagonality"] < 0.7


def test_uniform_causal_attention_is_as_diffuse_as_can_be() -> None:
    weights = np.tril(np.ones((Q, Q)))
    weights /= weights.sum(-1, keepdims=True)
    assert only(weights[None], causal=True)["entropy"] == pytest.approx(1, abs=1e-6)
    assert only(weights[None])["entropy"] < 0.9


def test_a_shifted_diagonal_costs_what_the_guide_says() -> None:
    size, shift = 23, 5
    weights = np.roll(np.eye(size), shift, axis=1)
    # All but `shift` rows are shift / size off; those wrap around.
    near = 1 - math.exp(-((shift / size) ** 2) / (2 * 0.2**2))
    far = 1 - math.exp(-(((size - shift) / size) ** 2) / (2 * 0.2**2))
    expected = 1 - ((size - shift) * near + shift * far) / size
    shown = only(weights[None])
    assert shown["diagonality"] == pytest.approx(expected, abs=1e-6)
    assert shown["coverage"] == 1
    assert shown["entropy"] == 0


def test_one_column_covers_one_key() -> None:
    weights = np.zeros((1, Q, K))
    weights[0, :, 3] = 1
    shown = only(weights)
    assert shown["coverage"] == pytest.approx(1 / K)
    assert shown["max_weight"] == 1
    assert shown["entropy"] == 0


def test_mass_on_padding_is_found() -> None:
    weights = np.zeros((1, 2, 5))
    weights[0, 0, 0] = 1
    weights[0, 1, 1:] = 0.25
    shown = only(weights, key_lengths=[3])
    assert shown["padding_mass"] == 0.5
    assert shown["row_sum_error"] == 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_weight_that_is_no_number_shows_in_its_head_only(
    attention: Attention, value: float
) -> None:
    weights = attention(B, H, Q, K)
    expected = metrics_of(weights)
    weights[1, 2, 3, 4] = value
    shown = metrics_of(weights)
    for name in NAMES:
        hit = np.zeros((B, H), bool)
        hit[1, 2] = True
        np.testing.assert_array_equal(shown[name][~hit], expected[name][~hit])
    for name in ("entropy", "diagonality", "row_sum_error", "max_weight"):
        assert not np.isfinite(shown[name][1, 2])


def test_large_maps_keep_their_digits(attention: Attention) -> None:
    weights = attention(1, 1, 509, 503)
    shown = only(weights)
    mass = weights[0, 0].astype(np.float64)
    share = mass / mass.sum(-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        nats = -np.where(share > 0, share * np.log(share), 0).sum(-1)
    assert shown["entropy"] == pytest.approx((nats / np.log(503)).mean(), abs=2e-6)
    assert shown["row_sum_error"] == pytest.approx(np.abs(mass.sum(-1) - 1).max(), abs=2e-6)
