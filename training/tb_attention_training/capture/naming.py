"""Stable names for layers: a path in the model that is the same in every run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any


def snake_case(name: str) -> str:
    """`MultiHeadAttention` → `multi_head_attention`, as Keras derives a layer's default name."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def base_name(layer: Any) -> str:
    """The layer's name, without the number when Keras made the name up.

    Keras numbers default names through the whole process (`multi_head_attention_17`), so they
    differ between two runs that build the same model.
    """
    default = snake_case(type(layer).__name__)
    if re.fullmatch(re.escape(default) + r"(_\d+)?", layer.name):
        return default
    return layer.name


class LayerNames:
    """Gives each layer a path below its callers, numbering equal names per parent.

    The order of numbering is the order of first calls, which a model's code determines.
    """

    def __init__(self) -> None:
        self._names: dict[tuple[str, int], str] = {}
        self._used: dict[str, set[str]] = {}

    def path(self, layers: Sequence[Any]) -> str:
        """Returns the path of the last of `layers`, which call each other from first to last."""
        path = ""
        for layer in layers:
            name = self._name(path, layer)
            path = f"{path}/{name}" if path else name
        return path

    def _name(self, parent: str, layer: Any) -> str:
        key = (parent, id(layer))
        if key not in self._names:
            used = self._used.setdefault(parent, set())
            base = base_name(layer)
            name, number = base, 0
            while name in used:
                number += 1
                name = f"{base}_{number}"
            used.add(name)
            self._names[key] = name
        return self._names[key]
