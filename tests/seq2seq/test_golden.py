from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).resolve().parent.parent
GOLDEN = TESTS / "golden"


def load_command() -> Any:
    spec = importlib.util.spec_from_file_location("replay_golden", TESTS / "replay_golden.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


command = load_command()
CASES = sorted(path.stem for path in GOLDEN.glob("*.npz"))
# One of each kind of loop and scoring: tracing and compiling all would take minutes.
IN_GRAPH = [
    "mech__bahdanau_mono_recursive_ragged",
    "dec__train_impute_zero_length",
    "dec__train_multi2",
    "dec__greedy_luong_impute",
    "e2e__seed_luong_monotonic",
]
COMPILED = ["mech__luong_mono_parallel_ragged", "dec__train_gru", "dec__greedy_luong"]


def test_there_are_79_cases():
    assert len(CASES) == 79


@pytest.mark.parametrize("case", CASES)
def test_eager(case: str):
    assert command.replay(GOLDEN / f"{case}.npz", "eager").problems == []


@pytest.mark.parametrize("case", IN_GRAPH)
def test_in_a_graph(case: str):
    assert command.replay(GOLDEN / f"{case}.npz", "function").problems == []


@pytest.mark.parametrize("case", COMPILED)
def test_compiled(case: str):
    assert command.replay(GOLDEN / f"{case}.npz", "jit").problems == []


def test_command_ends_with_the_count(capsys: pytest.CaptureFixture[str]):
    code = command.main([str(GOLDEN), "--case", "mech__luong_scale"])
    assert code == 0
    assert capsys.readouterr().out.splitlines()[-1] == "6 passed, 0 failed"


def test_command_fails_when_a_value_is_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    import numpy as np

    name = "mech__luong_scale0_ragged.npz"
    with np.load(GOLDEN / name) as stored:
        arrays = {key: stored[key] for key in stored.files}
    arrays["out/alignments"][2, 1, 0] += 3e-5
    np.savez(tmp_path / name, **arrays)
    assert command.main([str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "out/alignments: off by 3.00e-05" in out
    assert out.splitlines()[-1] == "0 passed, 1 failed"


def test_command_fails_without_cases(tmp_path: Path):
    assert command.main([str(tmp_path)]) == 1
