"""Keras' operations without their types.

Keras' annotations are not meant for type checkers (an op's inferred result is `object | None`);
behind `Any` the checker looks at our code only.
"""

from __future__ import annotations

from typing import Any

import keras
from keras.src.backend.common.masking import get_keras_mask

ops: Any = keras.ops


def mask_of(tensor: Any) -> Any:
    """The mask that Keras attached to a tensor, or None; JAX arrays keep theirs elsewhere."""
    return get_keras_mask(tensor)
