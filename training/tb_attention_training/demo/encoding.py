"""Texts as integers and back, one symbol per character."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tb_attention_training.demo.dates import DateText

PADDING = 0
START = 1
END = 2
_SPECIAL = 3  # the first code of a character

END_TOKEN = "⟨/s⟩"
"""How the end symbol is shown."""

IntArray = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Vocabulary:
    """The characters that a model reads or writes; codes 0 to 2 are padding, start and end.

    Attributes:
        characters: In the order of their codes.
    """

    characters: tuple[str, ...]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Vocabulary:
        """Collects the characters of texts.

        Args:
            texts: Any texts.

        Returns:
            A vocabulary that does not depend on the order of the texts.
        """
        return cls(tuple(sorted(set().union(*texts))))

    @property
    def size(self) -> int:
        """Number of codes, the special ones included."""
        return _SPECIAL + len(self.characters)

    def encode(self, texts: Sequence[str], length: int) -> IntArray:
        """Turns texts into codes, each text followed by the end symbol and padding.

        Args:
            texts: ``B`` texts of known characters.
            length: Number of codes per text, the end symbol included.

        Returns:
            Codes of shape ``[B, length]``.

        Raises:
            ValueError: If a text is too long or has a character that is not known.
        """
        codes = {character: code for code, character in enumerate(self.characters, _SPECIAL)}
        encoded = np.full((len(texts), length), PADDING, np.int32)
        for row, text in zip(encoded, texts, strict=True):
            if len(text) >= length:
                raise ValueError(
                    f"length must leave room for the text and the end symbol: at least "
                    f"{len(text) + 1} for {text!r}. Received: length={length}"
                )
            unknown = sorted(set(text) - codes.keys())
            if unknown:
                raise ValueError(f"texts must consist of known characters. Received: {unknown}")
            row[: len(text)] = [codes[character] for character in text]
            row[len(text)] = END
        return encoded

    def decode(self, encoded: npt.NDArray[np.integer]) -> list[str]:
        """Turns codes back into texts.

        Args:
            encoded: Codes of shape ``[B, length]``.

        Returns:
            ``B`` texts: what stands before the first end symbol or padding. A start symbol, which
            a model can write but no text has, becomes U+FFFD.
        """
        return ["".join(self._characters_of(row)) for row in encoded.tolist()]

    def tokens(self, encoded: npt.NDArray[np.integer]) -> list[list[str]]:
        """Names every position of encoded texts, to be shown beside a map.

        Args:
            encoded: Codes of shape ``[B, length]``.

        Returns:
            Per text its characters and the end symbol as ``END_TOKEN``, without padding.
        """
        return [[*self._characters_of(row), END_TOKEN] for row in encoded.tolist()]

    def _characters_of(self, row: Sequence[int]) -> list[str]:
        found: list[str] = []
        for code in row:
            if code in (END, PADDING):
                break
            found.append("\ufffd" if code == START else self.characters[code - _SPECIAL])
        return found


def shift_right(target: IntArray) -> IntArray:
    """Makes what a decoder is given while it learns: the start symbol, then all but the last.

    Args:
        target: Codes of shape ``[B, Q]`` that the decoder shall write.

    Returns:
        Codes of shape ``[B, Q]``. Nothing follows the end symbol of a text.
    """
    shifted = np.full_like(target, START)
    shifted[:, 1:] = np.where(target[:, :-1] == END, PADDING, target[:, :-1])
    return shifted


@dataclass(frozen=True)
class Encoding:
    """How dates become arrays: both vocabularies and both lengths.

    Attributes:
        source: Characters of the texts.
        target: Characters of ISO 8601.
        source_length: ``K``, codes per text.
        target_length: ``Q``, codes per meaning.
    """

    source: Vocabulary
    target: Vocabulary
    source_length: int
    target_length: int

    @classmethod
    def of(cls, examples: Sequence[DateText]) -> Encoding:
        """Fits vocabularies and lengths to examples, each length with room for the end symbol.

        Args:
            examples: Every example that will be encoded.

        Returns:
            The encoding.
        """
        return cls(
            source=Vocabulary.of(example.text for example in examples),
            target=Vocabulary.of(example.iso for example in examples),
            source_length=max(len(example.text) for example in examples) + 1,
            target_length=max(len(example.iso) for example in examples) + 1,
        )

    def sources(self, examples: Sequence[DateText]) -> IntArray:
        """Encodes texts as ``[B, K]``."""
        return self.source.encode([example.text for example in examples], self.source_length)

    def targets(self, examples: Sequence[DateText]) -> IntArray:
        """Encodes meanings as ``[B, Q]``."""
        return self.target.encode([example.iso for example in examples], self.target_length)
