"""Decoding and capture on the other backends of Keras, each in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tb_attention_plugin import AttentionReader

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.matrix, pytest.mark.slow]

# The CPU build of torch is small where an index offers it; a plain `torch` may bring CUDA along.
BACKENDS = {"jax": "jax", "torch": os.environ.get("TORCH", "torch")}


@dataclass(frozen=True)
class Environment:
    """Python with one backend, and the project installed as a user installs it."""

    backend: str
    python: Path

    def run(self, *arguments: str | Path, path: str = "") -> subprocess.CompletedProcess[str]:
        """Runs Python with `arguments`; output and errors come together."""
        return subprocess.run(
            [self.python, *arguments],
            env={**os.environ, "KERAS_BACKEND": self.backend, "PYTHONPATH": path},
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )


@pytest.fixture(scope="module", params=BACKENDS)
def environment(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Environment:
    backend: str = request.param
    venv = tmp_path_factory.mktemp(backend) / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    python = venv / "bin" / "python"
    packages = ["keras", BACKENDS[backend], "matplotlib", "pytest", str(ROOT)]
    subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    return Environment(backend, python)


def test_golden_cases_pass_without_tensorflow(environment: Environment) -> None:
    done = environment.run("tests/replay_golden.py", "tests/golden")
    assert done.returncode == 0, done.stdout[-4000:]
    assert done.stdout.strip().splitlines()[-1] == "79 passed, 0 failed"


def test_capture_passes_on_the_backend(environment: Environment) -> None:
    training = ROOT / "tests" / "training"
    done = environment.run(
        *("-m", "pytest", "-q", "--noconftest", "-p", "no:cacheprovider"),
        *("-o", "pythonpath="),  # what is installed, not the checkout
        *("-W", "ignore:__array__:DeprecationWarning"),  # of Keras with NumPy 2 on PyTorch
        *(training / f"test_{name}.py" for name in ("capture", "chosen_heads", "purity")),
        f"tests/matrix/on_{environment.backend}.py",
        path=str(training),
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert "passed" in done.stdout


def test_jax_on_two_devices_is_recorded_once_and_trains_as_without(
    environment: Environment, tmp_path: Path
) -> None:
    if environment.backend != "jax":
        pytest.skip("keras.distribution is for JAX")
    training = ROOT / "tests" / "training"
    done = environment.run(training / "distribution_cases.py", tmp_path, path=str(training))
    assert done.returncode == 0, done.stdout[-4000:]
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    result = json.loads(line.removeprefix("RESULT "))
    assert result["recorded"] in result["plain"]
    reader = AttentionReader(tmp_path)
    layers = reader.layers("train")
    assert len(layers) == 3
    for layer in layers:
        assert reader.steps("train", layer) == [0, 5, 10, 12]
