"""Graph-mode programs with alignments, for the hook's tests. Prime dimensions: a swap shows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

v1: Any = tf.compat.v1
T, B, K, D = 7, 5, 11, 3


class Program(NamedTuple):
    """A toy decoder that attends to `memory` for T steps."""

    graph: Any
    memory: Any  # placeholder [B, K, D]
    lengths: Any  # placeholder [B]
    alignments: Any  # [T, B, K]
    loss: Any
    train: Any
    step: Any
    weights: Any


def batch(seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(B, K, D)).astype(np.float32)


LENGTHS = np.array([11, 7, 5, 3, 2])


def program(*, resource: bool = True, dropout: float = 0.0, advance: bool = True) -> Program:
    graph: Any = tf.Graph()
    with graph.as_default(), v1.variable_scope("program", use_resource=resource):
        v1.set_random_seed(13)
        step = v1.get_variable(
            v1.GraphKeys.GLOBAL_STEP,
            shape=[],
            dtype=tf.int64,
            initializer=v1.zeros_initializer(),
            trainable=False,
            collections=[v1.GraphKeys.GLOBAL_VARIABLES, v1.GraphKeys.GLOBAL_STEP],
        )
        memory = v1.placeholder(tf.float32, [None, K, D], name="memory")
        lengths = v1.placeholder(tf.int32, [None], name="lengths")
        weights = v1.get_variable(
            "weights", [D, D], initializer=v1.random_normal_initializer(seed=3)
        )
        mask = tf.sequence_mask(lengths, K)

        def body(t: Any, query: Any, history: Any) -> Any:
            scores = tf.einsum("bd,de,bke->bk", query, weights, memory)
            alignment = tf.nn.softmax(tf.where(mask, scores, tf.fill(tf.shape(scores), -1e9)))
            context = tf.einsum("bk,bkd->bd", alignment, memory)
            if dropout:
                context = tf.nn.dropout(context, rate=dropout)
            return t + 1, tf.tanh(query + context), history.write(t, alignment)

        _, last, history = tf.while_loop(
            lambda t, *_: t < T,
            body,
            (0, tf.ones_like(memory[:, 0]), tf.TensorArray(tf.float32, T, element_shape=[None, K])),
        )
        alignments = history.stack("history")
        loss = tf.reduce_mean((last - memory[:, -1]) ** 2, name="loss")
        optimizer = v1.train.AdamOptimizer(0.1)
        train = optimizer.minimize(loss, global_step=step if advance else None)
    return Program(graph, memory, lengths, alignments, loss, train, step, weights)
