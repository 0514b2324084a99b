"""Wrappers around the functions that make attention, in place only while somebody listens.

They are process-wide for that moment, but a call reaches only the listeners of the thread that it
is made in; in every other thread a wrapper does nothing but call what it wraps.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any, Protocol

import keras

from tb_attention_training.capture import keras_private
from tb_attention_training.capture.kernels import Fused, Kernel, jax_kernel, keras_kernel

Function = Callable[..., Any]
ReadFused = Callable[[Sequence[Any], Mapping[str, Any]], Fused]
"""Positional and named arguments of a call of fused attention → what they say about weights."""


class Listener(Protocol):
    """Puts itself around calls. Each method takes a function and returns what to call instead."""

    def around_call(self, original: Function) -> Function:
        """Around `keras.Operation.__call__`."""
        ...

    def around_softmax(self, original: Function) -> Function:
        """Around a softmax of Keras or of the framework."""
        ...

    def around_fused(self, original: Function, read: ReadFused) -> Function:
        """Around fused attention; `read` tells what its arguments say about weights."""
        ...


Around = Callable[[Listener, Function], Function]


class _Listening(threading.local):
    def __init__(self) -> None:
        self.listeners: tuple[Listener, ...] = ()
        self.alone = False


_listening = _Listening()
_lock = threading.Lock()
whole_process = threading.RLock()
"""Held while settings of a framework that hold for the whole process are changed."""
_count = 0
_undo = ExitStack()


@contextmanager
def listening(listener: Listener, *, alone: bool) -> Generator[None, None, None]:
    """Shows `listener` the calls that this thread makes inside the `with` block.

    Args:
        listener: Who listens.
        alone: Whether those who listened before in this thread hear nothing meanwhile.
    """
    before = _listening.listeners, _listening.alone
    _install()
    _listening.listeners = (listener,) if alone else (*before[0], listener)
    _listening.alone = alone
    try:
        with _framework_listening(listener):
            yield
    finally:
        _listening.listeners, _listening.alone = before
        _uninstall()


def somebody_listens_alone() -> bool:
    """Whether this thread is making a pass that is of no concern to others."""
    return _listening.alone


def _install() -> None:
    global _count, _undo
    with _lock:
        if _count == 0:
            with ExitStack() as stack:
                for owner, name, around in _targets():
                    original = getattr(owner, name)
                    setattr(owner, name, _dispatching(original, around))
                    stack.callback(setattr, owner, name, original)
                _undo = stack.pop_all()
        _count += 1


def _uninstall() -> None:
    global _count
    with _lock:
        _count -= 1
        if _count == 0:
            _undo.close()


def _dispatching(original: Function, around: Around) -> Function:
    @functools.wraps(original)
    def dispatch(*args: Any, **kwargs: Any) -> Any:
        function = original
        for listener in _listening.listeners:
            function = around(listener, function)
        return function(*args, **kwargs)

    return dispatch


def _around_call(listener: Listener, original: Function) -> Function:
    return listener.around_call(original)


def _around_softmax(listener: Listener, original: Function) -> Function:
    return listener.around_softmax(original)


def _around_fused(function: Function, kernel: Kernel) -> Around:
    signature = inspect.signature(function)

    def read(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Fused:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return kernel(bound.arguments)

    return lambda listener, original: listener.around_fused(original, read)


def _targets() -> Iterator[tuple[Any, str, Around]]:
    """Every function that is wrapped: where it is looked up, its name, and how it is wrapped."""
    yield keras.Operation, "__call__", _around_call
    nn = keras_private.backend_nn
    for name in ("softmax", "sparsemax"):
        if hasattr(nn, name):
            yield nn, name, _around_softmax
    fused = "dot_product_attention"
    yield nn, fused, _around_fused(nn.dot_product_attention, keras_kernel)
    backend = keras.backend.backend()
    if backend == "tensorflow":
        yield import_module("tensorflow").nn, "softmax", _around_softmax
    elif backend == "jax":
        jnn = import_module("jax.nn")
        yield jnn, "softmax", _around_softmax
        if hasattr(jnn, fused):
            yield jnn, fused, _around_fused(jnn.dot_product_attention, jax_kernel)


@contextmanager
def _framework_listening(listener: Listener) -> Generator[None, None, None]:
    """PyTorch shows its calls by itself, under whatever name a function was imported."""
    if keras.backend.backend() != "torch":
        yield
        return
    torch_calls = import_module("tb_attention_training.capture.torch_calls")
    with torch_calls.listening(listener, lambda: listener in _listening.listeners):
        yield
