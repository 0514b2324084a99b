"""What is particular to capture on PyTorch. `test_backends` runs it in an environment with it."""

# pyright: reportMissingImports=false
# PyTorch is no dependency of the development environment.

from __future__ import annotations

import math
from typing import Any

import capture_models as models
import keras
import numpy as np
import pytest
import torch
from capture_models import UNITS, B, K, Q, layers
from numpy.typing import NDArray
from tb_attention_training import attention_maps
from tb_attention_training.capture.forward import CaptureError
from tb_attention_training.capture.probe import AttentionProbe
from torch.nn.functional import scaled_dot_product_attention
from torch.nn.functional import softmax as softmax_by_name

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
        self.function = [function]  # a module in an attribute would become a layer

    def call(self, *tensors: Any) -> Any:
        return self.function[0](*tensors)


def maps(function: Any, *data: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
    inputs = [keras.Input(batch_shape=one.shape) for one in data]
    model = keras.Model(inputs, Run(function, name="attention")(*inputs))
    return attention_maps(model, list(data))


KEEP = np.random.default_rng(7).random((B, 1, Q, K)) < 0.7
KEEP[..., 0] = True
BIAS = normal(B, HEADS, Q, K, seed=5)

FUSED: dict[str, tuple[dict[str, Any], Any, Any]] = {
    "plain": ({}, True, 0),
    "boolean mask": ({"attn_mask": torch.tensor(KEEP)}, KEEP, 0),
    "additive mask": ({"attn_mask": torch.tensor(np.where(KEEP, 0.0, -math.inf))}, KEEP, 0),
    "bias": ({"attn_mask": torch.tensor(BIAS)}, True, BIAS),
    "causal": ({"is_causal": True}, np.tri(Q, K, dtype=bool), 0),
}


@pytest.mark.parametrize("case", FUSED)
def test_fused_attention_of_torch(case: str) -> None:
    options, allowed, bias = FUSED[case]
    options = {
        name: value.float() if torch.is_tensor(value) and value.dtype == torch.float64 else value
        for name, value in options.items()
    }
    data = [normal(B, HEADS, Q, DEPTH), normal(B, KEY_HEADS, K, DEPTH, seed=1)]
    keys = np.repeat(data[1], HEADS // KEY_HEADS, axis=1)
    scores = data[0] @ keys.swapaxes(-1, -2) * DEPTH**-0.5 + bias
    expected = softmax(np.where(allowed, scores, -1e30))
    found = maps(
        lambda q, k: scaled_dot_product_attention(q, k, k, enable_gqa=True, **options), *data
    )
    np.testing.assert_allclose(found["attention"], expected, atol=TOLERANCE)


def test_a_query_without_keys_has_no_weights_as_in_the_kernel() -> None:
    keep = torch.ones((B, 1, Q, K), dtype=torch.bool)
    keep[:, :, 2] = False
    data = [normal(B, HEADS, Q, DEPTH), normal(B, HEADS, K, DEPTH, seed=1)]
    outputs: list[Any] = []

    def attend(q: Any, k: Any) -> Any:
        outputs.append(scaled_dot_product_attention(q, k, k, attn_mask=keep, scale=0.3))
        return outputs[-1]

    found = maps(attend, *data)["attention"]
    assert (found[:, :, 2] == 0).all()
    np.testing.assert_allclose(found @ data[1], outputs[-1].numpy(), atol=TOLERANCE)


def test_a_softmax_imported_by_name_is_seen() -> None:
    data = normal(B, K, UNITS)
    found = maps(lambda x: softmax_by_name(x @ x.mT, dim=-1) @ x, data)
    expected = softmax(data @ data.transpose(0, 2, 1))
    np.testing.assert_allclose(found["attention"][:, 0], expected, atol=TOLERANCE)


def test_weights_under_vmap_are_an_error_that_says_so() -> None:
    with pytest.raises(CaptureError, match=r"`torch.vmap`: attention .*`exclude=`"):
        maps(torch.vmap(lambda x: torch.softmax(x @ x.mT, -1) @ x), normal(B, K, UNITS))


class Running(torch.nn.Module):
    """A module with statistics of its own, which Keras does not know as variables."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Any) -> Any:
        self.eval()
        self.calls += 1
        return x + torch.rand(())


def test_modes_buffers_gradients_and_random_numbers_stay_as_they_are() -> None:
    running = Running()
    x = keras.Input((K, UNITS), batch_size=B)
    y = layers.Attention(name="attention")([Run(running)(x), x])
    model = keras.Model(x, layers.Dense(2)(y))
    holder: Any = model
    holder.add_module("running", running)
    running.train()
    running.calls.zero_()
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    probe = AttentionProbe(model, normal(B, K, UNITS))
    for _ in range(2):
        probe.capture()
    assert running.training
    assert running.calls == 0
    assert torch.equal(torch.rand(4), expected)
    assert torch.is_grad_enabled()
    assert all(parameter.grad is None for parameter in holder.parameters())


def test_a_mixed_precision_model_is_recorded_in_float32() -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        found = attention_maps(models.one_layer(), models.source())["attention"]
    finally:
        keras.config.set_dtype_policy("float32")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(-1), 1, atol=0.02)
