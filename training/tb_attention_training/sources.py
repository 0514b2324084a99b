"""What a hook fetches for each layer, and what it makes of it for the writer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf


class Source(NamedTuple):
    """One layer. Each field is a tensor that is fetched, or a value given once and for all.

    Attributes:
        weights: `[T, B, K]` if time-major, else `[B, Q, K]` or `[B, H, Q, K]`; a tensor.
        query_tokens: Strings `[B, Q]`, or None.
        key_tokens: Strings `[B, K]`, or None.
        query_lengths: `[B]`, or None.
        key_lengths: `[B]`, or None.
        examples: Axis of the examples in `weights`.
    """

    weights: Any
    query_tokens: Any
    key_tokens: Any
    query_lengths: Any
    key_lengths: Any
    examples: int

    def fetches(self) -> dict[str, Any]:
        """The tensors among the fields."""
        return {name: one for name, one in self._asdict().items() if tf.is_tensor(one)}

    def arguments(self, fetched: Mapping[str, Any], max_examples: int) -> dict[str, Any]:
        """Arguments of `AttentionWriter.write`.

        Args:
            fetched: Values of `fetches()`.
            max_examples: Take the first ones only.
        """
        values = self._replace(**fetched)
        weights: Any = np.asarray(values.weights)
        few = slice(max_examples)
        return {
            "weights": weights[(slice(None),) * self.examples + (few,)],
            "query_tokens": _strings(values.query_tokens, few),
            "key_tokens": _strings(values.key_tokens, few),
            "query_lengths": _numbers(values.query_lengths, few),
            "key_lengths": _numbers(values.key_lengths, few),
        }


def sources_of(
    alignments: Mapping[str, Any],
    *,
    query_tokens: Any,
    key_tokens: Any,
    query_lengths: Any,
    key_lengths: Any,
    time_major: bool,
) -> dict[str, Source]:
    """The layers' sources.

    Args:
        alignments: Tensors by layer.
        query_tokens: For all layers, or a dict from layers; so are those that follow.
        key_tokens: See `query_tokens`.
        query_lengths: See `query_tokens`.
        key_lengths: See `query_tokens`.
        time_major: Whether `alignments` are `[T, B, K]`.

    Raises:
        TypeError: Something is no tensor of a graph.
        ValueError: There is no layer, or a tensor's shape cannot be.
    """
    if not alignments:
        raise ValueError("alignments: expected a tensor or a dict of them, received an empty one.")
    for layer, tensor in alignments.items():
        _check(layer, tensor, time_major)
    return {
        layer: Source(
            tensor,
            *(
                value.get(layer) if isinstance(value, Mapping) else value
                for value in (query_tokens, key_tokens, query_lengths, key_lengths)
            ),
            examples=1 if time_major else 0,
        )
        for layer, tensor in alignments.items()
    }


def _check(layer: str, tensor: Any, time_major: bool) -> None:
    if not tf.is_tensor(tensor):
        hint = " Stack it: alignment_history.stack()." if hasattr(tensor, "stack") else ""
        raise TypeError(
            f"alignments: expected a tensor of the graph for layer {layer!r}, received "
            f"{type(tensor).__name__}.{hint}"
        )
    if tf.is_tensor(tensor) and hasattr(tensor, "numpy"):
        raise TypeError(
            f"alignments: expected a tensor of a graph for layer {layer!r}, received an eager one. "
            "AttentionWriter records those."
        )
    rank = tensor.shape.rank
    if rank is not None and rank not in ((3,) if time_major else (3, 4)):
        expected = "[T, B, K]" if time_major else "[B, Q, K] or [B, H, Q, K]"
        raise ValueError(
            f"alignments: expected {expected} for layer {layer!r} with time_major={time_major}, "
            f"received a tensor of shape {tensor.shape}."
        )


def _numbers(value: Any, few: slice) -> Any:
    return None if value is None else np.asarray(value)[few]


def _strings(value: Any, few: slice) -> list[list[str]] | None:
    if value is None:
        return None
    rows: Any = value.tolist() if isinstance(value, np.ndarray) else list(value)
    return [
        [one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in row]
        for row in rows[few]
    ]
