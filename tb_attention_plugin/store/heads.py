"""Which of a layer's heads a record holds: their numbers in the model, not their positions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from tb_attention_plugin.store import attention_pb2 as pb

MAX_HEAD = (1 << 16) - 1
"""The largest number of a head; more maps than that fit no entry."""


def heads_of(entry: pb.Entry) -> Sequence[int]:
    """The number of each head of an entry, ascending."""
    return tuple(entry.head_numbers) or range(entry.heads)


def to_store(heads: Sequence[int]) -> Sequence[int]:
    """What the field `head_numbers` holds: nothing where they are all heads from 0 on."""
    return () if heads[-1] == len(heads) - 1 else heads


def numbers_problem(heads: Sequence[int], H: int) -> str | None:
    """Why numbers cannot be those of H heads, or None when they can.

    Args:
        heads: Integers.
        H: How many heads there are.
    """
    if len(heads) != H:
        return f"{len(heads)} head numbers for {H} heads"
    if any(before >= after for before, after in pairwise(heads)):
        return "head numbers that do not ascend"
    if heads[0] < 0 or heads[-1] > MAX_HEAD:
        return f"head numbers from {heads[0]} to {heads[-1]}; 0 to {MAX_HEAD:,} are possible"
    return None


def listed(heads: Sequence[int]) -> str:
    """For messages: `head 7`, `heads 0 to 7`, or `heads 3, 7`, the first few of many."""
    if len(heads) == 1:
        return f"head {heads[0]}"
    if heads[-1] - heads[0] == len(heads) - 1:
        return f"heads {heads[0]} to {heads[-1]}"
    few = ", ".join(map(str, heads[:16]))
    return f"heads {few}" if len(heads) <= 16 else f"{len(heads)} heads, {few}, …"
