"""What travels from step to step: memory, alignment history, wrapper state.

Dimension letters: `B` examples, `K` memory positions, `M` memory depth, `T` decoder steps.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import keras

from tb_attention_training.seq2seq.backend import ops

Tensor = Any


class Memory(NamedTuple):
    """What a mechanism attends to, prepared once per batch.

    Attributes:
        keys: `[B, K, units]`, the projected values a score is computed against.
        values: `[B, K, M]`, the memory with masked positions set to zero.
        mask: `[B, K]` boolean, true where there is something to attend to; None for everywhere.
    """

    keys: Tensor
    values: Tensor
    mask: Tensor | None


class AlignmentHistory(NamedTuple):
    """The alignments of all steps so far; `stack()` gives them time-major.

    Immutable: `append` returns a new history. A named tuple, so it can be returned from a
    `tf.function` and crosses JAX transformations.

    Attributes:
        stacked: `[T0, B, K]` rows that a decoding loop already stacked, or `()`; not None, which
            is a leaf to some libraries and no tensor to any.
        pending: rows `[B, K]` appended since.
    """

    stacked: Tensor = ()
    pending: tuple[Tensor, ...] = ()

    def append(self, alignments: Tensor) -> AlignmentHistory:
        """Returns a history with one more row `[B, K]`."""
        return AlignmentHistory(self.stacked, (*self.pending, alignments))

    def stack(self) -> Tensor:
        """Returns the alignments `[T, B, K]`, time-major.

        Raises:
            ValueError: if nothing was recorded yet.
        """
        if not self.pending:
            if self.is_empty:
                raise ValueError(
                    "alignment_history is empty: no decoding step was run with this state. Call "
                    "stack() on the final state that dynamic_decode returns."
                )
            return self.stacked
        rows = ops.stack(list(self.pending), axis=0)
        if isinstance(self.stacked, tuple):
            return rows
        return ops.concatenate([self.stacked, rows], axis=0)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was recorded yet."""
        return isinstance(self.stacked, tuple) and not self.pending


class AttentionWrapperState(NamedTuple):
    """The state of an `AttentionWrapper`.

    `alignments`, `alignment_history` and `attention_state` are single values for one mechanism
    and tuples, one item per mechanism, for a list of them.

    Attributes:
        cell_state: the wrapped cell's state, in the cell's own structure (Keras LSTM: `[h, c]`).
        attention: `[B, A]`, the attention emitted at the previous step.
        alignments: `[B, K]`, the alignments of the previous step.
        alignment_history: `AlignmentHistory`, or `()` when it is not recorded.
        attention_state: what the mechanism carries; for most the alignments.
    """

    cell_state: Any
    attention: Tensor
    alignments: Any
    alignment_history: Any
    attention_state: Any

    def clone(self, **fields: Any) -> AttentionWrapperState:
        """Returns a copy with some fields replaced.

        Args:
            **fields: new values, e.g. `cell_state=encoder_state`. A new cell state keeps the
                structure of the old one: a list for a tuple is fine, and a bare tensor for a
                list of one.

        Returns:
            The new state.

        Raises:
            ValueError: if a field is unknown or a tensor's shape differs from the one replaced.
        """
        unknown = sorted(set(fields) - set(self._fields))
        if unknown:
            raise ValueError(f"clone() got unknown fields {unknown}. Expected: {self._fields}.")
        for name in set(fields) - {"alignment_history"}:
            fields[name] = repack(fields[name], like=getattr(self, name), name=name)
        return self._replace(**fields)


def repack(value: Any, *, like: Any, name: str) -> Any:
    """Returns the tensors of `value` in the structure of `like`, with shapes and dtypes checked.

    Args:
        value: a structure of tensors.
        like: the structure to fill; its tensors say what is expected.
        name: how the argument is called in errors.

    Raises:
        ValueError: if the number of tensors or a shape differs.
    """
    new = keras.tree.flatten(value)
    old = keras.tree.flatten(like)
    if len(new) != len(old):
        raise ValueError(
            f"{name} must hold {len(old)} tensors of shapes {[tuple(x.shape) for x in old]}. "
            f"Received {len(new)}: {[tuple(getattr(x, 'shape', ())) for x in new]}. An LSTM cell "
            "of Keras takes [h, c], a GRU cell one tensor, stacked cells one item per cell."
        )
    checked: list[Tensor] = []
    for got, want in zip(new, old, strict=True):
        tensor = ops.convert_to_tensor(got)
        if ops.is_tensor(want) and tensor.dtype != want.dtype:
            tensor = ops.cast(tensor, keras.backend.standardize_dtype(want.dtype))
        if not same_shape(tensor.shape, want.shape):
            raise ValueError(
                f"{name} must have shape {tuple(want.shape)}. Received {tuple(tensor.shape)}. "
                "Batch size and units of the initial state and of the cell must agree (with beam "
                "search, tile the encoder's state and memory with tile_batch first)."
            )
        checked.append(tensor)
    return keras.tree.pack_sequence_as(like, checked)


def same_shape(a: Any, b: Any) -> bool:
    """Says whether two static shapes can be the same; None matches everything."""
    return len(a) == len(b) and all(
        x is None or y is None or x == y for x, y in zip(tuple(a), tuple(b), strict=True)
    )


def map_histories(of_tensor: Any, of_history: Any, structure: Any) -> Any:
    """Returns `structure` with its histories and all other leaves replaced.

    Args:
        of_tensor: function of a leaf that is no history.
        of_history: function of an `AlignmentHistory`.
        structure: tuples, named tuples, lists and dicts of leaves.
    """
    if isinstance(structure, AlignmentHistory):
        return of_history(structure)
    node: Any = structure
    if isinstance(node, tuple):
        items = [map_histories(of_tensor, of_history, child) for child in cast("Any", node)]
        make = getattr(node, "_make", None)
        return tuple(items) if make is None else make(items)
    if isinstance(node, list):
        return [map_histories(of_tensor, of_history, child) for child in cast("Any", node)]
    if isinstance(node, dict):
        pairs = cast("dict[Any, Any]", node).items()
        return {key: map_histories(of_tensor, of_history, child) for key, child in pairs}
    return of_tensor(node)


def open_histories(structure: Any) -> Any:
    """Returns `structure` with every alignment history emptied.

    A decoding loop carries states without their histories: the rows leave the loop as step
    outputs, which costs no more than any other output and works in every backend.
    """
    return map_histories(_same, lambda history: AlignmentHistory(), structure)


def take_rows(structure: Any) -> tuple[Any, list[Tensor]]:
    """Returns `structure` with empty histories and the row each history got in this step."""
    rows: list[Tensor] = []

    def take(history: AlignmentHistory) -> AlignmentHistory:
        rows.extend(history.pending)
        return AlignmentHistory()

    return map_histories(_same, take, structure), rows


def close_histories(structure: Any, stacked: list[Tensor], before: Any) -> Any:
    """Returns `structure` with its histories filled, in the order of `take_rows`.

    Args:
        structure: a state with empty histories.
        stacked: rows `[T, B, K]`, one per history.
        before: the state the loop started from: its histories come first.
    """
    earlier: list[AlignmentHistory] = []
    map_histories(_same, earlier.append, before)
    remaining = iter(zip(earlier, stacked, strict=True))

    def fill(history: AlignmentHistory) -> AlignmentHistory:
        del history
        old, rows = next(remaining)
        if not old.is_empty:
            rows = ops.concatenate([old.stack(), rows], axis=0)
        return AlignmentHistory(rows)

    return map_histories(_same, fill, structure)


def _same(leaf: Any) -> Any:
    return leaf
