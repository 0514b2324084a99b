import type { AttentionMap } from '../api/model';
import { weightAt } from '../api/weights';
import { plural } from './format';

export interface Check {
  readonly ok: boolean;
  readonly text: string;
  /** A figure beside the text. */
  readonly detail?: string;
}

/** Half-precision training leaves rows this far from one. */
const SUM_TOLERANCE = 2e-3;
/** A stored code may be 1 % off, so sums of codes may be as well. */
const STORED_TOLERANCE = 1.2e-2;
const PADDING_TOLERANCE = 1e-6;

/** The metric of integrity of this name, as it was recorded; undefined where it was not. */
export type Recorded = (name: string) => number | undefined;

/** What can be said about the soundness of a map; metrics where recorded, else the map itself. */
export function checkMap(map: AttentionMap, recorded: Recorded): Check[] {
  return [
    ...pooled(map),
    ...sums(map, recorded('row_sum_error')),
    ...padding(map, recorded('padding_mass')),
    ...future(map, recorded('future_mass')),
    finite(map, recorded('nonfinite')),
  ];
}

function pooled(map: AttentionMap): Check[] {
  if (!map.pooling) return [];
  const { queries, keys } = map.pooling;
  return [
    { ok: true, text: `Stored as maxima of ${queries} × ${keys}`, detail: 'metrics are of all' },
  ];
}

function sums(map: AttentionMap, recorded: number | undefined): Check[] {
  if (map.pooling && recorded === undefined) return []; // maxima do not sum to one
  const error = recorded ?? largestRowError(map);
  const tolerance = recorded === undefined ? STORED_TOLERANCE : SUM_TOLERANCE;
  const ok = error <= tolerance;
  const detail = recorded === undefined ? 'from the stored weights' : `±${tidy(error)}`;
  return [
    ok
      ? { ok, text: 'Rows sum to 1', detail }
      : { ok, text: 'Rows do not sum to 1', detail: `off by up to ${tidy(error)}` },
  ];
}

function tidy(value: number): string {
  if (!Number.isFinite(value)) return 'NaN';
  return value === 0 ? '0' : value < 1e-3 ? value.toExponential(0) : value.toPrecision(2);
}

function largestRowError(map: AttentionMap): number {
  let worst = 0;
  for (let query = 0; query < map.queryLength; query++) {
    let sum = 0;
    for (let key = 0; key < map.keys; key++) sum += weightAt(map.weights, query * map.keys + key);
    // Not `Math.max`: a NaN has to come through.
    const error = Math.abs(sum - 1);
    if (!(error <= worst)) worst = error;
  }
  return worst;
}

function padding(map: AttentionMap, recorded: number | undefined): Check[] {
  const count = map.keys - map.keyLength;
  if (count <= 0) return [];
  const mass = recorded ?? paddingWeight(map);
  const keys = count === 1 ? '1 padding key' : `${count.toLocaleString('en')} padding keys`;
  return mass <= PADDING_TOLERANCE
    ? [{ ok: true, text: `No weight on ${keys}` }]
    : [{ ok: false, text: `Weight on ${keys}`, detail: `up to ${tidy(mass)} of a query` }];
}

function paddingWeight(map: AttentionMap): number {
  let most = 0;
  for (let query = 0; query < map.queryLength; query++) {
    let sum = 0;
    for (let key = map.keyLength; key < map.keys; key++) {
      sum += weightAt(map.weights, query * map.keys + key);
    }
    if (!(sum <= most)) most = sum;
  }
  return most;
}

/** A weight above zero that is no rounding noise. */
const FUTURE_TOLERANCE = 1e-6;

function future(map: AttentionMap, recorded: number | undefined): Check[] {
  if (!map.causal) return [];
  const mass = recorded ?? futureWeight(map);
  return mass <= FUTURE_TOLERANCE
    ? [{ ok: true, text: 'No weight on later keys' }]
    : [{ ok: false, text: 'Weight on later keys', detail: `up to ${tidy(mass)} of a query` }];
}

function futureWeight(map: AttentionMap): number {
  let most = 0;
  for (let query = 0; query < map.queryLength; query++) {
    let sum = 0;
    for (let key = query + 1; key < map.keyLength; key++) {
      sum += weightAt(map.weights, query * map.keys + key);
    }
    if (!(sum <= most)) most = sum;
  }
  return most;
}

function finite(map: AttentionMap, recorded: number | undefined): Check {
  if (recorded !== undefined && recorded > 0) {
    return { ok: false, text: `${plural(recorded, 'weight is', 'weights are')} not finite` };
  }
  if (map.hasNonfinite && recorded === undefined)
    return { ok: false, text: 'Values that are not finite in this record' };
  if (map.outOfRange) {
    return { ok: false, text: 'Weights below 0 or above 1 in this record', detail: 'raw scores?' };
  }
  return { ok: true, text: 'All values finite' };
}
