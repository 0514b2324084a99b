"""Decoding and capture on the other backends of Keras, each in an environment of its own."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from environments import ROOT, TRAINING, Environment

from tb_attention_plugin import AttentionReader

pytestmark = [pytest.mark.matrix, pytest.mark.slow]

# The CPU build of torch is small where an index offers it; a plain `torch` may bring CUDA along.
BACKENDS = {"jax": "jax", "torch": os.environ.get("TORCH", "torch")}


@pytest.fixture(scope="module", params=BACKENDS)
def environment(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Environment:
    backend: str = request.param
    folder = tmp_path_factory.mktemp(backend) / "venv"
    requirements = [str(ROOT), "keras", BACKENDS[backend], "matplotlib"]
    return Environment.make(folder, requirements, backend=backend)


def test_golden_cases_pass_without_tensorflow(environment: Environment) -> None:
    environment.replay_golden()


def test_capture_passes_on_the_backend(environment: Environment) -> None:
    environment.test(
        TRAINING / "test_capture.py",
        TRAINING / "test_chosen_heads.py",
        f"tests/matrix/on_{environment.backend}.py",
    )


def test_recording_and_callback_pass_on_the_backend(environment: Environment) -> None:
    environment.test(TRAINING / "test_recording.py", TRAINING / "test_callback.py")


def test_training_stays_as_it_is_on_the_backend(environment: Environment) -> None:
    environment.test(TRAINING / "test_purity.py")


@pytest.mark.parametrize("how", ["replicated", "sharded"])
def test_jax_on_two_devices_is_recorded_once_and_trains_as_without(
    environment: Environment, tmp_path: Path, how: str
) -> None:
    if environment.backend != "jax":
        pytest.skip("keras.distribution is for JAX")
    printed = environment.run(TRAINING / "distribution_cases.py", tmp_path, how)
    line = next(line for line in printed.splitlines() if line.startswith("RESULT "))
    result = json.loads(line.removeprefix("RESULT "))
    assert result["recorded"] in result["plain"]
    if how == "sharded":
        assert result["divided"] == 3 * 7  # kernels and biases of three layers, but for one bias
        assert result["difference"] < 1e-6
    reader = AttentionReader(tmp_path)
    layers = reader.layers("train")
    assert len(layers) == 3
    for layer in layers:
        assert reader.steps("train", layer) == [0, 5, 10, 12]
    assert len(list(tmp_path.rglob("*.index"))) == 1
