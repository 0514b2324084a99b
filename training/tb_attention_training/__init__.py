"""Records attention while a model trains: the Keras callback, the session hook, seq2seq attention.

Nothing here imports TensorFlow, Keras or matplotlib before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tb_attention_training import seq2seq
    from tb_attention_training.callback import AttentionCallback
    from tb_attention_training.capture.once import attention_maps
    from tb_attention_training.capture.probe import AttentionWarning
    from tb_attention_training.capture.recording import record_attention
    from tb_attention_training.capture.schedule import log_spaced
    from tb_attention_training.capture.tap import tap
    from tb_attention_training.hook import AttentionHook
    from tb_attention_training.plotting import plot_attention

__all__ = [
    "AttentionCallback",
    "AttentionHook",
    "AttentionWarning",
    "attention_maps",
    "log_spaced",
    "plot_attention",
    "record_attention",
    "seq2seq",
    "tap",
]

_HOMES = {
    "AttentionCallback": "tb_attention_training.callback",
    "AttentionHook": "tb_attention_training.hook",
    "AttentionWarning": "tb_attention_training.capture.probe",
    "attention_maps": "tb_attention_training.capture.once",
    "log_spaced": "tb_attention_training.capture.schedule",
    "plot_attention": "tb_attention_training.plotting",
    "record_attention": "tb_attention_training.capture.recording",
    "tap": "tb_attention_training.capture.tap",
}


def __getattr__(name: str) -> Any:
    import importlib

    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name == "seq2seq":
        return importlib.import_module("tb_attention_training.seq2seq")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
