"""Runs of which only event files are there: thumbnails of the steps that TensorBoard sampled."""

from __future__ import annotations

import errno
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from tensorboard import errors
from tensorboard.data import provider

from tb_attention_plugin.store import attention_pb2 as pb
from tb_attention_plugin.store import limits
from tb_attention_plugin.store.events import PLUGIN_NAME
from tb_attention_plugin.store.history import History
from tb_attention_plugin.store.index import StoreError
from tb_attention_plugin.store.run import Found

_FRESH_SECONDS = 2.0
# More than TensorBoard keeps by default; with samples_per_plugin there may be many.
_MOST_STEPS = 10_000
_PROVIDER_ERRORS = (errors.PublicError, grpc.RpcError, OSError)


class _Blobs:
    """The blobs of one summary as a folder: entry, then the thumbnails of each example."""

    def __init__(self, data_provider: Any, ctx: Any, keys: Sequence[str]) -> None:
        self._provider = data_provider
        self._ctx = ctx
        self._keys = keys
        self.numbers: dict[int, int] = {}  # of blobs, by the offset that the entry gives them

    def sizes(self) -> dict[str, int]:
        return {}

    def read(self, name: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        return [self.blob(self.numbers.get(offset, -1)) for offset, _ in ranges]

    def blob(self, number: int) -> bytes:
        if not 0 <= number < len(self._keys):
            raise OSError(errno.ENOENT, "Only event files are there, which hold thumbnails alone")
        try:
            return self._provider.read_blob(self._ctx, blob_key=self._keys[number])
        except _PROVIDER_ERRORS as error:
            raise OSError(errno.EIO, f"TensorBoard no longer has this sample ({error})") from error


class SampledRun:
    """A run of which only event files are there; answers what a `RunStore` answers.

    Args:
        data_provider: TensorBoard's.
        ctx: TensorBoard's context of the request that found the run.
        tags: The data of each layer, as `read_blob_sequences` gives them.
    """

    thumbnails_only = True

    def __init__(self, data_provider: Any, ctx: Any, tags: Mapping[str, Sequence[Any]]) -> None:
        self._provider = data_provider
        self._ctx = ctx
        # After a rewind slow loading keeps both records of a step: the later one counts.
        self._data = {layer: {datum.step: datum for datum in data} for layer, data in tags.items()}
        self.problems: list[str] = []
        self.state: object = [
            (layer, [(datum.step, datum.wall_time) for datum in data])
            for layer, data in sorted(tags.items())
        ]
        # Event files do not tell the order in which the layers were recorded.
        self.histories: Mapping[str, History] = {
            layer: _history(data)
            for layer, data in sorted(self._data.items(), key=lambda item: _natural(item[0]))
            if data
        }

    def find(self, layer: str, step: int) -> Found | None:
        """The entry of a layer at a sampled step; see `RunStore.find`."""
        datum = self._data.get(layer, {}).get(step)
        if datum is None:
            return None
        keys = [reference.blob_key for reference in datum.values]
        blobs = _Blobs(self._provider, self._ctx, keys)
        entry = _entry(blobs, layer, step)
        # The event file has the smallest thumbnails only, and no tokens.
        smallest = min(entry.atlases, key=lambda atlas: atlas.size, default=pb.Atlas())
        blobs.numbers = {tile.offset: 1 + b for b, tile in enumerate(smallest.tiles)}
        for atlas in [atlas for atlas in entry.atlases if atlas.size != smallest.size]:
            entry.atlases.remove(atlas)
        entry.ClearField("query_tokens")
        entry.ClearField("key_tokens")
        return Found(entry, blobs, "The event file")

    def entries(self, layer: str) -> Iterator[pb.Entry | StoreError]:
        """All sampled entries of a layer; see `RunStore.entries`."""
        for step in self._data[layer]:
            yield self._entry_or_reason(layer, step)

    def _entry_or_reason(self, layer: str, step: int) -> pb.Entry | StoreError:
        try:
            found = self.find(layer, step)
        except StoreError as error:
            return error
        return found.entry if found else StoreError("TensorBoard no longer has this sample.")

    def tokens(self, found: Found, side: str) -> pb.TokenTable | None:
        """None: tokens are not in event files."""
        return None


def _natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts `layer_2` before `layer_10`."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)
    ]


def _history(data: Mapping[int, Any]) -> History:
    steps = sorted(data)[-_MOST_STEPS:]
    return History(
        steps=steps,
        wall_times=[float(data[step].wall_time) for step in steps],
        generation="sampled",
        example_steps=steps[:1],
        gaps=(),  # TensorBoard's own sampling leaves out more, which the tab says
    )


def _entry(blobs: _Blobs, layer: str, step: int) -> pb.Entry:
    try:
        data = blobs.blob(0)
    except OSError as error:
        raise StoreError(f"{error.strerror}.") from error
    if problem := limits.fields_problem(data):
        raise StoreError(f"The event file claims {problem}.")
    try:
        entry = pb.Entry.FromString(data)
    except DecodeError as error:
        raise StoreError("The event file holds an entry that is none of ours.") from error
    if problem := limits.entry_problem(entry):
        raise StoreError(f"The entry of step {step} in the event file claims {problem}.")
    if entry.layer != layer or entry.step != step:
        raise StoreError(f"The event file's entry at step {step} is not of layer {layer!r}.")
    return entry


class SampledRuns:
    """What TensorBoard's data provider has of runs without a store.

    Args:
        data_provider: TensorBoard's; None where there is none.
    """

    def __init__(self, data_provider: Any) -> None:
        self._provider = data_provider
        self._lock = threading.Lock()
        self._known: dict[str, SampledRun] = {}
        self._asked = -float("inf")

    def without(
        self, stored: Mapping[str, Any], ctx: Any, experiment: str
    ) -> dict[str, SampledRun]:
        """The runs that are not stored, asked for at most every two seconds.

        Args:
            stored: The runs with a store of their own, by their names.
            ctx: TensorBoard's context of the request.
            experiment: TensorBoard's id of the experiment.
        """
        if self._provider is None:
            return {}
        with self._lock:
            if time.monotonic() - self._asked > _FRESH_SECONDS:
                self._known = self._ask(stored, ctx, experiment)
                self._asked = time.monotonic()
            return {name: run for name, run in self._known.items() if name not in stored}

    def _ask(self, stored: Mapping[str, Any], ctx: Any, experiment: str) -> dict[str, SampledRun]:
        scope = {"experiment_id": experiment, "plugin_name": PLUGIN_NAME}
        try:
            listed = self._provider.list_blob_sequences(ctx, **scope)
            missing = [name for name in listed if name not in stored]
            if not missing:
                return {}
            found = self._provider.read_blob_sequences(
                ctx,
                **scope,
                downsample=_MOST_STEPS,
                run_tag_filter=provider.RunTagFilter(runs=missing),
            )
        except _PROVIDER_ERRORS:  # it is loading, or going: it is asked again
            return self._known
        return {name: SampledRun(self._provider, ctx, tags) for name, tags in sorted(found.items())}
