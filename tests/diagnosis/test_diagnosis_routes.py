"""The routes `events` and `failures`, through the plugin's own WSGI application."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from werkzeug.test import Client, TestResponse

from tb_attention_plugin import AttentionWriter
from tb_attention_plugin.store import attention_pb2 as pb

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of html5lib, inside TensorBoard
    from tb_attention_plugin.plugin import AttentionPlugin

N = 13
LAYER = "decoder/cross"


def maps(sharpness: float) -> NDArray[np.float32]:
    distance = np.abs(np.arange(N)[:, None] - np.arange(N))
    weights = np.exp(-distance * sharpness)
    return (weights / weights.sum(-1, keepdims=True)).astype(np.float32)[None, None]


def write(log: Path, sharpnesses: list[float], first_step: int = 0) -> None:
    with AttentionWriter(log / "run") as writer:
        for i, sharpness in enumerate(sharpnesses):
            writer.write(LAYER, maps(sharpness), first_step + i)


class Server:
    def __init__(self, log: Path) -> None:
        context: Any = SimpleNamespace(
            logdir=str(log),
            flags=SimpleNamespace(logdir_spec=""),
            data_provider=SimpleNamespace(list_blob_sequences=lambda *_, **__: {}),
        )
        self._apps = AttentionPlugin(context).get_plugin_apps()

    def get(self, route: str, headers: Any = None, **query: Any) -> TestResponse:
        return Client(self._apps[route]).get("/", query_string=query, headers=headers)

    def events(self) -> list[tuple[str, int, int]]:
        response = pb.EventsResponse.FromString(self.get("/events", run="run").data)
        return [(event.kind, event.step, event.confirmed_step) for event in response.events]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    write(tmp_path, [0, 0, 3, 3])
    return tmp_path


def test_events_say_what_and_where(log: Path) -> None:
    response = Server(log).get("/events", run="run")
    (event,) = pb.EventsResponse.FromString(response.data).events
    assert (event.kind, event.layer, event.head) == ("diagonal_formed", LAYER, 0)
    assert (event.step, event.confirmed_step, event.metric) == (2, 3, "diagonality")
    assert 0.9 < event.value < 1
    assert event.message.startswith("decoder/cross, head 0: an alignment formed")


def test_a_training_that_goes_on_is_followed(log: Path) -> None:
    server = Server(log)
    assert server.events() == [("diagonal_formed", 2, 3)]
    # A new writer goes on; an answer to the old question is the same as one to a new server.
    write(log, [3, 0, 0], first_step=4)
    expected = [("diagonal_formed", 2, 3), ("diagonal_lost", 5, 6)]
    assert server.events() == expected
    assert Server(log).events() == expected


def test_each_record_is_read_once(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tb_attention_plugin.diagnosis import events

    steps: list[int] = []
    update = events.EventDetector.update

    def counting(self: Any, layer: str, step: int, *arguments: Any) -> Any:
        steps.append(step)
        return update(self, layer, step, *arguments)

    with AttentionWriter(log / "other") as writer:
        server = Server(log)
        for step in range(3):
            writer.write(LAYER, maps(0), step)
            writer.flush()
            with monkeypatch.context() as patch:
                patch.setattr(events.EventDetector, "update", counting)
                server.get("/events", run="other")
    assert steps == [0, 1, 2]


def test_a_rewind_takes_its_events_back(log: Path) -> None:
    server = Server(log)
    assert server.events() == [("diagonal_formed", 2, 3)]
    write(log, [0, 0, 0], first_step=1)
    assert server.events() == []


def test_events_have_an_etag(log: Path) -> None:
    server = Server(log)
    etag = server.get("/events", run="run").headers["ETag"]
    assert server.get("/events", {"If-None-Match": etag}, run="run").status_code == 304


def test_failures_have_a_place(tmp_path: Path) -> None:
    weights = maps(4)[:, :, [0, 1, 2, 3, 4, 5, 6, 2, 3, 4, 5, 6, 7, 7, 7]]
    weights = np.concatenate([maps(0)[:, :, [0] * 15], weights], 1)
    with AttentionWriter(tmp_path / "run") as writer:
        # What lies beyond the valid region is no skip.
        writer.write(LAYER, weights, 4, query_lengths=[14], key_lengths=[9])
    server = Server(tmp_path)

    def found(head: int) -> list[tuple[str, int, int, int, int]]:
        data = server.get("/failures", run="run", layer=LAYER, example=0, head=head, step=4).data
        return [
            (f.kind, f.first_query, f.end_query, f.first_key, f.end_key)
            for f in pb.FailuresResponse.FromString(data).failures
        ]

    assert found(1) == [("backward_jump", 6, 8, 2, 7), ("repeat", 7, 12, 2, 7)]
    assert found(0) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"run": "../run"}, "run: no run"),
        ({"layer": "no"}, "step: layer 'no' has no record"),
        ({"step": 9}, "no record at step 9"),
        ({"example": 1}, "example: there are 1"),
        ({"head": 7}, "head: layer 'decoder/cross' has head 0 at step 3, received 7"),
    ],
)
def test_what_is_not_there_is_said(log: Path, changed: dict[str, Any], said: str) -> None:
    query = {"run": "run", "layer": LAYER, "example": 0, "head": 0, "step": 3} | changed
    response = Server(log).get("/failures", **query)
    assert response.status_code == 404
    assert said in response.text
    if "run" in changed:
        assert Server(log).get("/events", run=changed["run"]).status_code == 404


def test_a_damaged_map_is_a_sentence(log: Path) -> None:
    (data,) = (log / "run").rglob("*.data")
    data.write_bytes(bytes(data.stat().st_size))
    response = Server(log).get("/failures", run="run", layer=LAYER, example=0, head=0, step=3)
    assert response.status_code == 404
    assert "cannot be read" in response.text
