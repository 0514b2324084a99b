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
  // A flag on it: the word is wider than the cells.
  expect(box?.labelAt).toEqual({ left: 120, top: 44 });
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
  expect(spots.length).toBeGreaterThan(2);
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

test('words lie on no outline but their own, and touch that', () => {
  const crossing = [
    failure('backward_jump', [5, 7], [2, 9]),
    failure('stall', [4, 10], [3, 4]),
    failure('repeat', [6, 12], [5, 9]),
    failure('skip', [0, 13], [11, 16]),
  ];
  const boxes = placeFailures(crossing, layout, word);
  const spots = boxes.flatMap(({ labelAt, label, failure }) =>
    labelAt
      ? [
          {
            ...labelAt,
            right: labelAt.left + label.length * 6.2 + 12,
            bottom: labelAt.top + 16,
            failure,
          },
        ]
      : [],
  );
  expect(spots.map((spot) => spot.failure.kind)).toEqual(expect.arrayContaining(['stall', 'skip']));
  for (const spot of spots) {
    for (const box of boxes) {
      const gap = Math.max(
        box.left - spot.right,
        spot.left - (box.left + box.width),
        box.top - spot.bottom,
        spot.top - (box.top + box.height),
      );
      if (box.failure === spot.failure) expect(gap).toBeLessThanOrEqual(0);
      else expect(gap).toBeGreaterThanOrEqual(3);
    }
  }
});

test('where there is no place that is free, there are no words', () => {
  const crowd = Array.from({ length: 13 }, (_, i) => failure('stall', [i, i + 1], [0, 17]));
  expect(placeFailures(crowd, layout, word).map((box) => box.labelAt)).toEqual(
    Array.from({ length: 13 }, () => null),
  );
});

test('words that are too long say what it is, not where', () => {
  const narrow = { ...layout, width: 90 } as MapLayout;
  const long = (f: FailureInfo) => `${f.kind}, queries 3–7`;
  const [box] = placeFailures([failure('stall', [3, 8], [1, 2])], narrow, long);
  expect(box).toMatchObject({ label: 'stall', labelAt: { left: 30, top: 44 } });
});

test.each([
  // Words where no weight is: a jump goes from the upper right to the lower left, others down.
  ['skip', 123],
  ['backward_jump', 123],
  ['repeat', 270 - 3 - 6 * 6.2 - 12],
])('where they fit, the words of a %s stand inside', (kind, left) => {
  const [box] = placeFailures([failure(kind, [2, 8], [4, 9])], layout, word);
  expect(box?.labelAt).toEqual({ left, top: 43 });
});
