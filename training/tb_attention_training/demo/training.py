"""How both models of the demo are trained and examined."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tb_attention_training.callback import AttentionCallback
from tb_attention_training.demo.dates import DateText
from tb_attention_training.demo.encoding import PADDING, START, Encoding, IntArray, shift_right

RECORDS = 100
"""About this many records are made in a run, evenly over its steps."""

_EPOCHS = 5  # at most; each has one point of the epoch curves and one set of figures
_EPOCH_STEPS = 20  # at least
_WINDOW = 16  # batches among which texts are sorted by length
_WARM_UP = 0.1  # share of the steps
_CHUNK = 250  # texts that are read at once in an examination


@dataclass(frozen=True)
class Recipe:
    """How to train one model.

    Attributes:
        name: Of the model and of its run.
        build: Makes the model.
        steps: Number of training steps.
        batch_size: Number of examples in each.
        learning_rate: The highest one, after the warm-up; a cosine leads down to zero.
        images: Whether to draw figures for the Images dashboard as well.
    """

    name: str
    build: Callable[[Encoding], keras.Model]
    steps: int
    batch_size: int
    learning_rate: float
    images: bool = True

    def with_steps(self, steps: int | None) -> Recipe:
        """Returns the same recipe with another number of steps, unless it is None."""
        return self if steps is None else replace(self, steps=steps)


@dataclass(frozen=True)
class Arrays:
    """Examples as a model takes them.

    Attributes:
        source: Texts, ``[N, K]``.
        decoder_input: Meanings, one position later, ``[N, Q]``.
        target: Meanings, ``[N, Q]``.
    """

    source: IntArray
    decoder_input: IntArray
    target: IntArray

    @classmethod
    def of(cls, encoding: Encoding, examples: Sequence[DateText]) -> Arrays:
        """Encodes examples."""
        target = encoding.targets(examples)
        return cls(encoding.sources(examples), shift_right(target), target)

    @property
    def inputs(self) -> dict[str, IntArray]:
        """What a model takes."""
        return {"source": self.source, "decoder_input": self.decoder_input}

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, rows: Any) -> Arrays:
        return Arrays(self.source[rows], self.decoder_input[rows], self.target[rows])


def batches(arrays: Arrays, batch_size: int, seed: int) -> Iterator[Arrays]:
    """Yields every full batch once, texts of about the same length together.

    Padding costs as much time as text. Sorting within a window of batches, which then come in
    random order, halves the work and leaves the order random enough.

    Args:
        arrays: ``N`` examples in random order.
        batch_size: ``B``, number of examples in a batch.
        seed: Of the order of batches.

    Yields:
        Batches whose ``K`` is the longest text of the batch.
    """
    rng = np.random.default_rng(seed)
    lengths = (arrays.source != PADDING).sum(axis=1)
    usable = len(arrays) - len(arrays) % batch_size
    for first in range(0, usable, _WINDOW * batch_size):
        last = min(first + _WINDOW * batch_size, usable)
        rows = first + np.argsort(lengths[first:last], kind="stable")
        for batch in rng.permutation(rows.reshape(-1, batch_size)):
            taken = arrays[batch]
            yield Arrays(taken.source[:, : lengths[batch].max()], taken.decoder_input, taken.target)


def train(
    recipe: Recipe,
    encoding: Encoding,
    examples: Sequence[DateText],
    probe: Sequence[DateText],
    log_dir: Path,
    seed: int,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> keras.Model:
    """Trains a model while its attention is recorded.

    Args:
        recipe: What to train and how.
        encoding: How dates become arrays.
        examples: To learn from, ``recipe.steps * recipe.batch_size`` of them or more. Each is
            seen once.
        probe: Examples whose attention is recorded.
        log_dir: Where the run's logs go, in its ``train`` directory.
        seed: Of the initial weights and the order of batches.
        callbacks: Further callbacks.

    Returns:
        The trained model.
    """
    keras.utils.set_random_seed(seed)
    model = recipe.build(encoding)
    warm_up = int(recipe.steps * _WARM_UP)
    # Keras' stubs are narrower than what Keras documents: schedules, booleans and ints are meant.
    rate: Any = keras.optimizers.schedules.CosineDecay(
        0.0, recipe.steps - warm_up, warmup_target=recipe.learning_rate, warmup_steps=warm_up
    )
    optimizer: Any = keras.optimizers.Adam(rate, clipnorm=1.0)
    # Built before the first step, or Keras would trace the step twice.
    optimizer.build(model.trainable_variables)
    fitted: Any = model
    fitted.compile(
        optimizer,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=PADDING),
        metrics=["accuracy"],
        jit_compile=False,  # XLA would compile every length of text again
    )
    learned = Arrays.of(encoding, examples[: recipe.steps * recipe.batch_size])
    # Keras writes to log_dir/train as well, so that the scalars belong to the same run.
    scalars_every: Any = max(1, recipe.steps // RECORDS)
    tensorboard = keras.callbacks.TensorBoard(
        str(log_dir), write_graph=False, update_freq=scalars_every
    )
    epochs = _epochs(recipe.steps)
    fitted.fit(
        _dataset(learned, recipe.batch_size, seed),
        epochs=epochs,
        steps_per_epoch=recipe.steps // epochs,
        shuffle=False,
        verbose=0,
        callbacks=[
            tensorboard,
            attention_callback(recipe, encoding, probe, log_dir),
            *callbacks,
        ],
    )
    return model


def attention_callback(
    recipe: Recipe, encoding: Encoding, probe: Sequence[DateText], log_dir: Path
) -> AttentionCallback:
    """Makes the callback that records the attention of the probe.

    This is all that a training script needs: the probe as the model takes it, and which tokens
    label which layers.
    """
    arrays = Arrays.of(encoding, probe)
    read = encoding.source.tokens(arrays.source)
    written = encoding.target.tokens(arrays.target)
    return AttentionCallback(
        log_dir,
        arrays.inputs,
        update_freq=max(1, recipe.steps // RECORDS),
        query_tokens={"decoder": written, ".": read},
        key_tokens={"decoder/.*self_attention": written, ".": read},
        max_examples=len(probe),
        images=recipe.images,
        on_error="raise",  # a demo without records would show nothing
    )


def read_dates(model: keras.Model, encoding: Encoding, examples: Sequence[DateText]) -> list[str]:
    """Lets a model read dates: each character that it writes is its most probable next one.

    Args:
        model: A model of the demo.
        encoding: The one that the model was built for.
        examples: ``N`` dates; only their texts are looked at.

    Returns:
        ``N`` texts, in ISO 8601 if the model is right.
    """
    codes = tf.TensorSpec((None, None), tf.int32)

    @tf.function(input_signature=[codes, codes])
    def next_codes(source: Any, written: Any) -> Any:
        logits = model({"source": source, "decoder_input": written}, training=False)
        return tf.argmax(logits[:, -1], axis=-1, output_type=tf.int32)

    sources = encoding.sources(examples)
    lengths = (sources != PADDING).sum(axis=1)
    by_length = np.argsort(lengths, kind="stable")  # as for training: little padding
    written = np.full((len(sources), 1 + encoding.target_length), START, np.int32)
    for first in range(0, len(sources), _CHUNK):
        rows = by_length[first : first + _CHUNK]
        source = sources[rows, : lengths[rows].max()]
        for position in range(encoding.target_length):
            following = next_codes(source, written[rows, : position + 1])
            written[rows, position + 1] = following.numpy()
    return encoding.target.decode(written[:, 1:])


def exact_match(read: Sequence[str], examples: Sequence[DateText]) -> float:
    """Returns the share of dates that were read without any mistake."""
    return float(np.mean([text == e.iso for text, e in zip(read, examples, strict=True)]))


def _epochs(steps: int) -> int:
    """Returns into how many epochs of equal length to divide a training."""
    fitting = [n for n in range(1, _EPOCHS + 1) if steps % n == 0 and steps // n >= _EPOCH_STEPS]
    return max(fitting, default=1)


def _dataset(arrays: Arrays, batch_size: int, seed: int) -> tf.data.Dataset:
    codes = tf.TensorSpec((None, None), tf.int32)

    def feed() -> Iterator[tuple[dict[str, IntArray], IntArray]]:
        for batch in batches(arrays, batch_size, seed):
            yield batch.inputs, batch.target

    signature = ({"source": codes, "decoder_input": codes}, codes)
    return tf.data.Dataset.from_generator(feed, output_signature=signature).prefetch(2)
