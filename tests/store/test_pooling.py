from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tb_attention_plugin import AttentionReader, AttentionWriter
from tb_attention_plugin.diagnosis.answers import failures_response
from tb_attention_plugin.responses import RequestError, runs_response
from tb_attention_plugin.store.pooling import Pooling
from tb_attention_plugin.store.run import RunStore

B, H, Q, K = 2, 3, 23, 31


def softmaxed(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    scores = np.exp(4 * np.random.default_rng(seed).normal(size=shape))
    return (scores / scores.sum(-1, keepdims=True)).astype(np.float32)


def maxima(weights: NDArray[np.float32], queries: int, keys: int) -> NDArray[np.float32]:
    """Cell by cell, by definition."""
    *leading, Q, K = weights.shape
    out = np.empty((*leading, -(-Q // queries), -(-K // keys)), np.float32)
    for i in range(out.shape[-2]):
        for j in range(out.shape[-1]):
            block = weights[..., i * queries : (i + 1) * queries, j * keys : (j + 1) * keys]
            out[..., i, j] = block.max((-2, -1))
    return out


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 12), st.booleans())
def test_the_least_pooling_that_fits(queries: int, keys: int, limit: int, causal: bool) -> None:
    pooling = Pooling.of(queries, keys, causal=causal, max_length=limit)
    weights = softmaxed(queries, keys)
    pooled = pooling.maps(weights)
    assert max(pooled.shape) <= limit
    np.testing.assert_array_equal(pooled, maxima(weights, *pooling))
    if causal:
        assert pooling.queries == pooling.keys  # the diagonal stays one
    larger = max(queries, keys)
    assert max(pooling) == next(n for n in range(1, 41) if -(-larger // n) <= limit)


@pytest.mark.parametrize("precision", ["code8", "float32"])
def test_long_maps_are_stored_as_maxima_that_say_so(tmp_path: Path, precision: Any) -> None:
    weights = softmaxed(B, H, Q, K)
    lengths = np.array([23, 7]), np.array([31, 13])
    tokens = [[f"q{i}" for i in range(n)] for n in lengths[0]]
    for name, limit in (("pooled", 11), ("whole", None)):
        with AttentionWriter(tmp_path / name, precision=precision, max_length=limit) as writer:
            writer.write(
                "a",
                weights,
                5,
                query_tokens=tokens,
                query_lengths=lengths[0],
                key_lengths=lengths[1],
            )
    reader = AttentionReader(tmp_path)
    assert reader.pooling("pooled", "a", 5) == (3, 3)
    assert reader.pooling("whole", "a", 5) == (1, 1)
    stored = reader.weights("whole", "a", 5)
    np.testing.assert_array_equal(reader.weights("pooled", "a", 5), maxima(stored, 3, 3))
    assert reader.lengths("pooled", "a", 5) == [(8, 11), (3, 5)]
    assert reader.tokens("pooled", "a", 5)[1][0] == ["q0 q1 q2", "q3 q4 q5", "q6"]
    whole, pooled = (reader.metrics(name, "a") for name in ("whole", "pooled"))
    for name, values in whole.items():
        np.testing.assert_array_equal(pooled[name], values, err_msg=name)

    store = RunStore(tmp_path / "pooled")
    store.refresh()
    (layer,) = runs_response({"pooled": store}, "").runs[0].layers
    assert (layer.query_pooling, layer.key_pooling, layer.queries, layer.keys) == (3, 3, 8, 11)
    with pytest.raises(RequestError, match=r"maxima of 3 × 3 weights.*larger max_length"):
        failures_response({"pooled": store}, "pooled", "a", 0, 0, 5)


def test_thumbnails_are_of_all_weights(tmp_path: Path) -> None:
    weights = softmaxed(1, 1, 127, 127)
    tiles: list[bytes] = []
    for name, limit in (("pooled", 20), ("whole", None)):
        with AttentionWriter(tmp_path / name, max_length=limit) as writer:
            writer.write("a", weights, 0)
        store = RunStore(tmp_path / name)
        store.refresh()
        found = store.find("a", 0)
        assert found is not None
        tiles.append(found.read_one(found.entry.atlases[0].tiles[0]))
    assert tiles[0] == tiles[1]


def test_nothing_is_pooled_that_fits(tmp_path: Path) -> None:
    with AttentionWriter(tmp_path, max_length=31) as writer:
        writer.write("a", softmaxed(B, H, Q, K), 0)
    assert AttentionReader(tmp_path).pooling(".", "a", 0) == (1, 1)


def test_a_length_below_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"max_length: expected 1 or more, received 0\."):
        AttentionWriter(tmp_path, max_length=0)
