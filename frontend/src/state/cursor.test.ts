import { signal } from '@preact/signals';
import { expect, test } from 'vitest';
import type { AttentionMap } from '../api/model';
import { createCursor, maskOf, rankOf, readCell, regionOf, strongestEnd, topKeys } from './cursor';
import { createView } from './view';

const map: AttentionMap = {
  step: 0,
  queries: 3,
  keys: 4,
  queryLength: 2,
  keyLength: 3,
  causal: true,
  hasNonfinite: false,
  outOfRange: false,
  weights: {
    kind: 'floats',
    values: Float32Array.of(1, 0, 0, 0, 0.25, 0.75, 0, 0, 0, 0, 0, 0.5),
  },
};

test('what cannot have weight says why, unless it has some', () => {
  expect(maskOf(map, 0, 1)).toBe('causal');
  expect(maskOf(map, 1, 3)).toBe('padding');
  expect(maskOf(map, 1, 1)).toBe(false);
  expect(readCell(map, { query: 0, key: 2 }).masked).toBe('causal');
  expect(readCell(map, { query: 2, key: 3 })).toEqual({ weight: 0.5, tiny: false, masked: false });
});

test('the region is the valid part, or everything with the padding', () => {
  expect(regionOf(map, false)).toEqual({ queries: 2, keys: 3 });
  expect(regionOf(map, true)).toEqual({ queries: 3, keys: 4 });
});

test('ranks and the strongest keys of a row', () => {
  expect(rankOf(map, { query: 1, key: 0 }, 3)).toEqual({ rank: 2, among: 2 });
  const { top, others, rest } = topKeys(map, 1, 3, 1);
  expect(top.map((entry) => entry.key)).toEqual([1]);
  expect([others, rest]).toEqual([1, 0.25]);
});

test('the other end of the strongest link, of a query and of a key', () => {
  const region = { queries: 3, keys: 4 };
  expect(strongestEnd(map, { side: 'query', index: 1 }, region)).toBe(1);
  expect(strongestEnd(map, { side: 'key', index: 3 }, region)).toBe(2);
  expect(strongestEnd(map, { side: 'key', index: 3 }, { queries: 2, keys: 4 })).toBe(0);
});

/** Weights are given only where `causal`, `lengths` and `hidden` allow them, unless `also` says so. */
function masked(also: readonly number[] = []): AttentionMap {
  const [queries, keys] = [7, 11];
  const values = new Float32Array(queries * keys);
  for (let query = 0; query < 5; query++) {
    for (let key = 0; key <= query; key++)
      if (key !== 1) values[query * keys + key] = (key + 1) / 64;
  }
  for (const index of also) values[index] = 0.5;
  return {
    ...map,
    queries,
    keys,
    queryLength: 5,
    keyLength: 4,
    hidden: Uint8Array.from({ length: keys }, (_, key) => Number(key === 1)),
    weights: { kind: 'floats', values },
  };
}

test.each([
  // Query 3 of a causal map can look at keys 0 to 3, but key 1 is hidden.
  [3, 2, { rank: 2, among: 3 }],
  [0, 0, { rank: 1, among: 1 }],
  // Only as far as the keys go that are no padding; key 4 has weight, so it counts.
  [4, 0, { rank: 4, among: 4 }],
  // A query that is padding looks at nothing.
  [6, 0, { rank: 1, among: 0 }],
])('query %d, key %d: a rank is among the keys that the query can look at', (query, key, rank) => {
  expect(rankOf(masked(), { query, key }, 11)).toEqual(rank);
});

test('the other keys are those that the query can look at', () => {
  expect(topKeys(masked(), 3, 11, 5)).toMatchObject({ others: 0, rest: 0 });
  expect(topKeys(masked(), 3, 11, 2)).toMatchObject({ others: 1, rest: 1 / 64 });
  // Weight on a later key, where none should be, is among them.
  expect(topKeys(masked([3 * 11 + 9]), 3, 11, 2)).toMatchObject({ others: 2, rest: 4 / 64 });
});

test('the crosshair stands on the strongest key of the middle query until it is put elsewhere', () => {
  const view = createView();
  const shown = signal<AttentionMap | null>(null);
  const cursor = createCursor(view, shown);
  expect(cursor.cell.value).toBeNull();
  shown.value = map;
  expect(cursor.cell.value).toEqual({ query: 1, key: 1 });
  cursor.set({ query: 2, key: 3 });
  expect(cursor.cell.value).toEqual({ query: 1, key: 2 });
  view.padding.value = true;
  expect(cursor.cell.value).toEqual({ query: 2, key: 3 });
  cursor.clear();
  expect(cursor.cell.value).toBeNull();
});

test('where bounds are given the crosshair may go as far as they do', () => {
  const view = createView();
  const bounds = signal<{ queries: number; keys: number } | null>({ queries: 3, keys: 1 });
  const cursor = createCursor(view, signal<AttentionMap | null>(map), bounds);
  cursor.set({ query: 2, key: 3 });
  expect(cursor.cell.value).toEqual({ query: 2, key: 0 });
  bounds.value = null;
  expect(cursor.cell.value).toEqual({ query: 1, key: 2 });
});
