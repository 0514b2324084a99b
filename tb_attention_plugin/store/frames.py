"""Turns a record into what lies on disk: frames, thumbnails, tokens, and an entry to find them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tb_attention_plugin.metrics import HeadMetrics
from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store import code_table, codec, thumbnails
from tb_attention_plugin.store.heads import to_store
from tb_attention_plugin.store.pooling import Pooling, pool_lengths, pool_tokens
from tb_attention_plugin.store.record import AttentionRecord, Tokens
from tb_attention_plugin.store.validation import ROUNDING

_TOGETHER = 1 << 18
"""Weights encoded at a time: small maps together, large ones apart, so that they stay in cache."""


class Sink(Protocol):
    """The growing data file."""

    def append(self, data: bytes) -> int:
        """Appends bytes and returns the offset at which they start."""
        ...


class FrameWriter:
    """Appends the data of records to a sink and makes their entries.

    Args:
        sink: The data file.
        max_length: Maps with more queries or keys than this are pooled; None: none are.
    """

    def __init__(self, sink: Sink, max_length: int | None = None) -> None:
        self._sink = sink
        self._max_length = max_length
        self._token_tables: dict[bytes, pb.Blob] = {}
        self._metrics = HeadMetrics()

    def append(
        self, record: AttentionRecord, encoding: pb.Encoding
    ) -> tuple[pb.Entry, list[bytes]]:
        """Appends a record's data.

        Args:
            record: The record.
            encoding: Layout of its weights.

        Returns:
            The entry, and the deflated tiles of the smallest thumbnails of each example.
        """
        B, H, Q, K = record.weights.shape
        pooling = Pooling.of(Q, K, causal=record.causal, max_length=self._max_length)
        entry = pb.Entry(
            step=record.step,
            layer=record.layer,
            wall_time=record.wall_time,
            examples=B,
            heads=H,
            head_numbers=to_store(record.head_numbers),
            queries=-(-Q // pooling.queries),
            keys=-(-K // pooling.keys),
            query_pooling=pooling.queries if pooling.pools else 0,
            key_pooling=pooling.keys if pooling.pools else 0,
            causal=record.causal,
            encoding=encoding,
            dtype=record.dtype,
            skipped=record.skipped,
        )
        if (record.query_lengths < Q).any():
            entry.query_lengths.extend(pool_lengths(record.query_lengths, pooling.queries).tolist())
        if (record.key_lengths < K).any():
            entry.key_lengths.extend(pool_lengths(record.key_lengths, pooling.keys).tolist())
        if encoding == pb.CODE8:
            entry.code_table = code_table.CODE_TABLE_ID
        else:
            finite = np.isfinite(record.weights)
            within = (record.weights >= 0) & (record.weights <= 1 + ROUNDING)
            entry.has_nonfinite = not finite.all()
            entry.out_of_range = bool((finite & ~within).any())

        tiles = [
            self._append_frames(entry, weights, pooling, valid)
            for weights, *valid in zip(
                record.weights, record.query_lengths, record.key_lengths, strict=True
            )
        ]
        smallest = self._append_atlases(entry, tiles)

        self._refer_to_tokens(entry.query_tokens, pool_tokens(record.query_tokens, pooling.queries))
        self._refer_to_tokens(entry.key_tokens, pool_tokens(record.key_tokens, pooling.keys))
        for name, values in self._metrics.measure(record).items():
            entry.metrics.append(pb.Metric(name=name, values=values.ravel().tolist()))
        return entry, smallest

    def _append_frames(
        self, entry: pb.Entry, weights: NDArray[np.float32], pooling: Pooling, valid: Sequence[int]
    ) -> NDArray[np.uint8]:
        """Appends the frames of one example, and returns its largest thumbnails."""
        H, Q, K = weights.shape
        queries, keys = valid
        stride = max(1, _TOGETHER // (Q * K))
        tiles: list[NDArray[np.uint8]] = []
        for start in range(0, H, stride):
            heads = weights[start : start + stride]
            if entry.encoding == pb.CODE8:
                codes = codec.layout(heads, pb.CODE8)
                laid = pooling.maps(codes)  # codes ascend with the weight
            else:
                codes = _clipped_codes(heads)
                laid = codec.layout(pooling.maps(heads), entry.encoding)
            for one in laid:
                frame = codec.deflate(np.ascontiguousarray(one))
                offset = self._sink.append(frame)
                if not entry.frame_lengths:
                    entry.frames_offset = offset
                entry.frame_lengths.append(len(frame))
                entry.frame_crc32s.append(codec.crc32(frame))
            largest = max(thumbnails.THUMBNAIL_SIZES)
            tiles.append(thumbnails.max_pool(codes[:, :queries, :keys], largest))
        return np.concatenate(tiles)

    def _append_atlases(self, entry: pb.Entry, tiles: list[NDArray[np.uint8]]) -> list[bytes]:
        smallest: list[bytes] = []
        for size in reversed(thumbnails.THUMBNAIL_SIZES):
            tiles = [thumbnails.max_pool(larger, size) for larger in tiles]
            smallest = [codec.deflate(np.ascontiguousarray(tile)) for tile in tiles]
            entry.atlases.add(
                size=size,
                rows=[tile.shape[1] for tile in tiles],
                columns=[tile.shape[2] for tile in tiles],
                tiles=[self._append_blob(deflated) for deflated in smallest],
            )
        return smallest

    def _append_blob(self, data: bytes) -> pb.Blob:
        return pb.Blob(offset=self._sink.append(data), length=len(data), crc32=codec.crc32(data))

    def _refer_to_tokens(self, blob: pb.Blob, tokens: Tokens | None) -> None:
        if tokens is None:
            return
        table = pb.TokenTable(examples=[pb.TokenList(tokens=sequence) for sequence in tokens])
        data = table.SerializeToString()
        digest = hashlib.sha256(data).digest()
        # The probe is fixed, so its tokens are too: they are stored once and referred to.
        if digest not in self._token_tables:
            self._token_tables[digest] = self._append_blob(
                len(data).to_bytes(8, "little") + codec.deflate(data)
            )
        blob.CopyFrom(self._token_tables[digest])


def _clipped_codes(weights: NDArray[np.float32]) -> NDArray[np.uint8]:
    # Thumbnails of weights that are not codes: the entry's flags say that they show no true values.
    return code_table.encode(np.clip(np.nan_to_num(weights, nan=0.0), 0, 1))
