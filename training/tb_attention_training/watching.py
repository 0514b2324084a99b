"""Events of a training for its callbacks: a user's function may fail, the training goes on."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from tb_attention_plugin.diagnosis.events import Event, EventKind
from tb_attention_plugin.diagnosis.summaries import check_scalars
from tb_attention_plugin.diagnosis.watch import EventWatch


class Watching:
    """What a training does about the events that its writer finds.

    Args:
        on_event: Called with each event, on the thread that trains.
        stop_on: Kinds of events that stop the training; a single kind or several.
        scalars: Names of head metrics that also become scalar summaries.
        on_error: `"warn"`: a failure of `on_event` warns once, and training goes on. `"raise"`: it
            stops the training.

    Raises:
        TypeError: `on_event` cannot be called.
        ValueError: There is no such kind of event, or no such metric.
    """

    def __init__(
        self,
        on_event: Callable[[Event], object] | None,
        stop_on: EventKind | Iterable[EventKind],
        scalars: Sequence[str],
        on_error: Literal["warn", "raise"],
    ) -> None:
        if on_event is not None and not callable(on_event):
            raise TypeError(
                f"on_event: expected a function of one event, received {type(on_event).__name__}."
            )
        self._on_event = on_event
        self._stop_on: Any = stop_on if isinstance(stop_on, str) else tuple(stop_on)
        self._scalars = check_scalars(scalars)
        self._on_error = on_error
        self._warned = False
        self._watch: EventWatch
        self.restart()

    @property
    def stopped_by(self) -> Event | None:
        """The first event of a kind that stops the training, or None."""
        return self._watch.stopped_by

    @property
    def writer_options(self) -> dict[str, Any]:
        """Arguments of the `AttentionWriter` whose events are watched."""
        return {"scalars": self._scalars, "on_event": self._watch.receive}

    def restart(self) -> None:
        """Forgets what happened: another training begins."""
        self._watch = EventWatch(self._on_event, self._stop_on)

    def poll(self) -> bool:
        """Hands out the events that came since the last call, on the thread that calls.

        Returns:
            Whether the training is to stop; a warning says why.
        """
        before = self.stopped_by
        self.finish()
        event = self.stopped_by
        if event is not None and before is None:
            _warn(f"The training stops, as stop_on says. Step {event.step}: {event.message}")
        return event is not None

    def finish(self) -> None:
        """Hands out the last events of a training that is over."""
        while not self._hand_out():
            pass

    def _hand_out(self) -> bool:
        """Hands out events until the user's function fails; whether none is left."""
        try:
            self._watch.poll()
        except Exception as error:
            if self._on_error == "raise":
                raise
            if not self._warned:
                self._warned = True
                _warn(_failed(error))
            return False
        return True


def _failed(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return (
        f"on_event failed; training goes on. {type(error).__name__}: {error}{where}. It is called "
        'with later events all the same, further failures are not reported. `on_error="raise"` '
        "shows the whole traceback."
    )


def _warn(message: str) -> None:
    from tb_attention_training.capture.probe import AttentionWarning

    warnings.warn(message, AttentionWarning, stacklevel=4)
