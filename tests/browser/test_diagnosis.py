"""What the tab says about trainings in which something happens."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Locator, expect

from tb_attention_plugin import AttentionReader, AttentionWriter
from tb_attention_plugin.diagnosis.alignment import alignment_failures
from tb_attention_plugin.diagnosis.events import Event, events_of
from tests.browser.tab import Tab, TensorBoard

pytestmark = [pytest.mark.browser, pytest.mark.slow]

OpenTab = Callable[..., Tab]
Start = Callable[..., TensorBoard]
DESTROYED = "seq2seq-that-reorders-alignment-destroyed"


@pytest.fixture(scope="module")
def board(diagnosis_log: Path, start_tensorboard: Start) -> TensorBoard:
    return start_tensorboard(diagnosis_log)


@pytest.fixture(scope="module")
def events(diagnosis_log: Path) -> list[Event]:
    """Those of the destroyed alignment, in the order of time."""
    reader = AttentionReader(diagnosis_log)
    found = events_of("cross", reader.steps(DESTROYED, "cross"), reader.metrics(DESTROYED, "cross"))
    assert {event.kind for event in found} >= {"alignment_formed", "alignment_lost"}
    return sorted(found, key=lambda event: (event.step, event.head))


ROWS = '[data-testid="event-list"] [role="option"]'


def options(tab: Tab) -> list[tuple[str, int, int]]:
    """Kind, head and step of each row of the list."""

    def number(row: Locator, name: str) -> int:
        return int(row.get_attribute(f"data-{name}") or "")

    return [
        (row.get_attribute("data-kind") or "", number(row, "head"), number(row, "step"))
        for row in tab.frame.locator(ROWS).all()
    ]


def test_events_are_listed_and_lead_to_their_map(
    board: TensorBoard, events: list[Event], open_tab: OpenTab
) -> None:
    tab = open_tab(board.address, f"&p.attention.run={DESTROYED}&p.attention.step=0")
    tab.wait_for_map(run=DESTROYED, step=0)
    # Events come after the map.
    expect(tab.frame.get_by_test_id("event-count")).to_have_text(re.compile(rf"\D{len(events)}$"))
    tab.frame.get_by_test_id("event-count").click()
    expect(tab.frame.locator(ROWS)).to_have_count(len(events))
    listed = options(tab)
    assert sorted(listed) == sorted((e.kind, e.head, e.step) for e in events)
    assert [step for *_, step in listed] == sorted(step for *_, step in listed)

    lost = next(event for event in events if event.kind == "alignment_lost")
    tab.frame.locator(f'[data-kind="alignment_lost"][data-head="{lost.head}"]').click()
    tab.wait_for_map(step=lost.step, head=lost.head)


def test_a_filter_holds_for_the_list_and_for_the_time_axis(
    board: TensorBoard, events: list[Event], open_tab: OpenTab
) -> None:
    tab = open_tab(board.address, f"&p.attention.run={DESTROYED}&p.attention.pane=events")
    tab.wait_for_map(run=DESTROYED)
    marks = tab.frame.locator('[data-testid="event-marks"] button')
    expect(marks.first).to_be_visible()
    assert sum(int(str(m.get_attribute("data-count"))) for m in marks.all()) == len(events)

    tab.frame.locator('[data-chip="Alignment formed"]').click()
    formed = [event for event in events if event.kind == "alignment_formed"]
    expect(tab.frame.locator(ROWS)).to_have_count(len(formed))
    expect(marks).to_have_count(1)
    assert tab.text("event-count").split()[1:] == [str(len(formed)), "of", str(len(events))]
    # The sentence that Python would log is the tooltip of the mark.
    title = marks.first.get_attribute("title") or ""
    assert all(event.message in title for event in formed)
    marks.first.click()
    tab.wait_for_map(step=formed[0].step, head=formed[0].head)


def test_the_brackets_go_from_event_to_event(
    board: TensorBoard, events: list[Event], open_tab: OpenTab
) -> None:
    tab = open_tab(board.address, f"&p.attention.run={DESTROYED}&p.attention.step=0")
    tab.wait_for_map(step=0)
    places = list(dict.fromkeys((event.step, event.head) for event in events))
    tab.frame.get_by_test_id("event-next").wait_for()
    page = tab.frame.get_by_test_id("slider")
    for step, head in places:
        page.press("]")
        tab.wait_for_map(step=step, head=head)
    for step, head in reversed(places[:-1]):
        page.press("[")
        tab.wait_for_map(step=step, head=head)


def test_heads_with_an_event_have_a_mark_in_the_overview(
    board: TensorBoard, open_tab: OpenTab
) -> None:
    tab = open_tab(
        board.address,
        f"&p.attention.run={DESTROYED}&p.attention.pane=heads&p.attention.step=195",
    )
    tab.wait_for_map(step=195)
    badges = tab.frame.locator(".heads-cell .event-badge")
    expect(badges).to_have_count(2)
    # At this step the alignment has formed; what comes later does not hide it.
    assert [badge.get_attribute("data-kind") for badge in badges.all()] == ["alignment_formed"] * 2
    cell = tab.frame.locator(".heads-cell").first
    expect(cell).to_have_attribute("title", re.compile("alignment formed at step"))


def maps(sharpness: float) -> NDArray[np.float32]:
    distance = np.abs(np.arange(13)[:, None] - np.arange(13))
    weights = np.exp(-distance * sharpness)
    return (weights / weights.sum(-1, keepdims=True)).astype(np.float32)[None, None]


def test_new_events_arrive_while_one_looks(
    tmp_path: Path, start_tensorboard: Start, open_tab: OpenTab
) -> None:
    with AttentionWriter(tmp_path / "run") as writer:
        for step in (0, 10):
            writer.write("layer", maps(0), step)
        writer.flush()
        tab = open_tab(
            start_tensorboard(tmp_path).address, "&p.attention.step=10&p.attention.pane=events"
        )
        tab.wait_for_map(step=10)
        tab.frame.get_by_test_id("no-events").wait_for()
        for step in (20, 30):
            writer.write("layer", maps(3), step)
        writer.flush()
        row = tab.frame.locator('[data-testid="event-list"] [data-kind="diagonal_formed"]')
        row.wait_for(timeout=30_000)
        assert tab.map_attribute("step") == "10"  # what one looks at stays
        row.click()
        tab.wait_for_map(step=20)


def wrong_alignment() -> NDArray[np.float32]:
    """Goes along 23 keys, jumps back, stalls on key 9 and never reaches the last seven."""
    path = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9, 9, 9, 15]
    return np.eye(23, dtype=np.float32)[path][None, None]


def test_failures_of_an_alignment_have_their_place_on_the_map(
    tmp_path: Path, start_tensorboard: Start, open_tab: OpenTab
) -> None:
    maps_ = wrong_alignment()
    expected = {
        (f.kind, f"{f.first_query}-{f.end_query}", f"{f.first_key}-{f.end_key}")
        for f in alignment_failures(maps_[0, 0])
    }
    assert {kind for kind, *_ in expected} == {"backward_jump", "repeat", "skip", "stall"}
    with AttentionWriter(tmp_path / "run") as writer:
        writer.write("decoder/cross", maps_, 0)
    tab = open_tab(start_tensorboard(tmp_path).address)
    tab.wait_for_map(step=0)
    boxes = tab.frame.locator(".failure-box")
    expect(boxes).to_have_count(len(expected))
    assert expected == {
        tuple(str(box.get_attribute(f"data-{name}")) for name in ("kind", "queries", "keys"))
        for box in boxes.all()
    }
    # The outline is where the cells are.
    canvas = tab.frame.get_by_test_id("map").bounding_box()
    stall = tab.frame.locator('.failure-box[data-kind="stall"]')
    box = stall.bounding_box()
    assert canvas is not None
    assert box is not None
    cell = canvas["width"] / 23
    assert box["x"] - canvas["x"] == pytest.approx(9 * cell, abs=1.5)
    assert box["width"] == pytest.approx(cell, abs=1.5)
    first, end = map(int, str(stall.get_attribute("data-queries")).split("-"))
    assert box["y"] - canvas["y"] == pytest.approx(first * canvas["height"] / 24, abs=1.5)
    assert box["height"] == pytest.approx((end - first) * canvas["height"] / 24, abs=1.5)

    tab.frame.locator('[data-failure="stall"]').click()
    tab.frame.locator('[data-testid="map"][data-key="9"]').wait_for()
    tab.frame.get_by_test_id("failures-switch").click()
    expect(boxes).to_have_count(0)
    tab.page.wait_for_url("**p.attention.failures=0*")


def test_a_good_alignment_has_no_failures_and_checks_are_in_sight(
    diagnosis_log: Path, board: TensorBoard, open_tab: OpenTab
) -> None:
    tab = open_tab(board.address, "&p.attention.run=induction")
    tab.wait_for_map(run="induction")
    # Self-attention is no alignment: nothing is said of it.
    assert "2 checks passed" in tab.text("checks") or "3 checks passed" in tab.text("checks")
    expect(tab.frame.get_by_test_id("no-failures")).to_have_count(0)
    tab.page.set_viewport_size({"width": 1440, "height": 900})
    tab.hover(3, 3)
    checks = tab.frame.get_by_test_id("checks").bounding_box()
    dock = tab.frame.locator(".dock").bounding_box()
    assert checks is not None
    assert dock is not None
    assert checks["y"] + checks["height"] < dock["y"]


def test_every_head_over_every_step_leads_to_a_head_and_a_step(
    board: TensorBoard, open_tab: OpenTab
) -> None:
    tab = open_tab(board.address, "&p.attention.run=induction&p.attention.step=0")
    tab.wait_for_map(step=0)
    tab.frame.get_by_test_id("slider").press("m")
    matrix = tab.frame.locator('[data-testid="matrix"][data-rows="4"][data-layers="2"]')
    matrix.wait_for()
    box = matrix.bounding_box()
    assert box is not None
    # The second row, head 1 of layer_0; at the right end of the axis, the last step.
    matrix.click(position={"x": box["width"] - 28, "y": 30})
    tab.frame.get_by_test_id("slider").press("m")
    tab.wait_for_map(step=600, layer="layer_0", head=1)


def test_heads_are_sorted_by_a_metric(
    diagnosis_log: Path, board: TensorBoard, open_tab: OpenTab
) -> None:
    reader = AttentionReader(diagnosis_log)
    values = {
        (layer, head): float(reader.metrics("induction", layer)["entropy"][-1, 0, head])
        for layer in reader.layers("induction")
        for head in range(2)
    }
    tab = open_tab(
        board.address,
        "&p.attention.run=induction&p.attention.step=600&p.attention.pane=heads"
        "&p.attention.metric=entropy&p.attention.sort=metric",
    )
    tab.wait_for_map(step=600)
    rows = tab.frame.locator('[data-testid="ranked-heads"] [role="option"]')
    expect(rows.last.locator(".ranked-value")).not_to_have_text("–")
    shown = [
        (row.get_attribute("data-layer"), int(row.get_attribute("data-head") or ""))
        for row in rows.all()
    ]
    assert shown == sorted(values, key=lambda head: -values[head])
