"""Bad requests, caching, and the headers of every response."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from numpy.typing import NDArray
from werkzeug.test import Client

from tb_attention_plugin import AttentionWriter, responses
from tb_attention_plugin.diagnosis import answers
from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store import files

Maps = NDArray[np.float32]
Attention = Callable[..., Maps]
OpenClient = Callable[..., Client]
BASE = "/data/plugin/attention"
CROSS = {"run": "run", "layer": "dec/cross"}
MAP = {**CROSS, "example": "0", "heads": "0", "steps": "2"}
ATLAS = {"run": "run", "step": "2", "example": "0"}
GOOD: dict[str, dict[str, str]] = {
    "runs": {},
    "maps": MAP,
    "atlas": ATLAS,
    "examples": {**CROSS, "step": "2"},
    "metrics": CROSS,
    "events": {"run": "run"},
}
HUGE = "9" * 400
BAD_INTEGERS = [
    *("", " ", "-1", "+1", "1.0", "1e3", "0x1", "1_0", " 1", "1 ", "a", "٣", "²", "½", "None"),
    *("9223372036854775808", HUGE, "9" * 5000, "1\0", "1;2", "%31", "NaN", "true"),
]
BAD_LISTS = [*BAD_INTEGERS, ",", "1,", ",1", "1,,2", "1,-2"]
INTEGERS = [("examples", "step"), ("maps", "example"), ("atlas", "step"), ("atlas", "size")]
LISTS = [("maps", "heads"), ("maps", "steps"), ("atlas", "example")]
STRANGERS = [
    *("", "..", "../run", "/etc/passwd", "run/../run", "run/", "./run", "RUN", "run\0", "%2e%2e"),
    *(
        "plugins/attention",
        "run/plugins/attention",
        "<script>alert(1)</script>",
        "ｒｕｎ",
        "x" * 5000,
    ),
]


def assert_sentence(client: Client, route: str, query: dict[str, str], status: int) -> str:
    response = client.get(f"{BASE}/{route}", query_string=query)
    text = response.get_data(as_text=True)
    assert response.status_code == status, text
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"
    assert text.endswith(".")
    assert len(text) < 1000
    return text


# ── bad requests ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("route", "name"),
    [(route, name) for route, query in GOOD.items() for name in query],
)
def test_a_missing_parameter_is_named(client: Client, route: str, name: str) -> None:
    query = {key: value for key, value in GOOD[route].items() if key != name}
    text = assert_sentence(client, route, query | {"v": "1"}, 400)
    assert text.startswith(f"{name}: expected")
    assert "received none" in text


@pytest.mark.parametrize(
    ("route", "name", "value"),
    [
        *[(route, name, value) for route, name in INTEGERS for value in [*BAD_INTEGERS, "1,2"]],
        *[(route, name, value) for route, name in LISTS for value in BAD_LISTS],
    ],
)
def test_a_parameter_that_is_no_integer_is_named(
    client: Client, route: str, name: str, value: str
) -> None:
    text = assert_sentence(client, route, {**GOOD[route], name: value}, 400)
    assert re.match(rf"{name}: expected .*received", text), text


@pytest.mark.parametrize("name", ["run", "layer"])
@pytest.mark.parametrize("route", ["maps", "examples", "metrics", "atlas"])
@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_name_that_does_not_exist_is_not_found(
    client: Client, route: str, name: str, stranger: str
) -> None:
    text = assert_sentence(client, route, {**GOOD[route], name: stranger, "v": "1"}, 404)
    assert text.startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("route", "change", "named"),
    [
        ("maps", {"example": "2"}, "example"),
        ("maps", {"heads": "0,3"}, "heads"),
        ("maps", {"heads": str(2**63 - 1)}, "heads"),
        ("maps", {"steps": "2,4"}, "step"),
        ("maps", {"steps": "0"}, "step"),
        ("maps", {"steps": str(2**63 - 1)}, "step"),
        ("examples", {"step": "4"}, "step"),
        ("atlas", {"example": "2", "layer": "dec/cross"}, "example"),
        ("atlas", {"example": "0,2", "layer": "dec/cross"}, "example"),
        ("atlas", {"example": "5,2"}, "example"),
        ("atlas", {"example": str(2**63 - 1)}, "example"),
    ],
)
def test_an_index_that_does_not_exist_is_not_found(
    client: Client, route: str, change: dict[str, str], named: str
) -> None:
    text = assert_sentence(client, route, GOOD[route] | change, 404)
    assert text.startswith(f"{named}: ")


def test_a_step_that_was_not_recorded_names_the_one_before(client: Client) -> None:
    assert "3" in assert_sentence(client, "maps", {**MAP, "steps": "6"}, 404)


@pytest.mark.parametrize("size", ["0", "1", "33", "128"])
def test_an_atlas_of_another_size_names_the_sizes_there_are(client: Client, size: str) -> None:
    text = assert_sentence(client, "atlas", {**ATLAS, "size": size}, 400)
    assert text.startswith("size: expected")
    assert "32" in text
    assert "64" in text


@pytest.mark.parametrize(
    ("route", "change"),
    [
        ("maps", {"heads": ",".join(["0"] * 1025)}),
        ("maps", {"steps": ",".join(["2"] * 1025)}),
        ("maps", {"heads": ",".join(["0"] * 33), "steps": ",".join(["2"] * 32)}),
        ("maps", {"heads": "0," * 40_000 + "0", "steps": "2," * 40_000 + "2"}),
        ("maps", {"heads": "0," * 100_000 + "0"}),
        ("atlas", {"example": ",".join(["0"] * 65)}),
    ],
)
def test_too_much_at_once_is_refused(client: Client, route: str, change: dict[str, str]) -> None:
    assert_sentence(client, route, GOOD[route] | change, 400)


@pytest.mark.parametrize("route", ["maps", "nothing", "static/", "static/..", "runs/x"])
def test_bytes_that_are_no_text_are_no_crash(client: Client, route: str) -> None:
    response = client.get(f"{BASE}/{route}?run=%ff%fe&layer=%80&example=%f0&heads=0&steps=0")
    assert response.status_code in (400, 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("route", GOOD)
def test_only_get_is_answered(client: Client, route: str, method: str) -> None:
    response = client.open(f"{BASE}/{route}", method=method, query_string=GOOD[route])
    assert response.status_code == 405
    assert response.headers["X-Content-Type-Options"] == "nosniff"


# ── static files ──────────────────────────────────────────────────────────────────────────────────


def test_the_script_is_served_as_script(client: Client) -> None:
    response = client.get(f"{BASE}/index.js")
    assert response.status_code == 200
    assert response.headers["Content-Type"].split(";")[0] in (
        *("text/javascript", "application/javascript"),
    )
    assert b"render" in response.data


@pytest.mark.parametrize(
    "path",
    [
        *("static/nothing.js", "static/", "static/..", "static/../plugin.py"),
        *("static/%2e%2e/plugin.py", "static/..%2fplugin.py", "static/%2fetc%2fpasswd"),
        *("static/x%00.js", "static/..\\plugin.py", "static/" + quote("x" * 3000)),
    ],
)
def test_nothing_but_the_frontend_is_served(client: Client, path: str) -> None:
    response = client.get(f"{BASE}/{path}")
    assert response.status_code == 404
    assert b"import" not in response.data
    assert b"root:" not in response.data


# ── caching and headers ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("route", ["maps", "atlas", "examples"])
def test_what_cannot_change_is_cached_for_a_day(client: Client, route: str) -> None:
    url = f"{BASE}/{route}"
    with_v = client.get(url, query_string={**GOOD[route], "v": "abc"})
    assert with_v.headers["Cache-Control"] == "private, max-age=86400, immutable"
    assert client.get(url, query_string=GOOD[route]).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("route", ["runs", "metrics", "index.js"])
@pytest.mark.parametrize("accept", ["*/*", "application/json"])
def test_what_did_not_change_is_not_sent_again(client: Client, route: str, accept: str) -> None:
    url, query = f"{BASE}/{route}", GOOD.get(route, {})
    first = client.get(url, query_string=query, headers={"Accept": accept})
    etag = first.headers["ETag"]
    assert "no-cache" in first.headers["Cache-Control"]
    again = client.get(
        url, query_string=query, headers={"Accept": accept, "If-None-Match": f'"x", {etag}'}
    )
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == etag
    other = client.get(
        url, query_string=query, headers={"Accept": accept, "If-None-Match": '"other"'}
    )
    assert (other.status_code, other.data) == (200, first.data)


def test_the_etag_differs_between_json_and_binary_and_after_a_new_step(
    tmp_path: Path, attention: Attention, open_client: OpenClient
) -> None:
    client = open_client(tmp_path)
    etags: list[str] = []
    with AttentionWriter(tmp_path) as writer:
        client = open_client(tmp_path)
        for step in (2, 3):
            writer.write("a", attention(1, 5, 7), step)
            writer.flush()
            for accept in ("application/octet-stream", "application/json"):
                response = client.get(
                    f"{BASE}/runs", headers={"Accept": accept, "If-None-Match": ", ".join(etags)}
                )
                assert response.status_code == 200
                etags.append(response.headers["ETag"])
    assert len(set(etags)) == 4


@pytest.mark.parametrize("route", ["runs", "metrics", "events"])
def test_what_is_known_is_not_built_again(
    client: Client, route: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = client.get(f"{BASE}/{route}", query_string=GOOD[route])

    def build(*_: object) -> None:
        raise AssertionError("built, although it is known")

    for name in ("runs_response", "metrics_response"):
        monkeypatch.setattr(responses, name, build)
    monkeypatch.setattr(answers, "events_response", build)
    headers = {"If-None-Match": first.headers["ETag"]}
    assert (
        client.get(f"{BASE}/{route}", query_string=GOOD[route], headers=headers).status_code == 304
    )


def test_what_could_not_be_read_is_asked_for_anew(
    tmp_path: Path, attention: Attention, open_client: OpenClient
) -> None:
    with AttentionWriter(tmp_path) as writer:
        writer.write("a", attention(1, 5, 7), 1, key_tokens=[["k"] * 7])
    (data,) = files.store_directory(tmp_path).glob("*.data")
    whole = data.read_bytes()
    data.write_bytes(bytes(len(whole)))
    client = open_client(tmp_path)
    damaged = client.get(f"{BASE}/runs")
    assert pb.RunsResponse.FromString(damaged.get_data()).problems
    assert "ETag" not in damaged.headers
    data.write_bytes(whole)
    mended = client.get(f"{BASE}/runs")
    assert not pb.RunsResponse.FromString(mended.get_data()).problems
    assert "ETag" in mended.headers


def everything() -> list[Any]:
    requests: list[Any] = [
        ("GET", path, {})
        for path in ("nothing", "static/nothing", "index.js", "maps", "atlas?run=x", "runs")
    ]
    requests += [
        ("GET", f"{r}?" + "&".join(f"{k}={v}" for k, v in GOOD[r].items()), {}) for r in GOOD
    ]
    requests += [("HEAD", "runs", {}), ("POST", "runs", {})]
    requests += [
        ("GET", "runs", {"If-None-Match": "*"}),
        ("GET", "index.js", {"If-None-Match": "*"}),
    ]
    return requests


@pytest.mark.parametrize(("method", "path", "headers"), everything())
def test_every_response_of_ours_has_a_type_and_nosniff(
    client: Client, method: str, path: str, headers: dict[str, str]
) -> None:
    # The fixture `silent` also fails this when TensorBoard's security validator warns.
    response = client.open(f"{BASE}/{path}", method=method, headers=headers)
    if path == "nothing":
        assert response.status_code == 404  # TensorBoard's own
        return
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Type"]
    assert response.status_code == (304 if headers else response.status_code)


def test_head_has_the_headers_of_get_and_no_body(client: Client) -> None:
    got, head = client.get(f"{BASE}/runs"), client.head(f"{BASE}/runs")
    assert head.data == b""
    assert head.headers["ETag"] == got.headers["ETag"]
