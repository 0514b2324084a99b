"""Capture of keras_hub models, in an environment of its own: keras_hub brings much along."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KERAS_HUB = "keras-hub==0.32.0"  # the recomputations follow its layers

pytestmark = [pytest.mark.matrix, pytest.mark.slow]


def test_maps_of_keras_hub_equal_recomputations(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    packages = [f"{ROOT}[training]", KERAS_HUB, "pytest"]
    subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    done = subprocess.run(
        [
            *(python, "-m", "pytest", "-q", "--noconftest", "-p", "no:cacheprovider"),
            *("-o", "pythonpath="),  # what is installed, not the checkout
            *("-W", "default"),  # keras_hub warns of itself
            "tests/matrix/on_keras_hub.py",
        ],
        env={**os.environ, "PYTHONPATH": ""},
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert "passed" in done.stdout
