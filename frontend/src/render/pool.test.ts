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
function slow(rows: number, columns: number, rowOf: Place, columnOf: Place): number[] {
  const entries = Array<number>(rows * columns).fill(MASKED);
  for (let q = 0; q < queries; q++) {
    for (let k = 0; k < keys; k++) {
      const code = codes[q * keys + k] ?? 0;
      const open = q < 6 && k < 9 && k <= q;
      if (code === 0 && !open) continue;
      const at = rowOf(q) * columns + columnOf(k);
      const entry = colorIndex('linear', table.values[code] ?? NaN, 1);
      entries[at] = Math.max(entries[at] ?? MASKED, entry);
    }
  }
  return entries;
}

type Place = (token: number) => number;

test.each([
  [2, 2],
  [3, 2],
  [1, 5],
  [7, 11],
])('pooled by %i × %i as every pixel by itself', (poolQueries, poolKeys) => {
  const [rows, columns] = [Math.ceil(queries / poolQueries), Math.ceil(keys / poolKeys)];
  const expected = slow(
    rows,
    columns,
    (q) => Math.floor(q / poolQueries),
    (k) => Math.floor(k / poolKeys),
  );
  for (const map of [coded, floats]) {
    const pooled = pooledEntries(map, { queries, keys }, poolQueries, poolKeys, 'linear');
    expect(pooled.columns).toBe(columns);
    expect([...pooled.entries]).toEqual(expected);
  }
});

test.each([
  [5, 7],
  [3, 10],
  [6, 2],
])('into %i × %i pixels, however many tokens these are', (rows, columns) => {
  const expected = slow(
    rows,
    columns,
    (q) => Math.floor((q * rows) / queries),
    (k) => Math.floor((k * columns) / keys),
  );
  for (const map of [coded, floats]) {
    const pool = [queries / rows, keys / columns] as const;
    const pooled = pooledEntries(map, { queries, keys }, ...pool, 'linear');
    expect(pooled.columns).toBe(columns);
    expect([...pooled.entries]).toEqual(expected);
  }
});
