import { expect, test } from 'vitest';
import { FRAME_GAP, FRAME_HEAD, layoutFilm } from './film';

const square = { queries: 26, keys: 26 };

test('eight square maps in a wide pane are two rows of four', () => {
  const { columns, frame } = layoutFilm(8, { width: 860, height: 480 }, square, 1);
  expect(columns).toBe(4);
  expect(frame.cellWidth).toBe(7);
});

test('flat maps go below each other', () => {
  expect(layoutFilm(6, { width: 860, height: 700 }, { queries: 11, keys: 120 }, 1).columns).toBe(1);
});

test.each([
  [1, 26, 26],
  [4, 26, 11],
  [8, 512, 512],
  [12, 11, 26],
  [24, 100, 100],
  [12, 7, 4096],
])('%i frames of %i × %i are all in sight and do not overlap', (count, queries, keys) => {
  const size = { width: 862, height: 480 };
  const { columns, frame } = layoutFilm(count, size, { queries, keys }, 2);
  const rows = Math.ceil(count / columns);
  expect(columns * (frame.width + FRAME_GAP) + FRAME_GAP).toBeLessThanOrEqual(size.width);
  const high = rows * (frame.height + FRAME_HEAD + FRAME_GAP) + FRAME_GAP;
  expect(high).toBeLessThanOrEqual(size.height);
});

test('frames do not become too small to see anything: the strip scrolls', () => {
  const { frame, columns } = layoutFilm(48, { width: 400, height: 200 }, square, 1);
  expect(columns).toBe(3);
  expect(frame.width).toBe(104);
});
