"""The metrics of a training that is watched: read once, and the same as read anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tb_attention_plugin import AttentionWriter
from tb_attention_plugin.store.history import StoredHistory
from tb_attention_plugin.store.index import IndexFile
from tb_attention_plugin.store.metric_series import MetricLog, stack_metrics
from tb_attention_plugin.store.run import RunStore

Maps = NDArray[np.float32]
B, H, Q, K = 2, 3, 5, 7


def history_of(store: RunStore) -> StoredHistory:
    store.refresh()
    history = store.histories["a"]
    assert isinstance(history, StoredHistory)
    return history


def assert_as_read_anew(log: MetricLog, store: RunStore) -> None:
    history = history_of(store)
    shown, expected = log.stack("run", "a", history), stack_metrics(history.entries())
    assert list(shown.series) == list(expected.series)
    assert list(shown.heads) == list(expected.heads)
    for name, values in expected.series.items():
        assert len(values) == len(history.steps)
        np.testing.assert_array_equal(shown.series[name], values, err_msg=name)


def test_what_is_remembered_is_what_is_stored(
    tmp_path: Path, attention: Callable[..., Maps]
) -> None:
    store, log = RunStore(tmp_path), MetricLog()
    with AttentionWriter(tmp_path) as writer:
        for step in range(4):
            writer.write("a", attention(B, H, Q, K, seed=step), step)
            writer.flush()
            assert_as_read_anew(log, store)
        assert_as_read_anew(log, store)  # nothing new
        writer.write("a", attention(B, H + 2, Q, K), 4)  # of another shape
        writer.flush()
        assert_as_read_anew(log, store)
    for start in (5, 2):  # a resume, then a rewind
        with AttentionWriter(tmp_path) as writer:
            writer.write("a", attention(B, H, Q, K, seed=50), start)
        assert_as_read_anew(log, store)


def test_each_entry_is_read_once(
    tmp_path: Path, attention: Callable[..., Maps], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, log, read = RunStore(tmp_path), MetricLog(), list[int]()
    entries = IndexFile.entries

    def counting(self: IndexFile, track: Any, positions: range) -> Any:
        read.extend(positions)
        return entries(self, track, positions)

    monkeypatch.setattr(IndexFile, "entries", counting)
    with AttentionWriter(tmp_path) as writer:
        for step in range(3):
            writer.write("a", attention(B, H, Q, K), step)
            writer.flush()
            log.stack("run", "a", history_of(store))
    assert read == [0, 1, 2]


def test_what_could_not_be_read_is_tried_again(
    tmp_path: Path, attention: Callable[..., Maps], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, log = RunStore(tmp_path), MetricLog()
    with AttentionWriter(tmp_path) as writer:
        writer.write("a", attention(B, H, Q, K), 0)
        writer.flush()
        log.stack("run", "a", history_of(store))
        writer.write("a", attention(B, H, Q, K), 1)
    history = history_of(store)
    with monkeypatch.context() as patch:

        def refuse(*_: object) -> None:
            raise OSError(5, "Input/output error")

        patch.setattr(type(store.folder), "read", refuse)
        assert log.stack("run", "a", history).series == {}
    assert log.stack("run", "a", history).series["entropy"].shape == (2, B, H)
