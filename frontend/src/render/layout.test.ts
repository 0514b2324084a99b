import { expect, test } from 'vitest';
import { cellAt, layoutMap, pixelOf, pixelsFor, tokenOf, type LayoutInput } from './layout';

const pane: LayoutInput = {
  width: 896,
  height: 440,
  queries: 11,
  keys: 26,
  queryCharacters: 1,
  keyCharacters: 1,
  dpr: 1,
};

test('cells are whole device pixels and at most 48 of CSS', () => {
  for (const dpr of [1, 1.25, 1.5, 2]) {
    for (const n of [2, 5, 11, 40, 128, 300]) {
      const layout = layoutMap({ ...pane, queries: n, keys: n, dpr });
      expect(layout.cellWidth * dpr).toBeCloseTo(Math.round(layout.cellWidth * dpr), 9);
      expect(layout.cellWidth).toBeLessThanOrEqual(48);
    }
  }
  expect(layoutMap({ ...pane, queries: 3, keys: 4 }).cellWidth).toBe(48);
});

test.each([5, 11, 40, 100, 256, 512, 1000, 4096])('a map of %i tokens stays in its pane', (n) => {
  for (const [width, height] of [
    [896, 440],
    [500, 300],
    [1400, 800],
  ] as const) {
    const layout = layoutMap({ ...pane, width, height, queries: n, keys: n, keyCharacters: 6 });
    expect(layout.left + layout.width).toBeLessThanOrEqual(width);
    expect(layout.top + layout.height).toBeLessThanOrEqual(height);
    expect(layout.width).toBeGreaterThan(0);
  }
});

test('512 tokens are one pixel each when there is room, without pooling', () => {
  const layout = layoutMap({ ...pane, width: 640, height: 580, queries: 512, keys: 512 });
  expect([layout.cellWidth, layout.poolKeys, layout.mode]).toEqual([1, 1, 'sparse']);
});

test('4096 tokens are pooled, all of them', () => {
  const layout = layoutMap({ ...pane, queries: 4096, keys: 4096 });
  expect(layout.poolKeys).toBeGreaterThan(1);
  expect((layout.width / layout.cellWidth) * layout.poolKeys).toBeGreaterThanOrEqual(4096 - 1e-6);
});

test('a map that is a little too large takes all the room there is, not half of it', () => {
  for (const [height, dpr] of [
    [480, 1],
    [270, 2],
  ] as const) {
    const layout = layoutMap({ ...pane, width: 660, height, dpr, queries: 512, keys: 512 });
    expect(layout.height).toBeGreaterThan(height - 60);
    expect(layout.poolKeys).toBe(512 / (layout.width * dpr));
    expect(layout.poolQueries).toBe(layout.poolKeys);
  }
});

test.each([
  [512, 450],
  [4096, 449],
  [600, 599],
  [1021, 7],
  [12, 4],
])('of %i tokens in %i pixels each has one, and each pixel its tokens', (count, pixels) => {
  const pool = count / pixels;
  expect(pixelsFor(count, pool)).toBe(pixels);
  for (let token = 0; token < count; token++) {
    const pixel = pixelOf(token, pool);
    expect(pixel).toBe(Math.floor((token * pixels) / count));
    expect(tokenOf(pixel, pool)).toBeLessThanOrEqual(token);
    expect(tokenOf(pixel + 1, pool)).toBeGreaterThan(token);
  }
});

test('long key labels are turned rather than cells made huge', () => {
  expect(layoutMap({ ...pane, queries: 20, keys: 20, keyCharacters: 9 }).mode).toBe('turned');
  expect(layoutMap(pane).mode).toBe('upright');
});

test('a strip of a map keeps rows one can point at', () => {
  const layout = layoutMap({ ...pane, queries: 2, keys: 4096 });
  expect([layout.poolQueries, layout.cellHeight]).toEqual([1, 24]);
});

test('points become cells, the last partial pool included', () => {
  const layout = layoutMap(pane);
  const { cellWidth, cellHeight } = layout;
  expect(cellAt(layout, 11, 26, 12 * cellWidth + 1, 9 * cellHeight + 1)).toEqual({
    query: 9,
    key: 12,
  });
  expect(cellAt(layout, 11, 26, -1, 0)).toBeNull();
  expect(cellAt(layout, 11, 26, layout.width, 0)).toBeNull();
});

test('positions in place of tokens are upright only where they do not run into each other', () => {
  // 13 px would do for single characters, not for two digits.
  const narrow = { ...pane, width: 26 * 13 + 100, height: 300, bare: true };
  expect(layoutMap(narrow).mode).toBe('upright');
  const bare = { ...narrow, queryCharacters: 0, keyCharacters: 0 };
  const layout = layoutMap(bare);
  expect(layout.cellWidth).toBeLessThan(2 * 7.25);
  expect(layout.mode).not.toBe('upright');
});
