import { expect, test } from 'vitest';
import { indexAtOrBefore, move, nearestIndex, parseStep, prefetchIndices } from './steps';

const steps = [0, 20, 40, 100];

test.each([
  [-5, 0],
  [9, 0],
  [10, 0],
  [11, 1],
  [40, 2],
  [69, 2],
  [71, 3],
  [1000, 3],
])('nearest to %i is record %i; the earlier of two equally near', (step, index) => {
  expect(nearestIndex(steps, step)).toBe(index);
});

test('nothing is nearest when there is no record', () => {
  expect(nearestIndex([], 3)).toBe(-1);
});

test('at or before never looks ahead', () => {
  expect([-1, 0, 19, 20, 99, 500].map((step) => indexAtOrBefore(steps, step))).toEqual([
    -1, 0, 0, 1, 2, 3,
  ]);
});

test('moving stops at both ends', () => {
  expect([move(4, 1, 1), move(4, 3, 10), move(4, 2, -10)]).toEqual([2, 3, 0]);
});

test.each([
  ['1,520', 1520],
  [' 1 520 ', 1520],
  ['7', 7],
  ['', null],
  ['-3', null],
  ['1e3', null],
  ['1.5', null],
])('typed %j is %j', (text, step) => {
  expect(parseStep(text)).toBe(step);
});

test('prefetches ahead in the direction of travel, around the end only when looping', () => {
  expect(prefetchIndices(10, 7, 1, 4, false)).toEqual([8, 9]);
  expect(prefetchIndices(10, 7, 1, 4, true)).toEqual([8, 9, 0, 1]);
  expect(prefetchIndices(10, 1, -1, 4, false)).toEqual([0]);
  expect(prefetchIndices(2, 0, 1, 4, true)).toEqual([1]);
});
