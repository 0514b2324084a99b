"""Weights as they came out of a model → maps `[B, H, Q, K]`. Pure NumPy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LayerAttention:
    """The attention of one layer for the examples of one probe batch.

    Attributes:
        layer: Path of the layer in the model.
        weights: float32 `[B, H, Q, K]`.
        query_lengths: int64 `[B]`, valid queries of each example; None when no mask says so.
        key_lengths: int64 `[B]`, valid keys of each example; None when no mask says so.
        causal: Whether a query cannot attend to later keys.
        heads: Number of each of the H heads in the model, ascending; None: 0 to H - 1.
    """

    layer: str
    weights: NDArray[np.float32]
    query_lengths: NDArray[np.int64] | None = None
    key_lengths: NDArray[np.int64] | None = None
    causal: bool = False
    heads: tuple[int, ...] | None = None


@dataclass(frozen=True)
class MaskArrays:
    """NumPy counterpart of `mask.Mask`; see there.

    Attributes:
        full: Boolean `[B, H, Q, K]`.
        query: As there.
        key: As there.
        causal: As there.
    """

    full: NDArray[Any] | None = None
    query: NDArray[Any] | None = None
    key: NDArray[Any] | None = None
    causal: bool = False


def to_maps(weights: NDArray[Any], axis: int | tuple[int, ...], batch: int) -> NDArray[np.float32]:
    """Brings weights into the shape `[B, H, Q, K]`.

    Args:
        weights: `[B, H, Q, K]`; `[B, Q, K]` (one head); `[B, K]` (pooling: one query); with more
            axes between B and Q, which become heads; or with several query and key axes.
        axis: Axis of the keys, along which the weights sum to one. A tuple of n axes at the end:
            attention over n axes, `[B, H, Q1, …, Qn, K1, …, Kn]`, which are flattened.
        batch: B. A leading axis of a multiple of it (windows folded into the batch) becomes heads.

    Returns:
        float32 `[B, H, Q, K]`.

    Raises:
        ValueError: When the leading axis is no multiple of B.
    """
    if isinstance(axis, tuple):
        n, shape = len(axis), weights.shape
        queries, keys = math.prod(shape[-2 * n : -n]), math.prod(shape[-n:])
        weights = weights.reshape(*shape[: -2 * n], queries, keys)
    else:
        weights = np.moveaxis(weights, axis, -1)
    if weights.ndim == 2:
        weights = weights[:, np.newaxis, :]
    leading, *_, queries, keys = weights.shape
    if batch == 0 or leading % batch:
        raise ValueError(
            f"Weights must lead with the batch axis of {batch} examples. "
            f"Received: shape {list(weights.shape)}"
        )
    return np.ascontiguousarray(weights.reshape(batch, -1, queries, keys), dtype=np.float32)


def to_full_mask(
    mask: NDArray[Any], shape: tuple[int, ...], axis: int | tuple[int, ...], batch: int
) -> NDArray[np.bool_] | None:
    """Brings a mask into the shape of the maps that `to_maps` makes.

    Args:
        mask: True (or above 0.5) where attention is allowed.
        shape: Of the weights as they came out of the model.
        axis: As for `to_maps`.
        batch: B.

    Returns:
        Boolean `[B, H, Q, K]`, or None when the mask cannot be broadcast to the weights.
    """
    try:
        whole = np.broadcast_to(_as_bool(mask), shape)
    except ValueError:
        return None
    return to_maps(whole, axis, batch) > 0.5


def mask_seen_in(weights: NDArray[np.float32]) -> NDArray[np.bool_] | None:
    """The mask that a softmax shows, for models that add one to the scores by hand.

    A softmax in float32 gives exactly 0 where a score is a hundred below the highest: where it was
    masked. A weight that is 0 in some heads only says that those are sharp, not what is masked.

    Args:
        weights: `[B, H, Q, K]`, made in float32.

    Returns:
        Boolean `[B, H, Q, K]`, or None when no weight is 0, or not in all heads alike.
    """
    if weights.min(initial=np.inf) > 0:  # the usual case, told in one pass
        return None
    hidden = np.asarray((weights == 0).all(axis=1, keepdims=True))
    shown = np.asarray((weights > 0).all(axis=1, keepdims=True))
    if not hidden.any() or not (hidden | shown).all():
        return None
    return np.broadcast_to(shown, weights.shape)


def describe(layer: str, weights: NDArray[np.float32], mask: MaskArrays) -> LayerAttention:
    """Adds to the maps of a layer what its mask says about padding and causality.

    Padding is known when the valid positions come first; any other mask leaves the lengths None.
    """
    batch, _, queries, keys = weights.shape
    query_valid = _valid(mask.query, (batch, queries))
    key_valid = _valid(mask.key, (batch, keys))
    causal = mask.causal
    if mask.full is not None:
        full = _any(mask.full, 1)
        query_valid = _both(query_valid, _any(full, 2))
        key_valid = _both(key_valid, _any(full, 1))
        causal = causal or _is_causal(full)
    return LayerAttention(layer, weights, _lengths(query_valid), _lengths(key_valid), causal)


def _is_causal(allowed: NDArray[np.bool_]) -> bool:
    """Whether positions above the diagonal are masked, and by more than padding alone."""
    queries, keys = allowed.shape[1:]
    later = np.arange(keys) > np.arange(queries)[:, np.newaxis]
    if (allowed & later).any():
        return False
    valid = _any(allowed, 2)[:, :, np.newaxis] & _any(allowed, 1)[:, np.newaxis, :]
    return bool((valid & later).any())


def _valid(mask: NDArray[Any] | None, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
    if mask is None or mask.shape != shape:
        return None
    return _as_bool(mask)


def _any(array: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    return np.asarray(array.any(axis=axis))


def _both(a: NDArray[np.bool_] | None, b: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return b if a is None else a & b


def _as_bool(mask: NDArray[Any]) -> NDArray[np.bool_]:
    return mask if mask.dtype == np.bool_ else np.asarray(mask > 0.5)


def _lengths(valid: NDArray[np.bool_] | None) -> NDArray[np.int64] | None:
    if valid is None:
        return None
    lengths = valid.sum(axis=1).astype(np.int64)
    first = np.arange(valid.shape[1]) < lengths[:, np.newaxis]
    return lengths if bool((first == valid).all()) and bool((lengths > 0).all()) else None
