"""Calls of PyTorch's own functions, seen through its function mode.

The mode sees a function under whatever name it was imported, methods of tensors included, and in
its own thread only; nothing is patched.
"""

# pyright: reportMissingImports=false
# PyTorch is no dependency of the development environment.

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from tb_attention_training.capture.kernels import Fused, torch_kernel
from tb_attention_training.capture.patches import Function, Listener

_SOFTMAXES = {torch.softmax, torch.nn.functional.softmax, torch.Tensor.softmax}
_FUSED = torch.nn.functional.scaled_dot_product_attention
# It is built in and has no signature that Python could ask for.
_FUSED_ARGUMENTS = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")


@contextmanager
def listening(listener: Listener, is_heard: Callable[[], bool]) -> Generator[None, None, None]:
    """Shows `listener` PyTorch's calls inside the `with` block while `is_heard()`."""
    with _Mode(listener, is_heard):
        yield


class _Mode(TorchFunctionMode):
    def __init__(self, listener: Listener, is_heard: Callable[[], bool]) -> None:
        super().__init__()
        self._listener = listener
        self._is_heard = is_heard

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        function: Function = func
        if self._is_heard():
            if func in _SOFTMAXES:
                function = self._listener.around_softmax(func)
            elif func is _FUSED:
                function = self._listener.around_fused(func, _fused)
        return function(*args, **(kwargs or {}))


def _fused(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Fused:
    positional = dict(zip(_FUSED_ARGUMENTS, args, strict=False))
    return torch_kernel({**positional, **kwargs})
