"""The background thread, other processes, and how things end."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tb_attention_plugin import AttentionReader, AttentionWriter
from tb_attention_plugin.store import journal as journal_module
from tb_attention_plugin.store.record import AttentionRecord, RenderedImage

Maps = NDArray[np.float32]
WEIGHTS = np.full((2, 3, 5, 7), 1 / 7, np.float32)


def python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def output_of(code: str, *arguments: object) -> str:
    done = python(code, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_what_was_flushed_is_readable_by_another_process(tmp_path: Path) -> None:
    with AttentionWriter(tmp_path) as writer:
        writer.write("a", WEIGHTS, 3)
        writer.write("a", WEIGHTS, 5)
        writer.flush()
        read = output_of(
            "import sys; from tb_attention_plugin import AttentionReader\n"
            "reader = AttentionReader(sys.argv[1])\n"
            "print(reader.steps('.', 'a'), reader.weights('.', 'a', 5).shape)",
            tmp_path,
        )
    assert read == "[3, 5] (2, 3, 5, 7)"


@pytest.mark.parametrize("ending", ["", "raise SystemExit(3)", "raise ValueError('user')"])
def test_an_interpreter_that_ends_without_close_loses_nothing(tmp_path: Path, ending: str) -> None:
    python(
        "import sys, numpy as np; from tb_attention_plugin import AttentionWriter\n"
        "writer = AttentionWriter(sys.argv[1])\n"
        "weights = np.full((2, 3, 67, 71), 1 / 71)\n"
        "for step in range(19): writer.write('a', weights, step)\n" + ending,
        tmp_path,
    )
    reader = AttentionReader(tmp_path)
    assert reader.steps(".", "a") == list(range(19))
    assert reader.weights(".", "a", 18).shape == (2, 3, 67, 71)


def test_a_killed_writer_leaves_what_was_flushed_and_lets_the_next_one_in(tmp_path: Path) -> None:
    done = python(
        "import os, signal, sys, numpy as np; from tb_attention_plugin import AttentionWriter\n"
        "writer = AttentionWriter(sys.argv[1])\n"
        "writer.write('a', np.full((2, 5, 7), 1 / 7), 3); writer.flush()\n"
        "os.kill(os.getpid(), signal.SIGKILL)",
        tmp_path,
    )
    assert done.returncode == -9
    with AttentionWriter(tmp_path) as writer:
        writer.write("a", WEIGHTS, 5)
    assert AttentionReader(tmp_path).steps(".", "a") == [3, 5]


def test_closing_twice_is_fine(tmp_path: Path) -> None:
    writer = AttentionWriter(tmp_path)
    writer.write("a", WEIGHTS, 1)
    writer.close()
    writer.close()
    assert AttentionReader(tmp_path).steps(".", "a") == [1]


def test_a_with_statement_closes_also_after_an_error(tmp_path: Path) -> None:
    def fail() -> None:
        with AttentionWriter(tmp_path) as writer:
            writer.write("a", WEIGHTS, 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with AttentionWriter(tmp_path) as writer:
        writer.write("a", WEIGHTS, 2)
    assert AttentionReader(tmp_path).steps(".", "a") == [1, 2]


@pytest.mark.skipif(sys.platform == "win32", reason="fork is POSIX")
def test_a_closed_writer_lets_the_next_one_in_while_a_forked_child_lives(tmp_path: Path) -> None:
    # As the workers of a data loader, which inherit every open file.
    code = (
        "import os, sys, time; from tb_attention_plugin import AttentionWriter\n"
        "writer = AttentionWriter(sys.argv[1])\n"
        "out, into = os.pipe()\n"
        "child = os.fork()\n"
        "if not child: os.close(into); os.read(out, 1); os._exit(0)\n"
        "try:\n"
        "    writer.close(); AttentionWriter(sys.argv[1]).close(); print('welcome')\n"
        "finally: os.close(into); os.waitpid(child, 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "welcome", done.stderr


def test_importing_needs_no_framework_and_the_loader_needs_almost_nothing() -> None:
    heavy = {"tensorflow", "keras", "matplotlib", "torch", "jax", "pandas"}
    light = heavy | {"numpy", "isal", "google_crc32c", "tb_attention_plugin.store"}
    template = "import sys, {}; print(sorted({} & sys.modules.keys()))"
    assert output_of(template.format("tb_attention_plugin", light)) == "[]"
    for module in ("plugin", "responses", "metrics", "store.writer", "store.reader"):
        assert output_of(template.format(f"tb_attention_plugin.{module}", heavy)) == "[]", module
    # TensorBoard's own base_plugin is what the loader may import.
    added = output_of(
        "import sys, tensorboard.plugins.base_plugin; before = set(sys.modules)\n"
        "import tb_attention_plugin.loader; added = set(sys.modules) - before\n"
        "print(sorted(m for m in added if m.split('.')[0] not in sys.stdlib_module_names))"
    )
    assert added == "['tb_attention_plugin', 'tb_attention_plugin.loader']"


def test_writing_and_reading_need_no_framework(tmp_path: Path) -> None:
    loaded = output_of(
        "import sys, numpy as np\n"
        "from tb_attention_plugin import AttentionReader, AttentionWriter\n"
        "with AttentionWriter(sys.argv[1]) as writer: writer.write('a', np.ones((1, 2, 1)), 1)\n"
        "AttentionReader(sys.argv[1]).weights('.', 'a', 1)\n"
        "print(sorted({'tensorflow', 'keras', 'matplotlib'} & sys.modules.keys()))",
        tmp_path,
    )
    assert loaded == "[]"


# ── failures on the background thread ─────────────────────────────────────────────────────────────


class Gate:
    """Holds the background thread back, after the record was written, until it is opened."""

    def __init__(self) -> None:
        self.arrived = threading.Semaphore(0)
        self._open = threading.Event()

    def __call__(self, record: AttentionRecord) -> Iterator[RenderedImage]:
        self.arrived.release()
        assert self._open.wait(30)
        return iter(())

    def open(self) -> None:
        self._open.set()


def test_a_full_queue_blocks_and_drops_nothing(tmp_path: Path) -> None:
    gate = Gate()
    writer = AttentionWriter(tmp_path, max_queue=2, render_images=gate)
    written = threading.Semaphore(0)

    def write() -> None:
        for step in range(7):
            writer.write("a", WEIGHTS, step)
            written.release()

    thread = threading.Thread(target=write)
    thread.start()
    assert gate.arrived.acquire(timeout=30)
    for _ in range(3):  # one is being written, two wait
        assert written.acquire(timeout=30)
    assert not written.acquire(timeout=0.1)
    gate.open()
    thread.join()
    writer.close()
    assert AttentionReader(tmp_path).steps(".", "a") == list(range(7))


def test_write_does_not_wait_for_the_disk(tmp_path: Path) -> None:
    gate = Gate()
    with AttentionWriter(tmp_path, max_queue=5, render_images=gate) as writer:
        for step in range(5):
            writer.write("a", WEIGHTS, step)  # would never return
        gate.open()


def fail_at_step(step: int) -> Callable[[AttentionRecord], list[RenderedImage]]:
    def render(record: AttentionRecord) -> list[RenderedImage]:
        if record.step == step:
            raise LookupError("no font here")
        return []

    return render


@pytest.mark.parametrize("call", ["write", "flush", "close"])
def test_a_failure_of_the_image_renderer_surfaces_at_the_next_call(
    tmp_path: Path, call: str
) -> None:
    failed = threading.Event()

    def render(record: AttentionRecord) -> list[RenderedImage]:
        try:
            return fail_at_step(3)(record)
        except LookupError:
            failed.set()
            raise

    writer = AttentionWriter(tmp_path, render_images=render)
    writer.write("a", WEIGHTS, 2)
    writer.write("a", WEIGHTS, 3)
    assert failed.wait(30)
    if call == "write":  # the thread needs a moment to hand its failure over
        with pytest.raises(RuntimeError):
            writer.flush()
    calls: dict[str, Callable[[], None]] = {
        "write": lambda: writer.write("a", WEIGHTS, 5),
        "flush": writer.flush,
        "close": writer.close,
    }
    with pytest.raises(RuntimeError, match="no font here") as caught:
        calls[call]()
    assert isinstance(caught.value.__cause__, LookupError)
    assert str(tmp_path) in str(caught.value)
    if call != "close":
        with pytest.raises(RuntimeError):
            writer.close()
    writer.close()
    assert AttentionReader(tmp_path).steps(".", "a") == [2, 3]  # images come after the record
    with AttentionWriter(tmp_path) as again:
        again.write("a", WEIGHTS, 5)
    assert AttentionReader(tmp_path).steps(".", "a") == [2, 3, 5]


def test_a_failed_disk_surfaces_and_what_was_written_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = AttentionWriter(tmp_path)
    writer.write("a", WEIGHTS, 1)
    writer.flush()

    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    data_file: Any = journal_module._DataFile  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(data_file, "append", full)
    writer.write("a", WEIGHTS, 2)
    with pytest.raises(RuntimeError, match="No space left on device"):
        writer.flush()
    with pytest.raises(RuntimeError, match="No space left on device"):
        writer.write("a", WEIGHTS, 3)
    with pytest.raises(RuntimeError, match="No space left on device"):
        writer.close()
    monkeypatch.undo()
    assert AttentionReader(tmp_path).steps(".", "a") == [1]


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_a_file_system_that_is_really_full_is_survived(tmp_path: Path) -> None:
    # The size limit of a process makes every write beyond it fail, as a full disk does.
    said = output_of(
        """if True:
        import resource, signal, sys, numpy as np
        from tb_attention_plugin import AttentionReader, AttentionWriter
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))
        writer = AttentionWriter(sys.argv[1])
        rng, step = np.random.default_rng(0), 0
        try:
            while True:
                writer.write('a', rng.random((1, 61, 67)), step)
                writer.flush()
                step += 1
        except RuntimeError as error:
            assert 'too large' in str(error), error
        try:
            writer.close()
        except RuntimeError as error:
            assert 'too large' in str(error), error
        writer.close()
        reader = AttentionReader(sys.argv[1])
        assert reader.steps('.', 'a') == list(range(step)) != [], (step, reader.steps('.', 'a'))
        assert [reader.weights('.', 'a', s).shape for s in range(step)] == [(1, 1, 61, 67)] * step
        with AttentionWriter(sys.argv[1]) as again:
            again.write('a', rng.random((1, 5, 7)), step)
        assert reader.steps('.', 'a') == list(range(step + 1))
        print('survived')
        """,
        tmp_path,
    )
    assert said == "survived"


def test_a_writer_that_could_not_open_leaves_no_lock_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(journal_module, "EventFile", refuse)
    with pytest.raises(PermissionError, match=r"log_dir: expected.*Permission denied"):
        AttentionWriter(tmp_path)
    monkeypatch.undo()
    gc.collect()  # files that were left open would warn here
    with AttentionWriter(tmp_path) as writer:
        writer.write("a", WEIGHTS, 1)
    assert AttentionReader(tmp_path).steps(".", "a") == [1]
