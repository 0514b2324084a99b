"""One of two workers under `MultiWorkerMirroredStrategy`: trains with and without the callback.

The training loop is its own, as TensorFlow's guide has it: `fit` of Keras 3.15 fails under this
strategy. Prints digests of what the worker is left with. A program, because a process is one worker
for good.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from typing import Any

import capture_models as models
import keras
import numpy as np
import tensorflow as tf
from tb_attention_training import AttentionCallback

EXAMPLES, BATCH, EPOCHS = 24, 4, 2
PLAIN_RUNS = 2


def train(strategy: Any, callbacks: list[Any]) -> str:
    """Trains a new model and returns the SHA-256 of its variables and losses."""
    keras.backend.clear_session()
    with strategy.scope():
        model = models.compiled(models.transformer(dropout=0.3, batch_norm=True))
        optimizer: Any = model.optimizer
        optimizer.build(model.trainable_variables)
    x, y = (models.source(EXAMPLES), models.target(EXAMPLES)), models.target(EXAMPLES, seed=5)
    options: Any = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(BATCH).with_options(options)
    batches = strategy.experimental_distribute_dataset(data)

    def on_one_worker(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x, y, model(x, training=True), training=True)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    @tf.function
    def train_step(batch: Any) -> Any:
        losses = strategy.run(on_one_worker, args=batch)
        return strategy.reduce(tf.distribute.ReduceOp.MEAN, losses, axis=None)

    together = keras.callbacks.CallbackList(callbacks, model=model, epochs=EPOCHS)
    losses: list[float] = []
    together.on_train_begin()
    for epoch in range(EPOCHS):
        together.on_epoch_begin(epoch)
        for number, batch in enumerate(batches):
            together.on_train_batch_begin(number)
            losses.append(float(train_step(batch)))
            together.on_train_batch_end(number)
        together.on_epoch_end(epoch)
    together.on_train_end()
    sha = hashlib.sha256(json.dumps(losses).encode())
    for variable in [*model.variables, *optimizer.variables]:
        sha.update(np.asarray(keras.ops.convert_to_numpy(variable.value)).tobytes())
    return sha.hexdigest()


def main() -> None:
    """Prints the digests of plain runs and of one with the callback, and who this worker is."""
    index, ports, log_dir = int(sys.argv[1]), sys.argv[2].split(","), sys.argv[3]
    cluster = {"worker": [f"localhost:{port}" for port in ports]}
    task = {"type": "worker", "index": index}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": task})
    tf.config.experimental.enable_op_determinism()
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    assert strategy.num_replicas_in_sync == 2
    inputs = [models.source(), models.target()]
    callback = AttentionCallback(log_dir, inputs, update_freq=5, images=False, on_error="raise")
    recorded = train(strategy, [callback])
    # The same number of times by all workers, which wait for each other; see `purity_cases`.
    plain = [train(strategy, []) for _ in range(PLAIN_RUNS)]
    result = {"plain": plain, "recorded": recorded, "pid": os.getpid()}
    print("RESULT " + json.dumps(result), flush=True)
    os._exit(0)  # a worker that waits for the other one to close down may wait for long


if __name__ == "__main__":
    main()
