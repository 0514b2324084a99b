import { expect, test } from 'vitest';
import type { EventInfo } from '../api/model';
import { MARK_ICON, placeMarks } from './marks';
import { timeAxis } from './timeline';

const steps = Array.from({ length: 101 }, (_, i) => i * 10);
const axis = timeAxis(steps, 1038); // 1 px for each step, from 10 on

function at(...where: number[]): EventInfo[] {
  return where.map((step) => ({
    kind: 'sink_emerged',
    layer: 'a',
    head: 0,
    step,
    confirmedStep: step,
    metric: 'sink_mass',
    value: 1,
    message: '',
  }));
}

const label = (events: readonly EventInfo[]) => `${events.length} × sink`; // 8 characters: 70 px

test('a mark stands over its step, its label at the right', () => {
  const [mark] = placeMarks(at(200), axis, label);
  expect(mark).toMatchObject({ x: 210, left: 210 - MARK_ICON / 2, labelled: true });
});

test('events too close to be told apart share a mark', () => {
  const marks = placeMarks(at(200, 200, 210, 230), axis, label);
  expect(marks.map((mark) => [mark.x, mark.events.length])).toEqual([
    [210, 3],
    [240, 1],
  ]);
});

test('a label goes to the left where there is no room at the right, else it is left out', () => {
  const marks = placeMarks(at(100, 990), axis, label);
  expect(marks.map((mark) => mark.labelled)).toEqual([true, true]);
  expect(marks[1]?.left).toBeLessThan(1000 - 50);
  const crowded = placeMarks(at(100, 120, 140), axis, label);
  expect(crowded.map((mark) => mark.labelled)).toEqual([true, false, true]);
  const atTheEdge = placeMarks(at(0, 30), axis, label);
  expect(atTheEdge.map((mark) => mark.labelled)).toEqual([false, true]);
});

test('labels never overlap', () => {
  const places = [0, 40, 60, 170, 260, 300, 700, 960, 1000];
  const boxes = placeMarks(at(...places), axis, label).map((mark) => [
    mark.left,
    mark.left + (mark.labelled ? MARK_ICON + 4 + mark.label.length * 6 : MARK_ICON),
  ]);
  for (let i = 1; i < boxes.length; i++) {
    expect(boxes[i]?.[0]).toBeGreaterThanOrEqual(boxes[i - 1]?.[1] ?? 0);
  }
});

test('what happened beyond the axis has no place on it', () => {
  expect(placeMarks(at(2000), axis, label)).toEqual([]);
});
