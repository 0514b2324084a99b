"""A real TensorBoard and a real training's log."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser.tab import TensorBoard

ROOT = Path(__file__).resolve().parents[2]
# TensorBoard's own plugins import TensorFlow where it is installed, which takes ten seconds.
_WITHOUT_TENSORFLOW = (
    "import sys; sys.modules['tensorflow'] = None; "
    "from tensorboard.main import run_main; run_main()"
)


@pytest.fixture(scope="session")
def start_tensorboard() -> Iterator[Callable[..., TensorBoard]]:
    """Starts TensorBoards; all of them end with the session."""
    processes: list[subprocess.Popen[str]] = []

    def start(logdir: Path, *flags: str, tensorflow: bool = False) -> TensorBoard:
        program = ["-m", "tensorboard.main"] if tensorflow else ["-c", _WITHOUT_TENSORFLOW]
        process = subprocess.Popen(
            [
                *(sys.executable, *program, "--logdir", str(logdir)),
                *("--port", "0", "--reload_interval", "1", *flags),
            ],
            env={**os.environ, "PYTHONWARNINGS": "default"},
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        processes.append(process)
        board = TensorBoard()
        ready = threading.Event()

        def follow() -> None:
            assert process.stderr is not None
            for line in process.stderr:
                board.log.append(line)
                if found := re.search(r"at (http://\S+/)", line):
                    board.address = found[1]
                    ready.set()
            ready.set()

        threading.Thread(target=follow, daemon=True).start()
        assert ready.wait(60), "TensorBoard did not start within a minute."
        assert board.address, "".join(board.log)
        return board

    yield start
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


@pytest.fixture(scope="session")
def demo_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of the demo: both of its trainings, as a newcomer runs them.

    `DEMO_LOG` names one that is there already; making one takes minutes.
    """
    if given := os.environ.get("DEMO_LOG"):
        return Path(given)
    logdir = tmp_path_factory.mktemp("demo") / "runs"
    done = subprocess.run(
        [sys.executable, "-m", "tb_attention_training.demo", "--logdir", str(logdir)],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    # The demo itself fails when the RNN gets less than 98 % of the held-out dates right.
    assert done.returncode == 0, done.stdout[-4000:]
    return logdir


@pytest.fixture(scope="session")
def diagnosis_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small trainings in which an alignment forms and is destroyed, and induction heads form.

    `DIAGNOSIS_LOG` names one that is there already.
    """
    if given := os.environ.get("DIAGNOSIS_LOG"):
        return Path(given)
    logdir = tmp_path_factory.mktemp("diagnosis")
    trainings = ("seq2seq that reorders, alignment destroyed", "induction")
    subprocess.run(
        [sys.executable, ROOT / "benchmarks/diagnosis/logs.py", logdir, *trainings],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        check=True,
        stdout=subprocess.PIPE,
    )
    return logdir
