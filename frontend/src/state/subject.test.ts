import { expect, test } from 'vitest';
import type { LayerInfo, RunInfo } from '../api/model';
import {
  findOther,
  formatOther,
  layersAlike,
  parseOther,
  runsBeside,
  sameSubject,
  SAME,
  type Subject,
} from './subject';

function layer(name: string, heads: number, queries = 5, keys = 7): LayerInfo {
  return {
    name,
    steps: [0],
    wallTimes: [0],
    heads,
    queries,
    keys,
    causal: false,
    examples: [],
    exampleSteps: [],
    generation: '1',
    queryPooling: 0,
    keyPooling: 0,
  };
}

function run(name: string, layers: LayerInfo[], thumbnailsOnly = false): RunInfo {
  return { name, layers, thumbnailsOnly };
}

const two = run('two', [layer('x', 2), layer('z', 3)]);
const runs = [
  run('one', [layer('x', 11), layer('y.head.3', 11), layer('w', 11, 5, 13)]),
  two,
  run('thumbs', [layer('x', 11)], true),
  run('else', [layer('z', 3)]),
];
const own: Subject = {
  run: runs[0] as RunInfo,
  layer: runs[0]?.layers[0] as LayerInfo,
  head: 7,
  aggregate: null,
};

test.each([
  [null, { run: null, layer: null, head: null }],
  ['head.3', { run: null, layer: null, head: 3 }],
  ['run.a/b.c', { run: 'a/b.c', layer: null, head: null }],
  ['layer.h.0/attn.head.5', { run: null, layer: 'h.0/attn', head: 5 }],
  ['layer.y.head.3.head.2', { run: null, layer: 'y.head.3', head: 2 }],
  ['head.4.run.a.head.1', { run: 'a.head.1', layer: null, head: 4 }],
  ['layer.x.head.0.run.two', { run: 'two', layer: 'x', head: 0 }],
] as const)('%s is read, and written as it was', (text, wish) => {
  expect(parseOther(text)).toEqual(wish);
  expect(formatOther(wish)).toBe(text);
});

test('what names nothing is not taken for A', () => {
  for (const text of ['head.', 'head.1234567', 'layer.x', 'x', 'head.1x']) {
    expect(parseOther(text), text).toBeNull();
  }
});

test('a head of another layer, and one of another run, are found', () => {
  const found = findOther(own, { run: null, layer: 'y.head.3', head: 10 }, runs);
  expect([found.subject?.layer.name, found.subject?.head, found.said]).toEqual([
    'y.head.3',
    10,
    null,
  ]);
  const there = findOther(own, { run: 'two', layer: 'z', head: 1 }, runs);
  expect([there.subject?.run.name, there.subject?.layer.name, there.subject?.head]).toEqual([
    'two',
    'z',
    1,
  ]);
});

test('a head that the other run does not have is said, with the one shown in its place', () => {
  const found = findOther(own, { ...SAME, run: 'two' }, runs);
  expect([found.subject?.head, found.instead]).toEqual([1, 7]);
  expect(found.said).toBe('Run “two” has 2 heads: its head 1 is shown in place of head 7.');
  const within = findOther(own, { ...SAME, head: 12 }, runs);
  expect([within.subject?.head, within.instead]).toEqual([10, 12]);
});

test.each([
  [{ ...SAME, run: 'gone' }, 'There is no run “gone” in this log.'],
  [{ ...SAME, run: 'else' }, 'Run “else” has no layer “x”.'],
  [{ ...SAME, run: 'thumbs' }, 'Of run “thumbs” there are only thumbnails.'],
  [{ run: null, layer: 'q', head: 0 }, 'Run “one” has no layer “q”.'],
] as const)('%j is not there, and it is said why', (wish, said) => {
  expect(findOther(own, wish, runs)).toEqual({ subject: null, said, instead: null });
});

test('an aggregate is that of the other run; where it has none that is said', () => {
  const mean = { kind: 'mean', name: 'Mean of 11 heads', about: '', file: '' } as const;
  const averaged: Subject = { ...own, aggregate: { ...mean, layers: [own.layer], reason: null } };
  const there = findOther(averaged, { ...SAME, run: 'two' }, runs);
  expect([there.subject?.aggregate?.name, there.said]).toEqual(['Mean of 2 heads', null]);
  const single = [...runs.slice(0, 1), run('single', [layer('x', 1)])];
  const none = findOther(averaged, { ...SAME, run: 'single' }, single);
  expect(none.subject?.aggregate).toBeNull();
  expect(none.said).toBe('Run “single” has 1 head: its head 0 is shown in place of head 7.');
  const zero = findOther({ ...averaged, head: 0 }, { ...SAME, run: 'single' }, single);
  expect(zero.said).toBe(
    'Run “single” has no “Mean of 11 heads”: This layer has one head. Its head 0 is shown.',
  );
});

test('the same run and head are the same, whatever objects a poll brought', () => {
  const again: Subject = { ...own, run: { ...own.run }, layer: { ...own.layer } };
  expect(sameSubject(own, again)).toBe(true);
  expect(sameSubject(own, { ...again, head: 6 })).toBe(false);
});

test('runs with this layer can stand beside, layers of this shape can be subtracted', () => {
  expect(runsBeside(own, runs).map(({ name }) => name)).toEqual(['two']);
  expect(layersAlike(own.run, own.layer).map(({ name }) => name)).toEqual(['x', 'y.head.3']);
});

test('of a layer of which only some heads were recorded, the nearest one stands in', () => {
  const chosen = { ...layer('x', 2), headNumbers: [3, 8] };
  const some = run('some', [chosen]);
  const found = findOther(own, { ...SAME, run: 'some' }, [...runs, some]);
  expect([found.subject?.head, found.instead]).toEqual([8, 7]);
  const asked = findOther(own, { ...SAME, run: 'some', head: 3 }, [...runs, some]);
  expect([asked.subject?.head, asked.instead]).toEqual([3, null]);
});
