"""The viewer and the file format of tb-attention-plugin. Imports neither TensorFlow nor Keras.

`AttentionWriter` records attention maps from NumPy arrays of any origin, `AttentionReader` reads
them back, and TensorBoard finds the Attention tab through its plugin entry point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tb_attention_plugin.store.reader import AttentionReader
    from tb_attention_plugin.store.writer import AttentionWriter

__all__ = ["AttentionReader", "AttentionWriter"]

_HOMES = {
    "AttentionReader": "tb_attention_plugin.store.reader",
    "AttentionWriter": "tb_attention_plugin.store.writer",
}


def __getattr__(name: str) -> Any:
    # TensorBoard imports this package at every start: NumPy and protobuf wait until they are used.
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
