"""The oldest Keras that the project declares; the newest is what the other tests run with."""

from __future__ import annotations

import re

import pytest
from environments import ROOT, TRAINING, Environment

pytestmark = [pytest.mark.matrix, pytest.mark.oldest, pytest.mark.slow]


def oldest_keras() -> str:
    """The lower end of `keras>=…` in pyproject.toml, e.g. `3.12`."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (version,) = re.findall(r'^ *"keras>=([\d.]+),', text, flags=re.MULTILINE)
    return version


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("oldest") / "venv"
    return Environment.make(folder, [f"{ROOT}[training]", f"keras=={oldest_keras()}"])


def test_it_is_the_oldest_that_is_declared(environment: Environment) -> None:
    printed = environment.run("-c", "import keras; print(keras.__version__)")
    assert f"{printed.strip().splitlines()[-1]}.".startswith(f"{oldest_keras()}.")


def test_golden_cases_pass(environment: Environment) -> None:
    environment.replay_golden()


def test_capture_recording_and_callback_pass(environment: Environment) -> None:
    names = ("capture", "capture_tensorflow", "recording", "callback")
    environment.test(*(TRAINING / f"test_{name}.py" for name in names))


def test_training_stays_as_it_is(environment: Environment) -> None:
    environment.test(TRAINING / "test_purity.py")
