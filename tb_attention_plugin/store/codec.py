"""Frames: how one map of weights becomes bytes and comes back.

A frame is the map's weights in one of three layouts, compressed with raw deflate, which browsers
inflate natively. Floats are byte-shuffled (all lowest bytes first, and so on): neighbouring weights
share their upper bytes, which then compress.
"""

from __future__ import annotations

import zlib

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store import code_table

RAW_DEFLATE = -15
# ISA-L's level 1: on 8-bit codes its higher levels cost up to half as much again and save nothing.
_LEVEL = 1

_FLOATS: dict[int, type[np.floating]] = {pb.FLOAT16: np.float16, pb.FLOAT32: np.float32}


def deflate(data: bytes | NDArray[np.uint8]) -> bytes:
    """Compresses with raw deflate."""
    return isal_zlib.compress(data, _LEVEL, RAW_DEFLATE)


def crc32(data: bytes) -> int:
    """Checksum of stored bytes, the same as `zlib.crc32` in a third of the time."""
    return isal_zlib.crc32(data)


def inflate(data: bytes, size: int) -> bytes:
    """Decompresses raw deflate whose result must have exactly `size` bytes.

    Nothing beyond `size` is ever allocated: what is compressed may come from somebody else.

    Raises:
        ValueError: The data is damaged, or its size differs.
    """
    stream = zlib.decompressobj(RAW_DEFLATE)
    try:
        out = stream.decompress(data, size + 1)
    except (zlib.error, OverflowError) as error:  # a size beyond 63 bits is damage, too
        raise ValueError(f"Damaged deflate data: {error}.") from error
    if len(out) != size or not stream.eof:
        raise ValueError(
            f"Damaged deflate data: expected {size} bytes and then its end, received {len(out)}"
            f"{'' if stream.eof else ' and no end'}."
        )
    return out


def layout(weights: NDArray[np.float32], encoding: pb.Encoding) -> NDArray[np.uint8]:
    """Bytes of weights before compression, a row for each map.

    Args:
        weights: float32 `[..., Q, K]`.
        encoding: Layout; CODE8 takes only finite weights in [0, 1].

    Returns:
        uint8 `[..., Q, K]` for CODE8, `[..., item bytes, Q, K]` for floats.
    """
    if encoding == pb.CODE8:
        return code_table.encode(weights)
    with np.errstate(over="ignore"):  # beyond float16's range is infinity, as IEEE says
        items = np.ascontiguousarray(weights, _FLOATS[encoding])
    parts = items.view(np.uint8).reshape(*items.shape, items.itemsize)
    return np.ascontiguousarray(np.moveaxis(parts, -1, -3))


def decode_frame(
    frame: bytes, encoding: pb.Encoding, queries: int, keys: int, table_id: int
) -> NDArray[np.float32]:
    """Weights of one map.

    Args:
        frame: The stored bytes.
        encoding: Their layout.
        queries: Q.
        keys: K.
        table_id: Id of the code table; read for CODE8 only.

    Returns:
        float32 `[Q, K]`.

    Raises:
        ValueError: The frame is damaged, or was written by a newer version.
    """
    if encoding == pb.CODE8:
        codes = np.frombuffer(inflate(frame, queries * keys), np.uint8).reshape(queries, keys)
        return code_table.decode(codes, table_id)
    if encoding not in _FLOATS:
        raise ValueError(
            f"Unknown encoding {encoding}: the log was written by a newer tb-attention-plugin; "
            "upgrade to read it."
        )
    dtype = np.dtype(_FLOATS[encoding])
    raw = inflate(frame, queries * keys * dtype.itemsize)
    parts = np.frombuffer(raw, np.uint8).reshape(dtype.itemsize, queries, keys)
    items = np.ascontiguousarray(np.moveaxis(parts, 0, -1)).view(dtype)
    return items.reshape(queries, keys).astype(np.float32)
