"""Logs of the trainings in `trainings.py`, to look at: `python benchmarks/diagnosis/logs.py DIR`.

One run for each training, of one seed. `docs/diagnosis.md` has its pictures from these logs, and
the browser tests look at them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from trainings import TRAININGS, run

from tb_attention_plugin import AttentionWriter

SEED = 3


def directory(name: str) -> str:
    """Name of the run of a training."""
    return name.replace(" × ", "-x").replace(", ", "-").replace(" ", "-")


def write_log(name: str, log_dir: Path, seed: int = SEED) -> Path:
    """Trains one model and records its attention.

    Args:
        name: Of the training, one of `TRAININGS`.
        log_dir: The log directory; the run is a folder in it.
        seed: Of the model.

    Returns:
        Directory of the run.
    """
    task = TRAININGS[name]
    target = log_dir / directory(name)
    with AttentionWriter(target, precision="auto", scalars=("entropy",)) as writer:
        for step, _, inputs, maps in run(task, 1, seed=seed):
            inputs_text = inputs[0].astype(str).tolist()
            tokens = inputs_text if task.inputs_as_tokens else None
            for layer, weights in maps.items():
                writer.write(
                    layer,
                    weights[0],
                    step,
                    query_tokens=tokens,
                    key_tokens=inputs_text,
                    causal=task.causal,
                )
    return target


def main(log_dir: str, names: Iterable[str]) -> None:
    """Writes the logs of these trainings, or of all."""
    for name in names or TRAININGS:
        print(write_log(name, Path(log_dir)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
