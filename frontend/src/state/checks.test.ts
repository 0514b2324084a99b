import { expect, test } from 'vitest';
import type { AttentionMap } from '../api/model';
import { checkMap, type Recorded } from './checks';

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

const none = () => undefined;

function recorded(values: Record<string, number>): Recorded {
  return (name) => values[name];
}

const sound = [0.5, 0.5, 0, 1, 0, 0];

test('a sound map passes every check', () => {
  expect(checkMap(map(sound), none).map((c) => [c.ok, c.text])).toEqual([
    [true, 'Rows sum to 1'],
    [true, 'No weight on 1 padding key'],
    [true, 'All values finite'],
  ]);
});

test('recorded metrics count more than the quantised weights', () => {
  const [sums, padding] = checkMap(map(sound), recorded({ row_sum_error: 0.2, padding_mass: 0.1 }));
  expect([sums?.ok, padding?.ok]).toEqual([false, false]);
  expect(checkMap(map([9, 9, 9, 9, 9, 9]), recorded({ row_sum_error: 2e-7 }))[0]).toEqual({
    ok: true,
    text: 'Rows sum to 1',
    detail: '±2e-7',
  });
});

test('weights on padding, bad sums and NaN are found in the map itself', () => {
  const broken = checkMap(map([0.5, 0, 0.5, NaN, 0, 0]), none);
  expect(broken.map((c) => c.ok)).toEqual([false, false, true]);
  expect(checkMap(map(sound, { hasNonfinite: true }), none)[2]?.ok).toBe(false);
  expect(checkMap(map(sound, { outOfRange: true }), none)[2]?.ok).toBe(false);
});

test('without padding there is nothing to say about it', () => {
  expect(checkMap(map(sound, { keyLength: 3 }), none)).toHaveLength(2);
});

test('a causal map must not look ahead', () => {
  const ahead = map([0.5, 0.5, 0, 1, 0, 0], { causal: true });
  expect(checkMap(ahead, none)[2]).toEqual({
    ok: false,
    text: 'Weight on later keys',
    detail: 'up to 0.50 of a query',
  });
  expect(checkMap(ahead, recorded({ future_mass: 0 }))[2]?.ok).toBe(true);
});

test('the count of values that are not finite is that of this map, the flag that of the record', () => {
  const flagged = map(sound, { hasNonfinite: true });
  expect(checkMap(flagged, recorded({ nonfinite: 0 }))[2]?.ok).toBe(true);
  expect(checkMap(flagged, recorded({ nonfinite: 3 }))[2]?.text).toBe('3 weights are not finite');
});

test('a pooled map says so, and its maxima are not summed', () => {
  const maxima = map(sound, { pooling: { queries: 3, keys: 5 } });
  expect(checkMap(maxima, none).map((c) => c.text)).toEqual([
    'Stored as maxima of 3 × 5',
    'No weight on 1 padding key',
    'All values finite',
  ]);
  expect(checkMap(maxima, recorded({ row_sum_error: 1e-7 }))[1]?.text).toBe('Rows sum to 1');
});

test.each([
  [1, '1 weight is not finite'],
  [1709, '1,709 weights are not finite'],
])('%d weights that are not finite are counted in words', (nonfinite, text) => {
  const checks = checkMap(map(sound), recorded({ nonfinite, row_sum_error: 0, padding_mass: 0 }));
  expect(checks.at(-1)).toEqual({ ok: false, text });
});
