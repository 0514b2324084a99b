import { expect, test } from 'vitest';
import type { AttentionMap, LayerInfo, RunInfo } from '../api/model';
import { maxOf, meanOf, rolloutOf } from './aggregate';
import { offersFor } from './offers';

/** Not random, but no two alike. */
function noise(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 16807) % 2147483647) / 2147483647;
}

function rows(queries: number, keys: number, seed: number, causal = false): number[][] {
  const next = noise(seed);
  return Array.from({ length: queries }, (_, query) => {
    const row = Array.from({ length: keys }, (_, key) => (causal && key > query ? 0 : next()));
    const sum = row.reduce((a, b) => a + b, 0);
    return row.map((value) => value / sum);
  });
}

function mapOf(values: number[][], length = values[0]?.length ?? 0): AttentionMap {
  return {
    step: 3,
    queries: values.length,
    keys: values[0]?.length ?? 0,
    queryLength: Math.min(length, values.length),
    keyLength: length,
    causal: false,
    hasNonfinite: false,
    outOfRange: false,
    weights: { kind: 'floats', values: Float32Array.from(values.flat()) },
  };
}

function cells(map: AttentionMap): number[] {
  return map.weights.kind === 'floats' ? [...map.weights.values] : [];
}

test('mean and maximum are those of each cell, computed another way', () => {
  const heads = [rows(3, 5, 1), rows(3, 5, 2), rows(3, 5, 7)];
  const [mean, most] = [meanOf(heads.map((h) => mapOf(h))), maxOf(heads.map((h) => mapOf(h)))];
  for (let query = 0; query < 3; query++) {
    for (let key = 0; key < 5; key++) {
      const values = heads.map((head) => head[query]?.[key] ?? NaN);
      expect(cells(mean)[query * 5 + key]).toBeCloseTo(values.reduce((a, b) => a + b) / 3, 6);
      expect(cells(most)[query * 5 + key]).toBeCloseTo(Math.max(...values), 6);
    }
  }
});

test('codes are looked up before they are averaged', () => {
  const table = { id: 1, values: Float32Array.of(0, 0.25, 1), tiny: 0 };
  const coded: AttentionMap = {
    ...mapOf([[0, 0]]),
    weights: { kind: 'codes', codes: Uint8Array.of(1, 2), table },
  };
  expect(cells(meanOf([coded, mapOf([[0.75, 0]])]))).toEqual([0.5, 0.5]);
});

test('maps of different shapes have no aggregate; NaN is not averaged away', () => {
  expect(() => meanOf([mapOf(rows(2, 3, 1)), mapOf(rows(3, 2, 1))])).toThrow('no common cells');
  expect(cells(maxOf([mapOf([[NaN]]), mapOf([[1]])]))).toEqual([NaN]);
  expect(cells(meanOf([mapOf([[1]]), mapOf([[NaN]])]))).toEqual([NaN]);
});

/** As the paper writes it, with matrices of rows and no haste. */
function slowRollout(layers: number[][][]): number[][] {
  let joint: number[][] | null = null;
  for (const attention of layers) {
    const n = attention.length;
    const augmented = attention.map((row, i) => row.map((a, j) => 0.5 * a + (i === j ? 0.5 : 0)));
    const normal = augmented.map((row) => row.map((a) => a / row.reduce((x, y) => x + y, 0)));
    const before: number[][] | null = joint;
    joint = before
      ? normal.map((row) =>
          Array.from({ length: n }, (_, j) =>
            row.reduce((sum, a, k) => sum + a * (before[k]?.[j] ?? NaN), 0),
          ),
        )
      : normal;
  }
  return joint ?? [];
}

test.each([false, true])('rollout is the product of the layers (causal: %s)', async (causal) => {
  const layers = [rows(7, 7, 3, causal), rows(7, 7, 11, causal), rows(7, 7, 5, causal)];
  const rolled = cells(await rolloutOf(layers.map((layer) => mapOf(layer))));
  const slow = slowRollout(layers).flat();
  rolled.forEach((value, i) => expect(value).toBeCloseTo(slow[i] ?? NaN, 6));
  // Not the same the other way around, so the order is told apart.
  const reversed = slowRollout([...layers].reverse()).flat();
  expect(rolled.some((value, i) => Math.abs(value - (reversed[i] ?? 0)) > 1e-3)).toBe(true);
  for (let i = 0; i < 7; i++) {
    expect(rolled.slice(7 * i, 7 * i + 7).reduce((a, b) => a + b)).toBeCloseTo(1, 5);
  }
});

test('padding takes no part in a rollout', async () => {
  const inner = [rows(3, 3, 2), rows(3, 3, 9)];
  const padded = inner.map((layer) =>
    mapOf([...layer.map((row) => [...row, 0, 0]), [1, 0, 0, 0, 0], [0, 1, 0, 0, 0]], 3),
  );
  const rolled = cells(await rolloutOf(padded));
  slowRollout(inner).forEach((row, i) =>
    row.forEach((value, j) => expect(rolled[i * 5 + j]).toBeCloseTo(value, 6)),
  );
  expect(rolled.slice(15)).toEqual(Array(10).fill(0));
  expect([rolled[3], rolled[4]]).toEqual([0, 0]);
});

test('rollout refuses what is not self-attention', async () => {
  await expect(rolloutOf([mapOf(rows(2, 3, 1))])).rejects.toThrow('as many queries as keys');
});

function layer(name: string, queries: number, keys = queries, heads = 2): LayerInfo {
  return {
    name,
    queries,
    keys,
    heads,
    steps: [0],
    wallTimes: [0],
    causal: false,
    examples: [],
    exampleSteps: [],
    generation: 'g',
    queryPooling: 0,
    keyPooling: 0,
  };
}

function reasons(run: RunInfo, name: string): Record<string, string | null> {
  const of = run.layers.find((one) => one.name === name);
  return Object.fromEntries(of ? offersFor(run, of).map((o) => [o.kind, o.reason]) : []);
}

const names = ['encoder/layer_10/self', 'encoder/layer_2/self', 'decoder/layer_0/cross'];
const run: RunInfo = {
  name: 'r',
  thumbnailsOnly: false,
  layers: [...names.map((n) => layer(n, 5, n.includes('cross') ? 4 : 5)), layer('encoder/odd', 7)],
};

test('only what means something is offered, and the rest says why not', () => {
  expect(reasons(run, 'encoder/layer_10/self')).toEqual({
    mean: null,
    max: null,
    layers: null,
    rollout: null,
  });
  expect(reasons(run, 'decoder/layer_0/cross')).toMatchObject({
    mean: null,
    rollout: expect.stringContaining('self-attention') as string,
    layers: expect.stringContaining('No other layer') as string,
  });
  const single: RunInfo = { ...run, layers: [layer('decoder/attention', 3, 4, 1)] };
  expect(Object.values(reasons(single, 'decoder/attention')).every((r) => r !== null)).toBe(true);
  const pooled: RunInfo = {
    ...run,
    layers: [0, 1].map((i) => ({ ...layer(`h.${i}.attn`, 5), queryPooling: 3, keyPooling: 3 })),
  };
  expect(reasons(pooled, 'h.1.attn').rollout).toContain('only maxima are stored');
  const huge: RunInfo = { ...run, layers: [0, 1].map((i) => layer(`h.${i}.attn`, 4096, 4096, 12)) };
  expect(reasons(huge, 'h.1.attn').mean).toContain('too many for a browser');
});

test('a rollout goes through its layers by number, up to the one selected', () => {
  const [selected] = run.layers;
  const offer = selected && offersFor(run, selected).find((one) => one.kind === 'rollout');
  expect(offer?.layers.map((one) => one.name)).toEqual([
    'encoder/layer_2/self',
    'encoder/layer_10/self',
  ]);
  expect(offer?.name).toBe('Rollout L2–L10');
});
