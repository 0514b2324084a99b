import { beforeAll, expect, test, vi } from 'vitest';
import type { Tiles } from '../api/model';
import { packRgb, type Palette } from './palette';
import { fitTile, paintTile } from './tiles';

class Pixels {
  readonly data: Uint8ClampedArray;
  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    this.data = new Uint8ClampedArray(4 * width * height);
  }
}

beforeAll(() => vi.stubGlobal('ImageData', Pixels));

const MASK = packRgb([1, 2, 3]);
const palette = {
  ramp: Uint32Array.from({ length: 256 }, (_, i) => 1000 + i),
  mask: '#010203',
} as unknown as Palette;
// Code n stands for n / 100.
const table = { id: 1, values: Float32Array.from({ length: 101 }, (_, i) => i / 100), tiny: 1e-5 };

function tiles(rows: number, columns: number, codes: number[], more: Partial<Tiles> = {}): Tiles {
  return {
    layer: 'l',
    step: 7,
    example: 0,
    heads: codes.length / (rows * columns),
    rows,
    columns,
    causal: false,
    queryLength: rows,
    keyLength: columns,
    codes: Uint8Array.from(codes),
    table,
    problem: '',
    ...more,
  };
}

/** Entries of the ramp in a part of an image; -1 the mask, null nothing. */
function painted(image: ImageData, x: number, y: number, width: number, height: number) {
  const pixels = new Uint32Array(image.data.buffer);
  return Array.from({ length: height }, (_, row) =>
    Array.from({ length: width }, (_, column) => {
      const pixel = pixels[(y + row) * image.width + x + column] as number;
      return pixel === 0 ? null : pixel === MASK ? -1 : pixel - 1000;
    }),
  );
}

test('a thumbnail is as large as fits, in the middle of its box', () => {
  const box = { x: 10, y: 20, width: 32, height: 32 };
  expect(fitTile({ rows: 32, columns: 32 }, box)).toEqual(box);
  expect(fitTile({ rows: 16, columns: 32 }, box)).toEqual({ x: 10, y: 28, width: 32, height: 16 });
  expect(fitTile({ rows: 5, columns: 3 }, box)).toEqual({ x: 16, y: 20, width: 19, height: 32 });
  // One query is still to be seen.
  expect(fitTile({ rows: 1, columns: 64 }, box).height).toBe(2);
});

test('each head has its own codes, and nothing outside of its place is touched', () => {
  const two = tiles(2, 3, [0, 100, 50, 20, 0, 40, 10, 20, 30, 40, 50, 60]);
  const image = new ImageData(9, 4);
  const place = { x: 1, y: 1, width: 3, height: 2 };
  paintTile(image, place, two, 0, 'linear', palette);
  paintTile(image, { ...place, x: 5 }, two, 1, 'linear', palette);
  expect(painted(image, 0, 0, 9, 4)).toEqual([
    Array(9).fill(null),
    [null, 0, 255, 128, null, 26, 51, 77, null],
    [null, 51, 0, 102, null, 102, 128, 153, null],
    Array(9).fill(null),
  ]);
});

test('of chosen heads each has the codes at its place among them', () => {
  const chosen = tiles(1, 2, [10, 20, 30, 40], { headNumbers: [3, 7] });
  const image = new ImageData(2, 1);
  paintTile(image, { x: 0, y: 0, width: 2, height: 1 }, chosen, 7, 'linear', palette);
  expect(painted(image, 0, 0, 2, 1)).toEqual([[77, 102]]);
});

test('cells are enlarged to whole pixels', () => {
  const image = new ImageData(4, 4);
  paintTile(
    image,
    { x: 0, y: 0, width: 4, height: 4 },
    tiles(2, 2, [0, 100, 20, 40]),
    0,
    'linear',
    palette,
  );
  expect(painted(image, 0, 0, 4, 4)).toEqual([
    [0, 0, 255, 255],
    [0, 0, 255, 255],
    [51, 51, 102, 102],
    [51, 51, 102, 102],
  ]);
});

test('per row, the largest weight of each row has the last colour', () => {
  const image = new ImageData(2, 2);
  paintTile(
    image,
    { x: 0, y: 0, width: 2, height: 2 },
    tiles(2, 2, [10, 20, 40, 10]),
    0,
    'row',
    palette,
  );
  expect(painted(image, 0, 0, 2, 2)).toEqual([
    [128, 255],
    [255, 64],
  ]);
});

test('of a causal map, zeros that no query of a row can see are masked', () => {
  // 6 × 6 weights as 3 × 3 maxima: row 0 holds queries 0 and 1, which see keys 0 and 1.
  const image = new ImageData(3, 3);
  const causal = tiles(3, 3, [9, 0, 0, 0, 0, 0, 9, 0, 0], {
    causal: true,
    queryLength: 6,
    keyLength: 6,
  });
  paintTile(image, { x: 0, y: 0, width: 3, height: 3 }, causal, 0, 'linear', palette);
  expect(painted(image, 0, 0, 3, 3)).toEqual([
    [23, -1, -1],
    [0, 0, -1],
    [23, 0, 0],
  ]);
});
