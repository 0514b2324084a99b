"""Compare, and what one takes away from each view, on the log of the demo."""

from __future__ import annotations

import csv
import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tb_attention_plugin import AttentionReader
from tests.browser.tab import Tab, TensorBoard

pytestmark = [pytest.mark.browser, pytest.mark.slow]

OpenTab = Callable[..., Tab]
RUN = "transformer/train"
LAYER = "decoder/layer_1/cross_attention"
SVG = "{http://www.w3.org/2000/svg}"


def weights(reader: AttentionReader, step: int, head: int) -> NDArray[np.float32]:
    queries, keys = reader.lengths(RUN, LAYER, step)[0]
    return reader.weights(RUN, LAYER, step)[0, head, :queries, :keys]


def save(tab: Tab, kind: str) -> tuple[str, bytes]:
    """Presses S and an entry of the menu; the file's name and content."""
    tab.frame.get_by_test_id("mode-map").press("s")
    with tab.page.expect_download() as started:
        tab.frame.get_by_test_id(f"export-{kind}").click()
    return started.value.suggested_filename, Path(started.value.path()).read_bytes()


def open_view(board: TensorBoard, open_tab: OpenTab, more: str, ready: str) -> Tab:
    tab = open_tab(board.address, f"&p.attention.run={RUN}&p.attention.layer={LAYER}{more}")
    tab.frame.locator(f'[data-testid="{ready}"][data-state="ready"]').wait_for()
    return tab


def test_the_map_as_csv_npy_svg_and_png(
    board: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    step = reader.steps(RUN, LAYER)[-1]
    expected = weights(reader, step, 2)
    tokens = reader.tokens(RUN, LAYER, step)[0]
    tab = open_view(board, open_tab, "&p.attention.head=2", "map")
    stem = f"transformer-train_decoder-layer_1-cross_attention_head2_example1_step{step}"

    name, content = save(tab, "csv")
    assert name == f"{stem}.csv"
    rows = list(csv.reader(io.StringIO(content.decode("utf-8"))))
    assert rows[1][2:] == tokens[1][: expected.shape[1]]
    np.testing.assert_allclose(np.array([r[2:] for r in rows[2:]], float), expected, atol=1e-7)

    name, content = save(tab, "npy")
    assert name == f"{stem}.npy"
    np.testing.assert_array_equal(np.load(io.BytesIO(content)), expected)

    name, content = save(tab, "svg")
    assert name == f"{stem}.svg"
    root = ET.fromstring(content)
    labels = [text.text for text in root.iter(f"{SVG}text")]
    assert f"step {step:,}" in (root.findtext(f"{SVG}title") or "")
    assert labels.count("9") >= 2  # a token of the date, as text
    queries = root.find(f".//{SVG}g[@class='queries']")
    assert queries is not None
    assert len(queries) == len(expected)

    name, content = save(tab, "png")
    assert name == f"{stem}.png"
    assert content.startswith(b"\x89PNG")


def test_an_aggregate_is_saved_under_its_own_name(
    board: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    step = reader.steps(RUN, LAYER)[-1]
    tab = open_view(board, open_tab, "&p.attention.aggregate=mean&p.attention.hide=first", "map")
    name, content = save(tab, "npy")
    assert "_mean-of-4-heads_without-first-key_" in name
    heads = np.stack([weights(reader, step, head) for head in range(4)])
    mean = heads.astype(np.float64).sum(0) / 4
    mean[:, 1:] *= (mean.sum(1) / mean[:, 1:].sum(1))[:, None]
    mean[:, 0] = 0
    np.testing.assert_allclose(np.load(io.BytesIO(content)), mean, atol=1e-5)


def test_compare_saves_both_sides_and_their_difference(
    board: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    steps = reader.steps(RUN, LAYER)
    a, b = steps[-1], steps[3]
    tab = open_view(
        board,
        open_tab,
        f"&p.attention.mode=compare&p.attention.a={a}&p.attention.b={b}&p.attention.other=head.1",
        "compare-diff",
    )
    name, content = save(tab, "npy")
    assert name.endswith(f"_A-head0-step{a}_B-head1-step{b}.npy")
    one, two = weights(reader, a, 0), weights(reader, b, 1)
    np.testing.assert_allclose(
        np.load(io.BytesIO(content)), np.stack([one, two, one - two]), atol=1e-7
    )
    rows = list(csv.DictReader(io.StringIO(save(tab, "csv")[1].decode("utf-8"))))
    assert len(rows) == one.size
    assert float(rows[7]["A-B"]) == pytest.approx(float((one - two).ravel()[7]), abs=1e-7)
    root = ET.fromstring(save(tab, "svg")[1])
    headings = [text.text for text in root.iter(f"{SVG}text")]
    assert {f"A: head0, step {a:,}", f"B: head1, step {b:,}", "A − B"} <= set(headings)
    moved = re.search(r"([\d.]+) %", tab.text("moved"))
    assert moved is not None
    share = np.abs(one - two).sum() / 2 / len(one) * 100
    assert float(moved[1]) == pytest.approx(share, abs=0.6)


def test_a_side_s_step_that_is_no_number_is_told(
    board: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    tab = open_view(board, open_tab, "&p.attention.mode=compare", "compare-diff")
    field = tab.frame.get_by_test_id("side-b")
    before = field.input_value()
    field.fill("soon")
    field.press("Enter")
    assert "“soon” is not a step" in tab.text("side-b-wrong")
    assert field.input_value() == before
    field.fill("30")
    field.press("Enter")
    tab.frame.get_by_test_id("side-b-wrong").wait_for(state="detached")


def test_links_are_saved_as_drawn(
    board: TensorBoard, reader: AttentionReader, open_tab: OpenTab
) -> None:
    step = reader.steps(RUN, LAYER)[-1]
    tab = open_view(board, open_tab, "&p.attention.mode=links&p.attention.least=0.1", "links")
    name, content = save(tab, "csv")
    assert "_links-head0_" in name
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8"))))
    strong = weights(reader, step, 0)
    assert [float(row["weight"]) for row in rows] == pytest.approx(
        sorted(strong[strong >= 0.1].tolist(), reverse=True), abs=1e-7
    )
    root = ET.fromstring(save(tab, "svg")[1])
    assert f"step {step:,}" in (root.findtext(f"{SVG}title") or "")
    links = root.find(f".//{SVG}g[@class='links']")
    assert links is not None
    assert len(links) == len(rows)
    # Wider with more weight, the strongest on top.
    widths = [float(path.get("stroke-width", "")) for path in links]
    assert widths == pytest.approx(
        [0.75 + 5 * float(row["weight"]) for row in rows[::-1]], abs=0.01
    )
    name, content = save(tab, "png")
    assert name.endswith(f"_links-head0_example1_step{step}.png")
    assert content.startswith(b"\x89PNG")
