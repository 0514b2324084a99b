"""Events over training, from the head metrics alone, as they come in.

The detector is a function of the metrics that were fed to it, in order, and of nothing else. What
is stored is the metrics: a viewer that reads them gets the same events that the training saw, logs
written before a detector was improved gain from it, and a rewind of the training needs no care.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tb_attention_plugin.diagnosis.latch import Firings, Flags, Latch, Streak
from tb_attention_plugin.diagnosis.thresholds import DEFAULT_THRESHOLDS, Thresholds

EventKind = Literal[
    "entropy_collapse",
    "stuck_uniform",
    "diagonal_formed",
    "diagonal_lost",
    "alignment_formed",
    "alignment_lost",
    "sink_emerged",
    "induction_formed",
    "head_dead",
]
EVENT_KINDS: tuple[EventKind, ...] = get_args(EventKind)

Metrics = Mapping[str, NDArray[np.floating]]
"""Each metric's name and its `[B, H]`, as `head_metrics` gives them."""

Numbers = NDArray[np.float64]
"""`[H]`, the mean over the examples."""

_READ = (
    "entropy",
    "max_weight",
    "diagonality",
    "monotonicity",
    "alignment",
    "first_key_mass",
    "sink_mass",
    "induction",
    "change",
    "future_mass",
)
"""Metrics that events are found in."""

_Happening = tuple[EventKind, str, int, int]
"""Kind, metric, head and first step."""


@dataclass(frozen=True)
class Event:
    """Something that happened to a head.

    Attributes:
        kind: What.
        layer: Name of the layer.
        head: Number of the head.
        step: Step of the first record that shows it.
        confirmed_step: Step of the record with which it counts: later than `step`, since one
            record may be noise.
        metric: Name of the metric that tells best.
        value: Its mean over the examples at `confirmed_step`.
    """

    kind: EventKind
    layer: str
    head: int
    step: int
    confirmed_step: int
    metric: str
    value: float

    @property
    def message(self) -> str:
        """A sentence for a person."""
        return f"{self.layer}, head {self.head}: {_SENTENCES[self.kind].format(self.value)}"


_SENTENCES: dict[EventKind, str] = {
    "entropy_collapse": "the attention collapsed onto one key (entropy {:.3f}).",
    "stuck_uniform": "the attention is uniform and never was anything else (entropy {:.3f}).",
    "diagonal_formed": "an alignment formed along the diagonal (diagonality {:.2f}).",
    "diagonal_lost": "the alignment along the diagonal is lost (diagonality {:.2f}).",
    "alignment_formed": "an alignment formed, not along the diagonal (alignment {:.2f}).",
    "alignment_lost": "the alignment is lost (alignment {:.2f}).",
    "sink_emerged": "one key became a sink (it gets {:.0%} of the attention).",
    "induction_formed": "an induction head formed (prefix-matching score {:.2f}).",
    "head_dead": "the head stands still while others of its layer move (change {:.1e}).",
}


class EventDetector:
    """Turns the metrics of successive records into events.

    Keeps a few numbers for each head. Not for several threads.

    Args:
        thresholds: From where on something counts.

    Example:
        >>> detector = EventDetector()
        >>> events = detector.update("decoder", step, head_metrics(record))
    """

    def __init__(self, thresholds: Thresholds = DEFAULT_THRESHOLDS) -> None:
        self._thresholds = thresholds
        self._layers: dict[str, _LayerState] = {}

    def update(
        self, layer: str, step: int, metrics: Metrics, heads: Sequence[int] | None = None
    ) -> list[Event]:
        """Takes in one record.

        Args:
            layer: Name of the layer.
            step: Step of the record, later than the layer's last one.
            metrics: Its metrics; one that is missing says nothing.
            heads: The number of each head; None: 0 to H - 1.

        Returns:
            The events that count from this record on.
        """
        H = next((values.shape[-1] for values in metrics.values()), 0)
        numbers = tuple(range(H) if heads is None else heads)
        state = self._layers.get(layer)
        # Where other heads are recorded than before, all of them start anew.
        if state is None or state.numbers != numbers:
            state = self._layers[layer] = _LayerState(numbers, self._thresholds)
        known = [name for name in _READ if name in metrics]
        # All at once: one by one, this was half of the cost of a record.
        means: dict[str, Numbers] = {}
        if known:
            together = mean_over_examples(np.stack([metrics[name] for name in known]))
            means = dict(zip(known, together, strict=True))
        return [
            Event(kind, layer, numbers[head], first, step, metric, float(means[metric][head]))
            for kind, metric, head, first in state.update(step, means)
        ]


class _LayerState:
    """What is known of each head of a layer."""

    def __init__(self, numbers: tuple[int, ...], thresholds: Thresholds) -> None:
        self.numbers = numbers
        self.heads = heads = len(numbers)
        self._limits = limits = thresholds
        self._collapse = Latch(heads, limits.patience)
        self._diagonal = Latch(heads, limits.patience)
        self._alignment = Latch(heads, limits.patience)
        self._told_of_loss = np.zeros(heads, bool)
        self._sink = Latch(heads, limits.patience)
        self._induction = Latch(heads, limits.patience)
        self._uniform = Streak(heads, limits.uniform_records)
        self._never_focused = np.ones(heads, bool)
        self._dead = Streak(heads, limits.dead_records)

    def update(self, step: int, means: Mapping[str, Numbers]) -> Iterator[_Happening]:
        """Yields kind, metric, head and first step of what happened."""
        limits = self._limits
        nothing = np.full(self.heads, np.nan)
        (
            entropy,
            peak,
            diagonality,
            monotonicity,
            aligned,
            first,
            sink,
            induction,
            change,
            future,
        ) = (means.get(name, nothing) for name in _READ)

        # Only maps that are causal have a number for what cheats.
        causal = ~np.isnan(future)
        # A head of a language model that rests on the first key has a sink, and works.
        resting = causal & (first >= limits.resting * sink)
        collapsed = (entropy <= limits.collapsed_entropy) & (sink >= limits.collapsed_sink)
        formed, _ = self._collapse.update(
            step, collapsed & ~resting, entropy >= limits.open_entropy
        )
        yield from _named("entropy_collapse", "entropy", formed)

        self._never_focused &= entropy >= limits.focused_entropy
        uniform = self._never_focused & (entropy >= limits.uniform_entropy)
        stuck = self._uniform.update(step, uniform)
        yield from _named("stuck_uniform", "entropy", stuck)

        diagonal = (
            (diagonality >= limits.diagonal)
            & (peak >= limits.diagonal_peak)
            & (monotonicity >= limits.forward)
            & ~causal  # there it is a head that looks at its neighbours
        )
        gone = (diagonality < limits.no_diagonal) | (peak < limits.no_diagonal_peak)
        formed, lost = self._diagonal.update(step, diagonal, gone)
        yield from _named("diagonal_formed", "diagonality", formed)
        yield from _named("diagonal_lost", "diagonality", lost)
        yield from self._alignments(step, aligned, diagonal, lost)

        formed, _ = self._sink.update(step, sink >= limits.sink, sink < limits.no_sink)
        # A collapse is told of as that.
        formed = [f for f in formed if not (collapsed & ~resting)[f[0]]]
        yield from _named("sink_emerged", "sink_mass", formed)

        formed, _ = self._induction.update(
            step, induction >= limits.induction, induction < limits.no_induction
        )
        yield from _named("induction_formed", "induction", formed)

        others = _median(change)
        still = (change <= limits.dead_change) & (change <= limits.dead_ratio * others)
        still &= others > limits.dead_change  # else the whole layer has come to rest
        dead = self._dead.update(step, still)
        yield from _named("head_dead", "change", dead)

    def _alignments(
        self, step: int, aligned: Numbers, diagonal: Flags, lost_diagonals: Firings
    ) -> Iterator[_Happening]:
        """Alignments of any shape; what goes along the diagonal is told as that, and once."""
        limits = self._limits
        for head, _ in lost_diagonals:
            self._told_of_loss[head] = True
        formed, lost = self._alignment.update(
            step, aligned >= limits.alignment, aligned < limits.no_alignment
        )
        along = diagonal | self._diagonal.inside
        told = self._told_of_loss | self._diagonal.inside
        for head, _ in formed:
            self._told_of_loss[head] = False
        yield from _named("alignment_formed", "alignment", [f for f in formed if not along[f[0]]])
        yield from _named("alignment_lost", "alignment", [f for f in lost if not told[f[0]]])


def _named(kind: EventKind, metric: str, firings: Firings) -> Iterator[_Happening]:
    return ((kind, metric, head, first) for head, first in firings)


def order_of(event: Event) -> tuple[int, str, int]:
    """What events of several layers are sorted by: the step at which they came to count."""
    return event.confirmed_step, event.layer, event.head


def events_of(
    layer: str,
    steps: Sequence[int],
    series: Mapping[str, NDArray[np.floating]],
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
    heads: Sequence[int] | None = None,
) -> list[Event]:
    """The events of a whole training.

    Args:
        layer: Name of the layer.
        steps: Every recorded step.
        series: Each metric's name and its `[steps, B, H]`, as `AttentionReader.metrics` gives them.
        thresholds: From where on something counts.
        heads: The number of each head; None: 0 to H - 1.

    Returns:
        The events, in the order in which they came to count.
    """
    detector = EventDetector(thresholds)
    events: list[Event] = []
    for i, step in enumerate(steps):
        metrics = {name: values[i] for name, values in series.items()}
        events.extend(detector.update(layer, step, metrics, heads))
    return events


def mean_over_examples(values: NDArray[np.floating]) -> Numbers:
    """Mean over the examples that have a value, `[..., B, H]` to `[..., H]`; NaN where none has."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0.0).sum(-2) / known.sum(-2)


def _median(values: Numbers) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if known.size > 1 else 0.0
