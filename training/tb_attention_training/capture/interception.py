"""Sees attention weights as a model's forward pass makes them.

While an `Interceptor` is active, the functions that turn scores into weights are wrapped: softmax
and fused attention of the Keras backend, and the framework's own softmax. A stack of the layers
that are being called says to which layer a softmax belongs.

It is active only while a probe forward is traced or run eagerly, never while a training step is
traced or run, and sees the calls of the thread that entered and of no other.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import keras

from tb_attention_training.capture import keras_private
from tb_attention_training.capture.mask import NO_MASK, Mask
from tb_attention_training.capture.naming import LayerNames
from tb_attention_training.capture.patches import ReadFused, listening
from tb_attention_training.capture.selection import Selection, is_attention
from tb_attention_training.capture.tap import receiving


@dataclass(eq=False)
class Call:
    """One call of a layer that is under way.

    Attributes:
        layer: The layer.
        mask: Mask arguments with which a built-in attention layer was called, or None.
        tapped: Whether weights were tapped in this call, outside calls of inner layers.
    """

    layer: Any
    mask: Mask | None = None
    tapped: bool = False


@dataclass(frozen=True, eq=False)
class Intercepted:
    """Weights that one softmax, fused kernel or tap produced.

    Attributes:
        path: Path of the layer in the model.
        calls: The calls under way, outermost first.
        source: What made the weights: `"softmax"`, `"dot_product_attention"`, `"tap"`, …
        weights: Tensor of the backend, or a placeholder of a trace.
        axis: Axis along which the weights sum to one; a tuple for attention over several axes.
        mask: What is known about masking.
        wanted: Whether the selection asks for it.
    """

    path: str
    calls: tuple[Call, ...]
    source: str
    weights: Any
    axis: int | tuple[int, ...]
    mask: Mask
    wanted: bool

    @property
    def below_tap(self) -> bool:
        """Whether a layer around it has tapped weights of its own."""
        return any(call.tapped for call in self.calls)

    def __str__(self) -> str:
        """For messages: where it is, what made it, its shape."""
        where = self.path or "the model's own call"
        return f"{where} ({self.source} {_shape(self.weights)})"


@dataclass
class Interceptor:
    """Collects what the forward passes in its `with` block make.

    Attributes:
        root: The model; it is no part of a path.
        selection: What to record.
        alone: Whether those that listened before in this thread hear nothing meanwhile.
        found: Everything that was seen, wanted or not, in the order of the forward pass.
    """

    root: Any
    selection: Selection
    alone: bool = True
    found: list[Intercepted] = field(default_factory=list[Intercepted])
    _stack: list[Call] = field(default_factory=list[Call])
    _names: LayerNames = field(default_factory=LayerNames)
    _quiet: int = 0  # above 0: inside a wrapped function, which may call another one
    _inside_fused: list[Any] | None = None  # softmaxes of the fused attention that is under way
    _exit: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Interceptor:
        with ExitStack() as stack:
            stack.enter_context(receiving(self, alone=self.alone))
            stack.enter_context(listening(self, alone=self.alone))
            self._exit = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._exit.close()
        self._stack.clear()

    def receive_tap(
        self, name: str, weights: Any, *, key_mask: Any, query_mask: Any, causal: bool
    ) -> None:
        """Takes weights from `tap`."""
        if keras_private.is_symbolic(weights):
            return  # a functional model is being built, not run
        rank = len(weights.shape)
        if rank not in (3, 4):
            raise ValueError(
                "weights: expected [B, H, Q, K] or [B, Q, K], received shape "
                f"{_shape(weights)} in tap({name!r}, …). Pooling weights [B, K] are "
                "`weights[:, None, :]`."
            )
        # A softmax that the layer then taps is one source, not two.
        self.found = [f for f in self.found if f.weights is not weights]
        if self._stack:
            self._stack[-1].tapped = True
        path = "/".join(part for part in (self._path(), name) if part) or "attention"
        self._add(path, "tap", weights, -1, Mask(None, query_mask, key_mask, causal), tapped=True)

    # ── Wrappers ──────────────────────────────────────────────────────────────────────────────────

    def around_call(self, original: Callable[..., Any]) -> Callable[..., Any]:  # noqa: D102
        # Keras fills in masks before Operation.__call__, so the arguments here are complete.
        def call_layer(layer: Any, *args: Any, **kwargs: Any) -> Any:
            if not isinstance(layer, keras.layers.Layer):
                return original(layer, *args, **kwargs)
            if isinstance(layer, keras.layers.Softmax):
                return self._softmax_layer(original, layer, args, kwargs)
            call = Call(layer, _mask_of_builtin(layer, args, kwargs))
            with keras_private.without_rematerialization(layer), ExitStack() as stack:
                if _is_attention_rnn(layer):
                    stack.enter_context(keras_private.unrolled(layer))
                self._stack.append(call)
                try:
                    return original(layer, *args, **kwargs)
                finally:
                    self._stack.pop()

        return call_layer

    def _softmax_layer(
        self,
        original: Callable[..., Any],
        layer: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        # Its output, not that of the softmax inside: it zeroes rows that are masked completely.
        outputs = self._quietly(original, layer, *args, **kwargs)
        mask = kwargs.get("mask", args[1] if len(args) > 1 else None)
        axis = tuple(layer.axis) if isinstance(layer.axis, (list, tuple)) else layer.axis
        if isinstance(axis, tuple) and len(axis) == 1:
            axis = axis[0]
        self._see("softmax", outputs, axis, Mask(full=mask))
        return outputs

    def around_softmax(self, original: Callable[..., Any]) -> Callable[..., Any]:  # noqa: D102
        def softmax(x: Any, *args: Any, **kwargs: Any) -> Any:
            y = self._quietly(original, x, *args, **kwargs)
            if self._inside_fused is not None and keras.backend.backend() == "tensorflow":
                self._inside_fused.append(y)
            axis = kwargs.get("axis", kwargs.get("dim", args[0] if args else -1))
            if axis is None or isinstance(axis, int):
                axis = -1 if axis is None else axis
                self._see("softmax", y, axis, _mask_of_softmax(kwargs, y, axis))
            return y

        return softmax

    def around_fused(  # noqa: D102
        self, original: Callable[..., Any], read: ReadFused
    ) -> Callable[..., Any]:
        def dot_product_attention(*args: Any, **kwargs: Any) -> Any:
            outer, self._inside_fused = self._inside_fused, []
            try:
                y = self._quietly(original, *args, **kwargs)
                inside = self._inside_fused
            finally:
                self._inside_fused = outer
            if not self._quiet and self._wanted(self._path(), tapped=False):
                fused = read(args, kwargs)
                # On TensorFlow the function is not one kernel, and its own softmax was seen.
                weights = inside[0] if len(inside) == 1 else self._quietly(fused.weights)
                self._see("dot_product_attention", weights, -1, fused.mask)
            return y

        return dot_product_attention

    # ── Bookkeeping ───────────────────────────────────────────────────────────────────────────────

    def _quietly(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self._quiet += 1
        try:
            return function(*args, **kwargs)
        finally:
            self._quiet -= 1

    def _see(self, source: str, weights: Any, axis: int | tuple[int, ...], mask: Mask) -> None:
        if self._quiet or keras_private.is_symbolic(weights) or len(weights.shape) < 2:
            return
        if getattr(weights, "is_meta", False):
            return  # PyTorch infers shapes with tensors that hold nothing
        if mask is NO_MASK and self._stack and self._stack[-1].mask is not None:
            mask = self._stack[-1].mask
        self._add(self._path(), source, weights, axis, mask, tapped=False)

    def _add(
        self,
        path: str,
        source: str,
        weights: Any,
        axis: int | tuple[int, ...],
        mask: Mask,
        *,
        tapped: bool,
    ) -> None:
        wanted = self._wanted(path, tapped=tapped)
        self.found.append(
            Intercepted(path, tuple(self._stack), source, weights, axis, mask, wanted)
        )

    def _wanted(self, path: str, *, tapped: bool) -> bool:
        return self.selection.wants(path, self._layers(), tapped=tapped)

    def _layers(self) -> list[Any]:
        return [call.layer for call in self._stack if call.layer is not self.root]

    def _path(self) -> str:
        return self._names.path(self._layers())


def _mask_of_softmax(kwargs: Mapping[str, Any], y: Any, axis: int) -> Mask:
    """The mask that `jax.nn.softmax` takes as `where`."""
    where = kwargs.get("where")
    if where is None or axis not in (-1, len(y.shape) - 1):
        return NO_MASK
    return Mask(full=where)


def _mask_of_builtin(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Mask | None:
    """The masks of `Attention` and `AdditiveAttention`, which go into the scores unseen."""
    if not isinstance(layer, keras.layers.Attention):
        return None
    given = inspect.signature(layer.call).bind(*args, **kwargs).arguments
    masks: Any = given.get("mask") or (None, None)
    causal = bool(given.get("use_causal_mask"))
    return Mask(query=masks[0], key=masks[1] if len(masks) > 1 else None, causal=causal)


def _is_attention_rnn(layer: Any) -> bool:
    """Whether a recurrent layer makes attention weights in its cell."""
    if not isinstance(layer, keras.layers.RNN):
        return False
    cell: Any = layer.cell
    if not isinstance(cell, keras.layers.Layer):
        return False
    inner: list[Any] = cell._flatten_layers()  # pyright: ignore[reportPrivateUsage]
    return any(is_attention(candidate) for candidate in inner)


def _shape(weights: Any) -> str:
    return "[" + ", ".join("?" if n is None else str(n) for n in weights.shape) + "]"
