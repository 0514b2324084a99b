import { computed, effect, signal, type ReadonlySignal } from '@preact/signals';
import type { AttentionMap, Catalog, ExampleInfo } from '../api/model';
import { bytesOf } from '../api/weights';
import { createExamples } from './examples';
import { loadMap, requestOf, type Wanted } from './load';
import { ByteLru } from './lru';
import { keyOf } from './maps';
import type { Masks } from './masks';
import type { Selection } from './selection';
import { nearestIndex } from './steps';
import type { Subject } from './subject';
import type { View } from './view';

const CACHE_BYTES = 48 * 2 ** 20;

export interface SideState {
  readonly status: 'none' | 'loading' | 'ready' | 'error';
  readonly map: AttentionMap | null;
  readonly problem: string | null;
}

/** A or B of one row of a comparison. */
export interface Side {
  readonly subject: ReadonlySignal<Subject | null>;
  /** The step asked for, and the record nearest to it. */
  readonly wish: ReadonlySignal<number | null>;
  readonly step: ReadonlySignal<number | null>;
  /** The example with the tokens that it had at that record. */
  readonly example: ReadonlySignal<ExampleInfo | undefined>;
  readonly state: ReadonlySignal<SideState>;
}

export interface Sides {
  create(subject: ReadonlySignal<Subject | null>, wish: ReadonlySignal<number | null>): Side;
  retry(): void;
}

const NOTHING: SideState = { status: 'none', map: null, problem: null };

/** Makes sides that read their maps while a comparison is shown, from one cache. */
export function createSides(
  catalog: ReadonlySignal<Catalog | null>,
  selection: Selection,
  view: View,
  masks: Masks,
): Sides {
  const cache = new ByteLru<AttentionMap>(CACHE_BYTES, (map) => bytesOf(map.weights));
  const attempt = signal(0);

  function load(request: ReadonlySignal<Wanted | null>): ReadonlySignal<SideState> {
    const state = signal<SideState>(NOTHING);
    const key = computed(() => (request.value ? keyOf(request.value) : ''));
    effect(() => {
      void attempt.value;
      const asked = key.value;
      const wanted = request.peek();
      if (!wanted) {
        state.value = NOTHING;
        return;
      }
      const known = cache.get(asked);
      if (known) {
        state.value = { status: 'ready', map: known, problem: null };
        return;
      }
      state.value = { status: 'loading', map: null, problem: null };
      const controller = new AbortController();
      loadMap(
        wanted,
        catalog.peek()?.codeTables ?? new Map<number, never>(),
        controller.signal,
      ).then(
        (map) => {
          if (controller.signal.aborted) return;
          cache.set(asked, map);
          state.value = { status: 'ready', map, problem: null };
        },
        (error: unknown) => {
          if (controller.signal.aborted) return;
          const problem = error instanceof Error ? error.message : String(error);
          state.value = { status: 'error', map: null, problem };
        },
      );
      return () => controller.abort();
    });
    return state;
  }

  return {
    create(subject, wish) {
      const shown = computed(() => (view.mode.value === 'compare' ? subject.value : null));
      const step = computed(() => nearestStep(subject.value, wish.value));
      const request = computed<Wanted | null>(() => {
        const of = shown.value;
        if (!of || step.value === null || of.run.thumbnailsOnly) return null;
        return {
          run: of.run.name,
          layer: of.layer.name,
          generation: of.layer.generation,
          example: selection.example.value,
          head: of.head,
          step: step.value,
          aggregate: requestOf(of.aggregate),
        };
      });
      const loaded = load(request);
      const examples = createExamples({
        run: computed(() => shown.value?.run ?? null),
        layer: computed(() => shown.value?.layer ?? null),
        step,
      });
      return {
        subject,
        wish,
        step,
        example: computed(() => examples.value[selection.example.value]),
        state: computed(() => {
          const { map, ...rest } = loaded.value;
          return { ...rest, map: map && masks.apply(map) };
        }),
      };
    },
    retry() {
      attempt.value++;
    },
  };
}

/** The record of a subject that is nearest to a step. */
export function nearestStep(subject: Subject | null, wish: number | null): number | null {
  if (!subject || wish === null) return null;
  return subject.layer.steps[nearestIndex(subject.layer.steps, wish)] ?? null;
}
