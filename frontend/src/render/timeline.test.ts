import { expect, test } from 'vitest';
import {
  axisTicks,
  curveDomain,
  indexAtX,
  pieces,
  sharedDomain,
  tickLabels,
  timeAxis,
} from './timeline';

test('every place on the axis belongs to the nearest record', () => {
  const axis = timeAxis([0, 10, 100], 1000);
  const x = (step: number) => axis.x(step);
  expect([-50, x(4), x(6), x(54), x(56), 5000].map((at) => indexAtX(axis, at))).toEqual([
    0, 0, 1, 1, 2, 2,
  ]);
});

test('a single record is on the axis', () => {
  const axis = timeAxis([7], 500);
  expect(indexAtX(axis, 3)).toBe(0);
  expect(axis.x(7)).toBeGreaterThan(100);
  expect(axisTicks(axis)).toEqual([7]);
});

test('ticks are whole steps within the log', () => {
  const values = axisTicks(timeAxis([0, 1, 2, 3], 1400));
  expect(values).toEqual([0, 1, 2, 3]);
  expect(axisTicks(timeAxis([3, 4060], 1200)).every((t) => t >= 3 && t <= 4060)).toBe(true);
});

test('a missing value interrupts the curve', () => {
  expect(pieces(Float64Array.of(NaN, 1, 2, NaN, NaN, 3))).toEqual([[1, 2], [5]]);
});

test('a curve has the range 0 to 1 unless it leaves it', () => {
  expect(curveDomain(Float64Array.of(0.2, NaN, 0.4))).toEqual([0, 1]);
  expect(curveDomain(Float64Array.of(-2, 5))).toEqual([-2, 5]);
});

test('curves over each other share a range that holds both', () => {
  const curve = (...values: number[]) => ({
    steps: values.map((_, i) => i),
    values: Float64Array.of(...values),
    sampled: false,
  });
  expect(sharedDomain([curve(0.2, 0.4), curve(-3, 0.1), curve(7)])).toEqual([-3, 7]);
});

test('no number of a tick stands beside or under the chip with the step', () => {
  const axis = timeAxis([0, 10, 20, 30, 40, 50], 700);
  const labels = (now: number | null) =>
    tickLabels(axis, now, (text) => 6 * text.length).map(({ label }) => label);
  const all = labels(null);
  expect(all).toEqual(['0', '10', '20', '30', '40', '50']);
  // At either end the chip is moved onto the axis, away from its own tick.
  for (const step of axis.steps) {
    expect(labels(step)).toEqual(all.filter((label) => label !== String(step)));
  }
  const dense = timeAxis([0, 1000, 1010, 2000], 240);
  expect(tickLabels(dense, 1010, () => 30).map(({ label }) => label)).toEqual(['0', '2,000']);
});
