"""Acting on events while a model trains."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable

from tb_attention_plugin.diagnosis.events import EVENT_KINDS, Event, EventKind


class EventWatch:
    """Carries events from the thread that finds them to the one that trains.

    A writer calls `receive` on its thread; a training loop calls `poll` on its own, which calls the
    user's function there and says whether to stop. An event is known some records after its step
    and when the writer has caught up, not at once.

    Args:
        on_event: Called with each event, by `poll`.
        stop_on: Kinds of events that stop the training; a single kind or several.

    Raises:
        ValueError: There is no such kind of event.

    Example:
        >>> watch = EventWatch(print, stop_on="entropy_collapse")
        >>> writer = AttentionWriter("runs/mine", on_event=watch.receive)
        >>> if watch.poll():
        ...     model.stop_training = True
    """

    def __init__(
        self,
        on_event: Callable[[Event], object] | None = None,
        stop_on: EventKind | Iterable[EventKind] = (),
    ) -> None:
        kinds = [stop_on] if isinstance(stop_on, str) else list(stop_on)
        if unknown := [kind for kind in kinds if kind not in EVENT_KINDS]:
            raise ValueError(
                f"stop_on: expected kinds among {', '.join(EVENT_KINDS)}, received {unknown}."
            )
        self._on_event = on_event
        self._stop_on = frozenset(kinds)
        self._waiting: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._stopping: Event | None = None

    @property
    def stopped_by(self) -> Event | None:
        """The first event that said to stop, or None."""
        return self._stopping

    def receive(self, event: Event) -> None:
        """Takes an event; from any thread."""
        self._waiting.put(event)

    def poll(self) -> bool:
        """Hands out the events that came since the last call.

        Returns:
            Whether one of those handed out so far says to stop.
        """
        while True:
            try:
                event = self._waiting.get_nowait()
            except queue.Empty:
                return self._stopping is not None
            if event.kind in self._stop_on and self._stopping is None:
                self._stopping = event
            if self._on_event is not None:
                self._on_event(event)
