import { expect, test } from 'vitest';
import { columnLabels } from './labels';
import {
  cellAt,
  columnX,
  layoutMap,
  layoutZoomed,
  maxZoom,
  rowY,
  type LayoutInput,
} from './layout';

function input(queries: number, keys: number, dpr = 1): LayoutInput {
  return { width: 800, height: 600, queries, keys, queryCharacters: 5, keyCharacters: 5, dpr };
}

test.each([
  [11, 26, 1],
  [512, 512, 2],
  [4096, 4096, 1],
  [3, 500, 1.5],
])('every cell of %i × %i is found where it is drawn, at every zoom', (queries, keys, dpr) => {
  const of = input(queries, keys, dpr);
  const whole = layoutMap(of);
  for (let factor = 1.1; factor < maxZoom(whole); factor *= 1.7) {
    const zoom = { factor, query: Math.floor(queries * 0.4), key: Math.floor(keys * 0.9) };
    const layout = layoutZoomed(of, whole, zoom);
    const { firstQuery, firstKey, visibleQueries, visibleKeys } = layout;
    expect(firstQuery + visibleQueries).toBeLessThanOrEqual(queries);
    expect(firstKey + visibleKeys).toBeLessThanOrEqual(keys);
    for (const [query, key] of [
      [firstQuery, firstKey],
      [firstQuery + visibleQueries - 1, firstKey + visibleKeys - 1],
    ] as const) {
      const x = columnX(layout, key) + layout.cellWidth / 2;
      const y = rowY(layout, query) + layout.cellHeight / 2;
      const found = cellAt(layout, queries, keys, x, y);
      expect(found && found.query + layout.poolQueries > query && found.query <= query).toBe(true);
      expect(found && found.key + layout.poolKeys > key && found.key <= key).toBe(true);
    }
    for (const label of columnLabels(layout, keys, 0)) {
      expect(label.at).toBeGreaterThan(0);
      expect(label.at).toBeLessThan(layout.width + 1);
    }
  }
});

test('a pooled map becomes single cells', () => {
  const of = input(4096, 4096);
  const whole = layoutMap(of);
  expect(whole.poolKeys).toBeGreaterThan(1);
  const layout = layoutZoomed(of, whole, { factor: maxZoom(whole), query: 4095, key: 4095 });
  expect(layout.poolKeys).toBe(1);
  expect(layout.cellWidth).toBe(96);
  expect(layout.firstKey + layout.visibleKeys).toBe(4096);
});
