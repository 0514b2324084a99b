"""TensorBoard polls each second while a training writes: what is served, and how late.

`python tests/robustness/live_lab.py --seconds 300 --rate 50` prints a summary as one line of JSON,
or ends with the first thing that is wrong. The writer and TensorBoard are processes of their own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from tb_attention_plugin import AttentionReader, AttentionWriter
from tb_attention_plugin.store import attention_pb2 as pb
from tests.tensorboard_process import TensorBoard, running_tensorboard

LAYERS = ("encoder/self", "decoder/cross")
B, H, Q, K = 2, 4, 61, 67
POLL_SECONDS = 1.0


def write(logdir: str, seconds: float, rate: float) -> None:
    """Writes entries at a steady rate; prints how many it wrote."""
    rng = np.random.default_rng(0)
    maps = rng.dirichlet(np.ones(K), (8, B, H, Q)).astype(np.float32)
    count = int(seconds * rate)
    started = time.monotonic()
    with AttentionWriter(Path(logdir) / "train") as writer:
        for number in range(count):
            time.sleep(max(0, started + number / rate - time.monotonic()))
            writer.write(LAYERS[number % 2], maps[number % 8], number // 2)
    print(count)


class Poller:
    """Asks as the tab does, and remembers when each entry was first served."""

    def __init__(self, board: TensorBoard) -> None:
        self.board = board
        self.polls = 0
        self.latencies: list[float] = []
        self.known: dict[str, int] = dict.fromkeys(LAYERS, 0)

    def poll(self) -> None:
        self.polls += 1
        body = self.board.get("data/plugin/attention/runs")
        response = pb.RunsResponse.FromString(body)
        now = time.time()
        assert not response.problems, response.problems
        for layer in (layer for run in response.runs for layer in run.layers):
            self.take(layer, now)

    def take(self, layer: pb.Layer, now: float) -> None:
        known, steps = self.known[layer.name], len(layer.steps)
        assert list(layer.steps) == list(range(steps)), f"{layer.name}: gaps in {layer.steps}"
        assert steps >= known, f"{layer.name}: {known} steps were served, then {steps}"
        self.latencies += [now - when for when in layer.wall_times[known:]]
        self.known[layer.name] = steps
        if steps > known and layer.name == LAYERS[-1]:  # the one that the tab shows
            self.ask_for_maps(layer.name, layer.steps[-1:])

    def ask_for_maps(self, layer: str, steps: Sequence[int]) -> None:
        """The newest map, as the tab shows it when it follows the training."""
        query = {"run": "train", "layer": layer, "example": 0, "heads": "0,3", "steps": steps[0]}
        body = self.board.get(f"data/plugin/attention/maps?{urlencode(query)}")
        length = int.from_bytes(body[:4], "little")
        header = pb.MapHeader.FromString(body[8 : 8 + length])
        assert (header.step, header.problem) == (steps[0], ""), header
        self.board.get(
            f"data/plugin/attention/metrics?{urlencode({'run': 'train', 'layer': layer})}"
        )
        self.board.get("data/plugin/attention/events?run=train")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--rate", type=float, default=50, help="entries per second")
    parser.add_argument("--write", metavar="LOGDIR", help="be the writer")
    options = parser.parse_args()
    if options.write:
        write(options.write, options.seconds, options.rate)
        return
    with tempfile.TemporaryDirectory(prefix="live_lab_") as logdir:
        command = [sys.executable, "-W", "error", __file__, "--write", logdir]
        command += ["--seconds", str(options.seconds), "--rate", str(options.rate)]
        with (
            running_tensorboard("--logdir", logdir) as board,
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer,
        ):
            poller = Poller(board)
            while writer.poll() is None:
                started = time.monotonic()
                poller.poll()
                time.sleep(max(0, POLL_SECONDS - (time.monotonic() - started)))
            assert writer.returncode == 0, "the writer failed"
            assert writer.stdout is not None
            written = int(writer.stdout.read())
            time.sleep(POLL_SECONDS)
            poller.poll()
            assert sum(poller.known.values()) == written, (poller.known, written)
            log = "".join(board.log)
            assert "Traceback" not in log, log
        check(logdir, written)
    summary = {
        "entries": written,
        "seconds": options.seconds,
        "polls": poller.polls,
        "median_seconds": round(statistics.median(poller.latencies), 3),
        "slowest_seconds": round(max(poller.latencies), 3),
    }
    json.dump(summary, sys.stdout)


def check(logdir: str, written: int) -> None:
    """Everything that was written can be read."""
    reader = AttentionReader(logdir)
    steps = {layer: reader.steps("train", layer) for layer in LAYERS}
    assert sum(map(len, steps.values())) == written
    for layer in LAYERS:
        for step in steps[layer]:
            assert np.isfinite(reader.weights("train", layer, step)).all()


if __name__ == "__main__":
    main()
