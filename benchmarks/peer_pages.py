"""Writes the page that inspectus or bertviz makes of the weights, as their own Python does.

    python peer_pages.py inspectus weights.npy page.html

Runs where the peers are installed without their dependencies: of PyTorch they need one function
that NumPy has too, and of IPython the classes that hold HTML.
"""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np


class Holder:
    """What IPython's HTML and Javascript are to the peers."""

    def __init__(self, data: str) -> None:
        self.data = data


def stand_ins(shown: list[str]) -> None:
    """Puts modules in place of PyTorch and IPython."""
    display = types.ModuleType("IPython.display")
    ipython = types.ModuleType("IPython")
    contents: dict[str, Any] = {
        "HTML": Holder,
        "Javascript": Holder,
        "display": lambda holder: shown.append(holder.data),
    }
    display.__dict__.update(contents)
    ipython.__dict__["display"] = display
    sys.modules |= {"IPython": ipython, "IPython.display": display}


def main() -> None:
    tool, weights_file, page = sys.argv[1:]
    weights = np.load(weights_file)  # [layers, heads, tokens, tokens]
    tokens = [f"t{i}" for i in range(weights.shape[-1])]
    shown: list[str] = []
    stand_ins(shown)
    if tool == "inspectus":
        inspectus: Any = importlib.import_module("inspectus")
        inspectus.attention(weights, tokens)
    else:
        torch = types.ModuleType("torch")
        torch.__dict__["stack"] = np.stack
        sys.modules["torch"] = torch
        bertviz: Any = importlib.import_module("bertviz")
        view = bertviz.model_view if tool == "bertviz model view" else bertviz.head_view
        made: Any = view([layer[None] for layer in weights], tokens, html_action="return")
        shown.append(made.data)
    Path(page).write_text("<!doctype html><meta charset=utf-8><body>" + "\n".join(shown))


if __name__ == "__main__":
    main()
