"""When to capture: `update_freq` as `keras.callbacks.TensorBoard` knows it, and more."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

NEVER = 2**63 - 1
"""A step that no training reaches."""


@runtime_checkable
class Schedule(Protocol):
    """Steps at which to capture; `log_spaced` makes one. Any object with this method will do."""

    def next_after(self, step: int) -> int:
        """Returns the first step after `step` at which to capture, the same at every call."""
        ...


UpdateFreq = Literal["epoch", "batch"] | int | Callable[[int], bool] | Schedule
"""What the argument `update_freq` takes."""


class Timing(ABC):
    """When a fit captures, apart from its start and its end."""

    per_epoch = False
    """Whether ends of epochs, not steps, are what counts."""

    @abstractmethod
    def next_after(self, step: int) -> int:
        """Returns the first step after `step` that can be due, `NEVER` when none is."""

    def passed(self, before: int, step: int) -> bool:
        """Whether one of the steps after `before`, up to and with `step`, is due."""
        return self.next_after(before) <= step


def timing_of(update_freq: UpdateFreq) -> Timing:
    """Reads the argument `update_freq`.

    Raises:
        ValueError: It is none of those that `UpdateFreq` lists.
    """
    given: Any = update_freq
    if given == "epoch":
        return _PerEpoch()
    if given == "batch":
        return _Scheduled(_Every(1))
    if isinstance(given, int) and not isinstance(given, bool) and given > 0:
        return _Scheduled(_Every(given))
    if isinstance(given, Schedule) and not isinstance(given, type):
        return _Scheduled(given)
    if callable(given) and not isinstance(given, type):
        function: Any = given
        return _Asked(function)
    raise ValueError(
        'update_freq: expected "epoch", "batch", a positive int (every so many training steps), a '
        f"schedule such as log_spaced(), or a function (step) -> bool, received {given!r}."
    )


def log_spaced(per_decade: int = 20, *, every: int | None = None) -> Schedule:
    """Captures often while attention forms, and ever less often after that.

    The steps are evenly spaced on a logarithmic axis, rounded: `10 ** (i / per_decade)`. With 20 in
    a decade, steps 1 to 9 are all there, from step 100 on one capture is 12 % later than the one
    before, and a training of 100,000 steps has 90 captures. Where a resumed training starts makes
    no difference.

    Args:
        per_decade: Captures from step N to step 10 N, where there are that many steps.
        every: Capture at multiples of this many steps, too. None: the distance keeps growing.

    Returns:
        A schedule for `AttentionCallback(update_freq=...)`.

    Raises:
        ValueError: An argument is not a positive int.

    Example:
        >>> AttentionCallback("runs/mine", inputs, update_freq=log_spaced(every=1000))

    Source:
        Biderman et al., "Pythia" (ICML 2023): checkpoints at powers of two up to step 512, then
        every 1000 steps, because early training is where much changes.
    """
    for name, value in (("per_decade", per_decade), ("every", every)):
        given: Any = value
        if name == "every" and given is None:
            continue
        if not isinstance(given, int) or isinstance(given, bool) or given < 1:
            raise ValueError(f"{name}: expected a positive int, received {given!r}.")
    return LogSpaced(per_decade, every)


@dataclass(frozen=True)
class LogSpaced:
    """What `log_spaced` returns.

    Attributes:
        per_decade: Captures from step N to step 10 N.
        every: Also multiples of this many steps; None: no others.
    """

    per_decade: int
    every: int | None = None

    def next_after(self, step: int) -> int:
        """Returns the first step after `step` at which to capture."""
        found = NEVER if self.every is None else _Every(self.every).next_after(step)
        # Starting a little early, because a logarithm rounds.
        i = max(0, math.floor(self.per_decade * math.log10(max(step, 1))) - 1)
        while (candidate := round(10 ** (i / self.per_decade))) <= step:
            i += 1
        return min(candidate, found)


@dataclass(frozen=True)
class _Every:
    steps: int

    def next_after(self, step: int) -> int:
        return (step // self.steps + 1) * self.steps


class _PerEpoch(Timing):
    per_epoch = True

    def next_after(self, step: int) -> int:
        return NEVER


@dataclass(frozen=True)
class _Scheduled(Timing):
    schedule: Schedule

    def next_after(self, step: int) -> int:
        return max(step + 1, self.schedule.next_after(step))


@dataclass(frozen=True)
class _Asked(Timing):
    """A function is asked once for every step, when that step is reached and not before."""

    function: Callable[[int], bool]

    def next_after(self, step: int) -> int:
        return step + 1

    def passed(self, before: int, step: int) -> bool:
        answers = [self._ask(one) for one in range(before + 1, step + 1)]
        return any(answers)

    def _ask(self, step: int) -> bool:
        answer: Any = self.function(step)
        if not isinstance(answer, (bool, np.bool_)):
            raise TypeError(
                "update_freq: expected a function that returns a bool for a step, received "
                f"{type(answer).__name__} for step {step}."
            )
        return bool(answer)
