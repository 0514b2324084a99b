"""A probe forward: what each backend has to offer, and the choice among them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from numpy.typing import NDArray

from tb_attention_training.capture.interception import Intercepted, Interceptor
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
        paths: The layers of that, each once.
        writes: Operations of the forward pass that change state outside Keras variables.
    """

    found: int
    lost: list[str]
    looked_at: list[str]
    paths: list[str]
    writes: list[str]


@dataclass(frozen=True)
class Seen:
    """What a pass has seen, while its tensors can still be fetched.

    Attributes:
        found: What to fetch.
        lost: What was asked for and is out of reach.
        everything: That and what was not asked for.
    """

    found: list[Intercepted]
    lost: list[Intercepted]
    everything: list[Intercepted]

    @staticmethod
    def of(everything: Sequence[Intercepted], within_reach: Callable[[Any], bool]) -> Seen:
        """Sorts what an interceptor has found.

        Args:
            everything: All of it.
            within_reach: Whether a tensor can be returned from the pass; tensors of a loop cannot.
        """
        found: list[Intercepted] = []
        lost: list[Intercepted] = []
        for one in everything:
            tensors = (one.weights, one.mask.full, one.mask.query, one.mask.key)
            if not one.wanted:
                continue
            if all(tensor is None or within_reach(tensor) for tensor in tensors):
                found.append(one)
            elif not one.below_tap:
                lost.append(one)
        return Seen(found, lost, list(everything))

    def tell(self, writes: Iterable[str] = ()) -> Traced:
        """Puts it into words, without tensors, which would keep a whole trace alive."""
        return Traced(
            found=len(self.found),
            lost=[str(one) for one in self.lost],
            looked_at=[str(one) for one in self.everything],
            paths=list(dict.fromkeys(one.path for one in self.everything)),
            writes=sorted(writes),
        )


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
    if backend == "jax":
        from tb_attention_training.capture.jax_forward import JaxForward

        return JaxForward(model, inputs, interceptor)
    if backend == "torch":
        from tb_attention_training.capture.torch_forward import TorchForward

        return TorchForward(model, inputs, interceptor)
    raise CaptureError(
        f"Attention capture knows the Keras backends tensorflow, jax and torch. Received: {backend}"
    )


def out_of_reach(lost: Iterable[Intercepted]) -> CaptureError:
    """The error when even an eager pass cannot return weights."""
    return CaptureError(
        "Attention is computed where its weights cannot be returned from, such as `jax.vmap`, "
        f"`jax.checkpoint` or `torch.vmap`: {'; '.join(str(one) for one in lost)}. Leave it out "
        "with `exclude=`, or hand the weights over with `tb_attention_training.tap` outside."
    )
