"""The golden cases on the other backends of Keras, each in an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.matrix, pytest.mark.slow]

# The CPU build of torch is small where an index offers it; a plain `torch` may bring CUDA along.
BACKENDS = {"jax": "jax", "torch": os.environ.get("TORCH", "torch")}


@pytest.mark.parametrize("backend", BACKENDS)
def test_golden_cases_pass_without_tensorflow(backend: str, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "keras", BACKENDS[backend], str(ROOT)]
    subprocess.run(install, check=True)
    done = subprocess.run(
        [python, ROOT / "tests" / "replay_golden.py", ROOT / "tests" / "golden"],
        env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": ""},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert done.stdout.strip().splitlines()[-1] == "79 passed, 0 failed"
