"""Everything of Keras that is not public API and that capture needs, in one place.

Keras promises nothing about these names; the tests run against the oldest and the newest Keras that
the package declares.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

import keras
import numpy as np
from keras.src import backend as keras_backend
from keras.src.backend.common import global_state

backend_nn: Any = keras_backend.nn
"""The module in which `keras.ops` looks up `softmax` and `dot_product_attention` when it runs."""

_GLOBAL_SEED_GENERATOR = "global_seed_generator"


def is_symbolic(value: Any) -> bool:
    """Whether `value` is a Keras placeholder, as during the construction of a functional model."""
    return isinstance(value, keras.KerasTensor)


@contextmanager
def without_rematerialization(layer: Any) -> Generator[None, None, None]:
    """Calls `layer` plainly: inside a rematerialized call tensors belong to an inner trace."""
    mode = getattr(layer, "_remat_mode", None)
    if mode is None:
        yield
        return
    object.__setattr__(layer, "_remat_mode", None)  # past Keras's attribute tracking
    try:
        yield
    finally:
        object.__setattr__(layer, "_remat_mode", mode)


@contextmanager
def unrolled(rnn: Any) -> Generator[None, None, None]:
    """Runs the recurrent layer step by step in one graph, so that each step's tensors are seen."""
    unroll = rnn.unroll
    object.__setattr__(rnn, "unroll", True)
    try:
        yield
    finally:
        object.__setattr__(rnn, "unroll", unroll)


@contextmanager
def frozen_randomness() -> Generator[None, None, None]:
    """Restores on exit every random state that a forward pass outside Keras variables can touch.

    Those are Python's and NumPy's global states, TensorFlow's eager op seeds, PyTorch's generators,
    and the seed generator that Keras makes on first use.
    """
    python_state = random.getstate()
    numpy_state = np.random.get_state()  # noqa: NPY002  the state that others use
    generator = global_state.get_global_attribute(_GLOBAL_SEED_GENERATOR)
    with _backend_randomness():
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)  # noqa: NPY002
            if generator is None:
                global_state.set_global_attribute(_GLOBAL_SEED_GENERATOR, None)


@contextmanager
def _backend_randomness() -> Generator[None, None, None]:
    if keras.backend.backend() == "torch":
        torch = import_module("torch")
        with torch.random.fork_rng():
            yield
        return
    rng: Any = None
    if keras.backend.backend() == "tensorflow":
        context = import_module("tensorflow.python.eager.context")
        with suppress(AttributeError):  # created with the first eager random op under a seed
            rng = context.context()._rng
    state = None if rng is None else rng.getstate()
    try:
        yield
    finally:
        if rng is not None:
            rng.setstate(state)
