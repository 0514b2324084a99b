"""What lies over the map, and the keys, on a small log of our own."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Locator, Route

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
    Run `zigzag`: an alignment that jumps back. Run `solo`: one head, long, a NaN. Run `wrecked`:
    damaged at its first step. Run `copied`: only the event files.
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
    with AttentionWriter(logdir / "solo", precision="float32") as writer:
        weights = attention(1, 1, 4, 101, seed=23)
        broken = weights.copy()
        broken[0, 0, 2, 3] = np.nan
        for step, value in ((0, weights), (10, broken)):
            tokens = [[*"wxy", "</s>"]]
            writer.write("cross", value, step, query_tokens=tokens, key_tokens=[["k"] * 101])
    with AttentionWriter(logdir / "wrecked") as writer:
        for step in (0, 10):
            writer.write("cross", attention(1, 1, Q, K, seed=29 + step), step)
    (data,) = (logdir / "wrecked").rglob("*.data")
    content = bytearray(data.read_bytes())
    content[:8] = bytes(8)
    data.write_bytes(content)
    with AttentionWriter(logdir / "copied") as writer:
        writer.write("cross", attention(1, 1, Q, K), 0)
    shutil.rmtree(logdir / "copied" / "plugins")
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


def test_the_only_head_of_the_links_is_a_legend(board: TensorBoard, open_tab: OpenTab) -> None:
    tab = open_tab(
        board.address, "&p.attention.run=small&p.attention.mode=links&p.attention.head=2"
    )
    chip = tab.frame.get_by_test_id("linked-head-2")
    chip.wait_for()
    colour = chip.evaluate("(element) => getComputedStyle(element).color")
    ink = css_colour(tab, "--ink")
    assert colour == f"rgb({ink[0]}, {ink[1]}, {ink[2]})"
    assert chip.evaluate("(element) => element.tagName") == "SPAN"


def test_the_inspector_of_the_links_reads_the_pinned_query(
    board: TensorBoard, open_tab: OpenTab
) -> None:
    tab = open_tab(
        board.address,
        "&p.attention.run=small&p.attention.mode=links&p.attention.cell=5.1&p.attention.pinQuery=6",
    )
    heading = tab.frame.locator(".section-head", has_text="looks at")
    heading.filter(has_text="Query 6, pinned, looks at").wait_for()
    top = tab.frame.get_by_test_id("top-keys").locator("li").first.locator(".top-position")
    in_links = top.inner_text()
    # On the map one reads with the crosshair, and it is said.
    tab.frame.get_by_test_id("mode-map").click()
    heading.filter(has_text="Query 5, at the crosshair, looks at").wait_for()
    tab.hover(6, 0)
    heading.filter(has_text="Query 6, pinned, looks at").wait_for()
    assert top.inner_text() == in_links


def test_up_and_down_go_to_the_other_end_of_a_link(board: TensorBoard, open_tab: OpenTab) -> None:
    tab = open_tab(
        board.address,
        "&p.attention.run=zigzag&p.attention.mode=links",
        width=1600,
    )
    tab.frame.locator('[data-testid="links"][data-state="ready"]').wait_for()
    tab.frame.get_by_test_id("link-query-12").focus()
    tab.page.keyboard.press("ArrowUp")
    tab.frame.locator('[data-testid="links"][data-focused="key.9"]').wait_for()
    tab.page.keyboard.press("ArrowDown")
    tab.frame.locator('[data-testid="links"][data-focused="query.12"]').wait_for()


def test_two_columns_of_links_have_headings(board: TensorBoard, open_tab: OpenTab) -> None:
    tab = open_tab(board.address, "&p.attention.run=solo&p.attention.mode=links")
    headings = tab.frame.locator(".link-columns-heads span")
    headings.first.wait_for()
    assert headings.all_inner_texts() == ["Queries decoder", "Keys encoder"]
    for side, heading in zip(("query", "key"), headings.all(), strict=True):
        column = box_of(tab.frame.locator(f".link-column.{side}"))
        assert abs(box_of(heading)[0] - column[0]) < 2


def test_numbers_of_rows_are_one_column_and_tokens_end_at_it(
    board: TensorBoard, open_tab: OpenTab
) -> None:
    tab = open_tab(board.address, "&p.attention.run=small")
    tab.wait_for_map()
    rows = tab.frame.locator(".map-pane .rows .label")
    numbers = [box_of(one) for one in rows.locator(".position").all()]
    tokens = [box_of(one) for one in rows.locator("bdi").all()]
    assert len(numbers) == len(tokens) == Q
    left = box_of(tab.frame.get_by_test_id("map"))[0]
    for number, token in zip(numbers, tokens, strict=True):
        assert number[2] == pytest.approx(numbers[0][2])
        assert token[2] == pytest.approx(tokens[0][2])
        assert token[2] <= number[0]
        assert number[2] <= left
    # Tokens of other widths: they begin where they like.
    assert tokens[0][0] < tokens[1][0]


def test_what_is_not_known_yet_is_not_said_to_be_none(
    board: TensorBoard, open_tab: OpenTab
) -> None:
    held: list[Route] = []
    tab = open_tab("about:blank")
    tab.page.route("**/plugin/attention/events*", lambda route: held.append(route))
    tab.page.goto(f"{board.address}#attention&p.attention.run=small")
    tab.wait_for_map()
    count = tab.frame.get_by_test_id("event-count")
    assert count.inner_text().split() == ["Events", "…"]
    for _ in range(50):
        if held:
            break
        tab.page.wait_for_timeout(100)
    held[0].continue_()
    tab.frame.locator('[data-testid="event-count"]', has_text=re.compile(r"\d")).wait_for()


def test_the_note_on_a_metric_does_not_lie_over_the_next(
    board: TensorBoard, open_tab: OpenTab
) -> None:
    for size in ((1024, 768), (1440, 900)):
        tab = open_tab(board.address, "&p.attention.run=small", width=size[0], height=size[1])
        tab.wait_for_map()
        strip = tab.frame.locator(".gutter .strip-row").first
        strip.wait_for()
        notes = tab.frame.locator(".gutter .gutter-note").all()
        assert len(notes) == (size[1] == 900)
        for note in notes:
            assert box_of(note)[3] <= box_of(strip)[1]


def test_a_step_that_is_no_number_is_refused_at_once(board: TensorBoard, open_tab: OpenTab) -> None:
    tab = open_tab(board.address, "&p.attention.run=small&p.attention.step=20")
    tab.wait_for_map(step=20)
    # In one task, as fast hands do: typed and entered before anything is drawn.
    tab.frame.get_by_test_id("step-input").evaluate(
        """(field) => {
          field.focus();
          field.value = 'abc';
          field.dispatchEvent(new InputEvent('input', { bubbles: true }));
          field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
        }"""
    )
    note = tab.frame.get_by_text("A step is a whole number.")
    note.wait_for()
    tab.page.wait_for_timeout(300)
    assert note.is_visible()
    assert tab.map_attribute("step") == "20"


def test_a_change_to_or_from_no_number_is_not_shown(board: TensorBoard, open_tab: OpenTab) -> None:
    tab = open_tab(board.address, "&p.attention.run=solo&p.attention.step=10")
    tab.wait_for_map(step=10)
    value = tab.frame.get_by_test_id("cell-value")
    change = tab.frame.get_by_test_id("cell-change")
    tab.hover(1, 2)
    assert change.inner_text().endswith("since 0")
    tab.hover(2, 3)
    assert value.inner_text() == "NaN"
    assert change.count() == 0


def test_a_head_that_the_other_run_lacks_is_said(board: TensorBoard, open_tab: OpenTab) -> None:
    tab = open_tab(board.address, "&p.attention.run=small&p.attention.head=2")
    tab.wait_for_map(head=2)
    tab.frame.get_by_test_id("run-picker").click()
    tab.frame.locator('.picker-option[data-value="solo"]').click()
    tab.wait_for_map(run="solo", head=0)
    assert "This layer has no head 2. Showing head 0." in tab.text("notice")


SMALL = (640, 450)


def test_in_a_small_window_pickers_show_values_and_the_axis_is_whole(
    board: TensorBoard, open_tab: OpenTab
) -> None:
    tab = open_tab(board.address, "&p.attention.run=small", width=SMALL[0], height=SMALL[1])
    tab.wait_for_map()
    for picker, value in (("run-picker", "small"), ("layer-picker", "cross")):
        shown = tab.frame.get_by_test_id(picker).locator(".picker-value")
        left, _, right, _ = box_of(shown)
        assert right - left >= 30, (picker, value)
    _, top, _, bottom = box_of(tab.frame.locator(".axis-track canvas"))
    assert bottom <= SMALL[1]
    assert bottom - top == 26
    tab.frame.get_by_test_id("slider").click(position={"x": 10, "y": 10})
    tab.wait_for_map(step=0)


def test_in_a_small_window_the_queries_of_the_links_can_be_reached(
    board: TensorBoard, open_tab: OpenTab
) -> None:
    tab = open_tab(
        board.address,
        "&p.attention.run=small&p.attention.mode=links",
        width=SMALL[0],
        height=SMALL[1],
    )
    query = tab.frame.get_by_test_id("link-query-3")
    query.wait_for()
    pane = box_of(tab.frame.locator(".links-pane"))
    tab.frame.locator(".links-pane").hover()
    tab.page.mouse.wheel(0, 900)
    tab.page.wait_for_timeout(300)
    _, top, _, bottom = box_of(query)
    assert pane[1] <= top
    assert bottom <= pane[3]


def test_in_a_small_window_an_error_shows_what_can_be_done(
    board: TensorBoard, open_tab: OpenTab
) -> None:
    tab = open_tab(
        board.address,
        "&p.attention.run=wrecked&p.attention.step=0",
        width=SMALL[0],
        height=SMALL[1],
    )
    again = tab.frame.get_by_role("button", name="Read again")
    again.wait_for()
    pane = box_of(tab.frame.locator(".map-pane"))
    _, top, _, bottom = box_of(again)
    assert pane[1] <= top
    assert bottom <= pane[3]
    tab.frame.get_by_role("button", name="Show step 10").click()
    tab.wait_for_map(step=10)


def test_a_problem_is_said_once_in_the_links(board: TensorBoard, open_tab: OpenTab) -> None:
    tab = open_tab(
        board.address, "&p.attention.run=wrecked&p.attention.step=0&p.attention.mode=links"
    )
    tab.frame.get_by_role("button", name="Read again").wait_for()
    tab.page.wait_for_timeout(500)
    assert tab.frame.get_by_text("fails its checksum").count() == 1


def test_in_a_small_window_banners_come_one_at_a_time(
    board: TensorBoard, open_tab: OpenTab
) -> None:
    tab = open_tab(
        board.address,
        "&p.attention.run=copied&p.attention.head=97",
        width=SMALL[0],
        height=SMALL[1],
    )
    first = tab.frame.get_by_test_id("thumbnails-only")
    second = tab.frame.get_by_test_id("notice")
    first.wait_for(timeout=30_000)
    _, top, _, bottom = box_of(first)
    assert bottom - top <= 40
    assert not second.is_visible()
    first.get_by_label("Close").click()
    second.wait_for()
