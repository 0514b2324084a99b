"""`AttentionProbe`: the attention of a model for a fixed batch, again and again."""

from __future__ import annotations

import re
import warnings
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tb_attention_training.capture import keras_private
from tb_attention_training.capture.forward import CaptureError, Forward, Traced, make_forward
from tb_attention_training.capture.heads import ChosenHeads
from tb_attention_training.capture.interception import Interceptor
from tb_attention_training.capture.maps import LayerAttention
from tb_attention_training.capture.selection import Patterns, Selection
from tb_attention_training.capture.trace import Plan

_LISTED = 20


class AttentionWarning(UserWarning):
    """Attention is not recorded, or not as asked; training goes on."""


class AttentionProbe:
    """Captures the attention of a model for a fixed batch of examples.

    The first capture traces a compiled forward pass, later ones only run it. The model, its
    variables and every random state stay as they are.

    Args:
        model: A built Keras model.
        inputs: What the model is called with: an array, or a list, tuple or dict of arrays, with
            the B examples along their first axes.
        layers: Regular expressions; record layers in whose path one is found. None: layers that
            call themselves attention by class or name, and whatever is tapped.
        exclude: Regular expressions; leave out layers in whose path one is found.
        heads: Which heads to record; None: all.

    Raises:
        TypeError: `inputs` is a dataset or holds something but arrays.
        ValueError: `inputs` is empty, a pattern is invalid, or the model is not built.

    Example:
        >>> probe = AttentionProbe(model, {"source": source, "target": target})
        >>> for attention in probe.capture():
        ...     print(attention.layer, attention.weights.shape)
    """

    def __init__(
        self,
        model: Any,
        inputs: Any,
        *,
        layers: Patterns | None = None,
        exclude: Patterns | None = None,
        heads: ChosenHeads | None = None,
    ) -> None:
        if not model.built:
            raise ValueError(
                f"model: expected a built model, received {model.name!r}, which has no variables "
                "yet. Call it on some data first."
            )
        self._model = model
        self._inputs = standardize_inputs(inputs)
        self._batch = count_examples(self._inputs)
        self._selection = Selection.of(layers, exclude, heads)
        self._forward: Forward | None = None
        self._eager = False

    def capture(self) -> list[LayerAttention]:
        """Returns the attention of every layer now, in the order of the forward pass.

        An empty list when there is none; an `AttentionWarning` then says what was looked at.

        Raises:
            CaptureError: When capturing would change the model's state.
        """
        with keras_private.frozen_randomness():
            plan, arrays = self._run()
        attentions = plan.read(arrays, self._batch)
        if self._selection.heads is None:
            return attentions
        self._selection.heads.tell_missing(AttentionWarning)
        return [one for one in attentions if one.weights.shape[1]]

    def _run(self) -> tuple[Plan, list[NDArray[Any]]]:
        if self._forward is None:
            forward = make_forward(self._model, self._inputs, self._interceptor)
            traced = forward.trace()
            self._eager = self._needs_eager(traced)
            self._forward = forward
            if not self._eager and not traced.found:
                warn_nothing_found(self._model, traced)
        return self._forward.run_eagerly() if self._eager else self._forward.run()

    def _interceptor(self) -> Interceptor:
        return Interceptor(self._model, self._selection)

    def _needs_eager(self, traced: Traced) -> bool:
        if not traced.lost:
            return False
        if traced.writes:
            raise CaptureError(
                "Attention inside a loop or inner function is out of reach of a trace "
                f"({'; '.join(traced.lost)}), and running the model eagerly would change state "
                f"that is not a Keras variable ({', '.join(traced.writes)}). Keep such state in "
                "Keras variables, or hand the weights over with `tb_attention_training.tap` "
                "outside the loop."
            )
        return True


def standardize_inputs(inputs: Any) -> Any:
    """Turns the leaves of `inputs` into NumPy arrays, floats in Keras's default precision.

    Raises:
        TypeError: When `inputs` is a dataset or an iterator, or holds something but arrays.
        ValueError: When it holds no array or no example, or examples differ in number.
    """
    _reject_streams(inputs)
    standardized = keras.tree.map_structure(_to_array, inputs)
    count_examples(standardized)
    return standardized


def count_examples(inputs: Any) -> int:
    """Number of examples B in a structure of arrays.

    Raises:
        ValueError: When there is no array or no example, or when arrays differ in number.
    """
    leaves: list[NDArray[Any]] = keras.tree.flatten(inputs)
    shapes = [list(leaf.shape) for leaf in leaves]
    if not leaves or any(leaf.ndim == 0 for leaf in leaves):
        raise ValueError(
            "inputs: expected an array, or a list, tuple or dict of arrays, with the examples "
            f"along the first axis; received shapes {shapes}. Pass a few examples as the model "
            "takes them, e.g. `x_test[:4]`."
        )
    counts = {leaf.shape[0] for leaf in leaves}
    if len(counts) > 1:
        raise ValueError(
            "inputs: expected the same number of examples in every array, received shapes "
            f"{shapes}. Slice all of them alike."
        )
    if counts == {0}:
        raise ValueError(
            f"inputs: expected at least one example, received an empty batch of shapes {shapes}. "
            "Pass a few examples, e.g. `x_test[:4]`."
        )
    return counts.pop()


def _reject_streams(inputs: Any) -> None:
    is_dataset = "Dataset" in type(inputs).__name__ or isinstance(inputs, keras.utils.PyDataset)
    if is_dataset or hasattr(inputs, "__next__") or callable(inputs):
        raise TypeError(
            "inputs: expected a fixed batch as arrays (an array, or a list, tuple or dict of "
            f"arrays), received {type(inputs).__name__}. Drawing from a dataset or generator would "
            "change the order in which the training sees its data. Take a few examples from data "
            "that is held as arrays, or from a dataset made for that purpose alone."
        )


def _to_array(leaf: Any) -> NDArray[Any]:
    _reject_streams(leaf)
    array: NDArray[Any] = np.asarray(keras.ops.convert_to_numpy(leaf) if _is_tensor(leaf) else leaf)
    if array.dtype == object:
        raise TypeError(
            "inputs: expected arrays of numbers or strings, received "
            f"{type(leaf).__name__} with elements of differing shape or type. Pad the examples to "
            "one length."
        )
    if array.dtype == np.float64:
        return array.astype(keras.config.floatx())
    return array


def _is_tensor(leaf: Any) -> bool:
    return not isinstance(leaf, (np.ndarray, np.generic, int, float, str)) and keras.ops.is_tensor(
        leaf
    )


def warn_nothing_found(model: Any, traced: Traced) -> None:
    """Says what was looked at, and with which argument it would be recorded."""
    looked_at = traced.looked_at[:_LISTED]
    if len(traced.looked_at) > _LISTED:
        looked_at.append(f"and {len(traced.looked_at) - _LISTED} more")
    seen = "; ".join(looked_at) if looked_at else "no softmax and no fused attention at all"
    patterns = [f"^{re.escape(path)}$" for path in traced.paths[:_LISTED]]
    name = f" If one of these is attention, name it: one of `layers={patterns}`." * bool(patterns)
    warnings.warn(
        f"No attention was found in the model {model.name!r}, so none is recorded. Looked at: "
        f"{seen}.{name} Weights that no softmax makes can be handed over inside the model with "
        "`tb_attention_training.tap(name, weights)`.",
        AttentionWarning,
        stacklevel=3,
    )
