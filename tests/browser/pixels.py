"""What a canvas shows, and which colours it should have."""

from __future__ import annotations

import base64

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Locator

from tests.browser.tab import Tab

Image = NDArray[np.uint8]

_READ = """canvas => {
  const { width, height } = canvas;
  const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
  let text = '';
  for (let i = 0; i < data.length; i += 8192) {
    text += String.fromCharCode(...data.subarray(i, i + 8192));
  }
  return [width, height, btoa(text)];
}"""


def read(canvas: Locator) -> Image:
    """The pixels of a canvas, uint8 `[height, width, 4]`, as RGBA."""
    width, height, data = canvas.evaluate(_READ)
    return np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4)


def color(tab: Tab, token: str) -> NDArray[np.uint8]:
    """RGB of a design token, `[3]`."""
    text = tab.frame.locator("html").evaluate(
        "(root, name) => getComputedStyle(root).getPropertyValue(name).trim()", f"--{token}"
    )
    digits = text.removeprefix("#")
    wide = digits if len(digits) == 6 else "".join(2 * digit for digit in digits)
    return np.frombuffer(bytes.fromhex(wide), np.uint8)


def ink(tab: Tab) -> Image:
    """The ramp of the colour map Ink in the theme in force, `[256, 3]`: nine stops, straight
    lines between them."""
    stops = np.stack([color(tab, f"seq-{i}") for i in range(9)]).astype(np.float64)
    at = np.arange(256) / 255 * 8
    mixed = [np.interp(at, np.arange(9), stops[:, channel]) for channel in range(3)]
    return np.floor(np.stack(mixed, -1) + 0.5).astype(np.uint8)


def entry(position: NDArray[np.float64]) -> NDArray[np.intp]:
    """The entry of a ramp at a position from 0 to 1."""
    return np.floor(np.clip(position, 0, 1) * 255 + 0.5).astype(np.intp)


def cell_centers(tab: Tab, image: Image) -> Image:
    """The pixel in the middle of each cell of a map that is shown whole, `[queries, keys, 3]`."""
    queries, keys = int(tab.map_attribute("queries")), int(tab.map_attribute("keys"))
    rows = (np.arange(queries) + 0.5) * image.shape[0] / queries
    columns = (np.arange(keys) + 0.5) * image.shape[1] / keys
    return image[rows.astype(int)][:, columns.astype(int), :3]
