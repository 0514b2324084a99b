import type { AttentionMap } from '../api/model';
import { weightAt } from '../api/weights';
import type { Region } from '../state/cursor';
import type { Scale } from '../state/url';
import type { MapLayout } from './layout';
import { drawCells, openKeys } from './map';
import { packRgb, parseColor, type Palette } from './palette';
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

function rowMaximum(a: AttentionMap, b: AttentionMap, query: number, keys: number): number {
  let most = 0;
  for (let key = 0; key < keys; key++) {
    const size = Math.abs(differenceAt(a, b, query, key));
    if (size > most && Number.isFinite(size)) most = size;
  }
  return most;
}

/** One pixel per cell; pooled cells show the largest difference among their tokens. */
function diffPixels(
  a: AttentionMap,
  b: AttentionMap,
  region: Region,
  layout: MapLayout,
  scale: Scale,
  palette: Palette,
): ImageData {
  const { poolQueries, poolKeys, firstQuery, firstKey } = layout;
  const columns = Math.ceil(layout.visibleKeys / poolKeys);
  const rows = Math.ceil(layout.visibleQueries / poolQueries);
  const image = new ImageData(columns, rows);
  const pixels = new Uint32Array(image.data.buffer);
  const bad = packRgb(parseColor(palette.bad));
  const sizes = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    sizes.fill(-1);
    const from = firstQuery + row * poolQueries;
    const end = Math.min(firstQuery + layout.visibleQueries, from + poolQueries);
    for (let query = from; query < end; query++) {
      const most = scale === 'row' ? rowMaximum(a, b, query, region.keys) : 1;
      const open = Math.max(openKeys(a, query, region.keys), openKeys(b, query, region.keys));
      for (let key = firstKey; key < firstKey + layout.visibleKeys; key++) {
        const difference = differenceAt(a, b, query, key);
        // Where neither side may have weight and neither has, the mask shows through.
        if (difference === 0 && (key >= open || a.hidden?.[key] === 1)) continue;
        const column = Math.floor((key - firstKey) / poolKeys);
        const size = Number.isFinite(difference) ? Math.abs(difference) : Infinity;
        if (size <= (sizes[column] as number)) continue;
        sizes[column] = size;
        pixels[row * columns + column] = Number.isFinite(difference)
          ? (palette.diverging[divergingIndex(scale, difference, most)] as number)
          : bad;
      }
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
export function movedWeight(
  a: AttentionMap,
  b: AttentionMap,
  region: Region,
  count: number,
): { share: number; most: Move[] } {
  const most: Move[] = [];
  let sum = 0;
  for (let query = 0; query < region.queries; query++) {
    for (let key = 0; key < region.keys; key++) {
      const difference = differenceAt(a, b, query, key);
      if (difference === 0 || !Number.isFinite(difference)) continue;
      const size = Math.abs(difference);
      sum += size;
      const least = most.at(-1);
      if (most.length === count && least && size <= Math.abs(least.difference)) continue;
      const at = most.findIndex((move) => Math.abs(move.difference) < size);
      most.splice(at < 0 ? most.length : at, 0, { query, key, difference });
      if (most.length > count) most.pop();
    }
  }
  // What leaves one key arrives at another: half of all differences is what moved.
  return { share: sum / 2 / Math.max(1, region.queries), most };
}
