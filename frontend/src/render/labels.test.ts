import { expect, test } from 'vitest';
import { columnLabels, labelInterval, rowLabels, sparseWidth } from './labels';
import { layoutMap } from './layout';

test.each([
  [26, 1],
  [12, 1],
  [11, 2],
  [6, 2],
  [5, 5],
  [4, 5],
])('at %i px per token every label number %i is drawn', (pitch, interval) => {
  expect(labelInterval(pitch, false, 64)).toBe(interval);
});

test('far below that, one every 64 pixels', () => {
  expect(labelInterval(1, true, 64)).toBe(64);
  expect(labelInterval(0.125, true, 64)).toBe(512);
  // Round positions, whatever the pixels.
  expect(labelInterval(0.88, true, 64)).toBe(128);
  expect(labelInterval(0.88, true, 32)).toBe(64);
});

test('at the right edge only the crosshair has a label, and room for it on its left', () => {
  const whole = layout(4096);
  const free = (current: number | null) =>
    columnLabels(whole, 4096, current)
      .filter((label) => !label.current)
      .map((label) => label.at);
  expect(Math.max(...free(null))).toBeLessThanOrEqual(whole.width - 88);
  const labels = columnLabels(whole, 4096, 4090);
  const at = labels.find((label) => label.current)?.at ?? 0;
  expect(at).toBeGreaterThan(whole.width - 2);
  expect(Math.max(...free(4090))).toBeLessThanOrEqual(at - 176);
});

test('a sparse label ends where the next one begins', () => {
  for (const n of [256, 512, 1000, 4096]) {
    const columns = columnLabels(layout(n), n, null);
    const apart = (columns[1]?.at ?? 0) - (columns[0]?.at ?? 0);
    expect(sparseWidth(layout(n))).toBeLessThanOrEqual(apart);
    expect(sparseWidth(layout(n))).toBeGreaterThanOrEqual(64);
  }
});

function layout(n: number) {
  return layoutMap({
    width: 900,
    height: 700,
    queries: n,
    keys: n,
    queryCharacters: 5,
    keyCharacters: 5,
    dpr: 1,
  });
}

test('no two labels come closer than 12 px, the crosshair among them', () => {
  for (const n of [5, 30, 60, 100, 130, 256, 512, 4096]) {
    for (const labels of [
      columnLabels(layout(n), n, 77 % n),
      rowLabels(layout(n), n, 77 % n),
      columnLabels(layout(n), n, 77 % n, 80 % n),
      rowLabels(layout(n), n, 3, 4),
    ]) {
      const at = labels.map((label) => label.at).sort((a, b) => a - b);
      for (let i = 1; i < at.length; i++) {
        expect((at[i] ?? 0) - (at[i - 1] ?? 0)).toBeGreaterThanOrEqual(12);
      }
    }
  }
});

test('the label of the crosshair is always there, once', () => {
  const labels = columnLabels(layout(512), 512, 77);
  expect(labels.filter((label) => label.index === 77)).toEqual([
    { index: 77, at: expect.any(Number) as number, current: true, pinned: false },
  ]);
});

test('without a crosshair no label is marked', () => {
  expect(rowLabels(layout(30), 30, null).some((label) => label.current)).toBe(false);
  expect(rowLabels(layout(30), 30, null)).toHaveLength(30);
});

test('a pinned label is there too, unless the crosshair is right beside it', () => {
  const pinned = (current: number) =>
    columnLabels(layout(512), 512, current, 100).filter((label) => label.pinned);
  expect(pinned(300).map((label) => label.index)).toEqual([100]);
  expect(pinned(101)).toEqual([]);
  expect(pinned(100).map((label) => label.current)).toEqual([true]);
});
