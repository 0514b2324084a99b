"""Bad input gets an error that names the argument, what was expected and what was received."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tb_attention_plugin import AttentionReader, AttentionWriter

Maps = NDArray[np.float32]
B, H, Q, K = 2, 3, 5, 7


def with_one(value: float) -> Maps:
    weights = np.full((B, H, Q, K), 0.125, np.float32)
    weights[1, 2, 3, 4] = value
    return weights


GOOD = with_one(0.25)
QUERY_TOKENS = [["a", "b", "c", "d", "e"]] * B
BAD_LAYERS: list[Any] = ["", "x" * 1025, None, 3, b"decoder"]
BAD_STEPS: list[Any] = [-1, 1.5, 3.0, float("nan"), "3", None, [3, 5], 2**63, 2**70]

# The argument, what is written, and what of it the message shows.
BAD_ARGUMENTS: list[tuple[str, dict[str, Any], str]] = [
    ("weights", {"weights": np.ones((Q, K))}, "(5, 7)"),
    ("weights", {"weights": np.ones(K)}, "(7,)"),
    ("weights", {"weights": np.ones((2, B, H, Q, K))}, "(2, 2, 3, 5, 7)"),
    ("weights", {"weights": 0.5}, "()"),
    ("weights", {"weights": [[[0.5, 0.5], [1.0]]]}, "inhomogeneous"),
    ("weights", {"weights": np.ones((0, H, Q, K))}, "(0, 3, 5, 7)"),
    ("weights", {"weights": np.ones((B, H, 0, K))}, "(2, 3, 0, 7)"),
    ("weights", {"weights": np.ones((B, Q, 0))}, "(2, 1, 5, 0)"),
    ("weights", {"weights": GOOD, "time_major": True}, "(2, 3, 5, 7)"),
    ("weights", {"weights": np.ones((Q, K)), "time_major": True}, "(5, 7)"),
    ("weights", {"weights": GOOD.astype(complex)}, "complex128"),
    ("weights", {"weights": GOOD.astype(str)}, "<U"),
    ("weights", {"weights": None}, "object"),
    ("weights", {"weights": with_one(np.nan)}, "[1, 2, 3, 4]: nan"),
    ("weights", {"weights": with_one(np.inf)}, "[1, 2, 3, 4]: inf"),
    ("weights", {"weights": with_one(-np.inf)}, "[1, 2, 3, 4]: -inf"),
    ("weights", {"weights": with_one(1.5)}, "[1, 2, 3, 4]: 1.5"),
    ("weights", {"weights": with_one(1.01)}, "[1, 2, 3, 4]: 1.0"),
    ("weights", {"weights": with_one(-0.5)}, "[1, 2, 3, 4]: -0.5"),
    ("weights", {"weights": GOOD.astype(float) * 1e300}, "inf"),
    ("query_tokens", {"query_tokens": QUERY_TOKENS[:1]}, "received 1"),
    ("query_tokens", {"query_tokens": [["a"] * Q, ["a"] * (Q + 1)]}, "received 6"),
    ("query_tokens", {"query_tokens": [["a"] * Q, []]}, "received 0"),
    ("query_tokens", {"query_tokens": "ab"}, "a string"),
    ("query_tokens", {"query_tokens": ["abcde", "abcde"]}, "'abcde'"),
    ("query_tokens", {"query_tokens": 11}, "int"),
    ("query_tokens", {"query_tokens": [11, 13]}, "int"),
    ("key_tokens", {"key_tokens": [["a"] * K, [*"abcdef", 17]]}, "int 17"),
    ("key_tokens", {"key_tokens": [["a"] * K, [*"abcdef", None]]}, "NoneType None"),
    ("key_tokens", {"key_tokens": [[b"a"] * K] * B}, "bytes b'a'"),
    ("key_tokens", {"key_tokens": QUERY_TOKENS}, "received 5"),
    ("query_lengths", {"query_lengths": [Q]}, "(1,)"),
    ("query_lengths", {"query_lengths": [0, Q]}, "[0, 5]"),
    ("query_lengths", {"query_lengths": [1, Q + 1]}, "[1, 6]"),
    ("query_lengths", {"query_lengths": [1.0, 2.0]}, "float64"),
    ("key_lengths", {"key_lengths": [-1, K]}, "[-1, 7]"),
    ("key_lengths", {"key_lengths": 3}, "()"),
    ("key_lengths", {"key_lengths": [[1], [2, 3]]}, "inhomogeneous"),
    ("wall_time", {"wall_time": float("nan")}, "nan"),
    ("wall_time", {"wall_time": float("inf")}, "inf"),
    ("wall_time", {"wall_time": "noon"}, "'noon'"),
    *[("layer", {"layer": layer}, str(layer)[:40]) for layer in BAD_LAYERS],
    *[("step", {"step": step}, repr(step)) for step in BAD_STEPS],
]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AttentionWriter, Path]]:
    path = tmp_path_factory.mktemp("log")
    with AttentionWriter(path) as writer:
        yield writer, path


@pytest.mark.parametrize(
    ("argument", "change", "shown"),
    BAD_ARGUMENTS,
    ids=[f"{name}-{i}" for i, (name, _, _) in enumerate(BAD_ARGUMENTS)],
)
def test_a_bad_argument_is_named_and_loses_nothing(
    log: tuple[AttentionWriter, Path], argument: str, change: dict[str, Any], shown: str
) -> None:
    writer, path = log
    reader = AttentionReader(path)
    before = reader.steps(".", "layer") if "." in reader.runs() and reader.layers(".") else []
    step = len(before)
    writer.write("layer", GOOD, step)
    arguments: dict[str, Any] = {"layer": "layer", "weights": GOOD, "step": step + 1}
    with pytest.raises((ValueError, TypeError)) as caught:
        writer.write(**(arguments | change))
    message = str(caught.value)
    assert re.match(rf"{argument}\b", message), message
    assert "expected" in message
    assert "received" in message
    assert shown in message
    assert message.endswith((".", "}", "]"))

    writer.flush()
    assert reader.layers(".") == ["layer"]
    assert reader.steps(".", "layer") == [*before, step]
    assert reader.weights(".", "layer", step).shape == (B, H, Q, K)


@pytest.mark.parametrize("late", [11, 10, 0])
def test_a_step_that_does_not_advance_is_refused_and_loses_nothing(
    tmp_path: Path, late: int
) -> None:
    with AttentionWriter(tmp_path) as writer:
        writer.write("a", GOOD, 11)
        with pytest.raises(ValueError, match=rf"step: expected a step after 11.*received {late}\."):
            writer.write("a", GOOD, late)
        writer.write("b", GOOD, late)  # steps are counted for each layer
        writer.write("a", GOOD, 13)
    reader = AttentionReader(tmp_path)
    assert reader.steps(".", "a") == [11, 13]
    assert reader.steps(".", "b") == [late]


def test_a_refused_record_does_not_use_up_its_step(tmp_path: Path) -> None:
    with AttentionWriter(tmp_path) as writer:
        with pytest.raises(ValueError, match="weights"):
            writer.write("a", with_one(np.nan), 17)
        writer.write("a", GOOD, 5)
    assert AttentionReader(tmp_path).steps(".", "a") == [5]


def test_a_name_that_is_no_text_is_refused_when_it_is_given(tmp_path: Path) -> None:
    # A lone surrogate cannot be stored as UTF-8; the background thread is too late to find out.
    with AttentionWriter(tmp_path) as writer:
        with pytest.raises(ValueError, match=r"layer: expected.*received"):
            writer.write("decoder\ud800", GOOD, 1)
        writer.write("decoder", GOOD, 1)
    assert AttentionReader(tmp_path).layers(".") == ["decoder"]


def test_a_token_that_is_no_text_stays_visible_as_a_replacement(tmp_path: Path) -> None:
    with AttentionWriter(tmp_path) as writer:
        writer.write("a", np.ones((1, 1, 2)), 1, key_tokens=[["\ud800", "ok"]])
    assert AttentionReader(tmp_path).tokens(".", "a", 1) == [([], ["?", "ok"])]


@pytest.mark.parametrize("precision", ["", "code", "float64", None, 8])
def test_a_bad_precision_is_named(tmp_path: Path, precision: Any) -> None:
    with pytest.raises(ValueError, match=r"precision: expected .*'auto'.*received") as caught:
        AttentionWriter(tmp_path, precision=precision)
    assert repr(precision) in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("max_queue", [0, -1])
def test_a_queue_without_room_is_refused(tmp_path: Path, max_queue: int) -> None:
    with pytest.raises(ValueError, match=rf"max_queue: expected.*received {max_queue}\."):
        AttentionWriter(tmp_path, max_queue=max_queue)


@pytest.mark.parametrize("below", ["", "plugins", "plugins/attention", "deeper/still"])
def test_a_file_where_the_log_directory_should_be_is_named(tmp_path: Path, below: str) -> None:
    taken = tmp_path / "log" / below if "deeper" not in below else tmp_path / "log"
    taken.parent.mkdir(parents=True, exist_ok=True)
    taken.write_text("")
    log_dir = tmp_path / "log" / (below if "deeper" in below else "")
    with pytest.raises(OSError, match=r"log_dir: expected .*received") as caught:
        AttentionWriter(log_dir)
    assert str(log_dir) in str(caught.value)
    assert taken.read_text() == ""


def test_two_writers_in_one_directory_are_refused_until_the_first_is_closed(
    tmp_path: Path, attention: Callable[..., Maps]
) -> None:
    weights = attention(B, H, Q, K)
    first = AttentionWriter(tmp_path)
    first.write("a", weights, 1)
    with pytest.raises(RuntimeError, match=r"log_dir: expected .*received") as caught:
        AttentionWriter(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "process" in str(caught.value)
    first.write("a", weights, 2)
    first.close()
    with AttentionWriter(tmp_path) as second:
        second.write("a", weights, 3)
    assert AttentionReader(tmp_path).steps(".", "a") == [1, 2, 3]


def test_a_writer_in_another_run_of_the_log_is_welcome(tmp_path: Path) -> None:
    with AttentionWriter(tmp_path / "a") as a, AttentionWriter(tmp_path / "b") as b:
        a.write("x", GOOD, 1)
        b.write("x", GOOD, 1)
    assert AttentionReader(tmp_path).runs() == ["a", "b"]


def test_writing_after_close_is_refused_and_loses_nothing(tmp_path: Path) -> None:
    writer = AttentionWriter(tmp_path)
    writer.write("a", GOOD, 1)
    writer.close()
    with pytest.raises(RuntimeError, match="closed; open a new one"):
        writer.write("a", GOOD, 2)
    assert AttentionReader(tmp_path).steps(".", "a") == [1]
