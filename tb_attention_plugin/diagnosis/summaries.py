"""What of a record goes to TensorBoard's own dashboards: chosen metrics, and events as text."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tb_attention_plugin.diagnosis.events import Event, mean_over_examples
from tb_attention_plugin.metrics import METRICS
from tb_attention_plugin.store import attention_pb2 as pb

EVENTS_TAG = "attention_events"


def check_scalars(names: Sequence[str]) -> tuple[str, ...]:
    """Checks the names of metrics that are to become scalars.

    Args:
        names: Of metrics.

    Returns:
        The names.

    Raises:
        ValueError: One is not that of a metric.
    """
    # A string is a sequence of names too, of one letter each, none of which is known.
    if unknown := [name for name in names if name not in METRICS]:
        raise ValueError(
            f"scalars: expected a sequence of names among {', '.join(METRICS)}, received "
            f"{names if isinstance(names, str) else unknown!r}."
        )
    return tuple(names)


def metrics_of(entry: pb.Entry) -> dict[str, NDArray[np.float32]]:
    """The metrics of an entry, each `[B, H]`."""
    shape = (entry.examples, entry.heads)
    return {m.name: np.array(m.values, np.float32).reshape(shape) for m in entry.metrics}


def scalars_of(
    layer: str,
    metrics: dict[str, NDArray[np.float32]],
    names: Sequence[str],
    heads: Sequence[int],
) -> dict[str, float]:
    """Tags and values of chosen metrics, each the mean over the examples.

    The tag is `attention_<metric>/<layer>/head_<h>`: TensorBoard makes a group of what precedes the
    first slash. Heads that have no value have no scalar.

    Args:
        layer: Name of the layer.
        metrics: Its metrics, each `[B, H]`.
        names: Of those that become scalars.
        heads: The number of each head.
    """
    values: dict[str, float] = {}
    for name in names:
        means = mean_over_examples(metrics[name]).tolist()
        for head, value in zip(heads, means, strict=True):
            if not math.isnan(value):
                values[f"attention_{name}/{layer}/head_{head}"] = value
    return values


def text_of(events: Sequence[Event]) -> str:
    """Events of one record as Markdown."""
    return "\n".join(f"- step {event.step}: {event.message}" for event in events)
