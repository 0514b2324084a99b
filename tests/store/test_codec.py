from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store import codec

Maps = NDArray[np.float32]
shapes = st.tuples(st.integers(1, 13), st.integers(1, 13))
any_float32 = hnp.arrays(np.float32, shapes, elements=st.floats(width=32))
in_range = hnp.arrays(np.float32, shapes, elements=st.floats(0, 1, width=32))


def one_frame(weights: Maps, encoding: pb.Encoding) -> bytes:
    return codec.deflate(codec.layout(weights[None], encoding)[0])


def round_trip(weights: Maps, encoding: pb.Encoding) -> Maps:
    queries, keys = weights.shape
    return codec.decode_frame(one_frame(weights, encoding), encoding, queries, keys, 1)


@given(weights=in_range)
def test_code8_comes_back_within_the_promise(weights: Maps) -> None:
    shown = round_trip(weights, pb.CODE8)
    assert shown.dtype == np.float32
    tolerance = np.maximum(5e-4, 0.01 * weights.astype(np.float64))
    assert (np.abs(shown.astype(np.float64) - weights) <= tolerance).all()


@given(weights=any_float32)
def test_float32_comes_back_bit_by_bit(weights: Maps) -> None:
    shown = round_trip(weights, pb.FLOAT32)
    np.testing.assert_array_equal(shown.view(np.uint32), weights.view(np.uint32))


@given(weights=any_float32)
def test_float16_comes_back_as_ieee_rounds_it(weights: Maps) -> None:
    with np.errstate(over="ignore"):
        expected = weights.astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(round_trip(weights, pb.FLOAT16), expected)


@pytest.mark.parametrize(("encoding", "size"), [(pb.FLOAT16, 2), (pb.FLOAT32, 4)])
def test_floats_are_laid_out_by_byte_lowest_first(encoding: pb.Encoding, size: int) -> None:
    weights = np.random.default_rng(2).normal(size=(5, 7)).astype(np.float32)
    raw = zlib.decompress(one_frame(weights, encoding), wbits=-15)
    items = weights.astype({2: "<f2", 4: "<f4"}[size]).tobytes()
    assert raw == b"".join(items[byte::size] for byte in range(size))


def test_code8_is_one_byte_per_weight_row_major() -> None:
    weights = np.zeros((3, 5), np.float32)
    weights[1, 2] = 1
    raw = zlib.decompress(one_frame(weights, pb.CODE8), wbits=-15)
    assert raw == bytes(7) + b"\xff" + bytes(7)


@given(data=st.binary(max_size=999), cut=st.integers(0, 998), flip=st.integers(1, 255))
def test_damaged_deflate_is_an_error_or_the_right_size(data: bytes, cut: int, flip: int) -> None:
    frame = bytearray(codec.deflate(data))
    frame[cut % len(frame)] ^= flip
    try:
        assert len(codec.inflate(bytes(frame), len(data))) == len(data)
    except ValueError as error:
        assert "Damaged deflate data" in str(error)  # noqa: PT017


@given(data=st.binary(min_size=1, max_size=999), size=st.integers(0, 1999))
def test_another_size_than_the_expected_one_is_an_error(data: bytes, size: int) -> None:
    if size == len(data):
        assert codec.inflate(codec.deflate(data), size) == data
    else:
        with pytest.raises(ValueError, match=f"expected {size} bytes"):
            codec.inflate(codec.deflate(data), size)


def test_every_truncation_is_an_error() -> None:
    data = np.random.default_rng(1).bytes(211)
    frame = codec.deflate(data)
    for end in range(len(frame)):
        with pytest.raises(ValueError, match="Damaged deflate data"):
            codec.inflate(frame[:end], len(data))


def test_data_without_its_end_is_an_error() -> None:
    stream = zlib.compressobj(wbits=-15)
    frame = stream.compress(bytes(101)) + stream.flush(zlib.Z_SYNC_FLUSH)  # all of it, but no end
    with pytest.raises(ValueError, match="no end"):
        codec.inflate(frame, 101)


def test_what_a_bomb_holds_is_never_allocated() -> None:
    bomb = codec.deflate(bytes(1 << 26))  # 64 MB
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="expected 35 bytes"):
            codec.decode_frame(bomb, pb.CODE8, 5, 7, 1)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_a_map_that_claims_an_impossible_size_is_damaged_not_a_crash() -> None:
    frame = codec.deflate(bytes(35))
    with pytest.raises(ValueError, match="Damaged"):
        codec.decode_frame(frame, pb.FLOAT32, 2**32 - 1, 2**32 - 1, 1)


@pytest.mark.parametrize("encoding", [pb.ENCODING_UNSPECIFIED, 97])
def test_an_unknown_encoding_is_refused_with_advice(encoding: pb.Encoding) -> None:
    with pytest.raises(ValueError, match=rf"Unknown encoding {encoding}.*upgrade"):
        codec.decode_frame(b"", encoding, 2, 3, 1)


def test_a_stack_of_maps_lays_out_each_as_if_it_were_alone(
    attention: Callable[..., Maps],
) -> None:
    maps = attention(3, 5, 7)
    for encoding in (pb.CODE8, pb.FLOAT16, pb.FLOAT32):
        laid = codec.layout(maps, encoding)
        for head in range(3):
            assert codec.deflate(laid[head]) == one_frame(maps[head], encoding)
