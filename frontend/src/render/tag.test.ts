import { expect, test } from 'vitest';
import { placeTag, tokenWidth } from './tag';

const pane = { left: -90, top: -50, right: 410, bottom: 310 };
const tag = { width: 130, height: 24 };
const cell = (left: number, top: number) => ({ left, top, right: left + 20, bottom: top + 20 });

test.each([
  ['at the right of its cell, above', cell(100, 100), { left: 128, top: 72 }],
  ['at the left where the right is out of the pane', cell(300, 100), { left: 162, top: 72 }],
  ['below where the labels of the columns are above', cell(100, 20), { left: 128, top: 44 }],
])('a tag is %s', (_, at, place) => {
  expect(placeTag(at, tag, pane)).toEqual(place);
});

test('a tag that fits on neither side stays in the pane, and off the row labels if it can', () => {
  const wide = { width: 260, height: 24 };
  expect(placeTag(cell(180, 100), wide, pane)).toEqual({ left: 146, top: 72 });
  expect(placeTag(cell(180, 100), { width: 492, height: 24 }, pane)).toEqual({
    left: -86,
    top: 72,
  });
  // One that is wider than the pane begins where the pane does.
  expect(placeTag(cell(180, 100), { width: 900, height: 24 }, pane).left).toBe(-86);
});

test('in a pane of few rows a tag goes above, over the labels, rather than out of the pane', () => {
  const low = { ...pane, bottom: 48 };
  expect(placeTag(cell(100, 8), tag, low)).toEqual({ left: 128, top: -20 });
});

test('wide characters count for more, and no token for more than the style sheet shows', () => {
  expect(tokenWidth('abcd')).toBe(29);
  expect(tokenWidth('表')).toBeGreaterThan(tokenWidth('a'));
  expect(tokenWidth('x'.repeat(64))).toBe(116);
});
