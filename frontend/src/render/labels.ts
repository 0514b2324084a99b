import { columnX, rowY, showsKey, showsQuery, type MapLayout } from './layout';

/** Least distance between two labels, in CSS pixels. */
const LEAST = 12;
const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];
const SPARSE_COLUMNS = 64;
const SPARSE_ROWS = 32;
/** What a sparse label takes at most; nearer to the right edge it is on the left of its line. */
const SPARSE_WIDTH = 88;

export interface AxisLabel {
  readonly index: number;
  /** Middle of the label's cell, in CSS pixels from the corner of the map. */
  readonly at: number;
  /** The crosshair's. */
  readonly current: boolean;
  readonly pinned: boolean;
}

/** Every how manieth token gets a label when one token takes `pitch` pixels. */
export function labelInterval(pitch: number, sparse: boolean, sparseDistance: number): number {
  // Positions that are powers of two, as lengths of sequences are.
  if (sparse) return 2 ** Math.max(0, Math.ceil(Math.log2(sparseDistance / pitch) - 1e-9));
  return STEPS.find((n) => n * pitch >= LEAST) ?? Math.ceil(LEAST / pitch);
}

function axis(
  first: number,
  end: number,
  current: number | null,
  pinned: number | null,
  interval: number,
  clearance: number,
  middle: (index: number) => number,
): AxisLabel[] {
  const labels: AxisLabel[] = [];
  // The crosshair's label pushes its neighbours out, a pinned one all but the crosshair's.
  const kept = [current, pinned].filter((index) => index !== null);
  const clear = (index: number, others: readonly number[]) =>
    others.every((other) => Math.abs(middle(other) - middle(index)) >= clearance);
  // The same tokens are labelled wherever one pans to.
  for (let index = Math.ceil(first / interval) * interval; index < end; index += interval) {
    if (kept.includes(index) || !clear(index, kept)) continue;
    labels.push({ index, at: middle(index), current: false, pinned: false });
  }
  if (pinned !== null && pinned !== current && (current === null || clear(pinned, [current]))) {
    labels.push({ index: pinned, at: middle(pinned), current: false, pinned: true });
  }
  if (current !== null) {
    labels.push({
      index: current,
      at: middle(current),
      current: true,
      pinned: pinned === current,
    });
  }
  return labels;
}

export function columnLabels(
  layout: MapLayout,
  keys: number,
  current: number | null,
  pinned: number | null = null,
): AxisLabel[] {
  const sparse = layout.mode === 'sparse';
  const interval = labelInterval(layout.cellWidth / layout.poolKeys, sparse, SPARSE_COLUMNS);
  const clearance = interval === 1 ? 0 : sparse ? SPARSE_WIDTH : LEAST;
  const { firstKey, visibleKeys } = layout;
  const labels = axis(
    firstKey,
    Math.min(keys, firstKey + visibleKeys),
    current !== null && showsKey(layout, current) ? current : null,
    pinned !== null && showsKey(layout, pinned) ? pinned : null,
    interval,
    clearance,
    (i) => columnX(layout, i) + layout.cellWidth / 2,
  );
  if (!sparse) return labels;
  const isFlipped = (label: AxisLabel) => flips(layout, label.at);
  const kept = labels.filter((label) => label.current || label.pinned).filter(isFlipped);
  return labels.filter(
    (label) =>
      label.current ||
      label.pinned ||
      (!isFlipped(label) && kept.every(({ at }) => at - label.at >= 2 * SPARSE_WIDTH)),
  );
}

/** How wide a sparse label may be where the next one is, in CSS pixels. */
export function sparseWidth(layout: MapLayout): number {
  const pitch = layout.cellWidth / layout.poolKeys;
  return Math.min(SPARSE_WIDTH, Math.floor(labelInterval(pitch, true, SPARSE_COLUMNS) * pitch));
}

/** Whether a sparse label has no room at the right of its line. */
export function flips(layout: MapLayout, at: number): boolean {
  return at > layout.width - SPARSE_WIDTH;
}

export function rowLabels(
  layout: MapLayout,
  queries: number,
  current: number | null,
  pinned: number | null = null,
): AxisLabel[] {
  const sparse = layout.mode === 'sparse';
  const pitch = layout.cellHeight / layout.poolQueries;
  const interval = labelInterval(pitch, sparse && pitch < 4, SPARSE_ROWS);
  const clearance = interval === 1 ? 0 : LEAST;
  const { firstQuery, visibleQueries } = layout;
  return axis(
    firstQuery,
    Math.min(queries, firstQuery + visibleQueries),
    current !== null && showsQuery(layout, current) ? current : null,
    pinned !== null && showsQuery(layout, pinned) ? pinned : null,
    interval,
    clearance,
    (i) => rowY(layout, i) + layout.cellHeight / 2,
  );
}
