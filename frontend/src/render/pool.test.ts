import { expect, test } from 'vitest';
import type { AttentionMap } from '../api/model';
import { MASKED, pooledEntries } from './pool';
import { colorIndex } from './scale';

const table = { id: 1, values: Float32Array.of(0, 1e-6, 0.25, 0.5, 1), tiny: 1e-5 };
const queries = 7;
const keys = 11;
const codes = Uint8Array.from({ length: queries * keys }, (_, i) =>
  i % keys > Math.floor(i / keys) + 1 || i % keys >= 9 ? 0 : (i * 31) % 5,
);
const base = {
  step: 0,
  queries,
  keys,
  queryLength: 6,
  keyLength: 9,
  causal: true,
  hasNonfinite: false,
  outOfRange: false,
};
const coded: AttentionMap = { ...base, weights: { kind: 'codes', codes, table } };
const floats: AttentionMap = {
  ...base,
  weights: { kind: 'floats', values: Float32Array.from(codes, (c) => table.values[c] ?? NaN) },
};

/** Each pixel by itself: the largest entry of its cells, none where all of them are masked. */
function slow(poolQueries: number, poolKeys: number): number[] {
  const entries: number[] = [];
  for (let top = 0; top < queries; top += poolQueries) {
    for (let left = 0; left < keys; left += poolKeys) {
      let entry = MASKED;
      for (let q = top; q < Math.min(queries, top + poolQueries); q++) {
        for (let k = left; k < Math.min(keys, left + poolKeys); k++) {
          const code = codes[q * keys + k] ?? 0;
          const open = q < 6 && k < 9 && k <= q;
          if (code === 0 && !open) continue;
          entry = Math.max(entry, colorIndex('linear', table.values[code] ?? NaN, 1));
        }
      }
      entries.push(entry);
    }
  }
  return entries;
}

test.each([
  [2, 2],
  [3, 2],
  [1, 5],
  [7, 11],
])('pooled by %i × %i as every pixel by itself', (poolQueries, poolKeys) => {
  for (const map of [coded, floats]) {
    const { entries, columns } = pooledEntries(
      map,
      { queries, keys },
      poolQueries,
      poolKeys,
      'linear',
    );
    expect(columns).toBe(Math.ceil(keys / poolKeys));
    expect([...entries]).toEqual(slow(poolQueries, poolKeys));
  }
});
