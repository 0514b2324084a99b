"""A real TensorBoard and a real training's log."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tb_attention_plugin import AttentionReader
from tests.tensorboard_process import TensorBoard, running_tensorboard

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def start_tensorboard() -> Iterator[Callable[..., TensorBoard]]:
    """Starts TensorBoards; all of them end with the session."""
    with ExitStack() as running:

        def start(logdir: Path, *flags: str, tensorflow: bool = False) -> TensorBoard:
            return running.enter_context(
                running_tensorboard("--logdir", str(logdir), *flags, tensorflow=tensorflow)
            )

        yield start


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


@pytest.fixture(scope="module")
def board(demo_log: Path, start_tensorboard: Callable[..., TensorBoard]) -> TensorBoard:
    """TensorBoard on the demo's log; modules about other logs have another one of this name."""
    return start_tensorboard(demo_log)


@pytest.fixture(scope="module")
def reader(demo_log: Path) -> AttentionReader:
    """The demo's log, to compare with what is shown."""
    return AttentionReader(demo_log)


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
