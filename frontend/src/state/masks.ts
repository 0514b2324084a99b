import { computed, type ReadonlySignal } from '@preact/signals';
import type { AttentionMap, ExampleInfo } from '../api/model';
import { weightAt } from '../api/weights';
import { plural } from './format';
import type { Selection } from './selection';
import { isSpecialToken } from './tokens';
import type { View } from './view';

export interface Masks {
  /** The keys that are left out, ascending. */
  readonly hidden: ReadonlySignal<readonly number[]>;
  /** Whether this example has special tokens that could be left out. */
  readonly special: ReadonlySignal<readonly number[]>;
  /** What was done to the map, in words; null when nothing was. */
  readonly said: ReadonlySignal<string | null>;
  /** The map without the hidden keys; the same object for the same map. */
  apply(map: AttentionMap): AttentionMap;
}

export function createMasks(
  view: View,
  selection: Selection,
  examples: ReadonlySignal<readonly ExampleInfo[]>,
): Masks {
  const special = computed(() => {
    const tokens = examples.value[selection.example.value]?.keyTokens ?? [];
    return tokens.flatMap((token, key) => (isSpecialToken(token) ? [key] : []));
  });
  const hidden = computed<readonly number[]>(() => {
    const hide = view.hide.value;
    const keys = hide === 'special' || hide === 'both' ? special.value : [];
    const first = hide === 'first' || hide === 'both';
    return first ? [...new Set([0, ...keys])] : keys;
  });
  const said = computed(() => {
    const hide = view.hide.value;
    if (hidden.value.length === 0) return null;
    const first = hide === 'special' ? '' : 'first key';
    const count = hidden.value.length - (first ? 1 : 0);
    const rest = count > 0 ? plural(count, 'special token') : '';
    return `${[first, rest].filter(Boolean).join(' and ')} hidden, rows renormalised`;
  });
  let known = new WeakMap<AttentionMap, AttentionMap>();
  let knownFor: readonly number[] = [];
  return {
    hidden,
    special,
    said,
    apply(map) {
      const keys = hidden.value;
      if (keys.length === 0) return map;
      if (keys !== knownFor) {
        known = new WeakMap();
        knownFor = keys;
      }
      const before = known.get(map);
      if (before) return before;
      const masked = withoutKeys(map, keys);
      known.set(map, masked);
      return masked;
    },
  };
}

/**
 * A map without some of its keys: their weights are 0, and the others of each row grow in proportion
 * until the row sums to what it did. A row that has nothing left stays empty.
 */
export function withoutKeys(map: AttentionMap, keys: readonly number[]): AttentionMap {
  const hidden = new Uint8Array(map.keys);
  for (const key of keys) if (key < map.keys) hidden[key] = 1;
  const values = new Float32Array(map.queries * map.keys);
  for (let query = 0; query < map.queries; query++) {
    const start = query * map.keys;
    let all = 0;
    let left = 0;
    for (let key = 0; key < map.keys; key++) {
      const weight = weightAt(map.weights, start + key);
      const counted = Number.isFinite(weight) ? weight : 0;
      all += counted;
      if (hidden[key] === 1) continue;
      left += counted;
      values[start + key] = weight;
    }
    if (left === 0 || left === all) continue;
    const factor = all / left;
    for (let key = 0; key < map.keys; key++) {
      values[start + key] = (values[start + key] as number) * factor;
    }
  }
  return { ...map, hidden, weights: { kind: 'floats', values } };
}
