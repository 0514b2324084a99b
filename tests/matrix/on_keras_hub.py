"""Captured maps of keras_hub models against a recomputation from the layers' own weights.

`test_keras_hub` runs it in an environment with keras_hub. The models are small and random. What
comes into an attention layer is taken from a forward pass without any capture; everything from
there on is done again in NumPy, in float64: projections, rotary and relative positions, grouping,
scale, soft cap, masks.
"""

# pyright: reportMissingImports=false
# keras_hub is no dependency of the development environment.

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras_hub
import numpy as np
import pytest
from numpy.typing import NDArray
from tb_attention_training.capture.probe import AttentionProbe

B, SOURCE, TARGET, VOCABULARY = 3, 11, 7, 17
LAYERS, HEADS, WIDTH = 2, 3, 21
QUERY_HEADS, KEY_HEADS = 6, 2
CAP, WINDOW = 0.7, 3
TOLERANCE = 1e-6

Array = NDArray[Any]
hub: Any = keras_hub.models


def ids(length: int, seed: int) -> Array:
    return np.random.default_rng(seed).integers(1, VOCABULARY, (B, length)).astype("int32")


def padding(length: int) -> Array:
    """`[B, length]`, ones where valid; the second example is shorter."""
    valid = np.ones((B, length), "int32")
    valid[1, length - 4 :] = 0
    return valid


def floats(*shape: int) -> Array:
    return np.random.default_rng(5).normal(size=shape).astype("float32")


@dataclass(frozen=True)
class Given:
    """One call of an attention layer: the layer, its input and its keys' input, which layer."""

    layer: Any
    x: Array
    memory: Array
    name: str
    first: Any  # the first layer that was called in the same stack


@dataclass(frozen=True)
class Model:
    build: Callable[[], Any]
    inputs: Any
    scores: Callable[[Given], Array]
    causal: tuple[str, ...] = ()  # layers whose names hold one of these are causal
    source_masked: bool = True


# ── Scores, [B, H, Q, K] before masking ───────────────────────────────────────────────────────────


def weight(variable: Any) -> Array:
    return np.asarray(variable, "float64")


def projected(x: Array, dense: Any) -> Array:
    """`[B, T, M]` → `[B, T, H, D]`."""
    bias = getattr(dense, "bias", None)
    return np.einsum("btm,mhd->bthd", x, weight(dense.kernel)) + (
        0 if bias is None else weight(bias)
    )


def multi_head(given: Given) -> Array:
    layer: Any = given.layer
    query = projected(given.x, layer.query_dense)
    key = projected(given.memory, layer.key_dense)
    return np.einsum("bqhd,bkhd->bhqk", query, key) * query.shape[-1] ** -0.5


def rotated(x: Array) -> Array:
    """Rotary positions over two halves, `[B, T, H, D]`."""
    depth = x.shape[-1]
    frequencies = 10_000.0 ** (-np.arange(0, depth, 2) / depth)
    angles = np.arange(x.shape[1])[:, None] * frequencies
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    a, b = x[..., : depth // 2], x[..., depth // 2 :]
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)


def grouped(query: Array, key: Array) -> Array:
    return np.einsum("bqhd,bkhd->bhqk", query, np.repeat(key, QUERY_HEADS // KEY_HEADS, axis=2))


def llama(given: Given) -> Array:
    layer: Any = given.layer
    query, key = (rotated(projected(given.x, d)) for d in (layer._query_dense, layer._key_dense))
    return grouped(query, key) * query.shape[-1] ** -0.5


def gemma(given: Given) -> Array:
    layer: Any = given.layer

    def heads(dense: Any) -> Array:
        return rotated(np.einsum("btm,hmd->bthd", given.x, weight(dense.kernel)))

    query, key = heads(layer.query_dense), heads(layer.key_dense)
    capped = CAP * np.tanh(grouped(query, key) * query.shape[-1] ** -0.5 / CAP)
    distance = np.abs(np.arange(SOURCE)[:, None] - np.arange(SOURCE))
    # Every second block sees a window only.
    return np.where(distance < WINDOW, capped, -np.inf) if "block_0" in given.name else capped


def t5(given: Given) -> Array:
    layer: Any = given.layer

    def heads(x: Array, dense: Any) -> Array:
        return (x @ weight(dense.kernel)).reshape(*x.shape[:2], HEADS, -1)

    query, key = heads(given.x, layer.query_projector), heads(given.memory, layer.key_projector)
    scores = np.einsum("bqhd,bkhd->bhqk", query, key)
    if "cross" in given.name:
        return scores
    relative = np.arange(key.shape[1]) - np.arange(query.shape[1])[:, None]
    table = weight(given.first.relative_attention_bias)  # [32, H], of the stack's first layer
    if "decoder" in given.name:  # positions before: one bucket each up to 16
        buckets = np.maximum(-relative, 0)
    else:  # 16 for each direction; logarithmic from a distance of 8 on, up to 128
        distance = np.abs(relative)
        far = 8 + np.log(np.maximum(distance, 1) / 8) / np.log(128 / 8) * 8
        buckets = np.where(distance < 8, distance, np.minimum(far.astype(int), 15))
        buckets = buckets + 16 * (relative > 0)
    return scores + table[buckets].transpose(2, 0, 1)


# ── Models ────────────────────────────────────────────────────────────────────────────────────────

tokens = {"token_ids": ids(SOURCE, 0), "padding_mask": padding(SOURCE)}
both_tokens = {
    "encoder_token_ids": ids(SOURCE, 0),
    "encoder_padding_mask": padding(SOURCE),
    "decoder_token_ids": ids(TARGET, 1),
    "decoder_padding_mask": padding(TARGET),
}
common = {"num_layers": LAYERS, "hidden_dim": WIDTH}
text = {**common, "vocabulary_size": VOCABULARY, "intermediate_dim": 13}
grouping = {"num_query_heads": QUERY_HEADS, "num_key_value_heads": KEY_HEADS}

MODELS: dict[str, Model] = {
    "BERT": Model(
        lambda: hub.BertBackbone(**text, num_heads=HEADS, max_sequence_length=SOURCE),
        {**tokens, "segment_ids": np.zeros((B, SOURCE), "int32")},
        multi_head,
    ),
    "GPT-2": Model(
        lambda: hub.GPT2Backbone(**text, num_heads=HEADS, max_sequence_length=SOURCE),
        tokens,
        multi_head,
        causal=("",),
    ),
    "Llama": Model(
        lambda: hub.LlamaBackbone(**{**text, "hidden_dim": 60}, **grouping),
        tokens,
        llama,
        causal=("",),
    ),
    "Gemma": Model(
        lambda: hub.GemmaBackbone(
            **{**text, "intermediate_dim": 26},
            **grouping,
            head_dim=10,
            attention_logit_soft_cap=CAP,
            use_sliding_window_attention=True,
            sliding_window_size=WINDOW,
        ),
        tokens,
        gemma,
        causal=("",),
    ),
    "T5": Model(
        lambda: hub.T5Backbone(**text, num_heads=HEADS, key_value_dim=5),
        both_tokens,
        t5,
        causal=("decoder_layer_0/self", "decoder_layer_1/self"),
    ),
    "BART": Model(
        lambda: hub.BartBackbone(**text, num_heads=HEADS, max_sequence_length=SOURCE),
        both_tokens,
        multi_head,
        causal=("decoder_layer_0/self", "decoder_layer_1/self"),
    ),
    "ViT": Model(
        lambda: hub.ViTBackbone(
            image_shape=(15, 25, 3), patch_size=5, num_heads=HEADS, mlp_dim=13, **common
        ),
        floats(B, 15, 25, 3),
        multi_head,
        source_masked=False,
    ),
    "Whisper": Model(
        lambda: hub.WhisperBackbone(
            **text,
            num_heads=HEADS,
            num_mels=5,
            max_encoder_sequence_length=2 * SOURCE,
            max_decoder_sequence_length=TARGET,
        ),
        {
            "encoder_features": floats(B, 2 * SOURCE, 5),
            "decoder_token_ids": ids(TARGET, 1),
            "decoder_padding_mask": padding(TARGET),
        },
        multi_head,
        causal=("decoder_layer_0/self", "decoder_layer_1/self"),
        source_masked=False,
    ),
}


def calls_of_attention(model: Any, inputs: Any) -> list[tuple[Any, Array, Array]]:
    """`(layer, input, input of the keys)` of each attention layer, in the order of the calls."""
    seen: list[tuple[Any, Array, Array]] = []

    def watch(layer: Any) -> None:
        call, signature = layer.call, inspect.signature(layer.call)

        def watched(*args: Any, **kwargs: Any) -> Any:
            given = signature.bind(*args, **kwargs).arguments
            x = next(iter(given.values()))
            memory = given.get("value", given.get("key_value_states"))
            memory = x if memory is None else memory
            seen.append((layer, np.asarray(x, "float64"), np.asarray(memory, "float64")))
            return call(*args, **kwargs)

        object.__setattr__(layer, "call", watched)

    watched = [one for one in model._flatten_layers() if "Attention" in type(one).__name__]
    for layer in watched:
        watch(layer)
    try:
        model(inputs, training=False)
    finally:
        for layer in watched:
            object.__delattr__(layer, "call")
    return seen


def allowed(model: Model, name: str, queries: int, keys: int) -> Array:
    """`[B, 1, Q, K]`."""
    causal = any(part in name for part in model.causal)
    masked = model.source_masked if keys == SOURCE else keys == TARGET
    valid = padding(keys) > 0 if masked else np.ones((B, keys), bool)
    return valid[:, None, None, :] & (np.tri(queries, keys, dtype=bool) | (not causal))


def softmax(scores: Array) -> Array:
    exponentials = np.exp(scores - scores.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)


@pytest.mark.parametrize("name", MODELS)
def test_maps_equal_a_recomputation_from_the_weights(name: str) -> None:
    case = MODELS[name]
    model = case.build()
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:  # initial weights would attend equally everywhere
        variable.assign(rng.normal(scale=0.4, size=variable.shape))
    found = AttentionProbe(model, case.inputs).capture()
    calls = calls_of_attention(model, case.inputs)
    assert len(found) == len(calls) == (2 if len(found) == 2 else 6)
    first: dict[str, Any] = {}
    for one, (layer, x, memory) in zip(found, calls, strict=True):
        stack = one.layer.split("_layer_")[0] + one.layer.split("/")[-1]
        given = Given(layer, x, memory, one.layer, first.setdefault(stack, layer))
        scores = case.scores(given)
        mask = allowed(case, one.layer, *scores.shape[-2:])
        kept = np.where(mask, scores, -np.inf)
        # Padding with nothing but padding in its window attends to nothing.
        expected = np.where(
            kept.max(-1, keepdims=True) > -np.inf, softmax(np.maximum(kept, -1e30)), 0
        )
        assert one.weights.shape == expected.shape
        assert expected.max() > 1.5 / expected.shape[-1]  # not everywhere equally
        np.testing.assert_allclose(one.weights, expected, atol=TOLERANCE, err_msg=one.layer)
        assert one.causal is any(part in one.layer for part in case.causal)


def test_fourier_mixing_has_no_attention() -> None:
    model = hub.FNetBackbone(**text, max_sequence_length=SOURCE)
    inputs = {"token_ids": ids(SOURCE, 0), "segment_ids": np.zeros((B, SOURCE), "int32")}
    with pytest.warns(UserWarning, match="No attention was found"):
        assert AttentionProbe(model, inputs).capture() == []
