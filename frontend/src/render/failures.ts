import type { FailureInfo } from '../api/model';
import { pixelOf, type MapLayout } from './layout';

/** A failure's outline on the map, in CSS pixels from the map's corner, and where its words go. */
export interface FailureBox {
  readonly failure: FailureInfo;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly label: string;
  /** Null where no place is free. */
  readonly labelAt: { readonly left: number; readonly top: number } | null;
}

/** The style sheet's: words of 11 px with 6 px at each side. */
const CHARACTER = 6.2;
const PADDING = 12;
const LABEL_HEIGHT = 16;
/** What an outline takes of either side of its edge. */
const EDGE = 3;

interface Rectangle {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/**
 * Outlines of what is in sight, with words that touch their own outline and no other one, nor each
 * other. Where there is no such place the words are left to the tooltip.
 */
export function placeFailures(
  failures: readonly FailureInfo[],
  layout: MapLayout,
  labelOf: (failure: FailureInfo) => string,
): FailureBox[] {
  const boxes = failures.flatMap((failure) => {
    const box = outline(failure, layout);
    return box ? [{ failure, box }] : [];
  });
  const taken: Rectangle[] = [];
  return boxes.map(({ failure, box }) => {
    const free = (spot: Rectangle) =>
      spot.left >= 0 &&
      spot.top >= 0 &&
      spot.right <= layout.width &&
      spot.bottom <= layout.height &&
      taken.every((other) => !overlap(spot, other)) &&
      boxes.every((other) => other.box === box || !overlap(spot, grown(other.box)));
    // Without its place, which the outline shows, where there is no room for all of it.
    const words = labelOf(failure);
    const spots = [words, words.split(',')[0] ?? words].flatMap((label) =>
      places(box, widthOf(label), failure.kind).map(([left, top]) => ({
        label,
        spot: { left, top, right: left + widthOf(label), bottom: top + LABEL_HEIGHT },
      })),
    );
    const place = spots.find(({ spot }) => free(spot));
    if (place) taken.push(place.spot);
    return {
      failure,
      left: box.left,
      top: box.top,
      width: box.right - box.left,
      height: box.bottom - box.top,
      label: place?.label ?? words,
      labelAt: place ? { left: place.spot.left, top: place.spot.top } : null,
    };
  });
}

function widthOf(label: string): number {
  return label.length * CHARACTER + PADDING;
}

function grown({ left, top, right, bottom }: Rectangle): Rectangle {
  return { left: left - EDGE, top: top - EDGE, right: right + EDGE, bottom: bottom + EDGE };
}

/** The part in sight; whole cells of the drawn map, where it is pooled. */
function outline(failure: FailureInfo, layout: MapLayout): Rectangle | null {
  const column = (key: number) => pixelOf(key - layout.firstKey, layout.poolKeys);
  const row = (query: number) => pixelOf(query - layout.firstQuery, layout.poolQueries);
  const clamp = (value: number, most: number) => Math.max(0, Math.min(most, value));
  const left = clamp(column(failure.firstKey) * layout.cellWidth, layout.width);
  const right = clamp((column(failure.endKey - 1) + 1) * layout.cellWidth, layout.width);
  const top = clamp(row(failure.firstQuery) * layout.cellHeight, layout.height);
  const bottom = clamp((row(failure.endQuery - 1) + 1) * layout.cellHeight, layout.height);
  return right > left && bottom > top ? { left, top, right, bottom } : null;
}

/** In an upper corner of the box where they fit, else as a flag on one of its corners. */
function places(box: Rectangle, width: number, kind: string): [number, number][] {
  const { left, top, right, bottom } = box;
  const inside: [number, number][] = [
    [right - EDGE - width, top + EDGE],
    [left + EDGE, top + EDGE],
  ];
  // The corner without weight: a jump goes from the upper right to the lower left.
  if (kind === 'backward_jump' || kind === 'skip') inside.reverse();
  const fits =
    right - left >= width + 2 * EDGE && bottom - top >= 2 * (LABEL_HEIGHT + EDGE) ? inside : [];
  const flags: [number, number][] = [
    [left, top - LABEL_HEIGHT],
    [right - width, top - LABEL_HEIGHT],
    [left, bottom],
    [right - width, bottom],
    [right, top],
    [left - width, top],
    [right, bottom - LABEL_HEIGHT],
    [left - width, bottom - LABEL_HEIGHT],
  ];
  return [...fits, ...flags];
}

function overlap(a: Rectangle, b: Rectangle): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}
