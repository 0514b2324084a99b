import { expect, test } from 'vitest';
import type { EventInfo } from '../api/model';
import { foremost, kindTitle, kindTone, neighbour } from './events';

function event(kind: string, step: number, layer = 'a', head = 0): EventInfo {
  return { kind, layer, head, step, confirmedStep: step + 1, metric: 'm', value: 1, message: kind };
}

const events = [
  event('alignment_formed', 10),
  event('alignment_formed', 10, 'a', 1),
  event('entropy_collapse', 30),
  event('sink_emerged', 30),
  event('alignment_lost', 40, 'b'),
];

test('every event is met once on the way forward, and once on the way back', () => {
  const walk = (by: 1 | -1, from: { step: number; layer: string; head: number }) => {
    const met: string[] = [];
    let at: typeof from | undefined = from;
    while ((at = neighbour(events, at, by))) met.push(`${at.layer}${at.head}@${at.step}`);
    return met;
  };
  // The collapse and the sink are one place to look at.
  expect(walk(1, { step: 0, layer: 'a', head: 0 })).toEqual(['a0@10', 'a1@10', 'a0@30', 'b0@40']);
  expect(walk(-1, { step: 99, layer: 'a', head: 0 })).toEqual(['b0@40', 'a0@30', 'a1@10', 'a0@10']);
  expect(neighbour(events, { step: 30, layer: 'b', head: 7 }, 1)?.step).toBe(40);
  expect(neighbour([], { step: 0, layer: 'a', head: 0 }, 1)).toBeUndefined();
});

test('bad news stand for what comes with them', () => {
  expect(foremost([events[3] as EventInfo, events[2] as EventInfo])?.kind).toBe('entropy_collapse');
  expect(foremost(events)?.kind).toBe('entropy_collapse');
  expect(foremost([])).toBeUndefined();
});

test('a kind of a later version is shown, and judged neither good nor bad', () => {
  expect(kindTitle('head_reborn')).toBe('Head reborn');
  expect(kindTone('head_reborn')).toBe('neutral');
});
