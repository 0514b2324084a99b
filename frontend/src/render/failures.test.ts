import { expect, test } from 'vitest';
import type { FailureInfo } from '../api/model';
import { placeFailures } from './failures';
import type { MapLayout } from './layout';

/** 13 queries by 17 keys of 30 by 20 px. */
const layout = {
  width: 510,
  height: 260,
  cellWidth: 30,
  cellHeight: 20,
  poolKeys: 1,
  poolQueries: 1,
  firstQuery: 0,
  firstKey: 0,
} as MapLayout;

function failure(kind: string, queries: [number, number], keys: [number, number]): FailureInfo {
  return {
    kind,
    firstQuery: queries[0],
    endQuery: queries[1],
    firstKey: keys[0],
    endKey: keys[1],
  };
}

const word = (f: FailureInfo) => f.kind;

test('an outline is around the cells of its place', () => {
  const [box] = placeFailures([failure('stall', [3, 8], [4, 5])], layout, word);
  expect(box).toMatchObject({ left: 120, top: 60, width: 30, height: 100 });
  expect(box?.labelAt).toEqual({ left: 154, top: 60 });
});

test('of a zoomed map, what is in sight', () => {
  const zoomed = { ...layout, firstQuery: 5, firstKey: 3, width: 90, height: 60 } as MapLayout;
  const boxes = placeFailures(
    [failure('stall', [3, 7], [4, 5]), failure('stall', [0, 5], [4, 5])],
    zoomed,
    word,
  );
  expect(boxes).toHaveLength(1);
  expect(boxes[0]).toMatchObject({ left: 30, top: 0, width: 30, height: 40 });
});

test('of a pooled map, whole cells of what is drawn', () => {
  const pooled = { ...layout, poolKeys: 2, poolQueries: 2 } as MapLayout;
  const [box] = placeFailures([failure('repeat', [3, 6], [1, 2])], pooled, word);
  expect(box).toMatchObject({ left: 0, top: 20, width: 30, height: 40 });
});

test('words do not lie over one another, and stay on the map', () => {
  const many = Array.from({ length: 9 }, (_, i) => failure('stall', [i, i + 3], [i, i + 1]));
  const spots = placeFailures([...many, failure('skip', [0, 13], [9, 15])], layout, word).flatMap(
    ({ labelAt, label }) => (labelAt ? [{ ...labelAt, width: label.length * 6.2 + 12 }] : []),
  );
  expect(spots.length).toBeGreaterThan(5);
  for (const [i, a] of spots.entries()) {
    expect(a.left).toBeGreaterThanOrEqual(0);
    expect(a.left + a.width).toBeLessThanOrEqual(layout.width);
    for (const b of spots.slice(i + 1)) {
      const apart =
        a.left + a.width <= b.left ||
        b.left + b.width <= a.left ||
        a.top + 16 <= b.top ||
        b.top + 16 <= a.top;
      expect(apart).toBe(true);
    }
  }
});

test('what is skipped is empty: its word stands inside', () => {
  const [box] = placeFailures([failure('skip', [0, 13], [4, 9])], layout, word);
  expect(box?.labelAt?.left).toBe(124);
});
