"""What an entry may claim: a log directory is data from somebody else.

Every length and count is compared with what else the entry says before anything is allocated for
it. The bounds leave real logs more than ten times their largest known sizes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store import heads

MAX_LAYER_NAME = 1024
MAX_LAYERS = 4096
"""In one index file."""

MAX_MAPS = 1 << 16
"""Of one entry: B · H."""

MAX_WEIGHTS = 1 << 28
"""Of one map: Q · K."""

MAX_RECORD_BYTES = 16 << 20
"""Of one record in an index file."""

MAX_TOKEN_BYTES = 16 << 20
"""Of the tokens of one side of an entry, inflated."""

MAX_METRICS = 64
_MAX_METRIC_NAME = 100
_MAX_ATLASES = 8
_MAX_ATLAS_SIZE = 1024
_MAX_OFFSET = 1 << 62

# Deflate encodes 258 bytes in no less than 2 bits.
_DEFLATE_RATIO = 1032

_ITEM_BYTES = {pb.CODE8: 1, pb.FLOAT16: 2, pb.FLOAT32: 4}
# Of an encoding that only a newer version knows.
_WIDEST_ITEM = 8

# A record below this is parsed without a look at it: what protobuf makes of it stays small.
_SMALL_RECORD = 64 << 10
_MAX_FIELDS = 8 * MAX_MAPS


def layout_problem(B: int, H: int, Q: int, K: int) -> str | None:
    """Why maps of this shape cannot be stored, or None when they can be."""
    if min(B, H, Q, K) < 1:
        return f"an empty shape [B, H, Q, K] = [{B}, {H}, {Q}, {K}]"
    if B * H > MAX_MAPS:
        return f"{B} examples × {H} heads; at most {MAX_MAPS:,} maps are possible"
    if Q * K > MAX_WEIGHTS:
        return f"maps of {Q} × {K} weights; at most {MAX_WEIGHTS:,} weights are possible"
    return None


def glance_problem(entry: pb.Entry | pb.EntryGlance) -> str | None:
    """What is impossible about where an entry belongs, or None.

    This is what is checked for every entry of an index; `entry_problem` waits until one is used.
    """
    layer, step, wall_time = entry.layer, entry.step, entry.wall_time
    if not 0 < len(layer) <= MAX_LAYER_NAME:
        return f"a layer name of {len(layer)} characters"
    if step < 0:
        return f"step {step}"
    if not math.isfinite(wall_time):
        return f"wall time {wall_time}"
    return None


def entry_problem(entry: pb.Entry) -> str | None:
    """What is impossible about an entry, or None.

    Args:
        entry: From a file.

    Returns:
        The end of a sentence that starts with "The entry claims".
    """
    B, H, Q, K = entry.examples, entry.heads, entry.queries, entry.keys
    return (
        glance_problem(entry)
        or layout_problem(B, H, Q, K)
        or (heads.numbers_problem(entry.head_numbers, H) if entry.head_numbers else None)
        or _lengths_problem("query_lengths", entry.query_lengths, B, Q)
        or _lengths_problem("key_lengths", entry.key_lengths, B, K)
        or _frames_problem(entry, B * H, Q * K)
        or _atlases_problem(entry, B, H)
        or _metrics_problem(entry, B * H)
        or _blob_problem("query tokens", entry.query_tokens)
        or _blob_problem("key tokens", entry.key_tokens)
    )


def _lengths_problem(name: str, lengths: Sequence[int], B: int, limit: int) -> str | None:
    if not lengths:
        return None
    if len(lengths) != B:
        return f"{len(lengths)} {name} for {B} examples"
    if max(lengths) > limit:
        return f"{name} up to {max(lengths)} where there are {limit}"
    return None


def _frames_problem(entry: pb.Entry, maps: int, weights: int) -> str | None:
    lengths = entry.frame_lengths
    if len(lengths) != maps or len(entry.frame_crc32s) != maps:
        return f"{len(lengths)} frames and {len(entry.frame_crc32s)} checksums for {maps} maps"
    if entry.frames_offset > _MAX_OFFSET:
        return f"frames at byte {entry.frames_offset}"
    size = weights * _ITEM_BYTES.get(entry.encoding, _WIDEST_ITEM)
    # Deflate may grow what it cannot compress by a header for each of its blocks.
    if max(lengths) > size + size // 64 + 1024:
        return f"a frame of {max(lengths):,} bytes for {size:,} bytes of weights"
    least = weights * _ITEM_BYTES.get(entry.encoding, 1)
    if (min(lengths) + 16) * _DEFLATE_RATIO < least:
        return f"that {min(lengths)} bytes hold {least:,} bytes of weights"
    return None


def _atlases_problem(entry: pb.Entry, B: int, H: int) -> str | None:
    if len(entry.atlases) > _MAX_ATLASES:
        return f"{len(entry.atlases)} sizes of thumbnails"
    for atlas in entry.atlases:
        if not 0 < atlas.size <= _MAX_ATLAS_SIZE:
            return f"thumbnails of size {atlas.size}"
        counts = {len(atlas.rows), len(atlas.columns), len(atlas.tiles)}
        if counts != {B}:
            return f"thumbnails of {sorted(counts)} examples, where there are {B}"
        if max(atlas.rows) > atlas.size or max(atlas.columns) > atlas.size:
            return f"thumbnails larger than their size of {atlas.size}"
        for rows, columns, tile in zip(atlas.rows, atlas.columns, atlas.tiles, strict=True):
            pixels = H * rows * columns
            if tile.length > pixels + pixels // 64 + 1024:
                return f"{tile.length:,} bytes of thumbnails for {pixels:,} pixels"
            if (tile.length + 16) * _DEFLATE_RATIO < pixels:
                return f"that {tile.length} bytes hold {pixels:,} pixels"
            if tile.offset > _MAX_OFFSET:
                return f"thumbnails at byte {tile.offset}"
    return None


def _metrics_problem(entry: pb.Entry, maps: int) -> str | None:
    if len(entry.metrics) > MAX_METRICS:
        return f"{len(entry.metrics)} metrics; at most {MAX_METRICS} are possible"
    for metric in entry.metrics:
        if len(metric.name) > _MAX_METRIC_NAME:
            return f"a metric with a name of {len(metric.name)} characters"
        if len(metric.values) != maps:
            return f"{len(metric.values)} values of metric {metric.name!r} for {maps} maps"
    return None


def _blob_problem(name: str, blob: pb.Blob) -> str | None:
    if blob.length > MAX_TOKEN_BYTES or blob.offset > _MAX_OFFSET:
        return f"{name} of {blob.length:,} bytes at byte {blob.offset}"
    return None


def fields_problem(data: bytes) -> str | None:
    """Why a record must not be parsed, or None.

    An empty message takes two bytes in a file and thirty times as many in memory, so a large record
    is walked before it is parsed.
    """
    if len(data) <= _SMALL_RECORD:
        return None
    try:
        fields = _count_fields(data, 0, len(data), depth=3, budget=_MAX_FIELDS)
    except (IndexError, ValueError):
        return "what is no protobuf message"
    return f"more than {_MAX_FIELDS:,} fields" if fields > _MAX_FIELDS else None


# By depth, the messages within a message that repeat: entry in IndexRecord, atlases (16) and
# metrics (19) in Entry, tiles (4) in Atlas.
_NESTED = {3: {2}, 2: {16, 19}, 1: {4}, 0: set[int]()}


def _count_fields(data: bytes, at: int, end: int, *, depth: int, budget: int) -> int:
    count = 0
    while at < end and count <= budget:
        tag, at = _varint(data, at)
        kind = tag & 7
        count += 1
        if kind == 0:
            _, at = _varint(data, at)
        elif kind == 1:
            at += 8
        elif kind == 5:
            at += 4
        elif kind == 2:
            length, at = _varint(data, at)
            if length > end - at:
                raise ValueError("A field is longer than its message.")
            if tag >> 3 in _NESTED[depth]:
                count += _count_fields(
                    data, at, at + length, depth=depth - 1, budget=budget - count
                )
            at += length
        else:
            raise ValueError("Groups are not used.")
    return count


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise ValueError("A number is too long.")
