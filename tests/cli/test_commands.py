from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tb_attention_plugin import AttentionReader, AttentionWriter
from tb_attention_plugin.cli import prune as prune_module
from tb_attention_plugin.cli.main import main
from tb_attention_plugin.store import files

Maps = NDArray[np.float32]
Attention = Callable[..., Maps]
B, H, Q, K = 2, 3, 5, 7


@pytest.fixture
def log(tmp_path: Path, attention: Attention) -> Path:
    """Steps 0 to 11 of two writers, the second one from 8 on; layer b has a gap."""
    for start, end in ((0, 10), (8, 12)):
        with AttentionWriter(tmp_path / "log" / "run") as writer:
            for step in range(start, end):
                weights = attention(B, H, Q, K, seed=step)
                tokens = [["<&\x1b"] * Q] * B
                writer.write("a", weights, step, query_tokens=tokens, key_tokens=[["=k"] * K] * B)
                if step not in (3, 4):
                    writer.write("b/c", weights, step)
    return tmp_path / "log"


def data_files(log: Path) -> list[Path]:
    return sorted(files.store_directory(log / "run").glob("*.data"))


def test_inspect_says_what_is_there(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(log)]) == 0
    out = capsys.readouterr().out
    assert "run: 2 layers" in out
    assert "a: 12 steps 0–11 every 1, 2 examples × 3 heads × 5 × 7, code8" in out
    assert "b/c: 10 steps 0–11 every 1, 1 gaps (2→5)" in out


def test_verify_finds_a_flipped_bit_and_nothing_in_a_whole_log(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(log)]) == 0
    path = data_files(log)[0]
    data = bytearray(path.read_bytes())
    data[10] ^= 1  # within the first frame
    path.write_bytes(data)
    assert main(["verify", str(log)]) == 1
    out = capsys.readouterr().out
    assert "Run run, layer a, step 0: example 0, head 0: The stored data fails its" in out
    assert out.endswith("1 problems.\n")


def test_export_npz_holds_the_weights(log: Path, tmp_path: Path) -> None:
    output = tmp_path / "a.npz"
    assert main(["export", str(log), str(output), "--layer", "a", "--step", "3"]) == 0
    with np.load(output) as arrays:
        expected = AttentionReader(log).weights("run", "a", 3)
        np.testing.assert_array_equal(arrays["weights_3"], expected)


def test_export_csv_has_numbers_and_no_formulas(log: Path, tmp_path: Path) -> None:
    output = tmp_path / "a.csv"
    arguments = ["--layer", "a", "--example", "1", "--head", "2"]
    assert main(["export", str(log), str(output), *arguments]) == 0
    rows = [line.split(",") for line in output.read_text().splitlines()]
    assert rows[0][1:] == ["'=k"] * K
    weights = AttentionReader(log).weights("run", "a", 11)[1, 2]
    np.testing.assert_allclose(np.array(rows[1:])[:, 1:].astype(np.float32), weights)


def test_export_svg_escapes_the_tokens(log: Path, tmp_path: Path) -> None:
    output = tmp_path / "a.svg"
    assert main(["export", str(log), str(output), "--layer", "a"]) == 0
    texts = [node.text for node in ElementTree.parse(output).iter() if node.tag.endswith("text")]
    assert texts.count("<&\ufffd") == Q
    assert texts.count("=k") == K


def test_export_mp4_hands_every_step_to_the_encoder(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames: list[NDArray[np.uint8]] = []
    sizes: list[tuple[int, int]] = []

    def write_frames(
        path: str, size: tuple[int, int], **_: object
    ) -> Generator[None, NDArray[np.uint8], None]:
        sizes.append(size)
        while True:
            frames.append((yield))

    encoder = SimpleNamespace(write_frames=write_frames)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", encoder)
    output = str(tmp_path / "a.mp4")
    assert main(["export", str(log), output, "--layer", "a", "--example", "1", "--head", "2"]) == 0
    assert len(frames) == 12
    ((width, height),) = sizes
    assert width % 2 == height % 2 == 0
    weights = AttentionReader(log).weights("run", "a", 11)[1, 2]
    assert {frame.shape for frame in frames} == {(height, width, 3)}
    cell = width // K
    red = 255 - (255 - 8) * weights
    for q, k in np.ndindex(Q, K):
        assert abs(int(frames[-1][q * cell + 1, k * cell + 1, 0]) - red[q, k]) <= 1


def test_export_mp4_is_a_video(log: Path, tmp_path: Path) -> None:
    ffmpeg: Any = pytest.importorskip("imageio_ffmpeg", reason="the extra `video` is not installed")
    assert main(["export", str(log), str(tmp_path / "a.mp4"), "--layer", "a"]) == 0
    frames, _ = ffmpeg.count_frames_and_secs(str(tmp_path / "a.mp4"))
    assert frames == 12


def test_export_mp4_without_the_extra_says_what_to_install(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    assert main(["export", str(log), str(tmp_path / "a.mp4"), "--layer", "a"]) == 1
    assert "pip install 'tb-attention-plugin[video]'" in capsys.readouterr().err
    assert not (tmp_path / "a.mp4").exists()


def test_export_png_and_gif_show_the_weights(log: Path, tmp_path: Path) -> None:
    assert main(["export", str(log), str(tmp_path / "a.png"), "--layer", "a"]) == 0
    assert main(["export", str(log), str(tmp_path / "a.gif"), "--layer", "a"]) == 0
    with Image.open(tmp_path / "a.png") as image:
        scale = 512 // K
        assert image.size == (K * scale, Q * scale)
        pixels = np.asarray(image)[scale // 2 :: scale, scale // 2 :: scale, 0].astype(int)
    weights = AttentionReader(log).weights("run", "a", 11)[0, 0]
    np.testing.assert_allclose(pixels, 255 - weights * (255 - 8), atol=1)
    with Image.open(tmp_path / "a.gif") as image:
        assert getattr(image, "n_frames", 1) == 12


def test_what_cannot_be_met_is_a_sentence(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "a.png")
    for arguments in (
        ["inspect", str(tmp_path / "none")],
        ["export", str(log), str(tmp_path / "a.bmp")],
        ["export", str(log), out],
        ["export", str(log), out, "--layer", "a", "--step", "99"],
        ["export", str(log), out, "--layer", "a", "--head", "3"],
        ["prune", str(log), "--every", "1"],
    ):
        assert main(arguments) == 2
        assert "expected" in capsys.readouterr().err


def test_prune_keeps_every_kth_step_and_the_last_and_is_whole(log: Path) -> None:
    reader = AttentionReader(log)
    before = {s: reader.weights("run", "a", s) for s in reader.steps("run", "a")}
    assert main(["prune", str(log), "--every", "5"]) == 0
    after = AttentionReader(log)
    assert after.steps("run", "a") == [0, 5, 10, 11]
    assert after.steps("run", "b/c") == [0, 7, 11]
    for step in after.steps("run", "a"):
        np.testing.assert_array_equal(after.weights("run", "a", step), before[step])
        assert after.tokens("run", "a", step)[0][1] == ["=k"] * K
    assert np.isfinite(after.metrics("run", "a")["entropy"]).all()
    assert len(data_files(log)) == 1
    assert main(["verify", str(log)]) == 0
    with AttentionWriter(log / "run") as writer:  # a resume goes on from there
        writer.write("a", before[0], 12)
    assert AttentionReader(log).steps("run", "a") == [0, 5, 10, 11, 12]


def test_prune_refuses_while_a_writer_is_at_work(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with AttentionWriter(log / "run"):
        assert main(["prune", str(log), "--every", "2"]) == 1
    assert "nobody else writes" in capsys.readouterr().err
    assert len(AttentionReader(log).steps("run", "a")) == 12


def test_prune_changes_nothing_where_something_is_damaged(log: Path) -> None:
    path = data_files(log)[0]
    path.write_bytes(path.read_bytes()[:-10])
    for cut in (0, 10):
        path.write_bytes(path.read_bytes()[cut:])
    names = {p.name for p in path.parent.iterdir()}
    assert main(["prune", str(log), "--every", "2"]) == 1
    assert {p.name for p in path.parent.iterdir()} == names


@pytest.mark.parametrize("moment", ["fsync", "rename", "unlink"])
def test_a_crash_at_any_moment_of_pruning_leaves_a_whole_log(
    log: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class CrashError(BaseException):
        pass

    def crash(*_: object, **__: object) -> None:
        raise CrashError

    target = prune_module.os if moment == "fsync" else Path
    if moment == "unlink":
        monkeypatch.setattr(Path, "unlink", crash)
    else:
        monkeypatch.setattr(target, moment, crash)
    with pytest.raises(CrashError):
        main(["prune", str(log), "--every", "5"])
    monkeypatch.undo()
    steps = AttentionReader(log).steps("run", "a")
    assert steps == ([0, 5, 10, 11] if moment == "unlink" else list(range(12)))
    assert main(["verify", str(log)]) == 0


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom tb_attention_plugin.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "assert not {'numpy', 'PIL', 'google.protobuf', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
