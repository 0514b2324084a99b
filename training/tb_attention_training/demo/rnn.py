"""An encoder and decoder of LSTMs with Luong attention that read dates."""

from __future__ import annotations

import keras
from keras import ops

from tb_attention_training.demo.encoding import PADDING, Encoding
from tb_attention_training.seq2seq import AttentionDecoder, LuongAttention


def build_rnn(encoding: Encoding, *, units: int = 128) -> keras.Model:
    """Builds the recurrent model: a bidirectional encoder, Luong attention, one decoder cell.

    Args:
        encoding: Vocabularies of the dates.
        units: Size of the encoder's outputs, both directions together, and of the decoder.

    Returns:
        A model of ``{"source": [B, K], "decoder_input": [B, Q]}`` with the logits of the next
        character, ``[B, Q, characters]``.
    """
    if units % 2:
        raise ValueError(f"units must be even, half for each direction. Received: {units=}")
    source = keras.Input((None,), dtype="int32", name="source")
    decoder_input = keras.Input((None,), dtype="int32", name="decoder_input")
    mask = ops.not_equal(source, PADDING)
    read = keras.layers.Embedding(encoding.source.size, units // 2, name="source_embedding")
    encoder = keras.layers.Bidirectional(
        keras.layers.LSTM(units // 2, return_sequences=True), name="encoder"
    )
    written = keras.layers.Embedding(encoding.target.size, units // 2, name="target_embedding")
    decoder = AttentionDecoder(
        keras.layers.LSTMCell(units),
        LuongAttention(units, name="luong_attention"),
        attention_layer_size=units,
        output_layer=keras.layers.Dense(encoding.target.size, name="characters"),
        name="decoder",
    )
    memory = encoder(read(source), mask=mask)
    logits = decoder(written(decoder_input), memory, memory_mask=mask).outputs
    return keras.Model({"source": source, "decoder_input": decoder_input}, logits, name="luong")
