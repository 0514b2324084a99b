"""Steps: the slider, play and what is said of the record that is shown."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Locator, expect

from tb_attention_plugin import AttentionReader, AttentionWriter
from tests.browser import pixels
from tests.browser.tab import Tab, TensorBoard

pytestmark = [pytest.mark.browser, pytest.mark.slow]

OpenTab = Callable[..., Tab]
Start = Callable[..., TensorBoard]

RECORDS = 3000
# Uneven, so that a place on the axis is something else than the number of a record.
STEPS = np.array([7 * i + (i * i) % 5 for i in range(RECORDS)])
FEW = (0, 10, 20, 31, 43, 57, 76)
BEGUN = 1_700_000_000.0
SECONDS_APART = 89
LEFT, RIGHT = 10, 28  # CSS pixels of the axis beside its first and its last record


@pytest.fixture(scope="module")
def board(
    tmp_path_factory: pytest.TempPathFactory,
    attention: Callable[..., NDArray[np.float32]],
    start_tensorboard: Start,
) -> TensorBoard:
    logdir = tmp_path_factory.mktemp("time")
    maps = attention(61, 1, 1, 3, 5)  # made once: what is shown at a step does not matter here
    with AttentionWriter(logdir / "long") as writer:
        for i, step in enumerate(STEPS):
            writer.write("layer", maps[i % 61], int(step), wall_time=BEGUN + i)
    with AttentionWriter(logdir / "few") as writer:
        for i, step in enumerate(FEW):
            writer.write("layer", maps[i], step, wall_time=BEGUN + SECONDS_APART * i)
    return start_tensorboard(logdir)


def open_run(board: TensorBoard, open_tab: OpenTab, run: str, step: int, more: str = "") -> Tab:
    tab = open_tab(board.address, f"&p.attention.run={run}&p.attention.step={step}{more}")
    tab.wait_for_map(run=run, step=step)
    return tab


def expect_step(tab: Tab, step: int) -> None:
    expect(tab.frame.get_by_test_id("slider")).to_have_attribute("aria-valuenow", str(step))


def test_wall_time_is_that_of_the_log(board: TensorBoard, open_tab: OpenTab) -> None:
    tab = open_run(board, open_tab, "few", FEW[4])
    clock = time.strftime("%H:%M:%S", time.localtime(BEGUN + SECONDS_APART * 4))
    said = tab.frame.get_by_test_id("wall-time")
    expect(said).to_have_text(f"{clock}, after 5 min 56 s")
    date = time.strftime("%d/%m/%Y", time.localtime(BEGUN + SECONDS_APART * 4))
    assert date in (said.get_attribute("title") or "")
    tab.frame.get_by_test_id("first").click()
    expect(said).to_have_text(time.strftime("%H:%M:%S", time.localtime(BEGUN)))


def test_keys_go_to_every_record(board: TensorBoard, open_tab: OpenTab) -> None:
    tab = open_run(board, open_tab, "long", int(STEPS[0]))
    slider = tab.frame.get_by_test_id("slider")
    index = 0
    for key, by in (
        ("ArrowRight", 1),
        ("ArrowRight", 1),
        ("ArrowLeft", -1),
        ("Shift+ArrowRight", 10),
        ("Shift+ArrowLeft", -10),
        ("Shift+ArrowLeft", -10),  # no further than the first
        ("End", RECORDS),
        ("ArrowRight", 1),
        ("ArrowLeft", -1),
        ("Home", -RECORDS),
    ):
        slider.press(key)
        index = max(0, min(RECORDS - 1, index + by))
        expect_step(tab, int(STEPS[index]))
        assert tab.text("record-count") == f"record {index + 1:,} of 3,000"


def test_a_step_that_was_not_recorded_leads_to_the_nearest_and_is_told(
    board: TensorBoard, open_tab: OpenTab
) -> None:
    tab = open_run(board, open_tab, "few", FEW[0])
    field = tab.frame.get_by_test_id("step-input")
    for typed, nearest in (("14", 10), ("15", 10), ("16", 20), ("1,000,000", 76)):
        field.fill(typed)
        field.press("Enter")
        expect_step(tab, nearest)
        number = int(typed.replace(",", ""))
        expect(tab.frame.get_by_test_id("notice")).to_have_text(
            f"Step {number:,} was not recorded. Showing the nearest, {nearest}."
        )
    field.fill("31")
    field.press("Enter")
    expect_step(tab, 31)
    expect(tab.frame.get_by_test_id("notice")).to_have_count(0)


def test_a_press_anywhere_on_the_slider_is_the_nearest_record(
    board: TensorBoard, open_tab: OpenTab
) -> None:
    tab = open_run(board, open_tab, "long", int(STEPS[0]))
    slider = tab.frame.get_by_test_id("slider")
    width, reached = slider.evaluate(
        """async (slider) => {
          const { left, top, width } = slider.getBoundingClientRect();
          const at = (x, type) => slider.dispatchEvent(new PointerEvent(type, {
            bubbles: true, button: 0, pointerId: 1, clientX: left + x, clientY: top + 5 }));
          slider.setPointerCapture = () => {};
          const reached = [];
          for (let x = 0; x < width; x += 3) {
            at(x, 'pointerdown');
            at(x, 'pointerup');
            await new Promise((done) => setTimeout(done));
            reached.push(Number(slider.getAttribute('aria-valuenow')));
          }
          return [width, reached];
        }"""
    )
    at = 3 * np.arange(len(reached))
    span = STEPS[-1] - STEPS[0]
    pressed = STEPS[0] + (at - LEFT) / (width - LEFT - RIGHT) * span
    distance = np.abs(STEPS[None, :] - pressed[:, None])
    assert set(reached) <= set(STEPS.tolist())
    shown = np.abs(np.array(reached) - pressed)
    np.testing.assert_allclose(shown, distance.min(1), atol=1e-6)
    assert set(np.array(reached)[at < LEFT]) == {STEPS[0]}
    assert reached[-1] == STEPS[-1]


@pytest.fixture
def watched(board: TensorBoard, open_tab: OpenTab) -> Callable[..., tuple[Tab, Locator]]:
    """Opens a run in a page that notes every step it shows."""

    def open_(run: str, step: int, more: str) -> tuple[Tab, Locator]:
        tab = open_run(board, open_tab, run, step, more)
        slider = tab.frame.get_by_test_id("slider")
        slider.evaluate(
            """(slider) => {
              window.shown = [];
              const note = () => window.shown.push(Number(slider.getAttribute('aria-valuenow')));
              new MutationObserver(note).observe(slider, { attributeFilter: ['aria-valuenow'] });
            }"""
        )
        return tab, slider

    return open_


def test_play_goes_round_with_loop_and_else_stops_at_the_last_record(
    watched: Callable[..., tuple[Tab, Locator]],
) -> None:
    tab, slider = watched("few", FEW[4], "&p.attention.speed=4")
    play = tab.frame.get_by_test_id("play")
    play.click()
    expect(play).to_have_attribute("data-playing", "false", timeout=20_000)
    expect_step(tab, FEW[-1])
    tab.frame.get_by_test_id("loop").click()
    # At the end, play means from the start; with loop it then goes round.
    play.click()
    slider.page.wait_for_function(
        "() => frames[0].shown.filter((step) => step === 0).length >= 2", timeout=30_000
    )
    play.click()
    shown: list[int] = slider.evaluate("() => window.shown")
    last = shown.index(FEW[-1])
    assert shown[:last] == sorted(shown[:last])
    rounds = shown[last + 1 :]
    assert rounds[0] == 0
    again = rounds.index(0, 1)
    assert rounds[:again] == sorted(rounds[:again])
    assert rounds[again - 1] > FEW[0]


@pytest.mark.parametrize("busy_ms", [0, 140], ids=["free", "slow page"])
def test_play_is_where_its_clock_is(
    watched: Callable[..., tuple[Tab, Locator]], busy_ms: int
) -> None:
    tab, slider = watched("long", int(STEPS[0]), "&p.attention.speed=16")
    rate = 32  # records per second: two at speed 1
    started, noted = slider.evaluate(
        """async (slider, busy) => {
          const started = [performance.now()];
          document.querySelector('[data-testid="play"]').click();
          started.push(performance.now());
          const noted = [];
          await new Promise((done) => requestAnimationFrame(function frame(now) {
            noted.push([now, Number(slider.getAttribute('aria-valuenow'))]);
            // A map that takes long to draw.
            for (const until = performance.now() + busy; performance.now() < until; ) ;
            if (now < started[1] + 4000) requestAnimationFrame(frame);
            else done();
          }));
          document.querySelector('[data-testid="play"]').click();
          return [started, noted];
        }""",
        busy_ms,
    )
    frames = np.array([now for now, _ in noted])
    index = np.searchsorted(STEPS, [step for _, step in noted])
    assert set(STEPS[index]) == {step for _, step in noted}
    # A frame shows what was due at the frame before it, at the latest.
    # The first frame may have begun before play was pressed in it.
    earliest = np.floor(np.maximum(0, frames[1:-1] - started[0]) / 1000 * rate + 1e-6)
    latest = np.floor((frames[:-2] - started[1]) / 1000 * rate + 1e-6)
    assert (index[1:-1] <= earliest).all()
    assert (index[1:-1] >= latest).all(), (index[1:-1] - latest).min()
    assert index[-1] >= 32 * 4 - 32 * (frames[-1] - frames[-3]) / 1000 - 1
    expect(tab.frame.get_by_test_id("play")).to_have_attribute("data-playing", "false")


def test_the_curve_is_the_metric_of_the_head(
    demo_log: Path, start_tensorboard: Start, open_tab: OpenTab
) -> None:
    reader = AttentionReader(demo_log)
    run, layer = "transformer/train", "decoder/layer_1/cross_attention"
    steps = np.array(reader.steps(run, layer))
    values = reader.metrics(run, layer)["entropy"][:, 0, 2].astype(np.float64)
    assert values.max() <= 1
    tab = open_tab(
        start_tensorboard(demo_log).address,
        f"&p.attention.run={run}&p.attention.layer={layer}&p.attention.head=2"
        f"&p.attention.metric=entropy&p.attention.step={steps[30]}",
    )
    tab.wait_for_map(run=run, head=2, step=steps[30])
    dot = tab.frame.locator(".playhead-dot")
    dot.wait_for()
    track = tab.frame.locator(".slider .track canvas").first
    image = pixels.read(track)
    height, width = image.shape[:2]
    x = LEFT + (steps - steps[0]) / (steps[-1] - steps[0]) * (width - LEFT - RIGHT)
    y = height - 4 - values * (height - 10)
    color = pixels.color(tab, "series-1").astype(int)
    is_line = np.abs(image[:, :, :3].astype(int) - color).sum(-1) < 60
    for at in range(2, len(steps) - 2):
        column = np.flatnonzero(is_line[:, int(x[at])])
        # The line is 1.5 px wide; where it is steep it crosses several pixels of a column.
        near = y[at - 1 : at + 2]
        assert len(column) > 0, steps[at]
        assert column.min() >= near.min() - 2.5
        assert column.max() <= near.max() + 2.5
    # The playhead's dot is on it, and the number beside it is the same.
    box, canvas = dot.bounding_box(), track.bounding_box()
    assert box is not None
    assert canvas is not None
    assert box["x"] + box["width"] / 2 - canvas["x"] == pytest.approx(x[30], abs=1.5)
    assert box["y"] + box["height"] / 2 - canvas["y"] == pytest.approx(y[30], abs=1.5)
    expect(tab.frame.locator(".gutter-row.main b")).to_have_text(
        re.compile(re.escape(f"{values[30]:.3f}"))
    )
