"""The tab while a training runs, and where there is little or strange to show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tb_attention_plugin import AttentionWriter
from tests.browser.tab import Tab, TensorBoard

pytestmark = [pytest.mark.browser, pytest.mark.slow]

OpenTab = Callable[..., Tab]
Start = Callable[..., TensorBoard]


def softmax_maps(seed: int, *shape: int) -> NDArray[np.float32]:
    logits = np.random.default_rng(seed).normal(size=shape) * 3
    weights = np.exp(logits)
    return (weights / weights.sum(-1, keepdims=True)).astype(np.float32)


def test_hovered_values_keep_the_promise_of_what_was_written(
    tmp_path: Path, start_tensorboard: Start, open_tab: OpenTab
) -> None:
    weights = softmax_maps(0, 2, 3, 7, 11)
    with AttentionWriter(tmp_path / "run") as writer:
        writer.write("layer", weights, 5)
    tab = open_tab(start_tensorboard(tmp_path).address, "&p.attention.head=2&p.attention.example=1")
    tab.wait_for_map(head=2, example=1)
    for query, key in ((0, 0), (2, 9), (6, 10)):
        true = float(weights[1, 2, query, key])
        assert abs(tab.hover(query, key) - true) <= max(5e-4, 0.01 * true)


def test_new_steps_arrive_and_the_selected_step_stays(
    tmp_path: Path, start_tensorboard: Start, open_tab: OpenTab
) -> None:
    with AttentionWriter(tmp_path / "run") as writer:
        for step in (0, 10, 20):
            writer.write("layer", softmax_maps(step, 1, 1, 5, 7), step)
        writer.flush()
        tab = open_tab(start_tensorboard(tmp_path).address, "&p.attention.step=10")
        tab.wait_for_map(step=10)
        for step in (30, 40):
            writer.write("layer", softmax_maps(step, 1, 1, 5, 7), step)
        writer.flush()
        new = tab.frame.get_by_test_id("new-steps")
        new.wait_for(timeout=30_000)
        assert "2 new" in new.inner_text()
        assert tab.map_attribute("step") == "10"
        new.click()
        tab.wait_for_map(step=40)


def test_captures_that_were_left_out_are_told_where_they_are_missing(
    tmp_path: Path, start_tensorboard: Start, open_tab: OpenTab
) -> None:
    with AttentionWriter(tmp_path / "run") as writer:
        for step in (0, 10, 80, 90):
            maps = softmax_maps(step, 1, 1, 5, 7)
            writer.write("layer", maps, step, skipped=6 if step == 80 else 0)
    tab = open_tab(start_tensorboard(tmp_path).address, "&p.attention.step=80")
    tab.wait_for_map(step=80)
    assert tab.text("captures-left-out") == "6 captures left out before it"
    mark = tab.frame.get_by_test_id("gap-mark")
    assert mark.get_attribute("title") == "6 captures left out between steps 10 and 80"
    box, axis = mark.bounding_box(), tab.frame.get_by_test_id("slider").bounding_box()
    assert box is not None
    assert axis is not None
    assert box["width"] > 0.6 * axis["width"]  # 70 of 90 steps
    tab.frame.get_by_test_id("next").click()
    tab.wait_for_map(step=90)
    tab.frame.get_by_test_id("captures-left-out").wait_for(state="detached")


def test_follow_latest_moves_to_new_steps(
    tmp_path: Path, start_tensorboard: Start, open_tab: OpenTab
) -> None:
    with AttentionWriter(tmp_path / "run") as writer:
        writer.write("layer", softmax_maps(0, 1, 1, 5, 7), 0)
        writer.flush()
        tab = open_tab(start_tensorboard(tmp_path).address)
        tab.wait_for_map(step=0)
        tab.frame.get_by_test_id("follow").click()
        writer.write("layer", softmax_maps(1, 1, 1, 5, 7), 1)
        writer.flush()
        tab.wait_for_map(step=1)


def test_an_empty_log_says_what_to_do_and_finds_a_run_that_appears(
    tmp_path: Path, start_tensorboard: Start, open_tab: OpenTab
) -> None:
    tab = open_tab(start_tensorboard(tmp_path).address)
    tab.frame.get_by_test_id("state-empty").wait_for(timeout=20_000)
    assert "AttentionCallback" in tab.text("state-empty")
    with AttentionWriter(tmp_path / "run") as writer:
        writer.write("layer", softmax_maps(0, 1, 1, 5, 7), 0)
    tab.wait_for_map(step=0)


def test_markup_and_control_characters_in_names_and_tokens_stay_text(
    tmp_path: Path, start_tensorboard: Start, open_tab: OpenTab
) -> None:
    evil = "<img src=x onerror=\"parent.document.title='owned'\">"
    tokens = [[evil, "\u202eabc", "x" * 100_000, "\x00", "👩‍👩‍👧", "e\u0301\u0301\u0301", "שלום"]]
    with AttentionWriter(tmp_path / "run") as writer:
        writer.write(evil, softmax_maps(0, 1, 1, 7, 7), 0, query_tokens=tokens, key_tokens=tokens)
    tab = open_tab(start_tensorboard(tmp_path).address)
    tab.wait_for_map(step=0)
    tab.hover(1, 2)
    assert tab.page.title() == "TensorBoard"
    assert tab.frame.locator("img").count() == 0
    width = tab.frame.locator("html").evaluate("e => [e.scrollWidth, e.clientWidth]")
    assert width[0] <= width[1]


def test_a_damaged_map_is_an_error_in_words_and_the_others_work(
    tmp_path: Path, start_tensorboard: Start, open_tab: OpenTab
) -> None:
    with AttentionWriter(tmp_path / "run") as writer:
        for step in (0, 1):
            writer.write("layer", softmax_maps(step, 1, 1, 5, 7), step)
    (data,) = (tmp_path / "run" / "plugins" / "attention").glob("*.data")
    damaged = bytearray(data.read_bytes())
    damaged[0] ^= 0xFF
    data.write_bytes(damaged)
    tab = open_tab(start_tensorboard(tmp_path).address, "&p.attention.step=0")
    tab.frame.get_by_test_id("state-error").wait_for(timeout=20_000)
    assert "checksum" in tab.text("state-error")
    tab.frame.get_by_test_id("next").click()
    tab.wait_for_map(step=1)


def test_dark_mode_follows_the_host(
    tmp_path: Path, start_tensorboard: Start, open_tab: OpenTab
) -> None:
    with AttentionWriter(tmp_path / "run") as writer:
        writer.write("layer", softmax_maps(0, 1, 1, 5, 7), 0)
    tab = open_tab(start_tensorboard(tmp_path).address)
    tab.wait_for_map()
    background = "e => getComputedStyle(e).backgroundColor"
    body = tab.frame.locator("body")
    assert body.evaluate(background) == "rgb(255, 255, 255)"
    tab.page.evaluate("document.body.classList.add('dark-mode')")
    tab.frame.locator('[data-theme="dark"]').first.wait_for(state="attached")
    assert body.evaluate(background) == "rgb(48, 48, 48)"


def test_tensorboard_logs_no_security_warning(
    tmp_path: Path, start_tensorboard: Start, open_tab: OpenTab
) -> None:
    with AttentionWriter(tmp_path / "run") as writer:
        writer.write("layer", softmax_maps(0, 1, 2, 5, 7), 0)
    board = start_tensorboard(tmp_path)
    open_tab(board.address).wait_for_map()
    assert [line for line in board.log if "security" in line.lower()] == []
