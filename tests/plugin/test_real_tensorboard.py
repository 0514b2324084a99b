"""One real TensorBoard process in its default, fast mode."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode

import numpy as np
import pytest
from numpy.typing import NDArray

from tb_attention_plugin import AttentionWriter
from tb_attention_plugin.store.record import AttentionRecord, RenderedImage
from tests.tensorboard_process import TensorBoard, running_tensorboard

# A red pixel.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108020000009077"
    "53de0000000c4944415408d763f8cfc000000301010018dd8db00000000049454e44ae426082"
)


def render(record: AttentionRecord) -> Iterable[RenderedImage]:
    yield RenderedImage(f"{record.layer}/image", PNG, 1, 1)


@pytest.fixture(scope="module")
def board(
    tmp_path_factory: pytest.TempPathFactory, attention: Callable[..., NDArray[np.float32]]
) -> Iterator[TensorBoard]:
    path = tmp_path_factory.mktemp("real")
    with AttentionWriter(path / "train", render_images=render) as writer:
        for step in range(23):
            writer.write("dec/cross", attention(2, 3, 5, 7, seed=step), step)
    with running_tensorboard("--logdir", str(path), "--load_fast=true") as board:
        yield board


def test_the_tab_is_listed(board: TensorBoard) -> None:
    assert board.json("data/plugins_listing")["attention"]["enabled"] is True
    entry = board.get("data/plugin_entry.html?name=attention")
    assert b"plugin/attention/" in entry
    assert b"render" in board.get("data/plugin/attention/index.js")


def test_every_step_is_there_not_a_sample(board: TensorBoard) -> None:
    (run,) = board.json("data/plugin/attention/runs")["runs"]
    (layer,) = run["layers"]
    assert (run["name"], layer["name"]) == ("train", "dec/cross")
    assert layer["steps"] == list(range(23))


def test_maps_and_thumbnails_are_served(board: TensorBoard) -> None:
    query = {"run": "train", "layer": "dec/cross", "example": 1, "heads": "0,2", "steps": "3,17"}
    maps = board.get(f"data/plugin/attention/maps?{urlencode(query)}")
    atlas = board.get("data/plugin/attention/atlas?run=train&step=17&example=0,1")
    assert len(maps) > 100
    assert len(atlas) > 100


def test_the_images_dashboard_has_our_images(board: TensorBoard) -> None:
    def tags() -> Any:
        return board.json("data/plugin/images/tags")

    board.wait_for(lambda: "train" in tags())
    assert list(tags()["train"]) == ["dec/cross/image"]
    query = urlencode({"run": "train", "tag": "dec/cross/image", "sample": 0})
    images = board.json(f"data/plugin/images/images?{query}")
    assert images[-1]["step"] == 22
    assert board.get(f"data/plugin/images/individualImage?{images[-1]['query']}") == PNG


def test_the_data_server_keeps_our_summaries(board: TensorBoard) -> None:
    board.wait_for(lambda: board.json("data/runs") == ["train"])
    assert board.json("data/plugins_listing")["images"]["enabled"] is True


def test_nothing_was_warned_about(board: TensorBoard) -> None:
    board.get("data/plugin/attention/runs")
    with pytest.raises(HTTPError, match="404") as caught:
        board.get("data/plugin/attention/metrics?run=train&layer=x")
    caught.value.close()
    etag = '"' + "0" * 32 + '"'
    board.get("data/plugin/attention/runs", **{"If-None-Match": etag})
    log = "".join(board.log)
    assert "In 3.0, this warning" not in log
    assert "Traceback" not in log
    assert "Failed to load plugin" not in log
