"""What is particular to capture on JAX. `test_backends` runs it in an environment with JAX."""

# pyright: reportMissingImports=false
# JAX is no dependency of the development environment.

from __future__ import annotations

from typing import Any

import jax
import keras
import numpy as np
import pytest
from capture_models import UNITS, B, K, Q, layers
from numpy.typing import NDArray
from tb_attention_training import attention_maps
from tb_attention_training.capture.forward import CaptureError

TOLERANCE = 1e-6
HEADS, KEY_HEADS, DEPTH = 6, 2, 3


def normal(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def softmax(scores: Any) -> Any:
    exponentials = np.exp(scores - scores.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)


class Run(keras.layers.Layer):
    """Calls a function of the tensors that it is called with."""

    def __init__(self, function: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.function = function

    def call(self, *tensors: Any) -> Any:
        return self.function(*tensors)


def maps(function: Any, *data: NDArray[Any], **kwargs: Any) -> dict[str, NDArray[np.float32]]:
    inputs = [keras.Input(batch_shape=one.shape) for one in data]
    model = keras.Model(inputs, Run(function, name="attention")(*inputs))
    return attention_maps(model, list(data), **kwargs)


KEEP = np.random.default_rng(7).random((B, 1, Q, K)) < 0.7
KEEP[..., 0] = True
QUERY_LENGTHS = np.array([7, 5, 3, 2, 1], "int32")
KEY_LENGTHS = np.array([11, 7, 5, 3, 2], "int32")
ROWS, COLUMNS = np.arange(Q)[:, None], np.arange(K)

FUSED: dict[str, tuple[dict[str, Any], Any]] = {
    "plain": ({}, True),
    "mask": ({"mask": KEEP}, KEEP),
    "causal": ({"is_causal": True}, ROWS >= COLUMNS),
    "window": ({"local_window_size": (2, 1)}, (ROWS <= COLUMNS + 2) & (ROWS >= COLUMNS - 1)),
    "lengths": (
        {"key_value_seq_lengths": KEY_LENGTHS},
        (KEY_LENGTHS[:, None] > COLUMNS)[:, None, None],
    ),
}


@pytest.mark.parametrize("case", FUSED)
def test_fused_attention_of_jax(case: str) -> None:
    options, allowed = FUSED[case]
    data = [normal(B, Q, HEADS, DEPTH), normal(B, K, KEY_HEADS, DEPTH, seed=1)]
    scores = np.einsum("bqhd,bkhd->bhqk", data[0], np.repeat(data[1], HEADS // KEY_HEADS, axis=2))
    expected = softmax(np.where(allowed, scores * DEPTH**-0.5, -1e30))
    found = maps(lambda q, k: jax.nn.dot_product_attention(q, k, k, **options), *data)
    np.testing.assert_allclose(found["attention"], expected, atol=TOLERANCE)


def test_query_lengths_hide_everything_from_padding() -> None:
    data = [normal(B, Q, HEADS, DEPTH), normal(B, K, HEADS, DEPTH, seed=1)]
    scores = np.einsum("bqhd,bkhd->bhqk", *data) * DEPTH**-0.5
    valid = (np.arange(Q) < QUERY_LENGTHS[:, None])[:, None, :, None]
    found = maps(
        lambda q, k: jax.nn.dot_product_attention(q, k, k, query_seq_lengths=QUERY_LENGTHS), *data
    )["attention"]
    np.testing.assert_allclose(found * valid, softmax(scores) * valid, atol=TOLERANCE)


def attend(queries: Any, values: Any) -> Any:
    return jax.nn.softmax(queries @ values.mT, axis=-1) @ values


def test_weights_under_vmap_are_an_error_that_says_so() -> None:
    data = [normal(B, Q, UNITS), normal(B, K, UNITS, seed=1)]
    with pytest.raises(CaptureError, match=r"`jax.vmap`.*: attention .*`exclude=`"):
        maps(jax.vmap(attend), *data)


def test_the_rest_of_a_model_with_such_a_function_can_be_recorded() -> None:
    x = keras.Input((K, UNITS), batch_size=B)
    y = Run(lambda x: jax.vmap(attend)(x, x), name="vmapped_attention")(x)
    model = keras.Model(x, layers.Attention(name="attention")([y, y]))
    assert list(attention_maps(model, normal(B, K, UNITS), exclude="vmapped")) == ["attention"]


def test_a_while_loop_is_run_eagerly() -> None:
    data = normal(B, K, UNITS)

    def loop(x: Any) -> Any:
        def attend_once(state: Any) -> Any:
            index, y = state
            return index + 1, jax.nn.softmax(y @ x.mT) @ x

        return jax.lax.while_loop(lambda state: state[0] < jax.numpy.int32(2), attend_once, (0, x))[
            1
        ]

    found = maps(loop, data)
    first = softmax(data @ data.transpose(0, 2, 1))
    second = softmax((first @ data) @ data.transpose(0, 2, 1))
    assert list(found) == ["attention#0", "attention#1"]
    np.testing.assert_allclose(found["attention#0"][:, 0], first, atol=TOLERANCE)
    np.testing.assert_allclose(found["attention#1"][:, 0], second, atol=TOLERANCE)
