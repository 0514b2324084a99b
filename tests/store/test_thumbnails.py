from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tb_attention_plugin.store.thumbnails import max_pool

Codes = NDArray[np.uint8]


def slow_max_pool(codes: Codes, size: int) -> Codes:
    """By the definition: pixel i of n covers floor(i L / n) up to floor((i + 1) L / n)."""
    heads, queries, keys = codes.shape
    rows, columns = min(queries, size), min(keys, size)
    out = np.zeros((heads, rows, columns), np.uint8)
    for h in range(heads):
        for i in range(rows):
            for j in range(columns):
                top, bottom = i * queries // rows, (i + 1) * queries // rows
                left, right = j * keys // columns, (j + 1) * keys // columns
                out[h, i, j] = max(codes[h, top:bottom, left:right].ravel().tolist())
    return out


def random_codes(*shape: int) -> Codes:
    return np.random.default_rng(7).integers(0, 256, shape).astype(np.uint8)


@pytest.mark.parametrize(
    ("queries", "keys"), [(1, 1), (31, 37), (37, 31), (67, 131), (127, 64), (64, 96), (29, 211)]
)
@pytest.mark.parametrize("size", [32, 64])
def test_pooling_agrees_with_a_slow_one(queries: int, keys: int, size: int) -> None:
    codes = random_codes(3, queries, keys)
    np.testing.assert_array_equal(max_pool(codes, size), slow_max_pool(codes, size))


@given(shape=st.tuples(*[st.integers(1, 43)] * 2), size=st.integers(1, 17))
def test_pooling_any_shape_agrees_with_a_slow_one(shape: tuple[int, int], size: int) -> None:
    codes = random_codes(2, *shape)
    np.testing.assert_array_equal(max_pool(codes, size), slow_max_pool(codes, size))


@pytest.mark.parametrize(("queries", "keys", "size"), [(37, 41, 32), (13, 96, 32), (7, 5, 3)])
def test_every_weight_is_in_exactly_one_pixel(queries: int, keys: int, size: int) -> None:
    lit = np.zeros((min(queries, size), min(keys, size)), int)
    for position in range(queries * keys):
        codes = np.zeros((1, queries, keys), np.uint8)
        codes.flat[position] = 255
        pooled = max_pool(codes, size)[0]
        assert (pooled > 0).sum() == 1
        lit += pooled > 0
    assert lit.sum() == queries * keys
    assert (lit > 0).all()


def test_a_map_that_fits_is_its_own_thumbnail() -> None:
    codes = random_codes(5, 31, 29)
    np.testing.assert_array_equal(max_pool(codes, 32), codes)


@pytest.mark.parametrize("length", [33, 61, 64, 67, 127, 509])
def test_the_small_thumbnail_is_the_same_from_the_large_one(length: int) -> None:
    codes = random_codes(2, length, length + 1)
    np.testing.assert_array_equal(max_pool(max_pool(codes, 64), 32), slow_max_pool(codes, 32))


def test_a_sharp_diagonal_stays_sharp() -> None:
    codes = np.zeros((1, 509, 509), np.uint8)
    codes[0, np.arange(509), np.arange(509)] = 173
    assert (max_pool(codes, 32)[0].diagonal() == 173).all()
