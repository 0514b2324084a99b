"""What a traced forward leaves to be fetched: tensors to return, and how to read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tb_attention_training.capture.heads import ChosenHeads
from tb_attention_training.capture.interception import Call, Intercepted
from tb_attention_training.capture.maps import (
    LayerAttention,
    MaskArrays,
    describe,
    mask_seen_in,
    to_full_mask,
    to_maps,
)
from tb_attention_training.capture.mask import NO_MASK


@dataclass(frozen=True)
class _Slots:
    """Positions of one source's tensors among the fetched ones."""

    weights: int
    axis: int | tuple[int, ...]
    full: int | None
    query: int | None
    key: int | None
    causal: bool
    softmax: bool  # made by a softmax that has said nothing about masks


@dataclass(frozen=True)
class _Layer:
    """One layer of the result. Several parts are the steps of a loop, in order."""

    name: str
    parts: tuple[_Slots, ...]
    heads: tuple[int, ...] | None  # those that are fetched; None: all


@dataclass(frozen=True)
class Plan:
    """How fetched arrays become maps; holds no tensor, so it keeps no graph alive.

    Attributes:
        layers: What to make, in the order of the forward pass.
        chosen: Which heads to keep of layers whose heads are all fetched; None: all.
    """

    layers: tuple[_Layer, ...]
    chosen: ChosenHeads | None = None

    def read(self, arrays: Sequence[NDArray[Any]], batch: int) -> list[LayerAttention]:
        """Makes maps of the fetched arrays of a batch of `batch` examples."""
        return [self._read(layer, arrays, batch) for layer in self.layers]

    def _read(self, layer: _Layer, arrays: Sequence[NDArray[Any]], batch: int) -> LayerAttention:
        def optional(slot: int | None) -> NDArray[Any] | None:
            return None if slot is None else arrays[slot]

        first = layer.parts[0]
        parts = [to_maps(arrays[part.weights], part.axis, batch) for part in layer.parts]
        # `concatenate` copies even a single array, while the training waits.
        alone = len(parts) == 1 and parts[0].flags.writeable  # JAX's arrays are not
        weights = parts[0] if alone else np.concatenate(parts, axis=2)
        masks: list[NDArray[np.bool_]] = []
        for part in layer.parts:
            given, shape = optional(part.full), arrays[part.weights].shape
            mask = None if given is None else to_full_mask(given, shape, part.axis, batch)
            if mask is not None:
                masks.append(mask)
        full = np.concatenate(masks, axis=2) if len(masks) == len(parts) else None
        if first.softmax and arrays[first.weights].dtype.itemsize >= 4:
            full = mask_seen_in(weights)
        query = optional(first.query) if len(parts) == 1 else None  # of one step of a loop only
        mask_arrays = MaskArrays(full, query, optional(first.key), first.causal)
        attention = describe(layer.name, weights, mask_arrays)
        if layer.heads is not None:
            return replace(attention, heads=layer.heads)
        return attention if self.chosen is None else self.chosen.select(attention)


class Fetches:
    """Tensors to return from a traced function, each once."""

    def __init__(self) -> None:
        self.tensors: list[Any] = []
        self._slots: dict[int, int] = {}

    def add(self, tensor: Any) -> int:
        """Returns the tensor's position, adding it when it is new."""
        if id(tensor) not in self._slots:
            self._slots[id(tensor)] = len(self.tensors)
            self.tensors.append(tensor)
        return self._slots[id(tensor)]

    def add_optional(self, tensor: Any) -> int | None:
        """As `add`, for what may be absent."""
        return None if tensor is None else self.add(tensor)


def plan_fetches(
    found: Iterable[Intercepted], chosen: ChosenHeads | None = None
) -> tuple[Plan, list[Any]]:
    """Arranges what was seen into layers.

    A layer that is called several times is one layer when the calls are steps of a loop over
    queries (each has a single query, same caller), else it gets a number for each call: `#0`, `#1`.

    Args:
        found: What to make layers of.
        chosen: Which heads to fetch; None: all.

    Returns:
        The plan, and the tensors to fetch in the order that the plan expects.
    """
    fetches = Fetches()
    groups: dict[str, list[list[Intercepted]]] = {}
    for one in found:
        calls = groups.setdefault(one.path, [])
        if calls and _is_next_step(calls[-1][-1], one):
            calls[-1].append(one)
        else:
            calls.append([one])
    layers: list[_Layer] = []
    for path, calls in groups.items():
        kept = [steps for steps in calls if not _spoken_for(steps)]
        for number, steps in enumerate(kept):
            name = path or "attention"
            name = f"{name}#{number}" if len(kept) > 1 else name
            heads = None if chosen is None else _heads_to_fetch(name, steps, chosen)
            if heads == ():  # the layer has none of those that were chosen
                continue
            layers.append(_Layer(name, tuple(_slots(one, fetches, heads) for one in steps), heads))
    return Plan(tuple(layers), chosen), fetches.tensors


def _heads_to_fetch(
    name: str, steps: Sequence[Intercepted], chosen: ChosenHeads
) -> tuple[int, ...] | None:
    """The heads that are taken before anything is copied; None: all, of which some may be kept.

    All are fetched where their axis is not plain to see, and where the mask is read off the
    weights, to which every head has something to say.
    """
    if any(_mask_is_in_weights(one) or not _has_head_axis(one) for one in steps):
        return None
    return chosen.among(name, int(steps[0].weights.shape[1]))


def _has_head_axis(one: Intercepted) -> bool:
    shape = tuple(one.weights.shape)
    return len(shape) == 4 and one.axis in (-1, 3) and shape[1] is not None


def _mask_is_in_weights(one: Intercepted) -> bool:
    return one.source == "softmax" and one.mask is NO_MASK


def _spoken_for(steps: Sequence[Intercepted]) -> bool:
    """Whether these are steps of a loop whose layer has tapped them all together."""
    return len(steps) > 1 and steps[0].source != "tap" and steps[0].below_tap


def _is_next_step(before: Intercepted, after: Intercepted) -> bool:
    return (
        _caller(before) is _caller(after)
        and _has_one_query(before)
        and _has_one_query(after)
        and before.source != "tap"
        and tuple(before.weights.shape) == tuple(after.weights.shape)
    )


def _caller(one: Intercepted) -> Call | None:
    """The call around the one that made the weights."""
    return one.calls[-2] if len(one.calls) > 1 else None


def _has_one_query(one: Intercepted) -> bool:
    if isinstance(one.axis, tuple):
        return False
    shape = list(one.weights.shape)
    shape.append(shape.pop(one.axis))
    return len(shape) == 2 or shape[-2] == 1


def _slots(one: Intercepted, fetches: Fetches, heads: tuple[int, ...] | None) -> _Slots:
    weights, full = one.weights, one.mask.full
    if heads is not None:
        weights = keras.ops.take(weights, list(heads), axis=1)
        if full is not None and len(full.shape) == 4 and full.shape[1] == one.weights.shape[1]:
            full = keras.ops.take(full, list(heads), axis=1)
    return _Slots(
        weights=fetches.add(weights),
        axis=one.axis,
        full=fetches.add_optional(full),
        query=fetches.add_optional(one.mask.query),
        key=fetches.add_optional(one.mask.key),
        causal=one.mask.causal,
        softmax=_mask_is_in_weights(one),
    )
