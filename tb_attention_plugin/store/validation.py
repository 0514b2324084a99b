"""Checks what is handed to a writer and brings it into one form.

Every message names the argument, what was expected, what was received and what to do.
"""

from __future__ import annotations

import math
import operator
import time
from collections.abc import Sequence, Sized
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tb_attention_plugin.store import heads as head_numbers
from tb_attention_plugin.store.limits import MAX_LAYER_NAME, layout_problem
from tb_attention_plugin.store.record import AttentionRecord, Tokens

ROUNDING = 1e-4
"""How far above 1 a weight counts as rounding: showing it as 1 keeps the code table's promise."""

_LARGEST_BITS = int(np.float32(1 + ROUNDING).view(np.uint32))


def _storable(text: str) -> str:
    # Lone surrogates cannot be stored as UTF-8; a question mark shows where they were.
    return text.encode("utf-8", "replace").decode()


def _array(name: str, values: ArrayLike) -> NDArray[Any]:
    try:
        return np.asarray(values)
    except ValueError as error:  # nested lists of different lengths
        raise ValueError(
            f"{name}: expected an array or nested lists of equal lengths, received "
            f"{type(values).__name__}. NumPy says: {error}"
        ) from error


def _layer(layer: object) -> str:
    if (
        not isinstance(layer, str)
        or not 0 < len(layer) <= MAX_LAYER_NAME
        or layer != _storable(layer)
    ):
        raise ValueError(
            f"layer: expected a name of 1 to {MAX_LAYER_NAME} Unicode characters such as "
            f"'decoder/cross_attention', received {str(layer)[:80]!r}."
        )
    return layer


def _step(step: object) -> int:
    try:
        value = operator.index(np.asarray(step).item())  # any framework's integer scalar
    except (TypeError, ValueError):
        value = -1
    if not 0 <= value < 2**63:
        raise ValueError(f"step: expected an integer from 0 on, received {step!r}.")
    return value


def _count(name: str, value: object) -> int:
    try:
        count = operator.index(np.asarray(value).item())
    except (TypeError, ValueError):
        count = -1
    if not 0 <= count < 2**32:
        raise ValueError(f"{name}: expected an integer from 0 on, received {value!r}.")
    return count


def _weights(weights: ArrayLike, *, time_major: bool) -> NDArray[np.floating]:
    array = _array("weights", weights)
    if array.dtype == np.dtype("V2"):  # bfloat16 of a framework whose NumPy extension is missing
        raise TypeError("weights: bfloat16 is not known to NumPy here; cast to float32 first.")
    if array.dtype.kind not in "fiub" and array.dtype.name != "bfloat16":
        raise TypeError(
            f"weights: expected an array of floats, received dtype {array.dtype}. Convert the "
            "attention weights to float32 first."
        )
    if time_major:
        if array.ndim != 3:
            raise ValueError(
                "weights: with time_major=True expected rank 3, [T, B, K] as "
                f"alignment_history.stack() gives it, received shape {array.shape}."
            )
        array = array.transpose(1, 0, 2)[:, None]
    elif array.ndim == 3:
        array = array[:, None]
    if array.ndim != 4:
        raise ValueError(
            "weights: expected [B, H, Q, K] or [B, Q, K] (examples, heads, queries, keys), "
            f"received shape {array.shape}. One map [Q, K] is weights[None]; a stacked alignment "
            "history [T, B, K] needs time_major=True."
        )
    if 0 in array.shape:
        raise ValueError(
            "weights: expected at least one example, head, query and key, received shape "
            f"{array.shape} as [B, H, Q, K]."
        )
    if problem := layout_problem(*array.shape):
        raise ValueError(
            f"weights: received {problem}. Record fewer examples or heads, or shorter sequences."
        )
    return array


def _heads(heads: Sequence[int] | None, H: int) -> tuple[int, ...] | None:
    if heads is None:
        return None
    array = _array("heads", heads)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise TypeError(
            f"heads: expected the numbers of the {H} heads of weights, e.g. (3, 7), received "
            f"{heads!r}."
        )
    numbers = tuple(int(number) for number in array)
    if problem := head_numbers.numbers_problem(numbers, H):
        raise ValueError(
            f"heads: expected the number of each of the {H} heads of weights, ascending, received "
            f"{problem}: {list(numbers)[:16]}. Sort them: heads = sorted(heads), weights[:, heads]."
        )
    return numbers if head_numbers.to_store(numbers) else None


def _lengths(name: str, lengths: ArrayLike | None, B: int, limit: int) -> NDArray[np.int64]:
    if lengths is None:
        return np.full(B, limit, np.int64)
    array = _array(name, lengths)
    if array.shape != (B,) or array.dtype.kind not in "iu":
        raise ValueError(
            f"{name}: expected {B} integers, one for each example, received "
            f"{array.dtype} of shape {array.shape}."
        )
    if array.min() < 1 or array.max() > limit:
        raise ValueError(
            f"{name}: expected lengths from 1 to {limit} (the size of the map on that side), "
            f"received {array.tolist()}."
        )
    return array.astype(np.int64)


def _tokens(
    name: str, side: str, tokens: Tokens | None, lengths: NDArray[np.int64], limit: int
) -> tuple[tuple[str, ...], ...] | None:
    if tokens is None:
        return None
    _check_sized(name, tokens)
    if isinstance(tokens, str) or len(tokens) != len(lengths):
        raise ValueError(
            f"{name}: expected {len(lengths)} sequences of strings, one for each example, received "
            f"{'a string' if isinstance(tokens, str) else len(tokens)}."
        )
    out: list[tuple[str, ...]] = []
    for b, (sequence, length) in enumerate(zip(tokens, lengths, strict=True)):
        if isinstance(sequence, str):
            raise TypeError(
                f"{name}[{b}]: expected a sequence of strings, received the string "
                f"{sequence[:40]!r}. For characters as tokens pass list(text)."
            )
        _check_sized(f"{name}[{b}]", sequence)
        if len(sequence) not in (length, limit):
            or_valid = "" if length == limit else f" or {length} (the valid ones)"
            raise ValueError(
                f"{name}[{b}]: expected {limit} tokens (the number of {side}){or_valid}, received "
                f"{len(sequence)}. For a padded batch pass {side_argument(side)} too."
            )
        for position, token in enumerate(cast("Sequence[object]", sequence)):
            if not isinstance(token, str):
                raise TypeError(
                    f"{name}[{b}][{position}]: expected a string, received "
                    f"{type(token).__name__} {token!r}. Turn token ids into text first."
                )
        out.append(tuple(_storable(token) for token in sequence))
    return tuple(out)


def _check_sized(name: str, tokens: object) -> None:
    if not isinstance(tokens, Sized):
        raise TypeError(
            f"{name}: expected a sequence, received {type(tokens).__name__} {str(tokens)[:40]!r}."
        )


def _wall_time(wall_time: object) -> float:
    try:
        when = time.time() if wall_time is None else float(cast("float", wall_time))
    except (TypeError, ValueError, OverflowError):
        when = math.nan
    if not math.isfinite(when):
        raise ValueError(f"wall_time: expected seconds since the epoch, received {wall_time!r}.")
    return when


def side_argument(side: str) -> str:
    """Name of the argument with the valid lengths of a side."""
    return "query_lengths" if side == "queries" else "key_lengths"


def make_record(
    layer: str,
    weights: ArrayLike,
    step: int,
    *,
    query_tokens: Sequence[Sequence[str]] | None,
    key_tokens: Sequence[Sequence[str]] | None,
    query_lengths: ArrayLike | None,
    key_lengths: ArrayLike | None,
    causal: bool,
    wall_time: float | None,
    time_major: bool,
    skipped: int = 0,
    heads: Sequence[int] | None = None,
) -> AttentionRecord:
    """Validates the arguments of `AttentionWriter.write`; see there.

    Returns:
        The record, whose weights are a copy.
    """
    layer, step = _layer(layer), _step(step)
    given = _weights(weights, time_major=time_major)
    B, H, Q, K = given.shape
    query_valid = _lengths("query_lengths", query_lengths, B, Q)
    key_valid = _lengths("key_lengths", key_lengths, B, K)
    with np.errstate(over="ignore"):  # float64 beyond float32's range becomes infinity, and flagged
        owned = np.array(given, np.float32, order="C", copy=True)
    return AttentionRecord(
        layer=layer,
        step=step,
        wall_time=_wall_time(wall_time),
        weights=owned,
        query_tokens=_tokens("query_tokens", "queries", query_tokens, query_valid, Q),
        key_tokens=_tokens("key_tokens", "keys", key_tokens, key_valid, K),
        query_lengths=query_valid,
        key_lengths=key_valid,
        causal=bool(causal),
        dtype=given.dtype.name,
        skipped=_count("skipped", skipped),
        heads=_heads(heads, H),
    )


def check_codable(weights: NDArray[np.float32]) -> str | None:
    """Why weights cannot be stored as codes.

    Returns:
        None when they can be, else a sentence.
    """
    # As integers, the bits of all that is allowed come first, those of NaN and of negative numbers
    # last: one pass. Of what is negative, -0.0 alone is allowed.
    if int(weights.view(np.uint32).max()) <= _LARGEST_BITS:
        return None
    bad = ~((weights >= 0) & (weights <= 1 + ROUNDING))
    if not bad.any():
        return None
    first = tuple(int(i) for i in np.argwhere(bad)[0])
    return (
        f"weights: expected finite values in [0, 1], received {int(bad.sum())} others of "
        f"{bad.size}, the first at [b, h, q, k] = {list(first)}: {float(weights[first])}. "
        "precision='float32' (or 'auto') stores any value and flags such maps."
    )
