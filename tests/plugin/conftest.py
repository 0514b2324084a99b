"""A log, and TensorBoard's whole application on it, in this process."""

from __future__ import annotations

import argparse
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from werkzeug.test import Client

from tb_attention_plugin import AttentionWriter
from tb_attention_plugin.loader import AttentionLoader

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of html5lib, inside TensorBoard
    from tensorboard.backend import application
    from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer

Maps = NDArray[np.float32]
OpenClient = Callable[..., Client]


@pytest.fixture
def open_client() -> OpenClient:
    """Opens a client of TensorBoard: `open_client(logdir)`, or with any flag by its name."""

    def open_(logdir: Path | str, **flags: Any) -> Client:
        defaults: dict[str, Any] = {
            **{"logdir": str(logdir), "logdir_spec": "", "path_prefix": ""},
            **{"samples_per_plugin": {}, "window_title": "", "reload_interval": 5},
        }
        namespace = argparse.Namespace(**(defaults | flags))
        provider = data_provider.MultiplexerDataProvider(
            plugin_event_multiplexer.EventMultiplexer(), str(logdir)
        )
        return Client(
            application.TensorBoardWSGIApp(namespace, [AttentionLoader()], data_provider=provider)
        )

    return open_


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory, attention: Callable[..., Maps]) -> Path:
    """Two runs: `run` with two layers, and `.` with one; see `recorded`."""
    path = tmp_path_factory.mktemp("log")
    with AttentionWriter(path / "run") as writer:
        for step in (2, 3, 7):
            writer.write(
                "dec/cross",
                attention(2, 3, 37, 71, seed=step),
                step,
                query_tokens=[[f"q{i}" for i in range(37)], [f"r{i}" for i in range(31)]],
                key_tokens=[["<b>&"] * 71, ["日本"] * 67],
                query_lengths=[37, 31],
                key_lengths=[71, 67],
                wall_time=1000.5 + step,
            )
            writer.write("enc/self", attention(1, 1, 5, 5, seed=step), step * 10, causal=True)
    with AttentionWriter(path, precision="float32") as writer:
        writer.write("raw", attention(1, 1, 2, 3) * 5, 11)
    return path


@pytest.fixture
def client(log: Path, open_client: OpenClient) -> Client:
    """A client of TensorBoard on `log`."""
    return open_client(log)


@pytest.fixture(autouse=True)
def silent(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No test may make TensorBoard log a warning: its security validator does so."""
    caplog.set_level(logging.WARNING, logger="tensorboard")
    yield
    warnings = [
        record.getMessage()
        for record in caplog.get_records("call")
        if record.levelno >= logging.WARNING
        and "not found, sending 404" not in record.getMessage()  # asked for by a test
    ]
    assert warnings == []
