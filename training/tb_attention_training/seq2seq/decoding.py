"""`dynamic_decode`, the loop around a decoder, and what it asks of one.

Dimension letters: `B` examples, `T` decoder steps.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import keras

from tb_attention_training.capture.naming import base_name
from tb_attention_training.capture.tap import tap, tapping
from tb_attention_training.seq2seq import cells
from tb_attention_training.seq2seq.backend import ops
from tb_attention_training.seq2seq.loops import run_steps, static_int, tracing_tensorflow
from tb_attention_training.seq2seq.products import LoopProducts
from tb_attention_training.seq2seq.states import (
    Tensor,
    close_histories,
    open_histories,
    take_rows,
)


class Decoder(keras.layers.Layer):
    """Base class of decoders; subclasses say how to start and what a step does.

    Calling a decoder decodes: `decoder(inputs, initial_state=…)` is
    `dynamic_decode(decoder, …)` with the decoder's own settings.

    Args:
        output_time_major: see `dynamic_decode`.
        impute_finished: see `dynamic_decode`.
        maximum_iterations: see `dynamic_decode`; may be set later.
        name: name of the layer.
    """

    tracks_own_finished = False

    def __init__(
        self,
        *,
        output_time_major: bool = False,
        impute_finished: bool = False,
        maximum_iterations: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, autocast=False, **kwargs)
        self.output_time_major = output_time_major
        self.impute_finished = impute_finished
        self.maximum_iterations = maximum_iterations

    @property
    def max_steps(self) -> Any:
        """Upper bound of the number of steps, if one is known before decoding."""
        return None

    @property
    def static_steps(self) -> int | None:
        """Upper bound of the number of steps as an int, if one is known while tracing."""
        return None

    def initialize(self, *args: Any, **kwargs: Any) -> tuple[Tensor, Any, Any]:
        """Returns `(finished, first inputs, initial state)`."""
        raise NotImplementedError

    def step(
        self, time: Any, inputs: Any, state: Any, training: Any = None
    ) -> tuple[Any, Any, Any, Tensor]:
        """Returns `(outputs, next state, next inputs, finished)` of step `time`."""
        raise NotImplementedError

    def complete(self, outputs: Any) -> Any:
        """Returns the outputs (time-major) with what `step` has left for all steps at once."""
        return outputs

    def finalize(self, outputs: Any, final_state: Any, lengths: Tensor) -> tuple[Any, Any]:
        """Returns the outputs (time-major) and the final state after the last step."""
        del lengths
        return outputs, final_state

    def prepare(self, inputs: Any, state: Any) -> Any:
        """Returns a context manager that is open while the loop runs."""
        return nullcontext()

    # Not `call`: Keras lets no arguments of a call mix tensors and numbers such as an end token.
    def __call__(
        self,
        inputs: Any = None,
        initial_state: Any = None,
        training: Any = None,
        **kwargs: Any,
    ) -> tuple[Any, Any, Tensor]:
        """Decodes with the settings given to the constructor.

        Args:
            inputs: what `initialize` takes first: decoder inputs or an embedding.
            initial_state: the state to start from.
            training: whether dropout and noise are on.
            **kwargs: further arguments of `initialize`, e.g. `sequence_length`.

        Returns:
            `(outputs, final state, lengths)`; see `dynamic_decode`.
        """
        if initial_state is not None:
            kwargs["initial_state"] = initial_state
        return dynamic_decode(
            self,
            output_time_major=self.output_time_major,
            impute_finished=self.impute_finished,
            maximum_iterations=self.maximum_iterations,
            training=training,
            decoder_init_input=inputs,
            decoder_init_kwargs=kwargs,
        )


def dynamic_decode(
    decoder: Decoder,
    output_time_major: bool = False,
    impute_finished: bool = False,
    maximum_iterations: Any = None,
    parallel_iterations: int = 32,
    swap_memory: bool = False,
    scope: Any = None,
    *,
    training: Any = None,
    decoder_init_input: Any = None,
    decoder_init_kwargs: dict[str, Any] | None = None,
    **kwargs: Any,
) -> tuple[Any, Any, Tensor]:
    """Decodes until every example is finished or `maximum_iterations` is reached.

    Nothing is padded: `T` is the number of steps that were run. Without `impute_finished`,
    examples that are finished go on being computed until the last one is.

    Where shapes must be static (`jit_compile=True`, `jax.jit`), `T` is `maximum_iterations` or
    the length of the decoder's inputs, and rows after the last step are zero.

    Args:
        decoder: a `Decoder`.
        output_time_major: whether outputs are `[T, B, …]` instead of `[B, T, …]`.
        impute_finished: whether finished examples keep their state and emit zeros. The alignment
            history is not imputed: rows after the finish hold what the frozen state computes.
        maximum_iterations: largest number of steps: an int, a scalar tensor or None.
        parallel_iterations: passed to `tf.while_loop`.
        swap_memory: accepted for the sake of `tf.contrib.seq2seq`, not used.
        scope: accepted likewise.
        training: whether dropout and noise are on; None: as the layer around it says.
        decoder_init_input: passed to `decoder.initialize`.
        decoder_init_kwargs: passed to `decoder.initialize`.
        **kwargs: `enable_tflite_convertible` is accepted and not used.

    Returns:
        `(outputs, final_state, final_sequence_lengths)`; outputs `[B, T, …]`, lengths `[B]` int32,
        `final_state.alignment_history.stack()` `[T, B, K]` in any case.

    Raises:
        TypeError: if `decoder` is not a `Decoder`.
        ValueError: if `maximum_iterations` is negative or nothing bounds the loop.

    Example:
        ```python
        outputs, final_state, lengths = dynamic_decode(decoder, maximum_iterations=100)
        ```
    """
    del swap_memory, scope
    kwargs.pop("enable_tflite_convertible", None)
    if kwargs:
        raise TypeError(f"dynamic_decode got unexpected arguments {sorted(kwargs)}.")
    if not all(hasattr(decoder, method) for method in ("initialize", "step", "finalize")):
        raise TypeError(f"decoder must be a Decoder. Received: {decoder!r}")
    known = static_int(maximum_iterations)
    if known is not None and known < 0:
        raise ValueError(f"maximum_iterations must not be negative. Received: {known}")
    if impute_finished and decoder.tracks_own_finished:
        raise ValueError(
            "impute_finished=True would overwrite the state of beams that are still needed. Use "
            f"impute_finished=False with {type(decoder).__name__}."
        )
    init_kwargs = decoder_init_kwargs or {}
    if decoder_init_input is None:
        finished, inputs, state = decoder.initialize(**init_kwargs)
    else:
        finished, inputs, state = decoder.initialize(decoder_init_input, **init_kwargs)
    lengths = ops.zeros_like(finished, dtype="int32")
    training = cells.resolve_training(training)

    def body(time: Any, carry: Any) -> tuple[Any, Any]:
        finished, inputs, state, lengths = carry
        outputs, next_state, next_inputs, step_finished = decoder.step(
            time, inputs, state, training
        )
        next_state, history_rows = take_rows(next_state)
        if decoder.tracks_own_finished:
            next_finished = step_finished
        else:
            next_finished = ops.logical_or(finished, step_finished)
        own_lengths = getattr(next_state, "lengths", None)
        if own_lengths is None:
            next_lengths = ops.where(finished, lengths, ops.cast(time + 1, "int32"))
        else:
            next_lengths = ops.cast(own_lengths, "int32")
        if impute_finished:
            next_state = keras.tree.map_structure(
                lambda old, new: _where_rows(finished, old, new), state, next_state
            )
        carry = (next_finished, next_inputs, next_state, next_lengths)
        return carry, (outputs, tuple(history_rows), finished if impute_finished else ())

    carry = (finished, inputs, open_histories(state), lengths)
    with decoder.prepare(inputs, state):
        limit = _limit(decoder, maximum_iterations)
        products = _products_of(decoder, limit) if training else None
        _, carry, rows = run_steps(
            products.around(body) if products else body,
            carry,
            limit=limit,
            keep_going=lambda carry: ops.logical_not(ops.all(carry[0])),
            parallel_iterations=parallel_iterations,
        )
        outputs, history, was_finished = products.finish(rows) if products else rows
        outputs = decoder.complete(outputs)
        if impute_finished:
            outputs = keras.tree.map_structure(
                lambda new: _where_rows(was_finished, ops.zeros_like(new), new), outputs
            )
    _, _, final_state, lengths = carry
    if tapping():
        _tap_history(decoder, list(history), lengths)
    final_state = close_histories(final_state, list(history), before=state)
    outputs, final_state = decoder.finalize(outputs, final_state, lengths)
    if not output_time_major:
        outputs = keras.tree.map_structure(lambda x: ops.swapaxes(x, 0, 1), outputs)
    return outputs, final_state, lengths


def _tap_history(decoder: Decoder, history: list[Tensor], lengths: Tensor) -> None:
    """Offers alignments `[T, B, K]`, one per mechanism, to a capture, which wants `[B, T, K]`."""
    mechanisms = getattr(getattr(decoder, "cell", None), "mechanisms", ())
    named = [(base_name(mechanism), mechanism.memory.mask) for mechanism in mechanisms]
    if len(named) != len(history):  # a cell of the user's own
        named = [("alignments", None)] * len(history)
    for rows, (name, key_mask) in zip(history, named, strict=True):
        query_mask = ops.expand_dims(ops.arange(ops.shape(rows)[0]), 0) < ops.expand_dims(
            lengths, 1
        )
        tap(name, ops.swapaxes(rows, 0, 1), key_mask=key_mask, query_mask=query_mask)


def _limit(decoder: Decoder, maximum_iterations: Any) -> Any:
    """Returns the bound of the loop: the smaller of the two, static if it can be."""
    statics = [static_int(maximum_iterations), decoder.static_steps]
    known = [bound for bound in statics if bound is not None]
    dynamic = maximum_iterations if statics[0] is None else None
    if known:
        return min(known) if dynamic is None else ops.minimum(dynamic, min(known))
    return dynamic


def _products_of(decoder: Decoder, limit: Any) -> LoopProducts | None:
    """Returns what gathers the gradients of memories, where a loop is traced and has a bound."""
    if decoder.max_steps is None or not tracing_tensorflow():
        return None
    return LoopProducts(decoder.max_steps if limit is None else limit)


def _where_rows(condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Returns `x` where condition `[B]` or `[T, B]` holds, else `y`; scalars pass as `y`."""
    if len(y.shape) < len(condition.shape):
        return y
    extra = len(y.shape) - len(condition.shape)
    shaped = ops.reshape(condition, (*ops.shape(condition), *([1] * extra)))
    return ops.where(shaped, x, y)


class Box:
    """Keeps a value out of Keras' attribute tracking."""

    def __init__(self, value: Any) -> None:
        self.value = value
