"""`record_attention`: the attention of the forward passes that somebody else makes."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import keras
import numpy as np
from numpy.typing import NDArray

from tb_attention_training.capture import keras_private
from tb_attention_training.capture.forward import Seen
from tb_attention_training.capture.interception import Interceptor
from tb_attention_training.capture.patches import somebody_listens_alone
from tb_attention_training.capture.probe import AttentionWarning, warn_nothing_found
from tb_attention_training.capture.selection import Patterns, Selection
from tb_attention_training.capture.trace import plan_fetches

Maps = dict[str, NDArray[np.float32]]


@dataclass
class Recording:
    """What `record_attention` has recorded so far.

    Attributes:
        forwards: For each forward pass, in their order, float32 `[B, H, Q, K]` by layer.
    """

    forwards: list[Maps] = field(default_factory=list[Maps])

    @property
    def maps(self) -> Maps:
        """The maps of the latest forward pass; empty before the first one."""
        return self.forwards[-1] if self.forwards else {}


@contextmanager
def record_attention(
    model: Any, *, layers: Patterns | None = None, exclude: Patterns | None = None
) -> Generator[Recording, None, None]:
    """Records the attention of every forward pass of `model` inside the `with` block.

    That is `model(x)`, and each batch of `model.predict(x)` and `model.evaluate(x)`, which run
    uncompiled inside the block, as with `run_eagerly=True`. Passes of other threads are not
    recorded, nor are the compiled ones of `model.fit`, for which `AttentionCallback` is made.
    Blocks may be nested, for one model or for several. All maps are kept until the recording is
    given up.

    Args:
        model: A Keras model.
        layers: Regular expressions; record layers in whose path one is found. None: layers that
            call themselves attention by class or name, and whatever is tapped.
        exclude: Regular expressions; leave out layers in whose path one is found.

    Yields:
        A `Recording`. Its `maps` are those of the latest pass, its `forwards` those of all.

    Warns:
        AttentionWarning: A pass has no attention, or is part of a compiled function, or makes its
            weights where they cannot be read, such as a loop; what can be read is recorded.

    Example:
        >>> with record_attention(model) as recording:
        ...     model.predict(x, batch_size=32)
        >>> recording.maps["encoder/self_attention"].shape  # of the last batch
    """
    recorder = _Recorder(model, Selection.of(layers, exclude), Recording())
    watched = _Watched.join(model, recorder)
    try:
        yield recorder.recording
    finally:
        watched.leave(recorder)


@dataclass(eq=False)
class _Recorder:
    model: Any
    selection: Selection
    recording: Recording
    _thread: int = field(default_factory=threading.get_ident)
    _inside: bool = False

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def recorded_call(*args: Any, **kwargs: Any) -> Any:
            elsewhere = self._inside or threading.get_ident() != self._thread
            if elsewhere or somebody_listens_alone() or _is_placeholder(args):
                return call(*args, **kwargs)
            self._inside = True
            try:
                with (
                    _inlined_functions(),
                    Interceptor(self.model, self.selection, alone=False) as interceptor,
                ):
                    outputs = call(*args, **kwargs)
            finally:
                self._inside = False
            self._take(interceptor, args, kwargs)
            return outputs

        return recorded_call

    def _take(self, interceptor: Interceptor, args: Any, kwargs: Any) -> None:
        wanted = [one for one in interceptor.found if one.wanted]
        if not wanted:
            warn_nothing_found(self.model, Seen.of(interceptor.found, _has_values).tell())
        readable = [one for one in wanted if _has_values(one.weights)]
        lost = [one for one in wanted if one not in readable and not one.below_tap]
        if lost:
            warnings.warn(
                "Attention cannot be read where a compiled function or a loop makes it, so it is "
                f"not recorded: {'; '.join(str(one) for one in lost)}. Call the model itself, or "
                "`model.predict`.",
                AttentionWarning,
                stacklevel=4,
            )
        plan, tensors = plan_fetches(readable)
        arrays = [_to_numpy(tensor) for tensor in tensors]
        leaves: list[Any] = keras.tree.flatten((args, kwargs))
        sizes = [leaf.shape[0] for leaf in leaves if len(getattr(leaf, "shape", ())) > 0]
        if sizes and (readable or not lost):
            attentions = plan.read(arrays, int(sizes[0]))
            self.recording.forwards.append({one.layer: one.weights for one in attentions})


class _Watched:
    """A model whose calls are shown to recorders, of one or of several threads."""

    _lock = threading.Lock()
    _all: ClassVar[dict[int, _Watched]] = {}

    def __init__(self, model: Any) -> None:
        self._model = model
        self._call = model.call
        self._recorders: tuple[_Recorder, ...] = ()
        with ExitStack() as stack:
            stack.enter_context(_uncompiled(model))
            stack.enter_context(_replaced(model, "call", self._show))
            self._undo = stack.pop_all()

    @classmethod
    def join(cls, model: Any, recorder: _Recorder) -> _Watched:
        with cls._lock:
            watched = cls._all.get(id(model))
            if watched is None:
                watched = cls._all[id(model)] = cls(model)
            watched._recorders += (recorder,)
            return watched

    def leave(self, recorder: _Recorder) -> None:
        with self._lock:
            self._recorders = tuple(one for one in self._recorders if one is not recorder)
            if not self._recorders:
                del self._all[id(self._model)]
                self._undo.close()

    def _show(self, *args: Any, **kwargs: Any) -> Any:
        call = self._call
        for recorder in self._recorders:
            call = recorder.around(call)
        return call(*args, **kwargs)


@contextmanager
def _replaced(instance: Any, name: str, value: Any) -> Generator[None, None, None]:
    """Sets an attribute of one object, past Keras's attribute tracking."""
    own = vars(instance)
    before = own.get(name)
    had = name in own
    object.__setattr__(instance, name, value)
    try:
        yield
    finally:
        if had:
            object.__setattr__(instance, name, before)
        else:
            object.__delattr__(instance, name)


@contextmanager
def _uncompiled(model: Any) -> Generator[None, None, None]:
    """Lets `predict` and `evaluate` run as Python; what was compiled is there again afterwards."""
    with ExitStack() as stack:
        if not hasattr(model, "train_function"):
            yield
            return
        for name, value in (
            ("_run_eagerly", True),
            ("predict_function", None),
            ("test_function", None),
            ("train_function", model.train_function),
        ):
            stack.enter_context(_replaced(model, name, value))
        yield


@contextmanager
def _inlined_functions() -> Generator[None, None, None]:
    """Lets functions that were compiled on their own run as Python inside the model's call."""
    with ExitStack() as stack:
        backend = keras.backend.backend()
        if backend == "tensorflow":
            from tb_attention_training.capture.tensorflow_forward import inlined_functions

            stack.enter_context(inlined_functions())
        elif backend == "jax":
            from tb_attention_training.capture.jax_forward import inlined_functions

            stack.enter_context(inlined_functions(unrolled=True))
        yield


def _is_placeholder(args: Any) -> bool:
    return any(keras_private.is_symbolic(leaf) for leaf in keras.tree.flatten(args))


def _has_values(tensor: Any) -> bool:
    backend = keras.backend.backend()
    if backend == "tensorflow":
        return hasattr(tensor, "numpy")
    if backend == "jax":
        from tb_attention_training.capture.jax_forward import is_traced

        return not is_traced(tensor)
    from tb_attention_training.capture.torch_forward import has_values

    return has_values(tensor)


def _to_numpy(tensor: Any) -> NDArray[Any]:
    backend = keras.backend.backend()
    if backend == "tensorflow":
        from tb_attention_training.capture.tensorflow_forward import to_numpy

        return to_numpy(tensor)
    if backend == "torch":
        from tb_attention_training.capture.torch_forward import to_numpy

        return to_numpy(tensor)
    return np.asarray(tensor)
