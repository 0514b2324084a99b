import { computed, effect, signal, type ReadonlySignal } from '@preact/signals';
import type { AttentionMap, Catalog } from '../api/model';
import { bytesOf } from '../api/weights';
import type { Events } from './events';
import { loadMap, type Wanted } from './load';
import { ByteLru } from './lru';
import { keyOf, type Maps } from './maps';
import type { Masks } from './masks';
import type { Selection } from './selection';
import { indexAtOrBefore, nearestIndex } from './steps';
import { MOST_FRAMES } from './url';
import type { View } from './view';

const CACHE_BYTES = 96 * 2 ** 20;
/** Maps that are asked for at a time. */
const AT_ONCE = 3;

type Steps = readonly number[];

function ascending(steps: Iterable<number | undefined>): number[] {
  const known = [...new Set(steps)].filter((step) => step !== undefined);
  return known.sort((a, b) => a - b);
}

/** `count` records, the first and the last among them, with as many between any two. */
export function evenly(steps: Steps, count: number): number[] {
  const between = Math.max(1, Math.min(count, steps.length) - 1);
  return ascending(
    Array.from({ length: between + 1 }, (_, i) => {
      return steps[Math.round((i * (steps.length - 1)) / between)];
    }),
  );
}

/** `count` records at steps that grow by a factor: attention forms early. */
export function logarithmically(steps: Steps, count: number): number[] {
  const first = steps[0];
  const last = steps.at(-1);
  if (first === undefined || last === undefined) return [];
  if (steps.length <= count) return [...steps];
  const chosen = new Set([first, last]);
  // Early steps are rarer than the factor wants: a finer one, until there are enough.
  for (let parts = count - 1; chosen.size < count && parts < 64 * count; parts++) {
    chosen.clear();
    chosen.add(first).add(last);
    for (let i = 1; i < parts; i++) {
      const wish = first - 1 + (last - first + 1) ** (i / parts);
      chosen.add(steps[nearestIndex(steps, wish)] as number);
      if (chosen.size === count) break;
    }
  }
  return ascending(chosen);
}

/** For each event the record before it and that at it, and the first and the last record. */
export function atEvents(steps: Steps, events: readonly number[]): number[] {
  return ascending([
    steps[0],
    ...events.flatMap((step) => {
      const index = indexAtOrBefore(steps, step);
      return [steps[index - 1], steps[index]];
    }),
    steps.at(-1),
  ]);
}

export interface Frame {
  readonly step: number;
  readonly map: AttentionMap | null;
  /** Why there is no map and will be none. */
  readonly problem: string | null;
}

/** One head, or an aggregate, at several steps beside each other. */
export interface Film {
  readonly steps: ReadonlySignal<readonly number[]>;
  readonly frames: ReadonlySignal<readonly Frame[]>;
  /** How many steps were asked for, where memory has no room for all of them; else null. */
  readonly cutFrom: ReadonlySignal<number | null>;
  /** Puts a step in, or takes it out; from then on the steps are those chosen by hand. */
  toggle(step: number): void;
}

type Loaded = Pick<Frame, 'map' | 'problem'>;

export function createFilm(
  catalog: ReadonlySignal<Catalog | null>,
  selection: Selection,
  view: View,
  maps: Maps,
  masks: Masks,
  events: Events,
): Film {
  const cache = new ByteLru<AttentionMap>(CACHE_BYTES, (map) => bytesOf(map.weights));
  const loaded = signal<ReadonlyMap<string, Loaded>>(new Map());

  const wishes = computed<readonly number[]>(() => {
    const steps = selection.steps.value;
    switch (view.spread.value) {
      case 'even':
        return evenly(steps, view.frames.value);
      case 'log':
        return logarithmically(steps, view.frames.value);
      case 'events': {
        const layer = selection.layer.value?.name ?? '';
        const of = events.of(layer, selection.head.value).map((event) => event.step);
        return atEvents(steps, of);
      }
      case 'chosen':
        return ascending(view.film.value.map((step) => steps[nearestIndex(steps, step)]));
    }
  });
  const most = computed(() => {
    const map = maps.state.value.map;
    const layer = selection.layer.value;
    const bytes = map ? bytesOf(map.weights) : (layer?.queries ?? 1) * (layer?.keys ?? 1);
    return Math.max(2, Math.min(MOST_FRAMES, Math.floor(CACHE_BYTES / bytes)));
  });
  const steps = computed(() => {
    const all = wishes.value;
    return all.length <= most.value ? all : evenly(all, most.value);
  });

  const requests = computed<readonly Wanted[]>(() => {
    const request = maps.request.value;
    if (view.mode.value !== 'film' || !request) return [];
    return steps.value.map((step) => ({ ...request, step }));
  });
  const requestKey = computed(() => requests.value.map(keyOf).join('\n'));

  function note(key: string, one: Loaded): void {
    loaded.value = new Map([...loaded.peek(), [key, one]]);
  }

  async function load(wanted: Wanted, abort: AbortSignal): Promise<void> {
    const key = keyOf(wanted);
    try {
      const tables = catalog.peek()?.codeTables ?? new Map<number, never>();
      const map = await loadMap(wanted, tables, abort);
      cache.set(key, map);
      if (!abort.aborted) note(key, { map, problem: null });
    } catch (error) {
      if (abort.aborted) return;
      note(key, { map: null, problem: error instanceof Error ? error.message : String(error) });
    }
  }

  effect(() => {
    void requestKey.value;
    const wanted = requests.peek();
    const known = wanted.flatMap((one) => {
      const map = cache.get(keyOf(one));
      return map ? [[keyOf(one), { map, problem: null }] as const] : [];
    });
    loaded.value = new Map(known);
    const missing = wanted.filter((one) => !loaded.peek().has(keyOf(one)));
    const controller = new AbortController();
    const work = async () => {
      for (let one = missing.shift(); one; one = missing.shift()) {
        if (controller.signal.aborted) return;
        await load(one, controller.signal);
      }
    };
    for (let i = 0; i < AT_ONCE; i++) void work();
    return () => controller.abort();
  });

  return {
    steps,
    frames: computed(() =>
      requests.value.map((request) => {
        const { map, problem } = loaded.value.get(keyOf(request)) ?? { map: null, problem: null };
        return { step: request.step, map: map && masks.apply(map), problem };
      }),
    ),
    cutFrom: computed(() =>
      steps.value.length < wishes.value.length ? wishes.value.length : null,
    ),
    toggle(step) {
      const before = steps.peek();
      const without = before.filter((one) => one !== step);
      if (without.length === before.length && before.length >= most.peek()) return;
      view.film.value = without.length < before.length ? without : ascending([...before, step]);
      view.spread.value = 'chosen';
    },
  };
}
