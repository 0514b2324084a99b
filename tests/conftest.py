"""What the tests of all parts share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray
from playwright.sync_api import Browser, ConsoleMessage, sync_playwright

from tests.browser.tab import Tab

# No deadline: a loaded machine is no bug. The same examples each time: a red test stays red.
settings.register_profile("repeatable", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("repeatable")

Maps = NDArray[np.float32]

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="session")
def attention() -> Callable[..., Maps]:
    """Makes attention as a softmax does: `attention(B, H, Q, K, seed=0)`, rows sum to 1."""

    def make(*shape: int, seed: int = 0) -> Maps:
        logits = np.random.default_rng(seed).normal(0, 3, shape)
        weights = np.exp(logits - logits.max(-1, keepdims=True))
        return (weights / weights.sum(-1, keepdims=True)).astype(np.float32)

    return make


@pytest.fixture(scope="session")
def assert_promised() -> Callable[[Maps, Maps], None]:
    """Asserts what the code table promises: 5e-4 absolute or 1 % relative, and 0 only for 0."""

    def check(shown: Maps, true: Maps) -> None:
        assert shown.shape == true.shape
        error = np.abs(shown.astype(np.float64) - true.astype(np.float64))
        assert (error <= np.maximum(5e-4, 0.01 * true.astype(np.float64))).all()
        np.testing.assert_array_equal(shown == 0, true == 0)

    return check


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
