import { expect, test } from 'vitest';
import { allHeads, headBeside, headsOf, nearestHead, positionOf } from './heads';

const all = { heads: 3, headNumbers: [] };
const some = { heads: 3, headNumbers: [2, 5, 11] };

test('without numbers heads are counted from 0', () => {
  expect(headsOf(all)).toEqual([0, 1, 2]);
  expect(headsOf({ heads: 2 })).toEqual([0, 1]);
  expect([0, 2, 3].map((head) => positionOf(all, head))).toEqual([0, 2, -1]);
});

test('chosen heads keep their numbers', () => {
  expect(headsOf(some)).toEqual([2, 5, 11]);
  expect([2, 5, 11, 0, 3].map((head) => positionOf(some, head))).toEqual([0, 1, 2, -1, -1]);
  expect(allHeads([some, all, { heads: 1, headNumbers: [7] }])).toEqual([0, 1, 2, 5, 7, 11]);
});

test('a head that is not recorded gives way to the nearest one', () => {
  expect([0, 2, 3, 4, 8, 9, 99].map((head) => nearestHead(some, head))).toEqual([
    2, 2, 2, 5, 5, 11, 11,
  ]);
  expect([0, 2, 7].map((head) => nearestHead(all, head))).toEqual([0, 2, 2]);
  expect(nearestHead(null, 4)).toBe(0);
});

test('the arrows go from one recorded head to the next', () => {
  expect(headBeside(some, 5, 1)).toBe(11);
  expect(headBeside(some, 5, -1)).toBe(2);
  expect(headBeside(some, 11, 1)).toBe(11);
  expect(headBeside(some, 4, 1)).toBe(11);
  expect(headBeside(all, 0, -1)).toBe(0);
});
