"""The tab on the log of the demo, as a newcomer meets it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tb_attention_plugin import AttentionReader
from tests.browser.tab import Tab, TensorBoard

pytestmark = [pytest.mark.browser, pytest.mark.slow]

OpenTab = Callable[..., Tab]


@pytest.fixture(scope="module")
def board(demo_log: Path, start_tensorboard: Callable[..., TensorBoard]) -> TensorBoard:
    return start_tensorboard(demo_log, tensorflow=True)


def run_named(reader: AttentionReader, part: str) -> str:
    (name,) = [run for run in reader.runs() if part in run]
    return name


def test_rnn_moves_from_diffuse_to_aligned(reader: AttentionReader) -> None:
    run = run_named(reader, "luong")
    (layer,) = reader.layers(run)
    entropy = reader.metrics(run, layer)["entropy"].mean((1, 2))
    focus = reader.metrics(run, layer)["max_weight"].mean((1, 2))
    assert entropy[0] > 0.9
    assert entropy[-1] < 0.5
    assert focus[0] < 0.2
    assert focus[-1] > 0.6


def test_transformer_shows_self_cross_and_causal_attention(reader: AttentionReader) -> None:
    run = run_named(reader, "transformer")
    layers = reader.layers(run)
    step = reader.steps(run, layers[0])[-1]
    upper: dict[str, float] = {}
    for layer in layers:
        weights = reader.weights(run, layer, step)
        assert weights.shape[1] > 1, "several heads"
        upper[layer] = float(np.triu(weights, 1).max())
    assert len([name for name in layers if "cross" in name]) >= 2
    causal = [name for name, mass in upper.items() if mass == 0]
    assert causal
    assert all("decoder" in name for name in causal)


def test_first_screen_is_complete_and_nothing_complains(
    board: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    tab = open_tab(board.address)
    tab.wait_for_map()
    run, layer = tab.map_attribute("run"), tab.map_attribute("layer")
    assert run in reader.runs()
    assert layer in reader.layers(run)
    assert f"{len(reader.steps(run, layer))}" in tab.text("record-count")
    complaints = [line for line in board.log if "security" in line.lower() or "Error" in line]
    assert complaints == []


def test_typed_step_arrow_keys_and_slider_reach_every_record(
    board: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    run = run_named(reader, "luong")
    (layer,) = reader.layers(run)
    steps = reader.steps(run, layer)
    tab = open_tab(board.address, f"&p.attention.run={run}")
    tab.wait_for_map(run=run)
    field = tab.frame.get_by_test_id("step-input")
    for step in (steps[0], steps[len(steps) // 2], steps[-1]):
        field.fill(str(step))
        field.press("Enter")
        tab.wait_for_map(run=run, step=step)
    tab.frame.get_by_test_id("first").click()
    tab.wait_for_map(step=steps[0])
    slider = tab.frame.get_by_test_id("slider")
    slider.focus()
    for step in steps[1:6]:
        slider.press("ArrowRight")
        tab.wait_for_map(step=step)
    slider.press("ArrowLeft")
    tab.wait_for_map(step=steps[4])


def test_hovered_value_is_the_recorded_weight(
    board: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    run = run_named(reader, "luong")
    (layer,) = reader.layers(run)
    step = reader.steps(run, layer)[-1]
    weights = reader.weights(run, layer, step)[1, 0]
    tab = open_tab(
        board.address, f"&p.attention.run={run}&p.attention.example=1&p.attention.step={step}"
    )
    tab.wait_for_map(run=run, step=step, example=1)
    queries, keys = int(tab.map_attribute("queries")), int(tab.map_attribute("keys"))
    for query, key in ((0, 0), (3, 5), (queries - 1, keys - 1)):
        assert tab.hover(query, key) == pytest.approx(float(weights[query, key]), abs=1e-7)


def test_play_walks_through_the_records_and_pause_stops(
    board: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    run = run_named(reader, "transformer")
    steps = reader.steps(run, reader.layers(run)[0])
    tab = open_tab(board.address, f"&p.attention.run={run}&p.attention.step={steps[0]}")
    tab.wait_for_map(run=run, step=steps[0])
    play = tab.frame.get_by_test_id("play")
    play.click()
    tab.frame.locator(
        f'[data-testid="map"][data-state="ready"]:not([data-step="{steps[0]}"])'
    ).wait_for()
    play.click()
    tab.frame.locator('[data-testid="play"][data-playing="false"]').wait_for()
    stopped = tab.frame.get_by_test_id("step-input").input_value()
    time.sleep(0.5)
    assert tab.frame.get_by_test_id("step-input").input_value() == stopped
    assert int(stopped.replace(",", "")) in steps[1:]


def test_reloading_the_page_finds_the_same_view(
    board: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    run = run_named(reader, "transformer")
    layer = reader.layers(run)[-1]
    step = reader.steps(run, layer)[3]
    view = {"run": run, "layer": layer, "head": 2, "example": 5, "step": step}
    state = "".join(f"&p.attention.{name}={value}" for name, value in view.items())
    tab = open_tab(board.address, state)
    tab.wait_for_map(**view)
    tab.frame.get_by_test_id("next").click()
    view["step"] = reader.steps(run, layer)[4]
    tab.wait_for_map(**view)
    tab.page.wait_for_url(f"**p.attention.step={view['step']}*")
    tab.page.reload()
    tab.wait_for_map(**view)
