"""Beam search, with the alignment history in the order of the surviving beams.

Dimension letters: `B` examples, `W` beam width, `T` decoder steps, `V` classes, `K` memory
positions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np

from tb_attention_training.seq2seq import cells
from tb_attention_training.seq2seq.backend import ops
from tb_attention_training.seq2seq.decoding import Box, Decoder
from tb_attention_training.seq2seq.helpers import Embedding, embedding_fn
from tb_attention_training.seq2seq.loops import StepInputs, run_steps
from tb_attention_training.seq2seq.states import AlignmentHistory, Tensor, map_histories


class BeamSearchDecoderOutput(NamedTuple):
    """What a step of beam search emits.

    Attributes:
        scores: `[B, T, W]`, log probabilities, divided by the length penalty.
        predicted_ids: `[B, T, W]`, the ids chosen at each step, not yet along the beams.
        parent_ids: `[B, T, W]`, the beam each of them continues.
    """

    scores: Tensor
    predicted_ids: Tensor
    parent_ids: Tensor


class FinalBeamSearchDecoderOutput(NamedTuple):
    """What beam search returns.

    Attributes:
        predicted_ids: `[B, T, W]`, the sequences, best beam first, filled up with the end token.
        beam_search_decoder_output: what the steps emitted.
    """

    predicted_ids: Tensor
    beam_search_decoder_output: BeamSearchDecoderOutput


class BeamSearchDecoderState(NamedTuple):
    """The state of beam search.

    Attributes:
        cell_state: the cell's state; its tensors are `[B * W, …]` while decoding and `[B, W, …]`
            in the final state.
        log_probs: `[B, W]`.
        finished: `[B, W]`.
        lengths: `[B, W]` int32, the end token included.
    """

    cell_state: Any
    log_probs: Tensor
    finished: Tensor
    lengths: Tensor


class BeamSearchDecoder(Decoder):
    """Keeps the `beam_width` most probable sequences at every step.

    The memory, its lengths and the cell's state must be tiled with `tile_batch` first.

    The final state's alignment history is re-ordered along the surviving beams: row `t` of beam
    `w` is what was attended to when the sequence in beam `w` got its `t`-th id. The original
    follows the beams one step late (it reads row `t` of the beam *after* the choice of step `t`),
    and only where shapes are static; both are mended here. Shape `[T, B * W, K]`.

    Source: Wu et al. 2016, "Google's Neural Machine Translation System" (arXiv:1609.08144),
    section 7: the length penalty `((5 + length) / 6) ** weight`.

    Args:
        cell: an `AttentionWrapper` or a cell.
        embedding: a matrix `[V, E]`, a Keras `Embedding` layer, or a function of ids.
        start_tokens: `[B]`.
        end_token: the id that ends a sequence.
        initial_state: the cell's state, tiled: `[B * W, …]`.
        beam_width: number of sequences `W` kept per example.
        output_layer: a Keras layer that makes logits `[…, V]` of the cell's output.
        length_penalty_weight: 0 for none; larger favours longer sequences.
        reorder_tensor_arrays: whether to re-order the alignment history.
        embedding_fn: function of ids, as in TensorFlow Addons.
        **kwargs: `output_time_major`, `maximum_iterations`, `name`.

    Raises:
        ValueError: if `beam_width` is not positive, or a coverage penalty is asked for.

    Example:
        ```python
        attention.setup_memory(tile_batch(encoded, 4), tile_batch(lengths, 4))
        state = cell.zero_state(4 * batch).clone(cell_state=tile_batch(encoder_state, 4))
        decoder = BeamSearchDecoder(cell, embedding, start, end, state, 4, Dense(vocabulary))
        outputs, final_state, lengths = dynamic_decode(decoder, maximum_iterations=50)
        best = outputs.predicted_ids[:, :, 0]
        ```
    """

    tracks_own_finished = True

    def __init__(
        self,
        cell: Any,
        embedding: Embedding = None,
        start_tokens: Tensor | None = None,
        end_token: Any = None,
        initial_state: Any = None,
        beam_width: int | None = None,
        output_layer: Any = None,
        length_penalty_weight: float = 0.0,
        coverage_penalty_weight: float = 0.0,
        reorder_tensor_arrays: bool = True,
        *,
        embedding_fn: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(embedding, int) and beam_width is None:
            # TensorFlow Addons has the beam width in second place.
            embedding, beam_width = None, embedding
        if not isinstance(beam_width, int) or beam_width <= 0:
            raise ValueError(f"beam_width must be a positive integer. Received: {beam_width!r}")
        if coverage_penalty_weight:
            raise ValueError(
                "coverage_penalty_weight is not supported. Received: "
                f"{coverage_penalty_weight}. Use length_penalty_weight, or score the returned "
                "sequences yourself."
            )
        self.cell = cell
        self.beam_width = beam_width
        self.output_layer = output_layer
        self.length_penalty_weight = length_penalty_weight
        self.reorder_tensor_arrays = reorder_tensor_arrays
        self._given = Box((embedding_fn or embedding, start_tokens, end_token, initial_state))
        self._run: Box = Box(None)

    @property
    def batch_size(self) -> Any:
        """Number of examples `B`, known once decoding has started."""
        return self._run.value["batch"]

    def initialize(
        self,
        embedding: Embedding = None,
        start_tokens: Tensor | None = None,
        end_token: Any = None,
        initial_state: Any = None,
    ) -> tuple[Tensor, Tensor, BeamSearchDecoderState]:
        """Returns `(finished [B, W], first inputs [B * W, E], initial state)`.

        What is None is taken from the constructor.

        Raises:
            ValueError: if something is missing, or the state is not tiled.
        """
        new = (embedding, start_tokens, end_token, initial_state)
        given = tuple(b if a is None else a for a, b in zip(new, self._given.value, strict=True))
        names = ("embedding", "start_tokens", "end_token", "initial_state")
        missing = [name for name, value in zip(names, given, strict=True) if value is None]
        if missing:
            raise ValueError(f"BeamSearchDecoder needs {missing}: pass them to the constructor.")
        table, start, end, cell_state = given
        start = ops.cast(ops.convert_to_tensor(start), "int32")
        batch, width = ops.shape(start)[0], self.beam_width
        self._run.value = {
            "batch": batch,
            "embed": embedding_fn(table),
            "end": ops.cast(ops.convert_to_tensor(end), "int32"),
        }
        _check_tiled(cell_state, batch, width)
        # All beams start equal: only the first may be continued, or all would stay the same.
        first = ops.arange(width, dtype="int32") == 0
        log_probs = ops.where(first, 0.0, -np.inf)
        finished = ops.zeros((batch, width), dtype="bool")
        state = BeamSearchDecoderState(
            cell_state=cell_state,
            log_probs=ops.broadcast_to(ops.cast(log_probs, "float32"), (batch, width)),
            finished=finished,
            lengths=ops.zeros((batch, width), dtype="int32"),
        )
        inputs = self._run.value["embed"](ops.repeat(start, width, axis=0))
        return finished, inputs, state

    def prepare(self, inputs: Any, state: BeamSearchDecoderState) -> Any:
        """Builds the weights before the loop."""
        return cells.cell_sequence(self.cell, self.output_layer, inputs, state.cell_state)

    def step(
        self, time: Any, inputs: Any, state: BeamSearchDecoderState, training: Any = None
    ) -> tuple[BeamSearchDecoderOutput, BeamSearchDecoderState, Any, Tensor]:
        """Returns `(outputs, next state, next inputs, finished)` of step `time`."""
        batch, width = self.batch_size, self.beam_width
        end = self._run.value["end"]
        logits, cell_state = cells.step_cell(self.cell, inputs, state.cell_state, training)
        if self.output_layer is not None:
            logits = self.output_layer(logits)
        classes = int(logits.shape[-1])
        step_log_probs = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
        step_log_probs = ops.reshape(step_log_probs, (batch, width, classes))
        is_end = ops.arange(classes, dtype="int32") == end
        # A finished beam goes on with end tokens at no cost, and with nothing else.
        only_end = ops.where(is_end, 0.0, float(np.finfo("float32").min))
        step_log_probs = ops.where(state.finished[:, :, None], only_end, step_log_probs)
        total = state.log_probs[:, :, None] + step_log_probs
        grows = ops.logical_and(
            ops.logical_not(state.finished)[:, :, None], ops.logical_not(is_end)
        )
        lengths = state.lengths[:, :, None] + ops.cast(grows, "int32")
        scores = total / self._length_penalty(lengths)
        scores, chosen = ops.top_k(ops.reshape(scores, (batch, width * classes)), width)
        chosen = ops.cast(chosen, "int32")
        parents, words = chosen // classes, chosen % classes
        rows = ops.reshape(parents + ops.arange(batch, dtype="int32")[:, None] * width, (-1,))

        def of_parents(x: Tensor) -> Tensor:
            return ops.reshape(ops.take(ops.reshape(x, (-1,)), rows, axis=0), (batch, width))

        was_finished = of_parents(state.finished)
        flat = ops.reshape(total, (batch, width * classes))
        finished = ops.logical_or(was_finished, ops.equal(words, end))
        next_state = BeamSearchDecoderState(
            # The histories stay as they are: their rows are re-ordered once, at the end.
            cell_state=map_histories(
                lambda x: ops.take(x, rows, axis=0), lambda history: history, cell_state
            ),
            log_probs=ops.take_along_axis(flat, chosen, axis=1),
            finished=finished,
            lengths=of_parents(state.lengths) + ops.cast(ops.logical_not(was_finished), "int32"),
        )
        next_inputs = self._run.value["embed"](ops.reshape(words, (-1,)))
        output = BeamSearchDecoderOutput(scores, words, parents)
        return output, next_state, next_inputs, finished

    def finalize(
        self, outputs: BeamSearchDecoderOutput, final_state: BeamSearchDecoderState, lengths: Tensor
    ) -> tuple[FinalBeamSearchDecoderOutput, BeamSearchDecoderState]:
        """Follows the beams back and puts ids and alignment history in their order."""
        batch, width = self.batch_size, self.beam_width
        # Rows that a compiler with static shapes adds after the last step continue nothing.
        ran = ops.arange(ops.shape(outputs.parent_ids)[0], dtype="int32") < ops.max(lengths)
        itself = ops.arange(width, dtype="int32")
        beams, parents = trace_beams(ops.where(ran[:, None, None], outputs.parent_ids, itself))
        ids = ops.take_along_axis(outputs.predicted_ids, beams, axis=2)
        ended = ops.cast(ops.equal(ids, self._run.value["end"]), "int32")
        # After the first end token only end tokens follow, whatever the loop went on with.
        after = ops.cumsum(ended, axis=0) - ended > 0
        ids = ops.where(after, self._run.value["end"], ids)

        def reorder(history: AlignmentHistory) -> AlignmentHistory:
            rows = history.stack()
            if not self.reorder_tensor_arrays:
                return AlignmentHistory(rows)
            steps, positions = ops.shape(rows)[0], ops.shape(rows)[2]
            split = ops.reshape(rows, (steps, batch, width, positions))
            moved = ops.take_along_axis(split, parents[:, :, :, None], axis=2)
            return AlignmentHistory(ops.reshape(moved, (steps, batch * width, positions)))

        def split_beams(x: Tensor) -> Tensor:
            return ops.reshape(x, (batch, width, *ops.shape(x)[1:]))

        cell_state = map_histories(split_beams, reorder, final_state.cell_state)
        final_state = final_state._replace(cell_state=cell_state)
        return FinalBeamSearchDecoderOutput(ids, outputs), final_state

    def _length_penalty(self, lengths: Tensor) -> Tensor | float:
        if not self.length_penalty_weight:
            return 1.0
        return ((5.0 + ops.cast(lengths, "float32")) / 6.0) ** self.length_penalty_weight


def trace_beams(parent_ids: Tensor) -> tuple[Tensor, Tensor]:
    """Returns which beam each final beam was in after every step, and before it.

    Args:
        parent_ids: `[T, B, W]`, the beam that each beam of step `t` continues.

    Returns:
        `(after, before)`, both `[T, B, W]` int32: final beam `w` was in `after[t]` when step
        `t` had chosen, and in `before[t]` when the cell ran step `t`.
    """
    steps = StepInputs(parent_ids, time_major=True)
    _, batch, width = ops.shape(parent_ids)
    last = ops.broadcast_to(ops.arange(width, dtype="int32"), (batch, width))

    def body(time: Any, beams: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        parents = steps.read(steps.length - 1 - time)
        before = ops.take_along_axis(parents, beams, axis=1)
        return before, (beams, before)

    _, _, (after, before) = run_steps(body, last, limit=steps.length)
    return ops.flip(after, axis=0), ops.flip(before, axis=0)


def tile_batch(t: Any, multiplier: int, name: str | None = None) -> Any:
    """Repeats every example `multiplier` times: `[B, …]` to `[B * multiplier, …]`.

    Args:
        t: a tensor, or a structure of tensors such as an encoder's state.
        multiplier: the beam width.
        name: accepted for the sake of `tf.contrib.seq2seq`, not used.

    Returns:
        The tiled tensors: all copies of the first example, then all of the second, ….
    """
    del name
    return keras.tree.map_structure(lambda x: ops.repeat(x, multiplier, axis=0), t)


def _check_tiled(cell_state: Any, batch: Any, width: int) -> None:
    for leaf in keras.tree.flatten(cell_state):
        rows = leaf.shape[0] if len(leaf.shape) else None
        if isinstance(batch, int) and rows is not None and rows != batch * width:
            raise ValueError(
                f"initial_state must have batch * beam_width = {batch} * {width} rows. Received a "
                f"tensor of shape {tuple(leaf.shape)}. Tile the encoder's state, the memory and "
                "its lengths with tile_batch(…, beam_width)."
            )
