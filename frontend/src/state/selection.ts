import { computed, type ReadonlySignal } from '@preact/signals';
import { nearestHead } from '../api/heads';
import type { Catalog, LayerInfo, RunInfo } from '../api/model';
import { formatStep } from './format';
import { offersFor, type Offer } from './offers';
import { nearestIndex } from './steps';
import type { Pane } from './url';
import type { View } from './view';

/** What is shown: the person's wishes, resolved against what the log has. */
export interface Selection {
  readonly run: ReadonlySignal<RunInfo | null>;
  readonly layer: ReadonlySignal<LayerInfo | null>;
  readonly head: ReadonlySignal<number>;
  /** What may be shown in place of a head, and what of it is. */
  readonly offers: ReadonlySignal<readonly Offer[]>;
  readonly aggregate: ReadonlySignal<Offer | null>;
  readonly example: ReadonlySignal<number>;
  readonly steps: ReadonlySignal<readonly number[]>;
  /** Of the record shown, among `steps`; -1 when there is none. */
  readonly index: ReadonlySignal<number>;
  readonly step: ReadonlySignal<number | null>;
  readonly pane: ReadonlySignal<Pane>;
  /** Which wishes could not be met, and what is shown in their place. */
  readonly notices: ReadonlySignal<readonly string[]>;
}

const NO_STEPS: readonly number[] = [];

export function createSelection(catalog: ReadonlySignal<Catalog | null>, view: View): Selection {
  const run = computed(() => {
    const runs = catalog.value?.runs ?? [];
    return (
      runs.find((r) => r.name === view.run.value) ??
      runs.find((r) => !r.thumbnailsOnly && r.layers.length > 0) ??
      runs[0] ??
      null
    );
  });
  const layer = computed(() => {
    const layers = run.value?.layers ?? [];
    return layers.find((l) => l.name === view.layer.value) ?? layers[0] ?? null;
  });
  const head = computed(() => nearestHead(layer.value, view.head.value));
  const offers = computed(() =>
    run.value && layer.value ? offersFor(run.value, layer.value) : [],
  );
  const aggregate = computed(
    () =>
      offers.value.find((one) => one.kind === view.aggregate.value && one.reason === null) ?? null,
  );
  const example = computed(() =>
    Math.min(view.example.value, Math.max(0, (layer.value?.examples.length ?? 1) - 1)),
  );
  const steps = computed(() => layer.value?.steps ?? NO_STEPS);
  const index = computed(() =>
    view.step.value === null ? steps.value.length - 1 : nearestIndex(steps.value, view.step.value),
  );
  const step = computed(() => steps.value[index.value] ?? null);
  const pane = computed<Pane>(() => {
    if (view.pane.value) return view.pane.value;
    const heads = (run.value?.layers ?? []).reduce((sum, l) => sum + l.heads, 0);
    return heads > 1 ? 'heads' : 'examples';
  });

  const notices = computed(() => {
    const said: string[] = [];
    if (!run.value) return said;
    if (view.run.value !== null && view.run.value !== run.value.name) {
      said.push(`There is no run “${view.run.value}” in this log. Showing “${run.value.name}”.`);
    }
    if (!layer.value) return said;
    if (view.layer.value !== null && view.layer.value !== layer.value.name) {
      said.push(`This run has no layer “${view.layer.value}”. Showing “${layer.value.name}”.`);
    }
    // 0 is also what nobody wished for: the first head, whatever its number.
    if (view.head.value !== head.value && view.head.value !== 0) {
      said.push(`This layer has no head ${view.head.value}. Showing head ${head.value}.`);
    }
    const missing = offers.value.find((one) => one.kind === view.aggregate.value && one.reason);
    if (missing) said.push(`${missing.reason ?? ''} Showing head ${head.value}.`);
    if (view.example.value !== example.value) {
      said.push(`There is no example ${view.example.value + 1}. Showing ${example.value + 1}.`);
    }
    if (view.step.value !== null && step.value !== null && view.step.value !== step.value) {
      said.push(
        `Step ${formatStep(view.step.value)} was not recorded. Showing the nearest, ` +
          `${formatStep(step.value)}.`,
      );
    }
    return said;
  });

  return { run, layer, head, offers, aggregate, example, steps, index, step, pane, notices };
}
