from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

LAB = Path(__file__).with_name("kill_lab.py")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the lab forks")
def test_what_a_killed_writer_committed_is_read_back_and_no_reader_raises() -> None:
    kills = int(os.environ.get("KILLS", "30"))
    done = subprocess.run(
        [sys.executable, "-W", "error", str(LAB), "--kills", str(kills), "--seed", "5"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["kills"] == kills
    assert summary["entries"] > kills  # else nothing was tried
