"""A, B and A − B: of steps, heads and runs, and what is said where the two do not correspond."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from numpy.typing import NDArray

from tb_attention_plugin import AttentionReader, AttentionWriter
from tests.browser.tab import Tab, TensorBoard

pytestmark = [pytest.mark.browser, pytest.mark.slow]

OpenTab = Callable[..., Tab]
Start = Callable[..., TensorBoard]
Attention = Callable[..., NDArray[np.float32]]

# Every dimension another prime: examples, heads, queries, keys.
SHAPE = (2, 11, 5, 7)
LAYER = "decoder/layer_0/cross_attention"
OTHER_LAYER = "decoder/layer_1/cross_attention"
LONG = "encoder/self_attention"
STEPS = {"base": (0, 10, 20, 30), "sparse": (0, 13, 29)}
QUERIES = [list("12345"), list("67890")]
KEYS = [list("abcdefg"), list("hijklmn")]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory, attention: Attention) -> Path:
    """Runs that share a layer: alike, sparser, with fewer heads, of another size, as maxima."""
    logdir = tmp_path_factory.mktemp("compare")
    for number, (run, steps) in enumerate(STEPS.items()):
        with AttentionWriter(logdir / run) as writer:
            for step in steps:
                seed = 100 * number + step
                for layer, weights in (
                    (LAYER, attention(*SHAPE, seed=seed)),
                    (OTHER_LAYER, attention(2, 3, 5, 7, seed=seed + 1)),
                ):
                    writer.write(layer, weights, step, query_tokens=QUERIES, key_tokens=KEYS)
                if run == "base":
                    writer.write(LONG, attention(1, 1, 13, 13, seed=step), step)
    with AttentionWriter(logdir / "few") as writer:
        renamed = [["1", "2", "3", "4", "x"], QUERIES[1]]
        writer.write(
            LAYER,
            attention(2, 2, 5, 7, seed=7),
            30,
            query_tokens=renamed,
            key_tokens=KEYS,
        )
    with AttentionWriter(logdir / "small") as writer:
        writer.write(LAYER, attention(2, 11, 3, 13, seed=8), 30)
    with AttentionWriter(logdir / "maxima", max_length=17) as writer:
        writer.write(LONG, attention(1, 1, 34, 34, seed=9), 30)
    return logdir


@pytest.fixture(scope="module")
def board(log: Path, start_tensorboard: Start) -> TensorBoard:
    return start_tensorboard(log)


@pytest.fixture(scope="module")
def reader(log: Path) -> AttentionReader:
    return AttentionReader(log)


def open_compare(
    board: TensorBoard, open_tab: OpenTab, *, width: int = 1440, **state: object
) -> Tab:
    """Opens the view; B is there when `compare-b` is."""
    chosen = {"run": "base", "layer": LAYER, "mode": "compare", "a": 30, **state}
    more = "".join(f"&p.attention.{key}={quote(str(value))}" for key, value in chosen.items())
    tab = open_tab(board.address, more, width=width)
    panel(tab, "compare-a")
    return tab


def panel(tab: Tab, name: str, state: str = "ready", **attributes: object) -> None:
    wanted = "".join(f'[data-{key}="{value}"]' for key, value in attributes.items())
    tab.frame.locator(f'[data-testid="{name}"][data-state="{state}"]{wanted}').wait_for()


def attribute(tab: Tab, name: str, key: str) -> str:
    value = tab.frame.get_by_test_id(name).get_attribute(f"data-{key}")
    assert value is not None
    return value


def point(tab: Tab, name: str, query: int, key: int) -> None:
    """Moves the pointer to a cell of a panel, which may be zoomed."""
    canvas = tab.frame.get_by_test_id(name)
    box = canvas.bounding_box()
    assert box is not None
    row = query - int(attribute(tab, name, "first-query"))
    column = key - int(attribute(tab, name, "first-key"))
    x = (column + 0.5) * box["width"] / int(attribute(tab, name, "keys"))
    y = (row + 0.5) * box["height"] / int(attribute(tab, name, "queries"))
    canvas.hover(position={"x": x, "y": y})
    panel(tab, name, query=query, key=key)


def values(tab: Tab, query: int, key: int, suffix: str = "") -> tuple[float, float, float]:
    """A, B and A − B as shown at a cell."""
    point(tab, "compare-a", query, key)
    a, b, difference = (attribute(tab, f"compare-{n}{suffix}", "value") for n in ("a", "b", "diff"))
    return float(a), float(b), float(difference)


def recorded(
    reader: AttentionReader, run: str, step: int, head: int, layer: str = LAYER
) -> NDArray[np.float32]:
    return reader.weights(run, layer, step)[0, head]


def assert_shown(tab: Tab, one: NDArray[np.float32], two: NDArray[np.float32]) -> None:
    """A, B and A − B are those of NumPy, at cells of every row."""
    for query in range(5):
        key = (3 * query + 2) % 7
        shown = values(tab, query, key)
        a, b = float(one[query, key]), float(two[query, key])
        np.testing.assert_allclose(shown, (a, b, a - b), atol=1e-6)
    share = float(np.abs(one.astype(np.float64) - two).sum() / 2 / 5 * 100)
    moved = re.search(r"([\d.]+) %", tab.text("moved"))
    assert moved is not None
    assert float(moved[1]) == pytest.approx(share, abs=0.51)


def test_two_steps_of_a_head(
    board: TensorBoard, reader: AttentionReader, attention: Attention, open_tab: OpenTab
) -> None:
    tab = open_compare(board, open_tab, head=7, b=10)
    panel(tab, "compare-diff")
    assert_shown(tab, recorded(reader, "base", 30, 7), recorded(reader, "base", 10, 7))
    # Of what was written the difference is off by no more than both of its codes are.
    true_a, true_b = (attention(*SHAPE, seed=step)[0, 7, 4, 1] for step in (30, 10))
    difference = values(tab, 4, 1)[2]
    allowed = sum(max(5e-4, 0.01 * float(true)) for true in (true_a, true_b))
    assert abs(difference - (float(true_a) - float(true_b))) <= allowed
    assert tab.frame.get_by_test_id("compare-said").count() == 0


@pytest.mark.parametrize(
    ("other", "run", "layer", "head", "step"),
    [
        ("head.2", "base", LAYER, 2, 30),
        (f"layer.{OTHER_LAYER}.head.1", "base", OTHER_LAYER, 1, 30),
        ("run.sparse", "sparse", LAYER, 7, 29),
        ("head.10.run.sparse", "sparse", LAYER, 10, 29),
        (f"layer.{OTHER_LAYER}.head.2.run.sparse", "sparse", OTHER_LAYER, 2, 29),
    ],
)
def test_another_head_layer_or_run(
    board: TensorBoard,
    reader: AttentionReader,
    open_tab: OpenTab,
    other: str,
    run: str,
    layer: str,
    head: int,
    step: int,
) -> None:
    tab = open_compare(board, open_tab, head=7, other=other)
    panel(tab, "compare-b", step=step)
    panel(tab, "compare-diff")
    assert tab.text("head-b") == f"head {head}"
    assert_shown(tab, recorded(reader, "base", 30, 7), recorded(reader, run, step, head, layer))
    # B has no record at 30: that is said, and only where it is so.
    nearest = tab.frame.get_by_test_id("nearest-b")
    assert nearest.count() == int(run == "sparse")
    if run == "sparse":
        assert nearest.inner_text() == "nearest to 30"
        assert tab.text("run-b") == "sparse"


def test_any_head_of_any_run_is_picked_by_typing(board: TensorBoard, open_tab: OpenTab) -> None:
    tab = open_compare(board, open_tab, head=7)
    picker = tab.frame.get_by_test_id("other-picker")

    def pick(words: str) -> str:
        picker.click()
        tab.frame.locator(".picker-filter").fill(words)
        first = tab.frame.locator(".picker-option").first
        label = first.inner_text()
        first.click()
        panel(tab, "compare-diff")
        return label

    assert pick("h2 layer_1").startswith("L1 H2") or "H2" in picker.inner_text()
    assert picker.get_attribute("data-value") == f"layer.{OTHER_LAYER}.head.2"
    pick("sparse run")
    assert picker.get_attribute("data-value") == "run.sparse"
    pick("sparse head 4")
    assert picker.get_attribute("data-value") == "head.4.run.sparse"
    pick("this head")
    assert picker.get_attribute("data-value") == ""


def test_runs_below_each_other_at_the_same_steps(
    board: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    tab = open_compare(board, open_tab, head=7, b=10)
    for run in ("sparse", "few"):
        tab.frame.get_by_test_id("rows-picker").click()
        tab.frame.locator(f'.picker-option[data-value="{run}"]').click()
    panel(tab, "compare-diff-2")
    assert [tab.text(f"run-a{row}") for row in ("", "-1", "-2")] == ["base", "sparse", "few"]
    assert tab.text("nearest-a-1") == "nearest to 30"
    assert tab.text("nearest-b-1") == "nearest to 10"
    assert [attribute(tab, f"compare-{n}-1", "step") for n in "ab"] == ["29", "13"]
    # One crosshair in all of them, each with its own values.
    shown = values(tab, 3, 5, "-1")
    one, two = recorded(reader, "sparse", 29, 7), recorded(reader, "sparse", 13, 7)
    expected = float(one[3, 5]), float(two[3, 5]), float(one[3, 5] - two[3, 5])
    np.testing.assert_allclose(shown, expected, atol=1e-6)
    # The third run has two heads.
    assert tab.text("head-a-2") == "head 1, there is no 7"
    assert "Run “few” has 2 heads: its head 1 is shown in place of head 7." in tab.text(
        "compare-said"
    )
    # A link has the rows, in their order.
    tab.page.wait_for_function("() => location.hash.includes('p.attention.rows=sparse%7Cfew')")


def test_the_other_one_of_two_runs_is_a_click_away(
    tmp_path: Path, start_tensorboard: Start, open_tab: OpenTab, attention: Attention
) -> None:
    for run in ("base", "other"):
        with AttentionWriter(tmp_path / run) as writer:
            for step in (0, 30):
                writer.write(LAYER, attention(1, 1, 5, 7, seed=step), step)
    tab = open_compare(start_tensorboard(tmp_path), open_tab)
    toggle = tab.frame.get_by_test_id("rows-toggle")
    assert toggle.get_attribute("aria-pressed") == "false"
    toggle.click()
    panel(tab, "compare-diff-1")
    assert tab.text("run-a-1") == "other"
    toggle.click()
    tab.frame.get_by_test_id("compare-diff-1").wait_for(state="detached")


def test_zoom_and_crosshair_are_one_for_all(board: TensorBoard, open_tab: OpenTab) -> None:
    tab = open_compare(board, open_tab, b=10, rows="sparse")
    names = [f"compare-{n}{row}" for row in ("", "-1") for n in ("a", "b", "diff")]
    panel(tab, "compare-diff-1")
    for _ in range(2):
        tab.frame.get_by_test_id("zoom-in").click()
    part = {
        tuple(attribute(tab, name, key) for key in ("first-query", "first-key", "queries", "keys"))
        for name in names
    }
    assert len(part) == 1
    _, _, queries, keys = map(int, part.pop())
    assert queries * keys < 5 * 7
    first = int(attribute(tab, "compare-b-1", "first-query"))
    point(tab, "compare-b-1", first, int(attribute(tab, "compare-b-1", "first-key")) + 1)
    assert {attribute(tab, name, "query") for name in names} == {str(first)}


def test_steps_are_exchanged(
    board: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    tab = open_compare(board, open_tab, b=10)
    panel(tab, "compare-diff")
    before = values(tab, 2, 2)
    tab.frame.get_by_test_id("swap").click()
    panel(tab, "compare-a", step=10)
    panel(tab, "compare-b", step=30)
    panel(tab, "compare-diff")
    after = values(tab, 2, 2)
    np.testing.assert_allclose(after, (before[1], before[0], -before[2]), atol=1e-6)
    assert before[2] != 0


def test_other_sizes_and_tokens_are_said(
    board: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    tab = open_compare(board, open_tab, head=4, other="run.small")
    panel(tab, "compare-diff")
    assert (
        tab.text("compare-said")
        == "A is 5 × 7, B is 3 × 13: only the first 3 × 7 cells are compared."
    )
    assert [attribute(tab, "compare-diff", side) for side in ("queries", "keys")] == ["3", "7"]
    # Part of a row is no share of its weight.
    assert tab.frame.get_by_test_id("moved").count() == 0
    one, two = recorded(reader, "base", 30, 4), recorded(reader, "small", 30, 4)
    assert values(tab, 2, 6)[2] == pytest.approx(float(one[2, 6] - two[2, 6]), abs=1e-6)

    tab = open_compare(board, open_tab, head=1, other="run.few")
    panel(tab, "compare-diff")
    assert "A and B have different query tokens" in tab.text("compare-said")


def test_a_head_that_is_not_there_is_said(board: TensorBoard, open_tab: OpenTab) -> None:
    tab = open_compare(board, open_tab, head=7, other="run.few")
    panel(tab, "compare-diff")
    assert tab.text("head-b") == "head 1, there is no 7"
    assert "its head 1 is shown in place of head 7" in tab.text("compare-said")
    tab = open_compare(board, open_tab, other="run.gone")
    assert tab.text("compare-said") == "There is no run “gone” in this log. B is the same as A."


def test_maxima_have_no_difference_from_weights(board: TensorBoard, open_tab: OpenTab) -> None:
    tab = open_compare(board, open_tab, layer=LONG, other="run.maxima")
    panel(tab, "compare-b")
    said = tab.text("compare-said")
    assert said.startswith("A is 13 × 13, B is 17 × 17 (maxima of 2 × 2): ")
    assert "no difference to show" in said
    assert tab.text("diff-missing") == "No difference. Cells of A and B do not correspond."
    assert tab.frame.get_by_test_id("moved").count() == 0
    assert "Nothing to list" in tab.text("moves")
    # Each side is drawn whole.
    assert [attribute(tab, f"compare-{n}", "queries") for n in "ab"] == ["13", "17"]


def test_a_side_that_fails_does_not_load_for_ever(
    tmp_path: Path, start_tensorboard: Start, open_tab: OpenTab, attention: Attention
) -> None:
    with AttentionWriter(tmp_path / "base") as writer:
        for step in (0, 30):
            writer.write(LAYER, attention(1, 1, 5, 7, seed=step), step)
    (data,) = (tmp_path / "base" / "plugins" / "attention").glob("*.data")
    damaged = bytearray(data.read_bytes())
    damaged[0] ^= 0xFF
    data.write_bytes(damaged)
    tab = open_compare(start_tensorboard(tmp_path), open_tab, b=0)
    panel(tab, "compare-b", "error")
    assert tab.text("diff-missing") == "No difference. B could not be read."
    assert "Nothing to list" in tab.text("moves")
    assert "checksum" in tab.frame.locator(".panel-problem[role=alert]").inner_text()
    # A is there, and so is its weight.
    point(tab, "compare-a", 3, 2)
    assert "A 0." in tab.text("compare-readout").replace("\n", " ")
    assert tab.frame.get_by_text("Loading").count() == 0


def test_thumbnails_only_is_said(
    tmp_path: Path, start_tensorboard: Start, open_tab: OpenTab, attention: Attention
) -> None:
    with AttentionWriter(tmp_path / "base") as writer:
        for step in (0, 30):
            writer.write(LAYER, attention(1, 1, 5, 7, seed=step), step)
    shutil.rmtree(tmp_path / "base" / "plugins")
    address = start_tensorboard(tmp_path).address
    tab = open_tab(address, "&p.attention.mode=compare")
    missing = tab.frame.get_by_test_id("diff-missing")
    missing.wait_for()
    assert missing.inner_text() == "No difference. This copy of the log has thumbnails only."
    assert tab.frame.get_by_text("Loading").count() == 0


def test_what_the_crosshair_is_on_is_read_out(
    board: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    tab = open_compare(board, open_tab, b=10, head=3)
    panel(tab, "compare-diff")
    canvas = tab.frame.get_by_test_id("compare-b")
    point(tab, "compare-b", 1, 3)
    canvas.press("ArrowRight")
    panel(tab, "compare-b", query=1, key=4)
    one, two = recorded(reader, "base", 30, 3), recorded(reader, "base", 10, 3)

    def side(weights: NDArray[np.float32]) -> str:
        value = float(weights[1, 4])
        shown = f"{value:.4f}" if value >= 5e-5 else None
        rank = int((weights[1] > weights[1, 4]).sum()) + 1
        return f"{shown}, rank {rank}" if shown else f", rank {rank}"

    live = tab.frame.get_by_test_id("announcer").filter(has_text="A minus B")
    live.wait_for()
    text = live.inner_text()
    assert text.startswith("query 1 2, key 4 e, A ")
    assert side(one) in text
    assert side(two) in text
    difference = float(one[1, 4] - two[1, 4])
    assert text.endswith(f"A minus B {difference:+.4f}".replace("-", "−"))
    readout = tab.text("compare-readout").replace("\n", " ")
    assert side(two) in readout


@pytest.mark.parametrize("width", [1280, 1440, 1920])
def test_the_bar_is_one_row_and_the_maps_have_the_room(
    board: TensorBoard, open_tab: OpenTab, width: int
) -> None:
    tab = open_compare(board, open_tab, width=width, other="head.2.run.sparse")
    panel(tab, "compare-diff")
    bar = tab.frame.locator(".compare-bar").bounding_box()
    rail = tab.frame.locator(".rail").bounding_box()
    colors = tab.frame.get_by_test_id("colors-diff").bounding_box()
    assert bar is not None
    assert rail is not None
    assert colors is not None
    assert bar["height"] <= 42
    assert rail["width"] == 48
    assert colors["x"] + colors["width"] == pytest.approx(width - 16, abs=1)
    # What differs most is shown whole or not at all.
    strip = tab.frame.get_by_test_id("moves").bounding_box()
    assert strip is not None
    for chip in tab.frame.locator(".move:visible").all():
        box = chip.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= strip["x"] + strip["width"]


def test_the_rail_chooses_examples_and_opens_the_pane(
    board: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    tab = open_compare(board, open_tab, b=10)
    tab.frame.locator('.rail [data-example="1"]').click()
    panel(tab, "compare-diff")
    weights = reader.weights("base", LAYER, 30)[1, 0]
    assert values(tab, 4, 6)[0] == pytest.approx(float(weights[4, 6]), abs=1e-6)
    assert tab.frame.locator(".left").count() == 0
    tab.frame.get_by_test_id("rail-open").click()
    tab.frame.locator('.left [data-testid="pane-events"]').wait_for()
    tab.frame.get_by_test_id("compare-b").click()
    tab.frame.locator(".left").wait_for(state="detached")


def test_the_dock_has_the_metric_of_both_sides(
    board: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    tab = open_compare(board, open_tab, head=7, other="head.10.run.sparse")
    shown = tab.frame.get_by_test_id("sides-entropy").locator("b")
    a = reader.metrics("base", LAYER)["entropy"][STEPS["base"].index(30), 0, 7]
    b = reader.metrics("sparse", LAYER)["entropy"][STEPS["sparse"].index(29), 0, 10]
    shown.nth(1).filter(has_text=f"{b:.3f}").wait_for()
    assert shown.all_inner_texts() == [f"{a:.3f}", f"{b:.3f}"]
    # B's curve is drawn in its colour, over that of A.
    ochre = tab.frame.locator("canvas").evaluate_all(
        """(all) => all.filter((canvas) => canvas.closest('.tracks')).some((canvas) => {
          const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
          for (let i = 0; i < data.length; i += 4)
            if (data[i] === 0x8a && data[i + 1] === 0x5a && data[i + 2] === 0) return true;
          return false;
        })"""
    )
    assert ochre
