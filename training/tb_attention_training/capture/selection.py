"""Which softmaxes are attention: by the names of the layers that they are in, or by the user."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tb_attention_training.capture.heads import ChosenHeads

Patterns = str | Sequence[str]
"""One regular expression or several; a name matches when any is found in it."""

_ATTENTION = re.compile(r"attention|attn|alignment", re.IGNORECASE)
_NEAREST = 3
"""How many of the innermost layers may carry the name: a softmax deep inside is something else."""


@dataclass(frozen=True)
class Selection:
    """Chooses what is recorded.

    Attributes:
        layers: Record paths in which one of these is found; None: layers that call themselves
            attention by class or name, and whatever is tapped.
        exclude: Leave out paths in which one of these is found.
        heads: Which heads of them; None: all.
    """

    layers: tuple[re.Pattern[str], ...] | None
    exclude: tuple[re.Pattern[str], ...]
    heads: ChosenHeads | None = None

    @staticmethod
    def of(
        layers: Patterns | None, exclude: Patterns | None, heads: ChosenHeads | None = None
    ) -> Selection:
        """Compiles the patterns of the arguments `layers` and `exclude`."""
        return Selection(
            None if layers is None else _compile("layers", layers),
            () if exclude is None else _compile("exclude", exclude),
            heads,
        )

    def wants(self, path: str, stack: Sequence[Any], *, tapped: bool) -> bool:
        """Whether to record weights.

        Args:
            path: Path of the layer that made them.
            stack: The layers that are being called, outermost first, without the model itself.
            tapped: Whether the layer handed them over itself.
        """
        if any(pattern.search(path) for pattern in self.exclude):
            return False
        if self.layers is not None:
            return any(pattern.search(path) for pattern in self.layers)
        return tapped or any(is_attention(layer) for layer in stack[-_NEAREST:])


def is_attention(layer: Any) -> bool:
    """Whether a layer calls itself attention by its class or its name."""
    return bool(_ATTENTION.search(type(layer).__name__) or _ATTENTION.search(layer.name))


def _compile(argument: str, patterns: Patterns) -> tuple[re.Pattern[str], ...]:
    value: Any = patterns
    several = isinstance(value, Iterable) and not isinstance(value, str)
    given: list[Any] = list(value) if several else [value]
    compiled: list[re.Pattern[str]] = []
    for pattern in given:
        if not isinstance(pattern, str):
            raise TypeError(
                f"{argument}: expected a regular expression or a list of them, received "
                f"{type(pattern).__name__} {pattern!r}."
            )
        try:
            compiled.append(re.compile(pattern))
        except re.error as error:
            raise ValueError(
                f"{argument}: expected valid regular expressions, received {pattern!r}, which "
                f"Python's `re` rejects: {error}."
            ) from None
    return tuple(compiled)
