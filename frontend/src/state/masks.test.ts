import { expect, test } from 'vitest';
import type { AttentionMap } from '../api/model';
import { maskOf } from './cursor';
import { withoutKeys } from './masks';
import { isSpecialToken } from './tokens';

const map: AttentionMap = {
  step: 0,
  queries: 3,
  keys: 4,
  queryLength: 3,
  keyLength: 4,
  causal: true,
  hasNonfinite: true,
  outOfRange: false,
  weights: {
    kind: 'floats',
    values: Float32Array.of(1, 0, 0, 0, 0.75, 0.25, 0, 0, 0.5, 0.125, NaN, 0),
  },
};

test('the others of a row share what was hidden, in proportion', () => {
  const { weights, hidden } = withoutKeys(map, [0]);
  expect(hidden && [...hidden]).toEqual([1, 0, 0, 0]);
  // Nothing is left of the first row; what is not finite stays what it is.
  expect(weights.kind === 'floats' && [...weights.values]).toEqual([
    0,
    0,
    0,
    0,
    0,
    1,
    0,
    0,
    0,
    0.625,
    NaN,
    0,
  ]);
});

test('a hidden cell is none of the causal ones', () => {
  const masked = withoutKeys(map, [0, 2]);
  expect([maskOf(masked, 2, 0), maskOf(masked, 0, 2), maskOf(masked, 2, 1)]).toEqual([
    'hidden',
    'causal',
    false,
  ]);
});

test.each(['<s>', '</s>', '[CLS]', '[PAD]', '<|endoftext|>', '<pad>', '⟨/s⟩'])(
  'special: %s',
  (token) => expect(isSpecialToken(token)).toBe(true),
);

test.each(['<', '>', 'a', '[', '[a]', '<b c>', '', 'x<s>'])('of the text: %s', (token) => {
  expect(isSpecialToken(token)).toBe(false);
});
