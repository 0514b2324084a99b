from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

LAB = Path(__file__).with_name("fuzz_lab.py")


def test_mutated_files_and_requests_break_nothing_within_bounded_memory_and_time() -> None:
    cases = int(os.environ.get("FUZZ_CASES", "2000"))
    done = subprocess.run(
        [sys.executable, "-W", "error", str(LAB), "--cases", str(cases), "--seed", "3"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["cases"] == cases
    assert summary["grown_mb"] < 200
    assert summary["slowest_seconds"] < 5  # of CPU
