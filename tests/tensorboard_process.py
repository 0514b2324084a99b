"""A TensorBoard of its own process, as people start it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# TensorBoard's own plugins import TensorFlow where it is installed, which takes ten seconds.
_WITHOUT_TENSORFLOW = (
    "import sys; sys.modules['tensorflow'] = None; "
    "from tensorboard.main import run_main; run_main()"
)


@dataclass
class TensorBoard:
    """A TensorBoard that runs.

    Attributes:
        address: With a slash at its end.
        log: Lines that it printed.
    """

    address: str = ""
    log: list[str] = field(default_factory=list[str])

    def get(self, path: str, **headers: str) -> bytes:
        """The body of what is at a path, which must be there."""
        return get(self.address + path, **headers)

    def json(self, path: str) -> Any:
        """What is at a path, asked for as JSON."""
        return json.loads(self.get(path, Accept="application/json"))

    def wait_for(self, ready: Callable[[], bool]) -> None:
        """Waits until something holds, at most half a minute."""
        deadline = time.monotonic() + 30
        while not ready():
            assert time.monotonic() < deadline, "".join(self.log)
            time.sleep(0.1)


def get(url: str, **headers: str) -> bytes:
    """The body of what is at an address, which must be there."""
    # A proxy of the environment is not meant for this machine itself.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, headers=headers), timeout=30) as response:
        return response.read()


@contextmanager
def running_tensorboard(
    *flags: str,
    tensorflow: bool = False,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Generator[TensorBoard]:
    """Starts TensorBoard and ends it.

    Args:
        flags: Of its command line, the log directory among them.
        tensorflow: Whether it may import TensorFlow.
        directory: The working directory.
        environment: Variables besides those of this process.

    Yields:
        It, as soon as it listens.
    """
    program = ["-m", "tensorboard.main"] if tensorflow else ["-c", _WITHOUT_TENSORFLOW]
    process = subprocess.Popen(
        [sys.executable, *program, "--port", "0", "--reload_interval", "1", *flags],
        cwd=directory,
        env={**os.environ, "PYTHONWARNINGS": "default", **(environment or {})},
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    board, started = TensorBoard(), threading.Event()
    stderr = process.stderr
    assert stderr is not None

    def follow() -> None:
        for line in stderr:
            board.log.append(line)
            if found := re.search(r"at (http://\S+/)", line):
                board.address = found[1]
                started.set()
        started.set()

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        assert started.wait(60), "TensorBoard did not start within a minute."
        assert board.address, "".join(board.log)
        yield board
    finally:
        process.terminate()
        process.wait()
        thread.join()
        stderr.close()
