import { columnX, rowY, showsKey, showsQuery, type MapLayout } from './layout';

/** Least distance between two labels, in CSS pixels. */
const LEAST = 12;
const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];
const SPARSE_COLUMNS = 64;
const SPARSE_ROWS = 32;

export interface AxisLabel {
  readonly index: number;
  /** Middle of the label's cell, in CSS pixels from the corner of the map. */
  readonly at: number;
  /** The crosshair's. */
  readonly current: boolean;
}

/** Every how manieth token gets a label when one token takes `pitch` pixels. */
export function labelInterval(pitch: number, sparse: boolean, sparseDistance: number): number {
  if (sparse) return Math.max(1, Math.round(sparseDistance / pitch));
  return STEPS.find((n) => n * pitch >= LEAST) ?? Math.ceil(LEAST / pitch);
}

function axis(
  first: number,
  end: number,
  current: number | null,
  interval: number,
  clearance: number,
  middle: (index: number) => number,
): AxisLabel[] {
  const labels: AxisLabel[] = [];
  const here = current === null ? null : middle(current);
  // The same tokens are labelled wherever one pans to.
  for (let index = Math.ceil(first / interval) * interval; index < end; index += interval) {
    if (index === current) continue;
    const at = middle(index);
    // The crosshair's label pushes its neighbours out.
    if (here !== null && Math.abs(at - here) < clearance) continue;
    labels.push({ index, at, current: false });
  }
  if (current !== null && here !== null) labels.push({ index: current, at: here, current: true });
  return labels;
}

export function columnLabels(layout: MapLayout, keys: number, current: number | null): AxisLabel[] {
  const sparse = layout.mode === 'sparse';
  const interval = labelInterval(layout.cellWidth / layout.poolKeys, sparse, SPARSE_COLUMNS);
  const clearance = interval === 1 ? 0 : sparse ? SPARSE_COLUMNS : LEAST;
  const { firstKey, visibleKeys } = layout;
  return axis(
    firstKey,
    Math.min(keys, firstKey + visibleKeys),
    current !== null && showsKey(layout, current) ? current : null,
    interval,
    clearance,
    (i) => columnX(layout, i) + layout.cellWidth / 2,
  );
}

export function rowLabels(layout: MapLayout, queries: number, current: number | null): AxisLabel[] {
  const sparse = layout.mode === 'sparse';
  const pitch = layout.cellHeight / layout.poolQueries;
  const interval = labelInterval(pitch, sparse && pitch < 4, SPARSE_ROWS);
  const clearance = interval === 1 ? 0 : LEAST;
  const { firstQuery, visibleQueries } = layout;
  return axis(
    firstQuery,
    Math.min(queries, firstQuery + visibleQueries),
    current !== null && showsQuery(layout, current) ? current : null,
    interval,
    clearance,
    (i) => rowY(layout, i) + layout.cellHeight / 2,
  );
}
