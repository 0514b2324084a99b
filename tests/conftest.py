"""What the tests of all parts share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

# No deadline: a loaded machine is no bug. The same examples each time: a red test stays red.
settings.register_profile("repeatable", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("repeatable")

Maps = NDArray[np.float32]


@pytest.fixture(scope="session")
def attention() -> Callable[..., Maps]:
    """Makes attention as a softmax does: `attention(B, H, Q, K, seed=0)`, rows sum to 1."""

    def make(*shape: int, seed: int = 0) -> Maps:
        logits = np.random.default_rng(seed).normal(0, 3, shape)
        weights = np.exp(logits - logits.max(-1, keepdims=True))
        return (weights / weights.sum(-1, keepdims=True)).astype(np.float32)

    return make


@pytest.fixture(scope="session")
def assert_promised() -> Callable[[Maps, Maps], None]:
    """Asserts what the code table promises: 5e-4 absolute or 1 % relative, and 0 only for 0."""

    def check(shown: Maps, true: Maps) -> None:
        assert shown.shape == true.shape
        error = np.abs(shown.astype(np.float64) - true.astype(np.float64))
        assert (error <= np.maximum(5e-4, 0.01 * true.astype(np.float64))).all()
        np.testing.assert_array_equal(shown == 0, true == 0)

    return check
