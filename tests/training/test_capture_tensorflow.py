"""What is particular to capture on TensorFlow: state that Keras does not know."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from capture_models import UNITS, B, K, layers
from tb_attention_training import attention_maps
from tb_attention_training.capture.forward import CaptureError
from tb_attention_training.capture.probe import AttentionProbe


class Counting(keras.layers.Layer):
    """Changes state that is not a Keras variable whenever it runs."""

    def __init__(self, counter: Any, *, use: bool) -> None:
        super().__init__(name="attention")
        self.counter, self.use = [counter], use

    def call(self, x: Any) -> Any:
        count = self.counter[0].assign_add(1.0)
        scores = keras.ops.matmul(x, keras.ops.swapaxes(x, 1, 2))
        return keras.ops.matmul(keras.ops.softmax(scores * count if self.use else scores), x)


def counting_model(*, use: bool) -> tuple[Any, Any]:
    counter: Any = tf.Variable(tf.constant(0.0))
    x = keras.Input((K, UNITS))
    model = keras.Model(x, layers.Dense(2)(Counting(counter, use=use)(x)))
    counter.assign(0.0)
    return model, counter


def test_writes_outside_keras_variables_are_cut_out() -> None:
    model, counter = counting_model(use=False)
    probe = AttentionProbe(model, np.ones((B, K, UNITS), "float32"))
    for _ in range(2):
        assert probe.capture()[0].weights.shape == (B, 1, K, K)
    assert float(counter) == 0.0


def test_attention_that_depends_on_such_a_write_is_refused() -> None:
    model, counter = counting_model(use=True)
    with pytest.raises(CaptureError, match="not a Keras variable"):
        attention_maps(model, np.ones((B, K, UNITS), "float32"))
    assert float(counter) == 0.0
