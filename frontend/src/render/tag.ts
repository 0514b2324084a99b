/** Where the words at the crosshair go: beside its cell, in the pane, off the labels of the rows. */

interface Rectangle {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

interface Extent {
  readonly width: number;
  readonly height: number;
}

/** Between the cell and its tag. */
const BESIDE = 8;
const ABOVE = 4;
/** Between the tag and the pane's edge. */
const EDGE = 4;

/** The characters of a token that a tag shows at most, before an ellipsis. */
export const TAG_TOKEN = 16;
const CHARACTER = 7.25;
/** The letters of these scripts, and emoji, take nearly two. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]|\p{Extended_Pictographic}/u;

/** About the width of a token in the tag; the style sheet cuts it at the most this can be. */
export function tokenWidth(label: string): number {
  let width = 0;
  for (const character of label) width += WIDE.test(character) ? 1.7 * CHARACTER : CHARACTER;
  return Math.min(width, TAG_TOKEN * CHARACTER);
}

/**
 * Left and top of a tag: right above the cell, at its left where it would leave the pane, below
 * where it would lie over the labels of the columns.
 *
 * Everything is in CSS pixels from the map's corner.
 */
export function placeTag(
  cell: Rectangle,
  tag: Extent,
  pane: Rectangle,
): { left: number; top: number } {
  const fits = (left: number, from: number) =>
    left >= from && left + tag.width <= pane.right - EDGE;
  const right = cell.right + BESIDE;
  const left = cell.left - BESIDE - tag.width;
  // Rather over the map than over the row labels, which begin at 0.
  const clamped = Math.max(pane.left + EDGE, Math.min(right, pane.right - EDGE - tag.width));
  const above = cell.top - ABOVE - tag.height;
  const below = cell.bottom + ABOVE;
  const isBelow = above < 0 && below + tag.height <= pane.bottom - EDGE;
  return {
    left: fits(right, pane.left) ? right : fits(left, 0) ? left : clamped,
    top: isBelow ? below : Math.max(pane.top + EDGE, above),
  };
}
