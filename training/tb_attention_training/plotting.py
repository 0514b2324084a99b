"""Attention maps as matplotlib figures: for a notebook, and for TensorBoard's Images dashboard.

Figures are made without pyplot, so any thread may make them and no global state is touched.
"""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from tb_attention_plugin.store.record import AttentionRecord, RenderedImage
from tb_attention_training.glyphs import drawable, families_for

MAX_HEADS = 16
"""Heads drawn in one image; the title says when there are more."""

_DPI = 100
# Lengths in inches.
_MAX_SIDE = 11.0  # of a map
_MAX_CELL = 0.42
_MIN_SIDE = 0.5  # below this, cells are stretched
_LABEL_PITCH = 0.155  # distance of tick labels below which some are left out
_MIN_GRID_CELL = 0.09  # below this, lines between cells would hide them
_PANEL_SIDE = 2.9  # of one head among several
_BAR_HEIGHT, _BAR_GAP, _MARGIN, _PANEL_GAP = 0.13, 0.18, 0.12, 0.22
_UNKNOWN = "#c9c4b8"  # NaN and infinity: no shade of blue

_drawing = threading.RLock()
"""matplotlib's font machinery is shared; figures are cheap enough to be drawn one at a time."""


def plot_attention(
    attention_map: ArrayLike,
    input_tags: Sequence[str] | None = None,
    output_tags: Sequence[str] | None = None,
) -> Figure:
    """Draws one attention map.

    Args:
        attention_map: Weights `[Q, K]`: a row for each output position (query), a column for each
            input position (key). Values that are not finite are drawn grey.
        input_tags: K labels of the columns; positions are numbered when None.
        output_tags: Q labels of the rows; positions are numbered when None.

    Returns:
        A figure on an Agg canvas, its size fitted to the map: `figure.savefig(path)`, or the last
        expression of a notebook cell.

    Raises:
        ValueError: `attention_map` is not of rank 2, or labels differ from it in number.

    Example:
        >>> plot_attention(weights[0, head], input_tags=source, output_tags=target).savefig("a.png")
    """
    weights = np.asarray(attention_map)
    if weights.ndim != 2 or 0 in weights.shape:
        raise ValueError(
            "attention_map: expected one map [Q, K] with at least one query and one key, received "
            f"shape {list(weights.shape)}. Choose an example and a head, e.g. `weights[0, 0]`."
        )
    weights = weights.astype(np.float32)
    rows = _check_tags("output_tags", output_tags, weights.shape[0], "queries (rows)")
    columns = _check_tags("input_tags", input_tags, weights.shape[1], "keys (columns)")
    with _drawing:
        return _draw([_Panel(weights, "")], columns, rows, title="")


def render_attention_images(record: AttentionRecord) -> Iterator[RenderedImage]:
    """Draws the record's maps for the Images dashboard, an `ImageRenderer`.

    Args:
        record: Maps of one layer at one step. Each example is cropped to its valid lengths.

    Yields:
        One image for each example, with its heads side by side; at most `MAX_HEADS` of them, and
        then the title says so.
    """
    for example, maps in enumerate(record.weights):
        queries, keys = record.query_lengths[example], record.key_lengths[example]
        heads = min(len(maps), MAX_HEADS)
        title = f"{record.layer} · example {example} · step {record.step}"
        if len(maps) > heads:
            title += f" · the first {heads} of {len(maps)} heads"
        titled = heads > 1 or record.heads is not None
        panels = [
            _Panel(weights[:queries, :keys], f"head {head}" if titled else "")
            for weights, head in zip(maps[:heads], record.head_numbers, strict=False)
        ]
        with _drawing:
            figure = _draw(
                panels,
                None if record.key_tokens is None else record.key_tokens[example][:keys],
                None if record.query_tokens is None else record.query_tokens[example][:queries],
                title=title,
            )
            yield _encode(figure, f"attention/{record.layer}/example_{example}")


@dataclass(frozen=True)
class _Panel:
    weights: NDArray[np.float32]  # [Q, K]
    title: str


@dataclass(frozen=True)
class _Geometry:
    """How panels lie on the figure; lengths in inches."""

    columns: int
    rows: int
    width: float  # of a panel
    height: float
    cell: float  # the smaller side of a cell

    @staticmethod
    def of(count: int, queries: int, keys: int) -> _Geometry:
        columns = 1 if count == 1 else min(count, 4, max(2, math.ceil(math.sqrt(count))))
        side = _MAX_SIDE if count == 1 else _PANEL_SIDE
        cell = min(_MAX_CELL, side / max(queries, keys))
        width, height = max(keys * cell, _MIN_SIDE), max(queries * cell, _MIN_SIDE)
        return _Geometry(columns, math.ceil(count / columns), width, height, cell)


def _draw(
    panels: Sequence[_Panel],
    columns: Sequence[str] | None,
    rows: Sequence[str] | None,
    *,
    title: str,
) -> Figure:
    queries, keys = panels[0].weights.shape
    geometry = _Geometry.of(len(panels), queries, keys)
    figure = Figure(dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    norm = _scale([panel.weights for panel in panels])
    blues = matplotlib.colormaps["Blues"].with_extremes(bad=_UNKNOWN)
    axes: list[Axes] = []
    image: Any = None
    for number, panel in enumerate(panels):
        ax = figure.add_axes((0, 0, 1, 1), label=str(number))
        image = ax.imshow(
            np.ma.masked_invalid(panel.weights),
            interpolation="nearest",
            cmap=blues,
            norm=norm,
            aspect="auto",
        )
        first_in_row = number % geometry.columns == 0
        last_in_column = number + geometry.columns >= len(panels)
        _label_axes(
            ax, geometry, columns if last_in_column else (), rows if first_in_row else (), panel
        )
        axes.append(ax)
    bar = figure.add_axes((0, 0, 1, 1), label="colour bar")
    colour_bar: Any = figure.colorbar(image, cax=bar, orientation="horizontal")
    colour_bar.set_label("Attention weight")
    colour_bar.ax.tick_params(labelsize=8)
    _place(figure, axes, bar, geometry, title)
    return figure


def _label_axes(
    ax: Axes,
    geometry: _Geometry,
    columns: Sequence[str] | None,
    rows: Sequence[str] | None,
    panel: _Panel,
) -> None:
    """Ticks, tokens, axis names and the lines between cells. Empty tokens: an inner side, bare."""
    queries, keys = panel.weights.shape
    size = 8 if geometry.cell < 0.2 else 9
    sides: list[tuple[Any, Sequence[str] | None, int, float]] = [
        (ax.xaxis, columns, keys, geometry.width),
        (ax.yaxis, rows, queries, geometry.height),
    ]
    for axis, labels, count, length in sides:
        cell = length / count
        step = max(1, math.ceil(_LABEL_PITCH / cell))
        if labels is None:
            step = _round_step(step)
        if labels is not None and not len(labels):
            axis.set_ticks([])
            continue
        positions = list(range(0, count, step))
        axis.set_ticks(positions)
        texts = [str(p) for p in positions] if labels is None else []
        if labels:
            texts = [drawable(labels[p]) for p in positions]
        axis.set_ticklabels(texts or [""] * len(positions))
        for text, tick in zip(texts, axis.get_ticklabels(), strict=False):
            tick.set_parse_math(False)
            tick.set_fontfamily(families_for(text))
    ax.tick_params(labelsize=size, length=2)
    if (
        geometry.cell >= _MIN_GRID_CELL
    ):  # lines by hand: a tick for each would take ten times as long
        line: dict[str, Any] = {"colors": "#00000018", "linewidth": 0.5}
        ax.vlines(np.arange(1, keys) - 0.5, -0.5, queries - 0.5, **line)
        ax.hlines(np.arange(1, queries) - 0.5, -0.5, keys - 0.5, **line)
    if columns is not None:
        for tick in ax.get_xticklabels():
            tick.set(rotation=45, horizontalalignment="right", rotation_mode="anchor")
    name_size = 8 if panel.title else 10
    if columns is None or len(columns):
        ax.set_xlabel("Input Sequence", fontsize=name_size)
    if rows is None or len(rows):
        ax.set_ylabel("Output Sequence", fontsize=name_size)
    if panel.title:
        ax.set_title(panel.title, fontsize=8, pad=3, color="#555555")


def _place(figure: Figure, axes: Sequence[Axes], bar: Axes, g: _Geometry, title: str) -> None:
    """Makes the figure as large as panels, labels, colour bar and title need, and no larger."""
    figure.set_size_inches(g.width * 2 + 4, g.height * 2 + 4)
    size = figure.get_size_inches()
    box = (1 / size[0], 1 / size[1], g.width / size[0], g.height / size[1])
    left = bottom = right = top = 0.0
    renderer = FigureCanvasAgg(figure).get_renderer()
    # The first column's and the last row's labels stick out furthest; all panels are of one size.
    for ax in {axes[0], axes[(len(axes) - 1) // g.columns * g.columns], axes[-1]}:
        ax.set_position(box)
        around: Any = ax.get_tightbbox(renderer)
        inside = ax.get_window_extent(renderer)
        left = max(left, (inside.x0 - around.x0) / _DPI)
        bottom = max(bottom, (inside.y0 - around.y0) / _DPI)
        right = max(right, (around.x1 - inside.x1) / _DPI)
        top = max(top, (around.y1 - inside.y1) / _DPI)
    bar_text = 0.42
    title_height = 0.3 if title else 0.0
    title_width = 0.077 * len(title)
    maps_width = g.columns * g.width + (g.columns - 1) * _PANEL_GAP
    gap = _PANEL_GAP + (top if g.rows > 1 else 0.0)
    maps_height = g.rows * g.height + (g.rows - 1) * gap
    total_width = max(_MARGIN + left + maps_width + right + _MARGIN, title_width, 3.2)
    base = _MARGIN + bar_text + _BAR_HEIGHT + _BAR_GAP + bottom
    total_height = base + maps_height + top + title_height + _MARGIN
    figure.set_size_inches(total_width, total_height)
    for number, ax in enumerate(axes):
        row, column = divmod(number, g.columns)
        x = _MARGIN + left + column * (g.width + _PANEL_GAP)
        y = base + (g.rows - 1 - row) * (g.height + gap)
        ax.set_position(
            (x / total_width, y / total_height, g.width / total_width, g.height / total_height)
        )
    bar_width = min(max(maps_width * 0.6, 2.0), total_width - 2 * 0.4)
    bar_left = min(
        max(_MARGIN + left + (maps_width - bar_width) / 2, 0.4), total_width - bar_width - 0.4
    )
    bar.set_position(
        (
            bar_left / total_width,
            (_MARGIN + bar_text) / total_height,
            bar_width / total_width,
            _BAR_HEIGHT / total_height,
        )
    )
    if title:
        text = figure.text(
            _MARGIN / total_width,
            1 - _MARGIN / total_height,
            drawable(title, limit=200),
            verticalalignment="top",
            fontsize=9,
        )
        text.set_parse_math(False)
        text.set_fontfamily(families_for(title))


def _scale(maps: Sequence[NDArray[np.float32]]) -> Normalize:
    """From 0 to the largest weight; from the smallest where weights are negative."""
    finite = np.concatenate([weights[np.isfinite(weights)] for weights in maps])
    if not len(finite):
        return Normalize(0.0, 1.0)
    low, high = min(0.0, float(finite.min())), float(finite.max())
    return Normalize(low, high if high > low else low + 1.0)


def _round_step(step: int) -> int:
    """The next of 1, 2, 5, 10, 20, … for numbered positions."""
    magnitude = 10 ** (len(str(step)) - 1)
    return next(m * magnitude for m in (1, 2, 5, 10) if m * magnitude >= step)


def _check_tags(
    argument: str, tags: Sequence[str] | None, count: int, of_what: str
) -> list[str] | None:
    if tags is None:
        return None
    if isinstance(tags, str) or len(tags) != count:
        received = f"the string {tags[:40]!r}" if isinstance(tags, str) else f"{len(tags)}"
        raise ValueError(
            f"{argument}: expected {count} labels, one for each of the map's {of_what}, received "
            f"{received}. Cut map and labels to the same length."
        )
    return [str(tag) for tag in tags]


def _encode(figure: Figure, tag: str) -> RenderedImage:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    png = buffer.getvalue()
    width, height = (int.from_bytes(png[i : i + 4], "big") for i in (16, 20))  # of the IHDR chunk
    return RenderedImage(tag, png, width, height)
