"""A small Transformer that reads dates: the model with self, causal and cross attention."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from tb_attention_training.demo.encoding import PADDING, Encoding


def _waves(length: int, units: int) -> npt.NDArray[np.float32]:
    """Encodes positions as sines and cosines of geometric wavelengths, ``[length, units]``.

    The shortest wave has two positions, the longest one twice ``length``.
    """
    rates = np.pi * np.float64(length) ** (-np.arange(units // 2) / (units // 2 - 1))
    angles = np.outer(np.arange(length), rates)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


class CharacterEmbedding(keras.layers.Layer):
    """Characters as learned vectors, plus waves that say where they are.

    Args:
        vocabulary_size: Number of codes.
        length: Number of positions, at most.
        units: Size of a vector, an even number.
    """

    def __init__(self, vocabulary_size: int, length: int, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.characters = keras.layers.Embedding(vocabulary_size, units, name="characters")
        self._positions = _waves(length, units)

    def call(self, codes: Any) -> Any:
        """Embeds codes ``[B, length]`` as ``[B, length, units]``, padding as zeros."""
        shape: Any = ops.shape(codes)
        positions = ops.take(self._positions, ops.arange(shape[1]), axis=0)
        is_text = ops.cast(ops.not_equal(codes, PADDING), self.compute_dtype)
        return (self.characters(codes) + positions) * ops.expand_dims(is_text, -1)


class FeedForward(keras.layers.Layer):
    """The position-wise network of a Transformer layer, with its normalisation and residual.

    Args:
        units: Size of a vector at each position.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.norm = keras.layers.LayerNormalization(name="norm")
        self.expand = keras.layers.Dense(2 * units, activation="relu", name="expand")
        self.contract = keras.layers.Dense(units, name="contract")

    def call(self, x: Any) -> Any:
        """Maps ``[B, length, units]`` to the same shape."""
        return x + self.contract(self.expand(self.norm(x)))


class EncoderLayer(keras.layers.Layer):
    """Self attention and feed-forward, each normalised first.

    Args:
        heads: Number of heads.
        units: Size of a vector at each position, a multiple of ``heads``.
    """

    def __init__(self, heads: int, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.norm = keras.layers.LayerNormalization(name="norm")
        self.self_attention = keras.layers.MultiHeadAttention(
            heads, units // heads, use_bias=False, name="self_attention"
        )
        self.feed_forward = FeedForward(units, name="feed_forward")

    def call(self, x: Any, mask: Any) -> Any:
        """Maps ``[B, K, units]`` to the same shape; ``mask``, ``[B, K, K]``, is true in texts."""
        normed = self.norm(x)
        x = x + self.self_attention(normed, normed, attention_mask=mask)
        return self.feed_forward(x)


class DecoderLayer(keras.layers.Layer):
    """Causal self attention, cross attention and feed-forward, each normalised first.

    Args:
        heads: Number of heads.
        units: Size of a vector at each position, a multiple of ``heads``.
    """

    def __init__(self, heads: int, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.self_norm = keras.layers.LayerNormalization(name="self_norm")
        self.self_attention = keras.layers.MultiHeadAttention(
            heads, units // heads, use_bias=False, name="self_attention"
        )
        self.cross_norm = keras.layers.LayerNormalization(name="cross_norm")
        self.cross_attention = keras.layers.MultiHeadAttention(
            heads, units // heads, use_bias=False, name="cross_attention"
        )
        self.feed_forward = FeedForward(units, name="feed_forward")

    def call(self, x: Any, memory: Any, memory_mask: Any) -> Any:
        """Maps ``[B, Q, units]`` to the same shape.

        Args:
            x: What was written so far, ``[B, Q, units]``.
            memory: What was read, ``[B, K, units]``.
            memory_mask: ``[B, 1, K]``, false where ``memory`` is of padding.

        Returns:
            ``[B, Q, units]``; position ``q`` depends on positions up to ``q`` of ``x`` only.
        """
        normed = self.self_norm(x)
        x = x + self.self_attention(normed, normed, use_causal_mask=True)
        x = x + self.cross_attention(self.cross_norm(x), memory, attention_mask=memory_mask)
        return self.feed_forward(x)


class Encoder(keras.layers.Layer):
    """Reads characters.

    A small convolution shows each position its two neighbours. Attention would learn to look there
    by itself, in about three times as many steps.

    Args:
        embedding: Of the characters.
        layers: Number of layers.
        heads: Number of heads in each.
        units: Size of a vector at each position.
    """

    def __init__(
        self, embedding: CharacterEmbedding, layers: int, heads: int, units: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.embedding = embedding
        self.neighbours = keras.layers.Conv1D(
            units, 3, padding="same", activation="relu", name="neighbours"
        )
        self.blocks = [EncoderLayer(heads, units, name=f"layer_{n}") for n in range(layers)]
        self.norm = keras.layers.LayerNormalization(name="norm")

    def call(self, source: Any) -> Any:
        """Maps codes ``[B, K]`` to vectors ``[B, K, units]``."""
        # As queries too: who looks at a map shall know where the text ends.
        is_text = ops.not_equal(source, PADDING)
        mask = ops.logical_and(ops.expand_dims(is_text, 2), ops.expand_dims(is_text, 1))
        x = self.embedding(source)
        x = x + self.neighbours(x)
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)


class Decoder(keras.layers.Layer):
    """Writes characters while it looks at what was read.

    Args:
        embedding: Of the characters.
        layers: Number of layers.
        heads: Number of heads in each.
        units: Size of a vector at each position.
    """

    def __init__(
        self, embedding: CharacterEmbedding, layers: int, heads: int, units: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.embedding = embedding
        self.blocks = [DecoderLayer(heads, units, name=f"layer_{n}") for n in range(layers)]
        self.norm = keras.layers.LayerNormalization(name="norm")

    def call(self, decoder_input: Any, memory: Any, memory_mask: Any) -> Any:
        """Maps codes ``[B, Q]`` to vectors ``[B, Q, units]``; the rest as in ``DecoderLayer``."""
        x = self.embedding(decoder_input)
        for block in self.blocks:
            x = block(x, memory, memory_mask)
        return self.norm(x)


def build_transformer(
    encoding: Encoding, *, layers: int = 2, heads: int = 4, units: int = 64
) -> keras.Model:
    """Builds the Transformer.

    Args:
        encoding: Vocabularies and lengths of the dates.
        layers: Number of layers in the encoder and in the decoder.
        heads: Number of heads in each attention.
        units: Size of a vector at each position, a multiple of ``heads``.

    Returns:
        A model of ``{"source": [B, K], "decoder_input": [B, Q]}`` with the logits of the next
        character, ``[B, Q, characters]``.
    """
    if units % heads:
        raise ValueError(f"units must be a multiple of heads. Received: {units=}, {heads=}")
    source = keras.Input((None,), dtype="int32", name="source")
    decoder_input = keras.Input((None,), dtype="int32", name="decoder_input")
    encoder = Encoder(
        CharacterEmbedding(encoding.source.size, encoding.source_length, units, name="embedding"),
        layers, heads, units, name="encoder",
    )  # fmt: skip
    decoder = Decoder(
        CharacterEmbedding(encoding.target.size, encoding.target_length, units, name="embedding"),
        layers, heads, units, name="decoder",
    )  # fmt: skip
    is_text = ops.expand_dims(ops.not_equal(source, PADDING), 1)
    written = decoder(decoder_input, encoder(source), is_text)
    logits = keras.layers.Dense(encoding.target.size, name="characters")(written)
    return keras.Model(
        {"source": source, "decoder_input": decoder_input}, logits, name="transformer"
    )
