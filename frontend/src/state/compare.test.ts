import { expect, test } from 'vitest';
import type { LayerInfo, RunInfo } from '../api/model';
import { otherSubject, type Subject } from './compare';

function layer(name: string, heads: number): LayerInfo {
  return {
    name,
    heads,
    steps: [0, 100],
    wallTimes: [0, 1],
    queries: 4,
    keys: 5,
    causal: false,
    examples: [],
    exampleSteps: [],
    generation: 'g',
    queryPooling: 0,
    keyPooling: 0,
  };
}

function run(name: string, layers: readonly LayerInfo[], thumbnailsOnly = false): RunInfo {
  return { name, layers, thumbnailsOnly };
}

const first = run('first', [layer('cross', 4)]);
const runs = [
  first,
  run('fewer', [layer('cross', 2)]),
  run('else', [layer('self', 4)]),
  run('copied', [layer('cross', 4)], true),
];
const own: Subject = { run: first, layer: layer('cross', 4), head: 3, aggregate: null };

test('side B takes another head of the layer, or the same head of another run', () => {
  expect(otherSubject('head.1', own, runs)).toMatchObject({ run: { name: 'first' }, head: 1 });
  expect(otherSubject('run.fewer', own, runs)).toMatchObject({ run: { name: 'fewer' }, head: 1 });
});

test.each([null, 'head.3', 'head.4', 'head.x', 'run.first', 'run.else', 'run.copied', 'run.', 'x'])(
  'what cannot be compared is the selected head: %s',
  (other) => {
    expect(otherSubject(other, own, runs)).toBeNull();
  },
);

test('chosen heads are compared by their numbers', () => {
  const chosen = { ...layer('cross', 2), headNumbers: [3, 7] };
  const of: Subject = { run: run('chosen', [chosen]), layer: chosen, head: 3, aggregate: null };
  expect(otherSubject('head.7', of, [of.run, first])).toMatchObject({ head: 7 });
  expect(otherSubject('head.1', of, [of.run, first])).toBeNull();
  expect(otherSubject('run.chosen', { ...own, head: 0 }, [of.run, first])).toMatchObject({
    head: 3,
  });
});
