"""What is recorded: one layer's attention maps of every example and head at one step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Tokens = Sequence[Sequence[str]]
"""Tokens of one side (queries or keys), a sequence of strings for each of the B examples."""


@dataclass(frozen=True)
class AttentionRecord:
    """One layer's attention at one step, validated.

    Attributes:
        layer: Name of the layer, its path in the model, e.g. `"decoder/cross_attention"`.
        step: Training step.
        wall_time: Seconds since the epoch.
        weights: float32 `[B, H, Q, K]`.
        query_tokens: Tokens of the queries (rows) of each example, or None.
        key_tokens: Tokens of the keys (columns) of each example, or None.
        query_lengths: int64 `[B]`, the number of valid queries of each example.
        key_lengths: int64 `[B]`, the number of valid keys of each example.
        causal: Whether a query cannot attend to later keys.
        dtype: Name of the dtype in which the weights were given.
        skipped: Captures that were due since the layer's record before and were left out.
        heads: Number of each of the H heads in the model, ascending; None: 0 to H - 1.
    """

    layer: str
    step: int
    wall_time: float
    weights: NDArray[np.float32]
    query_tokens: Tokens | None
    key_tokens: Tokens | None
    query_lengths: NDArray[np.int64]
    key_lengths: NDArray[np.int64]
    causal: bool
    dtype: str
    skipped: int = 0
    heads: tuple[int, ...] | None = None

    @property
    def head_numbers(self) -> Sequence[int]:
        """The number of each head, ascending."""
        return range(self.weights.shape[1]) if self.heads is None else self.heads


@dataclass(frozen=True)
class RenderedImage:
    """One image for TensorBoard's Images dashboard.

    Attributes:
        tag: Name under which the dashboard shows it.
        png: The encoded image.
        width: Pixels.
        height: Pixels.
    """

    tag: str
    png: bytes
    width: int
    height: int


ImageRenderer = Callable[[AttentionRecord], Iterable[RenderedImage]]
"""Makes the image summaries of a record; called on the writer's thread."""
