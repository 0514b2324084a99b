import { signal } from '@preact/signals';
import { beforeEach, expect, test, vi } from 'vitest';
import type { AttentionMap, Catalog, LayerInfo, RunInfo } from '../api/model';
import { createCompare, type Compare } from './compare';
import type { Wanted } from './load';
import type { Masks } from './masks';
import type { Metrics } from './metrics';
import { createSelection } from './selection';
import { createView, type View } from './view';

const asked: Wanted[] = [];
/** Steps that cannot be read. */
const broken = new Set<number>();

vi.mock('./load', async (original) => ({
  ...(await original<object>()),
  loadMap: (wanted: Wanted) => {
    asked.push(wanted);
    if (broken.has(wanted.step)) return Promise.reject(new Error('The stored data is damaged.'));
    const pooling = wanted.run === 'pooled' ? { queries: 5, keys: 5 } : undefined;
    return Promise.resolve<AttentionMap>({
      step: wanted.step,
      queries: 3,
      keys: 5,
      queryLength: 3,
      keyLength: 5,
      causal: false,
      hasNonfinite: false,
      outOfRange: false,
      pooling,
      weights: { kind: 'floats', values: new Float32Array(15) },
    });
  },
}));

function layer(name: string, heads: number, steps: readonly number[]): LayerInfo {
  return {
    name,
    heads,
    steps,
    wallTimes: steps,
    queries: 3,
    keys: 5,
    causal: false,
    examples: [],
    exampleSteps: [],
    generation: 'g',
    queryPooling: 0,
    keyPooling: 0,
  };
}

function run(
  name: string,
  heads: number,
  steps: readonly number[],
  thumbnailsOnly = false,
): RunInfo {
  return { name, layers: [layer('x', heads, steps)], thumbnailsOnly };
}

const RUNS = [
  run('one', 7, [0, 10, 20]),
  run('two', 2, [0, 13]),
  run('pooled', 7, [20]),
  run('four', 7, [20]),
  run('five', 7, [20]),
];

function create(runs: readonly RunInfo[] = RUNS): { compare: Compare; view: View } {
  const catalog = signal<Catalog | null>(null);
  const view = createView();
  view.mode.value = 'compare';
  const selection = createSelection(catalog, view);
  const masks = {
    hidden: signal<readonly number[]>([]),
    apply: (map: AttentionMap) => map,
  } as unknown as Masks;
  const metrics = { layer: signal(null) } as unknown as Metrics;
  const compare = createCompare(catalog, selection, view, masks, metrics);
  catalog.value = { runs, codeTables: new Map(), logDir: '', problems: [] };
  return { compare, view };
}

const arrived = () => new Promise((done) => setTimeout(done));

beforeEach(() => {
  asked.length = 0;
  broken.clear();
  vi.stubGlobal('fetch', () => Promise.reject(new Error('no server')));
});

test('a head is compared with its beginning, its first record with the last', () => {
  const { compare, view } = create();
  expect([compare.a.step.value, compare.b.step.value]).toEqual([20, 0]);
  view.a.value = 0;
  expect([compare.a.step.value, compare.b.step.value]).toEqual([0, 20]);
});

test('another run is compared at the same step, or at the nearest it has', async () => {
  const { compare, view } = create();
  view.other.value = 'run.two';
  expect([compare.b.wish.value, compare.b.step.value]).toEqual([20, 13]);
  expect(compare.another.value).toBe(true);
  await arrived();
  expect(asked.at(-1)).toMatchObject({ run: 'two', head: 0, step: 13 });
});

test('exchanging the steps leaves the subjects where they are', () => {
  const { compare, view } = create();
  view.other.value = 'head.3';
  view.b.value = 10;
  compare.swap();
  expect([compare.a.step.value, compare.b.step.value]).toEqual([10, 20]);
  expect([compare.a.subject.value?.head, compare.b.subject.value?.head]).toEqual([0, 3]);
});

test('rows are further runs at the same steps, with the head that B shall be', () => {
  const { compare, view } = create();
  view.head.value = 5;
  view.other.value = 'head.1';
  compare.setRows(['two', 'four']);
  const rows = compare.rows.value.map(({ a, b }) => [
    a.subject.value?.run.name,
    a.step.value,
    a.subject.value?.head,
    b.subject.value?.head,
  ]);
  expect(rows).toEqual([
    ['one', 20, 5, 1],
    ['two', 13, 1, 1],
    ['four', 20, 5, 1],
  ]);
  expect(compare.rows.value[1]?.instead.value).toEqual({ a: 5, b: null });
  expect(compare.rows.value[1]?.said.value).toEqual([
    'Run “two” has 2 heads: its head 1 is shown in place of head 5.',
  ]);
});

test('four rows at most; a run that cannot be one is told', () => {
  const { compare, view } = create();
  compare.setRows(['two', 'pooled', 'four', 'five']);
  expect(compare.rows.value.length).toBe(4);
  view.rows.value = ['gone', 'two'];
  expect(compare.rows.value.length).toBe(2);
  expect(compare.rows.value[0]?.said.value).toEqual([
    'Run “gone” has no maps of this layer to stand beside.',
  ]);
});

test('B of another run and rows of runs exclude each other, the latest choice stands', () => {
  const { compare, view } = create();
  compare.setRows(['two']);
  compare.setOther('run.four');
  expect([view.rows.value, compare.rows.value.length]).toEqual([[], 1]);
  compare.setRows(['two']);
  expect([view.other.value, compare.rows.value.length]).toEqual([null, 2]);
  compare.setOther('head.2');
  expect(compare.rows.value.length).toBe(2);
  // A link may have both.
  view.other.value = 'run.four';
  expect(compare.rows.value.length).toBe(1);
});

test('a side that cannot be read is missing, not on its way', async () => {
  broken.add(0);
  const { compare } = create();
  const [row] = compare.rows.value;
  expect(row?.missing.value).toBeNull();
  await arrived();
  expect(compare.b.state.value).toMatchObject({
    status: 'error',
    problem: 'The stored data is damaged.',
  });
  expect(row?.missing.value).toBe('B could not be read.');
  // What A has can still be read.
  expect(compare.region.value).toEqual({ queries: 3, keys: 5 });
  broken.clear();
  compare.retry();
  await arrived();
  expect([row?.missing.value, row?.verdict.value?.comparable]).toEqual([null, true]);
});

test('maxima and weights have no difference, and the crosshair is on A', async () => {
  const { compare, view } = create();
  view.other.value = 'run.pooled';
  await arrived();
  expect(compare.rows.value[0]?.missing.value).toBe('Cells of A and B do not correspond.');
  expect(compare.region.value).toEqual({ queries: 3, keys: 5 });
});

test('where there are thumbnails only, that is what is missing', () => {
  const { compare } = create([run('copied', 7, [0, 10], true)]);
  expect(compare.rows.value[0]?.missing.value).toBe('This copy of the log has thumbnails only.');
  expect(asked).toEqual([]);
});

test('what names nothing is said, and B is as A', () => {
  const { compare, view } = create();
  view.other.value = 'heed.3';
  expect(compare.rows.value[0]?.said.value).toEqual([
    '“heed.3” names no head or run. B is the same as A.',
  ]);
  expect(compare.another.value).toBe(false);
});

test('nothing is read while another view is shown', async () => {
  const { view } = create();
  await arrived();
  const before = asked.length;
  view.mode.value = 'map';
  view.b.value = 10;
  await arrived();
  expect(asked.length).toBe(before);
});
