import { expect, test } from 'vitest';
import { layoutMatrix, rowAt } from './matrix';

const layers = [
  { name: 'a', heads: 3 },
  { name: 'b', heads: 5 },
];

test('rows are as high as there is room, and lie in the bands of their layers', () => {
  const { rows, bands, height } = layoutMatrix(layers, 8 * 11 + 12);
  expect(rows.map((row) => row.height)).toEqual(Array(8).fill(11));
  expect(bands.map((band) => [band.layer, band.top, band.height])).toEqual([
    ['a', 0, 33],
    ['b', 39, 55],
  ]);
  expect(height).toBe(100);
});

test('many heads get rows that can still be hit, and the rest is scrolled to', () => {
  const many = layoutMatrix([{ name: 'a', heads: 500 }], 300);
  expect(many.rows[0]?.height).toBe(4);
  expect(many.height).toBeGreaterThan(2000);
});

test('a place is told to a head; between bands there is none', () => {
  const { rows } = layoutMatrix(layers, 100);
  expect(rowAt(rows, 12)).toMatchObject({ layer: 'a', head: 1 });
  expect(rowAt(rows, 39)).toMatchObject({ layer: 'b', head: 0 });
  expect(rowAt(rows, 35)).toBeUndefined();
  expect(rowAt(rows, 500)).toBeUndefined();
});

test('rows of chosen heads carry their numbers', () => {
  const { rows } = layoutMatrix([{ name: 'a', heads: 2, headNumbers: [3, 7] }], 100);
  expect(rows.map(({ head }) => head)).toEqual([3, 7]);
  expect(rowAt(rows, rows[1]?.top ?? NaN)?.head).toBe(7);
});
