from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import capture_models as models
import keras
import numpy as np
import pytest
from capture_models import HEADS, B, K, Q
from fitting import BATCH, EXAMPLES, STEPS, entries, fit, ours, steps
from tb_attention_training import (
    AttentionCallback,
    AttentionWarning,
    attention_maps,
    log_spaced,
)
from tb_attention_training.capture.probe import AttentionProbe

from tb_attention_plugin import AttentionReader, AttentionWriter

several_steps = pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="Keras on PyTorch executes one step at a time"
)
# Keras reads its own variables through __array__ when it saves them.
keras_saves = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def new(tmp_path: Path) -> Callable[..., AttentionCallback]:
    """Makes a callback on `tmp_path` without images."""

    def make(inputs: Any = None, **kwargs: Any) -> AttentionCallback:
        inputs = models.source() if inputs is None else inputs
        arguments: dict[str, Any] = {"images": False, **kwargs}
        return AttentionCallback(tmp_path, inputs, **arguments)

    return make


Make = Callable[..., AttentionCallback]


@pytest.mark.parametrize(
    ("update_freq", "expected"),
    [
        ("epoch", [0, 5, 10, 15]),
        ("batch", list(range(16))),
        (1, list(range(16))),
        (4, [0, 4, 8, 12, 15]),
        (5, [0, 5, 10, 15]),
        (100, [0, 15]),
        (log_spaced(per_decade=5), [0, 1, 2, 3, 4, 6, 10, 15]),
        (lambda step: step in (7, 8), [0, 7, 8, 15]),
    ],
)
def test_update_freq(tmp_path: Path, new: Make, update_freq: Any, expected: list[int]) -> None:
    fit(models.compiled(models.one_layer()), new(update_freq=update_freq), epochs=3)
    assert steps(tmp_path) == expected


@several_steps
def test_steps_per_execution_captures_where_a_multiple_was_passed(
    tmp_path: Path, new: Make
) -> None:
    model = models.compiled(models.one_layer(), steps_per_execution=3)
    fit(model, new(update_freq=4), epochs=2)  # executions end at steps 3, 5, 8, 10
    assert steps(tmp_path) == [0, 5, 8, 10]


@several_steps
def test_a_function_is_asked_once_for_each_step_that_an_execution_passes(
    tmp_path: Path, new: Make
) -> None:
    asked: list[int] = []

    def function(step: int) -> bool:
        asked.append(step)
        return step in (1, 2, 9)

    model = models.compiled(models.one_layer(), steps_per_execution=3)
    fit(model, new(update_freq=function), epochs=2)  # executions end at steps 3, 5, 8, 10
    assert asked == list(range(1, 11))
    assert steps(tmp_path) == [0, 3, 10]


def test_a_schedule_goes_on_in_a_second_fit(tmp_path: Path, new: Make) -> None:
    model = models.compiled(models.one_layer())
    for _ in range(3):
        fit(model, new(update_freq=log_spaced(per_decade=5)))
    assert steps(tmp_path) == [0, 1, 2, 3, 4, 5, 6, 10, 15]  # 5 is the end of the first fit


def test_a_function_that_gives_no_bool_is_told_and_training_goes_on(
    tmp_path: Path, new: Make
) -> None:
    model = models.compiled(models.one_layer())
    with pytest.warns(AttentionWarning, match="returns a bool.*received LogSpaced for st") as told:
        fit(model, new(update_freq=log_spaced))  # without parentheses
    assert len(ours(told)) == 1
    assert steps(tmp_path) == [0]
    assert int(model.optimizer.iterations) == STEPS


def test_a_model_that_is_built_by_the_first_step(tmp_path: Path, new: Make) -> None:
    class Late(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.inner = models.one_layer()
            self.extra = keras.layers.Dense(models.VOCABULARY)

        def call(self, x: Any) -> Any:
            return self.extra(self.inner(x))

    model = models.compiled(Late())
    x, y = models.source(EXAMPLES), models.source(EXAMPLES, seed=5)
    model.fit(x, y, batch_size=BATCH, callbacks=[new(update_freq=4)], verbose=0)
    layer = AttentionReader(tmp_path).layers("train")[0]
    assert layer == "functional/attention"
    # On TensorFlow there is nothing to record before; elsewhere Keras builds the model first.
    first = 1 if keras.backend.backend() == "tensorflow" else 0
    assert steps(tmp_path, layer) == [first, 4, 5]


def test_steps_go_on_in_a_second_fit_and_nothing_is_recorded_twice(
    tmp_path: Path, new: Make
) -> None:
    model = models.compiled(models.one_layer())
    callback = new(update_freq=3)
    fit(model, callback)
    fit(model, callback, epochs=2, initial_epoch=1)
    assert steps(tmp_path) == [0, 3, 5, 6, 9, 10]
    assert len(entries(tmp_path)) == 6


@keras_saves
def test_a_resumed_training_goes_on(tmp_path: Path, new: Make) -> None:
    class Crash(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 2:
                raise KeyboardInterrupt

    def backup() -> Any:
        return keras.callbacks.BackupAndRestore(tmp_path / "backup")

    with pytest.raises(KeyboardInterrupt):
        fit(models.compiled(models.one_layer()), [new(), backup(), Crash()], epochs=4)
    assert steps(tmp_path) == [0, 5, 10]
    fit(models.compiled(models.one_layer(seed=7)), [new(), backup()], epochs=4)
    assert steps(tmp_path) == [0, 5, 10, 15, 20]
    assert [step for step, _ in entries(tmp_path)] == [0, 5, 10, 15, 20]


def test_a_step_that_goes_back_is_told(tmp_path: Path, new: Make) -> None:
    callback = new()
    fit(models.compiled(models.one_layer()), callback, epochs=2)
    with pytest.warns(AttentionWarning, match="went back from 10 to 0"):
        fit(models.compiled(models.one_layer()), callback)
    assert steps(tmp_path) == [0, 5]


def test_what_is_recorded_is_the_attention_at_that_step(tmp_path: Path, new: Make) -> None:
    model = models.compiled(models.one_layer())
    expected: dict[int, Any] = {}

    class Reference(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            maps = attention_maps(self.model, models.source())
            expected[5 * (epoch + 1)] = maps["attention"]

    expected[0] = attention_maps(model, models.source())["attention"]
    fit(model, [new(precision="float32"), Reference()], epochs=2)
    reader = AttentionReader(tmp_path)
    assert reader.steps("train", "attention") == sorted(expected)
    for step, weights in expected.items():
        np.testing.assert_array_equal(reader.weights("train", "attention", step), weights)
    for before, after in ((0, 5), (5, 10)):
        assert np.abs(expected[before] - expected[after]).max() > 1e-4
    assert expected[5].shape == (B, HEADS, K, K)


def test_tokens_for_all_layers_and_max_examples(tmp_path: Path, new: Make) -> None:
    ids = models.source()
    tokens = [[str(i) for i in row if i] for row in ids]  # as long as the valid part
    fit(models.compiled(models.one_layer()), new(ids, key_tokens=tokens, max_examples=3))
    reader = AttentionReader(tmp_path)
    found = reader.tokens("train", "attention", 0)
    assert [keys for _, keys in found] == tokens[:3]
    assert [queries for queries, _ in found] == [[], [], []]
    assert [keys for _, keys in reader.lengths("train", "attention", 0)] == [
        len(t) for t in tokens[:3]
    ]
    assert reader.weights("train", "attention", 0).shape[0] == 3


def seq2seq_fit(callback: Any) -> None:
    model = models.compiled(models.transformer())
    x = [models.source(EXAMPLES), models.target(EXAMPLES)]
    model.fit(x, models.target(EXAMPLES), batch_size=BATCH, callbacks=[callback], verbose=0)


def text(ids: Any) -> list[list[str]]:
    return [[f"t{i}" for i in row] for row in ids]


@pytest.mark.parametrize("way", ["dict", "function"])
def test_tokens_by_layer(tmp_path: Path, new: Make, way: str) -> None:
    source, target = models.source(), models.target()
    calls: list[str] = []

    def tokens(layer: str, inputs: Any) -> Any:
        calls.append(layer)
        side = {"s": text(inputs[0]), "t": text(inputs[1])}
        queries, keys = {"e": "ss", "c": "tt"}[layer[0]] if "cross" not in layer else "ts"
        return side[queries], side[keys]

    given: dict[str, Any] = {
        "query_tokens": {"^encoder": text(source), ".": text(target)},
        "key_tokens": {"causal_attention": text(target), "encoder|cross": text(source)},
    }
    seq2seq_fit(new([source, target], **(given if way == "dict" else {"tokens": tokens})))
    reader = AttentionReader(tmp_path)
    for layer, queries, keys in (
        ("encoder_attention", source, source),
        ("causal_attention", target, target),
        ("cross_attention", target, source),
    ):
        found = reader.tokens("train", layer, 0)
        lengths = reader.lengths("train", layer, 0)
        assert lengths == [
            (int((q > 0).sum()), int((k > 0).sum())) for q, k in zip(queries, keys, strict=True)
        ]
        for (q, k), (n_q, n_k), q_ids, k_ids in zip(found, lengths, queries, keys, strict=True):
            assert q[:n_q] == text([q_ids])[0][:n_q]
            assert k[:n_k] == text([k_ids])[0][:n_k]
    if way == "function":
        assert len(calls) == len(set(calls)) == 3


def test_tokens_that_do_not_fit_leave_the_maps_without_them(tmp_path: Path, new: Make) -> None:
    tokens = [["x"] * (K + 1)] * B
    with pytest.warns(AttentionWarning, match="expected 11, received 12 of example 0") as told:
        fit(models.compiled(models.one_layer()), new(key_tokens=tokens), epochs=3)
    assert len(ours(told)) == 1
    assert steps(tmp_path) == [0, 5, 10, 15]


def test_a_token_function_that_fails_leaves_the_maps_without_tokens(
    tmp_path: Path, new: Make
) -> None:
    def tokens(layer: str, inputs: Any) -> Any:
        raise KeyError(layer)

    model = models.compiled(models.one_layer())
    with pytest.warns(AttentionWarning, match="failed for layer 'attention' with KeyError") as told:
        fit(model, new(tokens=tokens))
    assert len(ours(told)) == 1
    assert int(model.optimizer.iterations) == STEPS
    assert steps(tmp_path) == [0, 5]
    reader = AttentionReader(tmp_path)
    assert reader.tokens("train", "attention", 5) == [([], [])] * B
    np.testing.assert_allclose(reader.weights("train", "attention", 5).sum(-1), 1, atol=0.02)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"inputs": np.zeros((0, K))}, ValueError, "empty batch"),
        ({"update_freq": "step"}, ValueError, 'update_freq: expected "epoch", "batch", a pos'),
        ({"update_freq": 0}, ValueError, "received 0"),
        ({"update_freq": 2.5}, ValueError, "or a function .step. -> bool, received 2.5"),
        ({"update_freq": True}, ValueError, "received True"),
        ({"max_examples": 0}, ValueError, "max_examples: expected 1 or more, received 0"),
        ({"on_error": "ignore"}, ValueError, "on_error: expected"),
        ({"layers": "("}, ValueError, "layers: expected valid regular expressions"),
        ({"exclude": [3]}, TypeError, "exclude: expected a regular expression or a list of them"),
        ({"key_tokens": [["a"]]}, ValueError, "key_tokens: expected 5 lists of tokens"),
        ({"key_tokens": ["abc"] * B}, TypeError, r"key_tokens\[0\]: expected a list of tokens"),
        ({"query_tokens": [[1] * K] * B}, TypeError, "expected strings, received int 1"),
        ({"key_tokens": {"(": [["a"]] * B}}, ValueError, "regular expressions as keys"),
        ({"tokens": [["a"]]}, TypeError, "expected a function"),
        (
            {"tokens": lambda *_: (None, None), "key_tokens": [["a"]] * B},
            ValueError,
            "received both",
        ),
    ],
)
def test_arguments_are_checked(
    new: Make, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        new(**arguments)


def test_a_dataset_is_refused_and_told_why(new: Make) -> None:
    tf: Any = pytest.importorskip("tensorflow")
    dataset = tf.data.Dataset.from_tensor_slices(models.source()).batch(2)
    for stream in (dataset, iter(dataset), (row for row in models.source())):
        with pytest.raises(TypeError, match="change the order in which the training sees its data"):
            new(stream)


def test_a_directory_that_cannot_be_written_is_told_at_construction(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="log_dir: expected a directory that can be written to"):
        AttentionCallback(tmp_path / "file" / "logs", models.source())


def test_another_writer_in_the_directory_is_an_error(tmp_path: Path, new: Make) -> None:
    with AttentionWriter(tmp_path / "train"):
        with pytest.raises(RuntimeError, match="nobody else writes attention"):
            fit(models.compiled(models.one_layer()), new(on_error="raise"))
        with pytest.warns(AttentionWarning, match="training goes on.*nobody else") as told:
            fit(models.compiled(models.one_layer()), new(), epochs=5)
    assert len(ours(told)) == 1


def test_two_callbacks_of_one_fit_cannot_share_a_directory(new: Make) -> None:
    callbacks = [new(), new(on_error="raise")]
    with pytest.raises(RuntimeError, match="nobody else writes attention"):
        fit(models.compiled(models.one_layer()), callbacks)
    for callback in callbacks:
        callback.on_train_end()


def test_a_failing_capture_warns_once_and_training_goes_on(
    new: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: list[int] = []

    def fail(self: Any) -> Any:
        attempts.append(1)
        raise ZeroDivisionError("no luck")

    monkeypatch.setattr(AttentionProbe, "capture", fail)
    model = models.compiled(models.one_layer())
    with pytest.warns(
        AttentionWarning, match=r"training goes on. ZeroDivisionError: no luck \(test_callback.py:"
    ) as told:
        fit(model, new(update_freq=1), epochs=2)
    assert len(ours(told)) == 1
    assert len(attempts) == 3  # then it gives up
    assert int(model.optimizer.iterations) == 10
    with pytest.raises(ZeroDivisionError):
        fit(model, new(on_error="raise"))


def test_attention_that_is_not_finite_is_recorded(tmp_path: Path, new: Make) -> None:
    model = models.compiled(models.one_layer())
    for variable in model.trainable_variables:
        variable.assign(variable * np.nan)
    fit(model, new())
    weights = AttentionReader(tmp_path).weights("train", "attention", 0)
    assert np.isnan(weights).all()


@keras_saves
def test_a_run_groups_with_that_of_keras_callbacks_tensorboard(tmp_path: Path, new: Make) -> None:
    pytest.importorskip("tensorflow")  # writes what that callback has to say
    board = keras.callbacks.TensorBoard(str(tmp_path), write_graph=False)
    fit(models.compiled(models.one_layer()), [board, new()])
    events = [path.parent.name for path in tmp_path.rglob("*tfevents*")]
    assert events == ["train", "train"]


def test_images_are_made_at_the_ends_and_once_in_each_epoch(tmp_path: Path, new: Make) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    callback = new(images=True, max_examples=2, update_freq=3)
    fit(models.compiled(models.one_layer()), callback, epochs=2)
    assert steps(tmp_path) == [0, 3, 6, 9, 10]
    events = EventAccumulator(str(tmp_path / "train"), {"tensors": 0, "images": 0}).Reload()
    tags = [f"attention/attention/example_{example}" for example in range(2)]
    found: Any = events.Tags()["tensors"]
    assert set(tags) <= set(found)
    for tag in tags:
        assert [event.step for event in events.Tensors(tag)] == [0, 3, 6, 10]


def test_decoder_alignments_reach_the_disk(tmp_path: Path, new: Make) -> None:
    source, target = models.source(), models.target()
    model = models.compiled(models.decoder())
    callback = new([source, target], query_tokens=text(target), key_tokens=text(source))
    x = [models.source(EXAMPLES), models.target(EXAMPLES)]
    model.fit(x, models.target(EXAMPLES), batch_size=BATCH, callbacks=[callback], verbose=0)
    reader = AttentionReader(tmp_path)
    assert reader.steps("train", "decoder/luong_attention") == [0, 5]
    assert reader.weights("train", "decoder/luong_attention", 5).shape == (B, 1, Q, K)
