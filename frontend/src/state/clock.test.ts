import { expect, test } from 'vitest';
import { PlayClock } from './clock';

test('runs at its own rate, however seldom it is asked', () => {
  const clock = new PlayClock(5, 1000, 10);
  expect(clock.due(1000, 100, false)).toEqual({ index: 5, ended: false });
  expect(clock.due(1099, 100, false).index).toBe(5);
  expect(clock.due(1100, 100, false).index).toBe(6);
  expect(clock.due(3000, 100, false).index).toBe(25);
});

test('stops at the last record, or starts over when looping', () => {
  const clock = new PlayClock(8, 0, 1);
  expect(clock.due(1000, 10, false)).toEqual({ index: 9, ended: false });
  expect(clock.due(2000, 10, false)).toEqual({ index: 9, ended: true });
  expect(clock.due(3000, 10, true)).toEqual({ index: 1, ended: false });
});

test('a new speed counts from where one is, not from where one began', () => {
  const clock = new PlayClock(0, 0, 1);
  clock.restart(clock.due(4000, 100, false).index, 4000, 10);
  expect(clock.due(5000, 100, false).index).toBe(14);
});

test('a frame that began before the clock was started is no step back', () => {
  const clock = new PlayClock(4, 1000, 32);
  expect(clock.due(985, 10, false)).toEqual({ index: 4, ended: false });
});
