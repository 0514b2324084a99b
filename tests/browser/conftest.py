"""A real TensorBoard, a real Chromium and a real training's log."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, sync_playwright

from tests.browser.tab import Tab, TensorBoard

ROOT = Path(__file__).resolve().parents[2]
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


# TensorBoard's own plugins import TensorFlow where it is installed, which takes ten seconds.
_WITHOUT_TENSORFLOW = (
    "import sys; sys.modules['tensorflow'] = None; "
    "from tensorboard.main import run_main; run_main()"
)


@pytest.fixture(scope="session")
def start_tensorboard() -> Iterator[Callable[..., TensorBoard]]:
    """Starts TensorBoards; all of them end with the session."""
    processes: list[subprocess.Popen[str]] = []

    def start(logdir: Path, *flags: str, tensorflow: bool = False) -> TensorBoard:
        program = ["-m", "tensorboard.main"] if tensorflow else ["-c", _WITHOUT_TENSORFLOW]
        process = subprocess.Popen(
            [
                *(sys.executable, *program, "--logdir", str(logdir)),
                *("--port", "0", "--reload_interval", "1", *flags),
            ],
            env={**os.environ, "PYTHONWARNINGS": "default"},
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        processes.append(process)
        board = TensorBoard()
        ready = threading.Event()

        def follow() -> None:
            assert process.stderr is not None
            for line in process.stderr:
                board.log.append(line)
                if found := re.search(r"at (http://\S+/)", line):
                    board.address = found[1]
                    ready.set()
            ready.set()

        threading.Thread(target=follow, daemon=True).start()
        assert ready.wait(60), "TensorBoard did not start within a minute."
        assert board.address, "".join(board.log)
        return board

    yield start
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    names = (os.environ.get("CHROMIUM", ""), *_BROWSERS)
    path = next((found for name in names if name and (found := shutil.which(name))), None)
    with sync_playwright() as playwright:
        # Without one on the machine, Playwright's own is used where it is installed.
        instance = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield instance
        instance.close()


@pytest.fixture
def open_tab(browser: Browser) -> Iterator[Callable[..., Tab]]:
    """Opens the Attention tab; a complaint of the browser fails the test."""
    tabs: list[Tab] = []

    def open_(address: str, state: str = "", *, width: int = 1440, height: int = 900) -> Tab:
        page = browser.new_page(viewport={"width": width, "height": height})
        complaints: list[str] = []

        def on_console(message: ConsoleMessage) -> None:
            # TensorBoard's own page warns about its libraries; errors count wherever they are.
            ours = "plugin/attention" in message.location.get("url", "")
            if message.type == "error" or (message.type == "warning" and ours):
                complaints.append(f"{message.type}: {message.text} ({message.location})")

        page.on("console", on_console)
        page.on("pageerror", lambda error: complaints.append(f"exception: {error}"))
        page.goto(f"{address}#attention{state}")
        tab = Tab(page, page.frame_locator("iframe"), complaints)
        tabs.append(tab)
        return tab

    yield open_
    for tab in tabs:
        tab.page.close()
        assert tab.complaints == []


@pytest.fixture(scope="session")
def demo_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of the demo: both of its trainings, as a newcomer runs them.

    `DEMO_LOG` names one that is there already; making one takes minutes.
    """
    if given := os.environ.get("DEMO_LOG"):
        return Path(given)
    logdir = tmp_path_factory.mktemp("demo") / "runs"
    done = subprocess.run(
        [sys.executable, "-m", "tb_attention_training.demo", "--logdir", str(logdir)],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    # The demo itself fails when the RNN gets less than 98 % of the held-out dates right.
    assert done.returncode == 0, done.stdout[-4000:]
    return logdir
