"""What the tab says of what it shows, what leaves it, and what a hostile log can do: nothing."""

from __future__ import annotations

import gzip
import io
import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import expect

from tb_attention_plugin import AttentionReader, AttentionWriter
from tests.browser import pixels
from tests.browser.tab import Tab, TensorBoard
from tests.tensorboard_process import running_tensorboard

pytestmark = [pytest.mark.browser, pytest.mark.slow]

OpenTab = Callable[..., Tab]
Start = Callable[..., TensorBoard]
Maps = NDArray[np.float32]
Attention = Callable[..., Maps]

RUN, LAYER = "transformer/train", "decoder/layer_1/cross_attention"
BUNDLE_LIMIT = 150_000  # bytes, gzipped
HOSTILE = (
    "<img src=x onerror=window.__ran=1>",
    "<script>window.__ran=1</script>",
    "\u202eabc\u202c",
    "\u2067def",
    "שלום",
    "مرحبا",
    "e" + "\u0301" * 60,
    "👩‍👩‍👧‍👦",
    "x" * 10_000,
    "",
    "\x00\x07\n\t",
    "'\"&amp;",
    "]]>",
)


def save(tab: Tab, kind: str) -> bytes:
    """Presses S and an entry of the menu."""
    tab.frame.get_by_test_id("mode-map").press("s")
    with tab.page.expect_download() as started:
        tab.frame.get_by_test_id(f"export-{kind}").click()
    return Path(started.value.path()).read_bytes()


# ── what leaves the tab ─────────────────────────────────────────────────────────────────────────


def test_a_copied_link_reproduces_the_view(board: TensorBoard, open_tab: OpenTab) -> None:
    view: dict[str, str | int] = {"run": RUN, "layer": LAYER, "head": 2, "example": 3, "step": 420}
    state = "".join(f"&p.attention.{name}={value}" for name, value in view.items())
    tab = open_tab(board.address, state)
    tab.wait_for_map(**view)
    # Chosen by hand: what the address cannot say would be lost on both sides.
    tab.hover(5, 7)
    tab.frame.get_by_test_id("scale-picker").click()
    tab.frame.locator('.picker-option[data-value="log"]').click()
    tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    canvas = tab.frame.get_by_test_id("map")
    for key in ("Shift+P", "+", "+", "j"):
        canvas.press(key)
    view["head"] = 1
    tab.wait_for_map(**view)
    canvas.press("c")
    expect(tab.frame.get_by_text("Link copied", exact=True)).to_be_attached()
    link = tab.page.evaluate("() => navigator.clipboard.readText()")
    assert link.startswith(f"{board.address}#attention")
    shown = ("zoom", "first-query", "first-key", "queries", "keys", "query", "key", "value")
    before = {name: tab.map_attribute(name) for name in shown}
    picture = pixels.read(canvas)

    address, _, hash_ = link.partition("#attention")
    other = open_tab(address, hash_)
    other.wait_for_map(**view)
    other.wait_for_map(**before)
    np.testing.assert_array_equal(pixels.read(other.frame.get_by_test_id("map")), picture)
    expect(other.frame.get_by_test_id("pin-key")).to_have_attribute("data-index", "7")


def test_saved_weights_keep_the_promise_of_the_code_table(
    tmp_path: Path,
    start_tensorboard: Start,
    open_tab: OpenTab,
    attention: Attention,
    assert_promised: Callable[[Maps, Maps], None],
) -> None:
    weights = attention(2, 3, 13, 17)
    weights[:, :, :, 5] = 0  # nothing is nothing
    weights[1, 2, 3, 4] = 3e-6  # and hardly anything is not
    tokens = [[*HOSTILE[:13], "a", "b", "c", "d"]] * 2
    with AttentionWriter(tmp_path / "run") as writer:
        writer.write("layer", weights, 0, key_tokens=tokens, query_tokens=[list(HOSTILE)] * 2)
    tab = open_tab(start_tensorboard(tmp_path).address, "&p.attention.head=2&p.attention.example=1")
    tab.wait_for_map(head=2, example=1)
    saved = np.load(io.BytesIO(save(tab, "npy")))
    assert_promised(saved, weights[1, 2])
    reader = AttentionReader(tmp_path)
    np.testing.assert_array_equal(saved, reader.weights("run", "layer", 0)[1, 2])
    # Whatever the tokens hold, the picture is XML, and has no script in it.
    root = ET.fromstring(save(tab, "svg"))
    kinds = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert "script" not in kinds
    assert not any(name.startswith("on") for element in root.iter() for name in element.attrib)
    texts = [text.text or "" for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert any(text.startswith("<img") for text in texts)


# ── what is pooled, or not there ────────────────────────────────────────────────────────────────


def test_pooling_on_disk_is_said(
    tmp_path: Path, start_tensorboard: Start, open_tab: OpenTab, attention: Attention
) -> None:
    weights = attention(1, 1, 173, 173)
    with AttentionWriter(tmp_path / "run", max_length=61) as writer:
        writer.write("encoder/self", weights, 0)
    tab = open_tab(start_tensorboard(tmp_path).address)
    tab.wait_for_map(queries=58, keys=58)
    assert tab.text("stored-pooled") == "Maxima of 3 × 3"
    shown = tab.hover(11, 20)
    assert shown == pytest.approx(float(weights[0, 0, 33:36, 60:63].max()), rel=0.01, abs=5e-4)
    # Positions are those of the sequence, not of the cells.
    assert "33–35" in tab.frame.locator(".inspector").inner_text()


def test_pooling_on_screen_is_said_and_is_the_maximum(
    tmp_path: Path, start_tensorboard: Start, open_tab: OpenTab, attention: Attention
) -> None:
    weights = attention(1, 1, 1009, 1013)
    with AttentionWriter(tmp_path / "run") as writer:
        writer.write("layer", weights, 0)
    recorded = AttentionReader(tmp_path).weights("run", "layer", 0)[0, 0].astype(np.float64)
    tab = open_tab(start_tensorboard(tmp_path).address, "&p.attention.cell=0.0")
    tab.wait_for_map(queries=1009, keys=1013)
    by_queries, by_keys = map(float, tab.map_attribute("pool").split("x"))
    assert by_queries > 1
    said = re.fullmatch(r"([\d.]+) × ([\d.]+) tokens per pixel, maximum", tab.text("pooled"))
    assert said is not None
    assert [float(said[1]), float(said[2])] == pytest.approx([by_queries, by_keys], abs=0.006)
    image = pixels.read(tab.frame.get_by_test_id("map"))
    row = np.floor(np.arange(1009) / by_queries + 1e-9).astype(int)
    column = np.floor(np.arange(1013) / by_keys + 1e-9).astype(int)
    pooled = np.zeros((row[-1] + 1, column[-1] + 1))
    recorded[recorded < 1e-5] = 0
    np.maximum.at(pooled, (row[:, None], column[None, :]), recorded)
    assert image.shape[:2] == pooled.shape
    np.testing.assert_array_equal(image[:, :, :3], pixels.ink(tab)[pixels.entry(pooled)])
    # Zoomed to single cells there is nothing to say.
    canvas = tab.frame.get_by_test_id("map")
    for _ in range(6):
        canvas.press("+")
    expect(tab.frame.get_by_test_id("pooled")).to_have_count(0)
    # In a comparison there is less room.
    tab.frame.get_by_test_id("mode-compare").click()
    tab.frame.get_by_test_id("zoom-fit").click()
    expect(tab.frame.get_by_test_id("pooled")).to_have_text(
        re.compile(r"^[\d.]+ × [\d.]+ tokens per pixel, maximum$")
    )


def test_thumbnails_without_maps_are_said_to_be_that(
    tmp_path: Path, start_tensorboard: Start, open_tab: OpenTab, attention: Attention
) -> None:
    with AttentionWriter(tmp_path / "run") as writer:
        for step in (0, 5):
            writer.write("layer", attention(1, 2, 67, 71, seed=step), step)
    shutil.rmtree(tmp_path / "run" / "plugins")
    tab = open_tab(start_tensorboard(tmp_path).address)
    banner = tab.frame.get_by_test_id("thumbnails-only")
    banner.wait_for(timeout=20_000)
    assert "run/plugins/attention/" in banner.inner_text()
    expect(tab.frame.locator(".loading-tag")).to_have_text("32 × 32 thumbnail, maxima of the map")
    # No value is claimed of a cell.
    assert tab.map_attribute("value") == ""
    expect(tab.frame.locator(".inspector")).to_contain_text("No values at this step")


def test_what_is_there_stays_when_the_server_is_gone(
    tmp_path: Path, open_tab: OpenTab, attention: Attention
) -> None:
    with AttentionWriter(tmp_path / "run") as writer:  # just now: a training that may go on
        for step in (0, 5, 11):
            writer.write("decoder/cross", attention(1, 2, 5, 7, seed=step), step)
    with running_tensorboard("--logdir", str(tmp_path)) as board:
        tab = open_tab(board.address, "&p.attention.step=5")
        tab.wait_for_map(step=5)
        tab.frame.get_by_test_id("next").click()
        tab.wait_for_map(step=11)
        value = tab.hover(3, 5)
        canvas = tab.frame.get_by_test_id("map")
        picture = pixels.read(canvas)
    state = tab.frame.get_by_test_id("log-state")
    expect(state).to_have_attribute("data-tone", "trouble", timeout=45_000)
    assert re.match(r"No answer from the server, trying again in \d s", state.inner_text())
    assert tab.map_attribute("state") == "ready"
    np.testing.assert_array_equal(pixels.read(canvas), picture)
    assert tab.hover(3, 5) == value
    # The record before is at hand.
    tab.frame.get_by_test_id("prev").click()
    tab.wait_for_map(step=5)
    # That nothing answers is all the browser complains about.
    assert tab.complaints
    assert all("ERR_CONNECTION_REFUSED" in line for line in tab.complaints), tab.complaints
    tab.complaints.clear()


# ── what a log can do ───────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def hostile_board(
    tmp_path_factory: pytest.TempPathFactory, attention: Attention, start_tensorboard: Start
) -> TensorBoard:
    logdir = tmp_path_factory.mktemp("hostile")
    count = len(HOSTILE)
    for run in ("run <b>", "r" * 200):
        with AttentionWriter(logdir / run) as writer:
            for step in (0, 1_000_000_007):
                for layer in ("<img src=x onerror=window.__ran=1>", "enc/\u202elayer", "l" * 300):
                    writer.write(
                        layer,
                        attention(1, 2, count, count, seed=step % 97),
                        step,
                        query_tokens=[list(HOSTILE)],
                        key_tokens=[list(HOSTILE)],
                    )
    return start_tensorboard(logdir)


# Text that ends beyond what cuts it off: fine where it can be scrolled to, or ends in an ellipsis.
CUT = """() => {
  const cut = [];
  const walker = document.createTreeWalker(document.querySelector('.app'), NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    // The strip of differences has a test of its own.
    if (!node.data.trim() || node.parentElement.closest('.sr-only, .moves')) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    let { left, right, top, bottom } = range.getBoundingClientRect();
    if (right === left || bottom === top) continue;
    for (let e = node.parentElement; e && e !== document.body; e = e.parentElement) {
      const style = getComputedStyle(e);
      if (style.overflowX === 'visible') continue;
      if ([style.overflowX, style.overflowY].some((o) => o === 'auto' || o === 'scroll')) break;
      const box = e.getBoundingClientRect();
      const across = Math.max(right - box.right, box.left - left);
      const down = Math.max(bottom - box.bottom, box.top - top);
      if (Math.max(across - 1, down - 3) > 0 && style.textOverflow !== 'ellipsis') {
        cut.push([node.data.slice(0, 40), e.className, Math.round(across), Math.round(down)]);
      }
      // What is left of it may be cut by what is around.
      left = Math.max(left, box.left);
      right = Math.min(right, box.right);
      top = Math.max(top, box.top);
      bottom = Math.min(bottom, box.bottom);
    }
  }
  return cut;
}"""

BIDI = r"""() => {
  const loose = [];
  const walker = document.createTreeWalker(document.querySelector('.app'), NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (/[\u202a-\u202e\u2066-\u2069]/.test(node.data)) {
      let isolated = false;
      for (let e = node.parentElement; e && !isolated; e = e.parentElement) {
        isolated = e.localName === 'bdi';
      }
      if (!isolated) loose.push(['override', node.data.slice(0, 40), node.parentElement.className]);
    } else if (/[\u0590-\u08ff]/.test(node.data) && !node.parentElement.closest('bdi')) {
      loose.push(['right to left', node.data.slice(0, 40), node.parentElement.className]);
    }
  }
  return loose;
}"""


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1280, 720)])
def test_hostile_texts_neither_run_nor_reorder_nor_are_cut_off(
    hostile_board: TensorBoard, open_tab: OpenTab, width: int, height: int
) -> None:
    tab = open_tab(hostile_board.address, width=width, height=height)
    tab.wait_for_map()
    body = tab.frame.locator("body")
    seen = 0
    for run in ("run <b>", "r" * 200):
        tab.frame.get_by_test_id("mode-map").click()
        tab.frame.get_by_test_id("run-picker").click()
        tab.frame.locator(f'.picker-option[data-value="{run}"]').click()
        tab.wait_for_map(run=run)
        for pane, mode in (("heads", "map"), ("examples", "links"), ("events", "compare")):
            tab.frame.get_by_test_id(f"pane-{pane}").click()
            tab.frame.get_by_test_id(f"mode-{mode}").click()
            ready = {"map": "map", "links": "links", "compare": "compare-diff"}[mode]
            tab.frame.locator(f'[data-testid="{ready}"][data-state="ready"]').wait_for()
            tab.frame.get_by_test_id("layer-picker").click()
            tab.frame.locator(".picker-option").nth(seen % 3).click()
            tab.frame.locator(f'[data-testid="{ready}"][data-state="ready"]').wait_for()
            seen += 1
            assert body.evaluate(CUT) == []
            assert body.evaluate(BIDI) == []
            # The lists that open are cut and isolated as well.
            for picker in ("run-picker", "layer-picker", "example-picker"):
                tab.frame.get_by_test_id(picker).click()
                tab.frame.locator(".picker-options").wait_for()
                assert body.evaluate(CUT) == []
                assert body.evaluate(BIDI) == []
                tab.page.keyboard.press("Escape")
            ran = body.evaluate("() => [window.__ran, window.parent.__ran, document.images.length]")
            assert ran == [None, None, 0]
    assert tab.page.title() == "TensorBoard"


def test_nothing_is_asked_of_any_other_server(board: TensorBoard, open_tab: OpenTab) -> None:
    tab = open_tab(board.address, f"&p.attention.run={RUN}&p.attention.layer={LAYER}")
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))
    tab.page.reload()
    tab.wait_for_map()
    for pane, mode, ready in (
        ("heads", "links", "links"),
        ("events", "map", "map"),
        ("examples", "compare", "compare-diff"),  # which has no pane to choose in
    ):
        tab.frame.get_by_test_id(f"pane-{pane}").click()
        tab.frame.get_by_test_id(f"mode-{mode}").click()
        tab.frame.locator(f'[data-testid="{ready}"][data-state="ready"]').wait_for()
    assert save(tab, "svg")
    elsewhere = [url for url in asked if not url.startswith((board.address, "data:", "blob:"))]
    assert elsewhere == []
    assert sum("plugin/attention" in url for url in asked) > 5
    # Neither is anything in the page loaded from elsewhere without a request of its own.
    origins: dict[str, Any] = tab.frame.locator("body").evaluate(
        "() => Object.groupBy(performance.getEntriesByType('resource').map((e) => "
        "new URL(e.name).origin), (origin) => origin)"
    )
    assert set(origins) <= {board.address.rstrip("/"), "null"}


def test_the_tab_is_small(board: TensorBoard) -> None:
    served = board.get("data/plugin/attention/index.js")
    assert len(served) > 10_000
    assert len(gzip.compress(served, 9)) <= BUNDLE_LIMIT
