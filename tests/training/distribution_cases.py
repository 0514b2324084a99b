"""Trains on two devices with and without the callback, and prints digests.

    python distribution_cases.py LOG_DIR [replicated|sharded]

`replicated` is `MirroredStrategy` on TensorFlow and `DataParallel` on JAX; `sharded`, on JAX alone,
is `ModelParallel` with the attention heads divided between the devices. A program, because a
process has one set of devices.
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

from tb_attention_plugin import AttentionReader

EXAMPLES, BATCH, EPOCHS = 24, 4, 2
PLAIN_RUNS = 6
HEADS = 2 * models.HEADS  # an even number, to divide between two devices
to_numpy: Any = keras.ops.convert_to_numpy


def two_replicas() -> Any:
    """Distributes examples over two CPU devices; returns what opens the scope of a model."""
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


def two_shards() -> Any:
    """Divides the heads of attention between two CPU devices; every one has all examples."""
    distribution: Any = keras.distribution
    mesh = distribution.DeviceMesh((1, 2), ("batch", "model"), distribution.list_devices())
    layout = distribution.LayoutMap(mesh)
    layout[".*attention/(query|key|value)/kernel"] = (None, "model", None)
    layout[".*attention/(query|key|value)/bias"] = ("model", None)
    layout[".*attention/attention_output/kernel"] = ("model", None, None)
    distribution.set_distribution(distribution.ModelParallel(layout_map=layout))
    return nullcontext


def train(scope: AbstractContextManager[Any], callbacks: list[Any]) -> tuple[Any, str]:
    """Trains a new model and returns it with the SHA-256 of its variables and history."""
    keras.utils.set_random_seed(11)
    with scope:
        model = models.compiled(models.transformer(dropout=0.3, batch_norm=True, heads=HEADS))
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
    return model, sha.hexdigest()


def compare_with_undivided(model: Any, inputs: Any, log_dir: str) -> dict[str, Any]:
    """Compares the last maps with the scores that an undivided model's layers return.

    Returns:
        `"divided"`: how many variables are divided between devices. `"difference"`: the largest
        one between a recorded weight and that score.
    """
    divided = [v.path for v in model.variables if not v.value.sharding.is_fully_replicated]
    weights = {variable.path: to_numpy(variable.value) for variable in model.weights}
    keras.distribution.set_distribution(None)
    whole = models.transformer(batch_norm=True, heads=HEADS, return_scores=True)
    for variable in whole.weights:  # their order is another one
        variable.assign(weights.pop(variable.path))
    assert not weights
    _, *scores = whole(inputs, training=False)
    names = ("encoder_attention", "causal_attention", "cross_attention")
    reader, step = AttentionReader(log_dir), int(model.optimizer.iterations)
    differences = [
        np.abs(reader.weights("train", name, step) - to_numpy(expected)).max()
        for name, expected in zip(names, scores, strict=True)
    ]
    return {"divided": len(divided), "difference": float(max(differences))}


def main() -> None:
    """Prints the digests of plain runs and of one that records."""
    log_dir, how = [*sys.argv[1:], "replicated"][:2]
    scope = {"replicated": two_replicas, "sharded": two_shards}[how]()
    inputs = [models.source(), models.target()]
    callback = AttentionCallback(
        log_dir, inputs, update_freq=5, images=False, precision="float32", on_error="raise"
    )
    model, recorded = train(scope(), [callback])
    # Kernels round by memory alignment even so: several plain runs make the set of what is right.
    plain: list[str] = []
    while recorded not in plain and len(plain) < PLAIN_RUNS:
        plain.append(train(scope(), [])[1])
    result: dict[str, Any] = {"plain": plain, "recorded": recorded}
    if how == "sharded":
        result |= compare_with_undivided(model, inputs, log_dir)
    print("RESULT " + json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
