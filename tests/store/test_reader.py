"""Finding runs, layers and steps; resumes; reading nothing that nobody asked for."""

from __future__ import annotations

import gc
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tb_attention_plugin import AttentionReader, AttentionWriter
from tb_attention_plugin.diagnosis.answers import EventLog
from tb_attention_plugin.store.logdir import LogDirectory, roots_of
from tb_attention_plugin.store.run import RunStore

Maps = NDArray[np.float32]
Attention = Callable[..., Maps]
Promise = Callable[[Maps, Maps], None]
B, H, Q, K = 2, 3, 5, 7


def write(path: Path, steps: list[int], layers: str = "a", scale: float = 1.0) -> None:
    with AttentionWriter(path) as writer:
        for step in steps:
            for layer in layers:
                writer.write(layer, np.full((B, H, Q, K), scale * 0.5**step), step)


def generation_of(path: Path, layer: str = "a") -> str:
    store = RunStore(path)
    store.refresh()
    return store.histories[layer].generation


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"logdir: expected.*received.*nowhere"):
        AttentionReader(tmp_path / "nowhere")


def test_an_empty_directory_has_no_runs(tmp_path: Path) -> None:
    assert AttentionReader(tmp_path).runs() == []


def test_runs_are_named_by_their_path_and_sorted(tmp_path: Path) -> None:
    for name in ("b/train", "a", "b", ".", "c/d/e f"):
        write(tmp_path / name, [1])
    reader = AttentionReader(tmp_path)
    assert reader.runs() == [".", "a", "b", "b/train", "c/d/e f"]
    assert reader.steps("c/d/e f", "a") == [1]


def test_layers_come_in_the_order_of_their_first_record(tmp_path: Path) -> None:
    write(tmp_path, [1, 2], "zxy")
    reader = AttentionReader(tmp_path)
    assert reader.layers(".") == ["z", "x", "y"]
    for layer in "zxy":
        assert reader.steps(".", layer) == [1, 2]


def test_two_layers_do_not_mix(
    tmp_path: Path, attention: Attention, assert_promised: Promise
) -> None:
    with AttentionWriter(tmp_path) as writer:
        for step in (2, 3):
            writer.write("enc", attention(B, H, Q, K, seed=step), step)
            writer.write("dec", attention(1, 1, 11, 13, seed=step), step * 5)
    reader = AttentionReader(tmp_path)
    assert (reader.steps(".", "enc"), reader.steps(".", "dec")) == ([2, 3], [10, 15])
    for step in (2, 3):
        assert_promised(reader.weights(".", "enc", step), attention(B, H, Q, K, seed=step))
        assert_promised(reader.weights(".", "dec", step * 5), attention(1, 1, 11, 13, seed=step))


def test_what_is_not_there_is_a_lookup_error_that_says_what_is(tmp_path: Path) -> None:
    write(tmp_path / "mine", [3, 7])
    reader = AttentionReader(tmp_path)
    with pytest.raises(LookupError, match=r"run: expected one of \['mine'\], received 'yours'"):
        reader.layers("yours")
    with pytest.raises(LookupError, match=r"layer: expected one of \['a'\].*received 'b'"):
        reader.steps("mine", "b")
    with pytest.raises(LookupError, match=r"step: expected.*received 5; .*is 3"):
        reader.weights("mine", "a", 5)


def test_a_log_that_starts_empty_is_seen_as_it_grows(tmp_path: Path) -> None:
    # "Every call sees what was written until then."
    reader = AttentionReader(tmp_path)
    assert reader.runs() == []
    write(tmp_path / "x", [1])
    assert reader.runs() == ["x"]
    write(tmp_path / "y", [5])
    assert reader.steps("y", "a") == [5]
    write(tmp_path / "x", [2])
    assert reader.steps("x", "a") == [1, 2]


def test_a_log_directory_may_appear_later(tmp_path: Path) -> None:
    logs = LogDirectory(roots_of(str(tmp_path / "later"), ""))
    assert logs.runs() == {}
    write(tmp_path / "later" / "run", [3])
    deadline = time.monotonic() + 30
    while not logs.runs() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert list(logs.runs()["run"].histories) == ["a"]


def test_a_run_that_was_deleted_is_gone(tmp_path: Path) -> None:
    write(tmp_path, [1])
    store = RunStore(tmp_path)
    store.refresh()
    for path in (tmp_path / "plugins" / "attention").iterdir():
        path.unlink()
    store.refresh()
    assert dict(store.histories) == {}


# ── resumes ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("writers", "visible"),
    [
        ([[1, 2, 3], [4, 5]], [1, 2, 3, 4, 5]),
        ([[2, 4, 6, 8], [5, 7]], [2, 4, 5, 7]),
        ([[2, 4, 6, 8], [4]], [2, 4]),
        ([[2, 4, 6, 8], [1]], [1]),
        ([[2, 4, 6, 8], [0, 9]], [0, 9]),
        ([[1, 2, 3, 4, 5], [4, 6, 8], [5, 7]], [1, 2, 3, 4, 5, 7]),
        ([[1, 2, 3, 4, 5], [4, 6, 8], [2]], [1, 2]),
        ([[1, 2, 3, 4, 5], [8, 9], [3, 4]], [1, 2, 3, 4]),
    ],
)
def test_a_newer_writer_supersedes_from_its_first_step_on(
    tmp_path: Path, writers: list[list[int]], visible: list[int]
) -> None:
    for number, steps in enumerate(writers):
        write(tmp_path, steps, scale=0.5**number)
    reader = AttentionReader(tmp_path)
    assert reader.steps(".", "a") == visible
    for step in visible:
        number = max(n for n, steps in enumerate(writers) if step in steps)
        shown = reader.weights(".", "a", step)
        np.testing.assert_allclose(shown, 0.5 ** (number + step), rtol=0.01, atol=5e-4)
    assert {len(series) for series in reader.metrics(".", "a").values()} == {len(visible)}


def test_a_rewind_of_one_layer_leaves_the_others(tmp_path: Path) -> None:
    write(tmp_path, [1, 2, 3], "ab")
    write(tmp_path, [2], "b")
    reader = AttentionReader(tmp_path)
    assert (reader.steps(".", "a"), reader.steps(".", "b")) == ([1, 2, 3], [1, 2])


def test_the_generation_changes_with_a_rewind_and_not_with_growth(tmp_path: Path) -> None:
    seen: list[str] = []
    with AttentionWriter(tmp_path) as writer:
        for step in (2, 4):
            writer.write("a", np.ones((1, Q, K)), step)
            writer.flush()
            seen.append(generation_of(tmp_path))
    assert seen[0] == seen[1] != ""
    for steps in ([4], [4], [1, 2], [2]):
        write(tmp_path, steps)
        assert generation_of(tmp_path) not in seen
        seen.append(generation_of(tmp_path))


def test_a_reader_that_is_open_sees_the_rewind(tmp_path: Path) -> None:
    write(tmp_path, [1, 2, 3])
    reader = AttentionReader(tmp_path)
    assert reader.steps(".", "a") == [1, 2, 3]
    old = reader.weights(".", "a", 2)
    write(tmp_path, [2], scale=0.25)
    assert reader.steps(".", "a") == [1, 2]
    np.testing.assert_allclose(reader.weights(".", "a", 2), old / 4, rtol=0.03)


# ── while it is written ───────────────────────────────────────────────────────────────────────────


def test_reading_while_writing_misses_nothing_and_never_fails(tmp_path: Path) -> None:
    count, failures = 199, list[BaseException]()
    (tmp_path / "run").mkdir()

    def write_all() -> None:
        try:
            with AttentionWriter(tmp_path / "run", max_queue=3) as writer:
                for step in range(count):
                    writer.write("a", np.full((1, 1, 31, 37), step / count), step)
                    writer.write("b", np.full((1, 1, 2, 3), step / count), step)
        except BaseException as error:  # the test fails with it
            failures.append(error)

    thread = threading.Thread(target=write_all)
    thread.start()
    store, looks, last = RunStore(tmp_path / "run"), 0, 0
    reader = AttentionReader(tmp_path)
    while thread.is_alive() or looks == 0:
        store.refresh()
        looks += 1
        for layer, history in store.histories.items():
            assert list(history.steps) == list(range(len(history.steps)))
            if layer == "a":
                assert len(history.steps) >= last
                last = len(history.steps)
        assert store.problems == []
        if last and "run" in reader.runs():
            shown = reader.weights("run", "a", last - 1)
            np.testing.assert_allclose(shown, (last - 1) / count, rtol=0.01, atol=5e-4)
    thread.join()
    assert failures == []
    store.refresh()
    for layer in "ab":
        assert list(store.histories[layer].steps) == list(range(count))


# ── nothing is read that nobody asked for ─────────────────────────────────────────────────────────


def test_steps_and_metrics_need_no_data_file(tmp_path: Path) -> None:
    write(tmp_path, [1, 2, 3])
    (data,) = (tmp_path / "plugins" / "attention").glob("*.data")
    data.unlink()
    reader = AttentionReader(tmp_path)
    assert reader.runs() == ["."]
    assert reader.layers(".") == ["a"]
    assert reader.steps(".", "a") == [1, 2, 3]
    assert reader.lengths(".", "a", 2) == [(Q, K)] * B
    assert reader.metrics(".", "a")["max_weight"].shape == (3, B, H)


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="only Linux counts what is read")
def test_the_weights_of_a_step_read_little_more_than_its_frames(
    tmp_path: Path, attention: Attention
) -> None:
    with AttentionWriter(tmp_path, precision="float32") as writer:
        for step in range(5):
            writer.write("a", attention(B, H, 127, 131, seed=step), step)
    store = RunStore(tmp_path)
    store.refresh()
    found = store.find("a", 3)
    assert found is not None
    frames = sum(found.entry.frame_lengths)
    reader = AttentionReader(tmp_path)
    reader.steps(".", "a")
    before = bytes_read()
    reader.weights(".", "a", 3)
    assert frames <= bytes_read() - before < frames + 30_000
    before = bytes_read()
    reader.metrics(".", "a")
    assert bytes_read() - before < 60_000 < frames


def bytes_read() -> int:
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("rchar")).split()[1])


def test_a_history_takes_little_memory(tmp_path: Path) -> None:
    count = 503
    with AttentionWriter(tmp_path) as writer:
        for step in range(count):
            writer.write("a", np.ones((1, 11, 2, 3)), step)
    tracemalloc.start()
    try:
        store = RunStore(tmp_path)
        store.refresh()
        assert len(store.histories["a"].steps) == count
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] / count < 200
    finally:
        tracemalloc.stop()


# ── where TensorBoard looks ───────────────────────────────────────────────────────────────────────


def test_a_relative_or_home_directory_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    write(tmp_path / "logs" / "relative", [1])
    write(tmp_path / "home" / "logs" / "own", [1])
    relative, home = LogDirectory(roots_of("logs", "")), LogDirectory(roots_of("~/logs", ""))
    monkeypatch.chdir("/")
    assert list(relative.runs()) == ["relative"]
    assert list(home.runs()) == ["own"]


def test_a_logdir_spec_names_its_directories(tmp_path: Path) -> None:
    write(tmp_path / "p", [1])
    write(tmp_path / "q" / "deep", [1])
    logs = LogDirectory(roots_of("", f"one:{tmp_path / 'p'},two:{tmp_path / 'q'}"))
    assert list(logs.runs()) == ["one/.", "two/deep"]  # as TensorBoard names them
    nameless = LogDirectory(roots_of("", str(tmp_path / "q")))
    assert list(nameless.runs()) == ["deep"]


def test_links_are_not_followed_out_of_the_log_directory(tmp_path: Path) -> None:
    write(tmp_path / "outside", [1])
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "link").symlink_to(tmp_path / "outside")
    assert AttentionReader(tmp_path / "logs").runs() == []


def test_metrics_as_a_table(tmp_path: Path, attention: Callable[..., Maps]) -> None:
    with AttentionWriter(tmp_path / "run") as writer:
        for step in (3, 7):
            writer.write("a", attention(2, 3, 5, 7, seed=step), step)
        writer.write("b", attention(1, 1, 11, 13), 5)
    reader = AttentionReader(tmp_path)
    table = reader.metrics_table("run")
    assert list(table)[:4] == ["layer", "step", "example", "head"]
    assert {len(column) for column in table.values()} == {2 * 2 * 3 + 1}
    expected = [("a", s, b, h) for s in (3, 7) for b in range(2) for h in range(3)] + [
        ("b", 5, 0, 0)
    ]
    columns = (table[name].tolist() for name in ("layer", "step", "example", "head"))
    assert list(zip(*columns, strict=True)) == expected
    row = expected.index(("a", 7, 1, 2))
    assert table["entropy"][row] == reader.metrics("run", "a")["entropy"][1, 1, 2]
    assert table["entropy"][-1] == reader.metrics("run", "b")["entropy"][0, 0, 0]


def test_events_are_those_that_the_tab_shows(tmp_path: Path) -> None:
    distance = np.abs(np.arange(13)[:, None] - np.arange(13))
    with AttentionWriter(tmp_path / "run") as writer:
        for step, sharpness in enumerate((0, 0, 3, 3, 0, 0)):
            weights = np.exp(-distance * sharpness)
            weights /= weights.sum(-1, keepdims=True)
            for layer in ("b", "a"):
                writer.write(layer, weights[None, None], step)
    reader = AttentionReader(tmp_path)
    shown = EventLog().of_run("run", LogDirectory(roots_of(str(tmp_path), "")).runs()["run"])
    found = [(e.kind, e.layer, e.head, e.step, e.confirmed_step) for e in reader.events("run")]
    assert found == [(e.kind, e.layer, e.head, e.step, e.confirmed_step) for e in shown.events]
    assert ("diagonal_formed", "a", 0, 2, 3) in found
    with pytest.raises(LookupError, match="run: expected one of"):
        reader.events("other")
