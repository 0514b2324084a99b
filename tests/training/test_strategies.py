"""Strategies of `tf.distribute`: recorded once, by the chief, and the training stays as it is."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tb_attention_training.chief import is_chief

from tb_attention_plugin import AttentionReader

PROGRAM = Path(__file__).with_name("distribution_cases.py")
WORKER = Path(__file__).with_name("worker_cases.py")
LAYERS = ["causal_attention", "cross_attention", "encoder_attention"]


@pytest.mark.slow
def test_replicas_are_recorded_once_and_train_as_without(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "0"}
    run = subprocess.run(
        [sys.executable, PROGRAM, tmp_path],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    line = next(line for line in run.stdout.splitlines() if line.startswith("RESULT "))
    result = json.loads(line.removeprefix("RESULT "))
    assert result["recorded"] in result["plain"]
    reader = AttentionReader(tmp_path)
    assert reader.runs() == ["train"]
    assert sorted(reader.layers("train")) == LAYERS
    for layer in LAYERS:
        assert reader.steps("train", layer) == [0, 5, 10, 12]
    assert len(list(tmp_path.rglob("*.index"))) == 1


def free_ports(count: int) -> list[str]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("localhost", 0))
        return [str(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def run_workers(log_dir: Path) -> list[dict[str, Any]]:
    """What each of two workers prints; both end when one fails, which the other would wait for."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "0"}
    ports = ",".join(free_ports(2))
    outputs = [log_dir.with_name(f"worker_{index}.txt") for index in range(2)]
    with ExitStack() as stack:
        workers: list[subprocess.Popen[bytes]] = []
        for index, output in enumerate(outputs):
            command = [sys.executable, WORKER, str(index), ports, log_dir]
            file = stack.enter_context(open(output, "wb"))
            worker = subprocess.Popen(command, env=environment, stdout=file, stderr=file)
            stack.callback(worker.wait)
            stack.callback(worker.kill)
            workers.append(worker)
        while any(worker.poll() is None for worker in workers):
            if any(worker.poll() for worker in workers):
                break
            time.sleep(0.1)
    results: list[dict[str, Any]] = []
    for worker, output in zip(workers, outputs, strict=True):
        text = output.read_text(errors="replace")
        assert worker.returncode == 0, text[-3000:]
        line = next(line for line in text.splitlines() if line.startswith("RESULT "))
        results.append(json.loads(line.removeprefix("RESULT ")))
    return results


@pytest.mark.slow
def test_two_workers_are_recorded_once_by_the_first_and_train_as_without(tmp_path: Path) -> None:
    log_dir = tmp_path / "log"
    results = run_workers(log_dir)
    for result in results:
        assert result["recorded"] in result["plain"]
    reader = AttentionReader(log_dir)
    assert reader.runs() == ["train"]
    assert sorted(reader.layers("train")) == LAYERS
    for layer in LAYERS:
        assert reader.steps("train", layer) == [0, 5, 10, 12]
    (index,) = log_dir.rglob("*.index")
    assert f"-{results[0]['pid']}-" in index.name
    (events,) = log_dir.rglob("*tfevents*")
    assert f".{results[0]['pid']}." in events.name


def model_of(task_type: str | None, task_id: int | None, *jobs: str) -> Any:
    cluster = SimpleNamespace(as_dict=lambda: {job: ["a:1", "b:2"] for job in jobs})
    resolver = SimpleNamespace(task_type=task_type, task_id=task_id, cluster_spec=lambda: cluster)
    return SimpleNamespace(distribute_strategy=SimpleNamespace(cluster_resolver=resolver))


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (SimpleNamespace(), True),
        (SimpleNamespace(distribute_strategy=None), True),
        (model_of(None, None), True),
        (model_of("worker", 0, "worker"), True),
        (model_of("worker", 1, "worker"), False),
        (model_of("worker", 0, "chief", "worker"), False),
        (model_of("chief", 0, "chief", "worker"), True),
        (model_of("evaluator", 0, "worker"), False),
    ],
)
def test_who_is_the_chief(model: Any, expected: bool) -> None:
    assert is_chief(model) is expected
