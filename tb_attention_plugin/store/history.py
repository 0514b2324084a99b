"""What is to be seen of one layer: the entries of several index files as one history."""

from __future__ import annotations

import bisect
import zlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store import files
from tb_attention_plugin.store.index import IndexFile, StoreError, Track, same_examples


@dataclass(frozen=True)
class History:
    """The records of one layer.

    Attributes:
        steps: All of them, ascending.
        wall_times: Of each step.
        generation: Differs when steps that were visible before were superseded.
        example_steps: Steps at which tokens or lengths differ from the record before; the first
            step is one.
        gaps: For each step before which captures were left out, the step and their number.
    """

    steps: Sequence[int]
    wall_times: Sequence[float]
    generation: str
    example_steps: Sequence[int]
    gaps: Sequence[tuple[int, int]]

    def at_or_before(self, step: int) -> int:
        """The latest recorded step at or before a step; the first one when there is none."""
        return self.steps[max(0, bisect.bisect_right(self.steps, step) - 1)]


@dataclass(frozen=True)
class Span:
    """The visible entries of one layer in one index file: the first `count` of its track."""

    file: IndexFile
    track: Track
    count: int


@dataclass(frozen=True)
class StoredHistory(History):
    """A history whose records lie in a store.

    A training that goes on from an earlier step writes to new files, whose entries supersede the
    older ones from their first step on, as TensorBoard does. Nothing is deleted.

    Attributes:
        spans: From the oldest file to the newest; their steps ascend throughout.
    """

    spans: tuple[Span, ...]

    @staticmethod
    def of(tracks: list[tuple[IndexFile, Track]]) -> StoredHistory:
        """The history of a layer from its tracks, oldest file first."""
        spans: list[Span] = []
        first_newer = 1 << 63
        for file, track in reversed(tracks):
            spans.append(Span(file, track, track.count_before(first_newer)))
            first_newer = min(first_newer, track.steps[0])
        spans = [span for span in reversed(spans) if span.count]
        steps, wall_times = array("q"), array("d")
        for span in spans:
            steps += span.track.steps[: span.count]
            wall_times += span.track.wall_times[: span.count]
        return StoredHistory(
            steps=steps,
            wall_times=wall_times,
            generation=_generation(spans),
            example_steps=_example_steps(spans),
            gaps=[
                gap
                for span in spans
                for gap in span.track.gaps
                if gap[0] <= span.track.steps[span.count - 1]
            ],
            spans=tuple(spans),
        )

    def entries(self, start: int = 0) -> Iterator[pb.Entry | StoreError]:
        """The entries from one on, read anew: each, or why it cannot be used.

        Args:
            start: Index of the first one in `steps`.
        """
        for span in self.spans:
            yield from span.file.entries(span.track, range(min(start, span.count), span.count))
            start = max(0, start - span.count)

    def locate(self, step: int) -> tuple[Span, int] | None:
        """The span that holds a step, and the entry's position in its track."""
        # The last span that starts at or before the step: spans may be many, one for each segment.
        at = bisect.bisect_right(self.spans, step, key=lambda span: span.track.steps[0]) - 1
        if at >= 0:
            span = self.spans[at]
            position = span.track.count_before(step)
            if position < span.count and span.track.steps[position] == step:
                return span, position
        return None


def _generation(spans: list[Span]) -> str:
    # A writer's next segment supersedes nothing; the next writer may.
    writers = dict.fromkeys(files.writer_of(span.file.name) for span in spans)
    cuts = [(span.file.name, span.count) for span in spans if span.count < len(span.track)]
    return f"{zlib.crc32(repr((list(writers), cuts)).encode()):08x}"


def _example_steps(spans: list[Span]) -> list[int]:
    steps: list[int] = []
    for i, span in enumerate(spans):
        changes = [s for s in span.track.example_changes if s <= span.track.steps[span.count - 1]]
        if i:
            before = spans[i - 1]
            whole = before.count == len(before.track)
            if whole and same_examples(span.track.first, before.track.latest):
                changes = changes[1:]
        steps.extend(changes)
    return steps
