from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import pytest
from numpy.typing import ArrayLike

from tb_attention_plugin.store.record import AttentionRecord
from tb_attention_plugin.store.validation import make_record


class MakeRecord(Protocol):
    def __call__(self, weights: ArrayLike, step: int = ..., **options: Any) -> AttentionRecord: ...


@pytest.fixture
def make() -> MakeRecord:
    """Makes a record of `[B, H, Q, K]` weights, or of one map `[Q, K]`."""

    def record(weights: ArrayLike, step: int = 0, **options: Any) -> AttentionRecord:
        array = np.asarray(weights)
        names = ("query_tokens", "key_tokens", "query_lengths", "key_lengths", "wall_time")
        given: dict[str, Any] = dict.fromkeys(names)
        given.update({"layer": "layer", "causal": False, "time_major": False}, **options)
        return make_record(
            weights=array[None, None] if array.ndim == 2 else array, step=step, **given
        )

    return record
