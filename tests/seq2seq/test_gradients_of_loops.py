"""What a traced loop computes behind itself equals what a step-by-step loop computes inside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tb_attention_training import seq2seq

from .conftest import A, B, C, Data, V, keras

MECHANISMS: dict[str, Callable[[], Any]] = {
    "Luong": lambda: seq2seq.LuongAttention(C, scale=True),
    "Bahdanau": lambda: seq2seq.BahdanauAttention(C, normalize=True),
    "monotonic": lambda: seq2seq.LuongMonotonicAttention(C),
    "several": lambda: [seq2seq.LuongAttention(C), seq2seq.BahdanauMonotonicAttention(C)],
}


class _Model:
    """A decoder whose loss depends on everything it returns."""

    def __init__(self, kind: str, data: Data, layer: Any, **decoding: Any) -> None:
        self.mechanism = MECHANISMS[kind]()
        several = isinstance(self.mechanism, list)
        size = [A] * len(self.mechanism) if several else A
        self.cell = seq2seq.AttentionWrapper(
            keras.layers.LSTMCell(C),
            self.mechanism,
            attention_layer_size=size,
            alignment_history=True,
        )
        self.data, self.layer, self.decoding = data, layer, decoding

    def decode(self, memory: Any, lengths: Any, training: bool) -> Any:
        for mechanism in self.cell.mechanisms:
            mechanism.setup_memory(memory, self.data.memory_lengths)
        state = self.cell.zero_state(B, "float32").clone(cell_state=self.data.cell_state)
        helper = seq2seq.TrainingHelper(tf.constant(self.data.inputs), lengths)
        decoder = seq2seq.BasicDecoder(self.cell, helper, state, self.layer)
        return seq2seq.dynamic_decode(decoder, training=training, **self.decoding)

    def loss(self, memory: Any, lengths: Any, training: bool) -> Any:
        outputs, state, _ = self.decode(memory, lengths, training)
        history = state.alignment_history
        histories = history if isinstance(self.mechanism, list) else [history]
        loss = tf.reduce_sum(tf.square(outputs.rnn_output)) + tf.reduce_sum(state.attention)
        for one in histories:
            loss += tf.reduce_sum(tf.sin(3.0 * one.stack()))
        return loss

    def gradients(self, memory: Any, lengths: Any, training: bool = True) -> list[Any]:
        with tf.GradientTape() as tape:
            tape.watch(memory)
            loss = self.loss(memory, lengths, training)
        sources = [memory, *self.cell.trainable_variables]
        if isinstance(self.layer, keras.layers.Layer):
            sources += self.layer.trainable_variables
        return [loss, *tape.gradient(loss, sources)]

    def second_order(self, memory: Any, lengths: Any) -> Any:
        """Gradient of the squared norm of the memory's gradient."""
        with tf.GradientTape() as outer:
            outer.watch(memory)
            with tf.GradientTape() as tape:
                tape.watch(memory)
                loss = self.loss(memory, lengths, training=True)
            norm = tf.reduce_sum(tf.square(tape.gradient(loss, memory)))
        return outer.gradient(norm, memory)


@pytest.mark.parametrize("jit", [False, True], ids=["graph", "jit"])
@pytest.mark.parametrize("impute", [False, True], ids=["plain", "imputed"])
@pytest.mark.parametrize("kind", MECHANISMS)
def test_gradients_are_those_of_eager_steps(kind: str, impute: bool, jit: bool, data: Data):
    model = _Model(kind, data, keras.layers.Dense(V), impute_finished=impute)
    memory, lengths = tf.constant(data.memory), tf.constant([11, 3, 5])
    expected = model.gradients(memory, lengths)
    compiled: Any = tf.function(model.gradients, autograph=False, jit_compile=jit)
    received = compiled(memory, lengths)
    assert len(received) == len(expected) > 8
    for one, other in zip(received, expected, strict=True):
        scale = max(1.0, float(np.abs(other).max()))
        np.testing.assert_allclose(one / scale, other / scale, atol=2e-6)


@pytest.mark.parametrize(
    "limits",
    [{}, {"maximum_iterations": 4}, {"maximum_iterations": 99}],
    ids=["by lengths", "stopped", "never reached"],
)
@pytest.mark.parametrize("lengths", [[7, 3, 0], [1, 1, 1]])
def test_gradients_where_the_number_of_steps_is_unknown(
    lengths: list[int], limits: dict[str, int], data: Data
):
    model = _Model("Luong", data, keras.layers.Dense(V), **limits)
    memory = tf.constant(data.memory)
    expected = model.gradients(memory, tf.constant(lengths))
    signature = [tf.TensorSpec(data.memory.shape), tf.TensorSpec([B], tf.int32)]
    compiled: Any = tf.function(model.gradients, autograph=False, input_signature=signature)
    for one, other in zip(compiled(memory, tf.constant(lengths)), expected, strict=True):
        scale = max(1.0, float(np.abs(other).max()))
        np.testing.assert_allclose(one / scale, other / scale, atol=2e-6)


def test_second_order_gradients(data: Data):
    model = _Model("Luong", data, None, maximum_iterations=3)
    memory, lengths = tf.constant(data.memory), tf.constant([3, 3, 2])
    expected = np.asarray(model.second_order(memory, lengths))
    compiled: Any = tf.function(model.second_order, autograph=False)
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(compiled(memory, lengths), expected, rtol=1e-4, atol=1e-5)


def test_no_gradient_of_the_memory_is_added_up_inside_the_loop(data: Data):
    """The reason for all this: no tensor of the memory's size in the loop of the gradients."""
    model = _Model("Luong", data, None)
    memory, lengths = tf.constant(data.memory), tf.constant([11, 3, 5])

    def additions(training: bool) -> int:
        function: Any = tf.function(model.gradients, autograph=False)
        graph = function.get_concrete_function(memory, lengths, training).graph
        memory_sizes = [(B, data.memory.shape[1], C), data.memory.shape]
        bodies = [
            graph._get_function(node.get_attr("body").name).graph
            for node in graph.get_operations()
            if node.type in ("While", "StatelessWhile")
        ]
        assert len(bodies) == 2  # the decoder and its gradient
        return sum(
            node.type in ("AddN", "AddV2") and tuple(node.outputs[0].shape) in memory_sizes
            for body in bodies
            for node in body.get_operations()
        )

    assert additions(training=False) == 2  # keys and values
    assert additions(training=True) == 0


class _Doubled(seq2seq.BasicDecoder):
    """Does something with each step's logits, so they must be there."""

    def step(self, time: Any, inputs: Any, state: Any, training: Any = None) -> Any:
        outputs, *rest = super().step(time, inputs, state, training)
        return (outputs._replace(rnn_output=2.0 * outputs.rnn_output), *rest)


def _across_examples(outputs: Any) -> Any:
    return tf.nn.softmax(outputs, axis=0)


@pytest.mark.parametrize(
    "layer",
    [
        None,
        _across_examples,
        keras.layers.BatchNormalization(),
        keras.layers.Dense(V, activation="softmax"),
    ],
    ids=["none", "function", "batch normalization", "dense"],
)
@pytest.mark.parametrize("impute", [False, True], ids=["plain", "imputed"])
@pytest.mark.parametrize("decoder_class", [seq2seq.BasicDecoder, _Doubled])
def test_outputs_are_those_of_eager_steps(
    decoder_class: type[Any], impute: bool, layer: Any, data: Data
):
    model = _Model("Luong", data, layer)

    def decode(lengths: Any) -> Any:
        model.mechanism.setup_memory(data.memory, data.memory_lengths)
        state = model.cell.zero_state(B, "float32").clone(cell_state=data.cell_state)
        helper = seq2seq.TrainingHelper(tf.constant(data.inputs), lengths)
        decoder = decoder_class(model.cell, helper, state, layer)
        outputs, _, ends = seq2seq.dynamic_decode(decoder, impute_finished=impute, training=True)
        return outputs, ends

    lengths = tf.constant([5, 3, 0])
    expected, expected_ends = decode(lengths)
    compiled: Any = tf.function(decode, autograph=False)
    received, ends = compiled(lengths)
    np.testing.assert_allclose(received.rnn_output, expected.rnn_output, atol=2e-6)
    np.testing.assert_array_equal(received.sample_id, expected.sample_id)
    np.testing.assert_array_equal(ends, expected_ends)
