"""What one capture of a training costs: ours against what people do today.

The model is a Transformer encoder of 6 layers × 8 heads at T = 128 (256 units), the probe four
examples. "Plain forward" is the compiled forward of the same model on the same probe. The peer is
the usual recipe: a second model that returns the scores of each layer, `predict`, and for each head
of one example a matplotlib figure logged with `tf.summary.image`; ours records all four examples.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
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

LAYERS, HEADS, UNITS, LENGTH, EXAMPLES = 6, 8, 256, 128, 4


def _models() -> tuple[Any, Any]:
    keras.utils.set_random_seed(0)
    inputs: Any = keras.Input((LENGTH, UNITS))
    x, scores = inputs, []
    for number in range(LAYERS):
        attention = keras.layers.MultiHeadAttention(
            HEADS, UNITS // HEADS, name=f"layer_{number}_self_attention"
        )
        y, weights = attention(x, x, return_attention_scores=True)
        scores.append(weights)
        x = keras.layers.LayerNormalization()(x + y)
        x = keras.layers.LayerNormalization()(
            x + keras.layers.Dense(UNITS)(keras.layers.Dense(4 * UNITS, activation="relu")(x))
        )
    return keras.Model(inputs, x), keras.Model(inputs, scores)


class _CommonWay:
    def __init__(self, second_model: Any, probe: Any, directory: Path) -> None:
        self.model = second_model
        self.probe = probe[:1]
        self.summaries: Any = tf.summary.create_file_writer(str(directory))

    def __call__(self) -> None:
        with self.summaries.as_default(step=0):
            for number, scores in enumerate(self.model.predict(self.probe, verbose=0)):
                for head in range(HEADS):
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
    """Measures the first capture, the blocked time of later ones, and a whole record."""
    model, second_model = _models()
    probe = np.random.default_rng(0).normal(size=(EXAMPLES, LENGTH, UNITS)).astype(np.float32)
    forward: Any = tf.function(lambda x: model(x, training=False))
    tensor = tf.constant(probe)
    captured = AttentionProbe(model, probe)

    first_forward = wall_milliseconds(lambda: forward(tensor).numpy())
    first_capture = wall_milliseconds(captured.capture)
    yield compare(
        "first capture (traces the probe)",
        first_capture,
        "ms",
        "first plain forward (traces the model)",
        first_forward,
    )
    times = alternate(
        [captured.capture, lambda: forward(tensor).numpy()], 15, clock=wall_milliseconds
    )
    yield compare(
        "blocked time of one capture, 6 layers × 8 heads × 4 examples, T = 128",
        times[0],
        "ms",
        "plain forward of the same probe",
        times[1],
        "until the weights are in NumPy; goal: at most 1.2 times the forward",
    )
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
    maps = LAYERS * HEADS
    yield compare(
        "capture and write one map",
        ours / (maps * EXAMPLES),
        "ms CPU",
        "second model + predict + matplotlib + tf.summary.image",
        theirs / maps,
        "background encoding and metrics included",
    )
    yield Figure("memory of one capture", _megabytes(captured), "MB", note="float32 weights")
    yield from _overhead()


def _megabytes(probe: AttentionProbe) -> float:
    return round(sum(a.weights.nbytes for a in probe.capture()) / 1e6, 2)


SMALL_LENGTH, SMALL_UNITS, SMALL_BATCH, STEPS, EVERY = 32, 64, 16, 100, (10, 50, 100)


def _overhead() -> Iterator[Figure]:
    """Whole trainings of a small model with and without the callback, in turns."""
    calls = 0

    class Counted(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            nonlocal calls
            calls += 1  # in Python: once for each trace
            return x

    keras.utils.set_random_seed(0)
    inputs: Any = keras.Input((SMALL_LENGTH, SMALL_UNITS))
    x: Any = Counted()(inputs)
    for number in range(2):
        layer = keras.layers.MultiHeadAttention(4, SMALL_UNITS // 4, name=f"{number}_attention")
        x = keras.layers.LayerNormalization()(x + layer(x, x))
    model: Any = keras.Model(inputs, x)
    model.compile("adam", "mse")
    data = np.random.default_rng(0).normal(size=(STEPS * SMALL_BATCH, SMALL_LENGTH, SMALL_UNITS))
    probe = data[:EXAMPLES].astype(np.float32)
    with tempfile.TemporaryDirectory() as directory:
        callbacks: list[Any] = [
            AttentionCallback(f"{directory}/{every}", probe, update_freq=every, images=False)
            for every in EVERY
        ]

        def train(*callbacks: Any) -> None:
            model.fit(data, data, batch_size=SMALL_BATCH, callbacks=list(callbacks), verbose=0)

        works: list[Callable[[], object]] = [train, *(partial(train, one) for one in callbacks)]
        for work in works:  # traces, also those of `fit` itself
            work()
        before = calls
        plain, *recorded = alternate(works, 7, clock=wall_milliseconds)
    for every, milliseconds in zip(EVERY, recorded, strict=True):
        yield compare(
            f"{STEPS} training steps with a capture every {every} steps, at the start and the end",
            milliseconds,
            "ms",
            "the same without the callback",
            plain,
            "2 layers × 4 heads, T = 32, where a step is as cheap as a capture; files closed",
        )
    yield Figure("traces after the first training", calls - before, "traces", note="goal: 0")
