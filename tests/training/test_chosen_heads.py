"""`heads=`: some heads are recorded, under the numbers that they have in the model.

Here the tests run on the backend at hand; `tests/matrix` runs them on the others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import capture_models as models
import keras
import numpy as np
import pytest
from capture_models import HEADS, KEY_DIM, UNITS, VOCABULARY, B, K, Q, layers
from fitting import fit, ours
from tb_attention_training import AttentionCallback, AttentionWarning, attention_maps
from tb_attention_training.capture import trace
from tb_attention_training.capture.heads import ChosenHeads
from tb_attention_training.capture.maps import LayerAttention
from tb_attention_training.capture.probe import AttentionProbe

from tb_attention_plugin import AttentionReader

INPUTS = [models.source(), models.target()]
CHOSEN = (0, 2)
LAYERS = ["encoder_attention", "causal_attention", "cross_attention"]


def capture(model: Any, inputs: Any, heads: Any) -> dict[str, LayerAttention]:
    probe = AttentionProbe(model, inputs, heads=ChosenHeads.of(heads))
    return {one.layer: one for one in probe.capture()}


def assert_chosen(one: LayerAttention, whole: LayerAttention, heads: tuple[int, ...]) -> None:
    """Of the heads alone, and all else as without choosing."""
    assert one.heads == heads
    np.testing.assert_array_equal(one.weights, whole.weights[:, list(heads)])
    np.testing.assert_array_equal(one.query_lengths, whole.query_lengths)  # pyright: ignore
    np.testing.assert_array_equal(one.key_lengths, whole.key_lengths)  # pyright: ignore
    assert one.causal is whole.causal


def callback(log_dir: Path, inputs: Any, **arguments: Any) -> AttentionCallback:
    return AttentionCallback(log_dir, inputs, images=False, on_error="raise", **arguments)


def fit_transformer(one: AttentionCallback) -> None:
    x = [models.source(23), models.target(23)]
    model = models.compiled(models.transformer())
    model.fit(x, models.target(23, seed=5), batch_size=5, callbacks=[one], verbose=0)


@pytest.mark.parametrize("dropout", [0.0, 0.5])  # a fused kernel, then a softmax
def test_chosen_heads_are_those_of_all_heads(dropout: float) -> None:
    model = models.transformer(dropout=dropout)
    whole, found = capture(model, INPUTS, None), capture(model, INPUTS, [2, 0])
    assert list(found) == list(whole)
    assert len(whole) == 3
    for name, one in found.items():
        assert whole[name].weights.shape[1] == HEADS
        assert_chosen(one, whole[name], CHOSEN)


def test_heads_by_layer_name_or_expression() -> None:
    heads = {"cross_attention": [1], "_attention": [2], "cross": [0]}
    found = capture(models.transformer(), INPUTS, heads)
    assert {name: one.heads for name, one in found.items()} == {
        "encoder_attention": (2,),
        "causal_attention": (2,),
        "cross_attention": (1,),
    }
    found = capture(models.transformer(), INPUTS, {"^encoder": [1]})
    assert {name: one.heads for name, one in found.items()} == {
        "encoder_attention": (1,),
        "causal_attention": None,
        "cross_attention": None,
    }
    assert found["cross_attention"].weights.shape == (B, HEADS, Q, K)


def test_only_chosen_heads_are_copied_from_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[tuple[int, ...]] = []
    read = trace.Plan.read

    def reading(self: trace.Plan, arrays: Any, batch: int) -> Any:
        shapes.extend(array.shape for array in arrays if array.ndim == 4 and array.shape[1] > 1)
        return read(self, arrays, batch)

    monkeypatch.setattr(trace.Plan, "read", reading)
    capture(models.transformer(), INPUTS, CHOSEN)
    assert sorted(shapes) == sorted([(B, 2, K, K), (B, 2, Q, Q), (B, 2, Q, K)])


class MaskedByHand(keras.layers.Layer):
    """Heads by hand; adds -1e9 to scores, or hands a mask of each head to a Softmax layer."""

    def __init__(self, *, layer: bool, sharpness: float) -> None:
        super().__init__(name="attention")
        self.sharpness = sharpness  # of head 1
        self.softmax = layers.Softmax() if layer else None

    def call(self, x: Any) -> Any:
        ops: Any = keras.ops
        heads = ops.reshape(x, (B, K, HEADS, KEY_DIM))
        scores = ops.einsum("bqhd,bkhd->bhqk", heads, heads)
        sharpness = np.array([1, self.sharpness, 1], "float32")[:, None, None]
        scores = scores * ops.convert_to_tensor(sharpness)
        valid = ops.convert_to_tensor(VALID)
        if self.softmax is not None:
            weights = self.softmax(scores, mask=valid)
        else:
            weights = ops.softmax(scores - 1e9 * ops.cast(ops.logical_not(valid), "float32"))
        return ops.reshape(ops.einsum("bhqk,bkhd->bqhd", weights, heads), (B, K, HEADS * KEY_DIM))


VALID = np.broadcast_to((models.source() > 0)[:, None, None, :], (B, HEADS, K, K)).copy()


@pytest.mark.parametrize("sharpness", [1, 300])  # with zeros that, alone, look like a mask
@pytest.mark.parametrize("layer", [True, False], ids=["a Softmax layer", "added to the scores"])
def test_masks_are_read_as_without_choosing(layer: bool, sharpness: float) -> None:
    x = keras.Input((K, HEADS * KEY_DIM), batch_size=B)
    model = keras.Model(x, MaskedByHand(layer=layer, sharpness=sharpness)(x))
    data = np.random.default_rng(3).normal(size=(B, K, HEADS * KEY_DIM)).astype("float32")
    whole = capture(model, data, None)["attention"]
    if layer or sharpness == 1:
        assert whole.key_lengths is not None
        assert whole.key_lengths.tolist() == VALID[:, 0, 0].sum(-1).tolist()
    else:
        assert whole.key_lengths is None
    for head in range(HEADS):
        assert_chosen(capture(model, data, [head])["attention"], whole, (head,))


def test_heads_of_attention_over_several_axes() -> None:
    x = keras.Input((3, 5, UNITS), batch_size=B)
    attention = layers.MultiHeadAttention(HEADS, KEY_DIM, attention_axes=(1, 2), name="attention")
    model = keras.Model(x, attention(x, x))
    data = np.random.default_rng(3).normal(size=(B, 3, 5, UNITS)).astype("float32")
    whole = capture(model, data, None)["attention"]
    one = capture(model, data, [2])["attention"]
    assert one.weights.shape == (B, 1, 15, 15)
    assert one.heads == (2,)
    np.testing.assert_array_equal(one.weights[:, 0], whole.weights[:, 2])


def test_what_is_recorded_carries_the_numbers(tmp_path: Path) -> None:
    fit_transformer(callback(tmp_path, INPUTS, update_freq=2, heads={"cross": [2], ".": [0, 2]}))
    reader = AttentionReader(tmp_path)
    assert sorted(reader.layers("train")) == sorted(LAYERS)
    expected = attention_maps(models.transformer(), INPUTS)
    for layer in LAYERS:
        heads = [2] if layer == "cross_attention" else [0, 2]
        assert reader.steps("train", layer) == [0, 2, 4, 5]
        for step in (0, 2, 4, 5):
            assert reader.heads("train", layer, step) == heads
            assert reader.weights("train", layer, step).shape[1] == len(heads)
        np.testing.assert_allclose(
            reader.weights("train", layer, 0), expected[layer][:, heads], atol=6e-4, rtol=0.01
        )


def test_heads_that_a_layer_does_not_have_are_told_once(tmp_path: Path) -> None:
    one = callback(
        tmp_path, INPUTS, update_freq=1, heads={"cross": [HEADS, 7], "causal": [1, HEADS]}
    )
    said = (
        "heads: layer 'causal_attention' has 3 heads, numbered from 0, and no 3; layer "
        "'cross_attention' has 3 heads, numbered from 0, and no 3, 7. Recorded are"
    )
    with pytest.warns(AttentionWarning, match=said) as told:
        fit_transformer(one)
    assert len(ours(told)) == 1
    reader = AttentionReader(tmp_path)
    assert sorted(reader.layers("train")) == ["causal_attention", "encoder_attention"]
    assert reader.heads("train", "causal_attention") == [1]
    assert reader.heads("train", "encoder_attention") == [0, 1, 2]
    assert reader.steps("train", "encoder_attention") == list(range(6))


def test_a_training_of_which_no_head_is_chosen_goes_on(tmp_path: Path) -> None:
    model = models.compiled(models.one_layer())
    with pytest.warns(AttentionWarning, match="has 3 heads, numbered from 0, and no 5") as told:
        fit(model, callback(tmp_path, models.source(), update_freq=1, heads=[5]))
    assert len(ours(told)) == 1
    assert int(model.optimizer.iterations) == 5
    assert AttentionReader(tmp_path).runs() == []


def test_the_budget_of_a_capture_counts_what_is_kept(tmp_path: Path) -> None:
    limit = 4 * B * len(CHOSEN) * K * K
    one = callback(tmp_path, models.source(), heads=CHOSEN, max_bytes_per_capture=limit)
    fit(models.compiled(models.one_layer()), one)  # a warning is an error
    weights = AttentionReader(tmp_path).weights("train", "attention", 5)
    assert weights.shape == (B, len(CHOSEN), K, K)
    with pytest.warns(AttentionWarning, match=f"of the first {B - 1}"):
        fit(
            models.compiled(models.one_layer()),
            callback(
                tmp_path / "less", models.source(), heads=CHOSEN, max_bytes_per_capture=limit - 1
            ),
        )


@pytest.mark.parametrize(
    ("heads", "error", "said"),
    [
        (3, TypeError, r"heads: expected a sequence of head numbers, e.g. \[3, 7\], received 3"),
        ("37", TypeError, "heads: expected a sequence of head numbers.*received '37'"),
        ([0.5], TypeError, "heads: expected head numbers, received float 0.5"),
        ([True], TypeError, "heads: expected head numbers, received bool True"),
        ([], ValueError, "heads: expected at least one head.*`exclude`"),
        ([-1], ValueError, "heads: expected numbers from 0 to 65535, received.*from the end"),
        ([1 << 16], ValueError, "heads: expected numbers from 0 to 65535"),
        ([3, 3], ValueError, "heads: expected each head once"),
        ({"a": "3"}, TypeError, r"heads\['a'\]: expected a sequence"),
        ({"(": [3]}, ValueError, "heads: expected layer names or regular expressions.*rejects"),
        ({3: [3]}, TypeError, "heads: expected layer names or regular expressions.*received int 3"),
    ],
)
def test_wrong_heads_are_refused_at_once(
    tmp_path: Path, heads: Any, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        callback(tmp_path, models.source(), heads=heads)


def test_heads_may_be_of_numpy(tmp_path: Path) -> None:
    fit(
        models.compiled(models.one_layer()),
        callback(tmp_path, models.source(), heads=np.array([1])),
    )
    assert AttentionReader(tmp_path).heads("train", "attention") == [1]


assert len({B, HEADS, K, Q, UNITS, VOCABULARY}) == 6
