"""Keras' operations without their types.

Keras' annotations are not meant for type checkers (an op's inferred result is `object | None`);
behind `Any` the checker looks at our code only.
"""

from __future__ import annotations

from typing import Any

import keras

ops: Any = keras.ops
