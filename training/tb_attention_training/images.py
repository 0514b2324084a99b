"""Figures for the Images dashboard, drawn beside a training."""

from __future__ import annotations

from collections.abc import Iterable

from tb_attention_plugin.store.record import AttentionRecord, ImageRenderer, RenderedImage
from tb_attention_training.guard import gist, warn


class Images:
    """Draws records on the writer's thread; one that cannot be drawn is told once.

    Args:
        only_chosen: Draw only the steps that were chosen.

    Raises:
        ImportError: matplotlib is not installed.
    """

    def __init__(self, *, only_chosen: bool) -> None:
        from tb_attention_training.plotting import render_attention_images

        self._renderer: ImageRenderer = render_attention_images
        self._chosen: set[int] | None = set() if only_chosen else None
        self._warned = False

    def choose(self, step: int) -> None:
        """Lets the records of a step be drawn."""
        if self._chosen is not None:
            self._chosen.add(step)

    def render(self, record: AttentionRecord) -> Iterable[RenderedImage]:
        """Draws a record: the `render_images` of a writer."""
        if self._chosen is not None and record.step not in self._chosen:
            return ()
        try:
            return list(self._renderer(record))
        except Exception as error:
            if not self._warned:
                self._warned = True
                warn(
                    f"The image of layer {record.layer!r} at step {record.step} could not be "
                    f"drawn, its maps are recorded all the same. {gist(error)}"
                )
            return ()
