"""`tb-attention export`: maps as npz, csv, png, svg, or one head over steps as gif or mp4."""

from __future__ import annotations

import base64
import csv
import importlib
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tb_attention_plugin.cli.progress import progress
from tb_attention_plugin.store.heads import listed
from tb_attention_plugin.store.reader import AttentionReader

FORMATS = ("npz", "csv", "png", "svg", "gif", "mp4")
_SIDE = 512
_FRAMES_PER_SECOND = 10
_CELL = 16  # pixels of a cell in SVG, so that tokens can be read


def export(
    reader: AttentionReader,
    run: str,
    layer: str,
    steps: list[int],
    example: int,
    head: int,
    output: Path,
) -> None:
    """Writes maps to a file whose name says the format.

    Args:
        reader: Of the log directory.
        run: Name of the run.
        layer: Name of the layer.
        steps: npz, gif and mp4 take all of them, the others the last one.
        example: Index of the example; npz holds all.
        head: Number of the head; npz holds all.
        output: The file.

    Raises:
        LookupError: There is no such run, layer, step, example or head.
        StoreError: The data cannot be read.
        RuntimeError: For mp4, what encodes it is not installed.
    """
    kind = output.suffix[1:]
    if kind == "npz":
        _npz(reader, run, layer, steps, output)
        return
    step = steps[-1]
    if kind == "gif":
        maps = [
            _map(reader, run, layer, one, example, head)
            for one in progress(steps, len(steps), "export")
        ]
        images = [_image(weights) for weights in maps]
        images[0].save(
            output,
            save_all=True,
            append_images=images[1:],
            duration=1000 // _FRAMES_PER_SECOND,
            loop=0,
        )
        return
    if kind == "mp4":
        shapes = [_lengths(reader, run, layer, one, example) for one in steps]
        maps = (_map(reader, run, layer, one, example, head) for one in steps)
        _mp4(progress(maps, len(steps), "export"), shapes, output)
        return
    weights = _map(reader, run, layer, step, example, head)
    queries, keys = reader.tokens(run, layer, step)[example]
    if kind == "csv":
        _csv(weights, queries, keys, output)
    elif kind == "png":
        _image(weights).save(output)
    else:
        title = f"{run} · {layer} · step {step} · example {example} · head {head}"
        output.write_text(_svg(weights, queries, keys, title), encoding="utf-8")


def _map(
    reader: AttentionReader, run: str, layer: str, step: int, example: int, head: int
) -> NDArray[np.float32]:
    queries, keys = _lengths(reader, run, layer, step, example)
    heads = reader.heads(run, layer, step)
    if head not in heads:
        raise LookupError(f"head: expected a recorded one ({listed(heads)}), received {head}.")
    return reader.weights(run, layer, step)[example, heads.index(head), :queries, :keys]


def _lengths(
    reader: AttentionReader, run: str, layer: str, step: int, example: int
) -> tuple[int, int]:
    lengths = reader.lengths(run, layer, step)
    _check_below("example", example, len(lengths))
    return lengths[example]


def _check_below(name: str, value: int, limit: int) -> None:
    if not 0 <= value < limit:
        raise LookupError(f"{name}: expected 0 to {limit - 1}, received {value}.")


def _npz(reader: AttentionReader, run: str, layer: str, steps: list[int], output: Path) -> None:
    arrays: dict[str, Any] = {"steps": np.array(steps)}
    arrays |= {
        f"weights_{step}": reader.weights(run, layer, step)
        for step in progress(steps, len(steps), "export")
    }
    # Steps may be of different heads: the fits of a run need not choose alike.
    arrays |= {f"heads_{step}": np.array(reader.heads(run, layer, step)) for step in steps}
    np.savez_compressed(output, **arrays)


def _csv(weights: NDArray[np.float32], queries: list[str], keys: list[str], output: Path) -> None:
    Q, K = weights.shape
    with open(output, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["", *(_cell(t) for t in keys[:K])] if keys else ["", *range(K)])
        for q in range(Q):
            rows.writerow([_cell(queries[q]) if queries else q, *weights[q].tolist()])


def _cell(token: str) -> str:
    # A spreadsheet takes such a cell for a formula, and tokens may be anybody's.
    return f"'{token}" if token[:1] in ("=", "+", "-", "@", "\t", "\r") else token


def _image(weights: NDArray[np.float32]) -> Image.Image:
    return Image.fromarray(_pixels(weights, _scale(weights.shape)))


def _scale(shape: tuple[int, ...]) -> int:
    return max(1, _SIDE // max(shape))


def _pixels(weights: NDArray[np.float32], scale: int) -> NDArray[np.uint8]:
    shown = np.clip(np.nan_to_num(weights.astype(np.float64)), 0, 1)[..., None]
    white, blue = np.array([255, 255, 255]), np.array([8, 48, 107])
    pixels = np.round(white + (blue - white) * shown).astype(np.uint8)
    return pixels.repeat(scale, 0).repeat(scale, 1)


def _mp4(
    maps: Iterable[NDArray[np.float32]], shapes: Sequence[tuple[int, int]], output: Path
) -> None:
    try:
        ffmpeg: Any = importlib.import_module("imageio_ffmpeg")
    except ImportError as error:
        raise RuntimeError(
            "mp4 needs a package that is not installed. Install it: pip install "
            "'tb-attention-plugin[video]'; or export a .gif, which needs nothing."
        ) from error
    # All steps at one scale and on one canvas. H.264 halves the colour's resolution: even sides.
    largest = tuple(max(side) for side in zip(*shapes, strict=True))
    scale = _scale(largest)
    height, width = (side * scale + side * scale % 2 for side in largest)
    video = ffmpeg.write_frames(
        str(output),
        (width, height),
        fps=_FRAMES_PER_SECOND,
        macro_block_size=1,
        ffmpeg_log_level="error",
    )
    video.send(None)
    try:
        for weights in maps:
            canvas = np.full((height, width, 3), 255, np.uint8)
            pixels = _pixels(weights, scale)
            canvas[: pixels.shape[0], : pixels.shape[1]] = pixels
            video.send(canvas)
    finally:
        video.close()


def _svg(weights: NDArray[np.float32], queries: list[str], keys: list[str], title: str) -> str:
    Q, K = weights.shape
    png = io.BytesIO()
    _image(weights).save(png, "png")
    picture = base64.b64encode(png.getvalue()).decode()
    left = 8 * max((len(token) for token in queries), default=0) + 8
    top = 8 * max((len(token) for token in keys), default=0) + 32
    width, height = K * _CELL, Q * _CELL
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 8}" '
        f'height="{top + height + 8}" font-family="monospace" font-size="12">',
        f'<text x="8" y="16">{_text(title)}</text>',
        f'<image x="{left}" y="{top}" width="{width}" height="{height}" '
        f'preserveAspectRatio="none" style="image-rendering:pixelated" '
        f'href="data:image/png;base64,{picture}"/>',
    ]
    for q, token in enumerate(queries[:Q]):
        y = top + q * _CELL + 12
        lines.append(f'<text x="{left - 4}" y="{y}" text-anchor="end">{_text(token)}</text>')
    for k, token in enumerate(keys[:K]):
        x = left + k * _CELL + 12
        turned = f'transform="rotate(-90 {x} {top - 4})"'
        lines.append(f'<text x="{x}" y="{top - 4}" {turned}>{_text(token)}</text>')
    return "\n".join([*lines, "</svg>", ""])


def _text(text: str) -> str:
    # XML knows no control characters, escaped or not.
    return escape("".join(c if c.isprintable() else "\ufffd" for c in text))
