"""What a recording may take, and that what is left out is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import capture_models as models
import numpy as np
import pytest
from capture_models import HEADS, B, K, Q
from fitting import BATCH, EXAMPLES, fit, steps
from tb_attention_training import AttentionCallback, AttentionWarning

from tb_attention_plugin import AttentionReader

MAP = 4 * HEADS * K * K  # bytes of one example of the layer


def callback(log_dir: Path, **arguments: Any) -> AttentionCallback:
    return AttentionCallback(log_dir, models.source(), images=False, on_error="raise", **arguments)


def size(log_dir: Path) -> int:
    return sum(file.stat().st_size for file in log_dir.rglob("*") if file.is_file())


@pytest.mark.parametrize(("limit", "examples"), [(3 * MAP + 1, 3), (MAP // 2, 1)])
def test_a_capture_takes_as_many_examples_as_fit(tmp_path: Path, limit: int, examples: int) -> None:
    tokens = [[str(i) for i in row if i] for row in models.source()]
    one = callback(tmp_path, max_bytes_per_capture=limit, update_freq=1, key_tokens=tokens)
    said = rf"{B} examples takes .* more than max_bytes_per_capture={limit}.*first {examples}\."
    with pytest.warns(AttentionWarning, match=said) as told:
        fit(models.compiled(models.one_layer()), one)
    assert len(told) == 1
    reader = AttentionReader(tmp_path)
    assert steps(tmp_path) == list(range(6))
    for step in range(6):
        assert reader.weights("train", "attention", step).shape == (examples, HEADS, K, K)
        assert [k for _, k in reader.tokens("train", "attention", step)] == tokens[:examples]


def test_layers_beyond_the_budget_are_left_out_by_name(tmp_path: Path) -> None:
    inputs = [models.source(), models.target()]
    limit = 4 * HEADS * Q * Q + 1  # of the causal attention, which the model calls first
    one = AttentionCallback(
        tmp_path, inputs, images=False, on_error="raise", max_bytes_per_capture=limit
    )
    model = models.compiled(models.transformer())
    x = [models.source(EXAMPLES), models.target(EXAMPLES)]
    said = "leaves out the layers 'encoder_attention', 'cross_attention'"
    with pytest.warns(AttentionWarning, match=said) as told:
        model.fit(x, models.target(EXAMPLES), batch_size=BATCH, callbacks=[one], verbose=0)
    assert len(told) == 1
    assert AttentionReader(tmp_path).layers("train") == ["causal_attention"]


def test_a_run_stops_at_its_budget_but_for_the_end_of_the_training(tmp_path: Path) -> None:
    unlimited = tmp_path / "unlimited"
    fit(models.compiled(models.one_layer()), callback(unlimited, update_freq=1), epochs=8)
    limit = size(unlimited) // 2
    limited = tmp_path / "limited"
    one = callback(limited, update_freq=1, max_bytes_per_run=limit)
    with pytest.warns(AttentionWarning, match=f"all of max_bytes_per_run={limit} ") as told:
        fit(models.compiled(models.one_layer()), one, epochs=8)
    assert len(told) == 1
    recorded = steps(limited)
    stopped = recorded[-2]
    assert recorded == [*range(stopped + 1), 40]
    assert f"from step {stopped + 1} on" in str(told[0].message)
    assert 0.7 * limit < size(limited) < 1.05 * limit  # what a record takes is an estimate


def test_what_earlier_fits_have_written_counts(tmp_path: Path) -> None:
    model = models.compiled(models.one_layer())
    fit(model, callback(tmp_path, update_freq=1))
    again = callback(tmp_path, update_freq=1, max_bytes_per_run=size(tmp_path))
    with pytest.warns(AttentionWarning, match="max_bytes_per_run"):
        fit(model, again)
    assert steps(tmp_path) == [*range(6), 10]


def test_long_maps_are_pooled_and_their_metrics_are_of_all_weights(tmp_path: Path) -> None:
    tokens = [[str(i) for i in row] for row in models.source()]
    for name, limit in (("whole", None), ("pooled", 4)):
        one = callback(tmp_path / name, max_length=limit, key_tokens=tokens, precision="float32")
        fit(models.compiled(models.one_layer()), one)
    reader = AttentionReader(tmp_path)
    assert reader.pooling("pooled/train", "attention", 5) == (3, 3)
    whole, pooled = (
        reader.weights(f"{name}/train", "attention", 0) for name in ("whole", "pooled")
    )
    assert pooled.shape == (B, HEADS, 4, 4)
    np.testing.assert_array_equal(pooled[..., 1, 3], whole[..., 3:6, 9:].max((-2, -1)))
    assert reader.tokens("pooled/train", "attention", 0)[2][1][1] == " ".join(tokens[2][3:6])
    for name, values in reader.metrics("whole/train", "attention").items():
        np.testing.assert_array_equal(
            reader.metrics("pooled/train", "attention")[name][0], values[0], err_msg=name
        )


@pytest.mark.parametrize("name", ["max_length", "max_bytes_per_capture", "max_bytes_per_run"])
def test_a_limit_of_nothing_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name}: expected 1 or more.*received 0"):
        callback(tmp_path, **{name: 0})


assert len({B, HEADS, K, Q}) == 4
