import { computed, effect, signal, type ReadonlySignal } from '@preact/signals';
import { positionOf } from '../api/heads';
import { fetchMetrics } from '../api/client';
import type { LayerMetrics } from '../api/model';
import type { Selection } from './selection';
import { indexAtOrBefore } from './steps';
import type { View } from './view';

/** Metrics that belong to the checks, not to the curves. */
const CHECKS: ReadonlySet<string> = new Set([
  'row_sum_error',
  'padding_mass',
  'future_mass',
  'nonfinite',
]);

/** The order in which metrics are listed; those unknown here follow. */
const ORDER = ['entropy', 'max_weight', 'diagonality', 'coverage', 'change'];

export interface Metrics {
  readonly layer: ReadonlySignal<LayerMetrics | null>;
  /** Names of the metrics to list, in order. */
  readonly names: ReadonlySignal<readonly string[]>;
  /** The one drawn as a curve. */
  readonly curve: ReadonlySignal<string | null>;
  /** Of the shown layer; undefined where nothing was recorded. */
  at(name: string, step: number, example: number, head: number): number | undefined;
  /** Over all of the layer's steps, NaN where there is no value. */
  series(name: string, example: number, head: number): Float64Array;
  readonly problem: ReadonlySignal<string | null>;
}

export function createMetrics(selection: Pick<Selection, 'run' | 'layer'>, view: View): Metrics {
  const loaded = signal<{ subject: string; metrics: LayerMetrics } | null>(null);
  const problem = signal<string | null>(null);

  const wanted = computed(() => {
    const run = selection.run.value;
    const layer = selection.layer.value;
    if (!run || !layer) return null;
    return JSON.stringify([run.name, layer.name, layer.generation, layer.steps.length]);
  });
  const subject = computed(() =>
    JSON.stringify([selection.run.value?.name, selection.layer.value?.name]),
  );

  effect(() => {
    const key = wanted.value;
    const run = selection.run.peek();
    const layer = selection.layer.peek();
    if (key === null || !run || !layer) return;
    const controller = new AbortController();
    const asked = subject.peek();
    fetchMetrics(run.name, layer.name, controller.signal).then(
      (metrics) => {
        if (controller.signal.aborted) return;
        loaded.value = { subject: asked, metrics };
        problem.value = null;
      },
      (error: unknown) => {
        if (controller.signal.aborted) return;
        problem.value = error instanceof Error ? error.message : String(error);
      },
    );
    return () => controller.abort();
  });

  const layer = computed(() =>
    loaded.value?.subject === subject.value ? loaded.value.metrics : null,
  );
  const names = computed(() =>
    [...(layer.value?.series ?? [])]
      // Some metrics have no value for this kind of attention, at no step.
      .filter(([name, values]) => !CHECKS.has(name) && values.some(Number.isFinite))
      .map(([name]) => name)
      .sort((a, b) => position(a) - position(b)),
  );
  const curve = computed(
    () => names.value.find((name) => name === view.metric.value) ?? names.value[0] ?? null,
  );

  return {
    layer,
    names,
    curve,
    at(name, step, example, head) {
      const metrics = layer.value;
      const series = metrics?.series.get(name);
      const position = metrics ? positionOf(metrics, head) : -1;
      if (!metrics || !series || example >= metrics.examples || position < 0) {
        return undefined;
      }
      const index = indexAtOrBefore(metrics.steps, step);
      if (metrics.steps[index] !== step) return undefined;
      const value = series[(index * metrics.examples + example) * metrics.heads + position];
      return value === undefined || Number.isNaN(value) ? undefined : value;
    },
    series(name, example, head) {
      const metrics = layer.value;
      const values = metrics?.series.get(name);
      const position = metrics ? positionOf(metrics, head) : -1;
      if (!metrics || !values || example >= metrics.examples || position < 0) {
        return new Float64Array(0);
      }
      return Float64Array.from(
        metrics.steps,
        (_, index) =>
          values[(index * metrics.examples + example) * metrics.heads + position] ?? NaN,
      );
    },
    problem,
  };
}

function position(name: string): number {
  const index = ORDER.indexOf(name);
  return index < 0 ? ORDER.length : index;
}
