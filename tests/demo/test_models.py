from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from tb_attention_training.demo.encoding import END, PADDING, START, Encoding, Vocabulary
from tb_attention_training.demo.rnn import build_rnn
from tb_attention_training.demo.transformer import build_transformer

B, K, Q = 5, 13, 7
ENCODING = Encoding(
    source=Vocabulary(tuple("abcdefgh")),  # 11 codes
    target=Vocabulary(tuple("0123456789-,;:")),  # 17 codes
    source_length=19,
    target_length=Q,
)

Build = Callable[[], keras.Model]
BUILDS: list[Any] = [
    pytest.param(lambda: build_rnn(ENCODING, units=22), id="rnn"),
    pytest.param(
        lambda: build_transformer(ENCODING, layers=2, heads=3, units=18), id="transformer"
    ),
]


@pytest.fixture(params=BUILDS, scope="module")
def model(request: pytest.FixtureRequest) -> keras.Model:
    keras.utils.set_random_seed(0)
    build: Build = request.param
    return build()


def logits_of(model: keras.Model, source: Any, decoder_input: Any) -> Any:
    return keras.ops.convert_to_numpy(model({"source": source, "decoder_input": decoder_input}))


def some_inputs() -> tuple[Any, Any]:
    rng = np.random.default_rng(1)
    source = rng.integers(3, ENCODING.source.size, size=(B, K)).astype(np.int32)
    for row, length in zip(source, (13, 11, 7, 5, 3), strict=True):
        row[length - 1] = END
        row[length:] = PADDING
    decoder_input = rng.integers(3, ENCODING.target.size, size=(B, Q)).astype(np.int32)
    decoder_input[:, 0] = START
    return source, decoder_input


def test_gives_logits_of_each_next_character(model: keras.Model) -> None:
    logits = logits_of(model, *some_inputs())
    assert logits.shape == (B, Q, 17)
    assert np.isfinite(logits).all()


def test_does_not_see_padding(model: keras.Model) -> None:
    source, decoder_input = some_inputs()
    padded = np.pad(source, ((0, 0), (0, 6)))
    np.testing.assert_allclose(
        logits_of(model, padded, decoder_input),
        logits_of(model, source, decoder_input),
        atol=1e-5,
    )


def test_sees_every_character_of_the_text(model: keras.Model) -> None:
    source, decoder_input = some_inputs()
    logits = logits_of(model, source, decoder_input)
    for position in (0, 5, K - 1):
        changed = source.copy()
        changed[0, position] = 3 + (changed[0, position] - 2) % (ENCODING.source.size - 3)
        difference = np.abs(logits_of(model, changed, decoder_input) - logits)
        assert difference[0].max() > 1e-6
        assert difference[1:].max() < 1e-5


def test_sees_only_what_was_written_before(model: keras.Model) -> None:
    source, decoder_input = some_inputs()
    logits = logits_of(model, source, decoder_input)
    for position in (1, 3, Q - 1):
        changed = decoder_input.copy()
        changed[:, position] = 3 + (changed[:, position] - 2) % (ENCODING.target.size - 3)
        difference = np.abs(logits_of(model, source, changed) - logits)
        assert difference[:, :position].max() < 1e-5
        assert difference[:, position].max() > 1e-6


def test_says_which_sizes_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"units must be even.*units=21"):
        build_rnn(ENCODING, units=21)
    with pytest.raises(ValueError, match=r"multiple of heads.*units=18, heads=4"):
        build_transformer(ENCODING, heads=4, units=18)
