"""What is written lands where it belongs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from tb_attention_plugin import AttentionReader, AttentionWriter
from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store.run import RunStore

Maps = NDArray[np.float32]
B, H, Q, K, T = 2, 3, 5, 7, 11
Promise = Callable[[Maps, Maps], None]
Attention = Callable[..., Maps]


def entry_of(path: Path, layer: str = "a", step: int = 1) -> pb.Entry:
    store = RunStore(path)
    store.refresh()
    found = store.find(layer, step)
    assert found is not None
    return found.entry


def written(path: Path, weights: Any, precision: Any = "code8", **arguments: Any) -> Maps:
    with AttentionWriter(path, precision=precision) as writer:
        writer.write("a", weights, 1, **arguments)
    return AttentionReader(path).weights(".", "a", 1)


def test_examples_heads_queries_and_keys_land_right(
    tmp_path: Path, attention: Attention, assert_promised: Promise
) -> None:
    weights = attention(B, H, Q, K)
    shown = written(tmp_path, weights)
    assert shown.dtype == np.float32
    assert_promised(shown, weights)


def test_without_a_head_axis_there_is_one_head(
    tmp_path: Path, attention: Attention, assert_promised: Promise
) -> None:
    weights = attention(B, Q, K)
    assert_promised(written(tmp_path, weights), weights[:, None])


def test_time_major_history_becomes_queries(
    tmp_path: Path, attention: Attention, assert_promised: Promise
) -> None:
    history = attention(T, B, K)
    shown = written(tmp_path, history, time_major=True)
    assert shown.shape == (B, 1, T, K)
    for t in range(T):
        for b in range(B):
            assert_promised(shown[b, 0, t], history[t, b])


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16", "bool", "int64"])
def test_any_dtype_is_stored_and_named(
    tmp_path: Path, attention: Attention, assert_promised: Promise, dtype: str
) -> None:
    if dtype == "bfloat16":
        dtype = pytest.importorskip("ml_dtypes").bfloat16
    weights = attention(B, H, Q, K).astype(dtype)
    shown = written(tmp_path, weights)
    assert_promised(shown, weights.astype(np.float32))
    assert entry_of(tmp_path).dtype == weights.dtype.name


def test_lists_and_strided_views_are_taken(
    tmp_path: Path, attention: Attention, assert_promised: Promise
) -> None:
    weights = attention(B, Q, K)
    assert_promised(written(tmp_path / "list", weights.tolist()), weights[:, None])
    view = attention(K, Q, 2 * B).T[::2]
    view = view / view.max()
    assert_promised(written(tmp_path / "view", view), view[:, None])


def test_changing_the_array_after_write_changes_nothing(
    tmp_path: Path, attention: Attention, assert_promised: Promise
) -> None:
    weights = attention(B, H, Q, K)
    true = weights.copy()
    with AttentionWriter(tmp_path) as writer:
        for step in range(13):
            writer.write("a", weights, step)
            weights[:] = 0
            weights[:] = true
        writer.write("a", weights, 13)
        weights[:] = 0
    reader = AttentionReader(tmp_path)
    for step in range(14):
        assert_promised(reader.weights(".", "a", step), true)


def test_writing_does_not_change_the_array(tmp_path: Path, attention: Attention) -> None:
    weights = attention(B, H, Q, K)
    before = weights.copy()
    written(tmp_path, weights)
    np.testing.assert_array_equal(weights, before)


def test_tokens_and_lengths_come_back(tmp_path: Path, attention: Attention) -> None:
    queries = [["¿", "", "<b>", "日本", "🙂"], ["q", "r"]]
    keys = [["k"] * K, ["x", "y", "z"]]
    written(
        tmp_path,
        attention(B, H, Q, K),
        query_tokens=queries,
        key_tokens=keys,
        query_lengths=[5, 2],
        key_lengths=np.array([7, 3], np.int32),
    )
    reader = AttentionReader(tmp_path)
    assert reader.tokens(".", "a", 1) == list(zip(queries, keys, strict=True))
    assert reader.lengths(".", "a", 1) == [(5, 7), (2, 3)]


def test_without_tokens_and_lengths_there_are_none_and_all(
    tmp_path: Path, attention: Attention
) -> None:
    written(tmp_path, attention(B, H, Q, K), key_tokens=[["k"] * K] * B)
    reader = AttentionReader(tmp_path)
    assert reader.tokens(".", "a", 1) == [([], ["k"] * K)] * B
    assert reader.lengths(".", "a", 1) == [(Q, K)] * B


def test_the_same_tokens_are_stored_once(tmp_path: Path, attention: Attention) -> None:
    with AttentionWriter(tmp_path) as writer:
        for step, word in enumerate(["same", "same", "other", "same"]):
            writer.write("a", attention(1, Q, K), step, key_tokens=[[word] * K])
    offsets = [entry_of(tmp_path, step=step).key_tokens.offset for step in range(4)]
    assert offsets[0] == offsets[1] == offsets[3] != offsets[2]
    reader = AttentionReader(tmp_path)
    assert [reader.tokens(".", "a", s)[0][1][0] for s in range(4)] == [
        *("same", "same", "other", "same")
    ]


def test_the_entry_says_what_was_given(tmp_path: Path, attention: Attention) -> None:
    written(tmp_path, attention(B, H, Q, K), causal=True, wall_time=1234.5)
    entry = entry_of(tmp_path)
    assert (entry.examples, entry.heads, entry.queries, entry.keys) == (B, H, Q, K)
    assert (entry.step, entry.layer, entry.wall_time) == (1, "a", 1234.5)
    assert entry.causal
    assert (entry.encoding, entry.code_table) == (pb.CODE8, 1)
    assert not entry.has_nonfinite
    assert not entry.out_of_range
    assert len(entry.frame_lengths) == len(entry.frame_crc32s) == B * H


def test_the_wall_time_is_now_unless_given(tmp_path: Path, attention: Attention) -> None:
    before = time.time()
    written(tmp_path, attention(B, Q, K))
    assert before <= entry_of(tmp_path).wall_time <= time.time()


@pytest.mark.parametrize("step", [0, np.int64(3), np.array(5), np.array([7]), 2**63 - 1])
def test_any_integer_is_a_step(tmp_path: Path, attention: Attention, step: Any) -> None:
    with AttentionWriter(tmp_path) as writer:
        writer.write("a", attention(1, Q, K), step)
    assert AttentionReader(tmp_path).steps(".", "a") == [int(np.asarray(step).item())]


def test_shapes_may_change_from_step_to_step(
    tmp_path: Path, attention: Attention, assert_promised: Promise
) -> None:
    shapes = [(B, H, Q, K), (1, 1, 1, 1), (3, 2, 13, 17)]
    with AttentionWriter(tmp_path) as writer:
        for step, shape in enumerate(shapes):
            writer.write("a", attention(*shape), step)
    reader = AttentionReader(tmp_path)
    for step, shape in enumerate(shapes):
        assert_promised(reader.weights(".", "a", step), attention(*shape))


def test_rounding_above_one_is_taken_for_one(tmp_path: Path) -> None:
    shown = written(tmp_path, np.array([[[1.00001, -0.0]]], np.float32))
    assert shown.tolist() == [[[[1.0, 0.0]]]]


# ── precision ─────────────────────────────────────────────────────────────────────────────────────

any_weights = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=4, max_dims=4, max_side=5),
    elements=st.floats(width=32),
)


@given(weights=any_weights)
@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_any_value_comes_back_bit_by_bit_and_is_flagged(
    tmp_path_factory: pytest.TempPathFactory, precision: str, weights: Maps
) -> None:
    path = tmp_path_factory.mktemp("any")
    shown = written(path, weights, precision)
    entry = entry_of(path)
    finite = weights[np.isfinite(weights)]
    outside = bool(((finite < 0) | (finite > 1.001)).any())
    inside = bool(((finite >= 0) & (finite <= 1)).all())
    assert entry.has_nonfinite == (finite.size < weights.size)
    assert entry.out_of_range or not outside
    assert not (entry.out_of_range and inside)
    if entry.encoding == pb.FLOAT32:
        np.testing.assert_array_equal(shown.view(np.uint32), weights.view(np.uint32))
    else:
        assert (precision, entry.encoding) == ("auto", pb.CODE8)
        assert not entry.has_nonfinite
        assert not outside


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3.4e38, -3.4e38, 7.5, -1e-30, 1e30])
@pytest.mark.parametrize("precision", ["float16", "float32", "auto"])
def test_unusual_weights_are_flagged_and_never_clipped(
    tmp_path: Path, attention: Attention, precision: str, value: float
) -> None:
    weights = attention(B, H, Q, K)
    weights[1, 2, 3, 4] = value
    shown = written(tmp_path, weights, precision)
    entry = entry_of(tmp_path)
    assert entry.has_nonfinite == (not np.isfinite(value))
    assert entry.out_of_range == bool(np.isfinite(value))
    expected = weights
    if precision == "float16":
        with np.errstate(over="ignore"):
            expected = weights.astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(shown, expected)


def test_a_map_of_huge_weights_only_is_stored(tmp_path: Path) -> None:
    weights = np.full((1, 1, 13, 17), np.finfo(np.float32).max)
    np.testing.assert_array_equal(written(tmp_path, weights, "float32"), weights)


def test_auto_takes_codes_where_the_weights_allow_it(tmp_path: Path, attention: Attention) -> None:
    with AttentionWriter(tmp_path, precision="auto") as writer:
        writer.write("a", attention(1, Q, K), 1)
        writer.write("a", attention(1, Q, K) * 3, 2)
        writer.write("a", attention(1, Q, K), 3)
    encodings = [entry_of(tmp_path, step=step).encoding for step in (1, 2, 3)]
    assert encodings == [pb.CODE8, pb.FLOAT32, pb.CODE8]


def test_float64_beyond_float32_becomes_infinity_and_is_flagged(tmp_path: Path) -> None:
    shown = written(tmp_path, np.array([[[1e300, 0.5]]]), "float32")
    assert shown.tolist() == [[[[np.inf, 0.5]]]]
    assert entry_of(tmp_path).has_nonfinite


@given(
    weights=hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=4, max_dims=4, max_side=5),
        elements=st.floats(0, 1, width=32),
    )
)
def test_any_weights_in_range_keep_the_promise(
    tmp_path_factory: pytest.TempPathFactory, assert_promised: Promise, weights: Maps
) -> None:
    assert_promised(written(tmp_path_factory.mktemp("promise"), weights), weights)
