"""Attention of a model once, without a training."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tb_attention_training.capture.probe import AttentionProbe
from tb_attention_training.capture.selection import Patterns


def attention_maps(
    model: Any,
    inputs: Any,
    *,
    layers: Patterns | None = None,
    exclude: Patterns | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Returns the attention of every layer of a model for a batch.

    The model's forward pass runs as in inference; neither its variables nor random states change.

    Args:
        model: A built Keras model.
        inputs: What the model is called with: an array, or a list, tuple or dict of arrays, with
            the B examples along their first axes.
        layers: Regular expressions; return layers in whose path one is found. None: layers that
            call themselves attention by class or name, and whatever is tapped.
        exclude: Regular expressions; leave out layers in whose path one is found.

    Returns:
        float32 `[B, H, Q, K]` by layer, in the order of the forward pass. Pooling has Q = 1. Empty
        when there is no attention; an `AttentionWarning` then says what was looked at.

    Raises:
        TypeError: `inputs` is a dataset or holds something but arrays.
        ValueError: `inputs` is empty, or the model is not built.
        CaptureError: Capturing would change the model's state.

    Example:
        >>> for layer, weights in attention_maps(model, tokens[:4]).items():
        ...     plot_attention(weights[0, 0])
    """
    probe = AttentionProbe(model, inputs, layers=layers, exclude=exclude)
    return {attention.layer: attention.weights for attention in probe.capture()}
