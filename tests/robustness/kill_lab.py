"""Kills writers with SIGKILL at random moments and reads what they leave behind.

`python tests/robustness/kill_lab.py --kills 1000 --seed 1` prints a summary as one line of JSON, or
ends with the first thing that is lost. A process of its own, because it forks: a warm child starts
in milliseconds where a new interpreter takes a second.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # a fork copies one thread only

import numpy as np
from numpy.typing import NDArray

from tb_attention_plugin import AttentionReader, AttentionWriter
from tb_attention_plugin.responses import runs_response
from tb_attention_plugin.store import code_table
from tb_attention_plugin.store.logdir import LogDirectory, root_at

LAYERS = {"small": (2, 3, 17, 19), "large": (1, 2, 131, 127)}
GENERATIONS = 3  # writers in one directory, each killed


def weights(layer: str, step: int) -> NDArray[np.float32]:
    """What is recorded at a step: the same in every process."""
    rng = np.random.default_rng(step * 2 + len(layer) % 2)
    logits = rng.normal(0, 3, LAYERS[layer])
    weights = np.exp(logits)
    return (weights / weights.sum(-1, keepdims=True)).astype(np.float32)


def write_until_killed(directory: Path, start: int, acknowledged: int) -> None:
    writer = AttentionWriter(directory)
    for step in range(start, start + 100_000):
        for layer in LAYERS:
            tokens = [[str(k) for k in range(LAYERS[layer][3])]] * LAYERS[layer][0]
            writer.write(layer, weights(layer, step), step, key_tokens=tokens)
        if step % 3 == 0:
            writer.flush()
            os.write(acknowledged, step.to_bytes(8, "little"))


def kill_one(directory: Path, start: int, logs: LogDirectory, chance: random.Random) -> int:
    """Starts a writer, polls as TensorBoard does, kills it.

    Returns:
        The last step that was acknowledged as readable; -1 when none was.
    """
    into_parent, from_child = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            write_until_killed(directory, start, from_child)
        finally:
            os._exit(1)  # only reached when the writer fails
    os.close(from_child)
    # Every fifth is killed while it opens. The others are waited for: a loaded machine must not
    # mean that nothing was written.
    acknowledgements = chance.choice([0, 1, 1, 2, 4])
    with os.fdopen(into_parent, "rb") as pipe:
        steps = b"".join(pipe.read(8) for _ in range(acknowledgements))
        deadline = time.monotonic() + chance.uniform(0, 0.04)
        while (left := deadline - time.monotonic()) > 0:
            runs_response(logs.runs(), "")
            time.sleep(min(left, 0.005))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSIGNALED(status):
            raise AssertionError("The writer ended before it was killed.")
        steps += pipe.read()
    return int.from_bytes(steps[-8:], "little") if steps else -1


def check(logdir: Path, run: str, acknowledged: int) -> tuple[int, int]:
    """Reads everything back.

    Returns:
        The number of entries, and the last step that all layers have.
    """
    reader = AttentionReader(logdir)
    if run not in reader.runs():
        assert acknowledged < 0, f"{run}: step {acknowledged} was lost, nothing is there"
        return 0, -1
    entries = 0
    last_steps: list[int] = [-1]
    for layer in reader.layers(run):
        steps = reader.steps(run, layer)
        assert steps == list(range(len(steps))), f"{run} {layer}: gaps in {steps}"
        assert steps[-1] >= acknowledged, f"{run} {layer}: {acknowledged} lost, {steps[-1]} there"
        for step in steps:
            shown = reader.weights(run, layer, step)
            expected = code_table.decode(code_table.encode(weights(layer, step)))
            np.testing.assert_array_equal(shown, expected, f"{run} {layer} {step}")
        assert len(reader.tokens(run, layer, steps[-1])[0][1]) == LAYERS[layer][3]
        assert np.isfinite(reader.metrics(run, layer)["entropy"]).all()
        entries += len(steps)
        last_steps.append(steps[-1])
    response = runs_response(LogDirectory([("", root_at(str(logdir)))]).runs(), "")
    assert not response.problems, response.problems
    return entries, min(last_steps[1:], default=-1) if len(last_steps) > len(LAYERS) else -1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    started = time.monotonic()
    entries = without = 0
    logdir = Path(tempfile.mkdtemp(prefix="kill_lab_"))
    try:
        logs = LogDirectory([("", root_at(str(logdir)))])
        acknowledged, last = -1, -1
        for number in range(arguments.kills):
            run = f"run{number // GENERATIONS}"
            if number % GENERATIONS == 0:
                shutil.rmtree(logdir / f"run{number // GENERATIONS - 1}", ignore_errors=True)
                acknowledged = last = -1
            # Resumes go on, or rewind by a few steps.
            start = max(0, last + 1 - chance.choice([0, 0, 1, 4]))
            known = kill_one(logdir / run, start, logs, chance)
            # A rewind supersedes what was acknowledged before it.
            acknowledged = max(known, min(acknowledged, start - 1))
            count, last = check(logdir, run, acknowledged)
            entries += count
            without += known < 0
    finally:
        shutil.rmtree(logdir)
    seconds = round(time.monotonic() - started, 1)
    summary = {"kills": arguments.kills, "entries": entries, "early": without, "seconds": seconds}
    json.dump(summary, sys.stdout)


if __name__ == "__main__":
    main()
