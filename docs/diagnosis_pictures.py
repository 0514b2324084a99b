"""Takes the pictures of `diagnosis.md` from logs of real trainings.

    python benchmarks/diagnosis/logs.py LOGDIR
    python docs/diagnosis_pictures.py LOGDIR

Needs the development tools and a Chromium, as `screenshots.py` does.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).parent / "images"
# Name, and the run and the metric of its curve.
PICTURES = (
    ("events-alignment", "seq2seq-that-reorders-alignment-destroyed", "alignment"),
    ("events-diagonal", "seq2seq-healthy", "diagonality"),
    ("events-induction", "induction", "induction"),
    ("events-sink", "language-model-of-backward-copies-healthy", "sink_mass"),
    ("events-collapse", "language-model-learning-rate-x100", "entropy"),
    ("events-lost", "seq2seq-diagonal-destroyed", "diagonality"),
    ("events-dead", "seq2seq-one-head-made-of-zeros", "change"),
    ("events-uniform", "seq2seq-every-place-counts-alike", "entropy"),
)


def main() -> None:
    """Takes all pictures."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", sys.argv[1], "--port", "0"]
    board = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert board.stderr is not None
    found = next(filter(None, (re.search(r"at (http://\S+/)", line) for line in board.stderr)))
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for name, run, metric in PICTURES:
            page = browser.new_page(viewport={"width": 1000, "height": 800})
            page.goto(f"{found[1]}#attention&p.attention.run={run}&p.attention.metric={metric}")
            frame = page.frame_locator("iframe")
            frame.locator('[data-testid="map"][data-state="ready"]').wait_for(timeout=30_000)
            frame.locator(".event-mark").first.wait_for()
            page.wait_for_timeout(500)
            frame.locator(".dock").screenshot(path=IMAGES / f"{name}.png")
            page.close()
        browser.close()
    board.terminate()


if __name__ == "__main__":
    main()
