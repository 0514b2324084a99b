"""`AttentionWrapper`: a recurrent cell that attends at every step.

Dimension letters: `B` examples, `E` input depth, `A` attention depth, `K` memory positions,
`M` memory depth.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, cast

import keras

from tb_attention_training.seq2seq import cells
from tb_attention_training.seq2seq.backend import ops
from tb_attention_training.seq2seq.mechanism import AttentionMechanism
from tb_attention_training.seq2seq.states import (
    AlignmentHistory,
    AttentionWrapperState,
    Memory,
    Tensor,
    repack,
)

CellInputFn = Callable[[Tensor, Tensor], Tensor]


@keras.saving.register_keras_serializable("tb_attention")
class AttentionWrapper(keras.layers.Layer):
    """Wraps a recurrent cell so that it attends to a memory at every step.

    One step, for inputs `[B, E]`:

    1. the cell gets `concat(inputs, attention of the last step)` (`cell_input_fn`);
    2. the cell's *new* output is every mechanism's query: alignments `[B, K]`, context `[B, M]`;
    3. the attention is `concat(output, context) @ attention_layer`, or the context itself
       without an attention layer; those of several mechanisms are concatenated;
    4. the wrapper emits the attention, or the cell's output with `output_attention=False`.

    Source: Luong et al. 2015 (arXiv:1508.04025), "input feeding", figure 4.

    Args:
        cell: any Keras recurrent cell, or a list of cells to stack.
        attention_mechanism: a mechanism, or a list of them.
        attention_layer_size: depth of the attention layer (without bias); with a list of
            mechanisms a list of depths. None: the attention is the context.
        alignment_history: whether to keep the alignments of every step, for
            `final_state.alignment_history.stack()`, `[T, B, K]`.
        cell_input_fn: `(inputs, attention) -> cell inputs`.
        output_attention: whether to emit the attention (Luong) or the cell's output (Bahdanau).
        initial_cell_state: the cell state that `zero_state` starts from.
        name: name of the layer.
        attention_layer: a Keras layer, or a list of them, instead of `attention_layer_size`.
        dtype: dtype or dtype policy.

    Raises:
        TypeError: if cell, mechanism or `cell_input_fn` are not what they should be.
        ValueError: if attention layers and mechanisms do not match in number, or both
            `attention_layer_size` and `attention_layer` are given.

    Example:
        ```python
        cell = AttentionWrapper(
            keras.layers.LSTMCell(128),
            LuongAttention(128, memory=encoded, memory_sequence_length=lengths),
            attention_layer_size=128,
            alignment_history=True,
        )
        state = cell.zero_state(batch, "float32").clone(cell_state=encoder_state)
        ```
    """

    def __init__(
        self,
        cell: Any,
        attention_mechanism: AttentionMechanism | Sequence[AttentionMechanism],
        attention_layer_size: int | Sequence[int] | None = None,
        alignment_history: bool = False,
        cell_input_fn: CellInputFn | None = None,
        output_attention: bool = True,
        initial_cell_state: Any = None,
        name: str | None = None,
        attention_layer: Any = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, dtype=dtype, autocast=False, **kwargs)
        self.cell = cells.check_cell(cell, "AttentionWrapper")
        self.is_multi = isinstance(attention_mechanism, (list, tuple))
        given: Any = attention_mechanism if self.is_multi else [attention_mechanism]
        self.mechanisms: list[AttentionMechanism] = list(given)
        for mechanism in self.mechanisms:
            if not isinstance(cast("Any", mechanism), AttentionMechanism):
                raise TypeError(
                    "attention_mechanism must be an AttentionMechanism or a list of them. "
                    f"Received: {mechanism!r}"
                )
        if not self.mechanisms:
            raise ValueError("attention_mechanism must not be an empty list.")
        if cell_input_fn is not None and not callable(cast("Any", cell_input_fn)):
            raise TypeError(
                "cell_input_fn must be a function of (inputs, attention). "
                f"Received: {cell_input_fn!r}"
            )
        self.attention_layer_size = attention_layer_size
        self.attention_layers = self._make_attention_layers(attention_layer_size, attention_layer)
        self._given_attention_layer = attention_layer is not None
        self.alignment_history = bool(alignment_history)
        self.cell_input_fn = cell_input_fn
        self.output_attention = bool(output_attention)
        self._initial = {"cell_state": initial_cell_state} if initial_cell_state is not None else {}

    # ------------------------------------------------------------------ shape
    @property
    def attention_mechanism(self) -> Any:
        """The mechanism, or the list of them, as given."""
        return self.mechanisms if self.is_multi else self.mechanisms[0]

    @property
    def attention_size(self) -> int:
        """Depth `A` of the attention."""
        return sum(self._attention_depths([m.memory.values.shape[-1] for m in self.mechanisms]))

    @property
    def output_size(self) -> int:
        """Depth of what a step emits."""
        return self.output_depth([m.memory.values.shape[-1] for m in self.mechanisms])

    def output_depth(self, memory_depths: Sequence[int]) -> int:
        """Returns the depth of what a step emits, from the depth of each memory."""
        if not self.output_attention:
            return cells.output_depth(self.cell)
        return sum(self._attention_depths(memory_depths))

    @property
    def state_size(self) -> AttentionWrapperState:
        """Sizes of the state's parts, in the structure of the state."""
        positions = self._pack([m.alignments_size for m in self.mechanisms])
        return AttentionWrapperState(
            self.cell.state_size, self.attention_size, positions, (), positions
        )

    def build(self, inputs_shape: Any, states_shape: Any = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  # Keras goes by these names
        """Builds the cell, the mechanisms and the attention layers for inputs `[B, E]`."""
        self.build_for(int(inputs_shape[-1]), [m.memory.values.shape[-1] for m in self.mechanisms])

    def build_for(self, input_depth: int, memory_depths: Sequence[int]) -> None:
        """Builds everything from the depths of a step's input and of each memory."""
        depths = self._attention_depths(memory_depths)
        cell_depth = self._cell_input_depth(input_depth, sum(depths))
        if not self.cell.built:
            self.cell.build((None, cell_depth))
            self.cell.built = True
        query_depth = cells.output_depth(self.cell)
        for mechanism, memory_depth in zip(self.mechanisms, memory_depths, strict=True):
            mechanism.build_memory(memory_depth)
            mechanism.build((None, query_depth))
        for layer, memory_depth in zip(self.attention_layers, memory_depths, strict=False):
            if not layer.built:
                layer.build((None, query_depth + memory_depth))
        self.built = True

    # ------------------------------------------------------------------ state
    def zero_state(self, batch_size: Any, dtype: Any = None) -> AttentionWrapperState:
        """Returns the state before the first step.

        Args:
            batch_size: number of examples `B`; with beam search `B * beam_width`.
            dtype: dtype of the attention; the compute dtype when None.

        Raises:
            ValueError: if a mechanism has no memory, or its batch is not `batch_size`.
        """
        for mechanism in self.mechanisms:
            rows = mechanism.batch_size
            if isinstance(rows, int) and isinstance(batch_size, int) and rows != batch_size:
                raise ValueError(
                    f"batch_size must be that of the memory of {mechanism.name}, {rows}. Received: "
                    f"{batch_size}. With beam search, tile the memory and its lengths with "
                    "tile_batch(…, beam_width) before setup_memory()."
                )
        # A dtype object of TensorFlow is welcome: the classic code passes tf.float32.
        dtype = keras.backend.standardize_dtype(dtype or self.compute_dtype)
        cell_state = cells.zero_cell_state(self.cell, batch_size, self.compute_dtype)
        if self._initial:
            cell_state = repack(
                self._initial["cell_state"], like=cell_state, name="initial_cell_state"
            )
        history: Any = ()
        if self.alignment_history:
            history = self._pack([AlignmentHistory() for _ in self.mechanisms])
        return AttentionWrapperState(
            cell_state=cell_state,
            attention=ops.zeros((batch_size, self.attention_size), dtype=dtype),
            alignments=self._pack([m.initial_alignments(batch_size) for m in self.mechanisms]),
            alignment_history=history,
            attention_state=self._pack([m.initial_state(batch_size) for m in self.mechanisms]),
        )

    def get_initial_state(
        self, inputs: Tensor | None = None, batch_size: Any = None, dtype: Any = None
    ) -> AttentionWrapperState:
        """Returns the state before the first step: `zero_state` under its later name.

        Args:
            inputs: `[B, ...]`, to take the batch size from; or None.
            batch_size: number of examples; or None.
            dtype: dtype of the attention.
        """
        if batch_size is None:
            batch_size = self.mechanisms[0].batch_size if inputs is None else ops.shape(inputs)[0]
        return self.zero_state(batch_size, dtype)

    # ------------------------------------------------------------------- step
    def call(self, inputs: Tensor, states: Any, training: Any = False) -> tuple[Tensor, Any]:
        """Computes one step.

        Args:
            inputs: `[B, E]`.
            states: an `AttentionWrapperState`, or a list of its fields, as `keras.layers.RNN`
                hands it.
            training: whether dropout of the cell and noise of the mechanisms are on.

        Returns:
            `(output, next state)`; the state comes back as the kind it was given as.

        Raises:
            TypeError: if `states` is neither.
        """
        if isinstance(states, AttentionWrapperState):
            return self.step(inputs, states, training)
        if not isinstance(states, (list, tuple)) or len(cast("Any", states)) != 5:
            raise TypeError(
                "AttentionWrapper takes an AttentionWrapperState: start from "
                f"cell.zero_state(batch_size, dtype). Received: {type(states).__name__}."
            )
        output, state = self.step(inputs, AttentionWrapperState(*states), training)
        return output, list(state)

    def step(
        self, inputs: Tensor, state: AttentionWrapperState, training: Any = False
    ) -> tuple[Tensor, AttentionWrapperState]:
        """Computes one step, without the overhead of a layer call; see `call`."""
        if not self.built:
            self.build(inputs.shape)
        inputs = ops.cast(inputs, self.compute_dtype)
        attention = ops.cast(state.attention, self.compute_dtype)
        cell_inputs = self.cell_inputs(inputs, attention)
        output, cell_state = cells.call_cell(self.cell, cell_inputs, state.cell_state, training)
        attentions: list[Tensor] = []
        alignments: list[Tensor] = []
        attention_states: list[Any] = []
        for i, mechanism in enumerate(self.mechanisms):
            previous = state.attention_state[i] if self.is_multi else state.attention_state
            weights, attention_state = mechanism.attend(output, previous, bool(training))
            context = mechanism.context(weights)
            if self.attention_layers:
                both = ops.concatenate([output, context], axis=-1)
                context = self.attention_layers[i](both)
            attentions.append(context)
            alignments.append(weights)
            attention_states.append(attention_state)
        attention = ops.concatenate(attentions, axis=1) if self.is_multi else attentions[0]
        history = state.alignment_history
        if self.alignment_history:
            each = history if self.is_multi else [history]
            pairs = zip(each, alignments, strict=True)
            history = self._pack([rows.append(weights) for rows, weights in pairs])
        next_state = AttentionWrapperState(
            cell_state=cell_state,
            attention=ops.cast(attention, state.attention.dtype),
            alignments=self._pack(alignments),
            alignment_history=history,
            attention_state=self._pack(attention_states),
        )
        return (attention if self.output_attention else output), next_state

    def cell_inputs(self, inputs: Tensor, attention: Tensor) -> Tensor:
        """Returns what the cell gets for inputs `[B, E]` and the last attention `[B, A]`."""
        if self.cell_input_fn is None:
            return ops.concatenate([inputs, attention], axis=-1)
        return self.cell_input_fn(inputs, attention)

    @contextmanager
    def sequence(self, inputs: Tensor, state: AttentionWrapperState) -> Generator[None, None, None]:
        """Prepares the wrapper for a loop over one sequence: weights and dropout masks.

        Args:
            inputs: the first step's input, `[B, E]`.
            state: the state the loop starts from.
        """
        if not self.built:
            self.build(inputs.shape)
        attention = ops.cast(state.attention, self.compute_dtype)
        first = self.cell_inputs(ops.cast(inputs, self.compute_dtype), attention)
        cells.draw_dropout_masks(self.cell, first, state.cell_state)
        try:
            yield
        finally:
            cells.release_dropout_masks(self.cell)

    @contextmanager
    def recording(self) -> Generator[None, None, None]:
        """Keeps the alignment history inside the `with` block, whatever the setting."""
        before, self.alignment_history = self.alignment_history, True
        try:
            yield
        finally:
            self.alignment_history = before

    @contextmanager
    def using_memories(self, memories: Sequence[Memory]) -> Generator[None, None, None]:
        """Attends to `memories`, one per mechanism, inside the `with` block."""
        with ExitStack() as stack:
            for mechanism, memory in zip(self.mechanisms, memories, strict=True):
                stack.enter_context(mechanism.using_memory(memory))
            yield

    # ---------------------------------------------------------------- private
    def _pack(self, items: list[Any]) -> Any:
        return tuple(items) if self.is_multi else items[0]

    def _attention_depths(self, memory_depths: Sequence[int]) -> list[int]:
        if not self.attention_layers:
            return list(memory_depths)
        query_depth = cells.output_depth(self.cell)
        return [
            int(layer.compute_output_shape((None, query_depth + depth))[-1])
            for layer, depth in zip(self.attention_layers, memory_depths, strict=True)
        ]

    def _cell_input_depth(self, input_depth: int, attention_depth: int) -> int:
        if self.cell_input_fn is None:
            return input_depth + attention_depth
        example = self.cell_input_fn(
            ops.zeros((1, input_depth), dtype=self.compute_dtype),
            ops.zeros((1, attention_depth), dtype=self.compute_dtype),
        )
        return int(example.shape[-1])

    def _make_attention_layers(self, sizes: Any, layers: Any) -> list[Any]:
        if sizes is not None and layers is not None:
            raise ValueError(
                "attention_layer_size and attention_layer exclude each other. Pass one of them."
            )
        given = sizes if layers is None else layers
        if given is None:
            return []
        argument = "attention_layer_size" if layers is None else "attention_layer"
        each = list(given) if isinstance(given, (list, tuple)) else [given]
        if len(each) != len(self.mechanisms):
            raise ValueError(
                f"{argument} must have one item per attention mechanism: there are "
                f"{len(self.mechanisms)} mechanisms. Received: {argument}={given!r}. Pass a list "
                f"of {len(self.mechanisms)} items."
            )
        if layers is not None:
            return each
        suffixes = ["" if len(each) == 1 else f"_{i}" for i in range(len(each))]
        return [
            keras.layers.Dense(
                size, use_bias=False, dtype=self.dtype_policy, name=f"attention_layer{suffix}"
            )
            for size, suffix in zip(each, suffixes, strict=True)
        ]

    # ----------------------------------------------------------------- saving
    def get_config(self) -> dict[str, Any]:
        """Returns what is needed to make the wrapper again; an initial cell state is not."""
        serialize = keras.saving.serialize_keras_object
        mechanisms = [serialize(m) for m in self.mechanisms]
        layers = [serialize(layer) for layer in self.attention_layers]
        given = self._given_attention_layer
        fn = self.cell_input_fn
        return {
            **super().get_config(),
            "cell": serialize(self.cell),
            "attention_mechanism": mechanisms if self.is_multi else mechanisms[0],
            "attention_layer_size": None if given else self.attention_layer_size,
            "attention_layer": (layers if self.is_multi else layers[0]) if given else None,
            "alignment_history": self.alignment_history,
            "cell_input_fn": None if fn is None else serialize(fn),
            "output_attention": self.output_attention,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> AttentionWrapper:
        """Makes the wrapper from `get_config()`."""
        return cls(**deserialize_values(config))


def deserialize_values(config: dict[str, Any]) -> dict[str, Any]:
    """Returns a config whose layers and functions are made; sizes stay as they are."""
    config = dict(config)
    keys = ("cell", "attention_mechanism", "attention_layer", "cell_input_fn", "output_layer")
    for key in keys:
        value = config.get(key)
        if isinstance(value, dict):
            config[key] = keras.saving.deserialize_keras_object(value)
        elif isinstance(value, list):
            items = cast("list[Any]", value)
            config[key] = [keras.saving.deserialize_keras_object(item) for item in items]
    return config
