"""`sequence_loss`: cross entropy over sequences of different lengths."""

from __future__ import annotations

from collections.abc import Callable

import keras

from tb_attention_training.seq2seq.backend import ops
from tb_attention_training.seq2seq.states import Tensor, same_shape

# Added to every divisor, as the original does: a batch without weight has loss 0, not NaN.
EPSILON = 1e-12


def sequence_loss(
    logits: Tensor,
    targets: Tensor,
    weights: Tensor,
    average_across_timesteps: bool = True,
    average_across_batch: bool = True,
    sum_over_timesteps: bool = False,
    sum_over_batch: bool = False,
    softmax_loss_function: Callable[..., Tensor] | None = None,
    name: str | None = None,
) -> Tensor:
    """Returns the weighted cross entropy of logits against targets.

    Averages divide by the sum of the weights along the reduced axes; sums divide by the number
    of weights that are not 0.

    Args:
        logits: `[B, T, V]`.
        targets: `[B, T]` integers.
        weights: `[B, T]`; usually 1 within a sequence and 0 in its padding.
        average_across_timesteps: whether to average over `T`.
        average_across_batch: whether to average over `B`.
        sum_over_timesteps: whether to sum over `T`; excludes `average_across_timesteps`.
        sum_over_batch: whether to sum over `B`; excludes `average_across_batch`.
        softmax_loss_function: `(labels, logits) -> loss`, instead of sparse cross entropy.
        name: accepted for the sake of `tf.contrib.seq2seq`, not used.

    Returns:
        A scalar, or what is left of `[B, T]`.

    Raises:
        ValueError: if shapes do not fit, or an axis is both averaged and summed.

    Example:
        ```python
        loss = sequence_loss(outputs.rnn_output, targets, weights)
        ```
    """
    del name
    if (average_across_timesteps and sum_over_timesteps) or (
        average_across_batch and sum_over_batch
    ):
        raise ValueError(
            "An axis can be averaged or summed, not both. With sum_over_timesteps=True pass "
            "average_across_timesteps=False; with sum_over_batch=True average_across_batch=False."
        )
    logits, targets = ops.convert_to_tensor(logits), ops.convert_to_tensor(targets)
    weights = ops.cast(ops.convert_to_tensor(weights), logits.dtype)
    if len(logits.shape) != 3:
        raise ValueError(
            f"logits must have shape [batch, steps, classes]. Received: {tuple(logits.shape)}"
        )
    for argument, tensor in (("targets", targets), ("weights", weights)):
        if not same_shape(tensor.shape, logits.shape[:2]):
            raise ValueError(
                f"{argument} must have shape [batch, steps] = {tuple(logits.shape[:2])}, as the "
                f"logits. Received: {tuple(tensor.shape)}. dynamic_decode stops when the last "
                "example is finished: cut targets and weights to its number of steps."
            )
    if softmax_loss_function is None:
        loss = keras.losses.sparse_categorical_crossentropy(targets, logits, from_logits=True)
    else:
        loss = softmax_loss_function(labels=targets, logits=logits)
    loss = loss * weights
    time = _mode(average_across_timesteps, sum_over_timesteps)
    batch = _mode(average_across_batch, sum_over_batch)
    if time is not None and time == batch:
        return ops.sum(loss) / (_divisor(weights, time, None) + EPSILON)
    if time is not None:
        loss = ops.sum(loss, axis=1) / (_divisor(weights, time, 1) + EPSILON)
        weights = ops.sum(weights, axis=1)
    if batch is not None:
        loss = ops.sum(loss, axis=0) / (_divisor(weights, batch, 0) + EPSILON)
    return loss


def _mode(average: bool, total: bool) -> str | None:
    return "average" if average else "sum" if total else None


def _divisor(weights: Tensor, mode: str, axis: int | None) -> Tensor:
    if mode == "average":
        return ops.sum(weights, axis=axis)
    return ops.sum(ops.cast(ops.not_equal(weights, 0), weights.dtype), axis=axis)
