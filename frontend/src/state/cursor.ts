import { computed, effect, signal, type ReadonlySignal } from '@preact/signals';
import { isTinyAt, weightAt } from '../api/weights';
import type { AttentionMap } from '../api/model';
import type { Cell } from './url';
import type { View } from './view';

/** The region of a map that is shown: its valid part, or all of it with the padding. */
export interface Region {
  readonly queries: number;
  readonly keys: number;
}

export function regionOf(map: AttentionMap, padding: boolean): Region {
  return padding
    ? { queries: map.queries, keys: map.keys }
    : {
        queries: Math.min(map.queries, map.queryLength || map.queries),
        keys: Math.min(map.keys, map.keyLength || map.keys),
      };
}

/** Why a cell has no weight. */
export type Mask = false | 'causal' | 'padding' | 'hidden';

export interface Reading {
  readonly weight: number;
  readonly tiny: boolean;
  /** No weight is possible here, and there is none. */
  readonly masked: Mask;
}

export function readCell(map: AttentionMap, cell: Cell): Reading {
  const index = cell.query * map.keys + cell.key;
  const weight = weightAt(map.weights, index);
  return {
    weight,
    tiny: isTinyAt(map.weights, index),
    masked: weight === 0 && maskOf(map, cell.query, cell.key),
  };
}

export function maskOf(map: AttentionMap, query: number, key: number): Mask {
  if (query >= map.queryLength || key >= map.keyLength) return 'padding';
  if (map.causal && key > query) return 'causal';
  return map.hidden?.[key] === 1 ? 'hidden' : false;
}

export interface Cursor {
  readonly cell: ReadonlySignal<Cell | null>;
  set(cell: Cell): void;
  clear(): void;
}

/**
 * The crosshair. It stays where it was put while steps, heads and examples change; before anyone
 * puts it anywhere it stands on the strongest key of the middle query.
 */
export function createCursor(
  view: View,
  map: ReadonlySignal<AttentionMap | null>,
  /** Where it may stand, if not anywhere in the map. */
  bounds?: ReadonlySignal<Region | null>,
): Cursor {
  const suggested = signal<Cell | null>(null);
  const cleared = signal(false);

  effect(() => {
    if (map.value && suggested.peek() === null) suggested.value = suggest(map.value);
  });

  const cell = computed(() => {
    const wish = view.cell.value ?? (cleared.value ? null : suggested.value);
    if (!wish || !map.value) return null;
    const region = bounds?.value ?? regionOf(map.value, view.padding.value);
    return {
      query: Math.min(wish.query, region.queries - 1),
      key: Math.min(wish.key, region.keys - 1),
    };
  });

  return {
    cell,
    set(next) {
      const now = view.cell.peek();
      if (now?.query !== next.query || now.key !== next.key) view.cell.value = next;
    },
    clear() {
      view.cell.value = null;
      cleared.value = true;
    },
  };
}

function suggest(map: AttentionMap): Cell {
  const { queries, keys } = regionOf(map, false);
  const query = queries >> 1;
  return { query, key: strongestKey(map, query, keys) };
}

export function strongestKey(map: AttentionMap, query: number, keys: number): number {
  let best = 0;
  let most = -Infinity;
  for (let key = 0; key < keys; key++) {
    const weight = weightAt(map.weights, query * map.keys + key);
    if (weight > most) {
      most = weight;
      best = key;
    }
  }
  return best;
}

/** The other end of the strongest link of a query or a key. */
export function strongestEnd(
  map: AttentionMap,
  token: { readonly side: 'query' | 'key'; readonly index: number },
  region: Region,
): number {
  if (token.side === 'query') return strongestKey(map, token.index, region.keys);
  let best = 0;
  let most = -Infinity;
  for (let query = 0; query < region.queries; query++) {
    const weight = weightAt(map.weights, query * map.keys + token.index);
    if (weight > most) {
      most = weight;
      best = query;
    }
  }
  return best;
}

export interface Rank {
  /** 1 for the strongest key of the row; equal weights share the better rank. */
  readonly rank: number;
  /** How many keys this query can look at; one that has weight is one of them. */
  readonly among: number;
}

/** A cell's weight among those of its row. */
export function rankOf(map: AttentionMap, cell: Cell, keys: number): Rank {
  const start = cell.query * map.keys;
  const own = weightAt(map.weights, start + cell.key);
  let rank = 1;
  let among = 0;
  for (let key = 0; key < keys; key++) {
    const weight = weightAt(map.weights, start + key);
    if (weight > own) rank++;
    if (isPossible(map, cell.query, key, weight)) among++;
  }
  return { rank, among };
}

/** Whether a query can look at a key, by the masks that are known or as its weight shows. */
function isPossible(map: AttentionMap, query: number, key: number, weight: number): boolean {
  return weight !== 0 || maskOf(map, query, key) === false;
}

export interface Ranked {
  readonly key: number;
  readonly weight: number;
  readonly tiny: boolean;
}

/** The `count` strongest keys of a row, and the weight of all others that it can look at. */
export function topKeys(
  map: AttentionMap,
  query: number,
  keys: number,
  count: number,
): { top: Ranked[]; others: number; rest: number } {
  const start = query * map.keys;
  const top: Ranked[] = [];
  let sum = 0;
  let among = 0;
  for (let key = 0; key < keys; key++) {
    const weight = weightAt(map.weights, start + key);
    if (isPossible(map, query, key, weight)) among++;
    if (!Number.isFinite(weight)) continue;
    sum += weight;
    const last = top.at(-1);
    if (weight === 0 || (top.length === count && last && weight <= last.weight)) continue;
    const entry = { key, weight, tiny: isTinyAt(map.weights, start + key) };
    const at = top.findIndex((other) => other.weight < weight);
    top.splice(at < 0 ? top.length : at, 0, entry);
    if (top.length > count) top.pop();
  }
  const listed = top.reduce((total, entry) => total + entry.weight, 0);
  return { top, others: among - top.length, rest: Math.max(0, sum - listed) };
}
