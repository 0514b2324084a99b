/** Several heads, or heads and layers, as one map. */
import type { AttentionMap } from '../api/model';
import type { Weights } from '../api/weights';

export const AGGREGATES = ['mean', 'max', 'layers', 'rollout'] as const;
/**
 * `mean` and `max` over the heads of a layer, cell by cell; `layers`: the mean over layers of the
 * mean over their heads; `rollout`: attention rollout (Abnar & Zuidema 2020, arXiv 2005.00928).
 */
export type AggregateKind = (typeof AGGREGATES)[number];

/** Work between two rests, so that the page stays alive. */
const BATCH_MS = 8;

function floats(weights: Weights): Float32Array {
  if (weights.kind === 'floats') return weights.values;
  const { codes, table } = weights;
  return Float32Array.from(codes, (code) => table.values[code] ?? NaN);
}

/** A map with the facts that all of `maps` share and other weights. */
function like(maps: readonly AttentionMap[], values: Float32Array): AttentionMap {
  const [first] = maps;
  if (!first) throw new Error('There are no maps to aggregate.');
  const odd = maps.find((map) => map.queries !== first.queries || map.keys !== first.keys);
  if (odd) {
    throw new Error(
      `Maps of ${first.queries} × ${first.keys} and ${odd.queries} × ${odd.keys} have no common cells.`,
    );
  }
  return {
    ...first,
    causal: maps.every((map) => map.causal),
    hasNonfinite: maps.some((map) => map.hasNonfinite),
    outOfRange: maps.some((map) => map.outOfRange),
    weights: { kind: 'floats', values },
  };
}

/** Cell by cell, the mean over maps of one shape. Rows that sum to 1 still do. */
export function meanOf(maps: readonly AttentionMap[]): AttentionMap {
  const count = (maps[0]?.queries ?? 0) * (maps[0]?.keys ?? 0);
  const sum = new Float32Array(count);
  const result = like(maps, sum);
  for (const { weights } of maps) {
    const values = floats(weights);
    for (let i = 0; i < count; i++) sum[i] = (sum[i] as number) + (values[i] as number);
  }
  for (let i = 0; i < count; i++) sum[i] = (sum[i] as number) / maps.length;
  return result;
}

/** Cell by cell, the maximum over maps of one shape. Rows do not sum to 1. NaN stays NaN. */
export function maxOf(maps: readonly AttentionMap[]): AttentionMap {
  const count = (maps[0]?.queries ?? 0) * (maps[0]?.keys ?? 0);
  const most = new Float32Array(count).fill(-Infinity);
  const result = like(maps, most);
  for (const { weights } of maps) {
    const values = floats(weights);
    for (let i = 0; i < count; i++) most[i] = Math.max(most[i] as number, values[i] as number);
  }
  return result;
}

/**
 * Attention rollout over the mean maps of a stack of self-attention layers, the first one first.
 *
 * The residual connection counts as half of what a position takes in: A' = 0.5 A + 0.5 I with rows
 * renormalised, and the rollout is the product A'(last) … A'(first). Its rows are positions after
 * the last layer, its columns positions of the input. Padding takes no part and stays 0.
 */
export async function rolloutOf(
  layers: readonly AttentionMap[],
  signal?: AbortSignal,
): Promise<AttentionMap> {
  const [first] = layers;
  if (!first) throw new Error('There are no maps to aggregate.');
  const odd = layers.find(
    (map) =>
      map.queries !== map.keys ||
      (map.queryLength || map.queries) !== (map.keyLength || map.keys) ||
      map.queryLength !== first.queryLength,
  );
  if (odd) {
    throw new Error(
      `Rollout needs as many queries as keys in every layer, here are ${odd.queryLength} and ${odd.keyLength}.`,
    );
  }
  const size = first.keys;
  const valid = first.keyLength || size;
  let product: Float32Array<ArrayBuffer> | null = null;
  for (const layer of layers) {
    const mixed = withResidual(layer, valid);
    product = product ? await multiply(mixed, product, size, valid, signal) : mixed;
  }
  return like(layers, product ?? new Float32Array(size * size));
}

function withResidual(map: AttentionMap, valid: number): Float32Array<ArrayBuffer> {
  const size = map.keys;
  const values = floats(map.weights);
  const mixed = new Float32Array(size * size);
  for (let query = 0; query < valid; query++) {
    const start = query * size;
    let sum = 0;
    for (let key = 0; key < valid; key++) {
      const weight = 0.5 * (values[start + key] as number) + (key === query ? 0.5 : 0);
      mixed[start + key] = weight;
      sum += weight;
    }
    for (let key = 0; key < valid; key++) {
      mixed[start + key] = (mixed[start + key] as number) / sum;
    }
  }
  return mixed;
}

async function multiply(
  a: Float32Array,
  b: Float32Array,
  size: number,
  valid: number,
  signal: AbortSignal | undefined,
): Promise<Float32Array<ArrayBuffer>> {
  const product = new Float32Array(size * size);
  let rested = performance.now();
  for (let i = 0; i < valid; i++) {
    const row = product.subarray(i * size, i * size + valid);
    for (let k = 0; k < valid; k++) {
      const factor = a[i * size + k] as number;
      if (factor === 0) continue;
      const from = k * size;
      for (let j = 0; j < valid; j++)
        row[j] = (row[j] as number) + factor * (b[from + j] as number);
    }
    if (performance.now() - rested < BATCH_MS) continue;
    await new Promise((resume) => setTimeout(resume));
    signal?.throwIfAborted();
    rested = performance.now();
  }
  return product;
}
