"""What lies over the map, and the keys, on a small log of our own."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Locator

from tb_attention_plugin import AttentionWriter
from tests.browser.tab import Tab, TensorBoard

pytestmark = [pytest.mark.browser, pytest.mark.slow]

OpenTab = Callable[..., Tab]
Attention = Callable[..., NDArray[np.float32]]

B, H, Q, K = 2, 3, 7, 11
T, VALID = 13, 5
STEPS = (0, 20, 30, 50)
LONG = "Donaudampfschifffahrtsgesellschaft"
WIDE = "表参道原宿渋谷新宿池袋上野秋葉原東京品川目黒"


@pytest.fixture(scope="module")
def logdir(tmp_path_factory: pytest.TempPathFactory, attention: Attention) -> Path:
    """Run `small`: an alignment with tokens. Run `triangle`: a language model with padding.
    Run `zigzag`: an alignment that jumps back.
    """
    logdir = tmp_path_factory.mktemp("keys")
    words = [[LONG, *"bcdef", "</s>"]] * B
    others = [[WIDE, *"hijklmnop", LONG]] * B
    with AttentionWriter(logdir / "small") as writer:
        for i, step in enumerate(STEPS):
            weights = attention(B, H, Q, K, seed=i)
            writer.write("cross", weights, step, query_tokens=words, key_tokens=others)
    with AttentionWriter(logdir / "zigzag") as writer:
        # Down the keys, back, and down again.
        path = [0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 8, 9, 10, 11, 12, 13]
        weights = np.full((1, 1, len(path), 19), 0.002, np.float32)
        weights[0, 0, range(len(path)), path] = 1 - 18 * 0.002
        writer.write("cross", weights, 0)
    with AttentionWriter(logdir / "triangle") as writer:
        weights = np.tril(attention(1, 1, T, T, seed=17))
        weights[..., VALID:, :] = 0
        weights /= np.maximum(weights.sum(-1, keepdims=True), 1e-9)
        writer.write("self", weights, 0, causal=True, query_lengths=[VALID], key_lengths=[VALID])
    return logdir


@pytest.fixture(scope="module")
def board(logdir: Path, start_tensorboard: Callable[..., TensorBoard]) -> TensorBoard:
    return start_tensorboard(logdir)


def pixels(tab: Tab, x: float, y: float, width: float, height: float) -> NDArray[np.uint8]:
    """What is on the screen there, [Y, X, RGB]."""
    png = tab.page.screenshot(clip={"x": x, "y": y, "width": width, "height": height})
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def box_of(element: Locator) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of an element on the page."""
    box = element.bounding_box()
    assert box is not None
    return box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]


def css_colour(tab: Tab, name: str) -> NDArray[np.uint8]:
    """A colour of the theme in force, as RGB."""
    value = tab.frame.locator("html").evaluate(
        "(root, name) => getComputedStyle(root).getPropertyValue(name).trim()", name
    )
    return np.array([int(value[i : i + 2], 16) for i in (1, 3, 5)], np.uint8)


def share(seen: NDArray[np.uint8], colour: NDArray[np.uint8]) -> float:
    """The part of the pixels that have a colour, but for how the browser rounds."""
    return float((np.abs(seen.astype(int) - colour) <= 4).all(-1).mean())


@pytest.mark.parametrize("map_id", ["map", "compare-a", "compare-diff"])
def test_the_crosshair_and_pins_lie_over_a_map_that_has_the_focus(
    board: TensorBoard, open_tab: OpenTab, map_id: str
) -> None:
    mode = "map" if map_id == "map" else "compare"
    tab = open_tab(
        board.address, f"&p.attention.mode={mode}&p.attention.cell=2.3&p.attention.pinQuery=5"
    )
    canvas = tab.frame.locator(f'[data-testid="{map_id}"][data-state="ready"]')
    canvas.wait_for()
    accent = css_colour(tab, "--accent")
    near = canvas.locator("xpath=..")
    canvas.focus()
    tab.page.keyboard.press("ArrowRight")
    assert canvas.evaluate("(element) => element.matches(':focus-visible')")
    # The frames of the cell and of the pinned row are there, whole.
    left, top, right, _ = box_of(near.locator(".cross-cell").first)
    assert share(pixels(tab, left, top - 2, right - left, 2), accent) > 0.95
    left, top, right, _ = box_of(near.locator('[data-testid="pin-query"]').first)
    assert share(pixels(tab, left + 4, top - 2, right - left - 8, 2), accent) > 0.95
    # And so is the ring of the focus, around the map.
    left, _, _, bottom = box_of(canvas)
    assert share(pixels(tab, left + 20, bottom + 2, 40, 2), css_colour(tab, "--link")) > 0.95


def test_keys_work_before_anyone_presses_into_the_tab(
    board: TensorBoard, open_tab: OpenTab
) -> None:
    tab = open_tab(board.address, "&p.attention.step=20")
    tab.wait_for_map(step=20)
    assert tab.page.evaluate("document.activeElement === document.body")
    tab.page.keyboard.press("ArrowRight")
    tab.wait_for_map(step=30)
    # With Ctrl, Alt or Meta they are TensorBoard's and the browser's.
    ours = tab.page.evaluate(
        """() => ['ctrlKey', 'altKey', 'metaKey', 'shiftKey'].map((held) => {
          const event = new KeyboardEvent('keydown',
            { key: 'ArrowLeft', [held]: true, bubbles: true, cancelable: true });
          document.body.dispatchEvent(event);
          return event.defaultPrevented;
        })"""
    )
    assert ours == [False, False, False, True]
    tab.wait_for_map(step=0)
    # Into a field of TensorBoard's page one types.
    tab.page.evaluate(
        """() => { const field = document.createElement('input');
          document.body.append(field); field.focus(); }"""
    )
    tab.page.keyboard.press("End")
    tab.page.keyboard.type("j")
    assert tab.page.evaluate("document.activeElement.value") == "j"
    tab.page.evaluate("document.activeElement.remove()")
    assert tab.map_attribute("step") == "0"
    assert tab.map_attribute("head") == "0"
    tab.page.keyboard.press("g")
    tab.page.keyboard.type("50")
    tab.page.keyboard.press("Enter")
    tab.wait_for_map(step=50)


def test_keys_of_a_hidden_tab_do_nothing(board: TensorBoard, open_tab: OpenTab) -> None:
    tab = open_tab(board.address, "&p.attention.step=20")
    tab.wait_for_map(step=20)
    tab.page.evaluate("location.hash = '#timeseries'")
    tab.frame.get_by_test_id("map").wait_for(state="hidden")
    taken = tab.page.evaluate(
        """() => {
          const event = new KeyboardEvent('keydown',
            { key: 'ArrowRight', bubbles: true, cancelable: true });
          document.body.dispatchEvent(event);
          return event.defaultPrevented;
        }"""
    )
    assert not taken


def test_a_used_threshold_slider_leaves_the_shortcuts_alone(
    board: TensorBoard, open_tab: OpenTab
) -> None:
    tab = open_tab(
        board.address, "&p.attention.mode=links&p.attention.step=20&p.attention.least=0.05"
    )
    links = tab.frame.locator('[data-testid="links"][data-state="ready"]')
    links.wait_for()
    slider = tab.frame.get_by_test_id("least")
    slider.focus()
    slider.press("ArrowRight")
    tab.page.wait_for_url(re.compile(r"p\.attention\.least=0\.1(&|$)"))
    assert links.get_attribute("data-step") == "20"
    slider.press("k")
    tab.frame.locator('[data-testid="links"][data-heads="1"]').wait_for()
    slider.press("1")
    tab.wait_for_map(step=20, head=1)


@pytest.mark.parametrize("width", [1440, 1024])
def test_keys_are_counted_that_a_query_can_look_at(
    board: TensorBoard, open_tab: OpenTab, width: int
) -> None:
    state = "&p.attention.run=triangle&p.attention.padding=1&p.attention.cell="
    tab = open_tab(board.address, f"{state}3.2", width=width)
    tab.wait_for_map(query=3, key=2, queries=T)
    assert re.search(r"rank [1-4] of 4$", tab.text("rank"))
    tab.frame.get_by_test_id("map").focus()
    tab.page.keyboard.press("ArrowUp")
    announcer = tab.frame.get_by_test_id("announcer")
    announcer.filter(
        has_text=re.compile(r"query 2 , key 2 , weight .*, rank [1-3] of 3$")
    ).wait_for(state="attached")
    tab.page.keyboard.press("ArrowRight")
    announcer.filter(has_text="causal, no weight possible").wait_for(state="attached")
    assert "causal, no weight possible" in tab.text("rank")
    if width == 1440:
        # The keys that it can look at are listed, so there are no others.
        assert tab.frame.get_by_test_id("top-keys").locator("li").count() == 3


@pytest.mark.parametrize("size", [(1440, 900), (1024, 768), (640, 500)])
def test_the_words_at_the_crosshair_stay_in_the_pane(
    board: TensorBoard, open_tab: OpenTab, size: tuple[int, int]
) -> None:
    tab = open_tab(board.address, width=size[0], height=size[1])
    tab.wait_for_map()
    tag = tab.frame.locator(".map-pane .tag")
    pane = box_of(tab.frame.locator(".map-pane"))
    for query, key in [(0, 0), (0, 10), (6, 0), (6, 10), (3, 5), (0, 5)]:
        tab.hover(query, key)
        left, top, right, bottom = box_of(tag)
        assert min(left - pane[0], top - pane[1], pane[2] - right, pane[3] - bottom) >= 0
        # The token is cut, the weight is not.
        value = box_of(tag.locator("b"))
        assert value[2] <= right
        assert f"{tab.hover(query, key):.4f}" in tag.inner_text()


def test_what_an_outline_means_is_the_tooltip_of_its_cells(
    board: TensorBoard, open_tab: OpenTab
) -> None:
    tab = open_tab(board.address, "&p.attention.run=zigzag")
    tab.wait_for_map()
    box = tab.frame.locator('.failure-box[data-kind="backward_jump"]')
    box.wait_for()
    queries = str(box.get_attribute("data-queries")).split("-")
    keys = str(box.get_attribute("data-keys")).split("-")
    canvas = tab.frame.get_by_test_id("map")
    tab.hover(int(queries[0]), int(keys[0]))
    assert str(canvas.get_attribute("title")).startswith("Jump back: query ")
    tab.hover(0, 0)
    assert canvas.get_attribute("title") == ""
    # Pressed away, the outlines take their tooltip with them.
    tab.hover(int(queries[0]), int(keys[0]))
    tab.frame.get_by_test_id("failures-switch").click()
    assert canvas.get_attribute("title") == ""
