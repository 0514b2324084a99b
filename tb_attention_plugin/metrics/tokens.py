"""Repeated tokens: where an induction head should look, and a probe that has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_MOST_MATCHES = 1 << 16
"""A text of one token alone has Q^2 / 2 matches and says nothing of induction."""


@dataclass(frozen=True)
class Matches:
    """Where an induction head should look.

    Attributes:
        pairs: `[N, 2]`: a query and a key each.
        queries: Number of different queries among them.
    """

    pairs: NDArray[np.intp]
    queries: int


NO_MATCHES = Matches(np.empty((0, 2), np.intp), 0)


@lru_cache(maxsize=64)
def matches_of(tokens: tuple[str, ...]) -> Matches:
    """Pairs of a query and a key that follows an earlier occurrence of the query's token.

    Args:
        tokens: Of one sequence that attends to itself.

    Returns:
        Each `(q, k)` with `k < q` and `tokens[k - 1] == tokens[q]`; none where there are more than
        65,536.
    """
    followers: dict[str, list[int]] = {}
    pairs: list[tuple[int, int]] = []
    for q, token in enumerate(tokens):
        known = followers.setdefault(token, [])
        # The one that directly precedes the query is followed by the query itself.
        pairs.extend((q, k) for k in known if k < q)
        if len(pairs) > _MOST_MATCHES:
            return NO_MATCHES
        known.append(q + 1)
    return Matches(np.array(pairs, np.intp).reshape(-1, 2), len({q for q, _ in pairs}))


def induction_probe(
    vocabulary_size: int, length: int, examples: int = 4, *, seed: int = 0, lowest: int = 0
) -> NDArray[np.int32]:
    """Random tokens that come twice, for which the induction score is meant.

    The second half of each example repeats its first half, within which no token repeats where the
    vocabulary allows it. A model can foretell the second half only by looking back.

    Args:
        vocabulary_size: Tokens are drawn from `lowest` to `vocabulary_size - 1`.
        length: Tokens of an example; when odd, the last one of the repetition is missing.
        examples: Number of examples.
        seed: The same seed gives the same probe.
        lowest: The first token id to draw, e.g. 1 where 0 is padding.

    Returns:
        int32 `[examples, length]`.

    Raises:
        ValueError: There is nothing to draw from, or no room for a repetition.

    Example:
        >>> tokens = induction_probe(vocabulary_size=1000, length=64)
        >>> AttentionCallback("runs/mine", tokens, query_tokens=tokens.astype(str).tolist())
    """
    available = vocabulary_size - lowest
    if available < 1 or length < 4 or examples < 1:
        raise ValueError(
            "expected at least one token above `lowest`, a length from 4 on and one example, "
            f"received vocabulary_size={vocabulary_size}, lowest={lowest}, length={length}, "
            f"examples={examples}."
        )
    rng = np.random.default_rng(seed)
    half = (length + 1) // 2
    draws: Sequence[NDArray[np.int64]] = [
        lowest + rng.choice(available, half, replace=available < half) for _ in range(examples)
    ]
    return np.tile(np.stack(draws), 2)[:, :length].astype(np.int32)
