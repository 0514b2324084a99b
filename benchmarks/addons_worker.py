"""The peer of `bench_seq2seq`: TensorFlow Addons on TensorFlow 2.14, in an environment of its own.

Reads a line of JSON for each request from stdin and answers with one on stdout:
`{"make": [mechanism, T, history]}` builds and warms a model up, `{"step": [mechanism, T, history]}`
runs one training step. The answer is `{"ms": milliseconds}`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TFA_WARN", "0")

import seq2seq_sizes as sizes
import tensorflow as tf
import tensorflow_addons as tfa  # pyright: ignore[reportMissingImports]  # in the peer's environment

keras: Any = tf.keras  # pyright: ignore[reportAttributeAccessIssue]


def training_step(mechanism: str, steps: int, history: bool) -> Callable[[], Any]:
    """One step of Adam, compiled by `tf.function`; the same model as in `bench_seq2seq`."""
    embedding = keras.layers.Embedding(sizes.VOCABULARY, sizes.EMBEDDING)
    encoder = keras.layers.LSTM(sizes.UNITS, return_sequences=True, return_state=True)
    kinds = {
        "Luong": tfa.seq2seq.LuongAttention,
        "monotonic": tfa.seq2seq.LuongMonotonicAttention,
    }
    attention = kinds[mechanism](sizes.UNITS)
    cell = tfa.seq2seq.AttentionWrapper(
        keras.layers.LSTMCell(sizes.UNITS),
        attention,
        attention_layer_size=sizes.UNITS,
        alignment_history=history,
    )
    output_layer = keras.layers.Dense(sizes.VOCABULARY)
    decoder = tfa.seq2seq.BasicDecoder(cell, tfa.seq2seq.TrainingSampler(), output_layer)
    optimizer = keras.optimizers.Adam(1e-3)
    source, target, labels = (tf.constant(ids) for ids in sizes.batch(steps))
    lengths = tf.fill([sizes.BATCH], steps)

    def step() -> Any:
        with tf.GradientTape() as tape:
            memory, h, c = encoder(embedding(source))
            attention.setup_memory(memory, memory_sequence_length=lengths)
            state = cell.get_initial_state(batch_size=sizes.BATCH, dtype=tf.float32)
            state = state.clone(cell_state=[h, c])
            outputs, final_state, _ = decoder(
                embedding(target), initial_state=state, sequence_length=lengths, training=True
            )
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                labels=labels, logits=outputs.rnn_output
            )
            loss = tf.reduce_mean(losses)
        variables = tape.watched_variables()
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return (loss, final_state.alignment_history.stack()) if history else (loss,)

    compiled = tf.function(step)
    return lambda: [one.numpy() for one in compiled()]


def main() -> None:
    """Answers requests until stdin ends."""
    made: dict[tuple[Any, ...], Callable[[], Any]] = {}
    for line in sys.stdin:
        [(what, key)] = json.loads(line).items()
        started = time.perf_counter()
        if what == "make":
            made[tuple(key)] = training_step(*key)
        made[tuple(key)]()
        print(json.dumps({"ms": (time.perf_counter() - started) * 1e3}), flush=True)


if __name__ == "__main__":
    main()
