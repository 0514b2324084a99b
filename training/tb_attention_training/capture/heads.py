"""Which heads of a layer are recorded."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, SupportsIndex

from tb_attention_plugin.store.heads import MAX_HEAD
from tb_attention_training.capture.by_layer import check_patterns, look_up
from tb_attention_training.capture.maps import LayerAttention

HeadTable = Sequence[int] | Mapping[str, Sequence[int]]
"""Heads of all layers, or by layer: a layer's name or a regular expression → heads."""


@dataclass
class ChosenHeads:
    """Chooses heads as `AttentionCallback`'s argument `heads` describes them.

    Attributes:
        table: Ascending numbers by layer.
    """

    table: Mapping[str, tuple[int, ...]]
    _missing: dict[str, tuple[list[int], int]] = field(
        default_factory=dict[str, "tuple[list[int], int]"]
    )
    _told: set[str] = field(default_factory=set[str])

    @staticmethod
    def of(heads: HeadTable | None) -> ChosenHeads | None:
        """Validates the argument; None chooses all heads.

        Raises:
            TypeError: It holds something but integers, or its keys are no strings.
            ValueError: A number is negative, given twice or too large, there is none, or a key is
                no regular expression.
        """
        if heads is None:
            return None
        if not isinstance(heads, Mapping):
            return ChosenHeads({"": _numbers("heads", heads)})  # found in every name
        check_patterns("heads", heads)
        return ChosenHeads(
            {pattern: _numbers(f"heads[{pattern!r}]", of) for pattern, of in heads.items()}
        )

    def among(self, layer: str, count: int) -> tuple[int, ...] | None:
        """The chosen heads of a layer that it has.

        Args:
            layer: Its name.
            count: How many heads it has.

        Returns:
            Their numbers, ascending; None: all of them.
        """
        chosen = look_up(self.table, layer)
        if chosen is None or chosen == tuple(range(count)):
            return None
        there = tuple(head for head in chosen if head < count)
        if there != chosen and layer not in self._told:
            self._missing[layer] = [head for head in chosen if head >= count], count
        return there

    def select(self, attention: LayerAttention) -> LayerAttention:
        """The chosen heads of a layer's attention, possibly none."""
        heads = self.among(attention.layer, attention.weights.shape[1])
        if heads is None:
            return attention
        return replace(attention, weights=attention.weights[:, list(heads)], heads=heads)

    def tell_missing(self, category: type[Warning]) -> None:
        """Warns of heads that layers do not have, once for each layer.

        Args:
            category: Of the warning.
        """
        missing, self._missing = self._missing, {}
        self._told.update(missing)
        if missing:
            few = "; ".join(
                f"layer {layer!r} has {count} {'head' if count == 1 else 'heads'}, numbered from "
                f"0, and no {', '.join(map(str, heads))}"
                for layer, (heads, count) in list(missing.items())[:5]
            )
            more = f"; and {len(missing) - 5} layers more" * (len(missing) > 5)
            warnings.warn(
                f"heads: {few}{more}. Recorded are the chosen heads that there are; a layer "
                "without any is left out. To choose by layer pass a dict from layer name or "
                "regular expression to heads.",
                category,
                stacklevel=3,
            )


def _numbers(argument: str, heads: Any) -> tuple[int, ...]:
    if isinstance(heads, (str, bytes)) or not isinstance(heads, Iterable):
        raise TypeError(
            f"{argument}: expected a sequence of head numbers, e.g. [3, 7], received {heads!r}."
        )
    given: list[Any] = list(heads)
    if wrong := [head for head in given if not _is_integer(head)]:
        raise TypeError(
            f"{argument}: expected head numbers, received {type(wrong[0]).__name__} {wrong[0]!r}."
        )
    numbers = sorted(operator.index(head) for head in given)
    if not numbers:
        raise ValueError(
            f"{argument}: expected at least one head, received none. To leave a layer out name it "
            "in `exclude`."
        )
    if numbers[0] < 0 or numbers[-1] > MAX_HEAD:
        raise ValueError(
            f"{argument}: expected numbers from 0 to {MAX_HEAD}, received {given}. Heads are not "
            "counted from the end: layers may have different numbers of them."
        )
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"{argument}: expected each head once, received {given}.")
    return tuple(numbers)


def _is_integer(head: Any) -> bool:
    return isinstance(head, SupportsIndex) and not isinstance(head, bool)
