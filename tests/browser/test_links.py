"""The links view on the log of the demo."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from tb_attention_plugin import AttentionReader
from tests.browser.tab import Tab, TensorBoard

pytestmark = [pytest.mark.browser, pytest.mark.slow]

OpenTab = Callable[..., Tab]
LAYER = "decoder/layer_1/cross_attention"


def open_links(board: TensorBoard, reader: AttentionReader, open_tab: OpenTab, more: str) -> Tab:
    (run,) = [run for run in reader.runs() if "transformer" in run]
    tab = open_tab(
        board.address,
        f"&p.attention.run={run}&p.attention.layer={LAYER}&p.attention.mode=links{more}",
    )
    tab.frame.locator('[data-testid="links"][data-state="ready"]').wait_for()
    return tab


def valid_weights(reader: AttentionReader, head: int) -> NDArray[np.float32]:
    (run,) = [run for run in reader.runs() if "transformer" in run]
    step = reader.steps(run, LAYER)[-1]
    queries, keys = reader.lengths(run, LAYER, step)[0]
    return reader.weights(run, LAYER, step)[0, head, :queries, :keys]


def test_counts_are_those_of_the_recorded_weights(
    board: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    tab = open_links(board, reader, open_tab, "&p.attention.head=0&p.attention.links=2")
    both = np.stack([valid_weights(reader, head) for head in (0, 2)])
    for least in (0.05, 0.2):
        slider = tab.frame.get_by_test_id("least")
        slider.fill(str([0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5].index(least)))
        drawn = both[both >= least]
        tab.frame.get_by_test_id("link-counts").filter(
            has_text=f"{drawn.size} of {both.size} links"
        ).wait_for()
        percent = re.search(r"([\d.]+)\s%", tab.text("link-counts"))
        assert percent is not None
        assert float(percent[1]) == pytest.approx(100 * drawn.sum() / both.sum(), abs=0.6)
    tab.page.wait_for_function("() => location.hash.includes('p.attention.least=0.2')")


def test_at_most_so_many_links_of_a_query(
    board: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    tab = open_links(board, reader, open_tab, "&p.attention.least=0&p.attention.perQuery=2")
    weights = valid_weights(reader, 0)
    tab.frame.get_by_test_id("link-counts").filter(
        has_text=f"{2 * len(weights)} of {weights.size} links"
    ).wait_for()


def test_a_pinned_token_stays_pinned_on_the_map_and_in_the_address(
    board: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    tab = open_links(board, reader, open_tab, "")
    tab.frame.get_by_test_id("link-query-3").hover()
    tab.frame.locator('[data-testid="links"][data-focused="query.3"]').wait_for()
    tab.frame.get_by_test_id("link-query-3").press("p")
    tab.frame.get_by_test_id("pinned").get_by_text("query 3 of").wait_for()
    tab.page.wait_for_url("**p.attention.pinQuery=3*")
    # The inspector reads what was pinned.
    top = tab.frame.get_by_test_id("top-keys").locator("li").first
    weight = float(top.locator(".top-weight").inner_text())
    assert weight == pytest.approx(float(valid_weights(reader, 0)[3].max()), abs=5e-5)
    tab.frame.get_by_test_id("mode-map").click()
    tab.wait_for_map(query=3)
    tab.frame.locator('[data-testid="pin-query"][data-index="3"]').wait_for()
    tab.frame.get_by_test_id("map").press("ArrowDown")
    tab.frame.locator('[data-testid="pin-query"][data-index="3"]').wait_for()
    tab.frame.get_by_test_id("map").press("Shift+P")
    tab.frame.get_by_test_id("pin-key").wait_for(state="attached")
    tab.frame.get_by_test_id("map").press("Escape")
    assert tab.frame.get_by_test_id("pin-query").count() == 0


def test_heads_are_added_and_taken_away(
    board: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    tab = open_links(board, reader, open_tab, "&p.attention.head=1")
    tab.frame.get_by_test_id("add-head").click()
    tab.frame.locator('.picker-option[data-value="3"]').click()
    tab.frame.locator('[data-testid="links"][data-heads="1.3"][data-state="ready"]').wait_for()
    tab.frame.get_by_test_id("linked-head-1").click()
    tab.frame.locator('[data-testid="links"][data-heads="3"]').wait_for()
    assert "Cross attention" in tab.text("links-about")
    assert tab.complaints == []
