import { signal } from '@preact/signals';
import { expect, test } from 'vitest';
import type { AttentionMap } from '../api/model';
import { createCursor, maskOf, rankOf, readCell, regionOf, topKeys } from './cursor';
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
  expect(rankOf(map, { query: 1, key: 0 }, 3)).toBe(2);
  const { top, others, rest } = topKeys(map, 1, 3, 1);
  expect(top.map((entry) => entry.key)).toEqual([1]);
  expect([others, rest]).toEqual([2, 0.25]);
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
