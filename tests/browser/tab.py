"""What a browser test holds in its hands."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import FrameLocator, Page

from tests.tensorboard_process import TensorBoard

__all__ = ["Tab", "TensorBoard"]


@dataclass
class Tab:
    """The Attention tab in a page.

    Attributes:
        page: TensorBoard's page.
        frame: The plugin's frame in it.
        complaints: Console errors and warnings, uncaught exceptions, failed requests.
    """

    page: Page
    frame: FrameLocator
    complaints: list[str]

    def text(self, testid: str) -> str:
        """Text of an element."""
        return self.frame.get_by_test_id(testid).inner_text()

    def map_attribute(self, name: str) -> str:
        """A `data-` attribute of the map."""
        value = self.frame.get_by_test_id("map").get_attribute(f"data-{name}")
        assert value is not None, f"The map has no attribute data-{name}."
        return value

    def wait_for_map(self, **attributes: str | int) -> None:
        """Waits until the map is drawn, with these `data-` attributes."""
        wanted = "".join(f'[data-{name}="{value}"]' for name, value in attributes.items())
        self.frame.locator(f'[data-testid="map"][data-state="ready"]{wanted}').wait_for(
            state="visible", timeout=20_000
        )

    def hover(self, query: int, key: int) -> float:
        """Moves the pointer to a cell and returns the weight that is shown for it."""
        canvas = self.frame.get_by_test_id("map")
        box = canvas.bounding_box()
        assert box is not None
        x = (key + 0.5) * box["width"] / int(self.map_attribute("keys"))
        y = (query + 0.5) * box["height"] / int(self.map_attribute("queries"))
        canvas.hover(position={"x": x, "y": y})
        self.frame.locator(
            f'[data-testid="map"][data-query="{query}"][data-key="{key}"]'
        ).wait_for()
        return float(self.map_attribute("value"))
