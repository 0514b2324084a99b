import { computed, effect, signal, type ReadonlySignal } from '@preact/signals';
import { Refused, type MapRequest } from '../api/client';
import { UnreadableData } from '../api/inflate';
import type { AttentionMap, Catalog } from '../api/model';
import { bytesOf } from '../api/weights';
import { loadMap, requestOf, type AggregateRequest, type Wanted } from './load';
import { ByteLru } from './lru';
import type { Masks } from './masks';
import type { Selection } from './selection';
import { prefetchIndices } from './steps';

const CACHE_BYTES = 160 * 2 ** 20;
const AHEAD = 4;
/** A map that comes sooner than this replaces the one before without a preview in between. */
const PATIENCE_MS = 180;

export interface Problem {
  readonly message: string;
  readonly details: string;
}

export interface MapState {
  readonly status: 'none' | 'loading' | 'ready' | 'error';
  /** What is asked for; null when there is nothing to ask for. */
  readonly request: Wanted | null;
  /** What to draw: the map asked for, or for a moment the one before it. */
  readonly map: AttentionMap | null;
  /** Loading takes long enough to say so. */
  readonly slow: boolean;
  readonly problem: Problem | null;
}

export interface Travel {
  readonly direction: 1 | -1;
  readonly loop: boolean;
}

export interface Maps {
  /** What is asked for; null when there is nothing to ask for. */
  readonly request: ReadonlySignal<Wanted | null>;
  readonly state: ReadonlySignal<MapState>;
  /** The record before the one shown, when it is at hand: for changes since then. */
  readonly previous: ReadonlySignal<AttentionMap | null>;
  /** The nearest record that did not turn out unreadable. */
  nearestReadable(): number | null;
  retry(): void;
}

export function keyOf(request: MapRequest & { aggregate?: AggregateRequest | null }): string {
  return JSON.stringify([
    request.run,
    request.layer,
    request.generation,
    request.example,
    // The selected head makes no difference to an aggregate.
    request.aggregate ?? request.head,
    request.step,
  ]);
}

function sameSubject(a: Wanted | null, b: Wanted): boolean {
  return a !== null && keyOf({ ...a, step: 0 }) === keyOf({ ...b, step: 0 });
}

export function createMaps(
  catalog: ReadonlySignal<Catalog | null>,
  selection: Selection,
  travel: ReadonlySignal<Travel>,
  masks: Masks,
): Maps {
  const cache = new ByteLru<AttentionMap>(CACHE_BYTES, (map) => bytesOf(map.weights));
  const inFlight = new Map<string, AbortController>();
  const unreadable = new Set<string>();
  const state = signal<MapState>({
    status: 'none',
    request: null,
    map: null,
    slow: false,
    problem: null,
  });
  const attempt = signal(0);
  // Counts what was put into the cache, which by itself tells nobody.
  const arrivals = signal(0);
  let slowTimer: ReturnType<typeof setTimeout> | undefined;

  const request = computed<Wanted | null>(() => {
    const run = selection.run.value;
    const layer = selection.layer.value;
    const step = selection.step.value;
    if (!run || !layer || step === null || run.thumbnailsOnly) return null;
    return {
      run: run.name,
      layer: layer.name,
      generation: layer.generation,
      example: selection.example.value,
      head: selection.head.value,
      step,
      aggregate: requestOf(selection.aggregate.value),
    };
  });
  // The catalog is a new object after every poll; only a different question asks again.
  const requestKey = computed(() => (request.value ? keyOf(request.value) : ''));

  async function load(wanted: Wanted): Promise<void> {
    const key = keyOf(wanted);
    if (inFlight.has(key)) return;
    const controller = new AbortController();
    inFlight.set(key, controller);
    try {
      const tables = catalog.peek()?.codeTables ?? new Map<number, never>();
      const map = await loadMap(wanted, tables, controller.signal);
      cache.set(key, map);
      arrivals.value++;
      unreadable.delete(key);
      if (requestKey.peek() === key) {
        show(wanted, map);
        prefetch(wanted);
      }
    } catch (error) {
      if (controller.signal.aborted) return;
      if (!(error instanceof TypeError)) unreadable.add(key);
      if (requestKey.peek() === key) fail(wanted, error);
    } finally {
      if (inFlight.get(key) === controller) inFlight.delete(key);
    }
  }

  /** Only once the map asked for is there: its neighbours must not take its place in the queue. */
  function prefetch(wanted: Wanted): void {
    if (isDear(wanted, selection)) return;
    for (const next of neighbours(wanted, selection, travel.peek())) {
      if (!cache.has(keyOf(next)) && !unreadable.has(keyOf(next))) void load(next);
    }
  }

  function show(wanted: Wanted, map: AttentionMap): void {
    clearTimeout(slowTimer);
    state.value = { status: 'ready', request: wanted, map, slow: false, problem: null };
  }

  function fail(wanted: Wanted, error: unknown): void {
    clearTimeout(slowTimer);
    state.value = {
      status: 'error',
      request: wanted,
      map: null,
      slow: false,
      problem: problemOf(error),
    };
  }

  effect(() => {
    void attempt.value;
    const key = requestKey.value;
    const wanted = request.peek();
    clearTimeout(slowTimer);
    if (!wanted) {
      state.value = { status: 'none', request: null, map: null, slow: false, problem: null };
      return;
    }
    const keep = new Set([key, ...neighbours(wanted, selection, travel.peek()).map(keyOf)]);
    for (const [other, controller] of inFlight) {
      if (keep.has(other)) continue;
      controller.abort();
      inFlight.delete(other);
    }
    const cached = cache.get(key);
    if (cached) {
      show(wanted, cached);
      prefetch(wanted);
    } else {
      const before = state.peek();
      state.value = {
        status: 'loading',
        request: wanted,
        map: sameSubject(before.request, wanted) ? before.map : null,
        slow: false,
        problem: null,
      };
      slowTimer = setTimeout(() => {
        const now = state.peek();
        if (now.status === 'loading') state.value = { ...now, map: null, slow: true };
      }, PATIENCE_MS);
      void load(wanted);
    }
  });

  const masked = (map: AttentionMap | undefined) => (map ? masks.apply(map) : null);
  const previous = computed(() => {
    void arrivals.value;
    const wanted = request.value;
    const step = selection.steps.value[selection.index.value - 1];
    return wanted && step !== undefined ? masked(cache.get(keyOf({ ...wanted, step }))) : null;
  });

  const shown = computed<MapState>(() => {
    const { map, ...rest } = state.value;
    return { ...rest, map: map && masks.apply(map) };
  });

  return {
    request,
    state: shown,
    previous,
    nearestReadable() {
      const wanted = request.value;
      const steps = selection.steps.value;
      const index = selection.index.value;
      if (!wanted) return null;
      for (let distance = 1; distance < steps.length; distance++) {
        for (const step of [steps[index - distance], steps[index + distance]]) {
          if (step !== undefined && !unreadable.has(keyOf({ ...wanted, step }))) return step;
        }
      }
      return null;
    },
    retry: () => {
      attempt.value++;
    },
  };
}

/** More weights than these take too long to have them all at hand before they are asked for. */
const DEAR_WEIGHTS = 2 ** 22;
const DEAR_ROLLOUT = 128;

function isDear({ aggregate }: Wanted, selection: Selection): boolean {
  const layer = selection.layer.peek();
  if (!aggregate || !layer) return false;
  if (aggregate.kind === 'rollout' && layer.queries > DEAR_ROLLOUT) return true;
  const heads = aggregate.layers.reduce((sum, one) => sum + one.heads.length, 0);
  return heads * layer.queries * layer.keys > DEAR_WEIGHTS;
}

function neighbours(wanted: Wanted, selection: Selection, travel: Travel): Wanted[] {
  const steps = selection.steps.peek();
  const index = selection.index.peek();
  const ahead = prefetchIndices(steps.length, index, travel.direction, AHEAD, travel.loop);
  // The one before is what changes are counted from.
  if (index > 0 && !ahead.includes(index - 1)) ahead.push(index - 1);
  return ahead.map((i) => ({ ...wanted, step: steps[i] as number }));
}

function problemOf(error: unknown): Problem {
  if (error instanceof UnreadableData) return { message: error.message, details: error.details };
  if (error instanceof Refused) {
    return { message: error.message, details: `answer ${error.status}` };
  }
  if (error instanceof TypeError) {
    return {
      message: 'The server did not answer. It may have been stopped.',
      details: error.message,
    };
  }
  return { message: error instanceof Error ? error.message : String(error), details: '' };
}
