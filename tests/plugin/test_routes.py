"""What each route returns, as docs/routes.md says."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from parts import parts_of
from werkzeug.test import Client, TestResponse

from tb_attention_plugin import AttentionReader, AttentionWriter
from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store import code_table

Maps = NDArray[np.float32]
Attention = Callable[..., Maps]
Promise = Callable[[Maps, Maps], None]
OpenClient = Callable[..., Client]
BASE = "/data/plugin/attention"
CROSS = {"run": "run", "layer": "dec/cross"}


def get(client: Client, route: str, **query: Any) -> TestResponse:
    response = client.get(f"{BASE}/{route}", query_string=query)
    assert response.status_code == 200, response.get_data(as_text=True)
    return response


def runs_json(client: Client) -> Any:
    return json.loads(client.get(f"{BASE}/runs", headers={"Accept": "application/json"}).data)


def inflate(payload: bytes) -> bytes:
    return zlib.decompress(payload, wbits=-15)


# ── runs ──────────────────────────────────────────────────────────────────────────────────────────


def test_runs_as_json_holds_every_step_as_a_number(client: Client) -> None:
    runs = runs_json(client)["runs"]
    assert [run["name"] for run in runs] == [".", "run"]
    layers = {layer["name"]: layer for layer in runs[1]["layers"]}
    assert list(layers) == ["dec/cross", "enc/self"]
    cross = layers["dec/cross"]
    assert cross["steps"] == [2, 3, 7]
    assert cross["wall_times"] == [1002.5, 1003.5, 1007.5]
    assert (cross["heads"], cross["queries"], cross["keys"]) == (3, 37, 71)
    assert cross["causal"] is False
    assert cross["example_steps"] == [2]
    assert layers["enc/self"]["causal"] is True
    assert layers["enc/self"]["steps"] == [20, 30, 70]


def test_runs_as_json_holds_the_examples_with_their_tokens(client: Client) -> None:
    cross, own = runs_json(client)["runs"][1]["layers"]
    first, second = cross["examples"]
    assert first["query_tokens"][:2] == ["q0", "q1"]
    assert first["key_tokens"] == ["<b>&"] * 71
    assert second["key_tokens"] == ["日本"] * 67
    assert (first["query_length"], first["key_length"]) == (37, 71)
    assert (second["query_length"], second["key_length"]) == (31, 67)
    assert own["examples"] == [
        {"query_tokens": [], "key_tokens": [], "query_length": 5, "key_length": 5}
    ]


def test_runs_in_binary_says_the_same_as_in_json(client: Client) -> None:
    message = pb.RunsResponse.FromString(get(client, "runs").data)
    from_json = runs_json(client)
    for run, other in zip(message.runs, from_json["runs"], strict=True):
        assert run.name == other["name"]
        for layer, of_json in zip(run.layers, other["layers"], strict=True):
            assert list(layer.steps) == of_json["steps"]
            assert layer.generation == of_json["generation"] != ""
            assert [e.key_length for e in layer.examples] == [
                e["key_length"] for e in of_json["examples"]
            ]


def test_runs_carries_the_code_table_and_the_log_directory(client: Client, log: Path) -> None:
    message = pb.RunsResponse.FromString(get(client, "runs").data)
    (table,) = message.code_tables
    assert table.id == 1
    codes = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(
        np.array(table.values, np.float32), code_table.decode(codes, table.id)
    )
    assert table.tiny == np.float32(1e-5)
    assert message.log_dir == str(log)
    assert list(message.problems) == []


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, "application/octet-stream"),
        ("*/*", "application/octet-stream"),
        ("application/octet-stream", "application/octet-stream"),
        ("text/html", "application/octet-stream"),
        ("application/json", "application/json; charset=utf-8"),
        ("application/json, text/plain, */*;q=0.1", "application/json; charset=utf-8"),
    ],
)
def test_runs_is_json_where_json_is_accepted(
    client: Client, accept: str | None, content_type: str
) -> None:
    response = client.get(f"{BASE}/runs", headers={"Accept": accept} if accept else {})
    assert response.headers["Content-Type"] == content_type


def test_runs_tells_where_captures_were_left_out_and_forgets_superseded_ones(
    tmp_path: Path, attention: Attention, open_client: OpenClient
) -> None:
    def write(steps: dict[int, int], *, time: float) -> None:
        with AttentionWriter(tmp_path / "run") as writer:
            for step, skipped in steps.items():
                maps = attention(2, 3, 5, 7, seed=step)
                writer.write("a", maps, step, skipped=skipped, wall_time=time + step)

    write({0: 0, 10: 3, 20: 0, 30: 11}, time=1000)
    (layer,) = runs_json(open_client(tmp_path))["runs"][0]["layers"]
    assert (layer["gap_steps"], layer["gap_counts"]) == ([10, 30], [3, 11])
    assert layer["example_steps"] == [0]  # what was left out makes no other examples
    write({20: 5, 40: 0}, time=2000)  # goes back: the record of step 30 is superseded
    (layer,) = runs_json(open_client(tmp_path))["runs"][0]["layers"]
    assert layer["steps"] == [0, 10, 20, 40]
    assert (layer["gap_steps"], layer["gap_counts"]) == ([10, 20], [3, 5])


def test_runs_of_an_empty_log_is_empty(tmp_path: Path, open_client: OpenClient) -> None:
    assert runs_json(open_client(tmp_path))["runs"] == []
    assert runs_json(open_client(tmp_path / "not there yet"))["runs"] == []


def test_runs_says_what_cannot_be_read(
    tmp_path: Path, attention: Attention, open_client: OpenClient
) -> None:
    with AttentionWriter(tmp_path / "sound") as writer:
        writer.write("a", attention(1, 5, 7), 3)
    with AttentionWriter(tmp_path / "hurt") as writer:
        writer.write("a", attention(1, 5, 7), 3)
        writer.write("a", attention(1, 5, 7), 5)
    (index,) = (tmp_path / "hurt").glob("plugins/attention/*.index")
    data = bytearray(index.read_bytes())
    data[-9] ^= 1
    index.write_bytes(data)
    response = runs_json(open_client(tmp_path))
    assert [layer["steps"] for run in response["runs"] for layer in run["layers"]] == [[3], [3]]
    (problem,) = response["problems"]
    assert "hurt" in problem
    assert index.name in problem


def test_runs_shows_steps_whose_tokens_are_lost(
    tmp_path: Path, attention: Attention, open_client: OpenClient
) -> None:
    with AttentionWriter(tmp_path) as writer:
        writer.write("a", attention(1, 5, 7), 3, key_tokens=[["k"] * 7])
    for data in tmp_path.glob("plugins/attention/*.data"):
        data.unlink()
    response = runs_json(open_client(tmp_path))
    (layer,) = response["runs"][0]["layers"]
    assert layer["steps"] == [3]
    assert layer["examples"][0]["key_tokens"] == []
    assert layer["examples"][0]["key_length"] == 7
    assert len(response["problems"]) == 1


def test_new_steps_appear_while_it_is_written(
    tmp_path: Path, attention: Attention, open_client: OpenClient
) -> None:
    with AttentionWriter(tmp_path) as writer:
        client = open_client(tmp_path)
        for step in (2, 3, 5):
            writer.write("a", attention(1, 5, 7), step)
            writer.flush()
            (layer,) = runs_json(client)["runs"][0]["layers"]
            assert layer["steps"][-1] == step
    assert layer["steps"] == [2, 3, 5]


# ── maps ──────────────────────────────────────────────────────────────────────────────────────────


def test_maps_are_the_stored_frames_in_the_order_of_the_request(
    client: Client, log: Path, attention: Attention, assert_promised: Promise
) -> None:
    body = get(client, "maps", **CROSS, example=1, heads="2,0", steps="7,2").data
    parts = parts_of(body, pb.MapHeader)
    assert [(h.step, h.example, h.head) for h, _ in parts] == [
        *((7, 1, 2), (7, 1, 0)),
        *((2, 1, 2), (2, 1, 0)),
    ]
    (data,) = (log / "run").glob("plugins/attention/*.data")
    stored = data.read_bytes()
    for header, payload in parts:
        assert payload in stored
        assert zlib.crc32(payload) == header.crc32
        assert (header.queries, header.keys) == (37, 71)
        assert (header.query_length, header.key_length) == (31, 67)
        assert (header.encoding, header.code_table, header.problem) == (pb.CODE8, 1, "")
        codes = np.frombuffer(inflate(payload), np.uint8).reshape(37, 71)
        true = attention(2, 3, 37, 71, seed=header.step)[1, header.head]
        assert_promised(code_table.decode(codes), true)


def test_maps_of_floats_are_byte_shuffled_and_flagged(client: Client, attention: Attention) -> None:
    body = get(client, "maps", run=".", layer="raw", example=0, heads=0, steps=11).data
    ((header, payload),) = parts_of(body, pb.MapHeader)
    assert header.encoding == pb.FLOAT32
    assert header.out_of_range
    assert not header.has_nonfinite
    planes = np.frombuffer(inflate(payload), np.uint8).reshape(4, 2, 3)
    shown = np.ascontiguousarray(np.moveaxis(planes, 0, -1)).view("<f4")[..., 0]
    np.testing.assert_array_equal(shown, attention(1, 1, 2, 3)[0, 0] * 5)


def test_the_same_map_asked_for_twice_comes_twice(client: Client) -> None:
    body = get(client, "maps", **CROSS, example=0, heads="1,1", steps="3").data
    first, second = parts_of(body, pb.MapHeader)
    assert first == second


def test_one_damaged_map_does_not_hide_the_others(
    tmp_path: Path, attention: Attention, open_client: OpenClient
) -> None:
    with AttentionWriter(tmp_path) as writer:
        writer.write("a", attention(1, 3, 5, 7), 2)
    (path,) = tmp_path.glob("plugins/attention/*.data")
    query = {"run": ".", "layer": "a", "example": 0, "heads": "0,1,2", "steps": 2}
    sound = parts_of(get(open_client(tmp_path), "maps", **query).data, pb.MapHeader)
    data = bytearray(path.read_bytes())
    data[bytes(data).index(sound[1][1])] ^= 1
    path.write_bytes(data)
    parts = parts_of(get(open_client(tmp_path), "maps", **query).data, pb.MapHeader)
    assert [parts[0], parts[2]] == [sound[0], sound[2]]
    assert parts[1][1] == b""
    assert "checksum" in parts[1][0].problem
    assert parts[1][0].head == 1


def test_1024_maps_are_served_and_one_more_is_not(client: Client) -> None:
    heads = ",".join(["0"] * 512)
    body = get(client, "maps", **CROSS, example=0, heads=heads, steps="2,3").data
    assert len(parts_of(body, pb.MapHeader)) == 1024
    response = client.get(
        f"{BASE}/maps",
        query_string={**CROSS, "example": 0, "heads": ",".join(["0"] * 1025), "steps": 2},
    )
    assert response.status_code == 400


# ── atlas ─────────────────────────────────────────────────────────────────────────────────────────


def test_an_atlas_holds_a_tile_for_every_layer_and_example(client: Client) -> None:
    body = get(client, "atlas", run="run", step=3, example="0,1").data
    parts = parts_of(body, pb.AtlasHeader)
    # enc/self has one example, and its first record is at step 20.
    assert [(h.layer, h.step, h.example) for h, _ in parts] == [
        *(("dec/cross", 3, 0), ("dec/cross", 3, 1)),
        ("enc/self", 20, 0),
    ]
    assert [(h.heads, h.rows, h.columns) for h, _ in parts] == [(3, 32, 32), (3, 31, 32), (1, 5, 5)]
    assert [(h.query_length, h.key_length) for h, _ in parts] == [(37, 71), (31, 67), (5, 5)]
    assert [h.causal for h, _ in parts] == [False, False, True]
    assert {(h.code_table, h.problem) for h, _ in parts} == {(1, "")}


@pytest.mark.parametrize("size", [32, 64])
def test_atlas_tiles_are_the_pooled_maps(
    client: Client, attention: Attention, size: int, assert_promised: Promise
) -> None:
    query = {"run": "run", "step": 7, "example": 1, "size": size, "layer": "dec/cross"}
    ((header, payload),) = parts_of(get(client, "atlas", **query).data, pb.AtlasHeader)
    assert (header.rows, header.columns) == (min(31, size), min(67, size))
    codes = np.frombuffer(inflate(payload), np.uint8)
    tiles = code_table.decode(codes.reshape(3, header.rows, header.columns))
    valid = attention(2, 3, 37, 71, seed=7)[1, :, :31, :67]
    pooled = np.zeros(tiles.shape, np.float32)
    for i in range(header.rows):
        for j in range(header.columns):
            top, bottom = i * 31 // header.rows, (i + 1) * 31 // header.rows
            left, right = j * 67 // header.columns, (j + 1) * 67 // header.columns
            pooled[:, i, j] = valid[:, top:bottom, left:right].max((1, 2))
    assert_promised(tiles, pooled)


@pytest.mark.parametrize(
    ("asked", "shown"), [(0, 2), (1, 2), (2, 2), (3, 3), (4, 3), (6, 3), (7, 7), (2**63 - 1, 7)]
)
def test_an_atlas_shows_the_latest_record_at_or_before_a_step(
    client: Client, asked: int, shown: int
) -> None:
    body = get(client, "atlas", **CROSS, step=asked, example=0).data
    ((header, _),) = parts_of(body, pb.AtlasHeader)
    assert header.step == shown


# ── examples and metrics ──────────────────────────────────────────────────────────────────────────


def test_examples_gives_the_tokens_and_lengths_of_a_step(client: Client) -> None:
    message = pb.ExamplesResponse.FromString(get(client, "examples", **CROSS, step=3).data)
    first, second = message.examples
    assert list(first.query_tokens) == [f"q{i}" for i in range(37)]
    assert list(second.key_tokens) == ["日本"] * 67
    assert (second.query_length, second.key_length) == (31, 67)


def test_metrics_gives_every_metric_at_every_step(client: Client, log: Path) -> None:
    message = pb.MetricsResponse.FromString(get(client, "metrics", **CROSS).data)
    assert (list(message.steps), message.examples, message.heads) == ([2, 3, 7], 2, 3)
    series = {s.name: np.array(s.values, np.float32).reshape(3, 2, 3) for s in message.series}
    assert {"entropy", "max_weight", "diagonality", "coverage"} <= series.keys()
    for name, values in AttentionReader(log).metrics("run", "dec/cross").items():
        np.testing.assert_array_equal(series[name], values)
