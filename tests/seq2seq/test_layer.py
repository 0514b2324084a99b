from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tb_attention_training import seq2seq

from .conftest import A, B, C, Data, E, K, M, T, U, V, keras

# Keras saves variables with np.array(x, copy=False) under its own breath.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)


def make_decoder(mechanism: Any = None, **kwargs: Any) -> seq2seq.AttentionDecoder:
    return seq2seq.AttentionDecoder(
        keras.layers.LSTMCell(C),
        mechanism or seq2seq.LuongAttention(C),
        A,
        output_layer=keras.layers.Dense(V),
        **kwargs,
    )


def make_model(mechanism: Any = None, **kwargs: Any) -> Any:
    source = keras.Input((None,), dtype="int32", name="source")
    target = keras.Input((None,), dtype="int32", name="target")
    embedded = keras.layers.Embedding(V, E, mask_zero=True)(source)
    memory, h, c = keras.layers.LSTM(C, return_sequences=True, return_state=True)(embedded)
    inputs = keras.layers.Embedding(V, E, mask_zero=True)(target)
    decoder = make_decoder(mechanism, name="decoder", **kwargs)
    logits, alignments = decoder(inputs, memory, initial_state=[h, c])
    return keras.Model([source, target], {"logits": logits, "alignments": alignments})


SOURCE = np.array([[1, 2, 3, 4, 5, 6, 7], [3, 2, 0, 0, 0, 0, 0], [9, 8, 7, 6, 5, 0, 0]])
TARGET = np.array([[1, 2, 3, 4, 5], [1, 7, 0, 0, 0], [1, 4, 3, 2, 0]])


def test_equals_dynamic_decode(data: Data):
    decoder = make_decoder()
    outputs, alignments = decoder(
        data.inputs,
        data.memory,
        memory_sequence_length=data.memory_lengths,
        initial_state=data.cell_state,
    )
    assert outputs.shape == (B, T, V)
    assert alignments.shape == (B, T, K)
    wrapper = decoder.wrapper
    assert not wrapper.attention_mechanism.memory_initialized  # nothing is left behind
    wrapper.attention_mechanism.setup_memory(data.memory, data.memory_lengths)
    wrapper.alignment_history = True
    state = wrapper.zero_state(B).clone(cell_state=data.cell_state)
    helper = seq2seq.TrainingHelper(data.inputs)
    basic = seq2seq.BasicDecoder(wrapper, helper, state, decoder.output_layer)
    want, final, _ = seq2seq.dynamic_decode(basic)
    np.testing.assert_allclose(outputs, want.rnn_output, atol=2e-6)
    history = np.asarray(final.alignment_history.stack())
    np.testing.assert_allclose(alignments, history.swapaxes(0, 1), atol=2e-6)


def test_a_functional_model_passes_masks_on():
    model = make_model()
    got = model.predict([SOURCE, TARGET], verbose=0)
    assert got["logits"].shape == (3, 5, V)
    alignments = got["alignments"]
    assert alignments.shape == (3, 5, 7)
    np.testing.assert_array_equal((alignments > 0).all(axis=1), SOURCE > 0)
    np.testing.assert_allclose(alignments.sum(-1), 1, atol=1e-5)
    symbolic = model.get_layer("decoder").output
    assert [x.shape for x in symbolic] == [(None, None, V), (None, None, None)]
    np.testing.assert_array_equal(
        model.get_layer("decoder").compute_mask(None, [TARGET > 0, None]).outputs, TARGET > 0
    )


@pytest.mark.parametrize("jit_compile", [False, True])
def test_learns_to_copy(jit_compile: bool):
    random = np.random.default_rng(0)
    words = random.integers(2, V, size=(64, 5))
    shifted = np.concatenate([np.ones((64, 1), int), words[:, :-1]], axis=1)
    model = make_model(seq2seq.BahdanauAttention(U))
    trained = keras.Model(model.inputs, model.output["logits"])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trained.compile(keras.optimizers.Adam(0.05), loss, jit_compile=jit_compile)
    before = trained.evaluate([words, shifted], words, verbose=0)
    history = trained.fit([words, shifted], words, epochs=20, batch_size=32, verbose=0)
    assert history.history["loss"][-1] < 0.75 * before
    assert len(trained.trainable_variables) == 14


MECHANISMS = {
    "luong": lambda: seq2seq.LuongAttention(C, scale=True),
    "monotonic": lambda: seq2seq.BahdanauMonotonicAttention(U, normalize=True, mode="recursive"),
    "location": lambda: seq2seq.LocationSensitiveAttention(U, filters=3, kernel_size=5),
}


@pytest.mark.parametrize("kind", MECHANISMS)
def test_saves_and_loads(kind: str, tmp_path: Path):
    model = make_model(MECHANISMS[kind]())
    want = model.predict([SOURCE, TARGET], verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    got = loaded.predict([SOURCE, TARGET], verbose=0)
    np.testing.assert_array_equal(got["logits"], want["logits"])
    np.testing.assert_array_equal(got["alignments"], want["alignments"])


def test_a_list_of_mechanisms_gives_a_tuple_of_alignments(data: Data, tmp_path: Path):
    mechanisms = [seq2seq.LuongAttention(C), seq2seq.BahdanauAttention(U)]
    decoder = seq2seq.AttentionDecoder(keras.layers.GRUCell(C), mechanisms, [A, 2])
    inputs, memory = keras.Input((T, E)), keras.Input((K, M))
    outputs, (first, second) = decoder(inputs, memory)
    assert outputs.shape == (None, T, A + 2)
    assert first.shape == second.shape == (None, T, K)
    model = keras.Model([inputs, memory], [outputs, second])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for want, got in zip(
        model.predict([data.inputs, data.memory], verbose=0),
        loaded.predict([data.inputs, data.memory], verbose=0),
        strict=True,
    ):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("kind", MECHANISMS)
def test_mixed_precision_keeps_alignments_in_float32(policy: str, kind: str, data: Data):
    keras.config.set_dtype_policy(policy)
    decoder = make_decoder(MECHANISMS[kind]())
    arguments = {"memory_sequence_length": data.memory_lengths}
    half, alignments = decoder(data.inputs, data.memory, **arguments)
    assert keras.backend.standardize_dtype(half.dtype) == policy.removeprefix("mixed_")
    assert alignments.dtype == tf.float32
    assert np.isfinite(np.asarray(alignments)).all()
    assert np.all(np.asarray(alignments)[1, :, 2:] == 0)
    keras.config.set_dtype_policy("float32")
    full = make_decoder(MECHANISMS[kind]())
    full.build(data.inputs.shape, data.memory.shape)
    full.set_weights(decoder.get_weights())
    _, exact = full(data.inputs, data.memory, **arguments)
    np.testing.assert_allclose(alignments, exact, atol=0.1)


def test_greedy_equals_forcing_what_it_chose(data: Data):
    decoder = make_decoder()
    memory = {"memory": data.memory, "memory_sequence_length": data.memory_lengths}
    decoder(data.inputs, **memory)
    got = decoder.greedy(data.embedding, np.full(B, 2), V, **memory, maximum_iterations=5)
    assert got.sample_id.shape == (B, 5)
    np.testing.assert_array_equal(got.lengths, 5)
    fed = np.concatenate([np.full((B, 1), 2), got.sample_id[:, :-1]], axis=1)
    logits, alignments = decoder(data.embedding[fed], **memory)
    np.testing.assert_allclose(got.outputs, logits, atol=1e-5)
    np.testing.assert_allclose(got.alignments, alignments, atol=1e-5)


def test_lengths_and_an_attached_mask_both_hold():
    memory = keras.layers.Embedding(V, M, mask_zero=True)(SOURCE)
    decoder = make_decoder()
    inputs = np.ones((3, 2, E), "float32")
    _, alignments = decoder(inputs, memory, memory_sequence_length=np.array([4, 7, 7]))
    want = (SOURCE > 0) & (np.arange(7) < np.array([[4], [7], [7]]))
    np.testing.assert_array_equal((np.asarray(alignments) > 0).all(axis=1), want)


def test_noise_follows_the_model_that_is_called(data: Data):
    class Noisy(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.attention = seq2seq.LuongMonotonicAttention(C, sigmoid_noise=2.0)
            self.cell = seq2seq.AttentionWrapper(keras.layers.LSTMCell(C), self.attention)

        def call(self, inputs: Any) -> Any:
            self.attention.setup_memory(data.memory)
            helper = seq2seq.TrainingHelper(inputs)
            decoder = seq2seq.BasicDecoder(self.cell, helper, self.cell.zero_state(B))
            return seq2seq.dynamic_decode(decoder)[0].rnn_output

    model = Noisy()
    np.testing.assert_array_equal(model(data.inputs), model(data.inputs))
    first, second = (model(data.inputs, training=True) for _ in range(2))
    assert np.abs(first - second).max() > 0.01


class Translator(keras.Model):
    """The classic parts in a subclassed model: memory set inside `call`."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = keras.layers.LSTM(C, return_sequences=True, return_state=True)
        self.attention = seq2seq.LuongMonotonicAttention(num_units=C)
        self.cell = seq2seq.AttentionWrapper(
            keras.layers.LSTMCell(C), self.attention, attention_layer_size=A, alignment_history=True
        )
        self.dense = keras.layers.Dense(V)

    def call(self, inputs: Any) -> Any:
        source, target = inputs
        memory, h, c = self.encoder(source)
        self.attention.setup_memory(memory)
        state = self.cell.zero_state(tf.shape(source)[0], tf.float32).clone(cell_state=[h, c])
        helper = seq2seq.TrainingHelper(target)
        decoder = seq2seq.BasicDecoder(self.cell, helper, state, self.dense)
        outputs, final_state, _ = seq2seq.dynamic_decode(decoder)
        self.seen = final_state.alignment_history.stack().shape
        return outputs.rnn_output


def test_a_subclassed_model_trains(data: Data):
    model = Translator()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.05), loss)
    words = np.tile(np.arange(T), (B, 1))
    history = model.fit([data.memory, data.inputs], words, epochs=12, verbose=0)
    assert history.history["loss"][-1] < 0.8 * history.history["loss"][0]
    assert len(model.trainable_variables) == 3 + 3 + 2 + 1 + 2
