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
    assert tab.text("event-count").split() == ["Events", str(len(events))]
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
