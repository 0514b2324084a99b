"""A training never notices a slow, full or missing disk; what was written stays readable."""

from __future__ import annotations

import resource
import shutil
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import capture_models as models
import keras
import numpy as np
import pytest
import session_models
from fitting import fit, steps
from tb_attention_training import AttentionCallback, AttentionHook, AttentionWarning
from tb_attention_training.backlog import Backlog

from tb_attention_plugin import AttentionReader, AttentionWriter
from tb_attention_plugin.store.journal import LocalJournal
from tb_attention_plugin.store.run import RunStore

Open = Callable[[], None]


class At(keras.callbacks.Callback):
    """Does something after a number of steps."""

    def __init__(self, step: int, action: Callable[[], object]) -> None:
        super().__init__()
        self.step, self.action, self.count = step, action, 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.count += 1
        if self.count == self.step:
            self.action()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Generator[Open]:
    """A disk that takes nothing until it is opened, and memory for one capture at a time."""
    opened = threading.Event()
    append = LocalJournal.append

    def slow(self: LocalJournal, *arguments: Any) -> Any:
        assert opened.wait(60)
        return append(self, *arguments)

    monkeypatch.setattr(LocalJournal, "append", slow)
    for module in ("callback", "hook"):
        monkeypatch.setattr(
            f"tb_attention_training.{module}.Backlog", lambda: Backlog(max_waiting_bytes=1)
        )
    yield opened.set
    opened.set()


def skipped(run_dir: Path, layer: str) -> int:
    store = RunStore(run_dir)
    store.refresh()
    return sum(found.entry.skipped for found in store.found(layer))


def test_captures_for_which_the_writer_has_no_time_are_left_out_and_counted(
    tmp_path: Path, gate: Open
) -> None:
    model = models.compiled(models.one_layer())
    callback = AttentionCallback(tmp_path, models.source(), update_freq=1, images=False)
    with pytest.warns(AttentionWarning, match=r"of 11 captures were left out.*never waits") as told:
        fit(model, [callback, At(7, gate)], epochs=2)
    recorded = steps(tmp_path)
    assert recorded[0] == 0
    assert recorded[1] >= 8  # 1 to 7 came while the disk took nothing
    assert recorded[-1] == 10  # the last one waits for its turn
    left_out = 11 - len(recorded)
    assert str(told[0].message).startswith(f"{left_out} of 11 captures")
    assert "between steps 1 and " in str(told[0].message)
    assert skipped(tmp_path / "train", "attention") == left_out
    assert len(told) == 1


def test_a_hook_leaves_out_captures_too(tmp_path: Path, gate: Open) -> None:
    program = session_models.program()
    hook = AttentionHook(tmp_path, program.alignments, every_n_steps=2, on_error="raise")
    feeds = {
        program.memory: session_models.batch(0),
        program.lengths: session_models.LENGTHS,
    }

    def train() -> None:
        with session_models.v1.train.MonitoredTrainingSession(
            hooks=[hook], save_summaries_steps=0, log_step_count_steps=0
        ) as session:
            for _ in range(9):
                session.run(program.train, feeds)
            gate()

    said = "4 of 5 captures were left out, between steps 2 and 8"
    with program.graph.as_default(), pytest.warns(AttentionWarning, match=said):
        train()
    assert AttentionReader(tmp_path).steps(".", "alignments") == [0]


def test_how_many_captures_may_wait_is_a_matter_of_memory(tmp_path: Path, gate: Open) -> None:
    weights = np.full((2, 3, 5, 7), 1 / 7, np.float32)  # 840 bytes
    backlog = Backlog(max_waiting_bytes=2600)
    with AttentionWriter(tmp_path, max_queue=None) as writer:
        for step in range(3):
            assert backlog.has_room(writer, step)
            assert backlog.captured(weights.nbytes) == 0
            writer.write("a", weights, step)
            assert writer.queued_bytes == 840 * (step + 1)
        assert not backlog.has_room(writer, 3)
        gate()
        writer.flush()
        assert writer.queued_bytes == 0
        assert backlog.has_room(writer, 5)
        assert backlog.captured(weights.nbytes) == 1
    assert backlog.report() is not None
    assert backlog.report() is None


@contextmanager
def files_of_at_most(size: int) -> Generator[None]:
    """A disk that is full: no file of this process grows beyond a size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_told_once_and_what_was_written_stays_readable(tmp_path: Path) -> None:
    model = models.compiled(models.one_layer())
    callback = AttentionCallback(tmp_path, models.source(), update_freq=1, images=False)
    with (
        pytest.warns(AttentionWarning, match="training goes on.*File too large") as told,
        files_of_at_most(20_000),
    ):
        fit(model, callback, epochs=20)
    assert len(told) == 1
    assert int(model.optimizer.iterations) == 100
    recorded = steps(tmp_path)
    assert 0 < len(recorded) < 100
    reader = AttentionReader(tmp_path)
    for step in recorded:
        rows = reader.weights("train", "attention", step).sum(-1)
        np.testing.assert_allclose(rows, 1, atol=0.02)


def test_a_directory_that_vanishes_is_told_once_and_recording_goes_on(tmp_path: Path) -> None:
    model = models.compiled(models.one_layer())
    callback = AttentionCallback(tmp_path, models.source(), update_freq=1, images=False)
    vanish = At(7, lambda: shutil.rmtree(tmp_path / "train"))
    with pytest.warns(AttentionWarning, match="training goes on.*directory was removed") as told:
        fit(model, [callback, vanish], epochs=4)
    assert len(told) == 1
    assert int(model.optimizer.iterations) == 20
    recorded = steps(tmp_path)
    assert recorded[0] > 7  # earlier ones went with the directory
    assert recorded[-1] == 20
