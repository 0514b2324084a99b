"""`Budget`: how much memory a capture and how much disk a run may take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

from tb_attention_plugin import AttentionWriter
from tb_attention_plugin.store.events import FILE_SUFFIX
from tb_attention_plugin.store.files import store_directory
from tb_attention_training.capture.maps import LayerAttention
from tb_attention_training.guard import warn

MAX_LENGTH = 1024
"""A longer map has more cells than a screen has pixels."""

MAX_BYTES_PER_CAPTURE = 1 << 30
"""Of a laptop's memory, beside a training. All of GPT-2's heads at 1,024 tokens of one example."""

MAX_BYTES_PER_RUN = 4 << 30
"""Of a laptop's disk, which other runs want too."""

_USUAL_RATIO = 0.25
"""Bytes on disk for a byte of float32 weights, until it is known: one code for four bytes."""


class Budget:
    """Keeps captures and a run within their limits, and says what that leaves out.

    Args:
        run_dir: Directory of the run.
        max_bytes_per_capture: Of float32 weights in memory; None: no limit.
        max_bytes_per_run: Of files of ours in `run_dir`; None: no limit.

    Raises:
        ValueError: A limit is not positive.
    """

    def __init__(
        self, run_dir: Path, max_bytes_per_capture: int | None, max_bytes_per_run: int | None
    ) -> None:
        for name, value in (
            ("max_bytes_per_capture", max_bytes_per_capture),
            ("max_bytes_per_run", max_bytes_per_run),
        ):
            if value is not None and value < 1:
                raise ValueError(f"{name}: expected 1 or more bytes, or None, received {value!r}.")
        self._run_dir = run_dir
        self._per_capture = max_bytes_per_capture
        self._per_run = max_bytes_per_run
        self._before: int | None = None  # bytes on disk before the first capture
        self._given = 0  # bytes of weights that were handed to writers
        self._latest = 0  # of the latest capture
        self._spent = False
        self._trimmed = False
        self._untold = 0

    def trim(self, attentions: list[LayerAttention]) -> list[LayerAttention]:
        """Takes as many examples, the first ones, and then layers as a capture may have."""
        B = len(attentions[0].weights)
        sizes = [one.weights.nbytes // B for one in attentions]  # of one example
        limit = self._per_capture
        if limit is None or B * sum(sizes) <= limit:
            return attentions
        examples = max(1, limit // sum(sizes))
        within = [size <= limit for size in accumulate(sizes)]
        kept = attentions[: max(1, sum(within))]
        if not self._trimmed:
            self._trimmed = True
            left_out = [one.layer for one in attentions[len(kept) :]]
            layers = f" and leaves out the layers {_listed(left_out)}" if left_out else ""
            warn(
                f"A capture of {B} examples takes {_bytes(B * sum(sizes))} of memory, more than "
                f"max_bytes_per_capture={limit} ({_bytes(limit)}): it is of the first {examples}"
                f"{layers}. Pass fewer or shorter examples, choose layers=... or heads=..., or "
                "raise max_bytes_per_capture."
            )
        return [first_examples(one, examples) for one in kept]

    def allows(self, writer: AttentionWriter | None, step: int, *, last: bool) -> bool:
        """Whether the run may have one more capture; the last one of a training it may."""
        if self._per_run is None or last:
            return True
        if not self._spent:
            waiting = 0 if writer is None else writer.queued_bytes  # before what is there by now
            size = self._on_disk()
            self._before = size if self._before is None else self._before
            written = self._given - waiting
            ratio = (size - self._before) / written if written else _USUAL_RATIO
            # Room for this one and for that at the end of the training.
            self._spent = size + ratio * (waiting + 2 * self._latest) >= self._per_run
            if self._spent:
                warn(
                    f"Attention in {str(self._run_dir)!r} takes {_bytes(size)} on disk, about all "
                    f"of max_bytes_per_run={self._per_run} ({_bytes(self._per_run)}): from step "
                    f"{step} on captures are left out, but for that at the end of the training. "
                    "Capture less often (update_freq=log_spaced()), fewer or shorter examples or "
                    "fewer layers or heads, or raise max_bytes_per_run."
                )
        self._untold += self._spent
        return not self._spent

    def captured(self, size: int) -> int:
        """Takes note of a capture that is about to be written.

        Args:
            size: Bytes of its weights.

        Returns:
            How many captures the budget has left out since the one before.
        """
        self._given += size
        self._latest = size
        untold, self._untold = self._untold, 0
        return untold

    def _on_disk(self) -> int:
        files = [*store_directory(self._run_dir).glob("*"), *self._run_dir.glob(f"*{FILE_SUFFIX}")]
        return sum(file.stat().st_size for file in files)


def first_examples(attention: LayerAttention, count: int) -> LayerAttention:
    """The first examples of a layer's attention."""
    queries, keys = attention.query_lengths, attention.key_lengths
    return replace(
        attention,
        weights=attention.weights[:count],
        query_lengths=None if queries is None else queries[:count],
        key_lengths=None if keys is None else keys[:count],
    )


def _listed(names: Sequence[str]) -> str:
    few = ", ".join(map(repr, names[:5]))
    return few if len(names) <= 5 else f"{few} and {len(names) - 5} more"


def _bytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size:,} bytes"
