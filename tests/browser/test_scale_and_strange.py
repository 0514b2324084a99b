"""The tab on a log of 3,000 records, and on one whose texts come from somebody hostile."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tb_attention_plugin import AttentionReader, AttentionWriter
from tests.browser.tab import Tab, TensorBoard

pytestmark = [pytest.mark.browser, pytest.mark.slow]

OpenTab = Callable[..., Tab]
Start = Callable[..., TensorBoard]
Attention = Callable[..., NDArray[np.float32]]

RECORDS = 3000
# Not evenly spaced, so that the place on the axis and the number of a record are two things.
STEPS = [7 * i + (i * i) % 5 for i in range(RECORDS)]
HOSTILE = (
    "<img src=x onerror=window.__ran=1>",
    "<script>window.__ran=1</script>",
    "\u202eabc\u202c",
    "שלום",
    "مرحبا",
    "e" + "\u0301" * 60,
    "👩‍👩‍👧‍👦",
    "x" * 100_000,
    "",
    "\x00\x07\n\t",
    "'\"&amp;",
)


@pytest.fixture(scope="module")
def long_run(tmp_path_factory: pytest.TempPathFactory, attention: Attention) -> Path:
    logdir = tmp_path_factory.mktemp("long")
    with AttentionWriter(logdir / "run") as writer:
        for i, step in enumerate(STEPS):
            writer.write("layer", attention(1, 1, 5, 7, seed=i), step)
    return logdir


def test_no_step_of_three_thousand_is_skipped(
    long_run: Path, start_tensorboard: Start, open_tab: OpenTab
) -> None:
    tab = open_tab(start_tensorboard(long_run).address, f"&p.attention.step={STEPS[0]}")
    tab.wait_for_map(step=STEPS[0])
    assert "3,000" in tab.text("record-count")
    slider = tab.frame.get_by_test_id("slider")
    slider.focus()
    # Every record in turn: pressed one after the other, the step field tells each of them.
    seen = tab.frame.locator("body").evaluate(
        """async (_, count) => {
          const field = document.querySelector('#step-input');
          const seen = [];
          for (let i = 0; i < count; i++) {
            document.body.dispatchEvent(
              new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true }));
            await new Promise((done) => setTimeout(done));
            seen.push(Number(field.value.replaceAll(',', '')));
          }
          return seen;
        }""",
        400,
    )
    assert seen == STEPS[1:401]
    # Whatever is typed that was recorded is reached exactly.
    field = tab.frame.get_by_test_id("step-input")
    for index in (1, 1234, 1235, 2998, 2999):
        field.fill(str(STEPS[index]))
        field.press("Enter")
        tab.wait_for_map(step=STEPS[index])
    slider.press("ArrowLeft")
    tab.wait_for_map(step=STEPS[2998])


def test_play_keeps_its_own_clock(
    long_run: Path, start_tensorboard: Start, open_tab: OpenTab
) -> None:
    tab = open_tab(
        start_tensorboard(long_run).address, f"&p.attention.step={STEPS[0]}&p.attention.speed=16"
    )
    tab.wait_for_map(step=STEPS[0])
    play = tab.frame.get_by_test_id("play")
    started = time.monotonic()
    play.click()
    clicked = time.monotonic()
    time.sleep(3)
    before = time.monotonic()
    play.click()
    stopped = time.monotonic()
    step = int(tab.frame.get_by_test_id("step-input").input_value().replace(",", ""))
    # Two records per second at speed 1: as many as fit between the presses, wherever they fell.
    reached = STEPS.index(step)
    assert 32 * (before - clicked) - 8 <= reached <= 32 * (stopped - started) + 2


@pytest.fixture(scope="module")
def hostile_log(tmp_path_factory: pytest.TempPathFactory, attention: Attention) -> Path:
    logdir = tmp_path_factory.mktemp("hostile")
    count = len(HOSTILE)
    with AttentionWriter(logdir / "run <b>") as writer:
        for step in (0, 1):
            for layer in ("<img src=x onerror=window.__ran=1>", "encoder/\u202elayer", "l" * 300):
                writer.write(
                    layer,
                    attention(1, 2, count, count, seed=step),
                    step,
                    query_tokens=[list(HOSTILE)],
                    key_tokens=[list(HOSTILE)],
                )
            writer.write("without/tokens", attention(1, 2, 5, 7, seed=step), step)
    return logdir


@pytest.mark.parametrize("mode", ["map", "links", "compare"])
def test_hostile_texts_are_texts(
    hostile_log: Path, start_tensorboard: Start, open_tab: OpenTab, mode: str
) -> None:
    reader = AttentionReader(hostile_log)
    (run,) = reader.runs()
    address = start_tensorboard(hostile_log).address
    ready = {"map": "map", "links": "links", "compare": "compare-diff"}[mode]
    for number in range(len(reader.layers(run))):
        tab = open_tab(address, f"&p.attention.mode={mode}", width=1280, height=800)
        tab.frame.get_by_test_id("layer-picker").click()
        tab.frame.locator(".picker-option").nth(number).click()
        tab.frame.locator(f'[data-testid="{ready}"][data-state="ready"]').wait_for()
        state = tab.frame.locator("body").evaluate(
            """() => ({
              ran: window.__ran ?? window.parent.__ran ?? 0,
              inside: document.querySelectorAll('main img, .app img, .app script').length,
              wide: document.documentElement.scrollWidth - window.innerWidth,
              high: document.documentElement.scrollHeight - window.innerHeight,
              longest: Math.max(...[...document.querySelectorAll('.app *')]
                .flatMap((e) => [...e.childNodes])
                .filter((n) => n.nodeType === 3).map((n) => n.data.length)),
            })"""
        )
        assert state["ran"] == 0
        assert state["inside"] == 0
        assert state["wide"] <= 0
        assert state["high"] <= 0
        # A token of 100,000 characters is cut everywhere, names are as long as they are.
        assert state["longest"] <= 2000
        if mode == "map":
            assert re.fullmatch(r"[\d.e-]+", str(tab.hover(2, 1)))


def test_the_lens_enlarges_what_is_under_the_pointer(
    tmp_path: Path, start_tensorboard: Start, open_tab: OpenTab, attention: Attention
) -> None:
    weights = attention(1, 1, 300, 300)
    with AttentionWriter(tmp_path / "run") as writer:
        writer.write("encoder/self", weights, 0)
    tab = open_tab(start_tensorboard(tmp_path).address, "&p.attention.cell=150.40")
    tab.wait_for_map(query=150, key=40)
    lens = tab.frame.get_by_test_id("lens")
    first = int(lens.get_attribute("data-first-query") or -1)
    first_key = int(lens.get_attribute("data-first-key") or -1)
    shown = int(lens.get_attribute("data-keys") or 0)
    assert first <= 150 < first + shown
    # Pointing into it: cell by cell, and the lens itself stays.
    lens.hover(position={"x": 12 * 3 + 6, "y": 12 * 5 + 6})
    tab.wait_for_map(query=first + 5, key=first_key + 3)
    assert lens.get_attribute("data-first-query") == str(first)
    value = float(tab.map_attribute("value"))
    assert abs(value - weights[0, 0, first + 5, first_key + 3]) <= 5e-4
    tab.frame.get_by_test_id("map").press("z")
    lens.wait_for(state="detached")
