"""Whose tokens label the maps of a layer."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tb_attention_training.capture.by_layer import check_patterns, look_up
from tb_attention_training.capture.maps import LayerAttention
from tb_attention_training.capture.probe import AttentionWarning

Tokens = Sequence[Sequence[str]]
"""Tokens of one side (queries or keys), a sequence of strings for each example."""

TokenTable = Tokens | Mapping[str, Tokens]
"""Tokens for all layers, or by layer: a layer's name or a regular expression → tokens."""

TokenFunction = Callable[[str, Any], tuple[Tokens | None, Tokens | None]]
"""`(layer, inputs) -> (query_tokens, key_tokens)`; None leaves a side without tokens."""


@dataclass(frozen=True)
class Labels:
    """What is known about the positions of a layer's maps.

    Attributes:
        query_tokens: Tokens of the queries of each example, or None.
        key_tokens: Tokens of the keys of each example, or None.
        query_lengths: int64 `[B]`, valid queries of each example, or None: all.
        key_lengths: int64 `[B]`, valid keys of each example, or None: all.
    """

    query_tokens: Tokens | None
    key_tokens: Tokens | None
    query_lengths: NDArray[np.int64] | None
    key_lengths: NDArray[np.int64] | None


@dataclass
class TokenSource:
    """Finds the tokens of each layer, as `AttentionCallback`'s arguments describe them.

    Tokens that do not fit a layer are left out with one warning for the layer: a map without
    tokens is worth more than no map.
    """

    query_tokens: TokenTable | None
    key_tokens: TokenTable | None
    function: TokenFunction | None
    inputs: Any
    examples: int
    _cache: dict[str, tuple[Tokens | None, Tokens | None]] = field(
        default_factory=dict[str, tuple[Tokens | None, Tokens | None]]
    )

    @staticmethod
    def of(
        query_tokens: TokenTable | None,
        key_tokens: TokenTable | None,
        function: TokenFunction | None,
        *,
        inputs: Any,
        given: int,
        examples: int,
    ) -> TokenSource:
        """Validates the arguments.

        Args:
            query_tokens: See `AttentionCallback`.
            key_tokens: See `AttentionCallback`.
            function: See `AttentionCallback`, `tokens`.
            inputs: The probe batch, handed to the function.
            given: Number of examples that the user passed.
            examples: Number of examples that are recorded, the first ones.

        Raises:
            TypeError: Tokens are no lists of strings.
            ValueError: Tokens are not for as many examples as `inputs`, or both ways are used.
        """
        if function is not None and not callable(function):
            raise TypeError(
                "tokens: expected a function (layer, inputs) -> (query_tokens, key_tokens), "
                f"received {type(function).__name__}. Lists of tokens go into `query_tokens` and "
                "`key_tokens`."
            )
        if function is not None and not (query_tokens is None and key_tokens is None):
            raise ValueError(
                "tokens: expected either this function or `query_tokens` and `key_tokens`, "
                "received both. Leave one out."
            )
        return TokenSource(
            _check_table("query_tokens", query_tokens, given, examples),
            _check_table("key_tokens", key_tokens, given, examples),
            function,
            inputs,
            examples,
        )

    def label(self, attention: LayerAttention) -> Labels:
        """Returns the tokens that fit the layer's maps, and the lengths of mask or tokens."""
        if attention.layer not in self._cache:
            self._cache[attention.layer] = self._look_up(attention.layer)
        query_tokens, key_tokens = self._cache[attention.layer]
        B, _, queries, keys = attention.weights.shape
        query_tokens, key_tokens = _first(query_tokens, B), _first(key_tokens, B)
        query_tokens, query_lengths, query_misfit = _fit(
            query_tokens, queries, attention.query_lengths
        )
        key_tokens, key_lengths, key_misfit = _fit(key_tokens, keys, attention.key_lengths)
        for side, misfit in (("query_tokens", query_misfit), ("key_tokens", key_misfit)):
            if misfit:
                self._forget(attention.layer, side)
                warnings.warn(
                    f"{side}: {misfit} in layer {attention.layer!r}, whose maps are therefore "
                    "recorded without them. For tokens by layer pass a dict from layer name or "
                    "regular expression to tokens.",
                    AttentionWarning,
                    stacklevel=2,
                )
        return Labels(query_tokens, key_tokens, query_lengths, key_lengths)

    def _look_up(self, layer: str) -> tuple[Tokens | None, Tokens | None]:
        if self.function is None:
            return _select(self.query_tokens, layer), _select(self.key_tokens, layer)
        try:
            query_tokens, key_tokens = self.function(layer, self.inputs)
            return (
                _check_list("query_tokens", query_tokens, self.examples, self.examples),
                _check_list("key_tokens", key_tokens, self.examples, self.examples),
            )
        except Exception as error:  # the user's code: any error leaves maps bare
            warnings.warn(
                f"tokens: the function failed for layer {layer!r} with "
                f"{type(error).__name__}: {error}. Its maps are recorded without tokens.",
                AttentionWarning,
                stacklevel=3,
            )
            return None, None

    def _forget(self, layer: str, side: str) -> None:
        query_tokens, key_tokens = self._cache[layer]
        self._cache[layer] = (None, key_tokens) if side == "query_tokens" else (query_tokens, None)


def _first(tokens: Tokens | None, examples: int) -> Tokens | None:
    return None if tokens is None else tokens[:examples]


def _fit(
    tokens: Tokens | None, size: int, lengths: NDArray[np.int64] | None
) -> tuple[Tokens | None, NDArray[np.int64] | None, str]:
    """Matches tokens with a side of `size` positions.

    Returns:
        The tokens or None, the lengths, and what does not fit, empty when all does.
    """
    if tokens is None:
        return None, lengths, ""
    counts = [len(sequence) for sequence in tokens]
    if lengths is None and all(0 < count <= size for count in counts):
        known = None if all(count == size for count in counts) else np.array(counts, np.int64)
        return tokens, known, ""
    valid = [size] * len(counts) if lengths is None else [int(length) for length in lengths]
    for example, (count, length) in enumerate(zip(counts, valid, strict=True)):
        if count not in (size, length):
            expected = f"{size}" if length == size else f"{size} (or {length}, the valid ones)"
            return None, lengths, f"expected {expected}, received {count} of example {example}"
    return tokens, lengths, ""


def _select(table: TokenTable | None, layer: str) -> Tokens | None:
    if not isinstance(table, Mapping):
        return table
    return look_up(table, layer)


def _check_table(
    argument: str, table: TokenTable | None, given: int, examples: int
) -> TokenTable | None:
    if not isinstance(table, Mapping):
        return _check_list(argument, table, given, examples)
    check_patterns(argument, table)
    checked: dict[str, Tokens] = {}
    for pattern, tokens in table.items():
        one = _check_list(f"{argument}[{pattern!r}]", tokens, given, examples)
        if one is not None:
            checked[pattern] = one
    return checked


def _check_list(argument: str, tokens: Tokens | None, given: int, examples: int) -> Tokens | None:
    if tokens is None:
        return None
    if isinstance(tokens, str) or len(tokens) not in (given, examples):
        received = "a string" if isinstance(tokens, str) else f"{len(tokens)}"
        raise ValueError(
            f"{argument}: expected {given} lists of tokens, one for each example of `inputs`, "
            f"received {received}."
        )
    checked: list[tuple[str, ...]] = []
    for example, sequence in enumerate(list(tokens)[:examples]):
        if isinstance(sequence, str):
            raise TypeError(
                f"{argument}[{example}]: expected a list of tokens, received the string "
                f"{sequence[:40]!r}. For characters as tokens pass list(text)."
            )
        strings: list[Any] = list(sequence)
        wrong = [token for token in strings if not isinstance(token, str)]
        if wrong:
            raise TypeError(
                f"{argument}[{example}]: expected strings, received {type(wrong[0]).__name__} "
                f"{wrong[0]!r}. Turn token ids into text first."
            )
        checked.append(tuple(strings))
    return checked
