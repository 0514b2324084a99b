"""`BasicDecoder`: a cell run step by step, with inputs from a helper.

Dimension letters: `B` examples, `T` decoder steps, `V` output depth.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, NamedTuple

import keras

from tb_attention_training.seq2seq import cells
from tb_attention_training.seq2seq.backend import ops
from tb_attention_training.seq2seq.decoding import Box, Decoder
from tb_attention_training.seq2seq.loops import compiling_with_xla, tracing_tensorflow
from tb_attention_training.seq2seq.samplers import is_teacher_forced
from tb_attention_training.seq2seq.states import Tensor


class BasicDecoderOutput(NamedTuple):
    """What a step of `BasicDecoder` emits.

    Attributes:
        rnn_output: `[B, T, V]` after decoding; logits with an output layer.
        sample_id: `[B, T]` int32.
    """

    rnn_output: Tensor
    sample_id: Tensor


class BasicDecoder(Decoder):
    """Runs a cell step by step, with inputs from a helper.

    Args:
        cell: an `AttentionWrapper`, or any cell with `zero_state`-like states.
        helper: a `Helper` (`tf.contrib.seq2seq`) or a sampler (TensorFlow Addons).
        initial_state: the cell's state to start from; with a sampler it may be given when the
            decoder is called.
        output_layer: a Keras layer applied to the cell's output, e.g. `Dense(vocabulary)`.
        sampler: the name of `helper` in TensorFlow Addons.
        **kwargs: `output_time_major`, `impute_finished`, `maximum_iterations`, `name`.

    Raises:
        TypeError: if there is no helper or sampler, or the output layer is not callable.

    Example:
        ```python
        decoder = BasicDecoder(cell, TrainingHelper(inputs, lengths), state, Dense(vocabulary))
        outputs, final_state, lengths = dynamic_decode(decoder)
        outputs.rnn_output                       # [B, T, V]
        final_state.alignment_history.stack()    # [T, B, K]
        ```
    """

    def __init__(
        self,
        cell: Any,
        helper: Any = None,
        initial_state: Any = None,
        output_layer: Any = None,
        *,
        sampler: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(initial_state, keras.layers.Layer):
            # TensorFlow Addons has the output layer in third place.
            initial_state, output_layer = None, initial_state
        helper = sampler if helper is None else helper
        if not hasattr(helper, "next_inputs"):
            raise TypeError(
                "BasicDecoder: helper must be a Helper such as TrainingHelper(inputs, lengths), or "
                f"a sampler. Received: {helper!r}"
            )
        if output_layer is not None and not callable(output_layer):
            raise TypeError(
                f"output_layer must be a Keras layer or a function. Received: {output_layer!r}"
            )
        self.cell = cell
        self.helper = helper
        self.output_layer = output_layer
        # Boxed: Keras would wrap the lists inside a state that is set as an attribute.
        self._start = Box(initial_state)
        self._completes_later = False

    @property
    def max_steps(self) -> Any:
        """The helper's bound."""
        return self.helper.max_steps

    @property
    def static_steps(self) -> int | None:
        """The helper's bound that is known while tracing."""
        return self.helper.static_steps

    @property
    def batch_size(self) -> Any:
        """Number of examples."""
        return self.helper.batch_size

    def initialize(
        self, inputs: Any = None, initial_state: Any = None, **kwargs: Any
    ) -> tuple[Tensor, Tensor, Any]:
        """Returns `(finished, first inputs, initial state)`.

        Args:
            inputs: what a sampler takes first; None with a helper.
            initial_state: the state to start from; the constructor's when None.
            **kwargs: what else the sampler takes.

        Raises:
            ValueError: if there is no initial state.
        """
        state = self._start.value if initial_state is None else initial_state
        if state is None:
            raise ValueError(
                "BasicDecoder has no initial state. Pass initial_state=cell.zero_state(batch, "
                "dtype), with .clone(cell_state=encoder_state) to start from an encoder."
            )
        if inputs is None and not kwargs:
            finished, first = self.helper.initialize()
        else:
            finished, first = self.helper.initialize(inputs, **kwargs)
        return finished, first, state

    @contextmanager
    def prepare(self, inputs: Any, state: Any) -> Generator[None, None, None]:
        """Builds the weights and draws the cell's dropout masks before the loop."""
        with cells.cell_sequence(self.cell, self.output_layer, inputs, state):
            self._completes_later = self._may_complete_later()
            try:
                yield
            finally:
                self._completes_later = False

    def _may_complete_later(self) -> bool:
        """Whether the output layer can be applied behind the loop: one product for all steps.

        Only where no step depends on what was sampled, and to a layer that treats each step
        alike. A compiler that pads the loop's rows with zeros would see the layer's bias there.
        """
        kind: Any = type(self.output_layer)
        return (
            tracing_tensorflow()
            and not compiling_with_xla()
            and type(self).step is BasicDecoder.step
            and kind is keras.layers.Dense
            and is_teacher_forced(self.helper)
        )

    def step(
        self, time: Any, inputs: Any, state: Any, training: Any = None
    ) -> tuple[BasicDecoderOutput, Any, Any, Tensor]:
        """Returns `(outputs, next state, next inputs, finished)` of step `time`."""
        output, next_state = cells.step_cell(self.cell, inputs, state, training)
        sample_id: Any = ()
        if not self._completes_later:
            if self.output_layer is not None:
                output = self.output_layer(output)
            sample_id = self.helper.sample(time=time, outputs=output, state=next_state)
        finished, next_inputs, next_state = self.helper.next_inputs(
            time=time, outputs=output, state=next_state, sample_ids=sample_id
        )
        return BasicDecoderOutput(output, sample_id), next_state, next_inputs, finished

    def complete(self, outputs: BasicDecoderOutput) -> BasicDecoderOutput:
        """Applies the output layer to all steps, where `step` has not."""
        if not self._completes_later:
            return outputs
        output_layer: Any = self.output_layer
        rows = outputs.rnn_output
        shape = ops.shape(rows)
        logits = output_layer(ops.reshape(rows, (-1, shape[-1])))
        logits = ops.reshape(logits, (*shape[:2], logits.shape[-1]))
        return BasicDecoderOutput(logits, self.helper.sample(None, logits, None))
