"""The helpers under the names and with the calls of TensorFlow Addons.

A sampler is made without data and gets it when decoding starts:
`BasicDecoder(cell, TrainingSampler(), layer)(inputs, initial_state=…, sequence_length=…)`.
"""

from __future__ import annotations

from typing import Any

from tb_attention_training.seq2seq.backend import ops
from tb_attention_training.seq2seq.helpers import (
    CustomHelper,
    Embedding,
    GreedyEmbeddingHelper,
    Helper,
    SampleEmbeddingHelper,
    ScheduledEmbeddingTrainingHelper,
    TrainingHelper,
    seed_generator,
)
from tb_attention_training.seq2seq.states import Tensor


class Sampler:
    """Base class: makes a helper from the data that decoding starts with."""

    def __init__(self) -> None:
        self._helper: Helper | None = None

    def bind(self, *args: Any, **kwargs: Any) -> Helper:
        """Returns the helper for this data."""
        raise NotImplementedError

    @property
    def helper(self) -> Helper:
        """The helper of the current data.

        Raises:
            ValueError: if decoding has not started.
        """
        if self._helper is None:
            name = type(self).__name__
            raise ValueError(
                f"{name} has no data yet. Call the decoder with it, decoder(inputs, "
                f"initial_state=…), or {name}.initialize(inputs, …)."
            )
        return self._helper

    @property
    def batch_size(self) -> Any:
        """Number of examples."""
        return self.helper.batch_size

    @property
    def max_steps(self) -> Any:
        """The helper's bound of the number of steps."""
        return self.helper.max_steps

    @property
    def static_steps(self) -> int | None:
        """The helper's bound that is known while tracing."""
        return self.helper.static_steps

    def initialize(self, inputs: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Takes the data and returns `(finished, first inputs)`."""
        self._helper = self.bind(inputs, **kwargs)
        return self._helper.initialize()

    def sample(self, time: Any, outputs: Tensor, state: Any) -> Tensor:
        """Returns the sample ids of a step."""
        return self.helper.sample(time, outputs, state)

    def next_inputs(
        self, time: Any, outputs: Tensor, state: Any, sample_ids: Tensor
    ) -> tuple[Tensor, Tensor, Any]:
        """Returns `(finished, next inputs, state)`."""
        return self.helper.next_inputs(time, outputs, state, sample_ids)


class TrainingSampler(Sampler):
    """`TrainingHelper` that gets `inputs` and `sequence_length` (or `mask`) later.

    Args:
        time_major: whether time is the first axis of the inputs.
    """

    def __init__(self, time_major: bool = False) -> None:
        super().__init__()
        self.time_major = time_major

    def bind(
        self, inputs: Tensor, sequence_length: Tensor | None = None, mask: Tensor | None = None
    ) -> Helper:
        """Returns the helper for these inputs.

        Args:
            inputs: see `TrainingHelper`.
            sequence_length: see `TrainingHelper`.
            mask: `[B, T]` boolean (`[T, B]` with `time_major`), true then false along time,
                instead of lengths.

        Raises:
            ValueError: if both are given.
        """
        lengths = _lengths_of(sequence_length, mask, self.time_major)
        return TrainingHelper(inputs, lengths, self.time_major)


class GreedyEmbeddingSampler(Sampler):
    """`GreedyEmbeddingHelper` that gets embedding and tokens later.

    Args:
        embedding_fn: a function of ids; None when the embedding is given later.
    """

    def __init__(self, embedding_fn: Any = None) -> None:
        super().__init__()
        self.embedding_fn = embedding_fn

    def bind(self, inputs: Embedding, start_tokens: Any = None, end_token: Any = None) -> Helper:
        """Returns the helper; `inputs` is the embedding."""
        embedding = inputs if self.embedding_fn is None else self.embedding_fn
        return GreedyEmbeddingHelper(embedding, start_tokens, end_token)

    def initialize(self, inputs: Any = None, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Takes embedding, `start_tokens` and `end_token`."""
        return super().initialize(inputs, **kwargs)


class SampleEmbeddingSampler(GreedyEmbeddingSampler):
    """`SampleEmbeddingHelper` that gets embedding and tokens later.

    Args:
        embedding_fn: a function of ids; None when the embedding is given later.
        softmax_temperature: see `SampleEmbeddingHelper`.
        seed: see `SampleEmbeddingHelper`.
    """

    def __init__(
        self, embedding_fn: Any = None, softmax_temperature: float | None = None, seed: Any = None
    ) -> None:
        super().__init__(embedding_fn)
        self.softmax_temperature = softmax_temperature
        self.seed = seed_generator(seed)

    def bind(self, inputs: Embedding, start_tokens: Any = None, end_token: Any = None) -> Helper:
        """Returns the helper; `inputs` is the embedding."""
        embedding = inputs if self.embedding_fn is None else self.embedding_fn
        return SampleEmbeddingHelper(
            embedding, start_tokens, end_token, self.softmax_temperature, self.seed
        )


class ScheduledEmbeddingTrainingSampler(Sampler):
    """`ScheduledEmbeddingTrainingHelper` that gets inputs and embedding later.

    Args:
        sampling_probability: see `ScheduledEmbeddingTrainingHelper`.
        embedding_fn: a function of ids; None when the embedding is given later.
        time_major: see `TrainingHelper`.
        seed: see `ScheduledEmbeddingTrainingHelper`.
        scheduling_seed: see `ScheduledEmbeddingTrainingHelper`.
    """

    def __init__(
        self,
        sampling_probability: Any,
        embedding_fn: Any = None,
        time_major: bool = False,
        seed: Any = None,
        scheduling_seed: Any = None,
    ) -> None:
        super().__init__()
        self.sampling_probability = sampling_probability
        self.embedding_fn = embedding_fn
        self.time_major = time_major
        self.seed = seed_generator(seed)
        self.scheduling_seed = seed_generator(scheduling_seed)

    def bind(
        self,
        inputs: Tensor,
        sequence_length: Tensor | None = None,
        mask: Tensor | None = None,
        embedding: Embedding = None,
    ) -> Helper:
        """Returns the helper for these inputs; see `TrainingSampler.bind`."""
        return ScheduledEmbeddingTrainingHelper(
            inputs,
            _lengths_of(sequence_length, mask, self.time_major),
            embedding if self.embedding_fn is None else self.embedding_fn,
            self.sampling_probability,
            self.time_major,
            self.seed,
            self.scheduling_seed,
        )


class CustomSampler(Sampler):
    """A sampler made of three functions; see `CustomHelper`.

    Args:
        initialize_fn: `(inputs, **kwargs) -> (finished, first inputs)`.
        sample_fn: `(time, outputs, state) -> sample ids`.
        next_inputs_fn: `(time, outputs, state, sample_ids) -> (finished, inputs, state)`.
    """

    def __init__(self, initialize_fn: Any, sample_fn: Any, next_inputs_fn: Any) -> None:
        super().__init__()
        self._functions = (initialize_fn, sample_fn, next_inputs_fn)

    def bind(self, inputs: Any, **kwargs: Any) -> Helper:
        """Returns the helper for these inputs."""
        initialize_fn, sample_fn, next_inputs_fn = self._functions
        return CustomHelper(lambda: initialize_fn(inputs, **kwargs), sample_fn, next_inputs_fn)


def _lengths_of(lengths: Tensor | None, mask: Tensor | None, time_major: bool) -> Tensor | None:
    if mask is None:
        return lengths
    if lengths is not None:
        raise ValueError("sequence_length and mask say the same thing twice. Pass one of them.")
    return ops.sum(ops.cast(mask, "int32"), axis=0 if time_major else 1)


def is_teacher_forced(helper: Any) -> bool:
    """Says whether next inputs are known beforehand and samples are the largest outputs."""
    if type(helper) is TrainingSampler:
        helper = helper.helper
    return type(helper) is TrainingHelper
