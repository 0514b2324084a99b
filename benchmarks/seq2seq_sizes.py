"""What `bench_seq2seq` and its peer train alike; NumPy only, the peer has older packages."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BATCH, EMBEDDING, UNITS, VOCABULARY = 32, 64, 128, 100


def batch(steps: int) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Source, decoder inputs and labels, each `[B, T]`."""
    rng = np.random.default_rng(steps)
    ids = rng.integers(1, VOCABULARY, size=(2, BATCH, steps + 1)).astype(np.int32)
    return ids[0, :, 1:], ids[1, :, :-1], ids[1, :, 1:]
