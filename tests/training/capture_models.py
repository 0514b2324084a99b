"""Small models for the tests. Every dimension is another prime, so that a swapped axis fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from tb_attention_training import seq2seq

B, Q, K = 5, 7, 11  # examples, target and source positions
HEADS, KEY_DIM, UNITS = 3, 2, 13
VOCABULARY = 17

layers: Any = keras.layers


def source(examples: int = B, *, seed: int = 0) -> NDArray[np.int32]:
    """Ids `[examples, K]`, zeros at the end of every second one."""
    ids = np.random.default_rng(seed).integers(1, VOCABULARY, (examples, K)).astype(np.int32)
    ids[1::2, K - 3 :] = 0
    return ids


def target(examples: int = B, *, seed: int = 1) -> NDArray[np.int32]:
    """Ids `[examples, Q]`, zeros at the end of every third one."""
    ids = np.random.default_rng(seed).integers(1, VOCABULARY, (examples, Q)).astype(np.int32)
    ids[::3, Q - 2 :] = 0
    return ids


def transformer(
    *,
    dropout: float = 0.0,
    seed: int = 3,
    batch_norm: bool = False,
    return_scores: bool = False,
    heads: int = HEADS,
) -> Any:
    """Encoder self attention, causal decoder self attention, cross attention; ids → logits."""
    keras.utils.set_random_seed(seed)

    def attention(name: str) -> Any:
        return layers.MultiHeadAttention(heads, KEY_DIM, dropout=dropout, name=name, seed=seed)

    source_ids = keras.Input((K,), dtype="int32", name="source")
    target_ids = keras.Input((Q,), dtype="int32", name="target")
    memory = layers.Embedding(VOCABULARY, UNITS, mask_zero=True, name="read")(source_ids)
    x = layers.Embedding(VOCABULARY, UNITS, mask_zero=True, name="write")(target_ids)
    scores: list[Any] = []

    def call(name: str, *args: Any, **kwargs: Any) -> Any:
        result = attention(name)(*args, return_attention_scores=return_scores, **kwargs)
        if return_scores:
            scores.append(result[1])
            return result[0]
        return result

    memory = call("encoder_attention", memory, memory)
    if batch_norm:
        memory = layers.BatchNormalization(name="batch_norm")(memory)
    x = call("causal_attention", x, x, use_causal_mask=True)
    if dropout:
        x = layers.Dropout(dropout, seed=seed)(x)
    x = call("cross_attention", x, memory)
    logits = layers.Dense(VOCABULARY, name="logits")(x)
    return keras.Model([source_ids, target_ids], [logits, *scores] if return_scores else logits)


def decoder(*, alignments: bool = False, seed: int = 3) -> Any:
    """An RNN with Luong attention through the functional decoder; ids → logits."""
    keras.utils.set_random_seed(seed)
    source_ids = keras.Input((K,), dtype="int32", name="source")
    target_ids = keras.Input((Q,), dtype="int32", name="target")
    read = layers.Embedding(VOCABULARY, UNITS, mask_zero=True)(source_ids)
    written = layers.Embedding(VOCABULARY, UNITS, mask_zero=True)(target_ids)
    memory, *state = layers.LSTM(UNITS, return_sequences=True, return_state=True)(read)
    logits, weights = seq2seq.AttentionDecoder(
        layers.LSTMCell(UNITS),
        seq2seq.LuongAttention(UNITS),
        attention_layer_size=UNITS,
        output_layer=layers.Dense(VOCABULARY),
        name="decoder",
    )(written, memory, initial_state=state)
    return keras.Model([source_ids, target_ids], weights if alignments else logits)


def one_layer(seed: int = 3) -> Any:
    """One self attention over the source; ids → logits."""
    keras.utils.set_random_seed(seed)
    ids = keras.Input((K,), dtype="int32")
    x = layers.Embedding(VOCABULARY, UNITS)(ids)
    x = layers.MultiHeadAttention(HEADS, KEY_DIM, name="attention")(x, x)
    return keras.Model(ids, layers.Dense(VOCABULARY)(x))


def compiled(model: Any, **kwargs: Any) -> Any:
    """The model, ready to fit on ids."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=loss, **kwargs)
    return model


Build = Callable[[], Any]
