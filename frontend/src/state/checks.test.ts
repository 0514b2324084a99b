import { expect, test } from 'vitest';
import type { AttentionMap } from '../api/model';
import { checkMap } from './checks';

function map(values: number[], more: Partial<AttentionMap> = {}): AttentionMap {
  return {
    step: 0,
    queries: 2,
    keys: 3,
    queryLength: 2,
    keyLength: 2,
    causal: false,
    hasNonfinite: false,
    outOfRange: false,
    weights: { kind: 'floats', values: Float32Array.from(values) },
    ...more,
  };
}

const sound = [0.5, 0.5, 0, 1, 0, 0];

test('a sound map passes every check', () => {
  expect(checkMap(map(sound), undefined, undefined).map((c) => [c.ok, c.text])).toEqual([
    [true, 'Rows sum to 1'],
    [true, 'No weight on 1 padding key'],
    [true, 'All values finite'],
  ]);
});

test('recorded metrics count more than the quantised weights', () => {
  const [sums, padding] = checkMap(map(sound), 0.2, 0.1);
  expect([sums?.ok, padding?.ok]).toEqual([false, false]);
  expect(checkMap(map([9, 9, 9, 9, 9, 9]), 2e-7, 0)[0]).toEqual({
    ok: true,
    text: 'Rows sum to 1',
    detail: '±2e-7',
  });
});

test('weights on padding, bad sums and NaN are found in the map itself', () => {
  const broken = checkMap(map([0.5, 0, 0.5, NaN, 0, 0]), undefined, undefined);
  expect(broken.map((c) => c.ok)).toEqual([false, false, true]);
  expect(checkMap(map(sound, { hasNonfinite: true }), 0, 0)[2]?.ok).toBe(false);
  expect(checkMap(map(sound, { outOfRange: true }), 0, 0)[2]?.ok).toBe(false);
});

test('without padding there is nothing to say about it', () => {
  expect(checkMap(map(sound, { keyLength: 3 }), 0, 0)).toHaveLength(2);
});
