from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from purity_cases import CASES, DISTURBING

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "0"}
    program = Path(__file__).with_name("purity_cases.py")
    run = subprocess.run(
        [sys.executable, str(program)], env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-3000:]
    line = next(line for line in run.stdout.splitlines() if line.startswith("RESULT "))
    return json.loads(line.removeprefix("RESULT "))


@pytest.mark.parametrize("case", CASES)
def test_training_is_bit_equal_with_and_without_the_callback(
    results: dict[str, Any], case: str
) -> None:
    assert results["cases"][case]["recording"] in results["cases"][case]["plain"]


@pytest.mark.parametrize("how", [how for how, (case, _) in DISTURBING.items() if case in CASES])
def test_a_callback_that_disturbs_training_is_noticed(results: dict[str, Any], how: str) -> None:
    case, _ = DISTURBING[how]
    assert results["disturbed"][how] not in results["cases"][case]["plain"]
