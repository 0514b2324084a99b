"""Helpers: where a decoder's next input comes from.

Dimension letters: `B` examples, `T` target steps, `E` input depth, `V` classes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from tb_attention_training.seq2seq.backend import ops
from tb_attention_training.seq2seq.loops import StepInputs, concrete
from tb_attention_training.seq2seq.states import Tensor, same_shape

Embedding = Any  # a matrix [V, E], a Keras Embedding layer, or a function of ids


class Helper:
    """Base class: samples ids from a step's outputs and chooses the next step's inputs.

    Subclass it, or use `CustomHelper`, for inputs of your own.

    Attributes:
        batch_size: number of examples `B`.
        max_steps: upper bound of the number of steps if one is known before decoding: an int or
            a scalar tensor; None otherwise.
        static_steps: the same, as an int known while tracing; None otherwise.
    """

    batch_size: Any = None
    max_steps: Any = None
    static_steps: int | None = None

    def initialize(self) -> tuple[Tensor, Tensor]:
        """Returns `(finished [B], first inputs [B, E])`."""
        raise NotImplementedError

    def sample(self, time: Any, outputs: Tensor, state: Any) -> Tensor:
        """Returns the sample ids `[B]` of outputs `[B, V]`: the largest by default."""
        return ops.cast(ops.argmax(outputs, axis=-1), "int32")

    def next_inputs(
        self, time: Any, outputs: Tensor, state: Any, sample_ids: Tensor
    ) -> tuple[Tensor, Tensor, Any]:
        """Returns `(finished [B], next inputs [B, E], state)` after step `time`."""
        raise NotImplementedError


class TrainingHelper(Helper):
    """Feeds the true previous output: teacher forcing.

    Args:
        inputs: `[B, T, E]`, embedded target inputs; `[T, B, E]` with `time_major=True`.
        sequence_length: `[B]`, the number of steps of each example; None for all `T`.
        time_major: whether time is the first axis of `inputs`.
        name: accepted for the sake of `tf.contrib.seq2seq`, not used.

    Raises:
        ValueError: if shapes do not fit or a known length is outside `[0, T]`.

    Example:
        ```python
        helper = TrainingHelper(embedding(target_inputs), target_lengths)
        ```
    """

    def __init__(
        self,
        inputs: Tensor,
        sequence_length: Tensor | None = None,
        time_major: bool = False,
        name: str | None = None,
    ) -> None:
        del name
        inputs = ops.convert_to_tensor(inputs)
        if len(inputs.shape) < 3:
            raise ValueError(
                "TrainingHelper: inputs must have shape [batch, steps, depth] (embed the ids "
                f"first). Received shape {tuple(inputs.shape)}."
            )
        time_axis, batch_axis = (0, 1) if time_major else (1, 0)
        static_batch = inputs.shape[batch_axis]
        length = inputs.shape[time_axis]
        self.batch_size = ops.shape(inputs)[batch_axis]
        if sequence_length is None:
            steps = ops.cast(ops.shape(inputs)[time_axis], "int32")
            self.sequence_length = ops.broadcast_to(steps, (self.batch_size,))
            self.max_steps = ops.shape(inputs)[time_axis]
            self.static_steps = length
        else:
            self.sequence_length = ops.cast(ops.convert_to_tensor(sequence_length), "int32")
            _check_lengths(self.sequence_length, static_batch, length)
            known = concrete(self.sequence_length)
            self.static_steps = length if known is None else int(known.max(initial=0))
            self.max_steps = self.static_steps
            if known is None:
                self.max_steps = ops.max(self.sequence_length)
        self._steps = StepInputs(inputs, time_major=time_major)

    def initialize(self) -> tuple[Tensor, Tensor]:
        """Returns `(finished, first inputs)`; an example of length 0 is finished at once."""
        return ops.equal(self.sequence_length, 0), self._steps.read(0)

    def next_inputs(
        self, time: Any, outputs: Tensor, state: Any, sample_ids: Tensor
    ) -> tuple[Tensor, Tensor, Any]:
        """Returns the true inputs of step `time + 1`, zeros once all examples are finished."""
        finished = ops.greater_equal(time + 1, self.sequence_length)
        inputs = self._steps.read(time + 1)
        inputs = ops.where(ops.all(finished), ops.zeros_like(inputs), inputs)
        return finished, inputs, state


class GreedyEmbeddingHelper(Helper):
    """Feeds the embedding of the most probable id.

    Args:
        embedding: a matrix `[V, E]`, a Keras `Embedding` layer, or a function of ids.
        start_tokens: `[B]`, the ids to start from.
        end_token: the id that ends an example.

    Raises:
        ValueError: if `start_tokens` is not a vector or `end_token` not a scalar.
    """

    def __init__(self, embedding: Embedding, start_tokens: Tensor, end_token: Any) -> None:
        self.embed = embedding_fn(embedding)
        self.start_tokens = ops.cast(ops.convert_to_tensor(start_tokens), "int32")
        self.end_token = ops.cast(ops.convert_to_tensor(end_token), "int32")
        if len(self.start_tokens.shape) != 1:
            raise ValueError(
                "start_tokens must be a vector [batch], one id per example. Received shape "
                f"{tuple(self.start_tokens.shape)}."
            )
        if len(self.end_token.shape) != 0:
            raise ValueError(
                f"end_token must be a scalar. Received shape {tuple(self.end_token.shape)}."
            )
        self.batch_size = ops.shape(self.start_tokens)[0]

    def initialize(self) -> tuple[Tensor, Tensor]:
        """Returns `(all False, embedded start tokens)`."""
        return ops.zeros((self.batch_size,), dtype="bool"), self.embed(self.start_tokens)

    def next_inputs(
        self, time: Any, outputs: Tensor, state: Any, sample_ids: Tensor
    ) -> tuple[Tensor, Tensor, Any]:
        """Returns the embedded ids; an example is finished at its end token."""
        return ops.equal(sample_ids, self.end_token), self.embed(sample_ids), state


class SampleEmbeddingHelper(GreedyEmbeddingHelper):
    """Feeds the embedding of an id drawn from the output distribution.

    Args:
        embedding: see `GreedyEmbeddingHelper`.
        start_tokens: see `GreedyEmbeddingHelper`.
        end_token: see `GreedyEmbeddingHelper`.
        softmax_temperature: divides the logits: above 1 more random, below 1 more greedy.
        seed: an int or a `keras.random.SeedGenerator`.

    Raises:
        ValueError: if the temperature is not positive.
    """

    def __init__(
        self,
        embedding: Embedding,
        start_tokens: Tensor,
        end_token: Any,
        softmax_temperature: float | None = None,
        seed: Any = None,
    ) -> None:
        super().__init__(embedding, start_tokens, end_token)
        if softmax_temperature is not None and softmax_temperature <= 0:
            raise ValueError(
                "softmax_temperature must be positive (use GreedyEmbeddingHelper for 0). "
                f"Received: {softmax_temperature}"
            )
        self.softmax_temperature = softmax_temperature
        self.seed = seed_generator(seed)

    def sample(self, time: Any, outputs: Tensor, state: Any) -> Tensor:
        """Returns ids `[B]` drawn from logits `[B, V]`."""
        if self.softmax_temperature is not None:
            outputs = outputs / self.softmax_temperature
        return draw_ids(outputs, self.seed)


class ScheduledEmbeddingTrainingHelper(TrainingHelper):
    """Teacher forcing that feeds a drawn id instead of the true one with some probability.

    `sample_id` of the outputs is the drawn id where one was drawn and -1 elsewhere.

    Source: Bengio, Vinyals, Jaitly and Shazeer 2015, "Scheduled Sampling for Sequence Prediction
    with Recurrent Neural Networks" (arXiv:1506.03099).

    Args:
        inputs: see `TrainingHelper`.
        sequence_length: see `TrainingHelper`.
        embedding: a matrix `[V, E]`, a Keras `Embedding` layer, or a function of ids.
        sampling_probability: scalar or `[B]`, the probability to draw; may be a variable.
        time_major: see `TrainingHelper`.
        seed: an int or a `keras.random.SeedGenerator`, of the draw of ids.
        scheduling_seed: the same, of the choice which examples draw.

    Raises:
        ValueError: if the probability is known and outside `[0, 1]`.
    """

    def __init__(
        self,
        inputs: Tensor,
        sequence_length: Tensor | None,
        embedding: Embedding,
        sampling_probability: Any,
        time_major: bool = False,
        seed: Any = None,
        scheduling_seed: Any = None,
    ) -> None:
        super().__init__(inputs, sequence_length, time_major)
        self.embed = embedding_fn(embedding)
        self.sampling_probability = ops.cast(ops.convert_to_tensor(sampling_probability), "float32")
        known = concrete(self.sampling_probability)
        if known is not None and (known.min() < 0 or known.max() > 1):
            raise ValueError(f"sampling_probability must be in [0, 1]. Received: {known.tolist()}")
        self.seed = seed_generator(seed)
        self.scheduling_seed = seed_generator(scheduling_seed)

    def sample(self, time: Any, outputs: Tensor, state: Any) -> Tensor:
        """Returns `[B]`: a drawn id where the example draws, else -1."""
        chance = keras.random.uniform((self.batch_size,), seed=self.scheduling_seed)
        draws = chance < self.sampling_probability
        return ops.where(draws, draw_ids(outputs, self.seed), -1)

    def next_inputs(
        self, time: Any, outputs: Tensor, state: Any, sample_ids: Tensor
    ) -> tuple[Tensor, Tensor, Any]:
        """Returns the embedded ids where one was drawn, else the true inputs."""
        finished, inputs, state = super().next_inputs(time, outputs, state, sample_ids)
        drawn = self.embed(ops.maximum(sample_ids, 0))
        use = ops.logical_and(sample_ids >= 0, ops.logical_not(ops.all(finished)))
        return finished, ops.where(use[:, None], ops.cast(drawn, inputs.dtype), inputs), state


class CustomHelper(Helper):
    """A helper made of three functions.

    Args:
        initialize_fn: `() -> (finished, first inputs)`.
        sample_fn: `(time, outputs, state) -> sample ids`.
        next_inputs_fn: `(time, outputs, state, sample_ids) -> (finished, inputs, state)`.
    """

    def __init__(
        self,
        initialize_fn: Callable[[], tuple[Tensor, Tensor]],
        sample_fn: Callable[..., Tensor],
        next_inputs_fn: Callable[..., tuple[Tensor, Tensor, Any]],
    ) -> None:
        self._initialize_fn = initialize_fn
        self._sample_fn = sample_fn
        self._next_inputs_fn = next_inputs_fn

    def initialize(self) -> tuple[Tensor, Tensor]:
        """Calls `initialize_fn`."""
        finished, inputs = self._initialize_fn()
        self.batch_size = ops.shape(finished)[0]
        return finished, inputs

    def sample(self, time: Any, outputs: Tensor, state: Any) -> Tensor:
        """Calls `sample_fn`."""
        return self._sample_fn(time=time, outputs=outputs, state=state)

    def next_inputs(
        self, time: Any, outputs: Tensor, state: Any, sample_ids: Tensor
    ) -> tuple[Tensor, Tensor, Any]:
        """Calls `next_inputs_fn`."""
        return self._next_inputs_fn(time=time, outputs=outputs, state=state, sample_ids=sample_ids)


def embedding_fn(embedding: Embedding) -> Callable[[Tensor], Tensor]:
    """Returns a function of ids for a matrix, a Keras `Embedding` layer or a function."""
    if callable(embedding):
        return embedding
    return lambda ids: ops.take(embedding, ids, axis=0)


def draw_ids(logits: Tensor, seed: Any) -> Tensor:
    """Returns ids `[B]` drawn from the distribution of logits `[B, V]`."""
    drawn = keras.random.categorical(logits, 1, dtype="int32", seed=seed)
    return ops.squeeze(drawn, -1)


def seed_generator(seed: Any) -> Any:
    """Returns a seed generator, so that two steps never draw the same numbers."""
    if isinstance(seed, keras.random.SeedGenerator):
        return seed
    return keras.random.SeedGenerator(seed)


def _check_lengths(lengths: Tensor, batch: int | None, steps: int | None) -> None:
    if not same_shape(lengths.shape, (batch,)):
        raise ValueError(
            f"sequence_length must have shape [batch] = {(batch,)}. Received shape "
            f"{tuple(lengths.shape)}."
        )
    known = concrete(lengths)
    if known is None or not known.size:
        return
    if known.min() < 0 or (steps is not None and known.max() > steps):
        raise ValueError(
            f"sequence_length must be between 0 and the number of steps in inputs, {steps}. "
            f"Received: {known.tolist()}"
        )
