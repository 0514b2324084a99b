"""Trains with and without the callback and prints a digest of everything that training leaves.

Run as a program, because TensorFlow's `enable_op_determinism` holds for a whole process.
"""

# pyright: reportMissingImports=false
# PyTorch is no dependency of the development environment.

from __future__ import annotations

import hashlib
import json
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import capture_models as models
import keras
import numpy as np
from tb_attention_training import AttentionCallback

EXAMPLES, BATCH, EPOCHS = 23, 5, 2
MORE_PLAIN_RUNS = 5


class Disturbing(keras.callbacks.Callback):
    """What people do by hand; the digests must tell it from a plain run."""

    def __init__(self, inputs: Any) -> None:
        super().__init__()
        self.inputs = inputs

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        model: Any = self.model
        model(self.inputs, training=True)


@dataclass(frozen=True)
class Case:
    """A model, how it is compiled, and whether TensorFlow may choose kernels freely."""

    build: Callable[[], Any]
    options: dict[str, Any]
    deterministic: bool = True


def noisy() -> Any:
    """Dropout, whose random streams a forward pass can advance, and statistics it can move."""
    return models.transformer(dropout=0.3, batch_norm=True)


BACKEND = keras.backend.backend()
to_numpy: Any = keras.ops.convert_to_numpy


def cases() -> dict[str, Case]:
    """What is trained on this backend, by name."""
    common = {
        "multi-head attention": Case(models.transformer, {}),
        "dropout and batch norm": Case(noisy, {"jit_compile": BACKEND == "jax"}),
        "run eagerly": Case(noisy, {"run_eagerly": True}),
        "decoder": Case(models.decoder, {}),
    }
    several = {"three steps per execution": Case(noisy, {"steps_per_execution": 3})}
    # First, because Keras leaves XLA off once op determinism is on, and that cannot be undone.
    by_xla = Case(noisy, {"jit_compile": True}, deterministic=False)
    return {
        "tensorflow": {"dropout and batch norm, by XLA": by_xla, **common, **several},
        "jax": {**common, **several},
        "torch": common,  # there Keras knows no other than one step per execution
    }[BACKEND]


CASES = cases()
DISTURBED = "dropout and batch norm"


def digest(model: Any, history: Any) -> str:
    """SHA-256 of variables, optimizer, metrics, and of what the random streams give next."""
    sha = hashlib.sha256()
    for variable in [*model.variables, *model.optimizer.variables]:
        sha.update(to_numpy(variable.value).tobytes())
    sha.update(json.dumps(history.history).encode())
    sha.update(repr(random.random()).encode())
    sha.update(np.random.random(3).tobytes())  # noqa: NPY002  the state that others use
    sha.update(to_numpy(keras.random.uniform((3,))).tobytes())
    sha.update(framework_numbers().tobytes())
    return sha.hexdigest()


def framework_numbers() -> Any:
    """What the framework's own random stream gives next; JAX has none."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.random.uniform((3,)).numpy()
    if BACKEND == "torch":
        import torch

        return torch.rand(3).numpy()
    return np.zeros(0)


def be_deterministic() -> None:
    """Asks the framework for the same result each time."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    if BACKEND == "torch":
        import torch

        torch.use_deterministic_algorithms(True)


def train(case: str, make_callback: Callable[[Any], Any] | None) -> str:
    """Trains a new model and returns its digest."""
    keras.backend.clear_session()
    model = models.compiled(CASES[case].build(), **CASES[case].options)
    inputs = [models.source(), models.target()]
    callbacks = [] if make_callback is None else [make_callback(inputs)]
    history = model.fit(
        [models.source(EXAMPLES), models.target(EXAMPLES)],
        models.target(EXAMPLES, seed=5),
        batch_size=BATCH,
        epochs=EPOCHS,
        callbacks=callbacks,
        verbose=0,
    )
    return digest(model, history)


def recording(inputs: Any) -> Any:
    """The callback as people use it, at every second step."""
    return AttentionCallback(
        tempfile.mkdtemp(), inputs, update_freq=2, images=False, on_error="raise"
    )


def main() -> None:
    """Prints, for each case, the digests of plain runs and of one with each callback."""
    results: dict[str, Any] = {}
    for name, case in CASES.items():
        if case.deterministic:
            be_deterministic()
        plain, recorded = [train(name, None)], train(name, recording)
        # Kernels round by memory alignment even so: several plain runs make the set of what is
        # right. A random stream that was touched never hits it.
        while recorded not in plain and len(plain) <= MORE_PLAIN_RUNS:
            plain.append(train(name, None))
        results[name] = {"plain": plain, "recording": recorded}
    results["disturbed"] = train(DISTURBED, Disturbing)
    print("RESULT " + json.dumps(results))


if __name__ == "__main__":
    main()
