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

const CHARACTER = 6.2;
const LABEL_HEIGHT = 16;
const GAP = 4;

interface Rectangle {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Outlines of what is in sight, with labels that do not lie over one another. */
export function placeFailures(
  failures: readonly FailureInfo[],
  layout: MapLayout,
  labelOf: (failure: FailureInfo) => string,
): FailureBox[] {
  const taken: Rectangle[] = [];
  return failures.flatMap((failure) => {
    const box = outline(failure, layout);
    if (!box) return [];
    const label = labelOf(failure);
    const width = label.length * CHARACTER + 12;
    const place = places(box, width, failure.kind === 'skip')
      .map(([left, top]) => ({ left, top, right: left + width, bottom: top + LABEL_HEIGHT }))
      .find(
        (spot) =>
          spot.left >= 0 &&
          spot.top >= 0 &&
          spot.right <= layout.width &&
          spot.bottom <= layout.height &&
          taken.every((other) => !overlap(spot, other)),
      );
    if (place) taken.push(place);
    return [
      {
        failure,
        left: box.left,
        top: box.top,
        width: box.right - box.left,
        height: box.bottom - box.top,
        label,
        labelAt: place ? { left: place.left, top: place.top } : null,
      },
    ];
  });
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

/** Beside the box, then above and below it, then inside; what is empty has its words inside. */
function places(box: Rectangle, width: number, empty: boolean): [number, number][] {
  const beside: [number, number][] = [];
  const inside: [number, number][] = [];
  for (let top = box.top; top <= box.bottom && beside.length < 12; top += LABEL_HEIGHT + 2) {
    beside.push([box.right + GAP, top], [box.left - GAP - width, top]);
    const fits = box.left + GAP + width <= box.right && top + GAP + LABEL_HEIGHT <= box.bottom;
    if (fits) inside.push([box.left + GAP, top + GAP]);
  }
  const around: [number, number][] = [
    ...beside,
    [box.left, box.top - LABEL_HEIGHT - GAP],
    [box.left, box.bottom + GAP],
  ];
  return empty ? [...inside, ...around] : [...around, ...inside];
}

function overlap(a: Rectangle, b: Rectangle): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}
