"""Metadata is in pyproject.toml; here is only what makes sure that the frontend is there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
BUNDLE = ROOT / "tb_attention_plugin" / "static" / "index.js"
FRONTEND = ROOT / "frontend"


class BuildPyWithFrontend(build_py):
    """Builds the frontend first when the committed bundle is missing."""

    def run(self) -> None:
        if not BUNDLE.exists():
            self.build_frontend()
        super().run()

    def build_frontend(self) -> None:
        npm = shutil.which("npm")
        if npm is None or not (FRONTEND / "package.json").exists():
            raise SystemExit(
                f"The frontend bundle {BUNDLE.relative_to(ROOT)} is missing and cannot be built "
                f"here: npm {'was found' if npm else 'was not found'}, the sources in frontend/ "
                f"{'are there' if FRONTEND.exists() else 'are not there'}. Install from a complete "
                "checkout or sdist, or install Node.js 20.19 or later."
            )
        subprocess.run([npm, "ci"], cwd=FRONTEND, check=True)
        subprocess.run([npm, "run", "build"], cwd=FRONTEND, check=True)


setup(cmdclass={"build_py": BuildPyWithFrontend})
