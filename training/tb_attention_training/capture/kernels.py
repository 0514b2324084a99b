"""The weights that fused attention applies, recomputed from its arguments."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras

from tb_attention_training.capture.mask import Mask

_MASKED = -1e30


@dataclass(frozen=True)
class Fused:
    """One call of fused attention.

    Attributes:
        weights: Computes the weights that it applies, `[B, H, Q, K]`.
        mask: What it lets attend to what.
    """

    weights: Callable[[], Any]
    mask: Mask


Kernel = Callable[[Mapping[str, Any]], Fused]
"""Arguments of one call by name → what they say about the weights."""

ops: Any = keras.ops  # its annotations take every array of every backend for possible


def keras_kernel(given: Mapping[str, Any]) -> Fused:
    """`keras.ops.dot_product_attention`."""
    causal = bool(given.get("is_causal"))
    mask = given.get("mask")

    def weights() -> Any:
        return attention_weights(
            scores(given["query"], given["key"], given.get("scale")),
            bias=given.get("bias"),
            mask=mask,
            is_causal=causal,
            soft_cap=given.get("attn_logits_soft_cap"),
        )

    return Fused(weights, Mask(full=mask, causal=causal))


def jax_kernel(given: Mapping[str, Any]) -> Fused:
    """`jax.nn.dot_product_attention`, also with `[Q, H, D]` for one example."""
    query, key = (_with_batch(given[name]) for name in ("query", "key"))
    causal = bool(given.get("is_causal"))
    allowed = _jax_mask(given, query.shape[1], key.shape[1])

    def weights() -> Any:
        return attention_weights(
            scores(query, key, given.get("scale")),
            bias=given.get("bias"),
            mask=allowed,
            is_causal=causal,
        )

    return Fused(weights, Mask(full=allowed, causal=causal))


def torch_kernel(given: Mapping[str, Any]) -> Fused:
    """`torch.nn.functional.scaled_dot_product_attention`, `[…, Q, D]`."""
    query, key, mask = given["query"], given["key"], given.get("attn_mask")
    causal = bool(given.get("is_causal"))
    boolean = mask is not None and keras.backend.standardize_dtype(mask.dtype) == "bool"

    def weights() -> Any:
        q, k = ops.cast(query, "float32"), ops.cast(key, "float32")
        if given.get("enable_gqa"):
            k = ops.repeat(k, q.shape[-3] // k.shape[-3], axis=-3)
        # A query with no key at all gets no weight at all here, unlike in Keras.
        bias = ops.where(mask, 0.0, -math.inf) if boolean else mask
        return attention_weights(
            ops.matmul(q * _scale(query, given.get("scale")), ops.swapaxes(k, -1, -2)),
            bias=bias,
            is_causal=causal,
        )

    full = mask if boolean or mask is None else _allowed_by_bias(mask)
    return Fused(weights, Mask(full=full, causal=causal))


def scores(query: Any, key: Any, scale: Any) -> Any:
    """Scaled scores in float32 whatever the dtype of the inputs, as the kernels do inside.

    Args:
        query: `[B, Q, H, D]`.
        key: `[B, K, G, D]`; each of the G key heads serves H / G query heads in a row.
        scale: Factor of the scores, 1/√D when None.

    Returns:
        float32 `[B, H, Q, K]`.
    """
    factor = _scale(query, scale)
    query, key = ops.cast(query, "float32"), ops.cast(key, "float32")
    heads, key_heads = query.shape[2], key.shape[2]
    if key_heads != heads:
        key = ops.repeat(key, heads // key_heads, axis=2)
    return ops.einsum("bqhd,bkhd->bhqk", query, key) * factor


def attention_weights(
    scores: Any,
    *,
    bias: Any = None,
    mask: Any = None,
    is_causal: bool = False,
    soft_cap: float | None = None,
) -> Any:
    """Turns scaled scores into weights as `keras.ops.dot_product_attention` does.

    Args:
        scores: float32 `[…, Q, K]`.
        bias: Added to the scores; broadcastable to them. A query whose keys all get -inf gets no
            weight at all.
        mask: True (or above 0.5) where a query may attend; broadcastable to the scores. A query
            with no key at all gets equal weights, as in the kernels.
        is_causal: Whether query i attends to keys up to i only.
        soft_cap: Limit of the scores: `cap · tanh(score / cap)`.

    Returns:
        float32 `[…, Q, K]`.
    """
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
    highest = ops.max(scores, axis=-1, keepdims=True)
    exponentials = ops.exp(scores - ops.maximum(highest, 2 * _MASKED))
    total = ops.sum(exponentials, axis=-1, keepdims=True)
    return exponentials / ops.where(total > 0, total, 1.0)


def _scale(query: Any, scale: Any) -> Any:
    return 1.0 / math.sqrt(query.shape[-1]) if scale is None else ops.cast(scale, "float32")


def _with_batch(tensor: Any) -> Any:
    tensor = ops.convert_to_tensor(tensor)
    return ops.expand_dims(tensor, 0) if len(tensor.shape) == 3 else tensor


def _jax_mask(given: Mapping[str, Any], queries: int, keys: int) -> Any:
    """The mask, the window and the lengths of `jax.nn.dot_product_attention`, as one mask."""
    parts: list[Any] = [] if given.get("mask") is None else [given["mask"]]
    rows, columns = ops.expand_dims(ops.arange(queries), 1), ops.expand_dims(ops.arange(keys), 0)
    window = given.get("local_window_size")
    if window is not None:
        left, right = (window, window) if isinstance(window, int) else window
        parts.append(ops.logical_and(rows <= columns + left, rows >= columns - right))
    for name, positions in (("query_seq_lengths", rows), ("key_value_seq_lengths", columns)):
        if given.get(name) is not None:
            lengths = ops.reshape(given[name], (-1, 1, 1, 1))
            parts.append(ops.cast(positions, lengths.dtype) < lengths)
    if not parts:
        return None
    allowed = parts[0]
    for part in parts[1:]:
        allowed = ops.logical_and(allowed, part)
    return allowed


def _allowed_by_bias(bias: Any) -> Any:
    """Where a bias that is added to scores does not forbid attention.

    Masks are written as -inf, or as a good part of the lowest number of the type.
    """
    lowest = {"float16": -65504.0, "bfloat16": -3.38e38, "float32": -3.4028235e38}
    dtype = keras.backend.standardize_dtype(bias.dtype)
    return ops.greater(bias, ops.cast(lowest.get(dtype, -3.4e38) / 2, bias.dtype))
