"""The film strip: one head at several steps, on the log of the demo."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import expect

from tb_attention_plugin import AttentionReader
from tests.browser.tab import Tab, TensorBoard

pytestmark = [pytest.mark.browser, pytest.mark.slow]

OpenTab = Callable[..., Tab]
RUN = "transformer/train"
LAYER = "decoder/layer_1/cross_attention"
HEAD = 2
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def film(board: TensorBoard, open_tab: OpenTab) -> Callable[..., Tab]:
    def start(more: str = "", *, frames: int) -> Tab:
        state = f"&p.attention.run={RUN}&p.attention.layer={LAYER}&p.attention.head={HEAD}"
        tab = open_tab(board.address, f"{state}&p.attention.mode=film{more}")
        wait_for_frames(tab, frames)
        return tab

    return start


def wait_for_frames(tab: Tab, count: int) -> None:
    ready = tab.frame.locator('[data-testid="film-frame"][data-state="ready"]')
    expect(ready).to_have_count(count)


def steps_of(tab: Tab) -> list[int]:
    frames = tab.frame.get_by_test_id("film-frame").all()
    return [int(frame.get_attribute("data-step") or "") for frame in frames]


def weights(reader: AttentionReader, step: int) -> NDArray[np.float32]:
    queries, keys = reader.lengths(RUN, LAYER, step)[0]
    return reader.weights(RUN, LAYER, step)[0, HEAD, :queries, :keys]


def test_frames_are_spread_evenly_and_show_the_weight_under_one_crosshair(
    film: Callable[..., Tab], reader: AttentionReader
) -> None:
    recorded = reader.steps(RUN, LAYER)
    tab = film("&p.attention.cell=4.7", frames=8)
    steps = steps_of(tab)
    assert steps == [recorded[round(i * (len(recorded) - 1) / 7)] for i in range(8)]
    shown = [
        float(frame.get_attribute("data-value") or "nan")
        for frame in tab.frame.get_by_test_id("film-frame").all()
    ]
    assert shown == pytest.approx([float(weights(reader, step)[4, 7]) for step in steps])

    # Pointing into any frame moves the crosshair of all.
    queries, keys = weights(reader, steps[0]).shape
    canvas = tab.frame.locator(".film-map").nth(3)
    box = canvas.bounding_box()
    assert box is not None
    x, y = 2.5 * box["width"] / keys, 9.5 * box["height"] / queries
    canvas.hover(position={"x": x, "y": y})
    last = tab.frame.get_by_test_id("film-frame").last
    value = float(weights(reader, steps[-1])[9, 2])
    expect(last).not_to_have_attribute("data-value", str(shown[-1]))
    assert float(last.get_attribute("data-value") or "nan") == pytest.approx(value)


def test_steps_are_put_in_and_taken_out_and_the_address_keeps_them(
    film: Callable[..., Tab], reader: AttentionReader
) -> None:
    recorded = reader.steps(RUN, LAYER)
    between = recorded[5]
    tab = film(f"&p.attention.frames=4&p.attention.step={between}", frames=4)
    four = steps_of(tab)
    assert between not in four
    tab.page.keyboard.press("Tab")  # anywhere in the tab
    tab.frame.get_by_test_id("mode-film").press("i")
    wait_for_frames(tab, 5)
    assert steps_of(tab) == sorted([*four, between])
    expect(tab.frame.locator('[data-testid="film-frame"][aria-selected="true"]')).to_have_attribute(
        "data-step", str(between)
    )
    first = tab.frame.get_by_test_id("film-frame").first
    first.focus()
    first.press("Delete")
    wait_for_frames(tab, 4)
    chosen = steps_of(tab)
    assert chosen == sorted([*four[1:], between])
    listed = ".".join(map(str, chosen))
    tab.page.wait_for_function("listed => location.hash.includes(`film=${listed}`)", arg=listed)
    tab.page.reload()
    wait_for_frames(tab, 4)
    assert steps_of(tab) == chosen


def test_a_click_and_the_keys_go_to_a_step(
    film: Callable[..., Tab], reader: AttentionReader
) -> None:
    tab = film("&p.attention.frames=6&p.attention.spread=log", frames=6)
    steps = steps_of(tab)
    recorded = reader.steps(RUN, LAYER)
    assert (steps[0], steps[-1]) == (recorded[0], recorded[-1])
    assert sum(step < recorded[-1] / 2 for step in steps) > 3
    tab.frame.locator(f'[data-testid="film-frame"][data-step="{steps[2]}"] b').click()
    field = tab.frame.get_by_test_id("step-input")
    expect(field).to_have_value(f"{steps[2]:,}")
    tab.page.keyboard.press("Tab")
    frame = tab.frame.locator(f'[data-testid="film-frame"][data-step="{steps[2]}"]')
    frame.focus()
    frame.press("ArrowRight")
    tab.page.keyboard.press("Enter")
    expect(field).to_have_value(f"{steps[3]:,}")


def test_around_events_the_records_before_and_at_them(
    film: Callable[..., Tab], board: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    happened = [event for event in reader.events(RUN) if "cross" in event.layer]
    assert happened, "The demo's Transformer forms an alignment."
    event = happened[0]
    recorded = reader.steps(RUN, event.layer)
    own = [e.step for e in happened if (e.layer, e.head) == (event.layer, event.head)]
    wanted = {recorded[0], recorded[-1]}
    for step in own:
        at = recorded.index(step)
        wanted |= {recorded[at - 1], recorded[at]}
    state = f"&p.attention.run={RUN}&p.attention.layer={event.layer}&p.attention.head={event.head}"
    tab = open_tab(board.address, f"{state}&p.attention.mode=film&p.attention.spread=events")
    wait_for_frames(tab, len(wanted))
    assert steps_of(tab) == sorted(wanted)
    # A head to which nothing happened says so.
    free = film("&p.attention.spread=events&p.attention.head=0", frames=2)
    if not [e for e in happened if (e.layer, e.head) == (LAYER, 0)]:
        assert "no events" in free.text("film-no-events")


def test_what_is_saved_is_what_is_shown(film: Callable[..., Tab], reader: AttentionReader) -> None:
    tab = film("&p.attention.frames=4", frames=4)
    steps = steps_of(tab)
    maps = np.stack([weights(reader, step) for step in steps])

    def save(kind: str) -> tuple[str, bytes]:
        tab.frame.get_by_test_id("mode-film").press("s")
        with tab.page.expect_download() as started:
            tab.frame.get_by_test_id(f"export-{kind}").click()
        return started.value.suggested_filename, Path(started.value.path()).read_bytes()

    name, content = save("npy")
    assert name == (
        "transformer-train_decoder-layer_1-cross_attention_head2_example1_"
        f"4-steps-{steps[0]}-to-{steps[-1]}.npy"
    )
    np.testing.assert_array_equal(np.load(io.BytesIO(content)), maps)
    rows = list(csv.DictReader(io.StringIO(save("csv")[1].decode("utf-8"))))
    assert [int(row["step"]) for row in rows[:: maps[0].size]] == steps
    np.testing.assert_allclose([float(row["weight"]) for row in rows], maps.ravel(), atol=1e-7)
    root = ET.fromstring(save("svg")[1])
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert [text for text in texts if (text or "").startswith("step ")] == [
        f"step {step:,}" for step in steps
    ]
    assert save("png")[1].startswith(b"\x89PNG")
