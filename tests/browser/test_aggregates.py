"""Aggregates and masks on the log of the demo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tb_attention_plugin import AttentionReader
from tests.browser.tab import Tab, TensorBoard

pytestmark = [pytest.mark.browser, pytest.mark.slow]

OpenTab = Callable[..., Tab]
LAYERS = ("encoder/layer_0/self_attention", "encoder/layer_1/self_attention")


@pytest.fixture(scope="module")
def encoder(demo_log: Path) -> NDArray[np.float64]:
    """[layers, heads, queries, keys] of the first example at the last step, without padding."""
    reader = AttentionReader(demo_log)
    (run,) = [run for run in reader.runs() if "transformer" in run]
    step = reader.steps(run, LAYERS[0])[-1]
    length, _ = reader.lengths(run, LAYERS[0], step)[0]
    maps = [reader.weights(run, layer, step)[0, :, :length, :length] for layer in LAYERS]
    return np.stack(maps).astype(np.float64)


def open_layer(board: TensorBoard, open_tab: OpenTab, layer: str, more: str = "") -> Tab:
    tab = open_tab(
        board.address, f"&p.attention.run=transformer/train&p.attention.layer={layer}{more}"
    )
    tab.wait_for_map(layer=layer)
    return tab


def rollout(layers: NDArray[np.float64]) -> NDArray[np.float64]:
    joint = np.eye(layers.shape[-1])
    for mean in layers.mean(1):
        mixed = 0.5 * mean + 0.5 * np.eye(len(mean))
        joint = (mixed / mixed.sum(-1, keepdims=True)) @ joint
    return joint


def test_aggregates_are_what_numpy_makes_of_the_log(
    board: TensorBoard, encoder: NDArray[np.float64], open_tab: OpenTab
) -> None:
    tab = open_layer(board, open_tab, LAYERS[1])
    expected = {
        "mean": encoder[1].mean(0),
        "max": encoder[1].max(0),
        "layers": encoder.mean((0, 1)),
        "rollout": rollout(encoder),
    }
    for kind, weights in expected.items():
        tab.frame.get_by_test_id("head-picker").click()
        tab.frame.locator(f'.picker-option[data-value="{kind}"]').click()
        tab.wait_for_map(aggregate=kind)
        for query, key in ((2, 3), (7, 1)):
            assert tab.hover(query, key) == pytest.approx(weights[query, key], abs=1e-6)
    assert "Rollout L0–L1" in tab.text("aggregate")
    tab.page.wait_for_url("**p.attention.aggregate=rollout*")


def test_an_aggregate_that_means_nothing_says_why(board: TensorBoard, open_tab: OpenTab) -> None:
    tab = open_layer(board, open_tab, "decoder/layer_1/cross_attention")
    tab.frame.get_by_test_id("head-picker").click()
    option = tab.frame.locator('.picker-option[data-value="rollout"]')
    assert option.get_attribute("aria-disabled") == "true"
    assert "self-attention" in option.inner_text()
    option.click(force=True)
    assert tab.map_attribute("aggregate") == ""


def test_the_first_key_is_hidden_and_the_rest_renormalised(
    board: TensorBoard, encoder: NDArray[np.float64], open_tab: OpenTab
) -> None:
    tab = open_layer(board, open_tab, LAYERS[0])
    tab.frame.get_by_test_id("hide-picker").click()
    tab.frame.locator('.picker-option[data-value="first"]').click()
    assert tab.text("masked") == "first key hidden, rows renormalised"
    head = encoder[0, 0]
    for query, key in ((3, 2), (6, 9)):
        expected = head[query, key] * head[query].sum() / head[query, 1:].sum()
        assert tab.hover(query, key) == pytest.approx(expected, abs=1e-6)
    assert tab.hover(4, 0) == 0
    # What was recorded is not said of what is shown.
    assert tab.frame.get_by_test_id("checks").count() == 0
