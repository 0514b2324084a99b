from __future__ import annotations

import importlib.util
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tb_attention_plugin.store import attention_pb2 as pb

ROOT = Path(__file__).parents[2]
STORE = Path("tb_attention_plugin") / "store"


@pytest.mark.skipif(
    importlib.util.find_spec("grpc_tools") is None,
    reason="grpcio-tools, which holds protoc, is not installed",
)
def test_the_protobuf_types_are_what_protoc_makes_of_the_declaration(tmp_path: Path) -> None:
    subprocess.run(
        [
            *(sys.executable, "-m", "grpc_tools.protoc", "-I."),
            *(f"--python_out={tmp_path}", f"--pyi_out={tmp_path}"),
            (STORE / "attention.proto").as_posix(),
        ],
        cwd=ROOT,
        check=True,
    )
    made = {path.name: path.read_bytes() for path in (tmp_path / STORE).iterdir()}
    assert sorted(made) == ["attention_pb2.py", "attention_pb2.pyi"]
    for name, content in made.items():
        assert (ROOT / STORE / name).read_bytes() == content, f"run `make proto` for {name}"


@pytest.mark.parametrize(
    ("glance", "whole"), [(pb.RecordGlance, pb.IndexRecord), (pb.EntryGlance, pb.Entry)]
)
def test_a_glance_reads_the_fields_of_the_whole(glance: Any, whole: Any) -> None:
    wholly = whole.DESCRIPTOR.fields_by_name
    for field in glance.DESCRIPTOR.fields:
        same = wholly[field.name]
        assert (field.number, field.type) == (same.number, same.type), field.name


def test_the_protobuf_types_load_on_the_installed_protobuf() -> None:
    # Version checks of protobuf warn before they fail.
    code = "from tb_attention_plugin.store.attention_pb2 import Entry; print(Entry(step=7).step)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "7"), done.stderr


def test_the_protobuf_types_load_on_the_oldest_protobuf_that_is_allowed() -> None:
    # Generated code refuses a runtime that is older than its generator.
    text = (ROOT / STORE / "attention_pb2.py").read_text()
    generator = next(
        line.split(": ")[1] for line in text.splitlines() if "Protobuf Python Version" in line
    )
    required = next(
        r for r in metadata.requires("tb-attention-plugin") or [] if r.startswith("protobuf")
    )
    assert f">={generator}" in required
