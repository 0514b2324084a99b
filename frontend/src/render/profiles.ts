import type { AttentionMap } from '../api/model';
import { weightAt, type Weights } from '../api/weights';
import type { Cell } from '../state/url';
import type { Region } from '../state/cursor';
import { columnX, pixelsFor, rowY, tokenOf, type MapLayout } from './layout';
import { prepare } from './map';
import type { Palette } from './palette';

const means = new WeakMap<Weights, { keys: number; queries: number; values: Float64Array }>();

/** The mean weight of every key over all valid queries; computed once per map. */
export function meanOfQueries(map: AttentionMap, region: Region): Float64Array {
  const known = means.get(map.weights);
  if (known?.keys === region.keys && known.queries === region.queries) return known.values;
  const values = new Float64Array(region.keys);
  const queries = Math.min(region.queries, map.queryLength || map.queries);
  for (let query = 0; query < queries; query++) {
    const start = query * map.keys;
    addRow(values, map.weights, start);
  }
  for (let key = 0; key < region.keys; key++) values[key] = (values[key] as number) / queries;
  means.set(map.weights, { keys: region.keys, queries: region.queries, values });
  return values;
}

/** Millions of weights in a long sequence: no call per weight. */
function addRow(values: Float64Array, weights: Weights, start: number): void {
  if (weights.kind === 'codes') {
    const { codes, table } = weights;
    for (let key = 0; key < values.length; key++) {
      values[key] =
        (values[key] as number) + (table.values[codes[start + key] as number] as number);
    }
    return;
  }
  for (let key = 0; key < values.length; key++) {
    values[key] = (values[key] as number) + (weights.values[start + key] as number);
  }
}

function clamp(weight: number): number {
  return Number.isFinite(weight) ? Math.max(0, Math.min(1, weight)) : 0;
}

/** For each pixel its first token, and the largest value of its tokens: what a pooled bar shows. */
function* bars(
  first: number,
  visible: number,
  pool: number,
  value: (token: number) => number,
): Generator<{ token: number; most: number }> {
  for (let pixel = 0; pixel < pixelsFor(visible, pool); pixel++) {
    const token = first + tokenOf(pixel, pool);
    const end = first + Math.min(visible, tokenOf(pixel + 1, pool));
    let most = 0;
    for (let i = token; i < end; i++) most = Math.max(most, clamp(value(i)));
    yield { token, most };
  }
}

/** The weights of the crosshair's query above the map, and the mean of all queries as a line. */
export function drawRowProfile(
  canvas: HTMLCanvasElement,
  map: AttentionMap | null,
  region: Region,
  layout: MapLayout,
  cell: Cell | null,
  palette: Palette,
  dpr: number,
): void {
  const height = layout.rowProfile;
  const context = prepare(canvas, layout.width, height, dpr);
  if (!context) return;
  context.fillStyle = palette.line;
  context.fillRect(0, 0, layout.width, 1);
  context.fillStyle = palette.lineStrong;
  context.fillRect(0, height - 1, layout.width, 1);
  if (!map) return;
  const scale = height - 2;
  const { cellWidth, poolKeys, firstKey, visibleKeys } = layout;
  const gap = cellWidth >= 12 ? Math.max(2, Math.round(cellWidth * 0.14)) : cellWidth >= 4 ? 1 : 0;
  if (cell) {
    const start = cell.query * map.keys;
    const weightOf = (key: number) => weightAt(map.weights, start + key);
    for (const { token: key, most: weight } of bars(firstKey, visibleKeys, poolKeys, weightOf)) {
      if (weight === 0) continue;
      const bar = Math.max(weight > 0.005 ? 1 : 0.5, weight * scale);
      const current = columnX(layout, key) === columnX(layout, cell.key);
      context.fillStyle = current ? palette.accent : palette.series;
      context.fillRect(columnX(layout, key) + gap, height - 1 - bar, cellWidth - 2 * gap, bar);
    }
  }
  const mean = meanOfQueries(map, region);
  context.strokeStyle = palette.ink3;
  context.lineWidth = 1;
  context.beginPath();
  const meanOf = (key: number) => mean[key] as number;
  for (const { token: key, most } of bars(firstKey, visibleKeys, poolKeys, meanOf)) {
    const x = columnX(layout, key);
    const y = height - 1.5 - most * scale;
    if (key === firstKey) context.moveTo(x, y);
    else context.lineTo(x, y);
    context.lineTo(x + cellWidth, y);
  }
  context.stroke();
}

/** The weights that all queries give to the crosshair's key, right of the map. */
export function drawColumnProfile(
  canvas: HTMLCanvasElement,
  map: AttentionMap | null,
  layout: MapLayout,
  cell: Cell | null,
  palette: Palette,
  dpr: number,
): void {
  const width = layout.columnProfile;
  const context = prepare(canvas, width, layout.height, dpr);
  if (!context) return;
  context.fillStyle = palette.lineStrong;
  context.fillRect(0, 0, 1, layout.height);
  context.fillStyle = palette.line;
  context.fillRect(width - 1, 0, 1, layout.height);
  if (!map || !cell) return;
  const scale = width - 2;
  const { cellHeight, poolQueries, firstQuery, visibleQueries } = layout;
  const gap =
    cellHeight >= 12 ? Math.max(2, Math.round(cellHeight * 0.14)) : cellHeight >= 4 ? 1 : 0;
  const weightOf = (query: number) => weightAt(map.weights, query * map.keys + cell.key);
  for (const bar of bars(firstQuery, visibleQueries, poolQueries, weightOf)) {
    const { token: query, most: weight } = bar;
    if (weight === 0) continue;
    const current = rowY(layout, query) === rowY(layout, cell.query);
    context.fillStyle = current ? palette.accent : palette.series;
    const length = Math.max(weight > 0.005 ? 1 : 0.5, weight * scale);
    context.fillRect(1, rowY(layout, query) + gap, length, cellHeight - 2 * gap);
  }
}
