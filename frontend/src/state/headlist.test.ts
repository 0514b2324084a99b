import { signal } from '@preact/signals';
import { expect, test } from 'vitest';
import type { LayerInfo, LayerMetrics, RunInfo } from '../api/model';
import { createHeadList, isNamed, isOfKind } from './headlist';
import type { HeadMetrics } from './headmetrics';
import type { Metrics } from './metrics';
import type { Selection } from './selection';
import { createView } from './view';

const layers = [
  { name: 'decoder/layer_0/cross_attention', heads: 2 },
  { name: 'encoder/layer_0/self_attention', heads: 3 },
] as unknown as LayerInfo[];

/** Two steps, two examples; values of the second example count here. */
function metricsOf(heads: number, series: Record<string, number[][]>): LayerMetrics {
  return {
    steps: [10, 20],
    examples: 2,
    heads,
    series: new Map(
      Object.entries(series).map(([name, steps]) => [
        name,
        Float32Array.from(
          steps.flatMap((values) => [...Array<number>(heads).fill(NaN), ...values]),
        ),
      ]),
    ),
  };
}

const cross = metricsOf(2, {
  entropy: [
    [0.99, 0.98],
    [0.2, 0.97],
  ],
  sink_mass: [
    [0.1, 0.2],
    [0.5, 0.49],
  ],
  previous_token: [
    [NaN, NaN],
    [NaN, NaN],
  ],
});
const encoder = metricsOf(3, {
  entropy: [
    [0.5, 0.5, 0.5],
    [0.45, 0.4, 0.976],
  ],
  sink_mass: [
    [0.1, 0.1, 0.1],
    [0.1, 0.1, 0.9],
  ],
  previous_token: [
    [0, 0, 0],
    [0.5, 0.2, 0.51],
  ],
});

function create(known = true) {
  const view = createView();
  const loaded = signal<ReadonlyMap<string, LayerMetrics>>(
    new Map([
      ['decoder/layer_0/cross_attention', cross],
      ...(known ? ([['encoder/layer_0/self_attention', encoder]] as const) : []),
    ]),
  );
  const selection = {
    run: signal({ layers } as unknown as RunInfo),
    layer: signal(layers[0]),
    head: signal(1),
    example: signal(1),
    step: signal(20),
    steps: signal([10, 20]),
  } as unknown as Selection;
  const metrics = { curve: signal('entropy') } as unknown as Metrics;
  const headMetrics = { layers: loaded } as unknown as HeadMetrics;
  return { view, list: createHeadList(selection, view, metrics, headMetrics) };
}

const short = (heads: readonly { layer: string; head: number }[]) =>
  heads.map(({ layer, head }) => `${layer[0] ?? ''}${head}`).join(' ');

test('every word has to be in the name, also the short one', () => {
  const named = (words: string) =>
    isNamed(layers, { layer: layers[0]?.name ?? '', head: 1 }, words.split(' '));
  expect(named('cross h1')).toBe(true);
  expect(named('decoder l0')).toBe(true);
  expect(named('cross head 1')).toBe(true);
  expect(named('encoder h1')).toBe(false);
  expect(named('cross h2')).toBe(false);
});

test('a kind is a metric over its threshold; NaN tells nothing', () => {
  expect(isOfKind(cross, 'sink', 0, 1, 20, 10)).toBe(true);
  expect(isOfKind(cross, 'sink', 1, 1, 20, 10)).toBe(false);
  expect(isOfKind(cross, 'previous', 0, 1, 20, 10)).toBeUndefined();
  expect(isOfKind(cross, 'changed', 0, 1, 20, 10)).toBe(true);
  expect(isOfKind(cross, 'changed', 1, 1, 20, 10)).toBe(false);
  expect(isOfKind(undefined, 'sink', 0, 1, 20, 10)).toBeUndefined();
});

test('kinds are counted at the step, whatever is looked for by name', () => {
  const { view, list } = create();
  view.find.value = 'cross';
  expect(list.kinds.value.map(({ label, count }) => `${label} ${String(count)}`)).toEqual([
    'Sink 2',
    'Previous token 2',
    'Uniform 1',
    'Changed since the first 2',
  ]);
});

test('counts are not told before all layers have answered', () => {
  const { list } = create(false);
  expect(list.kinds.value.map(({ count }) => count)).toEqual([null, null, null, null]);
});

test('name and kind filter together, and ranking keeps to what is left', () => {
  const { view, list } = create();
  expect(short(list.shown.value)).toBe('d0 d1 e0 e1 e2');
  view.only.value = 'sink';
  expect(short(list.shown.value)).toBe('d0 e2');
  expect(short(list.ranked.value)).toBe('e2 d0');
  view.sort.value = 'change';
  expect(short(list.ranked.value)).toBe('d0 e2');
  expect(list.value({ layer: layers[0]?.name ?? '', head: 0 })).toBeCloseTo(0.2 - 0.99);
  view.ascending.value = true;
  expect(short(list.ranked.value)).toBe('e2 d0');
  view.find.value = 'ENC';
  expect(short(list.shown.value)).toBe('e2');
  view.find.value = 'nothing';
  expect(list.shown.value).toEqual([]);
  expect(list.stop.value).toBeNull();
});

test('the Tab key stops at the selected head, else at the first that is shown', () => {
  const { view, list } = create();
  expect(short([list.stop.value ?? { layer: '', head: -1 }])).toBe('d1');
  view.only.value = 'previous';
  expect(short([list.stop.value ?? { layer: '', head: -1 }])).toBe('e0');
});

test('changes count from side A where there is one', () => {
  const { view, list } = create();
  view.a.value = 20;
  expect(list.reference.value).toBe(20);
  expect(list.kinds.value.map(({ kind }) => kind)).toEqual(['sink', 'previous', 'uniform']);
});
