"""Takes the pictures of the documentation from the log of the demo.

    python docs/screenshots.py runs/demo

Needs the development tools (`make test` installs them) and a Chromium, as the browser tests do.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, Locator, sync_playwright

IMAGES = Path(__file__).parent / "images"
LUONG = "&p.attention.run=luong/train&p.attention.example=0"
TRANSFORMER = (
    "&p.attention.run=transformer/train&p.attention.layer=decoder/layer_1/cross_attention"
    "&p.attention.head=1&p.attention.example=1"
)
SMALL, LARGE = (1280, 800), (1920, 1080)
# Name, state in the address, the cell under the pointer as (query, key), size.
PICTURES: tuple[tuple[str, str, tuple[int, int] | None, tuple[int, int]], ...] = (
    ("tab", LUONG + "&p.attention.step=200", (9, 12), SMALL),
    ("tab-1920", LUONG + "&p.attention.step=200", (9, 12), LARGE),
    ("transformer", TRANSFORMER, (3, 23), SMALL),
    ("transformer-1920", TRANSFORMER, (3, 23), LARGE),
    ("links", TRANSFORMER + "&p.attention.mode=links", None, SMALL),
    (
        "compare",
        LUONG + "&p.attention.mode=compare&p.attention.a=100&p.attention.b=200",
        None,
        SMALL,
    ),
    ("film", LUONG + "&p.attention.mode=film&p.attention.spread=log", None, SMALL),
    ("film-1920", TRANSFORMER + "&p.attention.mode=film&p.attention.frames=12", None, LARGE),
    ("heads-steps", TRANSFORMER + "&p.attention.matrix=1", None, SMALL),
)


def take(
    browser: Browser, url: str, cell: tuple[int, int] | None, size: tuple[int, int], *, dark: bool
) -> bytes:
    """A picture of the tab once its map is drawn."""
    page = browser.new_page(viewport={"width": size[0], "height": size[1]})
    page.goto(url)
    frame = page.frame_locator("iframe")
    ready = "canvas:visible" if cell is None else '[data-testid="map"][data-state="ready"]'
    frame.locator(ready).first.wait_for(timeout=30_000)
    if dark:
        page.evaluate("document.body.classList.add('dark-mode')")
    if cell is not None:
        _point(frame.get_by_test_id("map"), cell)
    page.wait_for_timeout(800)  # thumbnails and metrics
    picture = page.screenshot()
    page.close()
    return picture


def _point(canvas: Locator, cell: tuple[int, int]) -> None:
    box = canvas.bounding_box()
    queries, keys = (int(canvas.get_attribute(f"data-{n}") or 1) for n in ("queries", "keys"))
    if box is not None:
        x, y = (cell[1] + 0.5) * box["width"] / keys, (cell[0] + 0.5) * box["height"] / queries
        canvas.hover(position={"x": x, "y": y})


def main() -> None:
    """Takes all pictures, light and dark."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", sys.argv[1], "--port", "0"]
    board = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert board.stderr is not None
    found = next(filter(None, (re.search(r"at (http://\S+/)", line) for line in board.stderr)))
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for name, state, cell, size in PICTURES:
            for dark in (False, True):
                url = f"{found[1]}#attention{state}"
                picture = take(browser, url, cell, size, dark=dark)
                (IMAGES / f"{name}-{'dark' if dark else 'light'}.png").write_bytes(picture)
        browser.close()
    board.terminate()


if __name__ == "__main__":
    main()
