"""What is captured from which source, on every backend of Keras.

Here they run on the backend at hand; `tests/matrix` runs them on the others.
"""

# pyright: reportMissingImports=false
# JAX and PyTorch are no dependencies of the development environment.

from __future__ import annotations

import re
import threading
from typing import Any

import capture_models as models
import keras
import numpy as np
import pytest
from capture_models import HEADS, KEY_DIM, UNITS, VOCABULARY, B, K, Q, layers
from tb_attention_training import AttentionWarning, attention_maps, record_attention, seq2seq, tap
from tb_attention_training.capture import keras_private
from tb_attention_training.capture.maps import LayerAttention, mask_seen_in
from tb_attention_training.capture.probe import AttentionProbe

TOLERANCE = 1e-6


def to_numpy(tensor: Any) -> Any:
    return np.asarray(tensor.detach() if keras.backend.backend() == "torch" else tensor)


def capture(model: Any, inputs: Any, **kwargs: Any) -> dict[str, LayerAttention]:
    return {one.layer: one for one in AttentionProbe(model, inputs, **kwargs).capture()}


def valid_rows(ids: Any) -> Any:
    """`[B, 1, Q, 1]`: rows of padding attend to nothing, or equally, depending on the kernel."""
    return (ids > 0)[:, None, :, None]


def normal(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def softmax(scores: Any) -> Any:
    exponentials = np.exp(scores - scores.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)


def lengths(ids: Any) -> list[int]:
    return (ids > 0).sum(axis=1).tolist()


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_multi_head_attention_equals_its_own_scores(dropout: float) -> None:
    inputs = [models.source(), models.target()]
    found = capture(models.transformer(dropout=dropout), inputs)
    with_scores = models.transformer(dropout=dropout, return_scores=True)
    _, encoder, causal, cross = (to_numpy(x) for x in with_scores(inputs, training=False))
    assert sorted(found) == ["causal_attention", "cross_attention", "encoder_attention"]
    for name, expected, ids in (
        ("encoder_attention", encoder, inputs[0]),
        ("causal_attention", causal, inputs[1]),
        ("cross_attention", cross, inputs[1]),
    ):
        rows = valid_rows(ids)
        np.testing.assert_allclose(found[name].weights * rows, expected * rows, atol=TOLERANCE)
        assert found[name].weights.dtype == np.float32
    assert found["cross_attention"].weights.shape == (B, HEADS, Q, K)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_masks_give_lengths_and_causality(dropout: float) -> None:
    source, target = models.source(), models.target()
    found = capture(models.transformer(dropout=dropout), [source, target])
    for name, queries, keys, causal in (
        ("encoder_attention", source, source, False),
        ("causal_attention", target, target, True),
        ("cross_attention", target, source, False),
    ):
        one = found[name]
        assert one.query_lengths is not None
        assert one.key_lengths is not None
        assert one.query_lengths.tolist() == lengths(queries)
        assert one.key_lengths.tolist() == lengths(keys)
        assert one.causal is causal


def test_decoder_alignments_equal_what_the_decoder_returns() -> None:
    inputs = [models.source(), models.target()]
    found = capture(models.decoder(), inputs)
    expected = to_numpy(models.decoder(alignments=True)(inputs))
    assert list(found) == ["decoder/luong_attention"]
    one = found["decoder/luong_attention"]
    assert one.weights.shape == (B, 1, Q, K)
    np.testing.assert_allclose(one.weights[:, 0], expected, atol=TOLERANCE)
    assert one.key_lengths is not None
    assert one.key_lengths.tolist() == lengths(inputs[0])
    assert one.query_lengths is not None
    assert one.query_lengths.tolist() == lengths(inputs[1])


class HandDriven(keras.Model):
    """Drives `AttentionWrapper` with `dynamic_decode` inside `call`."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = layers.Embedding(VOCABULARY, UNITS)
        self.encoder = layers.LSTM(UNITS, return_sequences=True)
        self.mechanism = seq2seq.BahdanauAttention(UNITS)
        self.wrapper = seq2seq.AttentionWrapper(
            layers.LSTMCell(UNITS), self.mechanism, alignment_history=True
        )
        self.logits = layers.Dense(VOCABULARY)
        self.history: Any = None

    def call(self, inputs: Any, training: bool = False) -> Any:
        source, target = inputs
        ops: Any = keras.ops
        valid = ops.sum(ops.cast(source > 0, "int32"), axis=1)
        self.mechanism.setup_memory(self.encoder(self.embedding(source)), valid)
        written = ops.sum(ops.cast(target > 0, "int32"), axis=1)
        helper = seq2seq.TrainingHelper(self.embedding(target), written)
        state = self.wrapper.zero_state(ops.shape(source)[0], "float32")
        decoder = seq2seq.BasicDecoder(self.wrapper, helper, state, self.logits)
        outputs, final, _ = seq2seq.dynamic_decode(decoder)
        self.history = final.alignment_history.stack()
        return outputs.rnn_output


def test_alignment_history_of_a_hand_driven_decoder() -> None:
    source, target = models.source(), models.target()
    model = HandDriven()
    model([source, target])
    expected = to_numpy(model.history)  # [T, B, K]
    found = capture(model, [source, target])
    one = found["bahdanau_attention"]
    np.testing.assert_allclose(one.weights[:, 0], expected.transpose(1, 0, 2), atol=TOLERANCE)
    assert one.weights.shape == (B, 1, Q, K)
    assert one.key_lengths is not None
    assert one.key_lengths.tolist() == lengths(source)
    assert one.query_lengths is not None
    assert one.query_lengths.tolist() == lengths(target)


def test_names_do_not_drift_between_two_builds() -> None:
    def build() -> Any:
        ids = keras.Input((K,), dtype="int32")
        x = layers.Embedding(VOCABULARY, UNITS)(ids)
        for _ in range(2):
            x = layers.MultiHeadAttention(HEADS, KEY_DIM)(x, x)
        return keras.Model(ids, x)

    first, second = (list(capture(build(), models.source())) for _ in range(2))
    assert first == second == ["multi_head_attention", "multi_head_attention_1"]


class Block(keras.layers.Layer):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.attention = layers.MultiHeadAttention(HEADS, KEY_DIM, name="self_attention")

    def call(self, x: Any) -> Any:
        return x + self.attention(x, x)


def test_names_are_paths_and_shared_layers_are_numbered() -> None:
    ids = keras.Input((K,), dtype="int32")
    x = layers.Embedding(VOCABULARY, UNITS)(ids)
    first, shared = Block(), Block(name="shared")
    into_shared = first(x)
    model = keras.Model(ids, Block()(shared(shared(into_shared))))
    rng = np.random.default_rng(3)
    for variable in model.weights:  # initial ones would attend alike in both calls
        variable.assign(rng.normal(scale=0.3, size=variable.shape))
    found = capture(model, models.source())
    assert list(found) == [
        "block/self_attention",
        "shared/self_attention#0",
        "shared/self_attention#1",
        "block_1/self_attention",
    ]
    given = keras.Model(ids, into_shared)(models.source())
    calls = [found[f"shared/self_attention#{number}"].weights for number in range(2)]
    for weights in calls:
        _, scores = shared.attention(given, given, return_attention_scores=True)
        np.testing.assert_allclose(weights, to_numpy(scores), atol=TOLERANCE)
        given = shared(given)
    assert np.abs(calls[0] - calls[1]).max() > 1e-3


def test_a_name_does_not_depend_on_what_is_selected() -> None:
    model = models.transformer()
    inputs = [models.source(), models.target()]
    assert list(capture(model, inputs, layers="cross")) == ["cross_attention"]
    assert list(capture(model, inputs, exclude=["cross", "^enc"])) == ["causal_attention"]


def test_attention_over_several_axes_is_flattened() -> None:
    rows, columns = 2, 3
    x = keras.Input((rows, columns, UNITS))
    attention = layers.MultiHeadAttention(HEADS, KEY_DIM, attention_axes=(1, 2), name="attention")
    y, scores = attention(x, x, return_attention_scores=True)
    data = normal(B, rows, columns, UNITS)
    found = attention_maps(keras.Model(x, y), data)["attention"]
    expected = to_numpy(keras.Model(x, scores)(data)).reshape(B, HEADS, 6, 6)
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)


@pytest.mark.parametrize("kind", ["Attention", "AdditiveAttention"])
def test_dot_product_and_additive_attention(kind: str) -> None:
    query, value = keras.Input((Q, UNITS)), keras.Input((K, UNITS))
    mask = keras.Input((K,), dtype="bool")
    layer = getattr(layers, kind)(name="pick")
    y, scores = layer([query, value], mask=[None, mask], return_attention_scores=True)
    inputs = [
        normal(B, Q, UNITS),
        normal(B, K, UNITS, seed=1),
        models.source() > 0,
    ]
    found = capture(keras.Model([query, value, mask], y), inputs)
    expected = to_numpy(keras.Model([query, value, mask], scores)(inputs))
    np.testing.assert_allclose(found["pick"].weights[:, 0], expected, atol=TOLERANCE)
    assert found["pick"].key_lengths is not None
    assert found["pick"].key_lengths.tolist() == lengths(models.source())


def test_grouped_query_attention() -> None:
    x = keras.Input((K, UNITS))
    layer = layers.GroupQueryAttention(4, 6, 2, name="attention")
    y = layer(x, x, use_causal_mask=True)
    data = normal(B, K, UNITS)
    found = capture(keras.Model(x, y), data)["attention"]
    _, scores = layer(data, data, use_causal_mask=True, return_attention_scores=True)
    expected = to_numpy(scores)
    np.testing.assert_allclose(found.weights, expected, atol=TOLERANCE)
    assert found.causal


def framework_softmaxes() -> dict[str, Any]:
    """Ways to call the softmax of the framework itself, along the last axis."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return {"tf.nn": lambda x: tf.nn.softmax(x)}
    if backend == "jax":
        import jax

        return {"jax.nn": lambda x: jax.nn.softmax(x), "jit": jax.jit(lambda x: jax.nn.softmax(x))}
    import torch

    return {
        "torch": lambda x: torch.softmax(x, -1),
        "torch.nn.functional": lambda x: torch.nn.functional.softmax(x, dim=-1),
        "a tensor's method": lambda x: x.softmax(-1),
        "a module": lambda x: torch.nn.Softmax(dim=-1)(x),
    }


KERAS_SOFTMAXES: dict[str, Any] = {
    "keras.ops": lambda x: keras.ops.softmax(x),
    "keras.activations": keras.activations.softmax,
    "a Softmax layer": layers.Softmax(),
    "keras.ops.nn": keras.ops.nn.softmax,
}


class ByHand(keras.layers.Layer):
    """Scaled dot products of queries and keys, with somebody's softmax."""

    def __init__(self, softmax: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.softmax = softmax

    def call(self, query: Any, values: Any) -> Any:
        ops: Any = keras.ops
        return ops.matmul(self.softmax(ops.matmul(query, ops.swapaxes(values, 1, 2))), values)


@pytest.mark.parametrize("how", [*KERAS_SOFTMAXES, "the framework's"])
def test_attention_by_hand(how: str) -> None:
    known = KERAS_SOFTMAXES
    softmaxes = [known[how]] if how in known else [*framework_softmaxes().values()]
    data = [normal(B, Q, UNITS), normal(B, K, UNITS, seed=1)]
    expected = softmax(np.einsum("bqd,bkd->bqk", *data))
    for one in softmaxes:
        query, values = keras.Input((Q, UNITS)), keras.Input((K, UNITS))
        model = keras.Model([query, values], ByHand(one, name="my_attention")(query, values))
        for _ in range(2):  # a framework may remember the first trace of a function
            found = attention_maps(model, data)
            assert list(found) == ["my_attention"]
            np.testing.assert_allclose(found["my_attention"][:, 0], expected, atol=TOLERANCE)


class Fused(keras.layers.Layer):
    def __init__(self, options: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.options = options

    def call(self, query: Any, key: Any) -> Any:
        return keras.ops.dot_product_attention(query, key, key, **self.options)


KEEP = np.random.default_rng(7).random((B, 1, Q, K)) < 0.7
KEEP[..., 0] = True


grouped = pytest.mark.skipif(
    tuple(map(int, keras.version().split(".")[:2])) < (3, 15),
    reason="before 3.15 dot_product_attention of Keras takes as many key heads as query heads",
)


@pytest.mark.parametrize("group", [1, pytest.param(2, marks=grouped)])
@pytest.mark.parametrize("case", ["plain", "mask", "bias", "scale", "causal", "mask and causal"])
def test_fused_attention(case: str, group: int) -> None:
    heads = group * HEADS
    bias = normal(1, heads, Q, K, seed=5)
    options: dict[str, Any] = {
        "plain": {},
        "mask": {"mask": KEEP},
        "bias": {"bias": bias},
        "scale": {"scale": 0.37},
        "causal": {"is_causal": True},
        "mask and causal": {"mask": KEEP, "is_causal": True},
    }[case]
    data = [normal(B, Q, heads, KEY_DIM), normal(B, K, HEADS, KEY_DIM, seed=1)]
    query, key = keras.Input(batch_shape=data[0].shape), keras.Input(batch_shape=data[1].shape)
    model = keras.Model([query, key], Fused(options, name="attention")(query, key))
    keys = np.repeat(data[1], group, axis=2)  # each key head serves so many query heads in a row
    scores = np.einsum("bqhd,bkhd->bhqk", data[0], keys)
    scores = scores * options.get("scale", KEY_DIM**-0.5) + options.get("bias", 0)
    scores = np.where(options.get("mask", True), scores, -np.inf)
    if "is_causal" in options:
        scores = np.where(np.tri(Q, K, dtype=bool), scores, -np.inf)
    found = attention_maps(model, data)["attention"]
    np.testing.assert_allclose(found, softmax(scores), atol=TOLERANCE)


class MaskedByHand(keras.layers.Layer):
    """Adds -1e9 to scores, as many tutorials do, or hands the mask to a Softmax layer."""

    def __init__(self, mask: Any, *, layer: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask, self.softmax = [mask], layers.Softmax() if layer else None

    def call(self, x: Any) -> Any:
        ops: Any = keras.ops
        scores = ops.matmul(x, ops.swapaxes(x, 1, 2))
        if self.softmax is not None:
            return ops.matmul(self.softmax(scores, mask=ops.convert_to_tensor(self.mask[0])), x)
        hidden = ops.convert_to_tensor((~self.mask[0]).astype("float32"))
        return ops.matmul(ops.softmax(scores - 1e9 * hidden), x)


def masked_maps(mask: Any, *, layer: bool) -> LayerAttention:
    x = keras.Input((K, UNITS), batch_size=B)
    model = keras.Model(x, MaskedByHand(mask, layer=layer, name="attention")(x))
    return capture(model, normal(B, K, UNITS))["attention"]


@pytest.mark.parametrize("layer", [True, False], ids=["a Softmax layer", "added to the scores"])
def test_a_mask_of_attention_by_hand_gives_lengths_and_causality(layer: bool) -> None:
    valid = models.source() > 0
    padded = np.broadcast_to(valid[:, None, :], (B, K, K))
    one = masked_maps(padded, layer=layer)
    assert one.key_lengths is not None
    assert one.key_lengths.tolist() == lengths(models.source())
    assert not one.causal
    causal = np.broadcast_to(np.tri(K, dtype=bool), (B, K, K))
    assert masked_maps(causal, layer=layer).causal
    assert masked_maps(causal & padded, layer=layer).causal
    left = masked_maps(padded[:, :, ::-1], layer=layer)
    assert left.key_lengths is None  # valid positions do not lead: the whole map is shown,
    hidden = np.broadcast_to(~padded[:, None, :, ::-1], left.weights.shape)
    assert (left.weights[hidden] == 0).all()  # and what is hidden as exactly 0
    window = np.abs(np.arange(K)[:, None] - np.arange(K)) < 3
    one = masked_maps(np.broadcast_to(window, (B, K, K)), layer=layer)
    assert one.key_lengths is None or one.key_lengths.tolist() == [K] * B
    assert not one.causal


def test_zeros_in_some_heads_are_not_taken_for_a_mask() -> None:
    weights = softmax(normal(B, HEADS, K, K))
    weights[:, 1, :, K - 2 :] = 0
    assert mask_seen_in(weights) is None
    weights[:, :, :, K - 2 :] = 0
    seen = mask_seen_in(weights)
    assert seen is not None
    np.testing.assert_array_equal(seen, weights > 0)
    assert mask_seen_in(softmax(normal(B, HEADS, K, K))) is None


class Bahdanau(keras.layers.Layer):
    """Attention by hand, softmax over axis 1 as in many tutorials."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.project = layers.Dense(UNITS)
        self.score = layers.Dense(1)

    def call(self, query: Any, values: Any) -> Any:
        score = self.score(keras.ops.tanh(self.project(values) + query[:, None, :]))
        weights = keras.ops.softmax(score, axis=1)  # [B, K, 1]
        return keras.ops.sum(weights * values, axis=1), weights


class StepByStep(keras.Model):
    """A Python loop over decoder steps, one query each."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = Bahdanau(name="bahdanau_attention")
        self.weights_seen: list[Any] = []

    def call(self, inputs: Any) -> Any:
        queries, values = inputs
        steps = [self.attention(queries[:, t], values) for t in range(Q)]
        self.weights_seen = [weights for _, weights in steps]
        return keras.ops.stack([context for context, _ in steps], axis=1)


def test_steps_of_a_loop_become_queries() -> None:
    inputs = [normal(B, Q, UNITS), normal(B, K, UNITS, seed=1)]
    model = StepByStep()
    model(inputs)
    expected = np.stack([to_numpy(w)[..., 0] for w in model.weights_seen], axis=1)
    found = attention_maps(model, inputs)
    assert list(found) == ["bahdanau_attention"]
    np.testing.assert_allclose(found["bahdanau_attention"][:, 0], expected, atol=TOLERANCE)


class InLoop(keras.layers.Layer):
    """Weights inside a loop, out of reach of a trace that does not unroll it."""

    def call(self, x: Any) -> Any:
        ops: Any = keras.ops

        def step(carry: Any, query: Any) -> Any:  # [B, D]
            weights = ops.softmax(ops.einsum("bd,bkd->bk", query, x), axis=-1)
            return carry, ops.einsum("bk,bkd->bd", weights, x)

        _, contexts = ops.scan(step, ops.zeros((B, UNITS)), ops.transpose(x, (1, 0, 2)))
        return ops.transpose(contexts, (1, 0, 2))


def test_weights_inside_a_loop_are_found() -> None:
    x = keras.Input((K, UNITS), batch_size=B)
    model = keras.Model(x, InLoop(name="attention_loop")(x))
    data = normal(B, K, UNITS)
    found = attention_maps(model, data)["attention_loop"]
    expected = softmax(np.einsum("bqd,bkd->bqk", data, data))
    np.testing.assert_allclose(found[:, 0], expected, atol=TOLERANCE)


class Tapped(keras.layers.Layer):
    def call(self, x: Any) -> Any:
        scores = keras.ops.matmul(x, keras.ops.swapaxes(x, 1, 2))
        weights = keras.ops.relu(scores)
        return keras.ops.matmul(tap("relu", weights, causal=True), x)


def test_tap_hands_over_what_is_no_softmax() -> None:
    x = keras.Input((K, UNITS))
    data = normal(B, K, UNITS) / 5  # so that float32 is exact to the tolerance
    found = capture(keras.Model(x, Tapped(name="mix")(x)), data)
    expected = np.maximum(np.einsum("bqd,bkd->bqk", data, data), 0)
    assert 0.5 < expected.max() < 4
    np.testing.assert_allclose(found["mix/relu"].weights[:, 0], expected, atol=TOLERANCE)
    assert found["mix/relu"].causal


class AlignmentCell(keras.layers.Layer):
    """A recurrent cell that attends at each step to a memory, which it carries along as a state."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.state_size, self.output_size = [UNITS, (K, UNITS)], K
        self.project = layers.Dense(UNITS, use_bias=False)

    def build(self, input_shape: Any) -> None:
        self.project.build(input_shape)
        self.built = True

    def call(self, inputs: Any, states: Any) -> Any:
        ops: Any = keras.ops
        state, memory = states
        query = self.project(inputs) + state
        alignment = ops.softmax(ops.einsum("bd,bkd->bk", query, memory))
        context = ops.einsum("bk,bkd->bd", alignment, memory)
        return alignment, [ops.tanh(query + context), memory]


def test_alignments_that_a_recurrent_cell_emits() -> None:
    inputs, state, memory = keras.Input((Q, UNITS)), keras.Input((UNITS,)), keras.Input((K, UNITS))
    rnn = layers.RNN(AlignmentCell(name="attention_cell"), return_sequences=True, name="rnn")
    model = keras.Model([inputs, state, memory], rnn(inputs, initial_state=[state, memory]))
    data = [normal(B, Q, UNITS), normal(B, UNITS, seed=1), normal(B, K, UNITS, seed=2)]
    expected = to_numpy(model(data))  # the cell's output
    found = attention_maps(model, data)
    assert list(found) == ["rnn/attention_cell"]
    assert found["rnn/attention_cell"].shape == (B, 1, Q, K)
    np.testing.assert_allclose(found["rnn/attention_cell"][:, 0], expected, atol=TOLERANCE)


def test_tap_outside_a_capture_returns_its_argument() -> None:
    weights = object()
    assert tap("anything", weights) is weights


class WrongTap(keras.layers.Layer):
    def call(self, x: Any) -> Any:
        return tap("wrong", x[0])


def test_tap_of_another_rank_is_an_error() -> None:
    x = keras.Input((K, UNITS), batch_size=B)
    model = keras.Model(x, layers.Dense(2)(WrongTap()(x)))
    with pytest.raises(ValueError, match=r"received shape \[11, 13\] in tap\('wrong', …\)"):
        attention_maps(model, np.zeros((B, K, UNITS), "float32"))


def test_nothing_found_says_what_was_looked_at() -> None:
    ids = keras.Input((K,), dtype="int32")
    x = layers.Embedding(VOCABULARY, UNITS)(ids)
    model = keras.Model(ids, layers.Dense(VOCABULARY, activation="softmax", name="classify")(x))
    with pytest.warns(AttentionWarning, match=r"Looked at: classify \(softmax \[5, 11, 17\]\)"):
        assert attention_maps(model, models.source()) == {}
    assert list(attention_maps(model, models.source(), layers="classify")) == ["classify"]


class Experts(keras.layers.Layer):
    """A router: its softmax has the shape of attention, and weighs values as attention does."""

    def __init__(self, count: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.route = layers.Dense(count, name="router")
        self.experts = [layers.Dense(UNITS) for _ in range(count)]

    def call(self, x: Any) -> Any:
        ops: Any = keras.ops
        weights = ops.softmax(self.route(x))  # [B, K, experts]
        values = ops.stack([expert(x) for expert in self.experts], axis=2)
        return ops.einsum("bke,bkeu->bku", weights, values)


def test_a_router_over_experts_is_no_attention() -> None:
    x = keras.Input((K, UNITS))
    routed = Experts(3, name="mixture")(x)
    with pytest.warns(AttentionWarning, match=r"Looked at: mixture \(softmax \[5, 11, 3\]\)"):
        assert attention_maps(keras.Model(x, routed), normal(B, K, UNITS)) == {}
    y = layers.Attention(name="pick")([routed, x])
    model = keras.Model(x, layers.Dense(3, activation="softmax", name="classify")(y))
    assert list(attention_maps(model, normal(B, K, UNITS))) == ["pick"]


def test_attention_without_a_name_is_offered_with_the_pattern_that_records_it() -> None:
    query, values = keras.Input((Q, UNITS)), keras.Input((K, UNITS))
    mixed = ByHand(lambda x: keras.ops.softmax(x), name="mixer.1")(query, values)
    model = keras.Model([query, values], layers.Dense(3, activation="softmax", name="out")(mixed))
    data = [normal(B, Q, UNITS), normal(B, K, UNITS, seed=1)]
    message = re.escape(r"name it: one of `layers=['^mixer\\.1$', '^out$']`")
    for capture_once in (lambda: attention_maps(model, data), lambda: recorded(model, data)):
        with pytest.warns(AttentionWarning, match=message):
            assert capture_once() == {}
    found = attention_maps(model, data, layers=r"^mixer\.1$")
    expected = softmax(np.einsum("bqd,bkd->bqk", *data))
    np.testing.assert_allclose(found["mixer.1"][:, 0], expected, atol=TOLERANCE)


def recorded(model: Any, data: Any) -> Any:
    with record_attention(model) as recording:
        model(data)
    return recording.maps


def test_a_capture_follows_the_live_variables_without_tracing_again() -> None:
    model = models.one_layer()
    probe = AttentionProbe(model, models.source())
    before = probe.capture()[0].weights
    for variable in model.trainable_variables:
        variable.assign(variable * 2 + 0.1)
    after = probe.capture()[0].weights
    np.testing.assert_allclose(
        after, attention_maps(model, models.source())["attention"], atol=TOLERANCE
    )
    assert np.abs(after - before).max() > 1e-3


class Traces(keras.layers.Layer):
    """Counts how often its Python code runs."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.runs = [0]

    def call(self, x: Any) -> Any:
        self.runs[0] += 1
        return x


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="PyTorch runs without a trace")
def test_only_the_first_capture_traces() -> None:
    x = keras.Input((K, UNITS))
    counting = Traces()
    model = keras.Model(x, layers.Attention(name="attention")([counting(x), x]))
    probe = AttentionProbe(model, normal(B, K, UNITS))
    before = counting.runs[0]
    for _ in range(3):
        probe.capture()
    assert counting.runs[0] == before + 1


class Teacher(keras.layers.Layer):
    """Reads a variable that the model does not list."""

    def __init__(self, hidden: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.read = lambda: hidden.value

    def call(self, x: Any) -> Any:
        scores = keras.ops.matmul(x, keras.ops.swapaxes(x, 1, 2)) * self.read()
        return keras.ops.matmul(keras.ops.softmax(scores), x)


def test_a_capture_follows_variables_that_the_model_does_not_list() -> None:
    hidden = keras.Variable(1.0)
    x = keras.Input((K, UNITS))
    model = keras.Model(x, layers.Dense(2)(Teacher(hidden, name="attention")(x)))
    assert all(hidden is not variable for variable in model.variables)
    data = normal(B, K, UNITS)
    probe = AttentionProbe(model, data)
    for factor in (1.0, 0.5):
        hidden.assign(factor)
        expected = softmax(np.einsum("bqd,bkd->bqk", data, data) * factor)
        weights = probe.capture()[0].weights[:, 0]
        np.testing.assert_allclose(weights, expected, atol=TOLERANCE)


def test_nothing_stays_patched() -> None:
    nn: Any = keras_private.backend_nn
    before = [keras.Operation.__call__, nn.softmax, nn.dot_product_attention]
    attention_maps(models.one_layer(), models.source())
    x = keras.Input((K, UNITS), batch_size=B)
    with pytest.raises(ValueError, match="received shape"):
        attention_maps(keras.Model(x, WrongTap()(x)), normal(B, K, UNITS))
    assert [keras.Operation.__call__, nn.softmax, nn.dot_product_attention] == before


def test_other_threads_are_not_part_of_a_capture() -> None:
    model, other = models.one_layer(), models.one_layer()
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            other(models.source(2))

    thread = threading.Thread(target=busy)
    thread.start()
    try:
        for _ in range(3):
            found = attention_maps(model, models.source())
            assert list(found) == ["attention"]
            assert found["attention"].shape == (B, HEADS, K, K)
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        (np.zeros((0, K), "int32"), ValueError, "received an empty batch"),
        ([np.zeros((B, K)), np.zeros((B + 1, K))], ValueError, "the same number of examples"),
        ((row for row in np.zeros((B, K))), TypeError, "received generator"),
        ({}, ValueError, "expected an array"),
        (np.float32(1), ValueError, "examples along the first axis"),
    ],
)
def test_inputs_are_checked(inputs: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        attention_maps(models.one_layer(), inputs)


def test_a_model_that_is_not_built_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a built model"):
        attention_maps(HandDriven(), [models.source(), models.target()])
