"""Runs every benchmark, prints a line of JSON for each figure and writes results.json.

`python benchmarks/run.py [name ...]` runs those named only; the figures of the others stay, each
benchmark with the date and machine of its own run.
"""

from __future__ import annotations

import datetime
import importlib
import json
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
PACKAGES = ("tensorflow", "keras", "tensorboard", "numpy", "matplotlib", "protobuf", "isal")


def _machine() -> dict[str, str]:
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            li.split(":", 1)[1].strip()
            for li in info.read_text().splitlines()
            if "model name" in li
        ]
        cpu = names[0] if names else cpu
    return {
        "cpu": cpu,
        "cores": str(os.cpu_count()),
        "system": platform.system(),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in PACKAGES},
    }


def main() -> None:
    names = sys.argv[1:] or sorted(p.stem for p in HERE.glob("bench_*.py"))
    sys.path.insert(0, str(HERE))
    results: dict[str, Any] = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    for name in names:
        figures: list[object] = []
        for figure in importlib.import_module(name).figures():
            print(figure.json(), flush=True)
            figures.append(json.loads(figure.json()))
        results[name] = {
            "date": datetime.date.today().isoformat(),
            "machine": _machine(),
            "figures": figures,
        }
        text = json.dumps(dict(sorted(results.items())), indent=1, ensure_ascii=False)
        RESULTS.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
