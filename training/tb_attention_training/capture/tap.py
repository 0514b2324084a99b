"""`tap`: how a layer hands over attention weights that interception cannot see.

Imports nothing but the standard library, so that a model may import it at no cost.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

WeightsT = TypeVar("WeightsT")


class TapReceiver(Protocol):
    """What `tap` hands weights to while a capture is under way."""

    def receive_tap(
        self, name: str, weights: Any, *, key_mask: Any, query_mask: Any, causal: bool
    ) -> None:
        """Takes the weights of one call of `tap`."""
        ...


class _Receivers(threading.local):
    # Per thread: a forward pass that another thread runs at the same time is not part of a capture.
    def __init__(self) -> None:
        self.stack: tuple[TapReceiver, ...] = ()


_receivers = _Receivers()


def tap(
    name: str,
    weights: WeightsT,
    *,
    key_mask: Any = None,
    query_mask: Any = None,
    causal: bool = False,
) -> WeightsT:
    """Offers attention weights to a capture, and returns them unchanged.

    Call it inside a model's forward pass, with weights that do not come out of a softmax that
    capture finds by itself: sparse or monotonic attention, alignments gathered over decoder steps.
    Outside a capture it does nothing at all, so it can stay in the model: training, inference and
    saved models are the same with and without it.

    Args:
        name: Name below the path of the layer that is being called: `"alignments"` inside the layer
            `decoder` is recorded as `decoder/alignments`. An empty string takes the layer's own
            path.
        weights: Tensor `[B, H, Q, K]`, or `[B, Q, K]` for one head. Batch-major: a time-major
            alignment history `[T, B, K]` must be transposed first.
        key_mask: Boolean `[B, K]`, true where a key is valid, or None when all are.
        query_mask: Boolean `[B, Q]`, true where a query is valid, or None when all are.
        causal: Whether a query cannot attend to later keys.

    Returns:
        `weights`, the same object.

    Raises:
        ValueError: During a capture, when `weights` is of another rank than 3 or 4.

    Example:
        >>> class Sparse(keras.layers.Layer):
        ...     def call(self, query, key):
        ...         weights = sparsemax(ops.matmul(query, ops.transpose(key, (0, 2, 1))))
        ...         return ops.matmul(tap("sparse", weights), key)
    """
    for receiver in _receivers.stack:
        receiver.receive_tap(name, weights, key_mask=key_mask, query_mask=query_mask, causal=causal)
    return weights


def tapping() -> bool:
    """Whether a capture is under way, for code that would have to prepare what it taps."""
    return bool(_receivers.stack)


@contextmanager
def receiving(receiver: TapReceiver, *, alone: bool) -> Generator[None, None, None]:
    """Sends what this thread taps inside the `with` block to `receiver`.

    Args:
        receiver: Who takes it.
        alone: Whether those who received before in this thread get nothing meanwhile.
    """
    before = _receivers.stack
    _receivers.stack = (receiver,) if alone else (*before, receiver)
    try:
        yield
    finally:
        _receivers.stack = before
