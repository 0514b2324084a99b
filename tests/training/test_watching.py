"""Events reach the training they are found in: real trainings, of heads that cannot learn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import capture_models as models
import keras
import pytest
import session_models
import tensorflow as tf
from tb_attention_training import AttentionCallback, AttentionHook, AttentionWarning
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from tb_attention_plugin.diagnosis.events import Event

BATCH = 5
RECORDS = 12  # in a row, that make a head stuck


def stuck() -> Any:
    """A model whose queries and keys are 0: no gradient reaches them, attention is uniform."""
    model = models.compiled(models.one_layer())
    for variable in model.get_layer("attention").weights:
        if "query" in variable.path or "key" in variable.path:
            variable.assign(keras.ops.zeros_like(variable))
    return model


def fit(model: Any, callback: Any, steps: int, *more: Any) -> int:
    """Trains for so many steps at most; how many it were."""
    x, y = models.source(steps * BATCH), models.source(steps * BATCH, seed=5)
    before = int(model.optimizer.iterations)
    model.fit(x, y, batch_size=BATCH, callbacks=[callback, *more], verbose=0, shuffle=False)
    return int(model.optimizer.iterations) - before


@pytest.fixture
def new(tmp_path: Path) -> Callable[..., AttentionCallback]:
    def make(**kwargs: Any) -> AttentionCallback:
        return AttentionCallback(tmp_path, models.source(), update_freq=1, images=False, **kwargs)

    return make


Make = Callable[..., AttentionCallback]
EXPECTED = [("stuck_uniform", head, 0, RECORDS - 1) for head in range(models.HEADS)]


def brief(events: list[Event]) -> list[tuple[str, int, int, int]]:
    return [(event.kind, event.head, event.step, event.confirmed_step) for event in events]


def test_on_event_is_called_with_every_event(new: Make) -> None:
    events: list[Event] = []
    # Those of the last record come too, which is written when the training is over.
    assert fit(stuck(), new(on_event=events.append), RECORDS - 1) == RECORDS - 1
    assert brief(events) == EXPECTED
    assert events[0].layer == "attention"


def test_nothing_is_called_before_it_counts(new: Make) -> None:
    events: list[Event] = []
    callback = new(on_event=events.append, stop_on=("entropy_collapse", "stuck_uniform"))
    assert fit(stuck(), callback, RECORDS - 2) == RECORDS - 2
    assert events == []
    assert callback.stopped_by is None


class Limit(keras.callbacks.Callback):
    """Waits for the writer, which finds events behind the training's back."""

    def __init__(self, callback: AttentionCallback) -> None:
        super().__init__()
        self._callback = callback

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self._callback._writer is not None:  # pyright: ignore[reportPrivateUsage]
            self._callback._writer.flush()  # pyright: ignore[reportPrivateUsage]


def test_stop_on_stops_the_training(new: Make) -> None:
    callback = new(stop_on="stuck_uniform")
    model = stuck()
    with pytest.warns(AttentionWarning, match=r"The training stops.*head 0: the attention is unif"):
        trained = fit(model, callback, 50, Limit(callback))
    # Found in the record of step 11, which is written before step 12 begins at the latest.
    assert RECORDS - 1 <= trained <= RECORDS
    assert callback.stopped_by is not None
    assert callback.stopped_by.kind == "stuck_uniform"
    # The next training is another one: it is not stopped by what happened before.
    assert fit(model, callback, 5, Limit(callback)) == 5
    assert callback.stopped_by is None


def test_other_kinds_do_not_stop_it(new: Make) -> None:
    assert fit(stuck(), new(stop_on=["entropy_collapse", "head_dead"]), 20) == 20


def test_a_function_that_fails_does_not_stop_the_training(new: Make) -> None:
    called: list[Event] = []

    def fail(event: Event) -> None:
        called.append(event)
        raise KeyError("pager")

    with pytest.warns(AttentionWarning, match="on_event failed; training goes on. KeyError") as log:
        assert fit(stuck(), new(on_event=fail), 20) == 20
    assert len(log) == 1
    assert brief(called) == EXPECTED
    with pytest.raises(KeyError, match="pager"):
        fit(stuck(), new(on_event=fail, on_error="raise"), 20)


@pytest.mark.parametrize(
    ("argument", "error", "said"),
    [
        ({"on_event": 3}, TypeError, "on_event: expected a function of one event, received int"),
        ({"stop_on": "collapse"}, ValueError, "stop_on: expected kinds among entropy_collapse"),
        ({"scalars": ["entropie"]}, ValueError, "scalars: expected a sequence of names among"),
    ],
)
def test_wrong_arguments_are_refused_at_once(
    new: Make, argument: Any, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        new(**argument)


def summaries(log_dir: Path) -> Iterator[tuple[str, str, int, Any]]:
    """Plugin, tag, step and value of whatever is not of this plugin."""
    (path,) = log_dir.rglob("*tfevents*")
    for event in EventFileLoader(str(path)).Load():
        for value in event.summary.value:
            plugin = value.metadata.plugin_data.plugin_name
            if plugin in ("scalars", "text"):
                yield plugin, value.tag, event.step, value.tensor


def test_scalars_and_texts_are_in_the_event_file(tmp_path: Path, new: Make) -> None:
    fit(stuck(), new(scalars=("entropy",)), 15)
    found = list(summaries(tmp_path))
    scalars = {(tag, step): v.float_val[0] for plugin, tag, step, v in found if plugin == "scalars"}
    assert scalars == {
        (f"attention_entropy/attention/head_{head}", step): pytest.approx(1, abs=1e-6)
        for head in range(models.HEADS)
        for step in range(16)
    }
    texts = [
        (tag, step, v.string_val[0].decode()) for plugin, tag, step, v in found if plugin == "text"
    ]
    ((tag, step, text),) = texts
    assert (tag, step) == ("attention_events/attention", RECORDS - 1)
    assert text.splitlines()[1] == (
        "- step 0: attention, head 1: the attention is uniform and never was anything else "
        "(entropy 1.000)."
    )


def train_session(log_dir: Path, steps: int, **options: Any) -> tuple[Any, int]:
    """A session whose scores are all alike; the hook, and the steps that were trained."""
    program = session_models.program()
    with program.graph.as_default():
        uniform = tf.ones_like(program.alignments) / session_models.K
    feeds = {program.memory: session_models.batch(3), program.lengths: session_models.LENGTHS}
    hook = AttentionHook(log_dir, uniform, every_n_steps=1, **options)
    trained = 0
    with program.graph.as_default():
        session = session_models.v1.train.MonitoredTrainingSession(
            hooks=[hook], save_summaries_steps=0, log_step_count_steps=0
        )
        with session as running:
            while trained < steps and not running.should_stop():
                running.run(program.train, feeds)
                trained += 1
                hook._writer.flush()  # pyright: ignore[reportPrivateUsage, reportOptionalMemberAccess]
    return hook, trained


def test_a_session_is_called_and_stopped(tmp_path: Path) -> None:
    events: list[Event] = []
    with pytest.warns(AttentionWarning, match="The training stops"):
        hook, trained = train_session(
            tmp_path, 50, on_event=events.append, stop_on="stuck_uniform", scalars=["entropy"]
        )
    assert RECORDS <= trained <= RECORDS + 1
    assert [(e.kind, e.confirmed_step) for e in events] == [("stuck_uniform", RECORDS - 1)]
    assert hook.stopped_by == events[0]
    assert any(tag == "attention_entropy/alignments/head_0" for _, tag, _, _ in summaries(tmp_path))


def test_a_session_survives_a_function_that_fails(tmp_path: Path) -> None:
    def fail(event: Event) -> None:
        raise OSError("no such pager")

    with pytest.warns(AttentionWarning, match="on_event failed; training goes on. OSError"):
        _, trained = train_session(tmp_path, 20, on_event=fail)
    assert trained == 20
