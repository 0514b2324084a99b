from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import keras as typed_keras
import numpy as np
import pytest

# Keras and TensorFlow are annotated for people, not for type checkers.
keras: Any = typed_keras

Array = np.ndarray[Any, Any]

# Every dimension another prime, so that a swapped axis cannot pass.
B, K, M, T, E, C, A, V, U = 3, 7, 5, 11, 2, 13, 17, 19, 23


class Data(NamedTuple):
    memory: Array  # [B, K, M]
    memory_lengths: Array  # [B]
    inputs: Array  # [B, T, E]
    lengths: Array  # [B]
    embedding: Array  # [V, E]
    cell_state: list[Array]  # [B, C] twice
    query: Array  # [B, C]


@pytest.fixture
def data() -> Data:
    random = np.random.default_rng(5)

    def normal(*shape: int) -> Array:
        return random.normal(size=shape).astype("float32")

    return Data(
        memory=normal(B, K, M),
        memory_lengths=np.array([7, 2, 5]),
        inputs=normal(B, T, E),
        lengths=np.array([11, 3, 0]),
        embedding=2 * normal(V, E),
        cell_state=[normal(B, C), normal(B, C)],
        query=normal(B, C),
    )


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    keras.utils.set_random_seed(7)
    yield
    keras.config.set_dtype_policy("float32")
