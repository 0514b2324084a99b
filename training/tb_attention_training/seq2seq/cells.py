"""Recurrent cells of Keras, seen from outside: states, depths and dropout masks."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import keras

from tb_attention_training.seq2seq.backend import ops
from tb_attention_training.seq2seq.states import Tensor


def check_cell(cell: Any, owner: str) -> Any:
    """Returns the cell if it is one.

    Raises:
        TypeError: if it lacks what a Keras recurrent cell has.
    """
    if isinstance(cell, (list, tuple)):
        return keras.layers.StackedRNNCells(list(cell))
    is_layer = isinstance(cell, keras.layers.RNN)
    if is_layer or not hasattr(cell, "state_size") or not callable(cell):
        hint = " Pass the layer's cell (layer.cell)." if is_layer else ""
        raise TypeError(
            f"{owner}: cell must be a Keras recurrent cell such as keras.layers.LSTMCell(64). "
            f"Received: {cell!r}.{hint}"
        )
    return cell


def output_depth(cell: Any) -> int:
    """Returns the depth of the cell's output."""
    size = getattr(cell, "output_size", None)
    if size is None:
        size = cell.state_size
        while isinstance(size, (list, tuple)):
            size = size[0]
    return int(size)


def zero_cell_state(cell: Any, batch_size: Any, dtype: str) -> Any:
    """Returns the cell's initial state in the cell's own structure."""
    make = getattr(cell, "get_initial_state", None)
    if make is not None:
        return make(batch_size=batch_size)
    return keras.tree.map_structure(
        lambda size: ops.zeros((batch_size, size), dtype=dtype), cell.state_size
    )


def call_cell(cell: Any, inputs: Tensor, state: Any, training: Any) -> tuple[Tensor, Any]:
    """Calls the cell and returns its output and its state in the structure it came in."""
    states = state if keras.tree.is_nested(state) else [state]
    takes_training = getattr(cell, "_call_has_training_arg", True)
    kwargs = {"training": training} if takes_training else {}
    output, new_states = cell(inputs, states, **kwargs)
    flat = keras.tree.flatten(new_states)
    return output, keras.tree.pack_sequence_as(state, flat)


def draw_dropout_masks(cell: Any, inputs: Tensor, state: Any) -> None:
    """Draws the dropout masks of a sequence before its loop, as `keras.layers.RNN` does.

    Keras' cells keep one mask for all steps. Drawn inside a loop's body it would belong to that
    body's graph, and later steps could not see it.
    """
    release_dropout_masks(cell)
    for part, part_inputs, part_state in _parts(cell, inputs, state):
        if hasattr(part, "get_dropout_mask"):
            part.get_dropout_mask(part_inputs)
            part.get_recurrent_dropout_mask(keras.tree.flatten(part_state)[0])


def release_dropout_masks(cell: Any) -> None:
    """Forgets the masks, so that the next sequence draws its own."""
    for part in getattr(cell, "cells", [cell]):
        if hasattr(part, "reset_dropout_mask"):
            part.reset_dropout_mask()
            part.reset_recurrent_dropout_mask()


def _parts(cell: Any, inputs: Tensor, state: Any) -> list[tuple[Any, Tensor, Any]]:
    if not hasattr(cell, "cells"):
        return [(cell, inputs, state)]
    parts: list[tuple[Any, Tensor, Any]] = []
    for part, part_state in zip(cell.cells, state, strict=True):
        parts.append((part, inputs, part_state))
        inputs = ops.zeros((ops.shape(inputs)[0], output_depth(part)), dtype=inputs.dtype)
    return parts


def step_cell(cell: Any, inputs: Tensor, state: Any, training: Any) -> tuple[Tensor, Any]:
    """Runs one step of an `AttentionWrapper` or of a plain cell."""
    if hasattr(cell, "step"):
        return cell.step(inputs, state, training)
    return call_cell(cell, inputs, state, training)


@contextmanager
def cell_sequence(
    cell: Any, output_layer: Any, inputs: Tensor, state: Any
) -> Generator[None, None, None]:
    """Prepares a cell and an output layer for a loop: weights and dropout masks.

    Weights must exist before a loop is traced; a graph of a loop's body cannot own them.
    """
    if hasattr(cell, "sequence"):
        around = cell.sequence(inputs, state)
    else:
        around = _plain_sequence(cell, inputs, state)
    with around:
        if output_layer is not None and not getattr(output_layer, "built", True):
            output_layer.build((None, output_depth(cell)))
        yield


@contextmanager
def _plain_sequence(cell: Any, inputs: Tensor, state: Any) -> Generator[None, None, None]:
    if not cell.built:
        cell.build(inputs.shape)
        cell.built = True
    draw_dropout_masks(cell, inputs, state)
    try:
        yield
    finally:
        release_dropout_masks(cell)


def resolve_training(training: Any) -> bool:
    """Returns whether to train; None asks the Keras layer that is being called, if any."""
    if training is not None:
        return bool(training)
    flag = _TrainingFlag(name="training_flag")
    flag(ops.zeros((1,)))
    return flag.seen


class _TrainingFlag(keras.layers.Layer):
    """Learns from Keras whether the layer around it trains; Keras has no function for that."""

    seen = False

    def call(self, x: Tensor, training: bool | None = None) -> Tensor:
        self.seen = bool(training)
        return x
