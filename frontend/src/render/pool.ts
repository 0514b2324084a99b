/**
 * Maps of which several tokens share a pixel, pooled once for all of the map: panning then only
 * looks up what is in sight.
 */
import type { AttentionMap } from '../api/model';
import type { Region } from '../state/cursor';
import type { Scale } from '../state/url';
import { pixelOf, pixelsFor, tokenOf } from './layout';
import { codeLookup, colorIndex, rowMaximum } from './scale';

/** Where no weight is possible and there is none. */
export const MASKED = -1;

/** Entries of a colour table, row-major; MASKED for none. */
export interface Pooled {
  readonly columns: number;
  readonly entries: Int16Array;
}

/** The number of keys, from the first, that this query can look at. */
export function openKeys(map: AttentionMap, query: number, keys: number): number {
  if (query >= map.queryLength) return 0;
  const valid = Math.min(keys, map.keyLength);
  return map.causal ? Math.min(valid, query + 1) : valid;
}

const known = new WeakMap<AttentionMap, { key: string; pooled: Pooled }>();

/** The largest entry of every `poolQueries` × `poolKeys` tokens of the region. */
export function pooledEntries(
  map: AttentionMap,
  region: Region,
  poolQueries: number,
  poolKeys: number,
  scale: Scale,
): Pooled {
  const key = [region.queries, region.keys, poolQueries, poolKeys, scale].join();
  const before = known.get(map);
  if (before?.key === key) return before.pooled;
  const columns = pixelsFor(region.keys, poolKeys);
  const rows = pixelsFor(region.queries, poolQueries);
  const ends = Int32Array.from({ length: columns }, (_, column) =>
    Math.min(region.keys, tokenOf(column + 1, poolKeys)),
  );
  const pooled = { columns, entries: new Int16Array(rows * columns).fill(MASKED) };
  for (let query = 0; query < region.queries; query++) {
    const row = pixelOf(query, poolQueries) * columns;
    poolRow(map, region, query, ends, scale, pooled.entries.subarray(row, row + columns));
  }
  known.set(map, { key, pooled });
  return pooled;
}

function poolRow(
  map: AttentionMap,
  region: Region,
  query: number,
  /** For each pixel the end of its keys. */
  ends: Int32Array,
  scale: Scale,
  into: Int16Array,
): void {
  const { weights } = map;
  const start = query * map.keys;
  const open = openKeys(map, query, region.keys);
  const most = scale === 'row' ? rowMaximum(weights, start, region.keys) : 1;
  if (weights.kind === 'codes') {
    const { codes } = weights;
    const lookup = lookupFor(weights.table.values, scale, most);
    for (let column = 0, key = 0; column < into.length; column++) {
      const from = key;
      const end = ends[column] as number;
      // Codes ascend with the weight: one look at the table per pixel.
      let code = 0;
      for (; key < end; key++) {
        const one = codes[start + key] as number;
        if (one > code) code = one;
      }
      if (code === 0 && from >= open) continue;
      const entry = lookup[code] as number;
      if (entry > (into[column] as number)) into[column] = entry;
    }
    return;
  }
  for (let column = 0, key = 0; column < into.length; column++) {
    const end = ends[column] as number;
    let entry = into[column] as number;
    for (; key < end; key++) {
      const value = weights.values[start + key] as number;
      if (value === 0 && (key >= open || map.hidden?.[key] === 1)) continue;
      entry = Math.max(entry, colorIndex(scale, value, most));
    }
    into[column] = entry;
  }
}

let lastLookup: { values: Float32Array; scale: Scale; lookup: Uint16Array } | null = null;

/** The table changes with every row of the per-row scale only. */
export function lookupFor(values: Float32Array, scale: Scale, most: number): Uint16Array {
  if (scale === 'row') return codeLookup(scale, values, most);
  if (lastLookup?.values !== values || lastLookup.scale !== scale) {
    lastLookup = { values, scale, lookup: codeLookup(scale, values) };
  }
  return lastLookup.lookup;
}
