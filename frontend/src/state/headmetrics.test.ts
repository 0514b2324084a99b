import { expect, test } from 'vitest';
import type { LayerMetrics } from '../api/model';
import { ranked, valueOf } from './headmetrics';

/** 3 steps, 2 examples, 5 heads: value = 100 step + 10 example + head. */
const metrics: LayerMetrics = {
  steps: [0, 10, 20],
  examples: 2,
  heads: 5,
  series: new Map([
    [
      'm',
      Float32Array.from({ length: 30 }, (_, i) => {
        return 100 * Math.floor(i / 10) + 10 * (Math.floor(i / 5) % 2) + (i % 5);
      }),
    ],
  ]),
};

test('a value is that of the record at or before the step', () => {
  expect(valueOf(metrics, 'm', 10, 1, 3)).toBe(113);
  expect(valueOf(metrics, 'm', 19, 1, 3)).toBe(113);
  expect(valueOf(metrics, 'm', 20, 0, 4)).toBe(204);
  expect(valueOf(metrics, 'm', -1, 0, 0)).toBeNaN();
  expect(valueOf(metrics, 'none', 0, 0, 0)).toBeNaN();
  expect(valueOf(metrics, 'm', 0, 2, 0)).toBeNaN();
  expect(valueOf(metrics, 'm', 0, 0, 5)).toBeNaN();
  expect(valueOf(undefined, 'm', 0, 0, 0)).toBeNaN();
});

test('heads are ranked from the largest value on; those without one come last', () => {
  const heads = [3, 0.5, NaN, 7, 3].map((value, head) => ({ layer: String(value), head }));
  expect(ranked(heads, (head) => Number(head.layer)).map((head) => head.head)).toEqual([
    3, 0, 4, 1, 2,
  ]);
  expect(ranked(heads, (head) => Number(head.layer), true).map((head) => head.head)).toEqual([
    1, 0, 4, 3, 2,
  ]);
});

test('a chosen head is found by its number', () => {
  const chosen = { ...metrics, headNumbers: [1, 3, 4, 8, 12] };
  expect(valueOf(chosen, 'm', 10, 1, 8)).toBe(113);
  expect(valueOf(chosen, 'm', 10, 1, 1)).toBe(110);
  expect(valueOf(chosen, 'm', 10, 1, 0)).toBeNaN();
  expect(valueOf(chosen, 'm', 10, 1, 2)).toBeNaN();
});
