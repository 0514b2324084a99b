"""What a layer lets its queries attend to, as tensors of a forward pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class Mask:
    """What a layer let its queries attend to; every part may be absent.

    Attributes:
        full: Broadcastable to the weights, true where attention is allowed.
        query: `[B, Q]`, true where a query is valid.
        key: `[B, K]`, true where a key is valid.
        causal: Whether a query cannot attend to later keys.
    """

    full: Any = None
    query: Any = None
    key: Any = None
    causal: bool = False


NO_MASK = Mask()
