import { expect, test } from 'vitest';
import type { AttentionMap } from '../api/model';
import { chooseLinks, countLinks, spread } from './links';

// 3 queries, 5 keys of which the last is padding; causal, so 1 + 2 + 3 pairs may have weight.
const values = [
  [1, 0, 0, 0, 9],
  [0.25, 0.75, 0, 0, 9],
  [0.125, 0.5, 0.375, 0, 9],
];
const map: AttentionMap = {
  step: 0,
  queries: 3,
  keys: 5,
  queryLength: 3,
  keyLength: 4,
  causal: true,
  hasNonfinite: false,
  outOfRange: false,
  weights: { kind: 'floats', values: Float32Array.from(values.flat()) },
};
const region = { queries: 3, keys: 4 };

test('links of enough weight, the weakest first, none of weight 0', () => {
  const of = (least: number, perQuery = 0) =>
    chooseLinks(map, region, { least, perQuery }).map((l) => [l.query, l.key, l.weight]);
  expect(of(0)).toHaveLength(6);
  expect(of(0.375)).toEqual([
    [2, 2, 0.375],
    [2, 1, 0.5],
    [1, 1, 0.75],
    [0, 0, 1],
  ]);
  expect(of(0, 1)).toEqual([
    [2, 1, 0.5],
    [1, 1, 0.75],
    [0, 0, 1],
  ]);
  expect(of(0.6, 1)).toHaveLength(2);
});

test('the links of tokens alone, of a query or of a key', () => {
  const choice = { least: 0, perQuery: 0 };
  const query = chooseLinks(map, region, choice, [{ side: 'query', index: 2 }]);
  expect(query.map((l) => l.key)).toEqual([0, 2, 1]);
  const key = chooseLinks(map, region, choice, [{ side: 'key', index: 1 }]);
  expect(key.map((l) => l.query)).toEqual([2, 1]);
});

test('what is hidden is counted against what is possible', () => {
  expect(countLinks(map, region, { least: 0.375, perQuery: 0 })).toEqual({
    possible: 6,
    drawn: 4,
    weight: 3,
    drawnWeight: 2.625,
  });
});

test('NaN is neither drawn nor summed', () => {
  const bad = {
    ...map,
    weights: { kind: 'floats' as const, values: new Float32Array(15).fill(NaN) },
  };
  expect(chooseLinks(bad, region, { least: 0, perQuery: 0 })).toEqual([]);
  expect(countLinks(bad, region, { least: 0, perQuery: 2 }).weight).toBe(0);
});

test('as many tokens above as below are right above each other', () => {
  expect([0, 1, 2].map(spread(300, 3))).toEqual([50, 150, 250]);
});
