"""Each metric against the slow implementation, on shapes whose dimensions are different primes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference import reference

from tb_attention_plugin.metrics import METRICS, HeadMetrics, measure
from tb_attention_plugin.store.record import AttentionRecord

Maps = NDArray[np.float32]
MakeRecord = Callable[..., AttentionRecord]
LETTERS = "abcdefghij"


def softmax(logits: NDArray[np.floating]) -> Maps:
    with np.errstate(invalid="ignore"):
        weights = np.exp(logits - logits.max(-1, keepdims=True))
    return (weights / weights.sum(-1, keepdims=True)).astype(np.float32)


def assert_agree(records: list[AttentionRecord]) -> None:
    metrics = HeadMetrics()
    for i, record in enumerate(records):
        measured = metrics.measure(record)
        assert tuple(measured) == METRICS
        B, H = record.weights.shape[:2]
        for b in range(B):
            for h in range(H):
                tokens = record.query_tokens[b] if record.query_tokens is not None else None
                if record.key_tokens is not None and record.key_tokens != record.query_tokens:
                    tokens = None
                expected = reference(
                    record.weights[b, h].astype(float).tolist(),
                    int(record.query_lengths[b]),
                    int(record.key_lengths[b]),
                    causal=record.causal,
                    tokens=tokens,
                    previous=records[i - 1].weights[b, h].astype(float).tolist() if i else None,
                )
                for name, value in expected.items():
                    np.testing.assert_allclose(
                        measured[name][b, h], value, rtol=2e-5, atol=3e-6, err_msg=name
                    )


@pytest.mark.parametrize("shape", [(2, 3, 5, 7), (3, 2, 13, 11), (1, 5, 2, 3), (2, 1, 1, 1)])
def test_cross_attention(make: MakeRecord, attention: Callable[..., Maps], shape: Any) -> None:
    assert_agree([make(attention(*shape, seed=seed), seed) for seed in range(3)])


def test_padded_cross_attention(make: MakeRecord, attention: Callable[..., Maps]) -> None:
    lengths = {"query_lengths": [5, 13, 1], "key_lengths": [11, 3, 2]}
    # Softmax over all keys gives weight to padding: what lies outside must not reach the metrics.
    assert_agree([make(attention(3, 2, 13, 11, seed=s), s, **lengths) for s in range(3)])


@pytest.mark.parametrize("block", [1, 17 * 5, 1 << 18])
def test_padded_causal_self_attention(
    make: MakeRecord, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(measure, "_BLOCK", block)
    monkeypatch.setattr(measure, "_CAUSAL_ROWS", 5)
    rng = np.random.default_rng(0)
    tokens = [[LETTERS[i] for i in rng.integers(0, 4, 17)] for _ in range(3)]
    lengths = {"query_lengths": [17, 7, 5], "key_lengths": [17, 7, 3]}
    logits = np.where(np.tri(17, dtype=bool), rng.normal(0, 3, (2, 3, 5, 17, 17)), -np.inf)
    records = [
        make(softmax(logits[s]), s, causal=True, query_tokens=tokens, **lengths) for s in (0, 1)
    ]
    assert_agree(records)
    induction = HeadMetrics().measure(records[0])["induction"]
    assert np.isfinite(induction[:2]).all()  # the tokens do repeat: the reference had work to do
    assert np.isnan(induction[2]).all()


def test_a_causal_map_larger_than_a_block_of_rows(make: MakeRecord) -> None:
    logits = np.random.default_rng(1).normal(0, 2, (1, 2, 149, 149))
    masked = softmax(np.where(np.tri(149, dtype=bool), logits, -np.inf))
    assert_agree([make(masked, causal=True)])
    # A map that cheats takes the other way through the code.
    assert_agree([make(softmax(logits), causal=True)])


def test_causal_queries_and_keys_of_different_number(make: MakeRecord) -> None:
    logits = np.random.default_rng(2).normal(0, 2, (1, 2, 139, 131))
    masked = softmax(np.where(np.tri(139, 131, dtype=bool), logits, -np.inf))
    assert_agree([make(masked, causal=True)])


def test_rows_that_do_not_sum_to_one(make: MakeRecord, attention: Callable[..., Maps]) -> None:
    weights = attention(1, 2, 7, 5)
    weights[:, :, 3] = 0
    weights[:, 1] *= 0.3
    weights[:, :, 5] *= 1.7
    assert_agree([make(weights)])


def test_hard_and_sparse_weights(make: MakeRecord) -> None:
    weights = np.eye(7, 11, dtype=np.float32)[np.random.default_rng(3).permutation(7)]
    weights[2, weights[2] == 0] = np.float32(1e-38) / 4  # subnormal: no weight to speak of
    weights[4] = np.float32(1e-38) / 4
    assert_agree([make(weights)])


@given(
    seed=st.integers(0, 2**32 - 1),
    queries=st.integers(1, 9),
    keys=st.integers(1, 9),
    temperature=st.floats(0.01, 30),
    causal=st.booleans(),
)
def test_any_softmax(seed: int, queries: int, keys: int, temperature: float, causal: bool) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, temperature, (1, 2, queries, keys))
    if causal:
        logits = np.where(np.tri(queries, keys, dtype=bool), logits, -np.inf)
    weights = softmax(logits)
    tokens = [[LETTERS[i] for i in rng.integers(0, 3, queries)]]
    record = AttentionRecord(
        layer="layer",
        step=0,
        wall_time=0.0,
        weights=weights,
        query_tokens=tokens,
        key_tokens=None,
        query_lengths=np.array([queries]),
        key_lengths=np.array([keys]),
        causal=causal,
        dtype="float32",
    )
    assert_agree([record])
