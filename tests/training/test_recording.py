"""`record_attention`, on every backend of Keras."""

from __future__ import annotations

import threading
from typing import Any

import capture_models as models
import keras
import numpy as np
import pytest
from capture_models import HEADS, UNITS, B, K, Q, layers
from tb_attention_training import AttentionWarning, attention_maps, record_attention, tap

TOLERANCE = 1e-6


@pytest.fixture(scope="module")
def model() -> Any:
    return models.compiled(models.transformer(dropout=0.3))


def inputs(examples: int = B) -> Any:
    return [models.source(examples), models.target(examples)]


def assert_unpatched(model: Any) -> None:
    assert "call" not in vars(model)
    assert not model.run_eagerly
    assert "dispatch" not in keras.Operation.__call__.__qualname__


def test_a_call_is_recorded(model: Any) -> None:
    expected = attention_maps(model, inputs())
    with record_attention(model) as recording:
        assert recording.maps == {}
        model(inputs())
    assert_unpatched(model)
    assert len(recording.forwards) == 1
    assert list(recording.maps) == list(expected)
    for layer, weights in recording.maps.items():
        assert weights.dtype == np.float32
        np.testing.assert_allclose(weights, expected[layer], atol=TOLERANCE)
    assert recording.maps["cross_attention"].shape == (B, HEADS, Q, K)
    model(inputs())
    assert len(recording.forwards) == 1


def test_each_batch_of_predict_is_recorded_and_what_was_compiled_is_back(model: Any) -> None:
    before = model.predict(inputs(), verbose=0)
    compiled = model.predict_function
    with record_attention(model, layers="cross") as recording:
        predicted = model.predict(inputs(), batch_size=3, verbose=0)
    np.testing.assert_allclose(predicted, before, atol=1e-5)
    assert model.predict_function is compiled
    assert [one["cross_attention"].shape[0] for one in recording.forwards] == [3, 2]
    whole = np.concatenate([one["cross_attention"] for one in recording.forwards])
    expected = attention_maps(model, inputs())["cross_attention"]
    np.testing.assert_allclose(whole, expected, atol=TOLERANCE)
    assert_unpatched(model)


def test_nothing_stays_after_an_exception(model: Any) -> None:
    with pytest.raises(RuntimeError, match="mine"), record_attention(model):
        raise RuntimeError("mine")
    assert_unpatched(model)
    with pytest.raises(Exception), record_attention(model) as recording:  # noqa: B017, PT011
        model([models.source()[:, :3].astype("float32")])
    assert recording.forwards == []
    assert_unpatched(model)


class Tapping(keras.layers.Layer):
    def call(self, x: Any) -> Any:
        return keras.ops.matmul(tap("mine", keras.ops.matmul(x, keras.ops.swapaxes(x, 1, 2))), x)


def test_recordings_nest_for_one_model_and_for_a_model_in_a_model() -> None:
    x = keras.Input((K, UNITS))
    inner = keras.Model(x, Tapping(name="tapping")(layers.Attention(name="attention")([x, x])))
    y = keras.Input((K, UNITS))
    outer = keras.Model(y, layers.Dense(2)(inner(y)))
    data = np.random.default_rng(0).normal(size=(B, K, UNITS)).astype("float32")
    with record_attention(outer) as all_, record_attention(inner) as part:
        with record_attention(inner, exclude="tapping") as again:
            outer(data)
        maps = attention_maps(inner, data)  # a pass of its own, which is nobody's
        inner(data)
    assert [sorted(one) for one in part.forwards] == [["attention", "tapping/mine"]] * 2
    assert [list(one) for one in again.forwards] == [["attention"]]
    assert [sorted(name.split("/", 1)[1] for name in one) for one in all_.forwards] == [
        ["attention", "tapping/mine"]
    ]
    for name, weights in maps.items():
        np.testing.assert_allclose(part.maps[name], weights, rtol=1e-5, atol=1e-5)


def test_threads_record_their_own_passes_only(model: Any) -> None:
    entered, left = threading.Barrier(2), threading.Event()
    counts: dict[int, list[int]] = {}

    def work(examples: int) -> None:
        with record_attention(model) as recording:
            entered.wait()
            model(inputs(examples))
            if examples == 2:
                left.wait()  # the other one leaves first
                model(inputs(examples))
        counts[examples] = [one["cross_attention"].shape[0] for one in recording.forwards]
        left.set()

    threads = [threading.Thread(target=work, args=(examples,)) for examples in (2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == {2: [2, 2], 3: [3]}
    assert_unpatched(model)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a compiled function of TF")
def test_a_pass_of_a_compiled_function_is_said_not_to_be_recorded(model: Any) -> None:
    import tensorflow as tf

    with (
        record_attention(model, layers="cross") as recording,
        pytest.warns(AttentionWarning, match="compiled function .* cross_attention"),
    ):
        tf.function(lambda: model(inputs()))()
    assert recording.forwards == []
