"""Attention of any framework: arrays in, no TensorFlow and no Keras.

    python examples/numpy_writer.py runs/numpy
    tensorboard --logdir runs/numpy

Here the arrays come from a toy model in NumPy whose alignment sharpens over 200 steps; in a JAX or
PyTorch training, hand over what your attention layer returns.
"""

from __future__ import annotations

import sys

import numpy as np

from tb_attention_plugin import AttentionWriter

SOURCES = ["the cat sat on the mat", "a dog"]
TARGETS = ["le chat était assis sur le tapis", "un chien"]


def attention(step: int, queries: int, keys: int, key_lengths: list[int]) -> np.ndarray:
    """Weights `[B, H, Q, K]` of two heads, ever closer to the diagonal."""
    q = np.arange(queries)[:, None] / queries
    scores = np.empty((len(key_lengths), 2, queries, keys))
    for b, length in enumerate(key_lengths):
        distance = np.abs(q - np.arange(keys) / length)
        scores[b, 0] = -0.2 * step * distance
        scores[b, 1] = -0.05 * step * np.abs(distance - 0.25)
        scores[b, :, :, length:] = -np.inf
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def main() -> None:
    """Writes 41 records of one layer."""
    query_tokens = [text.split() for text in TARGETS]
    key_tokens = [text.split() for text in SOURCES]
    query_lengths = [len(tokens) for tokens in query_tokens]
    key_lengths = [len(tokens) for tokens in key_tokens]
    with AttentionWriter(sys.argv[1] if len(sys.argv) > 1 else "runs/numpy") as writer:
        for step in range(0, 201, 5):
            writer.write(
                "decoder/cross_attention",
                attention(step, max(query_lengths), max(key_lengths), key_lengths),
                step,
                query_tokens=query_tokens,
                key_tokens=key_tokens,
                query_lengths=query_lengths,
                key_lengths=key_lengths,
            )


if __name__ == "__main__":
    main()
