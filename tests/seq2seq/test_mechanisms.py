from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tb_attention_training import seq2seq

from .conftest import B, C, Data, K, M, U, keras

ALL = [
    seq2seq.LuongAttention,
    seq2seq.BahdanauAttention,
    seq2seq.LuongMonotonicAttention,
    seq2seq.BahdanauMonotonicAttention,
    seq2seq.LocationSensitiveAttention,
]


def softmax(x: Any) -> Any:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def test_luong_is_a_softmax_of_dot_products(data: Data):
    mechanism = seq2seq.LuongAttention(C, data.memory, data.memory_lengths)
    alignments, state = mechanism(data.query, mechanism.initial_state(B))
    values = data.memory.copy()
    values[1, 2:] = values[2, 5:] = 0
    keys = values @ mechanism.memory_layer.kernel.numpy()
    score = np.einsum("bu,bku->bk", data.query, keys)
    score[1, 2:] = score[2, 5:] = -np.inf
    np.testing.assert_allclose(alignments, softmax(score), atol=1e-6)
    np.testing.assert_array_equal(state, alignments)
    np.testing.assert_allclose(
        mechanism.context(alignments), np.einsum("bk,bkm->bm", softmax(score), values), atol=1e-6
    )


@pytest.mark.parametrize("kind", ALL)
def test_masked_positions_get_exactly_nothing(kind: Any, data: Data):
    mechanism = kind(C)
    mechanism.setup_memory(data.memory, data.memory_lengths)
    state = mechanism.initial_state(B)
    for _ in range(2):
        alignments, state = mechanism(data.query, state)
        assert alignments.shape == (B, K)
        assert np.all(np.asarray(alignments)[1, 2:] == 0)
        assert np.all(np.asarray(alignments)[0] > 0)


@pytest.mark.parametrize("kind", ALL)
def test_a_mask_equals_lengths(kind: Any, data: Data):
    mechanism = kind(C)
    mechanism.setup_memory(data.memory, data.memory_lengths)
    state = mechanism.initial_state(B)
    by_lengths, _ = mechanism(data.query, state)
    mask = np.arange(K) < data.memory_lengths[:, None]
    mechanism.setup_memory(data.memory, memory_mask=mask)
    by_mask, _ = mechanism(data.query, state)
    np.testing.assert_array_equal(by_lengths, by_mask)


@pytest.mark.parametrize("kind", ALL)
def test_config_makes_the_same_mechanism(kind: Any, data: Data):
    mechanism = kind(C, name="here")
    again = kind.from_config(mechanism.get_config())
    assert again.get_config() == mechanism.get_config()
    for each in (mechanism, again):
        each.build_memory(M)
        each.build((None, C))
    again.set_weights(mechanism.get_weights())
    mechanism.setup_memory(data.memory)
    again.setup_memory(data.memory)
    state = mechanism.initial_state(B)
    np.testing.assert_array_equal(mechanism(data.query, state)[0], again(data.query, state)[0])


def test_a_mask_attached_by_keras_is_used():
    ids = np.array([[3, 4, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 0, 0], [2, 2, 2, 2, 2, 2, 2]])
    memory = keras.layers.Embedding(7, M, mask_zero=True)(ids)
    mechanism = seq2seq.BahdanauAttention(U, memory)
    alignments, _ = mechanism(np.ones((B, C), "float32"), mechanism.initial_state(B))
    np.testing.assert_array_equal(np.asarray(alignments) > 0, ids > 0)


def test_hardmax_takes_the_first_of_equals():
    got = seq2seq.hardmax(keras.ops.array([[1.0, 5.0, 5.0], [7.0, 7.0, 7.0]]))
    np.testing.assert_array_equal(got, [[0, 1, 0], [1, 0, 0]])


def test_a_callable_makes_the_probabilities(data: Data):
    def halved(score: Any) -> Any:
        return score / 2

    mechanism = seq2seq.LuongAttention(C, data.memory, probability_fn=halved)
    state = mechanism.initial_state(B)
    alignments, _ = mechanism(data.query, state)
    score = mechanism.score(data.query, mechanism.memory)
    np.testing.assert_allclose(alignments, score / 2)


def test_both_spellings_of_units():
    assert seq2seq.LuongAttention(num_units=5).units == 5
    assert seq2seq.BahdanauAttention(units=5).units == 5
    with pytest.raises(ValueError, match=r"two names of the same argument.*units=5, num_units=7"):
        seq2seq.LuongAttention(units=5, num_units=7)


# ------------------------------------------------------------------- monotonic
def test_monotonic_by_hand():
    p = keras.ops.array([[0.5, 0.25, 1.0]])
    previous = keras.ops.array([[0.5, 0.5, 0.0]])
    # q = [0.5, 0.5 * 0.5 + 0.5, 0.75 * 0.75], a = p q
    want = [[0.25, 0.1875, 0.5625]]
    for mode in ("recursive", "parallel"):
        np.testing.assert_allclose(
            seq2seq.monotonic_attention(p, previous, mode), want, atol=1e-6, err_msg=mode
        )


def test_hard_monotonic_stops_at_the_first_chosen_after_the_last():
    p = keras.ops.array([[1.0, 0.0, 1.0, 1.0], [1.0, 0.0, 0.0, 0.0]])
    previous = keras.ops.array([[0.0, 1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]])
    got = seq2seq.monotonic_attention(p, previous, "hard")
    np.testing.assert_array_equal(got, [[0, 0, 1, 0], [0, 0, 0, 0]])


def test_recursive_is_the_recursion(data: Data):
    random = np.random.default_rng(1)
    p, previous = random.uniform(size=(2, 5, 37))
    q, want = np.zeros(5), np.zeros((5, 37))
    for j in range(37):
        q = (1 - p[:, j - 1] if j else 1) * q + previous[:, j]
        want[:, j] = p[:, j] * q
    got = seq2seq.monotonic_attention(
        keras.ops.array(p, "float32"), keras.ops.array(previous, "float32"), "recursive"
    )
    np.testing.assert_allclose(got, want, atol=2e-6)


def test_recursive_with_an_unknown_number_of_positions():
    import tensorflow as tf

    spec = tf.TensorSpec([None, None])
    recursive = tf.function(
        lambda p, previous: seq2seq.monotonic_attention(p, previous, "recursive"),
        input_signature=[spec, spec],
    )
    got = recursive([[0.5, 0.25, 1.0]], [[0.5, 0.5, 0.0]])
    np.testing.assert_allclose(got, [[0.25, 0.1875, 0.5625]])


def test_noise_belongs_to_training(data: Data):
    mechanism = seq2seq.LuongMonotonicAttention(
        C, data.memory, sigmoid_noise=1.0, sigmoid_noise_seed=3
    )
    silent = seq2seq.LuongMonotonicAttention(C)
    silent.build_memory(M)
    silent.set_weights(mechanism.get_weights())
    silent.setup_memory(data.memory)
    state = mechanism.initial_state(B)
    quiet = silent(data.query, state)[0]
    np.testing.assert_array_equal(mechanism(data.query, state)[0], quiet)
    np.testing.assert_array_equal(mechanism(data.query, state, training=False)[0], quiet)
    first = np.asarray(mechanism(data.query, state, training=True)[0])
    second = np.asarray(mechanism(data.query, state, training=True)[0])
    assert np.abs(first - quiet).max() > 0.01
    assert np.abs(first - second).max() > 0.01


def test_monotonic_starts_at_the_first_position(data: Data):
    mechanism = seq2seq.BahdanauMonotonicAttention(U, data.memory)
    want = np.zeros((B, K))
    want[:, 0] = 1
    np.testing.assert_array_equal(mechanism.initial_state(B), want)


# -------------------------------------------------------------------- location
@pytest.mark.parametrize("cumulate", [True, False])
def test_location_sensitive_by_hand(cumulate: bool, data: Data):
    mechanism = seq2seq.LocationSensitiveAttention(
        U, data.memory, filters=2, kernel_size=3, cumulate=cumulate
    )
    mechanism.build((None, C))
    mechanism.attention_b.assign(np.linspace(-1, 1, U))
    state = np.linspace(0, 1, B * K).reshape(B, K).astype("float32")
    alignments, after = mechanism(data.query, state)
    kernel = mechanism.location_convolution.kernel.numpy()[:, 0]  # [3, F]
    padded = np.pad(state, [(0, 0), (1, 1)])
    features: Any = sum(padded[:, i : i + K, None] * kernel[i] for i in range(3))
    energy = (
        data.memory @ mechanism.memory_layer.kernel.numpy()
        + (data.query @ mechanism.query_layer.kernel.numpy())[:, None]
        + features @ mechanism.location_layer.kernel.numpy()
        + mechanism.attention_b.numpy()
    )
    want = softmax(np.tanh(energy) @ mechanism.attention_v.numpy())
    np.testing.assert_allclose(alignments, want, atol=2e-6)
    np.testing.assert_allclose(after, state + want if cumulate else want, atol=2e-6)


# ------------------------------------------------------------------- bad input
def test_a_length_of_zero_is_named(data: Data):
    with pytest.raises(ValueError, match=r"at least 1 .* Received 0 for example 1.*Drop empty"):
        seq2seq.LuongAttention(C, data.memory, np.array([7, 0, 5]))


def test_a_length_beyond_the_memory_is_named(data: Data):
    with pytest.raises(ValueError, match=r"positions \(7\)\. Received 8 for example 2"):
        seq2seq.LuongAttention(C, data.memory, np.array([7, 1, 8]))


def test_a_length_beyond_the_memory_is_named_in_a_graph(data: Data):
    import tensorflow as tf

    mechanism = seq2seq.LuongAttention(C)
    mechanism.build_memory(M)

    @tf.function
    def keys(lengths: Any) -> Any:
        mechanism.setup_memory(data.memory, lengths)
        return mechanism.keys

    keys(tf.constant([7, 1, 7]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least 1 and at most"):
        keys(tf.constant([7, 1, 8]))


def test_mask_and_lengths_exclude_each_other(data: Data):
    mask = np.ones((B, K), bool)
    with pytest.raises(ValueError, match="Pass one of them"):
        seq2seq.LuongAttention(C, data.memory, data.memory_lengths, memory_mask=mask)


def test_a_mask_of_another_shape_is_named(data: Data):
    with pytest.raises(ValueError, match=r"\(3, 7\)\. Received shape \(3, 5\)"):
        seq2seq.LuongAttention(C, data.memory, memory_mask=np.ones((3, 5), bool))


def test_a_query_that_does_not_fit_is_named(data: Data):
    mechanism = seq2seq.LuongAttention(11, data.memory)
    with pytest.raises(ValueError, match=r"units=11.*Received depth 13\. Use units=13"):
        mechanism(data.query, mechanism.initial_state(B))


def test_a_memory_never_set_is_named(data: Data):
    mechanism = seq2seq.BahdanauAttention(U, name="attention")
    with pytest.raises(ValueError, match=r"attention has no memory yet.*setup_memory"):
        mechanism.initial_state(B)


def test_a_symbolic_memory_is_named():
    with pytest.raises(ValueError, match="use AttentionDecoder"):
        seq2seq.LuongAttention(C, keras.Input((K, M)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "units must be a positive integer. Received: units=None"),
        ({"units": 0}, "Received: units=0"),
        ({"units": 5, "probability_fn": "sparsemax"}, "'sparsemax'"),
        ({"units": 5, "memory_sequence_length": [3]}, "memory is None"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        seq2seq.LuongAttention(**arguments)


def test_a_bad_mode_is_named():
    with pytest.raises(ValueError, match="mode='soft'"):
        seq2seq.LuongMonotonicAttention(C, mode="soft")
