"""A probe forward: what each backend has to offer, and the choice among them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from numpy.typing import NDArray

from tb_attention_training.capture.interception import Interceptor
from tb_attention_training.capture.trace import Plan


class CaptureError(RuntimeError):
    """Attention cannot be captured from this model, or not without changing its training."""


@dataclass(frozen=True)
class Traced:
    """Outcome of a trace, in words and numbers.

    Attributes:
        found: How many sources of attention will be fetched.
        lost: Sources inside a loop or an inner function, out of reach of a trace.
        looked_at: Everything that could have been attention.
        writes: Operations of the forward pass that change state outside Keras variables.
    """

    found: int
    lost: list[str]
    looked_at: list[str]
    writes: list[str]


class Forward(ABC):
    """The forward pass of a model on a fixed batch, of which only attention is returned.

    Reads see the model's live variables; writes are dropped.
    """

    @abstractmethod
    def trace(self) -> Traced:
        """Compiles it. To be called once, before `run`."""

    @abstractmethod
    def run(self) -> tuple[Plan, list[NDArray[Any]]]:
        """Runs what was compiled."""

    @abstractmethod
    def run_eagerly(self) -> tuple[Plan, list[NDArray[Any]]]:
        """Runs the model without compiling it: slower, but loops run step by step in Python."""


def make_forward(model: Any, inputs: Any, interceptor: Callable[[], Interceptor]) -> Forward:
    """Returns the forward for the Keras backend in use.

    Args:
        model: A built Keras model.
        inputs: Structure of NumPy arrays, the model's argument.
        interceptor: Makes a new interceptor for each pass.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        from tb_attention_training.capture.tensorflow_forward import TensorFlowForward

        return TensorFlowForward(model, inputs, interceptor)
    raise CaptureError(
        f"Attention capture knows the Keras backends tensorflow, jax and torch. Received: {backend}"
    )
