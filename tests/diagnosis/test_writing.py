"""What a writer says of a training while it goes on: scalars, text, and calls."""

# TensorBoard ships its protobuf types without stubs.
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tensorboard.compat.proto import event_pb2

from tb_attention_plugin import AttentionReader, AttentionWriter
from tb_attention_plugin.diagnosis.events import Event, events_of
from tb_attention_plugin.diagnosis.watch import EventWatch
from tb_attention_plugin.store import tfrecord

N = 13


def sharpening(steps: int) -> Iterator[NDArray[np.float32]]:
    """Two examples of two heads: the first goes from uniform to the diagonal, the second stays."""
    distance = np.abs(np.arange(N)[:, None] - np.arange(N))
    for step in range(steps):
        logits = -distance * (0.5 * step)
        weights = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
        heads = np.stack([weights, np.full((N, N), 1 / N)])
        yield np.stack([heads, heads]).astype(np.float32)


def summaries(log_dir: Path) -> list[tuple[str, str, int, Any]]:
    """Plugin, tag, step and tensor of everything in the event file."""
    (path,) = log_dir.glob("*tfevents*")
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        record = tfrecord.unframe(data, at, limit=1 << 20)
        assert record is not None
        at += len(record) + tfrecord.FRAMING_BYTES
        event = event_pb2.Event.FromString(record)
        for value in event.summary.value:
            plugin = value.metadata.plugin_data.plugin_name
            found.append((plugin, value.tag, event.step, value))
    return found


def write(log_dir: Path, steps: int = 20, **options: Any) -> None:
    with AttentionWriter(log_dir, **options) as writer:
        for step, weights in enumerate(sharpening(steps)):
            writer.write("decoder/cross", weights, 10 * step)


def test_scalars(tmp_path: Path) -> None:
    write(tmp_path, scalars=("entropy", "change"))
    found = [item for item in summaries(tmp_path) if item[0] == "scalars"]
    assert {tag for _, tag, _, _ in found} == {
        f"attention_{metric}/decoder/cross/head_{head}"
        for metric in ("entropy", "change")
        for head in (0, 1)
    }
    of_head = {
        step: value.tensor.float_val[0]
        for _, tag, step, value in found
        if tag == "attention_entropy/decoder/cross/head_0"
    }
    assert list(of_head) == [10 * step for step in range(20)]
    reader = AttentionReader(tmp_path)
    expected = reader.metrics(reader.runs()[0], "decoder/cross")["entropy"][:, :, 0].mean(-1)
    np.testing.assert_allclose(list(of_head.values()), expected, rtol=1e-6)
    # The first record has no change: no point, not one at NaN.
    changes = [v.tensor.float_val[0] for _, tag, _, v in found if "change" in tag]
    assert len(changes) == 2 * 19
    assert not any(map(math.isnan, changes))


def test_no_scalars_unless_asked_for(tmp_path: Path) -> None:
    write(tmp_path, 3)
    assert {plugin for plugin, *_ in summaries(tmp_path)} == {"attention"}


def test_events_are_logged_called_and_found_again(tmp_path: Path) -> None:
    called: list[Event] = []
    write(tmp_path, on_event=called.append)
    assert [(e.kind, e.head) for e in called] == [
        ("diagonal_formed", 0),
        ("head_dead", 1),
        ("stuck_uniform", 1),
    ]
    texts = [item for item in summaries(tmp_path) if item[0] == "text"]
    assert [(tag, step) for _, tag, step, _ in texts] == [
        ("attention_events/decoder/cross", event.confirmed_step) for event in called
    ]
    first = texts[0][3].tensor.string_val[0].decode()
    assert first == f"- step {called[0].step}: {called[0].message}"

    reader = AttentionReader(tmp_path)
    run = reader.runs()[0]
    series = reader.metrics(run, "decoder/cross")
    assert events_of("decoder/cross", reader.steps(run, "decoder/cross"), series) == called


@pytest.mark.parametrize("scalars", ["entropy", ("entropy", "entropie")])
def test_unknown_scalars_are_refused(tmp_path: Path, scalars: Any) -> None:
    with pytest.raises(ValueError, match="scalars: expected a sequence of names among entropy"):
        AttentionWriter(tmp_path, scalars=scalars)


def test_a_watch_hands_events_over(tmp_path: Path) -> None:
    seen: list[Event] = []
    watch = EventWatch(seen.append, stop_on="stuck_uniform")
    write(tmp_path, on_event=watch.receive)
    assert seen == []  # nothing is called on the writer's thread
    assert watch.poll() is True
    assert [event.kind for event in seen] == ["diagonal_formed", "head_dead", "stuck_uniform"]
    assert watch.stopped_by == seen[2]
    assert watch.poll() is True
    assert len(seen) == 3


def test_a_watch_without_a_kind_to_stop_on_never_stops(tmp_path: Path) -> None:
    watch = EventWatch()
    write(tmp_path, on_event=watch.receive)
    assert watch.poll() is False
    assert watch.stopped_by is None
    with pytest.raises(ValueError, match="stop_on: expected kinds among entropy_collapse"):
        EventWatch(stop_on=["collapse"])  # pyright: ignore[reportArgumentType]
