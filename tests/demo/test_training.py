from __future__ import annotations

import io
from pathlib import Path

import keras
import numpy as np
import pytest
from tb_attention_training.demo.__main__ import main
from tb_attention_training.demo.dates import Corpus, build_corpus
from tb_attention_training.demo.encoding import PADDING, START, Encoding, shift_right
from tb_attention_training.demo.progress import Progress
from tb_attention_training.demo.recipes import RECIPES
from tb_attention_training.demo.rnn import build_rnn
from tb_attention_training.demo.training import (
    Arrays,
    Recipe,
    batches,
    exact_match,
    read_dates,
    train,
)
from tb_attention_training.demo.transformer import build_transformer

from tb_attention_plugin import AttentionReader


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return build_corpus(seed=0, train=1009, held_out=13)


@pytest.fixture(scope="module")
def encoding(corpus: Corpus) -> Encoding:
    return Encoding.of((*corpus.train, *corpus.held_out, *corpus.probe))


def test_batches_hold_every_example_once_and_little_padding(
    corpus: Corpus, encoding: Encoding
) -> None:
    arrays = Arrays.of(encoding, corpus.train)
    found = list(batches(arrays, 7, seed=3))
    assert len(found) == 1009 // 7
    rows: list[bytes] = []
    for batch in found:
        assert batch.source.shape[0] == batch.target.shape[0] == 7
        assert (batch.source != PADDING).any(axis=0).all()
        assert (batch.decoder_input[:, 0] == START).all()
        padded = np.pad(batch.source, ((0, 0), (0, encoding.source_length - batch.source.shape[1])))
        rows += [row.tobytes() for row in np.concatenate([padded, batch.target], axis=1)]
    expected = np.concatenate([arrays.source, arrays.target], axis=1)[: 1009 // 7 * 7]
    assert sorted(rows) == sorted(row.tobytes() for row in expected)
    text = sum(int((batch.source != PADDING).sum()) for batch in found)
    assert text > 0.85 * sum(batch.source.size for batch in found)


def test_the_order_of_batches_depends_on_the_seed_only(corpus: Corpus, encoding: Encoding) -> None:
    arrays = Arrays.of(encoding, corpus.train)
    first, again, other = (
        [batch.source.tobytes() for batch in batches(arrays, 11, seed)] for seed in (5, 5, 6)
    )
    assert first == again
    assert first != other


def test_reads_by_writing_the_most_probable_characters(corpus: Corpus, encoding: Encoding) -> None:
    keras.utils.set_random_seed(0)
    model = build_rnn(encoding, units=6)
    read = read_dates(model, encoding, corpus.held_out)
    assert len(set(read)) > 1
    # Given what it wrote, the model writes the same again: each character has the largest logit.
    # What is beyond the last position would be the end symbol, which is not given to the model.
    written = encoding.target.encode(read, encoding.target_length + 1)[:, :-1]
    inputs = {
        "source": encoding.sources(corpus.held_out),
        "decoder_input": shift_right(written),
    }
    again = np.asarray(keras.ops.convert_to_numpy(model(inputs))).argmax(axis=-1)
    assert encoding.target.decode(again) == read


def test_exact_match_counts_whole_dates(corpus: Corpus) -> None:
    read = [example.iso for example in corpus.held_out]
    assert exact_match(read, corpus.held_out) == 1
    read[5] = read[5][:-1]
    assert exact_match(read, corpus.held_out) == pytest.approx(12 / 13)


def test_the_transformer_records_every_attention(
    tmp_path: Path, corpus: Corpus, encoding: Encoding
) -> None:
    recipe = Recipe(
        "small",
        lambda encoding: build_transformer(encoding, layers=1, heads=3, units=6),
        steps=5,
        batch_size=11,
        learning_rate=1e-3,
        images=False,
    )
    train(recipe, encoding, corpus.train, corpus.probe, tmp_path, seed=0)
    reader = AttentionReader(tmp_path)
    assert list(reader.runs()) == ["train"]
    assert set(reader.layers("train")) == {
        "encoder/layer_0/self_attention",
        "decoder/layer_0/self_attention",
        "decoder/layer_0/cross_attention",
    }
    text = [*corpus.probe[0].text, "⟨/s⟩"]
    iso = [*corpus.probe[0].iso, "⟨/s⟩"]
    for layer, queries, keys in (
        ("encoder/layer_0/self_attention", text, text),
        ("decoder/layer_0/self_attention", iso, iso),
        ("decoder/layer_0/cross_attention", iso, text),
    ):
        assert list(reader.steps("train", layer)) == [0, 1, 2, 3, 4, 5]
        weights = reader.weights("train", layer, 5)
        assert weights.shape[:2] == (8, 3)
        valid = weights[0, :, : len(queries), : len(keys)]
        np.testing.assert_allclose(valid.sum(axis=-1), 1, atol=0.05)
        tokens = reader.tokens("train", layer, 5)
        assert tokens[0][0][: len(queries)] == queries
        assert tokens[0][1][: len(keys)] == keys


def test_the_command_trains_records_and_says_how_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--logdir", str(tmp_path), "--only", "rnn", "--steps", "3", "--held-out", "17"]
    assert main(options) == 1  # three steps are not enough to read dates
    out, err = capsys.readouterr()
    assert "luong: exact match 0.0 % of 17 held-out dates, " in out
    assert "luong did not learn to read dates: 98 % are expected." in err
    reader = AttentionReader(tmp_path)
    (layer,) = reader.layers("luong/train")
    assert list(reader.steps("luong/train", layer)) == [0, 1, 2, 3]
    weights = reader.weights("luong/train", layer, 0)
    assert weights.shape == (8, 1, 11, 40)
    # Before the first step attention is diffuse: no key of the longest text stands out.
    assert weights[4, 0].max() < 0.1


def test_the_command_refuses_what_makes_no_sense(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--steps", "0"])
    assert "--steps: expected 1 or more, received 0" in capsys.readouterr().err


def test_a_recipe_keeps_or_changes_its_steps() -> None:
    assert RECIPES[0].with_steps(None) == RECIPES[0]
    assert RECIPES[0].with_steps(7).steps == 7


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["pipe", "terminal"])
def test_progress_is_one_line_on_a_terminal_and_few_elsewhere(stream: io.StringIO) -> None:
    progress = Progress("luong", 41, stream)
    progress.on_train_begin()
    for batch in range(41):
        progress.on_train_batch_end(batch, {"loss": 0.25, "accuracy": 0.5})
    progress.on_train_end()
    shown = stream.getvalue()
    assert shown.count("\n") == (1 if stream.isatty() else 10)
    assert "luong        step 40/41  loss 0.250  characters  50.0 %  0 s, 0 s left" in (
        shown if not stream.isatty() else shown.replace("step 41", "step 40")
    )
