"""Arguments that say something by layer: by a layer's exact name, else by a regular expression."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TypeVar

ValueT = TypeVar("ValueT")


def look_up(table: Mapping[str, ValueT], layer: str) -> ValueT | None:
    """The value under a layer's name, else under the first expression found in it, else None."""
    if layer in table:
        return table[layer]
    return next((value for pattern, value in table.items() if re.search(pattern, layer)), None)


def check_patterns(argument: str, patterns: Iterable[object]) -> None:
    """Makes sure that keys are names or regular expressions.

    Args:
        argument: Name of the argument, for messages.
        patterns: The keys of its dict.

    Raises:
        TypeError: One is no string.
        ValueError: One is no regular expression.
    """
    for pattern in patterns:
        if not isinstance(pattern, str):
            raise TypeError(
                f"{argument}: expected layer names or regular expressions as keys, received "
                f"{type(pattern).__name__} {pattern!r}."
            )
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(
                f"{argument}: expected layer names or regular expressions as keys, received "
                f"{pattern!r}, which Python's `re` rejects: {error}."
            ) from None
