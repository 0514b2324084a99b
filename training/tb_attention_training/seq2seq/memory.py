"""Checks of the memory a mechanism is given, and its mask."""

from __future__ import annotations

from typing import Any

import numpy as np

from tb_attention_training.seq2seq.backend import mask_of, ops
from tb_attention_training.seq2seq.loops import assert_in_graph, concrete
from tb_attention_training.seq2seq.states import Tensor, same_shape


def memory_mask_of(memory: Tensor, lengths: Any, mask: Any, *, owner: str) -> Tensor | None:
    """Returns the boolean mask `[B, K]` of a memory `[B, K, M]`, or None when all of it counts.

    Args:
        memory: `[B, K, M]`.
        lengths: `[B]` or None.
        mask: `[B, K]` or None. When both are None the mask attached by Keras is used, if any.
        owner: who asks, for errors.

    Raises:
        ValueError: if shapes or values do not fit, or both lengths and mask are given.
    """
    shape = tuple(memory.shape)
    if len(shape) != 3 or shape[2] is None:
        raise ValueError(
            f"{owner}: memory must have shape [batch, positions, depth] with a known depth. "
            f"Received shape {shape}."
        )
    if lengths is not None and mask is not None:
        raise ValueError(
            f"{owner}: memory_sequence_length and memory_mask say the same thing twice. "
            "Pass one of them."
        )
    if lengths is not None:
        return length_mask(lengths, shape[0], ops.shape(memory)[1], owner=owner)
    if mask is None:
        mask = mask_of(memory)
        if mask is None:
            return None
    mask = ops.cast(ops.convert_to_tensor(mask), "bool")
    if not same_shape(mask.shape, shape[:2]):
        raise ValueError(
            f"{owner}: memory_mask must have shape [batch, positions] = {shape[:2]}. "
            f"Received shape {tuple(mask.shape)}."
        )
    return mask


def length_mask(lengths: Tensor, batch: int | None, positions: Any, *, owner: str) -> Tensor:
    """Returns the boolean mask `[B, K]` that is true below each length.

    Raises:
        ValueError: if lengths are not `[B]` or a known length is outside `[1, K]`.
    """
    lengths = ops.cast(ops.convert_to_tensor(lengths), "int32")
    if not same_shape(lengths.shape, (batch,)):
        raise ValueError(
            f"{owner}: memory_sequence_length must have shape [batch] = {(batch,)}. "
            f"Received shape {tuple(lengths.shape)}."
        )
    advice = (
        f"{owner}: every memory_sequence_length must be at least 1 and at most the number of "
        "memory positions"
    )
    remedy = (
        "Drop empty examples from the batch or give them length 1; cut lengths where the "
        "memory was cut."
    )
    known = concrete(lengths)
    if known is not None and isinstance(positions, int):
        if known.size and (known.min() < 1 or known.max() > positions):
            wrong = np.flatnonzero((known < 1) | (known > positions))
            raise ValueError(
                f"{advice} ({positions}). Received {known[wrong[0]]} for example {wrong[0]} "
                f"(all: {known.tolist()}). {remedy}"
            )
    else:
        fits = ops.logical_and(ops.all(lengths >= 1), ops.all(lengths <= positions))
        lengths = assert_in_graph(fits, f"{advice}. {remedy}", lengths)
    return ops.arange(positions, dtype="int32")[None, :] < lengths[:, None]


def zero_masked(memory: Tensor, mask: Tensor | None) -> Tensor:
    """Returns memory `[B, K, M]` with zeros where mask `[B, K]` is false."""
    if mask is None:
        return memory
    return memory * ops.cast(mask, memory.dtype)[:, :, None]
