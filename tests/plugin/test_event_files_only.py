"""Logs of which only the event files were copied: thumbnails of TensorBoard's sample."""

from __future__ import annotations

import argparse
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from parts import parts_of
from werkzeug.test import Client

from tb_attention_plugin import AttentionWriter
from tb_attention_plugin.loader import AttentionLoader
from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store import code_table, codec, files, thumbnails

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of html5lib, inside TensorBoard
    from tensorboard.backend import application
    from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer

B, H, Q, K = 2, 3, 37, 71
BASE = "/data/plugin/attention"
Maps = NDArray[np.float32]


def open_slowly(logdir: Path, kept: int = 10) -> Client:
    """TensorBoard as with --load_fast=false."""
    multiplexer = plugin_event_multiplexer.EventMultiplexer(
        size_guidance={"tensors": kept}, tensor_size_guidance={"attention": kept}
    )
    multiplexer.AddRunsFromDirectory(str(logdir))
    multiplexer.Reload()
    flags: dict[str, Any] = {
        **{"logdir": str(logdir), "logdir_spec": "", "path_prefix": "", "window_title": ""},
        **{"samples_per_plugin": {}, "reload_interval": 5},
    }
    return Client(
        application.TensorBoardWSGIApp(
            argparse.Namespace(**flags),
            [AttentionLoader()],
            data_provider=data_provider.MultiplexerDataProvider(multiplexer, str(logdir)),
        )
    )


@pytest.fixture
def weights(attention: Callable[..., Maps]) -> Maps:
    return attention(B, H, Q, K)


@pytest.fixture
def log(tmp_path: Path, weights: Maps) -> Path:
    with AttentionWriter(tmp_path / "copied") as writer:
        for step in range(25):
            tokens = [["k"] * K] * B
            writer.write("a", weights, step, key_tokens=tokens, query_lengths=[Q, 31])
    shutil.rmtree(tmp_path / "copied" / "plugins")
    with AttentionWriter(tmp_path / "whole") as writer:
        for step in range(25):
            writer.write("a", weights, step)
    return tmp_path


def runs_of(client: Client) -> pb.RunsResponse:
    response = client.get(f"{BASE}/runs")
    assert response.status_code == 200
    return pb.RunsResponse.FromString(response.get_data())


def test_the_run_is_marked_and_has_the_sampled_steps(log: Path) -> None:
    copied, whole = runs_of(open_slowly(log)).runs
    assert (copied.name, copied.thumbnails_only) == ("copied", True)
    assert (whole.name, whole.thumbnails_only) == ("whole", False)
    (layer,) = copied.layers
    assert len(layer.steps) == 10
    assert list(layer.steps) == sorted(layer.steps)
    assert layer.steps[-1] == 24
    assert (layer.heads, layer.queries, layer.keys, len(layer.examples)) == (H, Q, K, B)
    assert [example.query_length for example in layer.examples] == [Q, 31]
    assert len(whole.layers[0].steps) == 25


@pytest.mark.parametrize("size", ["32", "64"])
def test_the_atlas_shows_the_thumbnails(log: Path, weights: Maps, size: str) -> None:
    client = open_slowly(log)
    query = {"run": "copied", "step": "24", "example": "0,1", "size": size}
    response = client.get(f"{BASE}/atlas", query_string=query)
    parts = parts_of(response.get_data(), pb.AtlasHeader)
    assert [header.example for header, _ in parts] == [0, 1]
    for (header, payload), rows in zip(parts, (Q, 31), strict=True):
        assert (header.problem, header.step, header.heads) == ("", 24, H)
        codes = code_table.encode(weights[header.example, :, :rows])
        expected = thumbnails.max_pool(thumbnails.max_pool(codes, 64), 32)
        inflated = codec.inflate(payload, expected.size)
        assert inflated == expected.tobytes()


def test_maps_are_not_found_with_a_sentence(log: Path) -> None:
    query = {"run": "copied", "layer": "a", "example": "0", "heads": "0", "steps": "24"}
    response = open_slowly(log).get(f"{BASE}/maps", query_string=query)
    assert response.status_code == 404
    assert "only event files are here" in response.get_data(as_text=True)


def test_metrics_are_those_of_the_sampled_steps(log: Path) -> None:
    client = open_slowly(log)
    response = client.get(f"{BASE}/metrics", query_string={"run": "copied", "layer": "a"})
    metrics = pb.MetricsResponse.FromString(response.get_data())
    assert len(metrics.steps) == 10
    series = {one.name: one.values for one in metrics.series}
    assert len(series["entropy"]) == 10 * B * H
    assert np.isfinite(series["entropy"]).all()


def test_a_run_whose_store_is_empty_shows_its_thumbnails(log: Path) -> None:
    files.store_directory(log / "copied").mkdir(parents=True)
    assert [run.name for run in runs_of(open_slowly(log)).runs] == ["copied", "whole"]


def test_layers_are_in_the_order_of_their_numbers(tmp_path: Path, weights: Maps) -> None:
    layers = ["3", "h.0/self", "h.2/self", "h.10/self", "head"]
    with AttentionWriter(tmp_path / "run") as writer:
        for layer in reversed(layers):
            writer.write(layer, weights, 0)
    shutil.rmtree(tmp_path / "run" / "plugins")
    response = open_slowly(tmp_path).get(f"{BASE}/runs")
    (run,) = pb.RunsResponse.FromString(response.data).runs
    assert [layer.name for layer in run.layers] == layers
