import { expect, test } from 'vitest';
import { layoutLens, needsLens } from './lens';
import { layoutMap } from './layout';

test('the lens is around its cell, and stops at the edges of the map', () => {
  const region = { queries: 512, keys: 7 };
  const at = (query: number, key: number) => layoutLens(280, region, { query, key });
  expect(at(100, 3)).toMatchObject({ firstQuery: 92, visibleQueries: 16, firstKey: 0 });
  expect(at(0, 0)).toMatchObject({ firstQuery: 0, firstKey: 0, visibleKeys: 7, width: 84 });
  expect(at(511, 6)).toMatchObject({ firstQuery: 496, firstKey: 0 });
});

test('cells below 6 px need it', () => {
  const layout = (n: number) =>
    layoutMap({
      width: 700,
      height: 700,
      queries: n,
      keys: n,
      queryCharacters: 0,
      keyCharacters: 0,
      dpr: 1,
    });
  expect([40, 90, 130, 512, 4096].map((n) => needsLens(layout(n)))).toEqual([
    false,
    false,
    true,
    true,
    true,
  ]);
});
