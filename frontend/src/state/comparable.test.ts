import { expect, test } from 'vitest';
import type { AttentionMap, ExampleInfo, Pooling } from '../api/model';
import { commonRegion, judge } from './comparable';

function map(queries: number, keys: number, more: Partial<AttentionMap> = {}): AttentionMap {
  return {
    step: 0,
    queries,
    keys,
    queryLength: queries,
    keyLength: keys,
    causal: false,
    hasNonfinite: false,
    outOfRange: false,
    weights: { kind: 'floats', values: new Float32Array(queries * keys) },
    ...more,
  };
}

function labelled(of: AttentionMap, query = '', key = '') {
  const example: ExampleInfo = {
    queryTokens: Array.from(query),
    keyTokens: Array.from(key),
    queryLength: of.queryLength,
    keyLength: of.keyLength,
  };
  return { map: of, example };
}

const five: Pooling = { queries: 5, keys: 5 };

test('two maps of the same tokens are compared without a word', () => {
  const a = labelled(map(2, 3), 'ab', 'xyz');
  expect(judge(a, labelled(map(2, 3), 'ab', 'xyz'), false)).toEqual({
    comparable: true,
    isShare: true,
    sameTokens: true,
    said: [],
  });
});

test('of different sizes only the common cells are compared, and what differs is no share', () => {
  const verdict = judge(labelled(map(7, 7)), labelled(map(60, 60)), false);
  expect(verdict.said).toEqual([
    'A is 7 × 7, B is 60 × 60: only the first 7 × 7 cells are compared.',
  ]);
  expect([verdict.comparable, verdict.isShare]).toEqual([true, false]);
});

test('a cell of maxima and a single weight have no difference', () => {
  const b = labelled(map(60, 60, { pooling: five }));
  const verdict = judge(labelled(map(7, 7)), b, false);
  expect([verdict.comparable, verdict.isShare]).toEqual([false, false]);
  expect(verdict.said[0]).toMatch(/^A is 7 × 7, B is 60 × 60 \(maxima of 5 × 5\): .*no difference/);
  const other = { pooling: { queries: 5, keys: 3 } };
  expect(judge(labelled(map(60, 60, other)), b, false).comparable).toBe(false);
});

test('maxima of the same size have differences, but not of weight that moved', () => {
  const both = labelled(map(60, 60, { pooling: five }));
  const verdict = judge(both, both, false);
  expect([verdict.comparable, verdict.isShare]).toEqual([true, false]);
  expect(verdict.said).toEqual(['A and B are maxima of 5 × 5 cells, and so is what differs.']);
});

test('a shorter sequence in the same batch has padding; all cells are compared', () => {
  const a = labelled(map(7, 11, { queryLength: 5, keyLength: 3 }));
  const verdict = judge(a, labelled(map(7, 11, { queryLength: 5, keyLength: 11 })), false);
  expect(verdict.said).toEqual([
    'A is 5 × 3, B is 5 × 11: beyond its own tokens the shorter one has padding, without weight.',
  ]);
  expect(verdict.isShare).toBe(true);
  expect(commonRegion([a.map, map(7, 11, { queryLength: 5 })], false)).toEqual({
    queries: 5,
    keys: 11,
  });
  const padded = judge(a, labelled(map(7, 11)), true);
  expect(padded.said).toEqual(['Padding is shown: without it A is 5 × 3 and B 7 × 11.']);
  expect(padded.isShare).toBe(false);
});

test.each([
  ['ab', 'xyz', 'ac', 'xyz', 'query tokens'],
  ['ab', 'xyz', 'ab', 'xyw', 'key tokens'],
  ['ab', 'xyz', 'cd', 'uvw', 'tokens'],
])('%s × %s against %s × %s: other %s', (queryA, keyA, queryB, keyB, which) => {
  const verdict = judge(
    labelled(map(2, 3), queryA, keyA),
    labelled(map(2, 3), queryB, keyB),
    false,
  );
  expect(verdict.sameTokens).toBe(false);
  expect(verdict.said[0]).toContain(`A and B have different ${which}: cells are compared`);
});

test('tokens on one side only, or beyond what is compared, are no other tokens', () => {
  expect(judge(labelled(map(2, 3), 'ab', 'xyz'), labelled(map(2, 3)), false).sameTokens).toBe(true);
  const long = labelled(map(2, 5), 'ab', 'xyzvw');
  expect(judge(labelled(map(2, 3), 'ab', 'xyz'), long, false).sameTokens).toBe(true);
});
