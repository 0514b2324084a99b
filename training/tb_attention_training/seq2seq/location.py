"""Location-sensitive attention, for speech.

Dimension letters: `B` examples, `K` memory positions, `F` filters.
"""

from __future__ import annotations

from typing import Any

import keras

from tb_attention_training.seq2seq.backend import ops
from tb_attention_training.seq2seq.mechanism import ProbabilityFn, fresh
from tb_attention_training.seq2seq.mechanisms import BahdanauAttention
from tb_attention_training.seq2seq.states import Memory, Tensor


@keras.saving.register_keras_serializable("tb_attention")
class LocationSensitiveAttention(BahdanauAttention):
    """Additive attention that also sees where it attended so far.

    `score_j = v · tanh(W memory_j + U query + L f_j + b)`, where `f = conv(c)` are `filters`
    features of the cumulated alignments `c = Σ a` of all steps so far (of the last step only with
    `cumulate=False`, as in the first paper).

    Example:
        ```python
        attention = LocationSensitiveAttention(128, memory=encoded, memory_sequence_length=lengths)
        cell = AttentionWrapper(keras.layers.LSTMCell(1024), attention, alignment_history=True)
        ```

    Source: Chorowski, Bahdanau, Serdyuk, Cho and Bengio 2015, "Attention-Based Models for Speech
    Recognition" (arXiv:1506.07503), equations 8 and 9; cumulated as in Shen et al. 2017,
    "Tacotron 2" (arXiv:1712.05884), section 2.2.

    Args:
        units: see `BahdanauAttention`.
        memory: see `AttentionMechanism`.
        memory_sequence_length: see `AttentionMechanism`.
        filters: number of location features `F`.
        kernel_size: width of the convolution in memory positions.
        cumulate: whether the state is the sum of all alignments instead of the last ones.
        probability_fn: see `AttentionMechanism`.
        score_mask_value: see `AttentionMechanism`.
        dtype: see `AttentionMechanism`.
        name: see `AttentionMechanism`.
        **kwargs: `memory_mask`, `num_units`, `kernel_initializer`.

    Raises:
        ValueError: if `filters` or `kernel_size` is not positive.
    """

    def __init__(
        self,
        units: int | None = None,
        memory: Tensor | None = None,
        memory_sequence_length: Tensor | None = None,
        filters: int = 32,
        kernel_size: int = 31,
        cumulate: bool = True,
        probability_fn: ProbabilityFn | None = None,
        score_mask_value: float | None = None,
        dtype: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if filters <= 0 or kernel_size <= 0:
            raise ValueError(
                "filters and kernel_size must be positive. "
                f"Received: filters={filters}, kernel_size={kernel_size}"
            )
        super().__init__(
            units,
            memory,
            memory_sequence_length,
            probability_fn=probability_fn,
            score_mask_value=score_mask_value,
            dtype=dtype,
            name=name,
            **kwargs,
        )
        self.filters, self.kernel_size, self.cumulate = filters, kernel_size, bool(cumulate)
        self.attention_b: Any = self.add_weight(
            name="attention_b", shape=(self.units,), initializer="zeros"
        )
        self.location_convolution: Any = keras.layers.Conv1D(
            filters,
            kernel_size,
            padding="same",
            use_bias=False,
            kernel_initializer=fresh(self.kernel_initializer),
            dtype=self.dtype_policy,
            name="location_convolution",
        )
        self.location_layer: Any = keras.layers.Dense(
            self.units,
            use_bias=False,
            kernel_initializer=fresh(self.kernel_initializer),
            dtype=self.dtype_policy,
            name="location_layer",
        )
        self.location_convolution.build((None, None, 1))
        self.location_layer.build((None, None, filters))

    def score(self, query: Tensor, memory: Memory, state: Any = None) -> Tensor:
        """Returns the scores `[B, K]` of query `[B, Q]` and attended positions `[B, K]`."""
        attended = ops.cast(state, self.compute_dtype)[:, :, None]
        location = self.location_layer(self.location_convolution(attended))
        return self.reduce_energy(memory.keys + self.project_query(query)[:, None, :] + location)

    def next_state(self, alignments: Tensor, state: Any) -> Tensor:
        """Returns the cumulated alignments, or the last ones."""
        return state + alignments if self.cumulate else alignments

    def get_config(self) -> dict[str, Any]:
        """Returns what is needed to make the mechanism again."""
        config = super().get_config()
        del config["normalize"]
        return {
            **config,
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "cumulate": self.cumulate,
        }
