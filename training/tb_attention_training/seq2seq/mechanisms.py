"""Content-based attention: Luong (multiplicative) and Bahdanau (additive).

Dimension letters: `B` examples, `K` memory positions, `Q` query depth.
"""

from __future__ import annotations

import math
from typing import Any

import keras

from tb_attention_training.seq2seq.backend import ops
from tb_attention_training.seq2seq.mechanism import AttentionMechanism, ProbabilityFn, fresh
from tb_attention_training.seq2seq.products import multiply_transposed
from tb_attention_training.seq2seq.states import Memory, Tensor


@keras.saving.register_keras_serializable("tb_attention")
class LuongAttention(AttentionMechanism):
    """Multiplicative attention: `score_j = query · (W memory_j)`.

    With `scale=True` the score is multiplied by a trainable scalar `g` that starts at 1.
    The query's depth must equal `units`; there is no query layer.

    Example:
        ```python
        attention = LuongAttention(128, memory=encoded, memory_sequence_length=lengths)
        cell = AttentionWrapper(keras.layers.LSTMCell(128), attention, attention_layer_size=64)
        ```

    Source: Luong, Pham and Manning 2015, "Effective Approaches to Attention-based Neural Machine
    Translation" (arXiv:1508.04025), the "general" score.

    Args:
        units: depth of the keys; equals the query's depth, i.e. the cell's output.
        memory: see `AttentionMechanism`, as all other arguments.
        memory_sequence_length: see `AttentionMechanism`.
        scale: whether to multiply the score by a trainable scalar.
        probability_fn: see `AttentionMechanism`.
        score_mask_value: see `AttentionMechanism`.
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
        probability_fn: ProbabilityFn | None = None,
        score_mask_value: float | None = None,
        dtype: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
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
        self.scale = bool(scale)
        self.attention_g = (
            self.add_weight(name="attention_g", shape=(), initializer="ones") if scale else None
        )

    def build_query(self, query_depth: int) -> None:
        """Checks that the query's depth fits.

        Raises:
            ValueError: if it is not `units`.
        """
        if query_depth != self.units:
            raise ValueError(
                f"{self.name}: the query (the cell's output) must have depth units={self.units}, "
                f"because Luong's score multiplies it with the keys. Received depth {query_depth}. "
                f"Use units={query_depth}, a cell of {self.units} units, or BahdanauAttention, "
                "which projects the query."
            )

    def score(self, query: Tensor, memory: Memory, state: Any = None) -> Tensor:
        """Returns the scores `[B, K]` of query `[B, units]`."""
        if query.shape[-1] != self.units:
            self.build_query(query.shape[-1])
        score = multiply_transposed(query, memory.keys)
        if self.attention_g is not None:
            score = ops.cast(self.attention_g, score.dtype) * score
        return score

    def get_config(self) -> dict[str, Any]:
        """Returns what is needed to make the mechanism again."""
        return {**super().get_config(), "scale": self.scale}


@keras.saving.register_keras_serializable("tb_attention")
class BahdanauAttention(AttentionMechanism):
    """Additive attention: `score_j = v · tanh(W memory_j + U query)`.

    With `normalize=True`: `score_j = (g v / |v|) · tanh(W memory_j + U query + b)`, with a
    trainable scalar `g` that starts at `sqrt(1 / units)` and a bias `b` that starts at 0.

    Example:
        ```python
        attention = BahdanauAttention(64, normalize=True)
        attention.setup_memory(encoded, memory_sequence_length=lengths)
        alignments, state = attention(query, attention.initial_state(batch))
        ```

    Source: Bahdanau, Cho and Bengio 2014, "Neural Machine Translation by Jointly Learning to
    Align and Translate" (arXiv:1409.0473); normalization: Salimans and Kingma 2016, "Weight
    Normalization" (arXiv:1602.07868).

    Args:
        units: depth in which query and memory are added.
        memory: see `AttentionMechanism`, as all other arguments.
        memory_sequence_length: see `AttentionMechanism`.
        normalize: whether to normalize the energy term.
        probability_fn: see `AttentionMechanism`.
        score_mask_value: see `AttentionMechanism`.
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
        probability_fn: ProbabilityFn | None = None,
        score_mask_value: float | None = None,
        dtype: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
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
        self.normalize = bool(normalize)
        self.query_layer: Any = keras.layers.Dense(
            self.units,
            use_bias=False,
            kernel_initializer=fresh(self.kernel_initializer),
            dtype=self.dtype_policy,
            name="query_layer",
        )
        self.attention_v: Any = self.add_weight(
            name="attention_v", shape=(self.units,), initializer=fresh(self.kernel_initializer)
        )
        self.attention_g = self.attention_b = None
        if normalize:
            self.attention_g = self.add_weight(
                name="attention_g",
                shape=(),
                initializer=keras.initializers.Constant(math.sqrt(1.0 / self.units)),
            )
            self.attention_b = self.add_weight(
                name="attention_b", shape=(self.units,), initializer="zeros"
            )

    def build_query(self, query_depth: int) -> None:
        """Makes the query layer, once."""
        if not self.query_layer.built:
            self.query_layer.build((None, query_depth))

    def score(self, query: Tensor, memory: Memory, state: Any = None) -> Tensor:
        """Returns the scores `[B, K]` of query `[B, Q]`."""
        energy = memory.keys + self.project_query(query)[:, None, :]
        return self.reduce_energy(energy)

    def reduce_energy(self, energy: Tensor) -> Tensor:
        """Returns `v · tanh(energy)`, `[B, K]`, of energy `[B, K, units]`."""
        v = ops.cast(self.attention_v, energy.dtype)
        if self.attention_g is not None and self.attention_b is not None:
            g = ops.cast(self.attention_g, energy.dtype)
            v = g * v * ops.rsqrt(ops.sum(ops.square(v)))
        return ops.squeeze(ops.matmul(ops.tanh(energy), v[:, None]), -1)

    def project_query(self, query: Tensor) -> Tensor:
        """Returns `U query + b`, `[B, units]`."""
        projected = self.query_layer(query)
        if self.attention_b is not None:
            # Added to the query's [B, units], not to the sum's [B, K, units]: K times cheaper.
            projected = projected + ops.cast(self.attention_b, projected.dtype)
        return projected

    def get_config(self) -> dict[str, Any]:
        """Returns what is needed to make the mechanism again."""
        return {**super().get_config(), "normalize": self.normalize}
