"""Attention weights from queries and keys, for fused kernels that return none."""

from __future__ import annotations

import math
from typing import Any

import keras

_MASKED = -1e30

ops: Any = keras.ops  # its annotations take every array of every backend for possible


def attention_weights(
    query: Any,
    key: Any,
    *,
    bias: Any = None,
    mask: Any = None,
    scale: Any = None,
    is_causal: bool = False,
    soft_cap: float | None = None,
) -> Any:
    """Computes the weights that `keras.ops.dot_product_attention` applies to the values.

    In float32 whatever the dtype of the inputs, as the kernels do inside.

    Args:
        query: `[B, Q, H, D]`.
        key: `[B, K, G, D]`; each of the G key heads serves H / G query heads in a row.
        bias: Added to the scaled scores; broadcastable to `[B, H, Q, K]`.
        mask: True (or above 0.5) where a query may attend; broadcastable to `[B, H, Q, K]`. A query
            with no key at all gets equal weights, as in the kernels.
        scale: Factor of the scores, 1/√D when None.
        is_causal: Whether query i attends to keys up to i only.
        soft_cap: Limit of the scores: `cap · tanh(score / cap)`.

    Returns:
        float32 `[B, H, Q, K]`.
    """
    query, key = ops.cast(query, "float32"), ops.cast(key, "float32")
    heads, key_heads = query.shape[2], key.shape[2]
    if key_heads != heads:
        key = ops.repeat(key, heads // key_heads, axis=2)
    factor = 1.0 / math.sqrt(query.shape[-1]) if scale is None else ops.cast(scale, "float32")
    scores = ops.einsum("bqhd,bkhd->bhqk", query, key) * factor
    if bias is not None:
        scores = scores + ops.cast(bias, "float32")
    if soft_cap is not None:
        scores = soft_cap * ops.tanh(scores / soft_cap)
    if mask is not None:
        allowed = mask
        if keras.backend.standardize_dtype(mask.dtype) != "bool":
            allowed = ops.greater(mask, ops.cast(0.5, mask.dtype))
        scores = ops.where(allowed, scores, _MASKED)
    if is_causal:
        rows, columns = ops.shape(scores)[-2], ops.shape(scores)[-1]
        allowed = ops.expand_dims(ops.arange(rows), 1) >= ops.expand_dims(ops.arange(columns), 0)
        scores = ops.where(allowed, scores, _MASKED)
    # By hand, not ops.softmax: that one is intercepted.
    exponentials = ops.exp(scores - ops.max(scores, axis=-1, keepdims=True))
    return exponentials / ops.sum(exponentials, axis=-1, keepdims=True)
