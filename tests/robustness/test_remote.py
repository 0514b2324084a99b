"""Log directories behind fsspec: in memory, and on a real S3 server."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tb_attention_plugin import AttentionReader, AttentionWriter
from tb_attention_plugin.store import remote
from tb_attention_plugin.store.logdir import LogDirectory, roots_of
from tb_attention_plugin.store.run import StoreError

Maps = NDArray[np.float32]
Attention = Callable[..., Maps]
B, H, Q, K = 2, 3, 5, 7
EXTRA = "the extra `remote` is not installed"


@pytest.fixture
def memory() -> str:
    pytest.importorskip("fsspec", reason=EXTRA)
    return f"memory://logs-{uuid.uuid4().hex}"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    pytest.importorskip("s3fs", reason=EXTRA)
    server_module = pytest.importorskip("moto.server", reason="moto is not installed")
    server: Any = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    system, _ = remote.open_url("s3://logs")
    system.mkdir("logs")
    yield "s3://logs/project"
    server.stop()


def check(url: str, attention: Attention) -> None:
    tokens = [["k"] * K] * B
    reader = AttentionReader(url)
    with AttentionWriter(f"{url}/deep/run") as writer:
        for step in range(6):
            writer.write("a", attention(B, H, Q, K, seed=step), step, key_tokens=tokens)
            if step % 2:
                writer.flush()  # a segment of its own
        assert reader.runs() == ["deep/run"]
        assert reader.steps("deep/run", "a") == list(range(6))
    with AttentionWriter(f"{url}/deep/run") as writer:  # a rewind
        writer.write("a", attention(B, H, Q, K, seed=40), 4, key_tokens=tokens)
    reader = AttentionReader(url)
    assert reader.steps("deep/run", "a") == [0, 1, 2, 3, 4]
    for step, seed in ((0, 0), (3, 3), (4, 40)):
        shown = reader.weights("deep/run", "a", step)
        np.testing.assert_allclose(shown, attention(B, H, Q, K, seed=seed), atol=5e-4, rtol=0.01)
        assert reader.tokens("deep/run", "a", step)[0][1] == ["k"] * K
    assert reader.metrics("deep/run", "a")["entropy"].shape == (5, B, H)


def test_what_is_written_to_memory_is_read_back(memory: str, attention: Attention) -> None:
    check(memory, attention)


def test_what_is_written_to_s3_is_read_back(s3: str, attention: Attention) -> None:
    check(s3, attention)


def test_segments_change_neither_the_generation_nor_the_examples(
    memory: str, attention: Attention
) -> None:
    generations: set[str] = set()
    with AttentionWriter(f"{memory}/run") as writer:
        for step in range(4):
            writer.write("a", attention(B, H, Q, K), step, key_tokens=[["k"] * K] * B)
            writer.flush()
            history = LogDirectory(roots_of(memory, "")).runs()["run"].histories["a"]
            assert list(history.steps) == list(range(step + 1))
            assert list(history.example_steps) == [0]
            generations.add(history.generation)
    assert len(generations) == 1


def test_frames_that_lie_together_are_one_request(
    memory: str, attention: Attention, monkeypatch: pytest.MonkeyPatch
) -> None:
    with AttentionWriter(f"{memory}/run") as writer:
        writer.write("a", attention(B, H, Q, K), 0)
    reader = AttentionReader(memory)
    reader.steps("run", "a")
    system, _ = remote.open_url(memory)
    asked: list[int] = []
    plain = system.cat_ranges

    def counted(paths: list[str], starts: Any, ends: Any, **options: Any) -> Any:
        asked.append(len(paths))
        return plain(paths, starts, ends, **options)

    monkeypatch.setattr(system, "cat_ranges", counted)
    reader.weights("run", "a", 0)
    assert asked[-1] == 1


def test_an_object_that_is_gone_is_a_sentence(memory: str, attention: Attention) -> None:
    with AttentionWriter(f"{memory}/run") as writer:
        writer.write("a", attention(B, H, Q, K), 0)
    reader = AttentionReader(memory)
    assert reader.steps("run", "a") == [0]
    system, path = remote.open_url(memory)
    for name in system.find(path):
        if name.endswith(".data"):
            system.rm(name)
    with pytest.raises(StoreError, match="cannot be read"):
        reader.weights("run", "a", 0)


def test_without_the_extra_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(ImportError, match=r"pip install 'tb-attention-plugin\[remote\]' s3fs"):
        AttentionWriter("s3://bucket/run")
    with pytest.raises(ImportError, match=r"pip install 'tb-attention-plugin\[remote\]' gcsfs"):
        AttentionReader("gs://bucket/run")
