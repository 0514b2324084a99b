import { expect, test } from 'vitest';
import { codeLookup, colorIndex, NOT_FINITE, OUT_OF_RANGE, position } from './scale';

test('log runs from a thousandth to one, and keeps what is above zero apart from zero', () => {
  expect(position('log', 1, 1)).toBe(1);
  expect(position('log', 0.0316227766, 1)).toBeCloseTo(0.5);
  expect(position('log', 0.001, 1)).toBe(0.03);
  expect(position('log', 1e-9, 1)).toBe(0.03);
  expect(position('log', 0, 1)).toBe(0);
});

test('per row the largest weight of the row is the end of the ramp', () => {
  expect([position('row', 0.2, 0.2), position('row', 0.1, 0.2), position('row', 0, 0)]).toEqual([
    1, 0.5, 0,
  ]);
});

test('what is not a weight is never a colour of the ramp', () => {
  expect([NaN, Infinity, -0.1, 1.5].map((w) => colorIndex('linear', w, 1))).toEqual([
    NOT_FINITE,
    NOT_FINITE,
    OUT_OF_RANGE,
    OUT_OF_RANGE,
  ]);
  expect(colorIndex('linear', 1, 1)).toBe(255);
});

test('the tiny code counts as zero except in log', () => {
  const values = Float32Array.of(0, 5e-6, 1);
  expect(codeLookup('linear', values)[1]).toBe(0);
  expect(codeLookup('row', values, 5e-6)[1]).toBe(0);
  expect(codeLookup('log', values)[1]).toBe(8);
});
