"""Capture of keras_hub models, in an environment of its own: keras_hub brings much along."""

from __future__ import annotations

from pathlib import Path

import pytest
from environments import ROOT, Environment

KERAS_HUB = "keras-hub==0.32.0"  # the recomputations follow its layers

pytestmark = [pytest.mark.matrix, pytest.mark.slow]


def test_maps_of_keras_hub_equal_recomputations(tmp_path: Path) -> None:
    environment = Environment.make(tmp_path / "venv", [f"{ROOT}[training]", KERAS_HUB])
    # keras_hub warns of itself.
    environment.test("tests/matrix/on_keras_hub.py", warnings="default")
