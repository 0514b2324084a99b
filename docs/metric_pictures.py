"""Draws, for each head metric, the maps of real trainings where it is least and greatest.

    make demo SERVE=0
    python benchmarks/diagnosis/logs.py runs/diagnosis
    python docs/metric_pictures.py runs/demo runs/diagnosis

The picture is part of `diagnosis.md`.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tb_attention_plugin import AttentionReader
from tb_attention_plugin.metrics.heads import METRICS
from tb_attention_plugin.metrics.integrity import INTEGRITY_METRICS

PICTURE = Path(__file__).parent / "images" / "metrics.png"
HEAD_METRICS = [name for name in METRICS if name not in INTEGRITY_METRICS]
COLUMNS = 3


class Found(NamedTuple):
    """Where a metric has an extreme value."""

    value: float
    reader: AttentionReader
    run: str
    layer: str
    step: int
    example: int
    head: int

    def weights(self) -> NDArray[Any]:
        """The map, `[Q, K]` without padding."""
        where = (self.run, self.layer, self.step)
        queries, keys = self.reader.lengths(*where)[self.example]
        return self.reader.weights(*where)[self.example, self.head, :queries, :keys]


def extremes(logdirs: list[str]) -> dict[str, tuple[Found, Found]]:
    """The least and the greatest value of each metric, and where."""
    found: dict[str, tuple[Found, Found]] = {}
    for logdir in logdirs:
        reader = AttentionReader(logdir)
        for run in reader.runs():
            table = reader.metrics_table(run)
            for name in HEAD_METRICS:
                values = table[name]
                if name == "monotonicity":  # of even attention the strongest key is chance
                    values = np.where(table["max_weight"] > 0.5, values, np.nan)
                if np.isnan(values).all():
                    continue
                here = [
                    Found(
                        float(values[row]),
                        reader,
                        run,
                        str(table["layer"][row]),
                        *(int(table[column][row]) for column in ("step", "example", "head")),
                    )
                    for row in (int(np.nanargmin(values)), int(np.nanargmax(values)))
                ]
                least, greatest = found.get(name, here)
                found[name] = (
                    min(least, here[0], key=lambda one: one.value),
                    max(greatest, here[1], key=lambda one: one.value),
                )
    return found


def _order(item: tuple[str, object]) -> int:
    return HEAD_METRICS.index(item[0])


def main() -> None:
    """Draws the picture."""
    found = extremes(sys.argv[1:])
    rows = -(-len(found) // COLUMNS)
    figure = Figure(figsize=(3.9 * COLUMNS, 2.35 * rows), dpi=90, layout="constrained")
    parts = figure.subfigures(rows, COLUMNS, squeeze=False)
    for part, (name, pair) in zip(parts.ravel(), sorted(found.items(), key=_order), strict=False):
        part.suptitle(name, fontsize=11, fontweight="bold")
        for axes, one in zip(part.subplots(1, 2), pair, strict=True):
            axes.imshow(one.weights(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
            axes.set(xticks=[], yticks=[])
            axes.set_title(f"{one.value:.3g}", fontsize=10)
            run = textwrap.fill(one.run.removesuffix("/train").replace("-", " "), 30)
            axes.set_xlabel(f"{run}\nstep {one.step:,}", fontsize=7)
    FigureCanvasAgg(figure)
    figure.savefig(PICTURE)


if __name__ == "__main__":
    main()
