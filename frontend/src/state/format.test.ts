import { expect, test } from 'vitest';
import { formatChange, formatDuration, formatWeight, positionOf } from './format';

test.each([
  [0.70491, false, '0.7049'],
  [0, false, '0.0000'],
  [3e-5, false, '0.00003'],
  [5e-6, true, '< 0.00001'],
  [NaN, false, 'NaN'],
  [-0.5, false, '−0.5000'],
  [Infinity, false, '∞'],
])('weight %d (tiny: %s) is written %s', (weight, tiny, text) => {
  expect(formatWeight(weight, tiny)).toBe(text);
});

test.each([
  [0.0241, '+0.024'],
  [-0.006, '−0.006'],
  [0.0001, '0.000'],
  [NaN, '–'],
])('change %d is written %s', (change, text) => {
  expect(formatChange(change)).toBe(text);
});

test.each([
  [4.2, '4 s'],
  [356, '5 min 56 s'],
  [1265, '21 min'],
  [11100, '3 h 5 min'],
  [187200, '2 d 4 h'],
])('%d seconds are %s', (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});

test('a position is a range where a cell stands for several', () => {
  expect(positionOf(7)).toBe('7');
  expect(positionOf(7, 3)).toBe('21–23');
});
