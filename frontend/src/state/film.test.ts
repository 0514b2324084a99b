import { expect, test } from 'vitest';
import { atEvents, evenly, logarithmically } from './film';

const hundred = Array.from({ length: 101 }, (_, i) => i * 10);

test('even: the first, the last, and as many records between any two', () => {
  expect(evenly(hundred, 6)).toEqual([0, 200, 400, 600, 800, 1000]);
  expect(evenly([0, 1, 2, 5, 100], 3)).toEqual([0, 2, 100]);
  expect(evenly([3, 7], 8)).toEqual([3, 7]);
  expect(evenly([3], 8)).toEqual([3]);
  expect(evenly([], 8)).toEqual([]);
});

test('logarithmic: denser at the beginning, always as many as asked for', () => {
  const steps = Array.from({ length: 1001 }, (_, i) => i);
  expect(logarithmically(steps, 4)).toEqual([0, 9, 99, 1000]);
  for (const count of [4, 6, 8, 12, 16, 24]) {
    const chosen = logarithmically(hundred, count);
    expect(chosen).toHaveLength(count);
    expect([chosen[0], chosen.at(-1)]).toEqual([0, 1000]);
    expect(chosen.every((step) => hundred.includes(step))).toBe(true);
    const half = chosen.filter((step) => step < 500).length;
    expect(half).toBeGreaterThan(count / 2);
  }
  expect(logarithmically([5, 6], 4)).toEqual([5, 6]);
  expect(logarithmically([], 4)).toEqual([]);
});

test('events: what was before them and what is then, and both ends', () => {
  expect(atEvents(hundred, [500, 20, 1000])).toEqual([0, 10, 20, 490, 500, 990, 1000]);
  expect(atEvents(hundred, [0])).toEqual([0, 1000]);
  expect(atEvents(hundred, [])).toEqual([0, 1000]);
  expect(atEvents([], [5])).toEqual([]);
});
