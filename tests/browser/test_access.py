"""The tab with a keyboard alone, with little room, with less motion, and for eyes and ears."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from tb_attention_plugin import AttentionReader
from tests.browser.tab import Tab, TensorBoard

pytestmark = [pytest.mark.browser, pytest.mark.slow]

OpenTab = Callable[..., Tab]

RUN, LAYER = "transformer/train", "decoder/layer_1/cross_attention"


def open_layer(board: TensorBoard, open_tab: OpenTab, more: str = "", **size: int) -> Tab:
    tab = open_tab(board.address, f"&p.attention.run={RUN}&p.attention.layer={LAYER}{more}", **size)
    tab.wait_for_map(layer=LAYER)
    return tab


# What has the focus, where it is, and how it looks, now and when it no longer has it. What is
# around it may show the focus in its place.
STOP = """() => {
  const look = (e) => [e, e.parentElement].map((one) => {
    const s = getComputedStyle(one);
    return [s.boxShadow, s.outlineStyle === 'none' ? '' : s.outline, s.backgroundColor,
      s.borderColor].join();
  }).join(' ');
  const before = window.__stop;
  const e = document.activeElement;
  window.__stop = e === document.body ? null : { e, focused: look(e) };
  const box = e.getBoundingClientRect();
  const pane = ['context', 'left', 'viewbar', 'map-pane', 'inspector', 'transport', 'timeline']
    .find((name) => e.closest('.' + name));
  return {
    inside: window.__stop !== null && document.hasFocus(),
    name: `${e.localName}.${e.className}[${e.dataset.testid ?? e.ariaLabel ?? e.textContent}]`,
    pane,
    seen: box.width > 4 && box.height > 4 && box.right > 0 && box.bottom > 0
      && box.left < innerWidth && box.top < innerHeight,
    lost: before && before.e.isConnected ? before.focused !== look(before.e) : null,
  };
}"""


def test_tab_goes_through_every_pane_and_shows_where_it_is(
    board: TensorBoard, open_tab: OpenTab
) -> None:
    tab = open_layer(board, open_tab, "&p.attention.step=500")
    tab.frame.locator("body").evaluate("() => window.focus()")
    stops: list[dict[str, Any]] = []
    for _ in range(120):
        tab.page.keyboard.press("Tab")
        stop = tab.frame.locator("body").evaluate(STOP)
        stops.append(stop)
        if not stop["inside"]:
            break
    assert not stops[-1]["inside"], "the focus never leaves the frame again"
    reached = stops[:-1]
    assert {stop["pane"] for stop in reached} >= {
        "context",
        "left",
        "viewbar",
        "map-pane",
        "inspector",
        "transport",
        "timeline",
    }
    names = [stop["name"] for stop in reached]
    assert [stop["name"] for stop in reached if not stop["seen"]] == []
    # Each looks different with the focus than without; it is looked at again from the next stop.
    unmarked = [
        name for name, after in zip(names, stops[1:], strict=True) if after["lost"] is False
    ]
    assert unmarked == []
    # In the order in which they are read: above, left, middle, right, below.
    order = list(dict.fromkeys(stop["pane"] for stop in reached))
    assert order[0] == "context"
    assert order.index("left") < order.index("map-pane") < order.index("transport")
    # All that can be pressed can be reached: one stop for a group in which the arrows move. To the
    # strongest keys go the arrows with Ctrl in the map, to the marks of events [ and ].
    missed = tab.frame.locator("body").evaluate(
        """() => [...document.querySelectorAll('.app button, .app a, .app input')]
          .filter((e) => !e.disabled && e.tabIndex < 0 && e.checkVisibility()
            && !e.closest('[role="grid"], [role="listbox"], .top-keys, .event-marks'))
          .map((e) => e.outerHTML.slice(0, 100))"""
    )
    assert missed == []


def test_the_cell_of_the_crosshair_is_read_out(
    board: TensorBoard, open_tab: OpenTab, demo_log: Path
) -> None:
    reader = AttentionReader(demo_log)
    step = reader.steps(RUN, LAYER)[-1]
    queries, keys = reader.lengths(RUN, LAYER, step)[0]
    weights = reader.weights(RUN, LAYER, step)[0, 0, :queries, :keys]
    query_tokens, key_tokens = reader.tokens(RUN, LAYER, step)[0]
    tab = open_layer(board, open_tab, "&p.attention.cell=4.7")
    canvas = tab.frame.get_by_test_id("map")
    announcer = tab.frame.get_by_test_id("announcer")
    assert announcer.get_attribute("aria-live") == "polite"
    canvas.press("ArrowDown")
    canvas.press("Control+ArrowRight")
    strongest = int(weights[5].argmax())
    tab.wait_for_map(query=5, key=strongest)
    weight = f"{weights[5, strongest]:.4f}"
    said = (
        rf"query 5 {re.escape(query_tokens[5])}, key {strongest} {re.escape(key_tokens[strongest])}"
    )
    expect(announcer).to_have_text(re.compile(rf"^{said}, weight {weight}, rank 1 of {keys}\b"))
    # Where a mouse points nothing is said: the map has no focus.
    tab.frame.get_by_test_id("slider").focus()
    before = announcer.inner_text()
    tab.hover(1, 1)
    with pytest.raises(AssertionError):
        expect(announcer).not_to_have_text(before, timeout=1200)
    # The slider tells the step and the record.
    expect(tab.frame.get_by_test_id("slider")).to_have_attribute(
        "aria-valuetext", f"step {step:,}, record 101 of 101"
    )


def test_the_list_of_keys_opens_closes_and_gives_the_focus_back(
    board: TensorBoard, open_tab: OpenTab
) -> None:
    tab = open_layer(board, open_tab)
    sheet = tab.frame.get_by_test_id("keys-sheet")
    for close in ("Escape", "button", "?"):
        canvas = tab.frame.get_by_test_id("map")
        canvas.focus()
        tab.page.keyboard.press("?")
        sheet.wait_for()
        listed = set(sheet.locator("kbd").all_inner_texts())
        assert listed >= {
            *("←", "→", "Space", "Home", "End", "G", "[", "]", "L", "F", "J", "K", "/", "E"),
            *("1", "2", "3", "A", "B", "X", "P", "Z", "M", "+", "−", "0", "S", "C", "?", "Esc"),
        }
        # What each of them does is said.
        assert all(text.strip() for text in sheet.locator("dd").all_inner_texts())
        box = sheet.bounding_box()
        assert box is not None
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 900
        if close == "button":
            sheet.get_by_role("button", name="Close").click()
        else:
            tab.page.keyboard.press(close)
        sheet.wait_for(state="detached")
        expect(canvas).to_be_focused()
    expect(tab.frame.get_by_test_id("map")).to_have_attribute("data-query", re.compile(r"\d"))


MOVING = """() => [...document.querySelectorAll('*')].filter((e) => {
  const s = getComputedStyle(e);
  const lasts = (value) => value.split(',').some((part) => parseFloat(part) > 0);
  return lasts(s.transitionDuration) || (s.animationName !== 'none' && lasts(s.animationDuration));
}).map((e) => e.className)"""


def test_nothing_moves_for_those_who_want_less_motion(
    board: TensorBoard, open_tab: OpenTab
) -> None:
    tab = open_layer(board, open_tab)
    body = tab.frame.locator("body")
    assert body.evaluate(MOVING) != []
    tab.page.emulate_media(reduced_motion="reduce")
    assert body.evaluate(MOVING) == []


# Pairs of controls in one row that lie over each other.
OVERLAPS = """() => {
  const found = [];
  for (const bar of document.querySelectorAll('.context, .viewbar, .transport')) {
    const parts = [...bar.querySelectorAll('button, input, .log-state, .fact, .colorbar')]
      .filter((e) => e.checkVisibility() && !e.closest('.popover'))
      .map((e) => [e, e.getBoundingClientRect()])
      .filter(([e, b]) => b.width > 0 && b.height > 0);
    for (const [a, one] of parts) for (const [b, two] of parts) {
      if (a === b || a.contains(b) || b.contains(a)) continue;
      const across = Math.min(one.right, two.right) - Math.max(one.left, two.left);
      const down = Math.min(one.bottom, two.bottom) - Math.max(one.top, two.top);
      if (across > 1 && down > 1) found.push([a.outerHTML.slice(0, 80), b.outerHTML.slice(0, 80)]);
    }
    const room = bar.getBoundingClientRect();
    for (const [e, box] of parts) {
      if (box.right > room.right + 1 && getComputedStyle(bar).overflowX === 'visible') {
        found.push([e.outerHTML.slice(0, 80), 'beyond the bar']);
      }
    }
  }
  return found;
}"""


@pytest.mark.parametrize(("width", "height"), [(640, 450), (1024, 640), (1280, 800)])
def test_small_windows_have_what_matters(
    board: TensorBoard, open_tab: OpenTab, width: int, height: int
) -> None:
    tab = open_layer(board, open_tab, width=width, height=height)
    page = tab.frame.locator("html").evaluate(
        "e => [e.scrollWidth - innerWidth, e.scrollHeight - innerHeight]"
    )
    assert max(page) <= 0
    assert tab.frame.locator("body").evaluate(OVERLAPS) == []
    for name in ("run-picker", "map", "play", "step-input", "slider"):
        box = tab.frame.get_by_test_id(name).bounding_box()
        assert box is not None, name
        assert box["x"] >= 0, name
        assert box["x"] + box["width"] <= width, name
        assert box["y"] + box["height"] <= height, name
        assert box["width"] >= 20, name
        assert box["height"] >= 16, name
    # The run's name can be read: it is not squeezed to nothing.
    name = tab.frame.get_by_test_id("run-picker").locator("bdi").bounding_box()
    assert name is not None
    assert name["width"] >= 24
    # And it works: a press on the map, a step.
    tab.hover(1, 2)
    tab.frame.get_by_test_id("prev").click()
    tab.wait_for_map(step=990)


# Contrast of every text on what is behind it, by WCAG's relative luminance.
CONTRAST = """() => {
  const rgba = (text) => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
    return [r, g, b, a];
  };
  const over = ([r, g, b, a], [R, G, B]) =>
    [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const luminance = (color) => {
    const [r, g, b] = color.slice(0, 3).map((c) => {
      const s = c / 255;
      return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (e) => {
    const layers = [];
    for (let at = e; at; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      if (color[3] > 0) layers.push(color);
      if (color[3] === 1) break;
    }
    return layers.reverse().reduce((below, color) => over(color, below), [255, 255, 255, 1]);
  };
  const read = [];
  const walker = document.createTreeWalker(document.querySelector('.app'), NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const e = node.parentElement;
    if (!node.data.trim() || !e.checkVisibility() || e.closest('.sr-only')) continue;
    if (e.closest(':disabled, [aria-disabled="true"]')) continue;
    const background = behind(e);
    const color = over(rgba(getComputedStyle(e).color), background);
    const [low, high] = [luminance(color), luminance(background)].sort((a, b) => a - b);
    read.push([(high + 0.05) / (low + 0.05), node.data.slice(0, 30), e.className]);
  }
  return read;
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_told_from_what_is_behind_it(
    board: TensorBoard, open_tab: OpenTab, theme: str
) -> None:
    tab = open_layer(board, open_tab, "&p.attention.cell=4.7&p.attention.pinQuery=2")
    if theme == "dark":
        tab.page.evaluate("document.body.classList.add('dark-mode')")
        tab.frame.locator('[data-theme="dark"]').first.wait_for(state="attached")
    body = tab.frame.locator("body")
    counts: list[int] = []
    for pane, mode, ready in (
        ("heads", "map", "map"),
        ("examples", "links", "links"),
        ("events", "compare", "compare-diff"),
    ):
        tab.frame.get_by_test_id(f"pane-{pane}").click()
        tab.frame.get_by_test_id(f"mode-{mode}").click()
        tab.frame.locator(f'[data-testid="{ready}"][data-state="ready"]').wait_for()
        tab.frame.get_by_test_id("head-picker").click()
        tab.frame.locator(".picker-options").wait_for()
        # Nothing is under way: a colour on its way to another would be neither of them.
        body.evaluate("() => Promise.all(document.getAnimations().map((a) => a.finished))")
        read = body.evaluate(CONTRAST)
        tab.page.keyboard.press("Escape")
        counts.append(len(read))
        assert [text for text in read if text[0] < 4.5] == [], (pane, mode)
    assert np.min(counts) > 60
