"""What one capture of a training costs: ours against what people do today, for three model sizes.

The models are Transformer encoders, the probe is four examples. "Plain forward" is the compiled
forward of the same model on the same probe. The peer is the usual recipe: a second model that
returns the scores of each layer, `predict`, and for each head of one example a matplotlib figure
logged with `tf.summary.image`; ours records all four examples.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from figures import Figure, alternate, compare, cpu_milliseconds, wall_milliseconds
from tb_attention_training import AttentionCallback
from tb_attention_training.capture.probe import AttentionProbe

from tb_attention_plugin import AttentionWriter

mpl.use("Agg")

EXAMPLES = 4


@dataclass(frozen=True)
class Size:
    """A model, and how often it is measured.

    Attributes:
        layers: Number of layers.
        heads: Heads of each.
        units: Width of the model.
        length: T.
        turns: Measurements of a capture and of a forward, in turns.
    """

    layers: int
    heads: int
    units: int
    length: int
    turns: int

    def __str__(self) -> str:
        return (
            f"{self.layers} layers × {self.heads} heads × {EXAMPLES} examples, "
            f"{self.units} units, T = {self.length}"
        )


SMALL = Size(2, 4, 64, 32, 41)
MEDIUM = Size(6, 8, 256, 128, 21)
LARGE = Size(12, 12, 768, 256, 5)


def _models(size: Size, *, first: Callable[[Any], Any] = lambda x: x) -> tuple[Any, Any]:
    """The model, and a second one of the same layers that returns their scores."""
    keras.utils.set_random_seed(0)
    inputs: Any = keras.Input((size.length, size.units))
    x, scores = first(inputs), []
    for number in range(size.layers):
        attention = keras.layers.MultiHeadAttention(
            size.heads, size.units // size.heads, name=f"layer_{number}_self_attention"
        )
        y, weights = attention(x, x, return_attention_scores=True)
        scores.append(weights)
        x = keras.layers.LayerNormalization()(x + y)
        hidden = keras.layers.Dense(4 * size.units, activation="relu")(x)
        x = keras.layers.LayerNormalization()(x + keras.layers.Dense(size.units)(hidden))
    return keras.Model(inputs, x), keras.Model(inputs, scores)


class _CommonWay:
    def __init__(self, second_model: Any, probe: Any, directory: Path) -> None:
        self.model = second_model
        self.probe = probe[:1]
        self.summaries: Any = tf.summary.create_file_writer(str(directory))

    def __call__(self) -> None:
        with self.summaries.as_default(step=0):
            for number, scores in enumerate(self.model.predict(self.probe, verbose=0)):
                for head in range(scores.shape[1]):
                    figure, axes = plt.subplots()
                    image = axes.imshow(scores[0, head], interpolation="nearest", cmap="Blues")
                    figure.colorbar(image, orientation="horizontal")
                    png = io.BytesIO()
                    figure.savefig(png, format="png")
                    plt.close(figure)
                    pixels = tf.image.decode_png(png.getvalue(), channels=4)
                    tf.summary.image(f"layer_{number}/head_{head}", pixels[None])
        self.summaries.flush()


def figures() -> Iterator[Figure]:
    """Captures of each size, the usual recipe beside them, and whole trainings."""
    for size in (SMALL, MEDIUM, LARGE):
        yield from _captures(size)
    for size, steps in ((SMALL, 100), (TRAINED, 100)):
        yield from _overhead(size, steps)


def _captures(size: Size) -> Iterator[Figure]:
    model, second_model = _models(size)
    shape = (EXAMPLES, size.length, size.units)
    probe = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    forward: Any = tf.function(lambda x: model(x, training=False))
    tensor = tf.constant(probe)
    captured = AttentionProbe(model, probe)

    first_forward = wall_milliseconds(lambda: forward(tensor).numpy())
    first_capture = wall_milliseconds(captured.capture)
    yield compare(
        f"first capture (traces the probe), {size}",
        first_capture,
        "ms",
        "first plain forward (traces the model)",
        first_forward,
    )
    times = alternate(
        [captured.capture, lambda: forward(tensor).numpy()], size.turns, clock=wall_milliseconds
    )
    yield compare(
        f"blocked time of one capture, {size}",
        times[0],
        "ms",
        "plain forward of the same probe",
        times[1],
        f"{times[0] / times[1]:.2f} forwards, until the weights are in NumPy; goal: at most 1.2",
    )
    weights = sum(attention.weights.nbytes for attention in captured.capture())
    yield Figure(f"memory of one capture, {size}", weights / 1e6, "MB", note="float32 weights")
    if size is MEDIUM:
        yield _against_the_common_way(size, captured, second_model, probe)


def _against_the_common_way(
    size: Size, captured: AttentionProbe, second_model: Any, probe: Any
) -> Figure:
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        writer = AttentionWriter(directory / "ours", max_queue=64)
        step = iter(range(1_000_000))

        def record() -> None:
            number = next(step)
            for attention in captured.capture():
                writer.write(attention.layer, attention.weights, number)
            writer.flush()

        common = _CommonWay(second_model, probe, directory / "common")
        ours, theirs = alternate([record, common], 3, clock=cpu_milliseconds)
        writer.close()
    maps = size.layers * size.heads
    return compare(
        f"capture and write one map, {size}",
        ours / (maps * EXAMPLES),
        "ms CPU",
        "second model + predict + matplotlib + tf.summary.image",
        theirs / maps,
        "background encoding and metrics included",
    )


TRAINED = Size(4, 8, 128, 64, 3)
BATCH, EVERY = 16, (10, 50, 100)


def _overhead(size: Size, steps: int) -> Iterator[Figure]:
    """Whole trainings with and without the callback, in turns."""
    calls = 0

    class Counted(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            nonlocal calls
            calls += 1  # in Python: once for each trace
            return x

    model, _ = _models(size, first=Counted())
    model.compile("adam", "mse")
    data = np.random.default_rng(0).normal(size=(steps * BATCH, size.length, size.units))
    probe = data[:EXAMPLES].astype(np.float32)
    with tempfile.TemporaryDirectory() as directory:
        callbacks: list[Any] = [
            AttentionCallback(f"{directory}/{every}", probe, update_freq=every, images=False)
            for every in EVERY
        ]

        def train(*callbacks: Any) -> None:
            model.fit(data, data, batch_size=BATCH, callbacks=list(callbacks), verbose=0)

        works: list[Callable[[], object]] = [train, *(partial(train, one) for one in callbacks)]
        for work in works:  # traces, also those of `fit` itself
            work()
        before = calls
        plain, *recorded = alternate(works, min(7, size.turns), clock=wall_milliseconds)
    for every, milliseconds in zip(EVERY, recorded, strict=True):
        yield compare(
            f"{steps} training steps of {BATCH} with a capture every {every} steps, at the start "
            f"and the end, {size}",
            milliseconds,
            "ms",
            "the same without the callback",
            plain,
            f"{milliseconds / plain - 1:+.1%}; a step takes {plain / steps:.1f} ms; files closed",
        )
    yield Figure(
        f"traces after the first training, {size}", calls - before, "traces", note="goal: 0"
    )
