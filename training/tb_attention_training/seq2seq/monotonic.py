"""Monotonic attention: alignments that only move forward.

Dimension letters: `B` examples, `K` memory positions.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from tb_attention_training.seq2seq.backend import ops
from tb_attention_training.seq2seq.loops import StepInputs, run_steps
from tb_attention_training.seq2seq.mechanism import AttentionMechanism
from tb_attention_training.seq2seq.mechanisms import BahdanauAttention, LuongAttention
from tb_attention_training.seq2seq.states import Tensor

MODES = ("parallel", "recursive", "hard")


def safe_cumprod(x: Tensor, exclusive: bool = False) -> Tensor:
    """Returns the cumulative product of `x` along the last axis, as `exp(cumsum(log(x)))`.

    The gradient of a plain cumulative product is not a number where `x` is 0; here `x` is
    clipped to the smallest normal float first.

    Args:
        x: `[B, K]` with values in `[0, 1]`.
        exclusive: whether item `j` leaves out `x_j`, so that the first is 1.
    """
    tiny = float(np.finfo(keras.backend.standardize_dtype(x.dtype)).tiny)
    logs = ops.log(ops.clip(x, tiny, 1.0))
    if exclusive:
        logs = _shift(logs, 0.0)
    return ops.exp(ops.cumsum(logs, axis=-1))


def monotonic_attention(
    p_choose_i: Tensor, previous_attention: Tensor, mode: str = "parallel"
) -> Tensor:
    """Returns the alignments of a step from the probabilities to stop at each position.

    Starting from where the last step stopped, the memory is read left to right, and position `j`
    is chosen with probability `p_j`. `a_j` is the probability that the step ends at `j`:

        a_j = p_j q_j,    q_j = (1 - p_(j-1)) q_(j-1) + previous_j

    Rows need not sum to 1: what never stops is lost.

    Source: Raffel, Luong, Liu, Weiss and Eck 2017, "Online and Linear-Time Attention by Enforcing
    Monotonic Alignments" (arXiv:1704.00784), equations 8 to 12.

    Args:
        p_choose_i: `[B, K]`, the probability to choose each position; 0 or 1 for "hard".
        previous_attention: `[B, K]`, the alignments of the last step; one-hot of 0 at first.
        mode: "parallel", a closed form that loses precision where probabilities are close to 1;
            "recursive", exact; "hard", for probabilities that are 0 or 1.

    Returns:
        `[B, K]`.

    Raises:
        ValueError: if `mode` is unknown.
    """
    _check_mode(mode)
    p, previous = p_choose_i, previous_attention
    if mode == "recursive":
        return p * _reached(_shift(1.0 - p, 1.0), previous)
    if mode == "parallel":
        passed = safe_cumprod(1.0 - p, exclusive=True)
        # Far to the right `passed` underflows; what is divided by it is then lost, not infinite.
        return p * passed * ops.cumsum(previous / ops.clip(passed, 1e-10, 1.0), axis=-1)
    allowed = p * ops.cumsum(previous, axis=-1)
    return allowed * ops.cumprod(_shift(1.0 - allowed, 1.0), axis=-1)


class MonotonicMixin(AttentionMechanism):
    """Turns a mechanism's scores into monotonic alignments.

    Adds a trainable bias to the score, and keeps the last alignments as its state.
    """

    def init_monotonic(
        self, mode: str, score_bias_init: float, sigmoid_noise: float, seed: int | None
    ) -> None:
        """Makes what the monotonic mechanisms have in addition.

        Raises:
            ValueError: if the mode is unknown or the noise negative.
        """
        _check_mode(mode)
        if sigmoid_noise < 0:
            raise ValueError(
                "sigmoid_noise is a standard deviation and must not be negative. "
                f"Received: {sigmoid_noise}"
            )
        self.mode = mode
        self.score_bias_init = float(score_bias_init)
        self.sigmoid_noise = float(sigmoid_noise)
        self.sigmoid_noise_seed = seed
        self.noise_seed: Any = keras.random.SeedGenerator(seed) if sigmoid_noise > 0 else None
        self.attention_score_bias: Any = self.add_weight(
            name="attention_score_bias",
            shape=(),
            initializer=keras.initializers.Constant(score_bias_init),
        )

    def biased(self, score: Tensor) -> Tensor:
        """Returns the score `[B, K]` with the bias added."""
        return score + ops.cast(self.attention_score_bias, score.dtype)

    def probabilities(self, score: Tensor, state: Any, training: bool) -> Tensor:
        """Returns the alignments `[B, K]` of masked scores `[B, K]`."""
        return monotonic_attention(self.choose_probabilities(score, training), state, self.mode)

    def choose_probabilities(self, score: Tensor, training: bool = False) -> Tensor:
        """Returns the probability `[B, K]` to stop at each position."""
        if training and self.noise_seed is not None:
            noise = keras.random.normal(ops.shape(score), dtype=score.dtype, seed=self.noise_seed)
            score = score + self.sigmoid_noise * noise
        if self.mode == "hard":
            return ops.cast(score > 0, score.dtype)
        return ops.sigmoid(score)

    def initial_alignments(self, batch_size: Any, dtype: Any = None) -> Tensor:
        """Returns the alignments `[B, K]` before the first step: all at the first position."""
        zeros = super().initial_alignments(batch_size, dtype)
        first = ops.equal(ops.arange(ops.shape(zeros)[1], dtype="int32"), 0)
        return zeros + ops.cast(first, zeros.dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns what is needed to make the mechanism again."""
        config = super().get_config()
        del config["probability_fn"]
        return {
            **config,
            "mode": self.mode,
            "score_bias_init": self.score_bias_init,
            "sigmoid_noise": self.sigmoid_noise,
            "sigmoid_noise_seed": self.sigmoid_noise_seed,
        }


@keras.saving.register_keras_serializable("tb_attention")
class LuongMonotonicAttention(MonotonicMixin, LuongAttention):
    """Luong's score with monotonic alignments.

    `score_j = query · (W memory_j) + r`, times a trainable scalar with `scale=True`; the
    alignments follow `monotonic_attention`.

    Example:
        ```python
        attention = LuongMonotonicAttention(
            num_units=128, memory=encoded, memory_sequence_length=lengths, score_bias_init=-2.0
        )
        ```

    Source: Raffel et al. 2017 (arXiv:1704.00784).

    Args:
        units: see `LuongAttention`.
        memory: see `AttentionMechanism`.
        memory_sequence_length: see `AttentionMechanism`.
        scale: see `LuongAttention`.
        score_mask_value: see `AttentionMechanism`.
        sigmoid_noise: standard deviation of the noise added to the score in training, which
            drives the probabilities towards 0 or 1.
        sigmoid_noise_seed: seed of the noise.
        score_bias_init: first value of the bias `r`; negative lets the first alignments reach
            further into the memory.
        mode: see `monotonic_attention`; "hard" is for inference, it has no gradient.
        dtype: see `AttentionMechanism`.
        name: see `AttentionMechanism`.
        **kwargs: `memory_mask`, `num_units`, `kernel_initializer`.
    """

    def __init__(
        self,
        units: int | None = None,
        memory: Tensor | None = None,
        memory_sequence_length: Tensor | None = None,
        scale: bool = False,
        score_mask_value: float | None = None,
        sigmoid_noise: float = 0.0,
        sigmoid_noise_seed: int | None = None,
        score_bias_init: float = 0.0,
        mode: str = "parallel",
        dtype: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units,
            memory,
            memory_sequence_length,
            scale=scale,
            score_mask_value=score_mask_value,
            dtype=dtype,
            name=name,
            **kwargs,
        )
        self.init_monotonic(mode, score_bias_init, sigmoid_noise, sigmoid_noise_seed)

    def score(self, query: Tensor, memory: Any, state: Any = None) -> Tensor:
        """Returns the scores `[B, K]` of query `[B, units]`, bias included."""
        return self.biased(super().score(query, memory, state))


@keras.saving.register_keras_serializable("tb_attention")
class BahdanauMonotonicAttention(MonotonicMixin, BahdanauAttention):
    """Bahdanau's score with monotonic alignments.

    `score_j = v · tanh(W memory_j + U query) + r`, normalized with `normalize=True`; the
    alignments follow `monotonic_attention`.

    Example:
        ```python
        attention = BahdanauMonotonicAttention(128, normalize=True, mode="recursive")
        attention.setup_memory(encoded, memory_sequence_length=lengths)
        ```

    Source: Raffel et al. 2017 (arXiv:1704.00784).

    Args:
        units: see `BahdanauAttention`.
        memory: see `AttentionMechanism`.
        memory_sequence_length: see `AttentionMechanism`.
        normalize: see `BahdanauAttention`.
        score_mask_value: see `AttentionMechanism`.
        sigmoid_noise: see `LuongMonotonicAttention`.
        sigmoid_noise_seed: see `LuongMonotonicAttention`.
        score_bias_init: see `LuongMonotonicAttention`.
        mode: see `monotonic_attention`.
        dtype: see `AttentionMechanism`.
        name: see `AttentionMechanism`.
        **kwargs: `memory_mask`, `num_units`, `kernel_initializer`.
    """

    def __init__(
        self,
        units: int | None = None,
        memory: Tensor | None = None,
        memory_sequence_length: Tensor | None = None,
        normalize: bool = False,
        score_mask_value: float | None = None,
        sigmoid_noise: float = 0.0,
        sigmoid_noise_seed: int | None = None,
        score_bias_init: float = 0.0,
        mode: str = "parallel",
        dtype: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units,
            memory,
            memory_sequence_length,
            normalize=normalize,
            score_mask_value=score_mask_value,
            dtype=dtype,
            name=name,
            **kwargs,
        )
        self.init_monotonic(mode, score_bias_init, sigmoid_noise, sigmoid_noise_seed)

    def score(self, query: Tensor, memory: Any, state: Any = None) -> Tensor:
        """Returns the scores `[B, K]` of query `[B, Q]`, bias included."""
        return self.biased(super().score(query, memory, state))


def _check_mode(mode: str) -> None:
    if mode not in MODES:
        raise ValueError(f"mode must be one of {MODES}. Received: mode={mode!r}")


def _shift(x: Tensor, first: float) -> Tensor:
    """Returns `x` moved one position to the right, `first` in front, the last item dropped."""
    return ops.concatenate([ops.full_like(x[:, :1], first), x[:, :-1]], axis=-1)


def _reached(passing: Tensor, arriving: Tensor) -> Tensor:
    """Returns `q` with `q_j = passing_j q_(j-1) + arriving_j` and `q_(-1) = 0`, all `[B, K]`.

    A linear recurrence: combining neighbours over distances 1, 2, 4, … takes log2(K) steps over
    whole rows instead of K steps over single positions.
    """
    positions = passing.shape[1]
    if positions is None:
        return _reached_stepwise(passing, arriving)
    distance = 1
    while distance < positions:
        pad = [[0, 0], [distance, 0]]
        before = ops.pad(arriving[:, :-distance], pad)
        arriving = passing * before + arriving
        passing = passing * ops.pad(passing[:, :-distance], pad)
        distance *= 2
    return arriving


def _reached_stepwise(passing: Tensor, arriving: Tensor) -> Tensor:
    passing_steps = StepInputs(passing, time_major=False)
    arriving_steps = StepInputs(arriving, time_major=False)

    def body(position: Any, q: Tensor) -> tuple[Tensor, Tensor]:
        q = passing_steps.read(position) * q + arriving_steps.read(position)
        return q, q

    zeros = ops.zeros_like(passing[:, 0])
    _, _, q = run_steps(body, zeros, limit=passing_steps.length)
    return ops.swapaxes(q, 0, 1)
