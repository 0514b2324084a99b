from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

LAB = Path(__file__).with_name("live_lab.py")


@pytest.mark.slow
def test_a_polling_tensorboard_misses_nothing_that_a_training_writes() -> None:
    # How late it is says more of the machine than of the code: `make bench` prints it.
    seconds = float(os.environ.get("LIVE_SECONDS", "30"))
    done = subprocess.run(
        [sys.executable, "-W", "error", str(LAB), "--seconds", str(seconds)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["entries"] > 49 * seconds
    assert summary["polls"] > 1
