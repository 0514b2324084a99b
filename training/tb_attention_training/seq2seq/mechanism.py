"""What every attention mechanism shares: memory, masking, the probability function.

Dimension letters: `B` examples, `K` memory positions, `M` memory depth.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import keras

from tb_attention_training.seq2seq.backend import ops
from tb_attention_training.seq2seq.memory import memory_mask_of, zero_masked
from tb_attention_training.seq2seq.products import multiply
from tb_attention_training.seq2seq.states import Memory, Tensor

ProbabilityFn = str | Callable[[Tensor], Tensor]


def hardmax(logits: Tensor) -> Tensor:
    """Returns the one-hot of the largest logit along the last axis; the first one wins a tie."""
    depth = ops.shape(logits)[-1]
    winner = ops.expand_dims(ops.cast(ops.argmax(logits, axis=-1), "int32"), -1)
    return ops.cast(ops.equal(ops.arange(depth, dtype="int32"), winner), logits.dtype)


_PROBABILITY_FNS: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda logits: ops.softmax(logits, axis=-1),
    "hardmax": hardmax,
}


class _MemorySlot:
    """Holds the current memory outside of Keras' attribute tracking."""

    def __init__(self) -> None:
        self.memory: Memory | None = None


@keras.saving.register_keras_serializable("tb_attention")
class AttentionMechanism(keras.layers.Layer):
    """Base class of the attention mechanisms.

    A mechanism scores a query against every memory position, turns the scores into alignments
    and hands on a state. Subclasses define `score` and the weights it needs.

    Call it as `mechanism(query, state)` with query `[B, Q]` and the state of the last step; it
    returns `(alignments [B, K], next_state)`.

    Args:
        units: depth of the space in which query and memory meet.
        memory: `[B, K, M]`, usually the encoder's outputs; or None and call `setup_memory`.
        memory_sequence_length: `[B]`, the number of valid memory positions of each example.
        memory_mask: `[B, K]` boolean, instead of lengths.
        probability_fn: "softmax", "hardmax" or a function of the scores `[B, K]`.
        score_mask_value: the score of masked positions; the smallest finite float when None.
        kernel_initializer: initializer of the weights.
        num_units: the name of `units` in `tf.contrib.seq2seq`.
        dtype: dtype or dtype policy.
        name: name of the layer.

    Raises:
        ValueError: if `units` is missing or not positive, `probability_fn` is unknown, or the
            memory's arguments do not fit each other.
    """

    def __init__(
        self,
        units: int | None = None,
        memory: Tensor | None = None,
        memory_sequence_length: Tensor | None = None,
        *,
        memory_mask: Tensor | None = None,
        probability_fn: ProbabilityFn | None = None,
        score_mask_value: float | None = None,
        kernel_initializer: Any = "glorot_uniform",
        num_units: int | None = None,
        dtype: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(dtype=dtype, name=name, autocast=False, **kwargs)
        self.units = _units_of(type(self).__name__, units, num_units)
        self.probability_fn: ProbabilityFn = probability_fn or "softmax"
        if isinstance(self.probability_fn, str) and self.probability_fn not in _PROBABILITY_FNS:
            raise ValueError(
                f"probability_fn must be one of {sorted(_PROBABILITY_FNS)} or a callable. "
                f"Received: probability_fn={probability_fn!r}"
            )
        self.score_mask_value = score_mask_value
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.memory_layer: Any = keras.layers.Dense(
            self.units,
            use_bias=False,
            kernel_initializer=fresh(self.kernel_initializer),
            dtype=self.dtype_policy,
            name="memory_layer",
        )
        self._slot = _MemorySlot()
        if memory is not None:
            self.setup_memory(memory, memory_sequence_length, memory_mask)
        elif memory_sequence_length is not None or memory_mask is not None:
            raise ValueError(
                f"{self.name}: memory_sequence_length and memory_mask describe a memory, but "
                "memory is None. Pass memory too, or hand all of them to setup_memory()."
            )

    # ---------------------------------------------------------------- memory
    def setup_memory(
        self,
        memory: Tensor,
        memory_sequence_length: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> None:
        """Sets what the mechanism attends to from now on.

        Args:
            memory: `[B, K, M]`.
            memory_sequence_length: `[B]` integers in `[1, K]`; or None.
            memory_mask: `[B, K]` boolean, instead of lengths; when both are None, the mask that
                Keras attached to `memory` (`mask_zero`), if any.

        Raises:
            ValueError: if shapes do not fit, a length is outside `[1, K]`, both lengths and mask
                are given, or memory is a symbolic Keras tensor.
        """
        self._slot.memory = self.prepare_memory(memory, memory_sequence_length, memory_mask)

    def prepare_memory(
        self,
        memory: Tensor,
        memory_sequence_length: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> Memory:
        """Returns masked values and projected keys, without setting them; see `setup_memory`."""
        if isinstance(memory, keras.KerasTensor):
            raise ValueError(
                f"{self.name}: memory is a symbolic Keras tensor, which a mechanism cannot hold. "
                "In a functional model use AttentionDecoder, which takes the memory as a call "
                "argument; in a subclassed model call setup_memory() inside call()."
            )
        mask = memory_mask_of(memory, memory_sequence_length, memory_mask, owner=self.name)
        values = ops.cast(ops.convert_to_tensor(memory), self.compute_dtype)
        self.build_memory(int(values.shape[-1]))
        # Zeroed before the projection: a masked position has a zero key and a zero value.
        values = zero_masked(values, mask)
        return Memory(self.memory_layer(values), values, mask)

    @contextmanager
    def using_memory(self, memory: Memory) -> Generator[None, None, None]:
        """Attends to `memory` inside the `with` block, to the one before it afterwards."""
        before = self._slot.memory
        self._slot.memory = memory
        try:
            yield
        finally:
            self._slot.memory = before

    @property
    def memory(self) -> Memory:
        """The current memory.

        Raises:
            ValueError: if none was set.
        """
        if self._slot.memory is None:
            raise ValueError(
                f"{self.name} has no memory yet. Pass memory=... to the constructor or call "
                "setup_memory(memory, memory_sequence_length) before decoding."
            )
        return self._slot.memory

    @property
    def memory_initialized(self) -> bool:
        """Whether a memory was set."""
        return self._slot.memory is not None

    @property
    def keys(self) -> Tensor:
        """`[B, K, units]`, the projected memory."""
        return self.memory.keys

    @property
    def values(self) -> Tensor:
        """`[B, K, M]`, the masked memory."""
        return self.memory.values

    @property
    def alignments_size(self) -> Any:
        """Number of memory positions `K`: an int where it is known, else a scalar tensor."""
        return ops.shape(self.memory.values)[1]

    @property
    def batch_size(self) -> Any:
        """Number of examples `B`: an int where it is known, else a scalar tensor."""
        return ops.shape(self.memory.values)[0]

    @property
    def alignments_dtype(self) -> str:
        """Dtype of alignments: never below float32, whatever the compute dtype is."""
        return "float32" if self.compute_dtype in ("float16", "bfloat16") else self.compute_dtype

    # ----------------------------------------------------------------- build
    def build_memory(self, memory_depth: int) -> None:
        """Makes the weights that depend on the memory's depth, once."""
        if not self.memory_layer.built:
            self.memory_layer.build((None, None, memory_depth))

    def build_query(self, query_depth: int) -> None:
        """Makes the weights that depend on the query's depth, or checks that it fits."""

    def build(self, query_shape: Any, state_shape: Any = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  # Keras goes by these names
        """Builds from the query's shape `[B, Q]`."""
        self.build_query(int(query_shape[-1]))
        self.built = True

    # ------------------------------------------------------------------ step
    def score(self, query: Tensor, memory: Memory, state: Any = None) -> Tensor:
        """Returns the scores `[B, K]` of query `[B, Q]`, before masking."""
        raise NotImplementedError

    def probabilities(self, score: Tensor, state: Any, training: bool) -> Tensor:
        """Returns the alignments `[B, K]` of masked scores `[B, K]`."""
        fn = self.probability_fn
        return _PROBABILITY_FNS[fn](score) if isinstance(fn, str) else fn(score)

    def next_state(self, alignments: Tensor, state: Any) -> Any:
        """Returns the state handed to the next step."""
        return alignments

    def attend(self, query: Tensor, state: Any, training: bool = False) -> tuple[Tensor, Any]:
        """Computes one step on the current memory, without the overhead of a layer call.

        Args:
            query: `[B, Q]`.
            state: the state the last step returned, or `initial_state(B)`.
            training: whether noise that belongs to training is added.

        Returns:
            `(alignments [B, K], next_state)`.
        """
        memory = self.memory
        dtype = self.alignments_dtype
        score = ops.cast(self.score(ops.cast(query, self.compute_dtype), memory, state), dtype)
        if memory.mask is not None:
            # A finite value, not -inf: a row that is masked everywhere must not become NaN.
            low = ops.convert_to_tensor(self._score_mask_value(dtype), dtype)
            score = ops.where(memory.mask, score, low)
        alignments = self.probabilities(score, ops.cast(state, dtype), training)
        return alignments, self.next_state(alignments, state)

    def context(self, alignments: Tensor) -> Tensor:
        """Returns the values `[B, M]` weighted by alignments `[B, K]`."""
        return multiply(ops.cast(alignments, self.compute_dtype), self.memory.values)

    def call(
        self, query: Tensor, state: Tensor | None = None, training: bool = False
    ) -> tuple[Tensor, Any]:
        """Computes one step; see `attend`. Accepts `[query, state]` as one argument too."""
        if state is None and isinstance(query, (list, tuple)):
            query, state = query
        return self.attend(query, state, bool(training))

    def compute_output_spec(self, query: Any, state: Any = None, training: Any = False) -> Any:
        """Returns the symbolic alignments and next state."""
        shape = tuple(self.memory.values.shape[:2])
        spec = keras.KerasTensor(shape, self.alignments_dtype)
        return spec, keras.KerasTensor(shape, self.alignments_dtype)

    def initial_alignments(self, batch_size: Any, dtype: Any = None) -> Tensor:
        """Returns the alignments `[B, K]` before the first step: zeros."""
        return ops.zeros((batch_size, self.alignments_size), dtype=dtype or self.alignments_dtype)

    def initial_state(self, batch_size: Any, dtype: Any = None) -> Any:
        """Returns the state before the first step."""
        return self.initial_alignments(batch_size, dtype)

    def _score_mask_value(self, dtype: str) -> float:
        if self.score_mask_value is not None:
            return self.score_mask_value
        return -1.7976931348623157e308 if dtype == "float64" else -3.4028234663852886e38

    # --------------------------------------------------------------- saving
    def get_config(self) -> dict[str, Any]:
        """Returns what is needed to make the mechanism again; the memory is not part of it."""
        fn = self.probability_fn
        return {
            **super().get_config(),
            "units": self.units,
            "probability_fn": (
                fn if isinstance(fn, str) else keras.saving.serialize_keras_object(fn)
            ),
            "score_mask_value": self.score_mask_value,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> AttentionMechanism:
        """Makes the mechanism from `get_config()`."""
        config = dict(config)
        fn = config.get("probability_fn")
        if isinstance(fn, dict):
            config["probability_fn"] = keras.saving.deserialize_keras_object(fn)
        return cls(**config)


def _units_of(owner: str, units: int | None, num_units: int | None) -> int:
    if units is not None and num_units is not None and units != num_units:
        raise ValueError(
            f"{owner}: units and num_units are two names of the same argument. "
            f"Received: units={units}, num_units={num_units}. Pass one of them."
        )
    value = num_units if units is None else units
    if not isinstance(value, int) or value <= 0:
        raise ValueError(f"{owner}: units must be a positive integer. Received: units={value!r}")
    return value


def fresh(initializer: Any) -> Any:
    """Returns a copy: one initializer used twice would give the same numbers twice."""
    return initializer.clone() if hasattr(initializer, "clone") else initializer
