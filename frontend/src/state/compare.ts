import { batch, computed, effect, signal, type ReadonlySignal } from '@preact/signals';
import { nearestHead, positionOf } from '../api/heads';

import type { AttentionMap, Catalog, LayerInfo, RunInfo } from '../api/model';
import { bytesOf } from '../api/weights';
import { ByteLru } from './lru';
import { loadMap, requestOf, type Wanted } from './load';
import { keyOf } from './maps';
import type { Masks } from './masks';
import { offersFor, type Offer } from './offers';
import type { Selection } from './selection';
import { nearestIndex } from './steps';
import type { View } from './view';

const CACHE_BYTES = 48 * 2 ** 20;

export type SideName = 'a' | 'b';

/** What one side shows of: the selected head, or for B another head or run. */
export interface Subject {
  readonly run: RunInfo;
  readonly layer: LayerInfo;
  readonly head: number;
  /** Shown in place of the head. */
  readonly aggregate: Offer | null;
}

export interface SideState {
  readonly status: 'none' | 'loading' | 'ready' | 'error';
  readonly map: AttentionMap | null;
  readonly problem: string | null;
}

export interface Side {
  readonly subject: ReadonlySignal<Subject | null>;
  /** The step asked for, and the record nearest to it. */
  readonly wish: ReadonlySignal<number | null>;
  readonly step: ReadonlySignal<number | null>;
  readonly state: ReadonlySignal<SideState>;
}

export interface Compare {
  readonly a: Side;
  readonly b: Side;
  /** Whether both sides have the same tokens, as far as they have any. */
  readonly sameTokens: ReadonlySignal<boolean>;
  set(side: SideName, step: number): void;
  swap(): void;
  retry(): void;
}

/** What B may be, from the text of the address; null for the selected head itself. */
export function otherSubject(
  other: string | null,
  own: Subject | null,
  runs: readonly RunInfo[],
): Subject | null {
  if (!own || other === null) return null;
  const head = /^head\.(\d{1,6})$/.exec(other)?.[1];
  if (head !== undefined) {
    const index = Number(head);
    return positionOf(own.layer, index) >= 0 && (own.aggregate !== null || index !== own.head)
      ? { ...own, head: index, aggregate: null }
      : null;
  }
  if (!other.startsWith('run.')) return null;
  const run = runs.find((r) => r.name === other.slice(4));
  const layer = run?.layers.find((l) => l.name === own.layer.name);
  if (!run || !layer || run.name === own.run.name || run.thumbnailsOnly) return null;
  const aggregate = own.aggregate
    ? (offersFor(run, layer).find((one) => one.kind === own.aggregate?.kind && !one.reason) ?? null)
    : null;
  return { run, layer, head: nearestHead(layer, own.head), aggregate };
}

export function createCompare(
  catalog: ReadonlySignal<Catalog | null>,
  selection: Selection,
  view: View,
  masks: Masks,
): Compare {
  const cache = new ByteLru<AttentionMap>(CACHE_BYTES, (map) => bytesOf(map.weights));
  const attempt = signal(0);

  const own = computed<Subject | null>(() => {
    const run = selection.run.value;
    const layer = selection.layer.value;
    const aggregate = selection.aggregate.value;
    return run && layer ? { run, layer, head: selection.head.value, aggregate } : null;
  });
  const other = computed(() =>
    otherSubject(view.other.value, own.value, catalog.value?.runs ?? []),
  );
  const wishA = computed(() => view.a.value ?? selection.step.value);
  const stepA = computed(() => nearest(own.value, wishA.value));
  const wishB = computed(() => {
    if (view.b.value !== null) return view.b.value;
    // Another head or run is compared at the same step; one with itself from its beginning.
    if (other.value) return wishA.value;
    const steps = selection.steps.value;
    return (stepA.value === steps[0] ? steps.at(-1) : steps[0]) ?? null;
  });
  const subjectB = computed(() => other.value ?? own.value);

  function side(
    subject: ReadonlySignal<Subject | null>,
    wish: ReadonlySignal<number | null>,
  ): Side {
    const step = computed(() => nearest(subject.value, wish.value));
    const request = computed<Wanted | null>(() => {
      const of = subject.value;
      if (view.mode.value !== 'compare' || !of || step.value === null || of.run.thumbnailsOnly) {
        return null;
      }
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
    const state = computed(() => {
      const { map, ...rest } = loaded.value;
      return { ...rest, map: map && masks.apply(map) };
    });
    return { subject, wish, step, state };
  }

  function load(request: ReadonlySignal<Wanted | null>): ReadonlySignal<SideState> {
    const state = signal<SideState>({ status: 'none', map: null, problem: null });
    const key = computed(() => (request.value ? keyOf(request.value) : ''));
    effect(() => {
      void attempt.value;
      const asked = key.value;
      const wanted = request.peek();
      if (!wanted) {
        state.value = { status: 'none', map: null, problem: null };
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

  const a = side(own, wishA);
  const b = side(subjectB, wishB);
  return {
    a,
    b,
    sameTokens: computed(() => {
      const example = selection.example.value;
      const one = own.value?.layer.examples[example]?.keyTokens ?? [];
      const two = subjectB.value?.layer.examples[example]?.keyTokens ?? [];
      return one.length === two.length && one.every((token, i) => token === two[i]);
    }),
    set(name, step) {
      view[name].value = step;
    },
    swap() {
      // With another head or run on B only the steps change sides.
      batch(() => {
        const [stepOfA, stepOfB] = [a.step.peek(), b.step.peek()];
        view.a.value = stepOfB;
        view.b.value = stepOfA;
      });
    },
    retry() {
      attempt.value++;
    },
  };
}

function nearest(subject: Subject | null, wish: number | null): number | null {
  if (!subject || wish === null) return null;
  return subject.layer.steps[nearestIndex(subject.layer.steps, wish)] ?? null;
}
