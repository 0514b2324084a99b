from __future__ import annotations

import hashlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tb_attention_plugin.store import code_table
from tb_attention_plugin.store.code_table import CODE_TABLE_ID, TINY, decode, encode

# Written by hand, not taken from the module: these are the promise.
ABSOLUTE, RELATIVE = 5e-4, 0.01

ONE_BITS = 0x3F800000
weights_in_range = st.integers(0, ONE_BITS).map(
    lambda bits: struct.unpack("<f", struct.pack("<I", bits))[0]
)


def bits_to_weights(bits: NDArray[np.uint32]) -> NDArray[np.float32]:
    return bits.astype(np.uint32).view(np.float32)


def assert_promise(weights: NDArray[np.float32]) -> None:
    codes = encode(weights)
    true = np.abs(weights.astype(np.float64))
    error = np.abs(decode(codes).astype(np.float64) - true)
    worst = (error / np.maximum(ABSOLUTE, RELATIVE * true)).max()
    assert worst <= 1, f"{worst} of the tolerance"
    np.testing.assert_array_equal(codes == 0, weights == 0)
    np.testing.assert_array_equal(decode(codes) == 0, weights == 0)


def slow_code(weight: float) -> int:
    """The code by its definition: 0 for 0, 1 below TINY, else the nearest value."""
    if weight == 0:
        return 0
    if weight < TINY:
        return 1
    table = code_table.code_table().tolist()
    return min(range(2, 256), key=lambda code: abs(table[code] - weight))


@given(weight=weights_in_range)
def test_every_weight_is_shown_within_the_promise(weight: float) -> None:
    assert_promise(np.array([weight], np.float32))


@given(low=weights_in_range, high=weights_in_range)
def test_codes_ascend_with_the_weight(low: float, high: float) -> None:
    low, high = sorted((low, high))
    first, second = encode(np.array([low, high], np.float32)).tolist()
    assert first <= second


def test_a_dense_grid_of_all_bit_patterns_keeps_the_promise_and_the_order() -> None:
    # Every 97th of the 1,065,353,217 float32 values in [0, 1], in order.
    for start in range(0, ONE_BITS + 1, 97 << 20):
        stop = min(start + (97 << 20), ONE_BITS + 1)
        weights = bits_to_weights(np.arange(start, stop, 97, dtype=np.uint32))
        assert_promise(weights)
        assert (np.diff(encode(weights).astype(np.int16)) >= 0).all()


def test_the_whole_neighbourhood_of_every_change_of_code_keeps_the_promise() -> None:
    coarse = np.arange(0, ONE_BITS + 1, 1024, dtype=np.uint32)
    changes = coarse[1:][np.diff(encode(bits_to_weights(coarse)).astype(np.int16)) != 0]
    assert len(changes) == len(np.unique(encode(bits_to_weights(coarse)))) - 1
    around = changes[:, None].astype(np.int64) + np.arange(-2048, 1025)
    bits = np.clip(around, 0, ONE_BITS).ravel().astype(np.uint32)
    assert_promise(bits_to_weights(bits))


@pytest.mark.parametrize(
    ("weight", "code"),
    [
        (0.0, 0),
        (-0.0, 0),
        (float(np.nextafter(np.float32(0), np.float32(1))), 1),
        (float(np.finfo(np.float32).tiny), 1),
        (float(np.nextafter(np.finfo(np.float32).tiny, np.float32(0))), 1),
        (TINY / 2, 1),
        (TINY * 0.999, 1),
        (1.0, 255),
        (float(np.nextafter(np.float32(1), np.float32(0))), 255),
        (1.0001, 255),
    ],
)
def test_edges_have_the_codes_that_are_documented(weight: float, code: int) -> None:
    assert encode(np.array([weight], np.float32)).tolist() == [code]


def test_a_weight_that_is_not_tiny_has_a_code_of_its_own() -> None:
    # 0.1 % is what the encoder's look-up by upper bits may be off by.
    weights = np.array([TINY * 1.001, 2 * TINY, 1e-4, 1e-3], np.float32)
    assert (encode(weights) >= 2).all()


def test_exactly_zero_and_one_come_back_exactly() -> None:
    assert decode(encode(np.array([0, 1], np.float32))).tolist() == [0.0, 1.0]


def test_the_encoder_agrees_with_a_slow_one_within_one_code() -> None:
    rng = np.random.default_rng(5)
    weights = np.concatenate(
        [rng.random(499), 10 ** rng.uniform(-8, 0, 1499), [0, TINY, 1]]
    ).astype(np.float32)
    fast = encode(weights).astype(int)
    slow = np.array([slow_code(float(w)) for w in weights])
    assert (np.abs(fast - slow) <= 1).all()
    assert (fast != slow).mean() < 0.05  # only where a bin of the look-up holds an edge
    assert_promise(weights)


def test_a_table_value_is_its_own_code() -> None:
    table = code_table.code_table().astype(np.float32)
    distinct = np.flatnonzero(np.append(np.diff(table) > 0, True))
    assert len(distinct) >= 250
    np.testing.assert_array_equal(encode(table)[distinct], distinct)


def test_encoding_keeps_the_shape_and_leaves_the_argument_alone() -> None:
    weights = np.random.default_rng(3).random((2, 3, 5, 7)).astype(np.float32)
    before = weights.copy()
    codes = encode(weights)
    assert codes.shape == weights.shape
    assert codes.dtype == np.uint8
    np.testing.assert_array_equal(weights, before)
    strided = weights.transpose(3, 1, 0, 2)[::2]
    np.testing.assert_array_equal(encode(strided), codes.transpose(3, 1, 0, 2)[::2])


def test_the_table_has_256_ascending_values_from_0_to_1_and_is_read_only() -> None:
    table = code_table.code_table()
    assert table.shape == (256,)
    assert (table[0], table[1], table[255]) == (0, TINY / 2, 1)
    assert (np.diff(table) >= 0).all()
    with pytest.raises(ValueError, match="read-only"):
        table[7] = 0.5


def test_the_table_never_changes() -> None:
    # Logs on disk are read by this table. If this fails, give the new table a new id and keep the
    # old one; do not change the hash.
    assert CODE_TABLE_ID == 1
    shown = decode(np.arange(256, dtype=np.uint8))
    digest = hashlib.sha256(shown.astype("<f4").tobytes()).hexdigest()
    assert digest == "8d8667c5e88f7ecb5a1b73ebde1c33183061f9ddc028a49da0f72e8967f6ef70"


def test_a_table_of_a_newer_version_is_refused_with_advice() -> None:
    with pytest.raises(ValueError, match=r"Unknown code table 7.*knows \[1\].*upgrade"):
        decode(np.zeros(3, np.uint8), 7)
