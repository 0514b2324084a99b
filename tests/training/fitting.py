"""What tests of the callback do: short trainings, and a look at what they left."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import capture_models as models
from tb_attention_training import AttentionWarning

from tb_attention_plugin import AttentionReader

EXAMPLES, BATCH = 23, 5  # five batches an epoch, the last one ragged
STEPS = 5


def fit(model: Any, callback: Any, *, epochs: int = 1, **kwargs: Any) -> None:
    x, y = models.source(EXAMPLES), models.source(EXAMPLES, seed=5)
    callbacks = callback if isinstance(callback, list) else [callback]
    model.fit(x, y, batch_size=BATCH, epochs=epochs, callbacks=callbacks, verbose=0, **kwargs)


def steps(log_dir: Path, layer: str = "attention") -> list[int]:
    reader = AttentionReader(log_dir)
    assert reader.runs() == ["train"]
    return reader.steps("train", layer)


def entries(log_dir: Path) -> list[tuple[int, str]]:
    """Everything that is on disk, superseded or not."""
    from tb_attention_plugin.store import attention_pb2, tfrecord

    found: list[tuple[int, str]] = []
    for index in sorted((log_dir / "train/plugins/attention").glob("*.index")):
        data, position = index.read_bytes(), 0
        while (payload := tfrecord.unframe(data, position, limit=1 << 20)) is not None:
            position += len(tfrecord.frame(payload))
            record = attention_pb2.IndexRecord.FromString(payload)
            if record.HasField("entry"):
                found.append((record.entry.step, record.entry.layer))
    return found


def ours(told: Iterable[warnings.WarningMessage]) -> list[warnings.WarningMessage]:
    """The warnings that are ours: of some versions Keras and NumPy have something to say, too."""
    return [one for one in told if issubclass(one.category, AttentionWarning)]
