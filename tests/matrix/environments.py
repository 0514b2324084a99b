"""Environments of their own for other backends and versions than those of the development one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TRAINING = ROOT / "tests" / "training"

# NumPy 2 warns wherever Keras reads variables, or tensors of PyTorch, as arrays.
KERAS_READS = "ignore:__array__:DeprecationWarning"


@dataclass(frozen=True)
class Environment:
    """Python with one backend of Keras, and the project installed as a user installs it."""

    python: Path
    backend: str

    @classmethod
    def make(
        cls, folder: Path, requirements: Sequence[str], *, backend: str = "tensorflow"
    ) -> Environment:
        """Makes one in `folder` with `requirements`, one of them the project, and pytest."""
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = folder / "bin" / "python"
        install = (python, "-m", "pip", "install", "--quiet", "pytest", *requirements)
        subprocess.run(install, check=True)
        return cls(python, backend)

    def run(self, *arguments: str | Path) -> str:
        """Runs Python with `arguments`; returns what it printed, and fails with it."""
        done = subprocess.run(
            [self.python, *arguments],
            env={
                **os.environ,
                "KERAS_BACKEND": self.backend,
                "PYTHONPATH": str(TRAINING),  # what tests share, not the checkout
                # Most of the time on JAX goes into compiling the same functions again.
                "JAX_COMPILATION_CACHE_DIR": str(self.python.parents[2] / "jax_cache"),
                "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            },
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4000:]
        return done.stdout

    def replay_golden(self) -> None:
        """Runs the golden cases of seq2seq; all must pass."""
        printed = self.run("tests/replay_golden.py", "tests/golden")
        assert printed.strip().splitlines()[-1] == "79 passed, 0 failed"

    def test(self, *tests: str | Path, warnings: str = KERAS_READS) -> None:
        """Runs tests that use no fixture of `tests/conftest.py`; all must pass."""
        printed = self.run(
            *("-m", "pytest", "-q", "--noconftest", "-p", "no:cacheprovider"),
            *("-o", "pythonpath="),  # what is installed, not the checkout
            *("-W", warnings),
            *tests,
        )
        assert "passed" in printed
