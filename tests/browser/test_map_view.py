"""The map: zoom, labels at every size, profiles, pins, masks, scales and colours."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import expect

from tb_attention_plugin import AttentionReader, AttentionWriter
from tests.browser import pixels
from tests.browser.tab import Tab, TensorBoard

pytestmark = [pytest.mark.browser, pytest.mark.slow]

OpenTab = Callable[..., Tab]
Start = Callable[..., TensorBoard]
Maps = NDArray[np.float32]

# Queries and keys; the last one does not fit into any window.
SIZES = ((5, 7), (29, 31), (101, 97), (509, 503), (4093, 4091))
WORDS = ("the", "of", "instruments", "and", "to", "<s>", "in", "flaws", "telescopes", "a", "thing")
RUN = "transformer/train"
CROSS, SELF, CAUSAL = (
    "decoder/layer_1/cross_attention",
    "encoder/layer_0/self_attention",
    "decoder/layer_0/self_attention",
)


@pytest.fixture(scope="module")
def demo(demo_log: Path, start_tensorboard: Start) -> TensorBoard:
    return start_tensorboard(demo_log)


def tokens(count: int) -> list[str]:
    """Words; long ones where the sparse labels of long sequences stand."""
    return ["telescopes" if i % 64 == 0 else WORDS[(7 * i + i * i) % 11] for i in range(count)]


@pytest.fixture(scope="module")
def sizes_log(tmp_path_factory: pytest.TempPathFactory, attention: Callable[..., Maps]) -> Path:
    logdir = tmp_path_factory.mktemp("sizes")
    for queries, keys in SIZES:
        with AttentionWriter(logdir / f"Q{queries}") as writer:
            writer.write(
                "decoder/cross",
                attention(1, 1, queries, keys, seed=queries),
                3,
                query_tokens=[tokens(queries)],
                key_tokens=[tokens(keys)],
            )
    return logdir


@pytest.fixture(scope="module")
def sizes(sizes_log: Path, start_tensorboard: Start) -> TensorBoard:
    return start_tensorboard(sizes_log)


def open_size(sizes: TensorBoard, open_tab: OpenTab, queries: int, more: str = "") -> Tab:
    tab = open_tab(sizes.address, f"&p.attention.run=Q{queries}{more}")
    tab.wait_for_map(run=f"Q{queries}")
    return tab


def open_demo(demo: TensorBoard, open_tab: OpenTab, layer: str, more: str = "") -> Tab:
    tab = open_tab(demo.address, f"&p.attention.run={RUN}&p.attention.layer={layer}{more}")
    tab.wait_for_map(layer=layer)
    return tab


LABELS = """pane => {
  const box = (e) => {
    const { left, right, top, bottom } = e.getBoundingClientRect();
    return [left, right, top, bottom];
  };
  const labels = [...pane.querySelectorAll('.labels .label')];
  return {
    pane: box(pane),
    labels: labels.map((e) => ({
      box: box(e), text: e.textContent, here: e.classList.contains('here'),
      axis: e.parentElement.classList.contains('columns') ? 'key' : 'query',
    })),
  };
}"""


def assert_labels_are_legible(tab: Tab) -> None:
    """No two labels share a pixel, all are in the pane, and the crosshair's are there."""
    found = tab.frame.locator(".map-pane").evaluate(LABELS)
    boxes = np.array([label["box"] for label in found["labels"]])
    left, right, top, bottom = boxes.T
    overlap = np.minimum.outer(right, right) - np.maximum.outer(left, left)
    overlap = np.minimum(overlap, np.minimum.outer(bottom, bottom) - np.maximum.outer(top, top))
    np.fill_diagonal(overlap, 0)
    # Boxes that touch do not overlap; half a pixel is rounding.
    worst = np.unravel_index(overlap.argmax(), overlap.shape)
    assert overlap.max() <= 0.5, [found["labels"][i] for i in worst]
    pane = found["pane"]
    outside = (left < pane[0] - 0.5) | (right > pane[1] + 0.5)
    outside |= (top < pane[2] - 0.5) | (bottom > pane[3] + 0.5)
    assert not outside.any(), [found["labels"][i] for i in np.flatnonzero(outside)]
    here = {label["axis"]: label["text"] for label in found["labels"] if label["here"]}
    assert set(here) == {"query", "key"}
    query, key = int(tab.map_attribute("query")), int(tab.map_attribute("key"))
    word = tokens(query + 1)[query]
    assert here["query"].startswith(word[:3])
    assert here["query"].endswith(str(query))
    # The keys of a map with room for each of them have no numbers.
    assert here["key"].removeprefix(str(key)).startswith(tokens(key + 1)[key][:3])


@pytest.mark.parametrize(("queries", "keys"), SIZES)
def test_labels_stay_apart_and_in_the_pane(
    sizes: TensorBoard, open_tab: OpenTab, queries: int, keys: int
) -> None:
    tab = open_size(sizes, open_tab, queries)
    canvas = tab.frame.get_by_test_id("map")
    for width, height in ((1440, 900), (1280, 720), (1000, 700)):
        tab.page.set_viewport_size({"width": width, "height": height})
        cells: set[tuple[str, str]] = set()
        # The corners and the middle, at the right edge and beside it.
        for across, down in ((0, 0), (0.3, 0.5), (0.97, 0.9), (1, 1)):
            box = canvas.bounding_box()
            assert box is not None
            x = min(box["width"] - 1, across * box["width"])
            y = min(box["height"] - 1, down * box["height"])
            canvas.hover(position={"x": x, "y": y})
            # What was pointed at is drawn in the next frame.
            canvas.evaluate(
                "() => new Promise((done) => requestAnimationFrame(() => "
                "requestAnimationFrame(done)))"
            )
            assert_labels_are_legible(tab)
            cells.add((tab.map_attribute("query"), tab.map_attribute("key")))
        assert len(cells) >= 3


def number(tab: Tab, name: str) -> float:
    return float(tab.map_attribute(name))


def point(tab: Tab, query: int, key: int) -> tuple[float, float]:
    """The middle of a cell that is in sight, in the coordinates of the page."""
    box = tab.frame.get_by_test_id("map").bounding_box()
    assert box is not None
    return (
        box["x"] + (key - number(tab, "first-key") + 0.5) * number(tab, "cell"),
        box["y"] + (query - number(tab, "first-query") + 0.5) * number(tab, "cell-height"),
    )


def cell_at(tab: Tab, x: float, y: float) -> tuple[int, int]:
    """The query and key at a place of the page."""
    left, top = point(tab, 0, 0)  # the middle of the first cell, which may be out of sight
    return (
        round((y - top) / number(tab, "cell-height")),
        round((x - left) / number(tab, "cell")),
    )


def test_buttons_and_keys_zoom_to_single_cells_and_back(
    sizes: TensorBoard, sizes_log: Path, open_tab: OpenTab
) -> None:
    weights = AttentionReader(sizes_log).weights("Q509", "decoder/cross", 3)[0, 0]
    tab = open_size(sizes, open_tab, 509, "&p.attention.cell=211.307")
    whole = number(tab, "cell")
    assert (number(tab, "queries"), number(tab, "keys")) == (509, 503)
    zoom_in = tab.frame.get_by_test_id("zoom-in")
    before = whole
    while zoom_in.is_enabled():
        zoom_in.click()
        tab.frame.locator(f'[data-testid="map"]:not([data-cell="{before}"])').wait_for()
        before = number(tab, "cell")
    assert number(tab, "cell") == number(tab, "cell-height") == 96
    # What the crosshair is on stays in sight, and each cell tells its own weight.
    first = int(number(tab, "first-query")), int(number(tab, "first-key"))
    shown = int(number(tab, "queries")), int(number(tab, "keys"))
    assert first[0] <= 211 < first[0] + shown[0]
    assert first[1] <= 307 < first[1] + shown[1]
    assert f"{shown[0]} × {shown[1]} of 509 × 503" in tab.text("zoomed")
    for query, key in (first, (first[0] + shown[0] - 1, first[1] + shown[1] - 2)):
        tab.page.mouse.move(*point(tab, query, key))
        tab.wait_for_map(query=query, key=key)
        assert number(tab, "value") == pytest.approx(float(weights[query, key]), abs=1e-7)
    canvas = tab.frame.get_by_test_id("map")
    canvas.press("-")
    tab.frame.locator('[data-testid="map"]:not([data-cell="96"])').wait_for()
    canvas.press("+")
    tab.wait_for_map(cell=96)
    canvas.press("0")
    tab.wait_for_map(zoom=1, queries=509, keys=503)
    assert number(tab, "cell") == whole


def test_the_wheel_zooms_around_the_pointer_and_a_drag_pans(
    sizes: TensorBoard, open_tab: OpenTab
) -> None:
    tab = open_size(sizes, open_tab, 101)
    query, key = 43, 61
    tab.page.mouse.move(*point(tab, query, key))
    tab.wait_for_map(query=query, key=key)
    x, y = point(tab, query, key)
    below: list[tuple[int, int]] = []
    for _ in range(5):
        zoom = tab.map_attribute("zoom")
        tab.page.mouse.wheel(0, -300)
        tab.frame.locator(f'[data-testid="map"]:not([data-zoom="{zoom}"])').wait_for()
        if number(tab, "queries") < 101 and number(tab, "keys") < 97:
            below.append(cell_at(tab, x, y))
    # As soon as there is more than fits, the same cell stays below the pointer.
    assert len(below) >= 3
    assert len(set(below)) == 1
    # Before, the whole of it is kept in the middle of the pane, which moves it by a few cells.
    assert abs(below[0][0] - query) <= 8
    first_query, first_key = int(number(tab, "first-query")), int(number(tab, "first-key"))
    cell = number(tab, "cell")
    tab.page.mouse.move(x, y)
    tab.page.mouse.down()
    tab.page.mouse.move(x + 3 * cell, y - 2 * cell, steps=5)
    tab.page.mouse.up()
    tab.wait_for_map(**{"first-query": first_query + 2, "first-key": first_key - 3})
    # Dragged as far as it goes: the first key, not beyond it.
    for _ in range(20):
        tab.page.mouse.move(x, y)
        tab.page.mouse.down()
        tab.page.mouse.move(x + 300, y, steps=2)
        tab.page.mouse.up()
    tab.wait_for_map(**{"first-key": 0})
    tab.page.mouse.move(x, y)
    tab.page.mouse.wheel(0, 4000)
    tab.wait_for_map(zoom=1, keys=97)


def test_profiles_are_the_row_and_the_column_of_the_crosshair(
    demo: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    step = reader.steps(RUN, SELF)[-1]
    length, _ = reader.lengths(RUN, SELF, step)[0]
    weights = reader.weights(RUN, SELF, step)[0, 0, :length, :length]
    key = int(weights[7].argmax())
    tab = open_demo(demo, open_tab, SELF, f"&p.attention.cell=7.{key}")
    tab.wait_for_map(step=step, query=7, key=key)
    series, accent = pixels.color(tab, "series-1"), pixels.color(tab, "accent")

    def bars(image: pixels.Image, cells: int) -> NDArray[np.int64]:
        """The pixels of each cell's bar, in the middle of the cell along the first axis."""
        middle = ((np.arange(cells) + 0.5) * image.shape[0] / cells).astype(int)
        rgb = image[middle, :, :3]
        of_bar = (rgb == series).all(-1) | (rgb == accent).all(-1)
        return of_bar.sum(1)

    profiles = tab.frame.locator(".map-pane canvas.profile")
    row = pixels.read(profiles.nth(0))
    # 40 px high, of which the axes take two; the line of the mean covers at most two of a bar.
    np.testing.assert_allclose(bars(row.swapaxes(0, 1), length), weights[7] * 38, atol=3)
    column = pixels.read(profiles.nth(1))
    np.testing.assert_allclose(
        bars(column, length), weights[:, key] * (column.shape[1] - 2), atol=1.5
    )
    # The crosshair's own bar is orange in both.
    for image, index in ((row.swapaxes(0, 1), key), (column, 7)):
        orange = (image[:, :, :3] == accent).all(-1).any(1)
        assert set(np.flatnonzero(orange) * length // len(image)) == {index}
    assert "Query 7" in tab.frame.locator(".profile-caption").inner_text()
    assert tab.frame.locator(".profile-key").inner_text() == f"Key {key}"


def test_pins_stay_through_steps_and_a_reload(
    demo: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    steps = reader.steps(RUN, CROSS)
    tab = open_demo(demo, open_tab, CROSS, f"&p.attention.step={steps[5]}&p.attention.cell=4.13")
    canvas = tab.frame.get_by_test_id("map")
    canvas.press("Shift+P")
    canvas.press("p")  # which goes to the strongest key of the row, as the inspector reads it
    weights = reader.weights(RUN, CROSS, steps[5])[0, 0, 4]
    tab.wait_for_map(query=4, key=int(weights.argmax()))
    canvas.press("ArrowDown")
    tab.wait_for_map(query=5)

    def assert_pinned() -> None:
        for side, index in (("query", 4), ("key", 13)):
            expect(tab.frame.get_by_test_id(f"pin-{side}")).to_have_attribute(
                "data-index", str(index)
            )
        # It lies on its row.
        pin = tab.frame.get_by_test_id("pin-query").bounding_box()
        box = canvas.bounding_box()
        assert pin is not None
        assert box is not None
        assert pin["y"] - box["y"] == pytest.approx(4 * number(tab, "cell-height"), abs=1.5)

    assert_pinned()
    tab.frame.get_by_test_id("next").click()
    tab.wait_for_map(step=steps[6])
    assert_pinned()
    tab.page.wait_for_url(re.compile(rf"step={steps[6]}&.*pinQuery=4&.*pinKey=13"))
    tab.page.reload()
    tab.wait_for_map(step=steps[6])
    assert_pinned()


def bed_share(tab: Tab) -> NDArray[np.float64]:
    """How much of each cell is the bed that shows where no weight is possible, `[queries, keys]`.

    The hatch on it is thin: most of such a cell is bed, nothing of one with a weight.
    """
    image = pixels.read(tab.frame.get_by_test_id("map"))
    queries, keys = int(number(tab, "queries")), int(number(tab, "keys"))
    is_bed = (image[:, :, :3] == pixels.color(tab, "mask-bg")).all(-1)
    height, width = image.shape[0] // queries, image.shape[1] // keys
    return is_bed.reshape(queries, height, keys, width).mean((1, 3))


def test_padding_is_hidden_and_shown(
    demo: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    tab = open_demo(demo, open_tab, CROSS, "&p.attention.example=1")
    step = int(tab.map_attribute("step"))
    queries, keys = reader.lengths(RUN, CROSS, step)[1]
    whole = reader.weights(RUN, CROSS, step).shape[-2:]
    assert (queries, keys) != whole
    assert (number(tab, "queries"), number(tab, "keys")) == (queries, keys)
    tab.frame.get_by_test_id("padding-picker").click()
    tab.frame.locator('.picker-option[data-value="shown"]').click()
    tab.wait_for_map(queries=whole[0], keys=whole[1])
    masked = bed_share(tab)
    assert (masked[:, keys:] > 0.4).all()
    weights = reader.weights(RUN, CROSS, step)[1, 0, :queries, :keys]
    assert (masked[:queries, :keys][weights > 0.05] == 0).all()
    assert tab.hover(1, keys + 1) == 0
    assert "padding" in tab.frame.locator(".tag").inner_text()


def test_keys_that_a_causal_query_cannot_see_have_the_colour_of_the_mask(
    demo: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    tab = open_demo(demo, open_tab, CAUSAL, "&p.attention.head=1")
    tab.wait_for_map(head=1)
    step = int(tab.map_attribute("step"))
    length, _ = reader.lengths(RUN, CAUSAL, step)[0]
    weights = reader.weights(RUN, CAUSAL, step)[0, 1, :length, :length]
    seen = np.tri(length, dtype=bool)
    assert (bed_share(tab)[~seen] > 0.4).all()
    image = pixels.cell_centers(tab, pixels.read(tab.frame.get_by_test_id("map")))
    expected = pixels.ink(tab)[pixels.entry(weights.astype(np.float64))]
    np.testing.assert_array_equal(image[seen], expected[seen])


def test_hidden_tokens_leave_the_rest_of_each_row_renormalised(
    demo: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    tab = open_demo(demo, open_tab, SELF, "&p.attention.head=2")
    tab.wait_for_map(head=2)
    step = int(tab.map_attribute("step"))
    length, _ = reader.lengths(RUN, SELF, step)[0]
    weights = reader.weights(RUN, SELF, step)[0, 2, :length, :length].astype(np.float64)
    _, keys = reader.tokens(RUN, SELF, step)[0]
    end = keys.index("⟨/s⟩")
    for choice, hidden in (("special", [end]), ("both", [0, end])):
        tab.frame.get_by_test_id("hide-picker").click()
        tab.frame.locator(f'.picker-option[data-value="{choice}"]').click()
        expect(tab.frame.get_by_test_id("masked")).to_contain_text("rows renormalised")
        expected = weights.copy()
        expected[:, hidden] = 0
        expected *= (weights.sum(1) / expected.sum(1))[:, None]
        for query, key in ((3, 2), (6, 9), (4, end), (2, hidden[0])):
            assert tab.hover(query, key) == pytest.approx(expected[query, key], abs=1e-6)


def positions(scale: str, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where weights lie on the ramp, as docs/tab.md says."""
    if scale == "linear":
        return weights
    if scale == "row":
        return weights / weights.max(1, keepdims=True)
    at = np.maximum(0.03, 1 - np.log10(np.maximum(weights, 1e-30)) / np.log10(0.001))
    return np.where(weights > 0, np.minimum(1, at), 0)


def test_scales_colour_each_weight_the_same_at_all_steps(
    demo: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    steps = reader.steps(RUN, CROSS)
    tab = open_demo(demo, open_tab, CROSS, f"&p.attention.step={steps[0]}&p.attention.head=3")
    tab.wait_for_map(head=3, step=steps[0])
    queries, keys = reader.lengths(RUN, CROSS, steps[0])[0]
    ramp = pixels.ink(tab)
    drawn: dict[tuple[str, int], pixels.Image] = {}
    for scale in ("linear", "log", "row"):
        tab.frame.get_by_test_id("scale-picker").click()
        tab.frame.locator(f'.picker-option[data-value="{scale}"]').click()
        expect(tab.frame.get_by_test_id("scale-picker")).to_have_attribute("data-value", scale)
        for step, button in ((steps[0], "first"), (steps[-1], "last")):
            if tab.map_attribute("step") != str(step):
                tab.frame.get_by_test_id(button).click()
            tab.wait_for_map(step=step)
            weights = reader.weights(RUN, CROSS, step)[0, 3, :queries, :keys].astype(np.float64)
            if scale != "log":
                weights[weights < 1e-5] = 0  # the code that says tiny; only Log tells it from zero
            image = pixels.cell_centers(tab, pixels.read(tab.frame.get_by_test_id("map")))
            expected = ramp[pixels.entry(positions(scale, weights))]
            np.testing.assert_array_equal(image, expected, err_msg=f"{scale} at step {step}")
            drawn[scale, step] = image
    for step in (steps[0], steps[-1]):
        assert (drawn["linear", step] != drawn["log", step]).any()
        assert (drawn["linear", step] != drawn["row", step]).any()


def test_colour_maps_get_further_from_the_page_with_more_weight(
    demo: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    tab = open_demo(demo, open_tab, CROSS)
    step = int(tab.map_attribute("step"))
    queries, keys = reader.lengths(RUN, CROSS, step)[0]
    weights = reader.weights(RUN, CROSS, step)[0, 0, :queries, :keys].astype(np.float64)
    order = pixels.entry(weights).ravel()
    for theme, direction in (("light", -1), ("dark", 1)):
        if theme == "dark":
            tab.page.evaluate("document.body.classList.add('dark-mode')")
            tab.frame.locator('[data-theme="dark"]').first.wait_for(state="attached")
        images: dict[str, pixels.Image] = {}
        for colors in ("ink", "cividis", "viridis", "greys"):
            picker = tab.frame.get_by_test_id("colors-picker")
            picker.click()
            tab.frame.locator(f'.picker-option[data-value="{colors}"]').click()
            expect(picker).to_have_attribute("data-value", colors)
            image = pixels.cell_centers(tab, pixels.read(tab.frame.get_by_test_id("map")))
            images[colors] = image
            luminance = image.reshape(-1, 3) @ np.array([0.2126, 0.7152, 0.0722])
            steps = np.diff(luminance[np.argsort(order, kind="stable")]) * direction
            assert steps.min() >= -0.75, f"{colors}, {theme}"
            assert direction * (luminance[order.argmax()] - luminance[order.argmin()]) > 90
        assert len({image.tobytes() for image in images.values()}) == 4
