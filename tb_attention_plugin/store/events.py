"""The event file: what TensorBoard's own loader reads.

It makes the directory a run, switches the Attention tab on, carries image summaries to the Images
dashboard, and holds the entries with their thumbnails, so that a log of which only the event files
were copied still shows something. Written with our own framing: TensorBoard's writer imports
TensorFlow where it is installed.
"""

# TensorBoard ships its protobuf types without stubs.
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import io
import itertools
import os
import socket
import time
from pathlib import Path
from typing import IO

from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2

from tb_attention_plugin.store import tfrecord
from tb_attention_plugin.store.record import RenderedImage

PLUGIN_NAME = "attention"
FILE_SUFFIX = ".attention"
"""Of our event files."""

_IMAGES_PLUGIN_NAME = "images"
_SCALARS_PLUGIN_NAME = "scalars"
_TEXT_PLUGIN_NAME = "text"
_numbers = itertools.count()


def _blob_sequence(tag: str, plugin: str, blobs: list[bytes]) -> summary_pb2.Summary.Value:
    # TensorBoard's data server drops a series without a data class, and a blob sequence whose
    # tensor is not rank 1, without a word.
    return summary_pb2.Summary.Value(
        tag=tag,
        metadata=summary_pb2.SummaryMetadata(
            plugin_data=summary_pb2.SummaryMetadata.PluginData(plugin_name=plugin),
            data_class=summary_pb2.DATA_CLASS_BLOB_SEQUENCE,
        ),
        tensor=tensor_pb2.TensorProto(
            dtype=types_pb2.DT_STRING,
            string_val=blobs,
            tensor_shape=tensor_shape_pb2.TensorShapeProto(
                dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=len(blobs))]
            ),
        ),
    )


def _single(
    tag: str, plugin: str, data_class: int, tensor: tensor_pb2.TensorProto
) -> summary_pb2.Summary.Value:
    return summary_pb2.Summary.Value(
        tag=tag,
        metadata=summary_pb2.SummaryMetadata(
            plugin_data=summary_pb2.SummaryMetadata.PluginData(plugin_name=plugin),
            data_class=data_class,
        ),
        tensor=tensor,
    )


class EventStream:
    """Appends summaries to what becomes an event file of its own.

    Args:
        file: Where the bytes go.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._append(event_pb2.Event(wall_time=time.time(), file_version="brain.Event:2"))
        self._file.flush()

    def _append(self, event: event_pb2.Event) -> None:
        self._file.write(tfrecord.frame(event.SerializeToString()))

    def _append_value(self, value: summary_pb2.Summary.Value, step: int, wall_time: float) -> None:
        self._append(
            event_pb2.Event(
                step=step, wall_time=wall_time, summary=summary_pb2.Summary(value=[value])
            )
        )

    def write_entry(
        self, layer: str, step: int, wall_time: float, entry: bytes, tiles: list[bytes]
    ) -> None:
        """Writes the plugin's own summary: the entry, then its thumbnails of each example."""
        value = _blob_sequence(layer, PLUGIN_NAME, [entry, *tiles])
        self._append_value(value, step, wall_time)

    def write_image(self, image: RenderedImage, step: int, wall_time: float) -> None:
        """Writes an image summary for the Images dashboard."""
        blobs = [str(image.width).encode(), str(image.height).encode(), image.png]
        value = _blob_sequence(image.tag, _IMAGES_PLUGIN_NAME, blobs)
        self._append_value(value, step, wall_time)

    def write_scalar(self, tag: str, value: float, step: int, wall_time: float) -> None:
        """Writes a point of a curve in the Time Series dashboard."""
        tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, float_val=[value])
        kind = summary_pb2.DATA_CLASS_SCALAR
        self._append_value(_single(tag, _SCALARS_PLUGIN_NAME, kind, tensor), step, wall_time)

    def write_text(self, tag: str, markdown: str, step: int, wall_time: float) -> None:
        """Writes a text for the Text dashboard."""
        tensor = tensor_pb2.TensorProto(
            dtype=types_pb2.DT_STRING, string_val=[markdown.encode("utf-8", "replace")]
        )
        kind = summary_pb2.DATA_CLASS_TENSOR
        self._append_value(_single(tag, _TEXT_PLUGIN_NAME, kind, tensor), step, wall_time)

    def flush(self) -> None:
        """Makes what was written visible to readers."""
        self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def new_event_file_name() -> str:
    """A name for an event file that no other writer has; they sort by time."""
    return (
        f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}"
        f".{next(_numbers):06d}{FILE_SUFFIX}"
    )


class EventFile(EventStream):
    """An event file on this machine.

    Args:
        log_dir: Directory of the run.
    """

    def __init__(self, log_dir: Path) -> None:
        self.path = log_dir / new_event_file_name()
        super().__init__(open(self.path, "xb"))  # noqa: SIM115 - closed by close()


class EventBuffer(EventStream):
    """An event file in memory, to be written as one object."""

    def __init__(self) -> None:
        self.name = new_event_file_name()
        self._buffer = io.BytesIO()
        super().__init__(self._buffer)

    def content(self) -> bytes:
        """All of it."""
        return self._buffer.getvalue()
