"""A log of which only some heads were recorded: they are called by their numbers everywhere."""

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
H, Q, K = 11, 5, 7
CHOSEN = {"decoder/cross_0": (3, 7), "decoder/cross_1": (2, 7, 9)}
STEPS = (0, 10)


@pytest.fixture(scope="module")
def maps(attention: Callable[..., NDArray[np.float32]]) -> dict[tuple[str, int], NDArray]:
    """All heads, by layer and step."""
    return {
        (layer, step): attention(1, H, Q, K, seed=10 * i + step)
        for i, layer in enumerate(CHOSEN)
        for step in STEPS
    }


@pytest.fixture(scope="module")
def board(
    maps: dict[tuple[str, int], NDArray],
    tmp_path_factory: pytest.TempPathFactory,
    start_tensorboard: Callable[..., TensorBoard],
) -> TensorBoard:
    log: Path = tmp_path_factory.mktemp("chosen")
    with AttentionWriter(log / "run", precision="float32") as writer:
        for (layer, step), weights in maps.items():
            heads = CHOSEN[layer]
            writer.write(layer, weights[:, heads], step, heads=heads)
    return start_tensorboard(log)


def assert_shown(tab: Tab, weights: NDArray[np.float32], head: int) -> None:
    tab.wait_for_map(head=head)
    for query, key in ((0, 0), (4, 6), (2, 3)):
        assert abs(tab.hover(query, key) - weights[0, head, query, key]) < 1e-5


def test_every_place_names_the_number(
    board: TensorBoard, maps: dict[tuple[str, int], NDArray], open_tab: OpenTab
) -> None:
    one, other = CHOSEN
    tab = open_tab(board.address)
    assert_shown(tab, maps[one, 10], 3)  # the first one that is recorded; nothing is said of head 0
    assert tab.frame.get_by_text("has no head").count() == 0
    numbers = tab.frame.locator(".heads-numbers span").all_inner_texts()
    assert numbers == ["2", "3", "7", "9"]
    cells = tab.frame.locator(f'.heads-cell[data-layer="{one}"]')
    assert [cell.get_attribute("data-head") for cell in cells.all()] == ["3", "7"]
    columns = {
        (cell.get_attribute("data-layer"), cell.get_attribute("data-head")): cell.bounding_box()
        for cell in tab.frame.locator(".heads-cell").all()
    }
    assert (columns[one, "7"] or {})["x"] == (columns[other, "7"] or {})["x"]

    tab.frame.locator(f'.heads-cell[data-layer="{one}"][data-head="7"]').click()
    assert_shown(tab, maps[one, 10], 7)
    assert tab.frame.get_by_test_id("head-picker").get_attribute("data-value") == "7"
    tab.page.wait_for_function("location.hash.includes('p.attention.head=7')")
    tab.page.keyboard.press("Escape")
    tab.frame.locator(f'.heads-cell[data-layer="{other}"][data-head="9"]').click()
    assert_shown(tab, maps[other, 10], 9)


def test_a_link_to_a_number_shows_it_and_one_to_a_missing_head_says_so(
    board: TensorBoard, maps: dict[tuple[str, int], NDArray], open_tab: OpenTab
) -> None:
    one = next(iter(CHOSEN))
    tab = open_tab(board.address, "&p.attention.head=7&p.attention.step=0")
    assert_shown(tab, maps[one, 0], 7)
    tab = open_tab(board.address, "&p.attention.head=6")
    assert_shown(tab, maps[one, 10], 7)
    tab.frame.get_by_text("This layer has no head 6. Showing head 7.").wait_for()


def test_a_mean_is_of_the_heads_that_are_recorded(
    board: TensorBoard, maps: dict[tuple[str, int], NDArray], open_tab: OpenTab
) -> None:
    one = next(iter(CHOSEN))
    tab = open_tab(board.address, "&p.attention.aggregate=mean")
    tab.wait_for_map(aggregate="mean")
    expected = maps[one, 10][0, CHOSEN[one]].mean(0)
    assert abs(tab.hover(2, 3) - expected[2, 3]) < 1e-5
