import type { Scale } from '../state/url';
import type { Weights } from '../api/weights';

/** The smallest weight of the logarithmic scale. */
export const LOG_FLOOR = 1e-3;
/** In the logarithmic scale whatever is above zero is told apart from zero. */
const LOG_LEAST = 0.03;

/** Where a weight lies on the ramp, 0 to 1; `rowMax` matters for the per-row scale only. */
export function position(scale: Scale, weight: number, rowMax: number): number {
  if (weight <= 0) return 0;
  switch (scale) {
    case 'linear':
      return Math.min(1, weight);
    case 'log':
      return Math.min(1, Math.max(LOG_LEAST, 1 - Math.log10(weight) / Math.log10(LOG_FLOOR)));
    case 'row':
      return rowMax > 0 ? Math.min(1, weight / rowMax) : 0;
  }
}

/** Entries beyond the ramp's 256, for what is not a weight. */
export const NOT_FINITE = 256;
export const OUT_OF_RANGE = 257;

/** The entry of the colour table for a weight. */
export function colorIndex(scale: Scale, weight: number, rowMax: number): number {
  if (!Number.isFinite(weight)) return NOT_FINITE;
  if (weight < 0 || weight > 1 + 1e-6) return OUT_OF_RANGE;
  return Math.round(position(scale, weight, rowMax) * 255);
}

/** For coded maps: the entry of every code at once. */
export function codeLookup(scale: Scale, values: Float32Array, rowMax = 1): Uint16Array {
  const lookup = Uint16Array.from(values, (weight) => colorIndex(scale, weight, rowMax));
  // Tiny counts as zero in linear; its shown value would round there anyway, but not per row.
  if (scale !== 'log') lookup[1] = 0;
  return lookup;
}

/** The largest finite weight of a row. */
export function rowMaximum(weights: Weights, start: number, length: number): number {
  let most = 0;
  if (weights.kind === 'codes') {
    for (let i = start; i < start + length; i++) {
      most = Math.max(most, weights.codes[i] as number);
    }
    return weights.table.values[most] ?? 0;
  }
  for (let i = start; i < start + length; i++) {
    const value = weights.values[i] as number;
    if (value > most && Number.isFinite(value)) most = value;
  }
  return most;
}
