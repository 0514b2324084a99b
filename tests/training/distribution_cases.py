"""Trains on two devices with and without the callback, and prints digests.

`MirroredStrategy` on TensorFlow, `keras.distribution` on JAX. A program, because a process has
one set of devices.
"""

# pyright: reportMissingImports=false
# JAX is no dependency of the development environment.

from __future__ import annotations

import hashlib
import json
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

# Read when JAX is imported.
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"

import capture_models as models
import keras
import numpy as np
from tb_attention_training import AttentionCallback

EXAMPLES, BATCH, EPOCHS = 24, 4, 2
PLAIN_RUNS = 6
to_numpy: Any = keras.ops.convert_to_numpy


def two_devices() -> Any:
    """Distributes over two CPU devices; returns what opens the scope of a model."""
    if keras.backend.backend() == "jax":
        keras.distribution.set_distribution(keras.distribution.DataParallel())
        assert len(keras.distribution.list_devices()) == 2
        return nullcontext
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration() for _ in range(2)]
    )
    strategy: Any = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert strategy.num_replicas_in_sync == 2
    return strategy.scope


def train(scope: AbstractContextManager[Any], callbacks: list[Any]) -> str:
    """Trains a new model and returns the SHA-256 of its variables and history."""
    keras.utils.set_random_seed(11)
    with scope:
        model = models.compiled(models.transformer(dropout=0.3, batch_norm=True))
    history = model.fit(
        [models.source(EXAMPLES), models.target(EXAMPLES)],
        models.target(EXAMPLES, seed=5),
        batch_size=BATCH,
        epochs=EPOCHS,
        callbacks=callbacks,
        shuffle=False,
        verbose=0,
    )
    sha = hashlib.sha256(json.dumps(history.history).encode())
    for variable in [*model.variables, *model.optimizer.variables]:
        sha.update(np.asarray(to_numpy(variable.value)).tobytes())
    return sha.hexdigest()


def main() -> None:
    """Prints the digests of plain runs and of one that records."""
    (log_dir,) = sys.argv[1:]
    scope = two_devices()
    inputs = [models.source(), models.target()]
    callback = AttentionCallback(log_dir, inputs, update_freq=5, images=False, on_error="raise")
    recorded = train(scope(), [callback])
    # Kernels round by memory alignment even so: several plain runs make the set of what is right.
    plain: list[str] = []
    while recorded not in plain and len(plain) < PLAIN_RUNS:
        plain.append(train(scope(), []))
    print("RESULT " + json.dumps({"plain": plain, "recorded": recorded}), flush=True)


if __name__ == "__main__":
    main()
