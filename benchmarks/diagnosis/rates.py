"""How often the events of `tb_attention_plugin.diagnosis` are right, over many seeds.

`python benchmarks/diagnosis/rates.py [seeds [first_seed [training ...]]]` trains the models of
`trainings.py`, prints a table in Markdown and brings `rates.json` beside it up to date. 20 seeds of
all take about ten minutes of one core. The thresholds were chosen with
seeds 0, 1 and 1000 to 1019.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from numpy.typing import NDArray
from trainings import TRAININGS, Training, run

from tb_attention_plugin.diagnosis.events import EVENT_KINDS, Event, EventDetector
from tb_attention_plugin.metrics import HeadMetrics
from tb_attention_plugin.store.record import AttentionRecord

FIRST_SEED = 4000


def _record(
    layer: str, step: int, weights: NDArray[np.float32], tokens: NDArray[np.int32], task: Training
) -> AttentionRecord:
    B, _, Q, K = weights.shape
    text = tokens.astype(str).tolist() if task.inputs_as_tokens else None
    return AttentionRecord(
        layer=layer,
        step=step,
        wall_time=0.0,
        weights=weights,
        query_tokens=text,
        key_tokens=text,
        query_lengths=np.full(B, Q),
        key_lengths=np.full(B, K),
        causal=task.causal,
        dtype="float32",
    )


def events(task: Training, seeds: int, first_seed: int) -> list[list[Event]]:
    """The events of each seed."""
    found: list[list[Event]] = [[] for _ in range(seeds)]
    metrics = [HeadMetrics() for _ in range(seeds)]
    detectors = [EventDetector() for _ in range(seeds)]
    for step, _, inputs, maps in run(task, seeds, seed=first_seed):
        for layer, weights in maps.items():
            for s in range(seeds):
                values = metrics[s].measure(_record(layer, step, weights[s], inputs[s], task))
                found[s].extend(detectors[s].update(layer, step, values))
    return found


def _row(cells: Iterable[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    first_seed = int(sys.argv[2]) if len(sys.argv) > 2 else FIRST_SEED
    names = sys.argv[3:] or list(TRAININGS)
    target = Path(__file__).with_name("rates.json")
    print(_row(["training", *EVENT_KINDS, "detected", "false alarms"]))
    print(_row(["---"] * (len(EVENT_KINDS) + 3)))
    results: dict[str, object] = json.loads(target.read_text("utf-8")) if target.exists() else {}
    for name in names:
        task = TRAININGS[name]
        kinds = [{event.kind for event in of_seed} for of_seed in events(task, seeds, first_seed)]
        counts = {kind: sum(kind in of_seed for of_seed in kinds) for kind in EVENT_KINDS}
        detected = sum(of_seed >= task.expected for of_seed in kinds)
        false = sum(bool(of_seed - task.expected - task.allowed) for of_seed in kinds)
        shown = [
            f"**{count}**"
            if kind in task.expected
            else f"({count})"
            if kind in task.allowed
            else count
            for kind, count in counts.items()
        ]
        found = f"{detected}/{seeds}" if task.expected else "–"
        print(_row([name, *shown, found, f"{false}/{seeds}"]), flush=True)
        results[name] = {
            "seeds": seeds,
            "first_seed": first_seed,
            **counts,
            "detected": detected,
            "false_alarms": false,
        }
    target.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
