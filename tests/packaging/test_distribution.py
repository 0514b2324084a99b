"""What is built from a clean clone is complete.

It installs and works elsewhere, without TensorFlow, without Node and without the checkout.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser.tab import Tab

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, f"{command} failed:\n{done.stdout[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, and the wheel made from it, of a clean clone."""
    folder = tmp_path_factory.mktemp("distributions")
    run("git", "clone", "--quiet", ROOT, folder / "clone", cwd=folder)
    run(sys.executable, "-m", "build", "--outdir", folder / "dist", cwd=folder / "clone")
    return folder / "dist"


@pytest.fixture(scope="module")
def without_node() -> dict[str, str]:
    """An environment in which neither Node nor the checkout can be found."""
    keep = {"HOME", "LANG", "TMPDIR", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"}
    env = {k: v for k, v in os.environ.items() if k in keep or k.startswith("PIP_")}
    return {**env, "PATH": "/nonexistent"}


@pytest.fixture(scope="module")
def installed(
    distributions: Path, without_node: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Python of an environment that holds the wheel and what it requires, nothing else."""
    folder = tmp_path_factory.mktemp("elsewhere")
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    python = folder / "venv" / "bin" / "python"
    (wheel,) = distributions.glob("*.whl")
    run(python, "-m", "pip", "install", "--quiet", wheel, cwd=folder, env=without_node)
    return python


@pytest.fixture(scope="module")
def address(installed: Path, without_node: dict[str, str]) -> Iterator[str]:
    """A TensorBoard of that environment on a log that its own writer made."""
    folder = installed.parents[2]
    code = (
        "import numpy as np\n"
        "from tb_attention_plugin import AttentionWriter\n"
        "with AttentionWriter('logs/run') as writer:\n"
        "    writer.write('layer', np.full((2, 3, 5, 7), 1 / 7), 11)\n"
    )
    run(installed, "-c", code, cwd=folder, env=without_node)
    process = subprocess.Popen(
        [installed, "-m", "tensorboard.main", "--logdir", "logs", "--port", "0"],
        cwd=folder,
        env=without_node,
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if found := re.search(r"at (http://\S+/)", line):
                yield found[1]
                break
        else:
            pytest.fail("TensorBoard ended without saying its address.")
    finally:
        process.terminate()
        process.wait()
        process.stderr.close()


def get(url: str) -> bytes:
    with urllib.request.urlopen(url) as response:
        return response.read()


def test_wheel_holds_both_packages_the_frontend_and_the_schema(distributions: Path) -> None:
    (wheel,) = distributions.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "tb_attention_plugin/loader.py",
        "tb_attention_plugin/py.typed",
        "tb_attention_plugin/static/index.js",
        "tb_attention_plugin/store/attention.proto",
        "tb_attention_plugin/store/attention_pb2.py",
        "tb_attention_training/callback.py",
        "tb_attention_training/demo/__main__.py",
        "tb_attention_training/py.typed",
    } <= names
    top = {name.split("/")[0] for name in names}
    assert {n for n in top if not n.endswith(".dist-info")} == {
        "tb_attention_plugin",
        "tb_attention_training",
    }


def test_sdist_holds_sources_bundle_and_licence(distributions: Path) -> None:
    (sdist,) = distributions.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "LICENSE",
        "CHANGELOG.md",
        "frontend/package-lock.json",
        "frontend/package.json",
        "tb_attention_plugin/static/index.js",
        "tb_attention_plugin/store/attention.proto",
    } <= names
    assert not any("node_modules" in name for name in names)


def test_sdist_builds_without_node_and_without_git(
    distributions: Path, without_node: dict[str, str], tmp_path: Path
) -> None:
    (sdist,) = distributions.glob("*.tar.gz")
    run(
        *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", sdist),
        cwd=tmp_path,
        env=without_node,
    )
    (wheel,) = tmp_path.glob("*.whl")
    assert "tb_attention_plugin/static/index.js" in zipfile.ZipFile(wheel).namelist()


def test_no_framework_is_installed_or_needed(installed: Path, without_node: dict[str, str]) -> None:
    listed = run(installed, "-m", "pip", "list", cwd=installed.parent, env=without_node).lower()
    assert "tensorboard" in listed
    assert not re.search(r"^(tensorflow|keras|matplotlib|torch|jax)\b", listed, re.MULTILINE)


def test_tab_is_active_and_served_in_the_clean_environment(address: str) -> None:
    assert b'"attention": {' in get(address + "data/plugins_listing")
    script = get(address + "data/plugin/attention/index.js")
    assert script == (ROOT / "tb_attention_plugin/static/index.js").read_bytes()


def test_maps_are_served_in_the_clean_environment(address: str) -> None:
    query = "run=run&layer=layer&example=1&heads=0,2&steps=11"
    assert len(get(f"{address}data/plugin/attention/maps?{query}")) > 2 * 8


@pytest.mark.browser
def test_the_tab_of_the_clean_environment_draws_a_map(
    address: str, open_tab: Callable[..., Tab]
) -> None:
    tab = open_tab(address)
    tab.wait_for_map(run="run", layer="layer", step=11, queries=5, keys=7)
    assert abs(tab.hover(3, 4) - 1 / 7) <= 0.01 / 7
