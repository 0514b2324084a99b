"""CPU time and bytes of logging maps: ours against a matplotlib figure and `tf.summary.image`.

The peer is what people do today: draw the map as a labelled figure, encode it as PNG, log that. A
640 × 480 figure holds fewer pixels than a large map has weights, and no numbers at all; so its
bytes are printed for what they are, not as a like-for-like comparison.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from figures import Figure, alternate, compare
from numpy.typing import NDArray

from tb_attention_plugin import AttentionWriter

mpl.use("Agg")

Maps = NDArray[np.float32]
ROUNDS = 9


def _maps(heads: int, queries: int, keys: int, sharpness: float) -> Maps:
    rng = np.random.default_rng(queries * keys)
    place = (np.arange(queries)[:, None] / queries - np.arange(keys) / keys) ** 2
    logits = rng.normal(size=(1, heads, queries, keys)) * 2 - sharpness * place
    weights = np.exp(logits)
    return (weights / weights.sum(-1, keepdims=True)).astype(np.float32)


def _tokens(length: int) -> list[list[str]]:
    return [[chr(ord("a") + i % 26) for i in range(length)]]


class _Ours:
    def __init__(self, directory: Path, maps: Maps) -> None:
        self.writer = AttentionWriter(directory, max_queue=64)
        self.directory = directory
        self.maps = maps
        self.query_tokens = _tokens(maps.shape[2])
        self.key_tokens = _tokens(maps.shape[3])
        self.step = 0

    def __call__(self) -> None:
        self.writer.write(
            "decoder/cross_attention",
            self.maps,
            self.step,
            query_tokens=self.query_tokens,
            key_tokens=self.key_tokens,
        )
        self.writer.flush()
        self.step += 1


class _Peer:
    def __init__(self, directory: Path, maps: Maps) -> None:
        self.summaries: Any = tf.summary.create_file_writer(str(directory))
        self.directory = directory
        self.maps = maps
        self.step = 0

    def __call__(self) -> None:
        with self.summaries.as_default(step=self.step):
            for h, weights in enumerate(self.maps[0]):
                figure, axes = plt.subplots()
                image = axes.imshow(weights, interpolation="nearest", cmap="Blues")
                figure.colorbar(image, orientation="horizontal")
                if len(weights) <= 64:
                    axes.set_xticks(
                        range(weights.shape[1]), _tokens(weights.shape[1])[0], rotation=45
                    )
                    axes.set_yticks(range(weights.shape[0]), _tokens(weights.shape[0])[0])
                png = io.BytesIO()
                figure.savefig(png, format="png")
                plt.close(figure)
                pixels = tf.image.decode_png(png.getvalue(), channels=4)
                tf.summary.image(f"decoder/cross_attention/{h}", pixels[None])
        self.summaries.flush()
        self.step += 1


def _bytes(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())


def figures() -> Iterator[Figure]:
    """Measures maps of several sizes, from a short translation to a language model's."""
    for heads, queries, keys in ((1, 11, 40), (4, 40, 40), (4, 512, 512)):
        maps = _maps(heads, queries, keys, sharpness=40)
        with tempfile.TemporaryDirectory() as temporary:
            ours = _Ours(Path(temporary) / "ours", maps)
            peer = _Peer(Path(temporary) / "peer", maps)
            times = alternate([ours, peer], ROUNDS)
            ours.writer.close()
            peer.summaries.close()
            sizes = [_bytes(one.directory) / (one.step * heads) for one in (ours, peer)]
        size = f"{queries} × {keys}, {heads} head{'s' if heads > 1 else ''}"
        name = "matplotlib figure + tf.summary.image"
        yield compare(
            f"write one map, {size}",
            times[0] / heads,
            "ms CPU",
            name,
            times[1] / heads,
            "metrics, thumbnails and event file included",
        )
        yield compare(
            f"bytes of one map, {size}",
            sizes[0],
            "bytes",
            name,
            sizes[1],
            "ours holds every weight, thumbnails, metrics and tokens; the peer a 640 × 480 picture",
        )
