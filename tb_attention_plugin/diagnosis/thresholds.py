"""From where on something counts as an event."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Thresholds:
    """Where events begin and end.

    Most conditions have two thresholds: one to enter a state and another, further back, to leave
    it. A value that wavers between them changes nothing, so that noise does not ring.

    Attributes:
        patience: Records in a row that must agree before an event counts.
        collapsed_entropy: Entropy at or below which a head may have collapsed.
        collapsed_sink: Share of the attention on one key that tells a collapse from a sharp
            alignment, whose entropy is as low.
        resting: Share of that which lies on the first key of a causal map, from which it is a sink
            and no collapse.
        open_entropy: Entropy from which a head is open again, or was before.
        uniform_entropy: Entropy at or above which attention counts as uniform.
        uniform_records: Records in a row for which it must be, to count as stuck.
        focused_entropy: Entropy below which a head has found something once, and is not stuck.
        diagonal: Diagonality from which a head has a diagonal.
        diagonal_peak: Mean largest weight that a diagonal must have too.
        no_diagonal: Diagonality below which it has none any more.
        no_diagonal_peak: Mean largest weight below which it has none: a map blurred along the
            diagonal keeps much of its diagonality.
        forward: Monotonicity that a diagonal must have.
        alignment: Alignment from which each query has a key of its own.
        no_alignment: Alignment below which it has none any more.
        sink: Share of the attention on one key from which there is a sink.
        no_sink: Share below which there is none.
        induction: Prefix-matching score from which a head is an induction head.
        no_induction: Score below which it is none.
        dead_change: Change between records at or below which a head stands still.
        dead_ratio: The same as a share of the median change of the layer's heads, which must move
            more than `dead_change`: where all stand still, as at the end of a training, none is
            dead.
        dead_records: Records in a row for which it must stand still.
    """

    patience: int = 2
    collapsed_entropy: float = 0.05
    collapsed_sink: float = 0.35
    resting: float = 0.8
    open_entropy: float = 0.2
    uniform_entropy: float = 0.975
    uniform_records: int = 12
    focused_entropy: float = 0.85
    diagonal: float = 0.8
    diagonal_peak: float = 0.3
    no_diagonal: float = 0.65
    no_diagonal_peak: float = 0.2
    forward: float = 0.8
    alignment: float = 0.65
    no_alignment: float = 0.45
    sink: float = 0.5
    no_sink: float = 0.35
    induction: float = 0.4
    no_induction: float = 0.25
    dead_change: float = 1e-3
    dead_ratio: float = 0.05
    dead_records: int = 8


DEFAULT_THRESHOLDS = Thresholds()
