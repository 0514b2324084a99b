from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tb_attention_training import seq2seq

from .conftest import A, B, C, Data, K, M, T, V, keras

Run = Callable[[Callable[[], Any]], Any]
EAGER: Run = lambda fn: fn()  # noqa: E731
IN_GRAPH: Run = lambda fn: tf.function(fn, autograph=False)()  # noqa: E731
everywhere = pytest.mark.parametrize("run", [EAGER, IN_GRAPH], ids=["eager", "graph"])


def make_cell(data: Data, mechanism: Any = None, **kwargs: Any) -> seq2seq.AttentionWrapper:
    mechanism = mechanism or seq2seq.LuongAttention(C)
    mechanism.setup_memory(data.memory, data.memory_lengths)
    kwargs = {"attention_layer_size": A, "alignment_history": True, **kwargs}
    return seq2seq.AttentionWrapper(keras.layers.LSTMCell(C), mechanism, **kwargs)


def start(cell: seq2seq.AttentionWrapper, data: Data) -> Any:
    return cell.zero_state(B, "float32").clone(cell_state=data.cell_state)


def decode_training(
    cell: Any, data: Data, lengths: Any, layer: Any = None, **kwargs: Any
) -> tuple[Any, Any, Any]:
    helper = seq2seq.TrainingHelper(tf.constant(data.inputs), lengths)
    decoder = seq2seq.BasicDecoder(cell, helper, start(cell, data), layer)
    return seq2seq.dynamic_decode(decoder, **kwargs)


# --------------------------------------------------------------------- training
@everywhere
@pytest.mark.parametrize(
    ("lengths", "steps"), [([11, 3, 0], 11), ([2, 5, 3], 5), ([0, 1, 0], 1), ([0, 0, 0], 0)]
)
def test_stops_when_the_last_row_ends(run: Run, lengths: list[int], steps: int, data: Data):
    cell = make_cell(data)
    dense = keras.layers.Dense(V)

    def decode() -> Any:
        # Not a constant of the graph, so that the number of steps is unknown while tracing.
        given = tf.identity(tf.constant(lengths))
        outputs, state, final_lengths = decode_training(cell, data, given, dense)
        return outputs, state.alignment_history.stack(), final_lengths

    outputs, history, final_lengths = run(decode)
    assert outputs.rnn_output.shape == (B, steps, V)
    assert outputs.sample_id.shape == (B, steps)
    assert history.shape == (steps, B, K)
    np.testing.assert_array_equal(final_lengths, lengths)
    np.testing.assert_allclose(np.asarray(history).sum(-1), 1, atol=1e-5)


@everywhere
def test_steps_are_those_of_a_loop_by_hand(run: Run, data: Data):
    cell = make_cell(data)
    outputs, state, _ = run(lambda: decode_training(cell, data, None))
    by_hand, rows = start(cell, data), []
    for t in range(T):
        output, by_hand = cell(data.inputs[:, t], by_hand)
        rows.append(by_hand.alignments)
        np.testing.assert_allclose(outputs.rnn_output[:, t], output, atol=2e-6)
    np.testing.assert_allclose(state.alignment_history.stack(), np.stack(rows), atol=2e-6)
    np.testing.assert_allclose(by_hand.alignment_history.stack(), np.stack(rows), atol=2e-6)
    np.testing.assert_allclose(state.cell_state[1], by_hand.cell_state[1], atol=2e-6)


def test_impute_freezes_state_and_zeros_outputs_but_not_the_history(data: Data):
    cell = make_cell(data, seq2seq.LuongMonotonicAttention(C))
    outputs, state, _ = decode_training(cell, data, [11, 3, 0], impute_finished=True)
    assert np.abs(outputs.rnn_output[1, :3]).min() > 0
    assert np.all(outputs.rnn_output[1, 3:] == 0)
    assert np.all(outputs.rnn_output[2] == 0)
    np.testing.assert_array_equal(state.cell_state[0][2], data.cell_state[0][2])
    short, short_state, _ = decode_training(cell, data, [3, 3, 3])
    np.testing.assert_allclose(state.attention[1], short_state.attention[1], atol=1e-6)
    history = np.asarray(state.alignment_history.stack())
    assert np.abs(history[5, 1] - history[9, 1]).max() > 0  # goes on with each step's input
    plain, plain_state, _ = decode_training(cell, data, [11, 3, 0])
    assert np.abs(plain.rnn_output[1, 3:]).min() > 0
    assert np.abs(plain_state.cell_state[0][2] - data.cell_state[0][2]).max() > 0.01
    np.testing.assert_allclose(plain.rnn_output[0], outputs.rnn_output[0], atol=1e-6)
    del short


@pytest.mark.parametrize("limit", [0, 1, 4, 99])
def test_maximum_iterations_bounds_the_steps(limit: int, data: Data):
    cell = make_cell(data)
    outputs, state, lengths = decode_training(
        cell, data, [11, 3, 0], maximum_iterations=limit, output_time_major=True
    )
    steps = min(limit, 11)
    assert outputs.rnn_output.shape == (steps, B, A)
    assert state.alignment_history.stack().shape == (steps, B, K)
    np.testing.assert_array_equal(lengths, np.minimum([11, 3, 0], steps))


def test_compiled_rows_after_the_end_are_zero(data: Data):
    cell = make_cell(data)
    dense = keras.layers.Dense(V)

    @tf.function(jit_compile=True)
    def decode(lengths: Any) -> Any:
        outputs, state, final_lengths = decode_training(cell, data, lengths, dense)
        return outputs.rnn_output, state.alignment_history.stack(), final_lengths

    logits, history, lengths = decode(tf.constant([4, 3, 0]))
    want, state, _ = decode_training(cell, data, [4, 3, 0], dense)
    assert logits.shape == (B, T, V)
    np.testing.assert_allclose(logits[:, :4], want.rnn_output, atol=5e-6)
    assert np.all(logits[:, 4:] == 0)
    assert np.all(history[4:] == 0)
    np.testing.assert_allclose(history[:4], state.alignment_history.stack(), atol=2e-6)
    np.testing.assert_array_equal(lengths, [4, 3, 0])


# -------------------------------------------------------------------- inference
class ChooseAt(keras.layers.Layer):
    """Makes logits that choose id 1 for row `b` in its `ends[b]`-th call, else id 5."""

    def __init__(self, ends: list[int]) -> None:
        super().__init__()
        self.ends = np.array(ends)
        self.calls = 0

    def call(self, inputs: Any) -> Any:
        self.calls += 1
        chosen = np.where(self.ends == self.calls, 1, 5)
        return keras.ops.one_hot(chosen, V)


@pytest.mark.parametrize(
    ("ends", "steps", "lengths"),
    [([2, 7, 4], 7, [2, 7, 4]), ([1, 1, 1], 1, [1, 1, 1]), ([2, 99, 1], 13, [2, 13, 1])],
)
def test_greedy_ends_with_each_rows_end_token(
    ends: list[int], steps: int, lengths: list[int], data: Data
):
    cell = make_cell(data)
    helper = seq2seq.GreedyEmbeddingHelper(data.embedding, np.full(B, 2), 1)
    decoder = seq2seq.BasicDecoder(cell, helper, start(cell, data), ChooseAt(ends))
    outputs, state, got = seq2seq.dynamic_decode(decoder, maximum_iterations=13)
    np.testing.assert_array_equal(got, lengths)
    assert outputs.sample_id.shape == (B, steps)
    assert state.alignment_history.stack().shape == (steps, B, K)
    for b in range(B):
        if ends[b] <= steps:
            assert outputs.sample_id[b, lengths[b] - 1] == 1


def test_greedy_feeds_the_embedding_of_what_it_chose(data: Data):
    cell, dense = make_cell(data), keras.layers.Dense(V)
    helper = seq2seq.GreedyEmbeddingHelper(data.embedding, np.full(B, 2), end_token=V)
    decoder = seq2seq.BasicDecoder(cell, helper, start(cell, data), dense)
    greedy, state, _ = seq2seq.dynamic_decode(decoder, maximum_iterations=5)
    ids = np.concatenate([np.full((B, 1), 2), greedy.sample_id[:, :-1]], axis=1)
    helper = seq2seq.TrainingHelper(data.embedding[ids])
    decoder = seq2seq.BasicDecoder(cell, helper, start(cell, data), dense)
    forced, forced_state, _ = seq2seq.dynamic_decode(decoder)
    np.testing.assert_allclose(greedy.rnn_output, forced.rnn_output, atol=1e-5)
    np.testing.assert_allclose(
        state.alignment_history.stack(), forced_state.alignment_history.stack(), atol=1e-5
    )


def test_sampling_follows_the_distribution(data: Data):
    logits = np.log(np.array([[0.7, 0.2, 0.1]] * 2000))
    helper = seq2seq.SampleEmbeddingHelper(data.embedding, np.zeros(2000, int), 1, seed=5)
    drawn = np.asarray(helper.sample(0, keras.ops.array(logits), None))
    np.testing.assert_allclose(np.bincount(drawn) / 2000, [0.7, 0.2, 0.1], atol=0.04)
    again = np.asarray(helper.sample(1, keras.ops.array(logits), None))
    assert np.any(drawn != again)
    cold = seq2seq.SampleEmbeddingHelper(
        data.embedding, np.zeros(2000, int), 1, softmax_temperature=0.01, seed=5
    )
    assert np.all(np.asarray(cold.sample(0, keras.ops.array(logits), None)) == 0)


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_scheduled_sampling_feeds_truth_or_draws(probability: float, data: Data):
    helper = seq2seq.ScheduledEmbeddingTrainingHelper(
        data.inputs, np.full(B, T), data.embedding, probability, seed=3
    )
    helper.initialize()
    ids = helper.sample(0, keras.ops.array(np.eye(B, V) * 1e3), None)
    _, inputs, _ = helper.next_inputs(0, None, None, ids)
    if probability:
        np.testing.assert_array_equal(ids, np.arange(B))
        np.testing.assert_array_equal(inputs, data.embedding[:B])
    else:
        np.testing.assert_array_equal(ids, -1)
        np.testing.assert_array_equal(inputs, data.inputs[:, 1])


# ------------------------------------------------------------------ beam search
W = 5


def beam_search(cell: Any, dense: Any, data: Data, width: int = W) -> tuple[Any, Any, Any]:
    mechanism = cell.attention_mechanism
    mechanism.setup_memory(
        seq2seq.tile_batch(data.memory, width), seq2seq.tile_batch(data.memory_lengths, width)
    )
    state = cell.zero_state(B * width, "float32")
    state = state.clone(cell_state=seq2seq.tile_batch(data.cell_state, width))
    decoder = seq2seq.BeamSearchDecoder(
        cell, data.embedding, np.full(B, 2), 1, state, width, dense, length_penalty_weight=0.6
    )
    return seq2seq.dynamic_decode(decoder, maximum_iterations=7)


@everywhere
def test_beams_and_their_history_are_what_teacher_forcing_gives(run: Run, data: Data):
    cell = make_cell(data, seq2seq.LuongMonotonicAttention(C, score_bias_init=-1.0))
    dense = keras.layers.Dense(V, kernel_initializer=keras.initializers.RandomNormal(stddev=2.0))
    outputs, state, lengths = run(lambda: beam_search(cell, dense, data))
    ids, lengths = np.asarray(outputs.predicted_ids), np.asarray(lengths)
    steps = ids.shape[1]
    history = np.asarray(state.cell_state.alignment_history.stack()).reshape(steps, B, W, K)
    parents = np.asarray(outputs.beam_search_decoder_output.parent_ids)
    assert np.mean(parents != np.arange(W)) > 0.2  # beams do change places here
    assert len({tuple(ids[0, :, w]) for w in range(W)}) == W
    cell.attention_mechanism.setup_memory(data.memory, data.memory_lengths)
    for w in range(W):
        fed = np.concatenate([np.full((B, 1), 2), ids[:, :-1, w]], axis=1)
        helper = seq2seq.TrainingHelper(data.embedding[fed])
        decoder = seq2seq.BasicDecoder(cell, helper, start(cell, data), dense)
        forced, forced_state, _ = seq2seq.dynamic_decode(decoder)
        log_probs = np.asarray(tf.nn.log_softmax(forced.rnn_output))
        rows = np.asarray(forced_state.alignment_history.stack())
        for b in range(B):
            n = lengths[b, w]
            np.testing.assert_allclose(history[:n, b, w], rows[:n, b], atol=1e-5)
            total = sum(log_probs[b, t, ids[b, t, w]] for t in range(n))
            np.testing.assert_allclose(state.log_probs[b, w], total, atol=1e-4)
            assert np.all(ids[b, n:, w] == 1)


def test_beams_are_sorted_and_one_beam_is_greedy(data: Data):
    cell, dense = make_cell(data), keras.layers.Dense(V)
    outputs, _, _ = beam_search(cell, dense, data)
    scores = np.asarray(outputs.beam_search_decoder_output.scores)
    assert np.all(np.diff(scores, axis=-1) <= 0)
    one, _, lengths = beam_search(cell, dense, data, width=1)
    cell.attention_mechanism.setup_memory(data.memory, data.memory_lengths)
    helper = seq2seq.GreedyEmbeddingHelper(data.embedding, np.full(B, 2), 1)
    decoder = seq2seq.BasicDecoder(cell, helper, start(cell, data), dense)
    greedy, _, _ = seq2seq.dynamic_decode(decoder, maximum_iterations=7)
    for b in range(B):
        n = int(lengths[b, 0])
        np.testing.assert_array_equal(one.predicted_ids[b, :n, 0], greedy.sample_id[b, :n])


def test_an_untiled_state_is_named(data: Data):
    cell = make_cell(data)
    decoder = seq2seq.BeamSearchDecoder(
        cell, data.embedding, np.full(B, 2), 1, start(cell, data), W
    )
    with pytest.raises(ValueError, match=r"3 \* 5 rows\. Received a tensor of shape \(3, 13\)"):
        seq2seq.dynamic_decode(decoder)


def test_beams_cannot_be_imputed(data: Data):
    decoder = seq2seq.BeamSearchDecoder(make_cell(data), beam_width=W)
    with pytest.raises(ValueError, match="impute_finished=False with BeamSearchDecoder"):
        seq2seq.dynamic_decode(decoder, impute_finished=True)


# -------------------------------------------------- spellings of TensorFlow Addons
def test_samplers_decode_as_helpers_do(data: Data):
    cell, dense = make_cell(data), keras.layers.Dense(V)
    decoder = seq2seq.BasicDecoder(cell, seq2seq.TrainingSampler(), dense)
    outputs, state, lengths = decoder(
        data.inputs, initial_state=start(cell, data), sequence_length=np.array([11, 3, 0])
    )
    want, want_state, want_lengths = decode_training(cell, data, [11, 3, 0], dense)
    np.testing.assert_array_equal(outputs.rnn_output, want.rnn_output)
    np.testing.assert_array_equal(lengths, want_lengths)
    np.testing.assert_array_equal(
        state.alignment_history.stack(), want_state.alignment_history.stack()
    )
    decoder = seq2seq.BasicDecoder(
        cell, sampler=seq2seq.GreedyEmbeddingSampler(), output_layer=dense, maximum_iterations=5
    )
    outputs, _, _ = decoder(
        data.embedding, start_tokens=np.full(B, 2), end_token=1, initial_state=start(cell, data)
    )
    assert outputs.sample_id.shape[0] == B


# ----------------------------------------------------------------- the wrapper
def test_several_mechanisms_stacked_cells_and_a_list_of_layers(data: Data):
    first, second = seq2seq.LuongAttention(C), seq2seq.BahdanauMonotonicAttention(5)
    for mechanism in (first, second):
        mechanism.setup_memory(data.memory, data.memory_lengths)
    cell = seq2seq.AttentionWrapper(
        [keras.layers.GRUCell(3), keras.layers.LSTMCell(C)],
        [first, second],
        attention_layer_size=[A, 2],
        alignment_history=True,
    )
    helper = seq2seq.TrainingHelper(data.inputs, data.lengths)
    decoder = seq2seq.BasicDecoder(cell, helper, cell.zero_state(B))
    outputs, state, _ = seq2seq.dynamic_decode(decoder)
    assert outputs.rnn_output.shape == (B, T, A + 2)
    assert [x.stack().shape for x in state.alignment_history] == [(T, B, K)] * 2
    assert [x.shape for x in keras.tree.flatten(state.cell_state)] == [(B, 3), (B, C), (B, C)]


def test_runs_inside_keras_rnn(data: Data):
    cell = make_cell(data, alignment_history=False)
    got = keras.layers.RNN(cell, return_sequences=True)(data.inputs)
    helper = seq2seq.TrainingHelper(data.inputs)
    want, _, _ = seq2seq.dynamic_decode(seq2seq.BasicDecoder(cell, helper, cell.zero_state(B)))
    np.testing.assert_allclose(got, want.rnn_output, atol=2e-6)


def test_one_layer_size_for_two_mechanisms_is_named():
    mechanisms = [seq2seq.LuongAttention(C), seq2seq.LuongAttention(C)]
    with pytest.raises(ValueError, match=r"2 mechanisms.*=17\. Pass a list of 2 items"):
        seq2seq.AttentionWrapper(keras.layers.LSTMCell(C), mechanisms, attention_layer_size=A)


def test_a_layer_instead_of_a_cell_is_named():
    with pytest.raises(TypeError, match=r"Pass the layer's cell \(layer.cell\)"):
        seq2seq.AttentionWrapper(keras.layers.LSTM(C), seq2seq.LuongAttention(C))


def test_clone_checks_shape_and_number(data: Data):
    cell = make_cell(data)
    with pytest.raises(ValueError, match=r"shape \(3, 13\)\. Received \(3, 5\)"):
        cell.zero_state(B).clone(cell_state=[np.zeros((B, 5)), np.zeros((B, 5))])
    with pytest.raises(ValueError, match="must hold 2 tensors"):
        cell.zero_state(B).clone(cell_state=np.zeros((B, C)))
    with pytest.raises(ValueError, match="unknown fields"):
        cell.zero_state(B).clone(cell=1)


def test_an_initial_cell_state_is_where_zero_state_starts(data: Data):
    cell = make_cell(data, initial_cell_state=data.cell_state)
    np.testing.assert_array_equal(cell.zero_state(B).cell_state[1], data.cell_state[1])


def test_no_history_without_asking(data: Data):
    cell = make_cell(data, alignment_history=False)
    _, state, _ = decode_training(cell, data, None)
    assert state.alignment_history == ()


def test_another_batch_than_the_memorys_is_named(data: Data):
    with pytest.raises(ValueError, match=r"memory of .*, 3\. Received: 15.*tile_batch"):
        make_cell(data).zero_state(15)


def test_gradients_reach_every_weight_and_the_memory(data: Data):
    mechanism = seq2seq.BahdanauAttention(M, normalize=True)
    cell = make_cell(data, mechanism)
    memory = tf.constant(data.memory)
    with tf.GradientTape() as tape:
        tape.watch(memory)
        mechanism.setup_memory(memory, data.memory_lengths)
        outputs, _, _ = decode_training(cell, data, None)
        loss = tf.reduce_sum(outputs.rnn_output**2)
    weights = [v.value for v in cell.trainable_variables]
    grads: Any = tape.gradient(loss, [*weights, memory])
    assert len(weights) == 9
    assert all(np.abs(g).max() > 0 for g in grads)
    assert np.all(grads[-1][1, 2:] == 0)
    assert np.abs(grads[-1][1, :2]).max() > 0


def test_dropout_draws_one_mask_per_sequence(data: Data):
    mechanism = seq2seq.LuongAttention(C)
    mechanism.setup_memory(data.memory)
    cell = seq2seq.AttentionWrapper(keras.layers.LSTMCell(C, dropout=0.5), mechanism)
    run = tf.function(lambda: decode_training(cell, data, None, training=True)[0].rnn_output)
    assert np.abs(run() - run()).max() > 0.01
    still, again = (decode_training(cell, data, None)[0].rnn_output for _ in range(2))
    np.testing.assert_array_equal(still, again)


def test_sequence_loss_counts_what_has_weight():
    logits = keras.ops.array(np.log([[[0.5, 0.5], [0.25, 0.75], [0.9, 0.1]]]), "float32")
    loss = seq2seq.sequence_loss(logits, [[0, 0, 0]], [[1.0, 1.0, 0.0]])
    np.testing.assert_allclose(loss, (np.log(2) + np.log(4)) / 2, rtol=1e-6)
    with pytest.raises(ValueError, match="averaged or summed"):
        seq2seq.sequence_loss(logits, [[0, 0, 0]], [[1.0, 1.0, 0.0]], sum_over_batch=True)
    with pytest.raises(ValueError, match=r"targets must have shape .* \(1, 3\)"):
        seq2seq.sequence_loss(logits, [[0, 0]], [[1.0, 1.0]])
