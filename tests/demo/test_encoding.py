from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tb_attention_training.demo.dates import DateText, build_corpus
from tb_attention_training.demo.encoding import (
    END,
    PADDING,
    START,
    Encoding,
    Vocabulary,
    shift_right,
)

VOCABULARY = Vocabulary.of(["május", "Φ г.", "1979-05-03"])
TEXTS = st.lists(st.text(st.sampled_from(VOCABULARY.characters), max_size=23), min_size=1)


@given(texts=TEXTS, spare=st.integers(1, 5))
def test_decoding_undoes_encoding(texts: list[str], spare: int) -> None:
    length = max(map(len, texts)) + spare
    encoded = VOCABULARY.encode(texts, length)
    assert encoded.shape == (len(texts), length)
    assert encoded.dtype == np.int32
    assert VOCABULARY.decode(encoded) == texts


@given(texts=TEXTS)
def test_tokens_name_every_position_but_padding(texts: list[str]) -> None:
    encoded = VOCABULARY.encode(texts, 29)
    tokens = VOCABULARY.tokens(encoded)
    assert [len(row) for row in tokens] == (encoded != PADDING).sum(axis=1).tolist()
    assert ["".join(row) for row in tokens] == [text + "⟨/s⟩" for text in texts]


def test_codes_are_exact() -> None:
    vocabulary = Vocabulary.of(["ba", "ab"])
    assert vocabulary.characters == ("a", "b")
    assert vocabulary.size == 5
    assert vocabulary.encode(["ba", ""], 4).tolist() == [
        [4, 3, END, PADDING],
        [END, PADDING, PADDING, PADDING],
    ]


def test_decoding_stops_at_the_end_and_shows_a_stray_start() -> None:
    assert Vocabulary(("a",)).decode(np.array([[3, END, 3], [START, 3, 3]])) == ["a", "\ufffdaa"]


def test_says_what_cannot_be_encoded() -> None:
    with pytest.raises(ValueError, match=r"at least 4 for 'áju'. Received: length=3"):
        VOCABULARY.encode(["m", "áju"], 3)
    with pytest.raises(ValueError, match=r"known characters. Received: \['%', 'q'\]"):
        VOCABULARY.encode(["%mq"], 7)


def test_shift_right_starts_every_text_and_drops_the_end() -> None:
    target = np.array([[4, 3, END, PADDING], [5, 4, 3, END]], np.int32)
    assert shift_right(target).tolist() == [[START, 4, 3, PADDING], [START, 5, 4, 3]]


def test_an_encoding_fits_its_examples() -> None:
    corpus = build_corpus(seed=0, train=1009, held_out=101)
    examples: tuple[DateText, ...] = (*corpus.train, *corpus.held_out, *corpus.probe)
    encoding = Encoding.of(examples)
    sources, targets = encoding.sources(examples), encoding.targets(examples)
    assert sources.shape == (len(examples), encoding.source_length)
    assert targets.shape == (len(examples), 11)
    assert encoding.source.decode(sources) == [example.text for example in examples]
    assert encoding.target.decode(targets) == [example.iso for example in examples]
    assert encoding.target.size == 3 + len("-0123456789")
