"""The heads of a run at a glance: thumbnails, their order, finding and picking them out."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

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

RUN = "transformer/train"
THUMB, PITCH = 32, 34  # CSS pixels of a thumbnail, and from one to the next
DRAWN = ".heads-drawn:not(.skeleton) canvas"


def open_heads(board: TensorBoard, open_tab: OpenTab, run: str, more: str = "") -> Tab:
    tab = open_tab(board.address, f"&p.attention.run={run}&p.attention.pane=heads{more}")
    tab.wait_for_map(run=run)
    return tab


def test_one_request_a_step_brings_the_thumbnails_of_all_layers(
    board: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    layers = reader.layers(RUN)
    steps = reader.steps(RUN, layers[0])
    tab = open_heads(board, open_tab, RUN, f"&p.attention.step={steps[3]}")
    expect(tab.frame.locator(DRAWN)).to_have_count(len(layers))
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))
    for step in steps[4:7]:
        with tab.page.expect_response(lambda response: "/atlas?" in response.url):
            tab.frame.get_by_test_id("next").click()
        tab.wait_for_map(step=step)
    atlases = [parse_qs(urlsplit(url).query) for url in asked if "/atlas?" in url]
    assert [int(query["step"][0]) for query in atlases] == steps[4:7]
    # A layer is not named: all of them come at once, of the example that is shown.
    assert all("layer" not in query and query["example"] == ["0"] for query in atlases)


def pooled(length: int) -> list[slice]:
    """What each pixel of a thumbnail stands for: no position is lost, none is in two."""
    count = min(length, THUMB)
    return [slice(i * length // count, (i + 1) * length // count) for i in range(count)]


def expected_thumbnail(
    weights: Maps, ramp: pixels.Image, mask: NDArray[np.uint8], causal: bool
) -> tuple[pixels.Image, tuple[int, int]]:
    """`[height, width, 3]` of one head's map, and where in its box it begins."""
    queries, keys = weights.shape
    possible = np.tri(queries, keys, dtype=bool) if causal else np.ones(weights.shape, bool)
    rows, columns = pooled(queries), pooled(keys)
    most = np.array([[weights[r, c].max() for c in columns] for r in rows], np.float64)
    some = np.array([[possible[r, c].any() for c in columns] for r in rows])
    colors = np.where(some[..., None], ramp[pixels.entry(most)], mask)
    fit = min(THUMB / len(columns), THUMB / len(rows))
    width = min(THUMB, max(2, int(np.floor(len(columns) * fit + 0.5))))
    height = min(THUMB, max(2, int(np.floor(len(rows) * fit + 0.5))))
    down = np.arange(height) * len(rows) // height
    across = np.arange(width) * len(columns) // width
    return colors[down][:, across], ((THUMB - height) // 2, (THUMB - width) // 2)


def assert_drawn(tab: Tab, layers: dict[str, Maps], causal: Callable[[str], bool]) -> None:
    """Compares every pixel of every thumbnail, but for the frame around it."""
    ramp, mask = pixels.ink(tab), pixels.color(tab, "mask-bg")
    for layer, maps in layers.items():
        row = tab.frame.locator(".heads-row", has=tab.frame.locator(f'[data-layer="{layer}"]'))
        canvas = row.locator(DRAWN)
        image = pixels.read(canvas)
        assert image.shape[:2] == (THUMB, len(maps) * PITCH - 2)
        for head, weights in enumerate(maps):
            expected, (top, left) = expected_thumbnail(weights, ramp, mask, causal(layer))
            height, width = expected.shape[:2]
            box = image[top : top + height, head * PITCH + left : head * PITCH + left + width, :3]
            np.testing.assert_array_equal(
                box[1:-1, 1:-1], expected[1:-1, 1:-1], err_msg=f"{layer}, head {head}"
            )


def test_thumbnails_of_the_demo_are_its_weights(
    board: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    layers = reader.layers(RUN)
    step = reader.steps(RUN, layers[0])[50]
    tab = open_heads(board, open_tab, RUN, f"&p.attention.step={step}&p.attention.example=2")
    tab.wait_for_map(step=step, example=2)
    expect(tab.frame.locator(DRAWN)).to_have_count(len(layers))
    maps: dict[str, Maps] = {}
    for layer in layers:
        queries, keys = reader.lengths(RUN, layer, step)[2]
        maps[layer] = reader.weights(RUN, layer, step)[2, :, :queries, :keys]
    assert_drawn(tab, maps, lambda layer: "decoder" in layer and "self" in layer)


@pytest.fixture(scope="module")
def kinds_log(tmp_path_factory: pytest.TempPathFactory, attention: Callable[..., Maps]) -> Path:
    """Heads that are something: sinks, previous token, uniform; in part only at the last step."""
    logdir = tmp_path_factory.mktemp("kinds")
    queries = keys = 67
    sink = np.zeros((queries, keys), np.float32)
    sink[:, 3] = 1
    previous = np.eye(queries, keys, -1, np.float32)
    previous[0, 0] = 1
    uniform = np.full((queries, keys), 1 / keys, np.float32)
    with AttentionWriter(logdir / "kinds") as writer:
        for step, share in ((0, 0.1), (11, 0.3), (22, 0.9)):
            for number, layer in enumerate(("encoder/layer_0/self", "encoder/layer_1/self")):
                maps = attention(1, 5, queries, keys, seed=100 * number + step)
                maps[0, 0] = 0.5 * sink + 0.5 * maps[0, 0]  # just about one
                maps[0, 1] = share * sink + (1 - share) * maps[0, 1]
                maps[0, 2 + number] = share * previous + (1 - share) * maps[0, 2 + number]
                maps[0, 4] = uniform if number else 0.9 * sink + 0.1 * maps[0, 4]
                writer.write(layer, maps, step)
            # Fewer heads than the others, and longer than a thumbnail on both sides.
            writer.write("decoder/layer_0/cross", attention(1, 3, 97, 41, seed=step), step)
    return logdir


@pytest.fixture(scope="module")
def kinds_board(kinds_log: Path, start_tensorboard: Start) -> TensorBoard:
    return start_tensorboard(kinds_log)


def test_thumbnails_of_long_maps_are_maxima(
    kinds_board: TensorBoard, kinds_log: Path, open_tab: OpenTab
) -> None:
    reader = AttentionReader(kinds_log)
    tab = open_heads(kinds_board, open_tab, "kinds", "&p.attention.step=11")
    tab.wait_for_map(step=11)
    expect(tab.frame.locator(DRAWN)).to_have_count(3)
    maps = {layer: reader.weights("kinds", layer, 11)[0] for layer in reader.layers("kinds")}
    assert_drawn(tab, maps, lambda _: False)


Head = tuple[str, int]


def heads_of_kind(reader: AttentionReader, step: int) -> dict[str, set[Head]]:
    """What each chip should pick out, of the first example."""
    found: dict[str, set[Head]] = {}
    for layer in reader.layers("kinds"):
        metrics = reader.metrics("kinds", layer)
        at = reader.steps("kinds", layer).index(step)
        is_a = {
            "Sink": metrics["sink_mass"][at, 0] >= 0.5,
            "Previous token": metrics["previous_token"][at, 0] >= 0.5,
            "Uniform": metrics["entropy"][at, 0] >= 0.975,
            "Changed since the first": np.abs(
                metrics["entropy"][at, 0].astype(float) - metrics["entropy"][0, 0]
            )
            >= 0.1,
        }
        for kind, heads in is_a.items():
            found.setdefault(kind, set()).update((layer, int(h)) for h in np.flatnonzero(heads))
    return {kind: heads for kind, heads in found.items() if heads}


def places(tab: Tab, selector: str = "") -> dict[Head, float]:
    """Heads and where they stand, in CSS pixels from the left."""
    cells = tab.frame.locator(f".heads-cell{selector}").evaluate_all(
        "all => all.map((e) => [e.dataset.layer, Number(e.dataset.head), "
        "e.getBoundingClientRect().left])"
    )
    return {(layer, head): left for layer, head, left in cells}


def test_chips_pick_out_the_heads_that_the_metrics_tell_of(
    kinds_board: TensorBoard, kinds_log: Path, open_tab: OpenTab
) -> None:
    reader = AttentionReader(kinds_log)
    expected = heads_of_kind(reader, 22)
    assert set(expected) == {"Sink", "Previous token", "Uniform", "Changed since the first"}
    assert expected != heads_of_kind(reader, 0)
    tab = open_heads(kinds_board, open_tab, "kinds", "&p.attention.step=22")
    chips = tab.frame.locator(".heads-bar [data-chip]")
    expect(chips).to_have_count(5)
    counts = dict(
        chips.evaluate_all(
            "all => all.map((e) => [e.dataset.chip, e.textContent.match(/\\d+$/)[0]])"
        )
    )
    assert counts == {"All": "13"} | {kind: str(len(heads)) for kind, heads in expected.items()}
    before = places(tab)
    for kind, heads in expected.items():
        tab.frame.locator(f'[data-chip="{kind}"]').click()
        expect(tab.frame.locator(".heads-cell:not(.left-out)")).to_have_count(len(heads))
        shown = places(tab, ":not(.left-out)")
        # A head that is picked out stands where it stood, beside the gaps of those left out.
        assert shown == {head: before[head] for head in heads}
        assert tab.text("heads-found").startswith(f"{len(heads)} of 13 heads")
    tab.frame.get_by_role("button", name="Show all").click()
    expect(tab.frame.locator(".heads-cell.left-out")).to_have_count(0)
    # At another step other heads are of these kinds.
    tab.frame.get_by_test_id("first").click()
    tab.wait_for_map(step=0)
    sinks = len(heads_of_kind(reader, 0)["Sink"])
    assert sinks < len(expected["Sink"])
    expect(tab.frame.locator('[data-chip="Sink"]')).to_have_text(re.compile(rf"\D{sinks}$"))


def test_heads_are_found_by_the_words_of_their_names(
    board: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    tab = open_heads(board, open_tab, RUN)
    before = places(tab)
    tab.frame.get_by_test_id("map").press("/")
    field = tab.frame.get_by_test_id("find-head")
    expect(field).to_be_focused()
    tab.page.keyboard.type("cross h1")
    wanted = {(layer, 1) for layer in reader.layers(RUN) if "cross" in layer}
    expect(tab.frame.locator(".heads-cell:not(.left-out)")).to_have_count(len(wanted))
    shown = places(tab, ":not(.left-out)")
    assert shown == {head: before[head] for head in wanted}
    assert tab.text("heads-found").startswith(f"{len(wanted)} of {len(before)} heads")
    # The keys of the page rest while one types.
    tab.page.keyboard.type(" nothing")
    expect(tab.frame.get_by_test_id("heads-found")).to_contain_text("None of")
    field.press("Escape")
    expect(tab.frame.locator(".heads-cell")).to_have_count(len(before))
    assert field.input_value() == ""


def test_heads_are_sorted_by_how_much_they_changed(
    board: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    changes: dict[Head, float] = {}
    for layer in reader.layers(RUN):
        entropy = reader.metrics(RUN, layer)["entropy"][:, 0].astype(np.float64)
        for head, change in enumerate(entropy[40] - entropy[0]):
            changes[layer, head] = float(change)
    step = reader.steps(RUN, reader.layers(RUN)[0])[40]
    tab = open_heads(board, open_tab, RUN, f"&p.attention.step={step}&p.attention.metric=entropy")
    tab.frame.get_by_test_id("sort").click()
    tab.frame.locator('.picker-option[data-value="change"]').click()
    rows = tab.frame.locator('[data-testid="ranked-heads"] [role="option"]')
    expect(rows).to_have_count(len(changes))
    expect(rows.last.locator(".ranked-value")).not_to_have_text(re.compile("–"))
    order = sorted(changes, key=lambda head: -abs(changes[head]))
    shown = rows.evaluate_all(
        "all => all.map((e) => [e.dataset.layer, Number(e.dataset.head), "
        "e.querySelector('.ranked-value').textContent])"
    )
    assert [(layer, head) for layer, head, _ in shown] == order
    for (_, _, text), head in zip(shown, order, strict=True):
        assert text.replace("−", "-") == f"{changes[head]:+.3f}"
    rows.nth(2).click()
    tab.wait_for_map(layer=order[2][0], head=order[2][1])


def test_a_press_opens_a_head_and_arrows_move_among_them(
    board: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    tab = open_heads(board, open_tab, RUN)
    cells = tab.frame.locator(".heads-cell")
    order = list(dict.fromkeys(layer for layer, _ in places(tab)))
    assert sorted(order) == sorted(reader.layers(RUN))
    tab.frame.locator(f'.heads-cell[data-layer="{order[1]}"][data-head="2"]').click()
    tab.wait_for_map(layer=order[1], head=2)
    focus = tab.frame.locator(".heads-cell:focus")
    for key, row, head in (
        ("ArrowRight", 1, 3),
        ("ArrowRight", 1, 3),  # there is none beyond the last
        ("ArrowLeft", 1, 2),
        ("ArrowDown", 2, 2),
        ("ArrowUp", 1, 2),
        ("ArrowUp", 0, 2),
        ("ArrowUp", 0, 2),
    ):
        tab.page.keyboard.press(key)
        tab.wait_for_map(layer=order[row], head=head)
        # The focus goes along, and is the only Tab stop of them all.
        expect(focus).to_have_attribute("data-layer", order[row])
        expect(focus).to_have_attribute("data-head", str(head))
        assert cells.evaluate_all("all => all.filter((e) => e.tabIndex === 0).length") == 1
    step = tab.map_attribute("step")
    assert int(step) == reader.steps(RUN, order[0])[-1]  # arrows here move no slider
