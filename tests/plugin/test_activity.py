"""When the tab is shown, and that the plugin cannot take TensorBoard down."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from werkzeug.test import Client

from tb_attention_plugin import AttentionWriter, loader
from tb_attention_plugin import plugin as plugin_module
from tb_attention_plugin.store import attention_pb2 as pb

OpenClient = Callable[..., Client]
Attention = Callable[..., NDArray[np.float32]]


def listing(client: Client) -> Any:
    return json.loads(client.get("/data/plugins_listing").data)


def is_shown(client: Client) -> bool:
    return listing(client)["attention"]["enabled"]


def remove_event_files(log: Path) -> None:
    for path in log.rglob("*tfevents*"):
        path.unlink()


def test_the_tab_is_shown_where_there_is_attention(client: Client) -> None:
    attention = listing(client)["attention"]
    assert attention["enabled"] is True
    assert attention["tab_name"] == "Attention"
    assert attention["loading_mechanism"]["type"] == "CUSTOM_ELEMENT" or (
        attention["loading_mechanism"]["module_path"].endswith("/attention/index.js")
    )


def test_the_tab_is_shown_without_event_files(
    tmp_path: Path, attention: Attention, open_client: OpenClient
) -> None:
    with AttentionWriter(tmp_path / "run") as writer:
        writer.write("a", attention(1, 5, 7), 1)
    remove_event_files(tmp_path)
    assert is_shown(open_client(tmp_path))


def test_the_tab_is_hidden_where_there_is_no_attention(
    tmp_path: Path, open_client: OpenClient
) -> None:
    assert not is_shown(open_client(tmp_path))
    assert not is_shown(open_client(tmp_path / "missing"))
    (tmp_path / "events.out.tfevents.1.host").write_bytes(b"")
    assert not is_shown(open_client(tmp_path))


def test_the_tab_appears_when_the_training_starts(
    tmp_path: Path, attention: Attention, open_client: OpenClient
) -> None:
    client = open_client(tmp_path / "later")
    assert not is_shown(client)
    with AttentionWriter(tmp_path / "later" / "run") as writer:
        writer.write("a", attention(1, 5, 7), 1)
        remove_event_files(tmp_path)
        deadline = time.monotonic() + 30
        while not is_shown(client) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert is_shown(client)


def test_a_logdir_spec_is_served(
    tmp_path: Path, attention: Attention, open_client: OpenClient
) -> None:
    for name in ("p", "q"):
        with AttentionWriter(tmp_path / name) as writer:
            writer.write("a", attention(1, 5, 7), 1)
    spec = f"one:{tmp_path / 'p'},two:{tmp_path / 'q'}"
    client = open_client("", logdir_spec=spec)
    response = client.get(
        "/data/plugin/attention/runs", headers={"Accept": "application/json"}
    ).get_json()
    assert [run["name"] for run in response["runs"]] == ["one/.", "two/."]
    assert response["log_dir"] == spec


@pytest.mark.parametrize("flags", [{"logdir": "s3://bucket/logs"}, {"logdir_spec": "s3://bucket"}])
def test_a_url_without_the_extra_is_a_sentence_on_the_tab(
    flags: dict[str, str],
    open_client: OpenClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    client = open_client(**{"logdir": "", **flags})
    assert is_shown(client)
    response = client.get(
        "/data/plugin/attention/runs", headers={"Accept": "application/json"}
    ).get_json()
    assert response["runs"] == []
    (problem,) = response["problems"]
    assert "pip install 'tb-attention-plugin[remote]' s3fs" in problem
    assert "pip install 'tb-attention-plugin[remote]' s3fs" in caplog.text
    caplog.clear()


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text elsewhere")
def test_a_run_whose_name_is_not_utf8_is_served(
    tmp_path: Path, attention: Attention, open_client: OpenClient
) -> None:
    for name in (b"run-\xff", b"run-\xfe", "läufe".encode()):
        with AttentionWriter(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)) as writer:
            writer.write("a", attention(1, 5, 7), 1)
    client = open_client(tmp_path)
    response = client.get("/data/plugin/attention/runs")
    assert response.status_code == 200
    names = [run.name for run in pb.RunsResponse.FromString(response.get_data()).runs]
    assert sorted(names) == ["läufe", "run-\\xff", "run-\ufffd"]
    for name in names:
        query = {"run": name, "layer": "a", "example": "0", "heads": "0", "steps": "1"}
        assert client.get("/data/plugin/attention/maps", query_string=query).status_code == 200
    assert (
        open_client(os.fsdecode(os.fsencode(tmp_path) + b"/run-\xff"))
        .get("/data/plugin/attention/runs")
        .status_code
        == 200
    )


def test_a_path_prefix_is_served(log: Path, open_client: OpenClient) -> None:
    client = open_client(log, path_prefix="/deep/er")
    assert client.get("/deep/er/data/plugin/attention/runs").status_code == 200
    assert client.get("/data/plugin/attention/runs").status_code == 404


def test_the_entry_page_loads_our_script(client: Client) -> None:
    page = client.get("/data/plugin_entry.html", query_string={"name": "attention"})
    assert page.status_code == 200
    assert b'<base href="plugin/attention/"' in page.data
    assert b"index.js" in page.data


def test_the_entry_point_is_the_loader() -> None:
    (entry,) = [
        entry
        for entry in metadata.entry_points(group="tensorboard_plugins")
        if entry.name == "attention"
    ]
    assert entry.load() is loader.AttentionLoader


def test_an_error_while_loading_hides_the_tab_and_nothing_else(
    log: Path,
    open_client: OpenClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("broken installation")

    monkeypatch.setattr(plugin_module, "AttentionPlugin", fail)
    client = open_client(log)
    assert "attention" not in listing(client)
    assert "broken installation" in caplog.text
    caplog.clear()


SERVE_WITHOUT_TENSORFLOW = """if True:
    import argparse, json, sys, warnings
    sys.modules["tensorflow"] = None
    warnings.simplefilter("ignore")
    from tensorboard.backend import application
    from tensorboard.backend.event_processing import data_ingester, data_provider
    from tensorboard.backend.event_processing import plugin_event_multiplexer
    from werkzeug.test import Client
    from tb_attention_plugin.loader import AttentionLoader
    flags = argparse.Namespace(
        logdir=sys.argv[1], logdir_spec="", path_prefix="", samples_per_plugin={},
        window_title="", reload_interval=5)
    multiplexer = plugin_event_multiplexer.EventMultiplexer()
    multiplexer.AddRunsFromDirectory(sys.argv[1])
    multiplexer.Reload()
    provider = data_provider.MultiplexerDataProvider(multiplexer, sys.argv[1])
    plugin = AttentionLoader()
    client = Client(application.TensorBoardWSGIApp(flags, [plugin], data_provider=provider))
    listed = json.loads(client.get("/data/plugins_listing").data)["attention"]["enabled"]
    status = [client.get(f"/data/plugin/attention/{p}").status_code for p in sys.argv[2:]]
    summaries = sorted(multiplexer.PluginRunToTagToContent("attention"))
    print(listed, status, summaries, sorted({"keras", "matplotlib"} & sys.modules.keys()))
"""


def serve_without_tensorflow(log: Path, *paths: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SERVE_WITHOUT_TENSORFLOW, log, *paths],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_everything_is_served_without_tensorflow(log: Path) -> None:
    served = serve_without_tensorflow(
        log,
        *("runs", "index.js", "maps?run=run&layer=dec/cross&example=0&heads=0&steps=2"),
        *("atlas?run=run&step=2&example=0", "metrics?run=run&layer=dec/cross"),
    )
    assert served == "True [200, 200, 200, 200, 200] ['.', 'run'] []"


def test_the_tab_is_shown_where_only_event_files_were_copied(log: Path, tmp_path: Path) -> None:
    shutil.copytree(log, tmp_path / "copy", ignore=shutil.ignore_patterns("plugins"))
    assert serve_without_tensorflow(tmp_path / "copy") == "True [] ['.', 'run'] []"
