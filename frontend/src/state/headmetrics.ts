import { computed, effect, signal, type ReadonlySignal } from '@preact/signals';
import { positionOf } from '../api/heads';
import { fetchMetrics } from '../api/client';
import type { LayerInfo, LayerMetrics, RunInfo } from '../api/model';
import type { Selection } from './selection';
import { indexAtOrBefore } from './steps';

/** One head of the run. */
export interface HeadRef {
  readonly layer: string;
  readonly head: number;
}

export interface HeadMetrics {
  /** Of every layer of the run that was answered so far. */
  readonly layers: ReadonlySignal<ReadonlyMap<string, LayerMetrics>>;
  readonly problem: ReadonlySignal<string | null>;
}

/** Metrics of all layers, asked for only while something shows them. */
export function createHeadMetrics(
  selection: Selection,
  needed: ReadonlySignal<boolean>,
): HeadMetrics {
  const loaded = signal<{ run: string; layers: ReadonlyMap<string, LayerMetrics> } | null>(null);
  const problem = signal<string | null>(null);
  const versions = new Map<string, string>();
  const version = computed(() => {
    const run = selection.run.value;
    if (!run || !needed.value) return null;
    return JSON.stringify([run.name, run.layers.map(versionOf)]);
  });
  let running = false;

  /** One round at a time, then the latest wish; layers that did not grow are not asked again. */
  async function ask(): Promise<void> {
    if (running) return;
    running = true;
    try {
      for (let asked: string | null = null; asked !== version.peek();) {
        asked = version.peek();
        const run = selection.run.peek();
        if (!run || asked === null) break;
        for (const layer of run.layers) {
          const key = `${run.name}\n${layer.name}`;
          if (versions.get(key) === versionOf(layer)) continue;
          try {
            const metrics = await fetchMetrics(run.name, layer.name);
            const before = loaded.peek();
            const kept = before?.run === run.name ? before.layers : [];
            if (before !== null && before.run !== run.name) versions.clear();
            versions.set(key, versionOf(layer));
            loaded.value = { run: run.name, layers: new Map([...kept, [layer.name, metrics]]) };
            problem.value = null;
          } catch (error) {
            problem.value = error instanceof Error ? error.message : String(error);
          }
        }
      }
    } finally {
      running = false;
    }
  }

  effect(() => {
    void version.value;
    void ask();
  });

  return {
    layers: computed(() =>
      loaded.value !== null && loaded.value.run === selection.run.value?.name
        ? loaded.value.layers
        : new Map<string, LayerMetrics>(),
    ),
    problem,
  };
}

/** 8 MB of them. */
const MODEST_VALUES = 2 ** 21;
const METRICS_EXPECTED = 16;

/** Whether the metrics of all heads are few enough to be fetched before they are asked for. */
export function isModest(run: RunInfo | null): boolean {
  const values = (run?.layers ?? []).reduce(
    (sum, layer) => sum + layer.steps.length * layer.examples.length * layer.heads,
    0,
  );
  return values * METRICS_EXPECTED <= MODEST_VALUES;
}

function versionOf(layer: LayerInfo): string {
  return `${layer.name} ${layer.generation} ${layer.steps.length}`;
}

/** A metric of a head at the record at or before a step; NaN where there is none. */
export function valueOf(
  metrics: LayerMetrics | undefined,
  name: string,
  step: number,
  example: number,
  head: number,
): number {
  const series = metrics?.series.get(name);
  const position = metrics ? positionOf(metrics, head) : -1;
  if (!metrics || !series || position < 0 || example >= metrics.examples) return NaN;
  const index = indexAtOrBefore(metrics.steps, step);
  return series[(index * metrics.examples + example) * metrics.heads + position] ?? NaN;
}

/** Heads in the order of a value, the largest or the smallest first; those without one come last. */
export function ranked(
  heads: readonly HeadRef[],
  value: (head: HeadRef) => number,
  ascending = false,
): HeadRef[] {
  const values = new Map(heads.map((head) => [head, value(head)]));
  const key = (head: HeadRef) => {
    const number = values.get(head) ?? NaN;
    return Number.isNaN(number) ? -Infinity : ascending ? -number : number;
  };
  return [...heads].sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    return x === y ? 0 : y - x;
  });
}
