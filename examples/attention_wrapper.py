"""The classic attention plot of `tf.contrib.seq2seq`, with Keras 3.

The code between the two rules is what people wrote for `tf.contrib.seq2seq`; only the module's
name is another. Above it stand the variables it needs, below it the picture is saved.

    python examples/attention_wrapper.py [FILE.png]
"""

from __future__ import annotations

import sys

import keras
import tensorflow as tf
from tb_attention_training import plot_attention, seq2seq

# A tagger that has to write down the words it read: source and target are the same sentence.
sentences = ["the cat sat on the mat", "dogs run", "attention comes and goes"]
words = ["<pad>", "<go>", *sorted({word for line in sentences for word in line.split()})]
lengths = tf.constant([len(line.split()) for line in sentences])
ids = keras.utils.pad_sequences(
    [[words.index(word) for word in line.split()] for line in sentences], padding="post"
)
batch_size, depth, num_units, vocabulary = len(sentences), 16, 32, len(words)

embedding = keras.layers.Embedding(vocabulary, depth)
encoder = keras.layers.LSTM(num_units, return_sequences=True, return_state=True)
go = tf.fill([batch_size, 1], words.index("<go>"))
inputs = embedding(tf.concat([go, ids[:, :-1]], axis=1))
encoder_outputs, *encoder_state = encoder(embedding(ids), mask=tf.sequence_mask(lengths))
decoder_cell = keras.layers.LSTMCell(num_units)
output_layer = keras.layers.Dense(vocabulary)

# ------------------------------------------------------------------------------ the question
attention_mechanism = seq2seq.LuongMonotonicAttention(
    num_units=num_units, memory=encoder_outputs, memory_sequence_length=lengths
)
cell = seq2seq.AttentionWrapper(
    decoder_cell, attention_mechanism, attention_layer_size=num_units, alignment_history=True
)
helper = seq2seq.TrainingHelper(inputs, lengths)
decoder = seq2seq.BasicDecoder(
    cell=cell,
    helper=helper,
    initial_state=cell.zero_state(batch_size, tf.float32).clone(cell_state=encoder_state),
    output_layer=output_layer,
)
final_outputs, final_state, _ = seq2seq.dynamic_decode(decoder)
alignments = final_state.alignment_history.stack()

i = 0
input_tags = output_tags = sentences[i].split()
figure = plot_attention(alignments[:, i, :], input_tags, output_tags)
# -------------------------------------------------------------------------------------------

print(f"alignments [T, B, K]: {tuple(alignments.shape)}, of untrained weights")
target = sys.argv[1] if len(sys.argv) > 1 else "attention.png"
figure.savefig(target)
print(f"wrote {target}")
