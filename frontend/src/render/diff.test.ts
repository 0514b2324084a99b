import { expect, test } from 'vitest';
import type { AttentionMap } from '../api/model';
import { differenceAt, divergingIndex, movedWeight, type Moved } from './diff';

function map(keys: number, values: number[]): AttentionMap {
  const queries = values.length / keys;
  return {
    step: 0,
    queries,
    keys,
    queryLength: queries,
    keyLength: keys,
    causal: false,
    hasNonfinite: false,
    outOfRange: false,
    weights: { kind: 'floats', values: Float32Array.from(values) },
  };
}

function moved(...args: Parameters<typeof movedWeight>): Moved {
  const work = movedWeight(...args);
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

test('maps of different widths are compared key by key', () => {
  const a = map(2, [1, 0, 0.25, 0.75]);
  const b = map(3, [0.5, 0.5, 9, 0.75, 0.25, 9]);
  expect(differenceAt(a, b, 0, 0)).toBe(0.5);
  expect(differenceAt(a, b, 1, 1)).toBe(0.5);
  expect(differenceAt(a, b, 1, 0)).toBe(-0.5);
});

test('no difference is the middle, whatever the scale; the signs are mirror images', () => {
  for (const scale of ['linear', 'log', 'row'] as const) {
    expect(divergingIndex(scale, 0, 1)).toBe(128);
    expect(divergingIndex(scale, 1, 1)).toBe(255);
    expect(divergingIndex(scale, -1, 1)).toBe(0);
    expect(divergingIndex(scale, 0.02, 1)).toBeGreaterThan(128);
    expect(divergingIndex(scale, -0.02, 1)).toBeLessThan(128);
  }
});

test('all weight moved is 1, none is 0; the largest moves come first', () => {
  const a = map(3, [1, 0, 0, 0.5, 0.5, 0]);
  const region = { queries: 2, keys: 3 };
  expect(moved(a, map(3, [0, 0, 1, 0, 0, 1]), region, 5).share).toBe(1);
  expect(moved(a, a, region, 5)).toEqual({ share: 0, most: [] });
  const { most } = moved(a, map(3, [0, 0, 1, 0.5, 0.5, 0]), region, 1);
  expect(most).toEqual([{ query: 0, key: 0, difference: 1 }]);
});

test('what is not finite is left out of the sum', () => {
  const { share } = moved(map(1, [NaN]), map(1, [1]), { queries: 1, keys: 1 }, 3);
  expect(share).toBe(0);
});

test('rows of padding do not make the share smaller', () => {
  const padded = (values: number[]) => ({ ...map(2, values), queryLength: 2 });
  const a = padded([1, 0, 1, 0, 0, 0]);
  const b = padded([0, 1, 1, 0, 0, 0]);
  expect(moved(a, b, { queries: 3, keys: 2 }, 3).share).toBe(0.5);
});
