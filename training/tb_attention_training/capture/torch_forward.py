"""The probe forward on the PyTorch backend."""

# pyright: reportMissingImports=false
# PyTorch is no dependency of the development environment.

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import torch
from numpy.typing import NDArray

from tb_attention_training.capture.forward import Forward, Seen, Traced, out_of_reach
from tb_attention_training.capture.heads import ChosenHeads
from tb_attention_training.capture.interception import Interceptor
from tb_attention_training.capture.trace import Plan, plan_fetches


class TorchForward(Forward):
    """Runs the forward pass without gradients and keeps attention only.

    PyTorch has no trace to return later: every capture is a pass of its own.
    """

    def __init__(self, model: Any, inputs: Any, interceptor: Callable[[], Interceptor]) -> None:
        self._model = model
        self._interceptor = interceptor
        leaves: list[Any] = keras.tree.flatten(inputs)
        tensors = [keras.ops.convert_to_tensor(leaf) for leaf in leaves]
        self._inputs = keras.tree.pack_sequence_as(inputs, tensors)
        self._first: tuple[Plan, list[NDArray[Any]]] | None = None

    def trace(self) -> Traced:  # noqa: D102  documented in Forward
        seen, heads = self._pass()
        self._first = _fetch(seen, heads)
        return seen.tell()

    def run(self) -> tuple[Plan, list[NDArray[Any]]]:  # noqa: D102
        first, self._first = self._first, None
        return first or _fetch(*self._pass())

    def run_eagerly(self) -> tuple[Plan, list[NDArray[Any]]]:  # noqa: D102
        seen, heads = self._pass()
        if seen.lost:
            raise out_of_reach(seen.lost)
        return _fetch(seen, heads)

    def _pass(self) -> tuple[Seen, ChosenHeads | None]:
        with (
            torch.no_grad(),
            _untouched(self._model),
            self._interceptor() as interceptor,
            keras.StatelessScope(),
        ):
            self._model(self._inputs, training=False)
        return Seen.of(interceptor.found, has_values), interceptor.selection.heads


@contextmanager
def _untouched(model: Any) -> Generator[None, None, None]:
    """Restores on exit what a forward pass can change outside Keras variables.

    Those are the modes of modules, and buffers such as the statistics of a `torch.nn.BatchNorm`.
    """
    modes = [(module, module.training) for module in model.modules()]
    buffers = [(buffer, buffer._version, buffer.clone()) for buffer in model.buffers()]
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        for buffer, version, before in buffers:
            if buffer._version != version:
                buffer.copy_(before)


def has_values(tensor: Any) -> bool:
    """Whether a tensor holds numbers that can be fetched, which it does not under `torch.vmap`."""
    is_tensor = isinstance(tensor, torch.Tensor)  # a mask may be of NumPy
    return not is_tensor or not torch._C._functorch.is_batchedtensor(tensor)


def _fetch(seen: Seen, heads: ChosenHeads | None) -> tuple[Plan, list[NDArray[Any]]]:
    plan, tensors = plan_fetches(seen.found, heads)
    return plan, [to_numpy(tensor) for tensor in tensors]


def to_numpy(tensor: Any) -> NDArray[Any]:
    """The values of a tensor; NumPy arrays stay as they are."""
    if not isinstance(tensor, torch.Tensor):
        return np.asarray(tensor)
    tensor = tensor.detach()
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.float()
    return tensor.cpu().numpy()
