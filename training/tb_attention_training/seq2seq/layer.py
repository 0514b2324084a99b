"""`AttentionDecoder`: an attention decoder as one layer of the functional API.

Dimension letters: `B` examples, `T` decoder steps, `E` input depth, `K` memory positions,
`M` memory depth, `V` output depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import keras

from tb_attention_training.capture.naming import base_name
from tb_attention_training.capture.tap import tap
from tb_attention_training.seq2seq.backend import mask_of, ops
from tb_attention_training.seq2seq.basic import BasicDecoder
from tb_attention_training.seq2seq.decoding import dynamic_decode
from tb_attention_training.seq2seq.helpers import Embedding, GreedyEmbeddingHelper
from tb_attention_training.seq2seq.loops import StepInputs, run_steps
from tb_attention_training.seq2seq.mechanism import AttentionMechanism
from tb_attention_training.seq2seq.memory import length_mask
from tb_attention_training.seq2seq.states import AttentionWrapperState, Memory, Tensor, repack
from tb_attention_training.seq2seq.wrapper import AttentionWrapper, CellInputFn, deserialize_values


class AttentionDecoderOutput(NamedTuple):
    """What an `AttentionDecoder` returns, batch-major.

    Attributes:
        outputs: `[B, T, V]`, logits with an output layer.
        alignments: `[B, T, K]`; a tuple of them, one per mechanism, for a list of mechanisms.
    """

    outputs: Tensor
    alignments: Any


class GreedyOutput(NamedTuple):
    """What greedy decoding returns, batch-major.

    Attributes:
        sample_id: `[B, T]` int32, the end token included.
        outputs: `[B, T, V]`.
        alignments: `[B, T, K]`; a tuple of them for a list of mechanisms.
        lengths: `[B]` int32, the steps of each example, the end token included.
    """

    sample_id: Tensor
    outputs: Tensor
    alignments: Any
    lengths: Tensor


@keras.saving.register_keras_serializable("tb_attention")
class AttentionDecoder(keras.layers.Layer):
    """Decodes a whole target sequence with attention, memory given as a call argument.

    The same computation as `AttentionWrapper` + `TrainingHelper` + `dynamic_decode`, for Keras'
    functional API, where a memory cannot be handed to a constructor. All `T` steps are computed;
    the output layer runs once over all of them.

    Unlike `alignment_history`, which is time-major `[T, B, K]`, everything here is batch-major.

    Args:
        cell: a Keras recurrent cell, or a list of cells to stack.
        attention_mechanism: a mechanism without memory, or a list of them.
        attention_layer_size: see `AttentionWrapper`, as the arguments that follow.
        output_layer: a Keras layer applied to the outputs, e.g. `Dense(vocabulary)`.
        attention_layer: see `AttentionWrapper`.
        cell_input_fn: see `AttentionWrapper`.
        output_attention: see `AttentionWrapper`.
        name: name of the layer.
        dtype: dtype or dtype policy.

    Call arguments:
        decoder_inputs: `[B, T, E]`, the embedded target inputs.
        memory: `[B, K, M]`, usually the encoder's outputs.
        memory_sequence_length: `[B]`, the valid positions of each memory; or None.
        memory_mask: `[B, K]` boolean; filled in by Keras when the memory carries a mask
            (`mask_zero`). With lengths given too, both must hold.
        initial_state: the cell's initial state (LSTM: `[h, c]`); zeros when None.
        training: whether dropout and noise are on.
        decoder_inputs_mask: `[B, T]` boolean, likewise; only recorded with the alignments.

    Returns:
        `AttentionDecoderOutput(outputs [B, T, V], alignments [B, T, K])`.

    Example:
        ```python
        memory, h, c = keras.layers.LSTM(128, return_sequences=True, return_state=True)(source)
        decoder = AttentionDecoder(
            keras.layers.LSTMCell(128), LuongAttention(128), attention_layer_size=128,
            output_layer=keras.layers.Dense(vocabulary),
        )
        logits, alignments = decoder(target, memory, initial_state=[h, c])
        model = keras.Model([source_ids, target_ids], logits)
        ```
    """

    def __init__(
        self,
        cell: Any,
        attention_mechanism: AttentionMechanism | Sequence[AttentionMechanism],
        attention_layer_size: int | Sequence[int] | None = None,
        *,
        output_layer: Any = None,
        attention_layer: Any = None,
        cell_input_fn: CellInputFn | None = None,
        output_attention: bool = True,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, dtype=dtype, autocast=False, **kwargs)
        self.wrapper = AttentionWrapper(
            cell,
            attention_mechanism,
            attention_layer_size,
            cell_input_fn=cell_input_fn,
            output_attention=output_attention,
            attention_layer=attention_layer,
            dtype=self.dtype_policy,
            name="attention_wrapper",
        )
        self.output_layer = output_layer
        self.supports_masking = True

    def build(self, decoder_inputs_shape: Any, memory_shape: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  # Keras goes by these names
        """Builds everything from the shapes of decoder inputs and memory."""
        depths = [int(memory_shape[-1])] * len(self.wrapper.mechanisms)
        self.wrapper.build_for(int(decoder_inputs_shape[-1]), depths)
        if self.output_layer is not None and not self.output_layer.built:
            self.output_layer.build((None, None, self._wrapper_depth(memory_shape)))
        self.built = True

    def call(
        self,
        decoder_inputs: Tensor,
        memory: Tensor,
        memory_sequence_length: Tensor | None = None,
        memory_mask: Tensor | None = None,
        initial_state: Any = None,
        training: Any = False,
        decoder_inputs_mask: Tensor | None = None,
    ) -> AttentionDecoderOutput:
        """Decodes with the true previous outputs as inputs; see the class."""
        wrapper = self.wrapper
        memories = self._memories(memory, memory_sequence_length, memory_mask)
        decoder_inputs = ops.cast(ops.convert_to_tensor(decoder_inputs), self.compute_dtype)
        steps = StepInputs(decoder_inputs, time_major=False)
        with wrapper.using_memories(memories):
            state = self._initial_state(ops.shape(decoder_inputs)[0], initial_state)
            with wrapper.sequence(steps.read(0), state):

                def body(time: Any, state: AttentionWrapperState) -> tuple[Any, Any]:
                    output, state = wrapper.step(steps.read(time), state, training)
                    return state, (output, state.alignments)

                _, _, rows = run_steps(body, state, limit=steps.length)
        swapped: Any = keras.tree.map_structure(lambda x: ops.swapaxes(x, 0, 1), rows)
        outputs, alignments = swapped
        flat = keras.tree.flatten(alignments)
        for mechanism, one, prepared in zip(wrapper.mechanisms, flat, memories, strict=True):
            tap(base_name(mechanism), one, key_mask=prepared.mask, query_mask=decoder_inputs_mask)
        if self.output_layer is not None:
            outputs = self.output_layer(outputs)
        return AttentionDecoderOutput(outputs, alignments)

    def greedy(
        self,
        embedding: Embedding,
        start_tokens: Tensor,
        end_token: int,
        memory: Tensor,
        memory_sequence_length: Tensor | None = None,
        memory_mask: Tensor | None = None,
        initial_state: Any = None,
        maximum_iterations: int | None = 100,
    ) -> GreedyOutput:
        """Decodes with the most probable id of each step as the next input.

        Args:
            embedding: a matrix `[V, E]`, a Keras `Embedding` layer, or a function of ids.
            start_tokens: `[B]`, the ids to start from.
            end_token: the id that ends an example.
            memory: see the class, as the two that follow.
            memory_sequence_length: see the class.
            memory_mask: see the class; here the mask that the memory carries, if any, when None.
            initial_state: see the class.
            maximum_iterations: largest number of steps.

        Returns:
            `GreedyOutput`, with as many steps as the longest example took.
        """
        helper = GreedyEmbeddingHelper(embedding, start_tokens, end_token)
        if memory_mask is None:
            memory_mask = mask_of(memory)
        wrapper = self.wrapper
        memories = self._memories(memory, memory_sequence_length, memory_mask)
        with wrapper.using_memories(memories), wrapper.recording():
            state = self._initial_state(helper.batch_size, initial_state)
            decoder = BasicDecoder(wrapper, helper, state, self.output_layer)
            outputs, final_state, lengths = dynamic_decode(
                decoder, maximum_iterations=maximum_iterations, training=False
            )
        history = final_state.alignment_history
        stacked = [rows.stack() for rows in (history if wrapper.is_multi else [history])]
        alignments = [ops.swapaxes(rows, 0, 1) for rows in stacked]
        return GreedyOutput(
            outputs.sample_id,
            outputs.rnn_output,
            tuple(alignments) if wrapper.is_multi else alignments[0],
            lengths,
        )

    def compute_output_spec(
        self, decoder_inputs: Any, memory: Any, *args: Any, **kwargs: Any
    ) -> AttentionDecoderOutput:
        """Returns the symbolic outputs without tracing the loop."""
        del args, kwargs
        batch, steps = decoder_inputs.shape[:2]
        shape = (batch, steps, self._wrapper_depth(memory.shape))
        outputs: Any = keras.KerasTensor(shape, self.compute_dtype)
        if self.output_layer is not None:
            outputs = keras.KerasTensor(
                self.output_layer.compute_output_shape(shape), self.output_layer.compute_dtype
            )
        alignments = [
            keras.KerasTensor((batch, steps, memory.shape[1]), mechanism.alignments_dtype)
            for mechanism in self.wrapper.mechanisms
        ]
        packed = tuple(alignments) if self.wrapper.is_multi else alignments[0]
        return AttentionDecoderOutput(outputs, packed)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Hands the decoder inputs' mask on to the outputs, so that losses skip padding."""
        mask = previous_mask
        if isinstance(mask, (list, tuple)):
            mask = cast("Any", mask)[0]
        nothing = (None,) * len(self.wrapper.mechanisms) if self.wrapper.is_multi else None
        return AttentionDecoderOutput(mask, nothing)

    # ---------------------------------------------------------------- private
    def _memories(self, memory: Tensor, lengths: Any, mask: Any) -> list[Memory]:
        if lengths is not None and mask is not None:
            # Keras fills the mask in by itself, so both at once is no mistake here.
            shape = ops.shape(memory)
            below = length_mask(lengths, memory.shape[0], shape[1], owner=self.name)
            lengths, mask = None, ops.logical_and(below, ops.cast(mask, "bool"))
        return [m.prepare_memory(memory, lengths, mask) for m in self.wrapper.mechanisms]

    def _initial_state(self, batch_size: Any, cell_state: Any) -> AttentionWrapperState:
        state = self.wrapper.zero_state(batch_size)
        if cell_state is None:
            return state
        cell_state = repack(cell_state, like=state.cell_state, name="initial_state")
        return state._replace(cell_state=cell_state)

    def _wrapper_depth(self, memory_shape: Any) -> int:
        return self.wrapper.output_depth([int(memory_shape[-1])] * len(self.wrapper.mechanisms))

    # ----------------------------------------------------------------- saving
    def get_config(self) -> dict[str, Any]:
        """Returns what is needed to make the layer again."""
        config = self.wrapper.get_config()
        layer = self.output_layer
        shared = ("cell", "attention_mechanism", "attention_layer_size", "attention_layer")
        return {
            **super().get_config(),
            **{key: config[key] for key in (*shared, "cell_input_fn", "output_attention")},
            "output_layer": None if layer is None else keras.saving.serialize_keras_object(layer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> AttentionDecoder:
        """Makes the layer from `get_config()`."""
        return cls(**deserialize_values(config))
