"""Heads are called by their numbers in the model, whichever of them were recorded."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tb_attention_plugin import AttentionReader, AttentionWriter, responses
from tb_attention_plugin.cli.main import main
from tb_attention_plugin.diagnosis import answers
from tb_attention_plugin.responses import RequestError
from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store import codec
from tb_attention_plugin.store.metric_series import MetricLog
from tb_attention_plugin.store.run import RunStore
from tests.diagnosis.test_writing import summaries
from tests.plugin.parts import parts_of

Maps = NDArray[np.float32]
Attention = Callable[..., Maps]
B, H, Q, K = 2, 11, 13, 13
CHOSEN, OTHERS = (3, 7), (2, 5, 7)


@pytest.fixture
def whole(attention: Attention) -> list[Maps]:
    """All heads of three steps."""
    return [attention(B, H, Q, K, seed=step) for step in range(3)]


@pytest.fixture
def log(tmp_path: Path, whole: list[Maps]) -> Path:
    """Steps 0 and 1 of heads 3 and 7, then a training that goes on with heads 2, 5 and 7."""
    with AttentionWriter(tmp_path / "run", precision="float32", scalars=("entropy",)) as writer:
        for step in (0, 1):
            writer.write("a", whole[step][:, CHOSEN], step, heads=CHOSEN)
    with AttentionWriter(tmp_path / "run", precision="float32") as writer:
        writer.write("a", whole[2][:, OTHERS], 2, heads=OTHERS)
    return tmp_path


def stores(log: Path) -> Mapping[str, RunStore]:
    store = RunStore(log / "run")
    store.refresh()
    return {"run": store}


def test_a_reader_numbers_the_heads_of_a_step_and_of_all_steps(
    log: Path, whole: list[Maps]
) -> None:
    reader = AttentionReader(log)
    for step, heads in enumerate((CHOSEN, CHOSEN, OTHERS)):
        assert reader.heads("run", "a", step) == list(heads)
        np.testing.assert_array_equal(reader.weights("run", "a", step), whole[step][:, heads])
    assert reader.heads("run", "a") == [2, 3, 5, 7]


def test_metrics_of_a_head_stay_in_its_column_when_others_are_chosen(
    log: Path, tmp_path: Path, whole: list[Maps]
) -> None:
    with AttentionWriter(tmp_path / "all", precision="float32") as writer:
        for step, weights in enumerate(whole):
            writer.write("a", weights, step)
    reader = AttentionReader(log)
    shown, expected = (reader.metrics(run, "a")["entropy"] for run in ("run", "all"))
    assert shown.shape == (3, B, 4)
    columns = reader.heads("run", "a")
    for step, heads in enumerate((CHOSEN, CHOSEN, OTHERS)):
        for column, head in enumerate(columns):
            if head in heads:
                np.testing.assert_array_equal(shown[step, :, column], expected[step, :, head])
            else:
                assert np.isnan(shown[step, :, column]).all()
    table = reader.metrics_table("run")
    assert table["head"].tolist() == [2, 3, 5, 7] * (3 * B)
    np.testing.assert_array_equal(table["entropy"], shown.ravel())


def test_what_changed_is_never_of_two_different_heads(attention: Attention, tmp_path: Path) -> None:
    weights = attention(B, 2, Q, K)
    with AttentionWriter(tmp_path) as writer:
        for step, heads in enumerate([(0, 1), (0, 1), (4, 6), (4, 6)]):
            writer.write("a", weights, step, heads=heads)
    change = AttentionReader(tmp_path).metrics(".", "a")["change"]
    assert (np.isfinite(change).sum((1, 2)) // B).tolist() == [0, 2, 0, 2]


def test_scalars_and_events_carry_the_number(log: Path, tmp_path: Path) -> None:
    # The event file of the first writer: the second one wrote no scalars.
    first = min((log / "run").glob("*tfevents*"), key=lambda path: path.name)
    (tmp_path / "first").mkdir()
    first.rename(tmp_path / "first" / first.name)
    tags = {tag for plugin, tag, *_ in summaries(tmp_path / "first") if plugin == "scalars"}
    assert tags == {"attention_entropy/a/head_3", "attention_entropy/a/head_7"}

    distance = np.abs(np.arange(Q)[:, None] - np.arange(K))
    told: list[int] = []
    with AttentionWriter(tmp_path / "e", on_event=lambda e: told.append(e.head)) as writer:
        for step, sharpness in enumerate((0, 0, 3, 3)):
            sharp = np.exp(-distance * sharpness)
            both = np.stack([np.ones((Q, K)), sharp]).astype(np.float32)
            writer.write("a", both[None] / both.sum(-1, keepdims=True), step, heads=(4, 9))
    store = RunStore(tmp_path / "e")
    store.refresh()
    asked = answers.EventLog().of_run("e", store).events
    read = AttentionReader(tmp_path).events("e")
    assert told == [event.head for event in asked] == [event.head for event in read] == [9]
    assert read[0].message.startswith("a, head 9: ")


def test_routes_take_and_give_numbers(log: Path, whole: list[Maps]) -> None:
    runs = stores(log)
    (layer,) = responses.runs_response(runs, "").runs[0].layers
    assert (layer.heads, list(layer.head_numbers)) == (3, list(OTHERS))
    as_json = responses.runs_json(responses.runs_response(runs, ""))
    assert json.loads(json.dumps(as_json))["runs"][0]["layers"][0]["head_numbers"] == [2, 5, 7]

    body = responses.maps_response(runs, "run", "a", 1, [7, 3], [1])
    for (header, frame), head in zip(parts_of(body, pb.MapHeader), (7, 3), strict=True):
        assert header.head == head
        weights = codec.decode_frame(frame, header.encoding, Q, K, header.code_table)
        np.testing.assert_array_equal(weights, whole[1][1, head])

    ((atlas, _),) = parts_of(responses.atlas_response(runs, "run", 1, [0], 32, "a"), pb.AtlasHeader)
    assert (atlas.heads, list(atlas.head_numbers)) == (2, list(CHOSEN))

    for log_ in (None, MetricLog()):
        metrics = responses.metrics_response(runs, "run", "a", log_)
        assert (metrics.heads, list(metrics.head_numbers)) == (4, [2, 3, 5, 7])

    said = r"layer 'a' has heads 3, 7 at step 1, received 2\."
    with pytest.raises(RequestError, match=f"heads: {said}"):
        responses.maps_response(runs, "run", "a", 0, [7, 2], [1])
    with pytest.raises(RequestError, match=f"head: {said}"):
        answers.failures_response(runs, "run", "a", 0, 2, 1)


def test_the_failures_of_a_map_are_those_of_the_numbered_head(tmp_path: Path) -> None:
    good = np.eye(Q, dtype=np.float32)
    late = good.copy()
    late[5:9] = np.eye(K)[4]  # stays where it was
    with AttentionWriter(tmp_path / "run") as writer:
        writer.write("a", np.stack([good, late])[None], 0, heads=(1, 6))
    kinds = {
        head: len(answers.failures_response(stores(tmp_path), "run", "a", 0, head, 0).failures)
        for head in (1, 6)
    }
    assert kinds[1] == 0
    assert kinds[6] > 0


def test_numbers_of_all_heads_from_0_on_are_not_stored(
    tmp_path: Path, attention: Attention
) -> None:
    with AttentionWriter(tmp_path / "run") as writer:
        writer.write("a", attention(B, 3, Q, K), 0, heads=np.arange(3))  # pyright: ignore
    found = stores(tmp_path)["run"].find("a", 0)
    assert found is not None
    assert list(found.entry.head_numbers) == []
    assert list(found.heads) == [0, 1, 2]


def test_the_commands_speak_of_numbers(
    log: Path, tmp_path: Path, whole: list[Maps], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(log)]) == 0
    assert "2 examples × 3 heads (heads 2, 5, 7) × 13 × 13" in capsys.readouterr().out
    out = tmp_path / "a.csv"
    assert main(["export", str(log), str(out), "--head", "7", "--step", "1"]) == 0
    rows = np.loadtxt(out, delimiter=",", skiprows=1)[:, 1:]
    np.testing.assert_allclose(rows, whole[1][0, 7], rtol=1e-6)
    assert main(["export", str(log), str(out)]) == 0  # the first one that is recorded
    rows = np.loadtxt(out, delimiter=",", skiprows=1)[:, 1:]
    np.testing.assert_allclose(rows, whole[2][0, 2], rtol=1e-6)
    assert main(["export", str(log), str(out), "--head", "0"]) == 2
    assert "a recorded one (heads 2, 5, 7), received 0" in capsys.readouterr().err
    out = tmp_path / "a.npz"
    assert main(["export", str(log), str(out), "--step", "0"]) == 0
    assert np.load(out)["heads_0"].tolist() == [3, 7]
    assert main(["prune", str(log), "--every", "2"]) == 0
    assert AttentionReader(log).heads("run", "a") == [2, 3, 5, 7]
    assert main(["verify", str(log)]) == 0


def test_thumbnails_of_an_event_file_alone_keep_the_numbers(log: Path) -> None:
    blobs = [value for plugin, *_, value in summaries_of_last(log) if plugin == "attention"]
    entry = pb.Entry.FromString(blobs[-1].tensor.string_val[0])
    assert list(entry.head_numbers) == list(OTHERS)


def summaries_of_last(log: Path) -> list[tuple[str, str, int, Any]]:
    files = sorted((log / "run").glob("*tfevents*"))
    for file in files[:-1]:
        file.unlink()
    return summaries(log / "run")


@pytest.mark.parametrize(
    ("heads", "kind", "said"),
    [
        ((3,), ValueError, "1 head numbers for 2 heads"),
        ((7, 3), ValueError, "do not ascend"),
        ((3, 3), ValueError, "do not ascend"),
        ((-1, 3), ValueError, "head numbers from -1 to 3"),
        ((3, 1 << 16), ValueError, "to 65536; 0 to 65,535 are possible"),
        ((0.5, 3), TypeError, "the numbers of the 2 heads of weights"),
        ("37", TypeError, "the numbers of the 2 heads of weights"),
    ],
)
def test_numbers_that_cannot_be_are_refused(
    tmp_path: Path, attention: Attention, heads: Any, kind: type[Exception], said: str
) -> None:
    with AttentionWriter(tmp_path) as writer, pytest.raises(kind, match=f"heads: .*{said}"):
        writer.write("a", attention(B, 2, Q, K), 0, heads=heads)
