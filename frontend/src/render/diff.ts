import type { AttentionMap } from '../api/model';
import { weightAt } from '../api/weights';
import type { Region } from '../state/cursor';
import type { Scale } from '../state/url';
import { pixelOf, pixelsFor, type MapLayout } from './layout';
import { drawCells } from './map';
import { packRgb, parseColor, type Palette } from './palette';
import { MASKED, openKeys, type Pooled } from './pool';
import { position } from './scale';

/** A − B at one cell. */
export function differenceAt(a: AttentionMap, b: AttentionMap, query: number, key: number): number {
  return weightAt(a.weights, query * a.keys + key) - weightAt(b.weights, query * b.keys + key);
}

/** The entry of the diverging ramp: 128 for no difference, 255 where A has all, 0 where B has. */
export function divergingIndex(scale: Scale, difference: number, rowMost: number): number {
  const part = position(scale, Math.abs(difference), rowMost);
  return Math.round(127.5 + Math.sign(difference) * part * 127.5);
}

const BAD = 256;

const known = new WeakMap<AttentionMap, { b: AttentionMap; key: string; pooled: Pooled }>();

/** Entries of the diverging ramp of whole pools; computed once per pair, as panning asks often. */
function pooledDiff(
  a: AttentionMap,
  b: AttentionMap,
  region: Region,
  layout: MapLayout,
  scale: Scale,
): Pooled {
  const { poolQueries, poolKeys } = layout;
  const key = [region.queries, region.keys, poolQueries, poolKeys, scale].join();
  const before = known.get(a);
  if (before?.b === b && before.key === key) return before.pooled;
  const pooled = diffEntries(a, b, region, poolQueries, poolKeys, scale, {
    firstQuery: 0,
    firstKey: 0,
    queries: region.queries,
    keys: region.keys,
  });
  known.set(a, { b, key, pooled });
  return pooled;
}

interface Part {
  readonly firstQuery: number;
  readonly firstKey: number;
  readonly queries: number;
  readonly keys: number;
}

/** Of every pool in a part of the maps the entry of the largest difference among its tokens. */
function diffEntries(
  a: AttentionMap,
  b: AttentionMap,
  region: Region,
  poolQueries: number,
  poolKeys: number,
  scale: Scale,
  part: Part,
): Pooled {
  const columns = pixelsFor(part.keys, poolKeys);
  const rows = pixelsFor(part.queries, poolQueries);
  const columnOf = Int32Array.from({ length: part.keys }, (_, i) => pixelOf(i, poolKeys));
  const entries = new Int16Array(rows * columns).fill(MASKED);
  const sizes = new Float32Array(rows * columns).fill(-1);
  const row = rowReader(a, b, region.keys);
  for (let query = part.firstQuery; query < part.firstQuery + part.queries; query++) {
    const differences = row(query);
    const most = scale === 'row' ? largest(differences) : 1;
    const open = Math.max(openKeys(a, query, region.keys), openKeys(b, query, region.keys));
    const offset = pixelOf(query - part.firstQuery, poolQueries) * columns;
    for (let i = 0; i < part.keys; i++) {
      const key = part.firstKey + i;
      const difference = differences[key] as number;
      // Where neither side may have weight and neither has, the mask shows through.
      if (difference === 0 && (key >= open || a.hidden?.[key] === 1)) continue;
      const at = offset + (columnOf[i] as number);
      const size = Math.abs(difference);
      const finite = size < Infinity;
      if (finite && size <= (sizes[at] as number)) continue;
      sizes[at] = finite ? size : Infinity;
      entries[at] = finite ? divergingIndex(scale, difference, most) : BAD;
    }
  }
  return { columns, entries };
}

/** A − B of one query at a time, in an array that is used again for the next. */
function rowReader(
  a: AttentionMap,
  b: AttentionMap,
  keys: number,
): (query: number) => Float32Array {
  const differences = new Float32Array(keys);
  return (query) => {
    fill(differences, a, query * a.keys, false);
    fill(differences, b, query * b.keys, true);
    return differences;
  };
}

function fill(into: Float32Array, map: AttentionMap, start: number, minus: boolean): void {
  const { weights } = map;
  for (let key = 0; key < into.length; key++) {
    const value =
      weights.kind === 'codes'
        ? (weights.table.values[weights.codes[start + key] as number] as number)
        : (weights.values[start + key] as number);
    into[key] = minus ? (into[key] as number) - value : value;
  }
}

function largest(differences: Float32Array): number {
  let most = 0;
  for (const difference of differences) {
    const size = Math.abs(difference);
    if (size > most && size < Infinity) most = size;
  }
  return most;
}

/** One pixel per cell in sight. */
export function diffPixels(
  a: AttentionMap,
  b: AttentionMap,
  region: Region,
  layout: MapLayout,
  scale: Scale,
  palette: Palette,
): ImageData {
  const { poolQueries, poolKeys, firstQuery, firstKey } = layout;
  const columns = pixelsFor(layout.visibleKeys, poolKeys);
  const rows = pixelsFor(layout.visibleQueries, poolQueries);
  const image = new ImageData(columns, rows);
  const pixels = new Uint32Array(image.data.buffer);
  const bad = packRgb(parseColor(palette.bad));
  const isPooled = poolQueries > 1 || poolKeys > 1;
  const { entries, columns: stride } = isPooled
    ? pooledDiff(a, b, region, layout, scale)
    : diffEntries(a, b, region, 1, 1, scale, {
        firstQuery,
        firstKey,
        queries: layout.visibleQueries,
        keys: layout.visibleKeys,
      });
  const left = isPooled ? pixelOf(firstKey, poolKeys) : 0;
  const top = isPooled ? pixelOf(firstQuery, poolQueries) : 0;
  for (let row = 0; row < rows; row++) {
    const from = (top + row) * stride + left;
    for (let column = 0; column < columns; column++) {
      const entry = entries[from + column] as number;
      if (entry < 0) continue;
      pixels[row * columns + column] = entry === BAD ? bad : (palette.diverging[entry] as number);
    }
  }
  return image;
}

export function drawDiff(
  canvas: HTMLCanvasElement,
  a: AttentionMap,
  b: AttentionMap,
  region: Region,
  layout: MapLayout,
  scale: Scale,
  palette: Palette,
  dpr: number,
): void {
  drawCells(canvas, diffPixels(a, b, region, layout, scale, palette), layout, palette, dpr);
}

export interface Move {
  readonly query: number;
  readonly key: number;
  readonly difference: number;
}

/** How much of a query's weight is elsewhere, on average, and the cells that differ most. */
export interface Moved {
  readonly share: number;
  readonly most: readonly Move[];
}

/** As many rows at a time as take a few milliseconds. */
const CELLS_AT_ONCE = 2 ** 20;

/** Yields after every few rows, so that a long map does not hold up the page. */
export function* movedWeight(
  a: AttentionMap,
  b: AttentionMap,
  region: Region,
  count: number,
): Generator<undefined, Moved> {
  const most: Move[] = [];
  let sum = 0;
  let least = 0;
  const row = rowReader(a, b, region.keys);
  const rest = Math.max(1, Math.floor(CELLS_AT_ONCE / Math.max(1, region.keys)));
  for (let query = 0; query < region.queries; query++) {
    if (query > 0 && query % rest === 0) yield undefined;
    const differences = row(query);
    for (let key = 0; key < region.keys; key++) {
      const difference = differences[key] as number;
      const size = Math.abs(difference);
      if (!(size > 0 && size < Infinity)) continue;
      sum += size;
      if (size <= least) continue;
      const at = most.findIndex((move) => Math.abs(move.difference) < size);
      most.splice(at < 0 ? most.length : at, 0, { query, key, difference });
      if (most.length > count) most.pop();
      if (most.length === count) least = Math.abs(most[count - 1]?.difference ?? 0);
    }
  }
  // What leaves one key arrives at another: half of all differences is what moved.
  // Rows of padding have none.
  const length = (map: AttentionMap) => map.queryLength || map.queries;
  const rows = Math.min(region.queries, Math.max(length(a), length(b)));
  return { share: sum / 2 / Math.max(1, rows), most };
}
