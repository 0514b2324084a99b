"""The ways in which people start TensorBoard, each with a process of its own."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import numpy as np
import pytest
from numpy.typing import NDArray

from tb_attention_plugin import AttentionWriter
from tests.tensorboard_process import TensorBoard, get, running_tensorboard

Maps = NDArray[np.float32]
STEPS = list(range(13))  # more than TensorBoard samples


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory, attention: Callable[..., Maps]) -> Path:
    """Two runs, one of them deep."""
    path = tmp_path_factory.mktemp("ways") / "logs"
    for run in ("flat", "deep/er/run"):
        with AttentionWriter(path / run) as writer:
            for step in STEPS:
                writer.write("a", attention(1, 2, 5, 7, seed=step), step)
    return path


def runs_of(board: TensorBoard) -> dict[str, dict[str, Any]]:
    response = board.json("data/plugin/attention/runs")
    assert response["problems"] == []
    return {run["name"]: run for run in response["runs"]}


def check(board: TensorBoard, *names: str) -> None:
    """The tab is on, and shows all steps of these runs."""
    board.wait_for(lambda: board.json("data/plugins_listing")["attention"]["enabled"])
    runs = runs_of(board)
    assert sorted(runs) == sorted(names)
    for run in runs.values():
        assert [layer["steps"] for layer in run["layers"]] == [STEPS]
    assert b"render" in board.get("data/plugin/attention/index.js")
    log = "".join(board.log)
    assert "Traceback" not in log, log


BOTH = ("deep/er/run", "flat")


@pytest.mark.parametrize("fast", ["true", "false"])
def test_fast_and_slow_loading(log: Path, fast: str) -> None:
    with running_tensorboard("--logdir", str(log), f"--load_fast={fast}") as board:
        check(board, *BOTH)
        board.wait_for(lambda: sorted(board.json("data/runs")) == list(BOTH))


def test_logdir_spec(log: Path) -> None:
    spec = f"one:{log / 'flat'},{log / 'deep'}"
    with running_tensorboard("--logdir_spec", spec) as board:
        check(board, "one/.", "er/run")
        # What a run is called here is what TensorBoard calls it.
        board.wait_for(lambda: sorted(board.json("data/runs")) == ["er/run", "one/."])


def test_a_relative_log_directory(log: Path) -> None:
    with running_tensorboard("--logdir", "logs/deep", directory=log.parent) as board:
        check(board, "er/run")


def test_a_log_directory_in_the_home_directory(log: Path) -> None:
    home = {"HOME": str(log.parent), "USERPROFILE": str(log.parent)}
    with running_tensorboard("--logdir", "~/logs", environment=home) as board:
        check(board, *BOTH)


def test_a_run_itself_is_the_log_directory(log: Path) -> None:
    with running_tensorboard("--logdir", str(log / "flat")) as board:
        check(board, ".")


def test_a_path_prefix(log: Path) -> None:
    with running_tensorboard("--logdir", str(log), "--path_prefix", "/team/board") as board:
        assert board.address.endswith("/team/board/")
        check(board, *BOTH)


def test_a_log_directory_that_appears_later(log: Path, tmp_path: Path) -> None:
    with running_tensorboard("--logdir", str(tmp_path / "later")) as board:
        assert runs_of(board) == {}
        shutil.copytree(log, tmp_path / "later")
        board.wait_for(lambda: len(runs_of(board)) == 2)
        check(board, *BOTH)


def test_a_log_directory_that_is_read_only(log: Path, tmp_path: Path) -> None:
    copy = tmp_path / "logs"
    shutil.copytree(log, copy)
    paths = [copy, *copy.rglob("*")]
    before = sorted(paths)
    modes = {path: path.stat().st_mode for path in paths}
    for path in paths:
        path.chmod(modes[path] & ~0o222)  # does not hold root back: so what is there is compared
    try:
        with running_tensorboard("--logdir", str(copy)) as board:
            check(board, *BOTH)
    finally:
        for path in paths:
            path.chmod(modes[path])
    assert sorted([copy, *copy.rglob("*")]) == before


@pytest.mark.parametrize("fast", ["true", "false"])
def test_event_files_only(log: Path, tmp_path: Path, fast: str) -> None:
    shutil.copytree(log, tmp_path / "logs", ignore=shutil.ignore_patterns("plugins"))
    with running_tensorboard("--logdir", str(tmp_path / "logs"), f"--load_fast={fast}") as board:
        board.wait_for(lambda: len(runs_of(board)) == 2)
        for run in runs_of(board).values():
            assert run["thumbnails_only"]
            (layer,) = run["layers"]
            assert set(layer["steps"]) < set(STEPS)  # a sample, said to be one
        assert board.get("data/plugin/attention/atlas?run=flat&step=12&example=0")


@contextmanager
def proxy(prefix: str, target: str) -> Generator[str]:
    """A reverse proxy that serves what is at `target` below `prefix`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self.path.startswith(prefix):
                self.send_error(404)
                return
            try:
                status, body = 200, get(target + self.path.removeprefix(prefix))
            except HTTPError as error:
                status, body = error.code, error.read()
                error.close()
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{prefix}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_behind_a_proxy_with_a_path_of_its_own(log: Path) -> None:
    with running_tensorboard("--logdir", str(log), "--bind_all") as board:
        port = board.address.rstrip("/").rpartition(":")[2]
        with proxy("/team/board/", f"http://127.0.0.1:{port}/") as address:
            outside = TensorBoard(address, board.log)
            page = outside.get("data/plugin_entry.html?name=attention")
            assert b'<base href="plugin/attention/"' in page  # relative: it stays below the path
            assert b"http://" not in page
            outside.get("data/plugin/attention/maps?run=flat&layer=a&example=0&heads=0&steps=3")
            assert outside.json("data/plugins_listing")["attention"]["enabled"]


# What `%tensorboard --logdir …` does before it shows the address in a frame.
NOTEBOOK = """
import json, sys
from tensorboard import manager
started = manager.start(["--logdir", sys.argv[1], "--port", "0"])
print(json.dumps([started.info.port, started.info.pid]))
"""


def test_a_notebook(log: Path, tmp_path: Path) -> None:
    # Without the notebook itself: its frame asks for what is asked for here.
    binary = Path(sys.executable).with_name("tensorboard")
    environment = {**os.environ, "TENSORBOARD_BINARY": str(binary), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", NOTEBOOK, log],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    port, pid = json.loads(done.stdout)
    try:
        check(TensorBoard(f"http://127.0.0.1:{port}/"), *BOTH)
    finally:
        os.kill(pid, signal.SIGTERM)
