import { computed, type ReadonlySignal } from '@preact/signals';
import { headsOf } from '../api/heads';
import type { LayerInfo, LayerMetrics } from '../api/model';
import { formatStep } from './format';
import { shortHead } from './groups';
import { ranked, valueOf, type HeadMetrics, type HeadRef } from './headmetrics';
import type { Metrics } from './metrics';
import type { Selection } from './selection';
import { HEAD_KINDS, type HeadKind } from './url';
import type { View } from './view';

/** A head is of a kind when this metric is at least that much; of events, the same thresholds. */
const KINDS: Readonly<Record<Exclude<HeadKind, 'changed'>, KindRule>> = {
  sink: {
    label: 'Sink',
    about: 'One key gets half of the attention or more.',
    metric: 'sink_mass',
    least: 0.5,
  },
  previous: {
    label: 'Previous token',
    about: 'Each query gives half of its attention or more to the token before.',
    metric: 'previous_token',
    least: 0.5,
  },
  uniform: {
    label: 'Uniform',
    about: 'Entropy is 0.975 or more: all keys get about the same.',
    metric: 'entropy',
    least: 0.975,
  },
};

interface KindRule {
  readonly label: string;
  readonly about: string;
  readonly metric: string;
  readonly least: number;
}

/** By how much entropy differs in a head that has changed. */
const CHANGED = 0.1;

export interface KindCount {
  readonly kind: HeadKind;
  readonly label: string;
  /** What makes a head one of these. */
  readonly about: string;
  /** Null while the metrics of all heads are not at hand. */
  readonly count: number | null;
}

/** The heads of the run: which of them the overview shows, and in which order. */
export interface HeadList {
  readonly all: ReadonlySignal<readonly HeadRef[]>;
  /** Those that the name and the kind let through, in the order of the model. */
  readonly shown: ReadonlySignal<readonly HeadRef[]>;
  isShown(layer: string, head: number): boolean;
  /** Where the Tab key stops: the selected head, or the first one where that is left out. */
  readonly stop: ReadonlySignal<HeadRef | null>;
  /** `shown` in the order of `value`. */
  readonly ranked: ReadonlySignal<readonly HeadRef[]>;
  /** What heads are ranked by; of changes, with their sign, the size. */
  value(head: HeadRef): number;
  /** Kinds that the metrics tell of, with the number of heads at this step, whatever their names. */
  readonly kinds: ReadonlySignal<readonly KindCount[]>;
  /** Since when a change is counted: side A of a comparison, else the first record. */
  readonly reference: ReadonlySignal<number>;
}

/** Whether a head's name holds every word. */
export function isNamed(
  layers: readonly LayerInfo[],
  { layer, head }: HeadRef,
  words: readonly string[],
): boolean {
  const name = `${layer} head ${head} ${shortHead(layers, layer, head)}`.toLowerCase();
  return words.every((word) => name.includes(word));
}

/** Whether a head is of a kind; undefined where the metrics do not tell. */
export function isOfKind(
  metrics: LayerMetrics | undefined,
  kind: HeadKind,
  head: number,
  example: number,
  step: number,
  reference: number,
): boolean | undefined {
  const at = (name: string, when: number) => valueOf(metrics, name, when, example, head);
  const { value, least } =
    kind === 'changed'
      ? { value: Math.abs(at('entropy', step) - at('entropy', reference)), least: CHANGED }
      : { value: at(KINDS[kind].metric, step), least: KINDS[kind].least };
  return Number.isNaN(value) ? undefined : value >= least;
}

function wordsFor(kind: HeadKind, reference: number, isSideA: boolean) {
  if (kind !== 'changed') return { label: KINDS[kind].label, about: KINDS[kind].about };
  const since = formatStep(reference);
  return {
    label: `Changed since ${isSideA ? 'A' : 'the first'}`,
    about: `Entropy differs by ${CHANGED} or more from that at step ${since}.`,
  };
}

export function createHeadList(
  selection: Selection,
  view: View,
  metrics: Metrics,
  headMetrics: HeadMetrics,
): HeadList {
  const layers = computed(() => selection.run.value?.layers ?? []);
  const all = computed(() =>
    layers.value.flatMap((layer) => headsOf(layer).map((head) => ({ layer: layer.name, head }))),
  );
  const reference = computed(() => view.a.value ?? selection.steps.value[0] ?? 0);
  const ofKind = (kind: HeadKind, { layer, head }: HeadRef) =>
    isOfKind(
      headMetrics.layers.value.get(layer),
      kind,
      head,
      selection.example.value,
      selection.step.value ?? 0,
      reference.value,
    );
  const words = computed(() =>
    (view.find.value ?? '')
      .toLowerCase()
      .split(/\s+/)
      .filter((word) => word !== ''),
  );
  const shown = computed(() =>
    all.value.filter(
      (head) =>
        isNamed(layers.value, head, words.value) &&
        (view.only.value === null || ofKind(view.only.value, head) === true),
    ),
  );
  const keys = computed(() => new Set(shown.value.map(({ layer, head }) => `${layer}\n${head}`)));
  const isShown = (layer: string, head: number) => keys.value.has(`${layer}\n${head}`);
  const value = (head: HeadRef) => {
    const name = metrics.curve.value ?? '';
    const at = (step: number) =>
      valueOf(
        headMetrics.layers.value.get(head.layer),
        name,
        step,
        selection.example.value,
        head.head,
      );
    const now = at(selection.step.value ?? 0);
    return view.sort.value === 'change' ? now - at(reference.value) : now;
  };
  return {
    all,
    shown,
    isShown,
    stop: computed(() => {
      const layer = selection.layer.value?.name ?? '';
      const head = selection.head.value;
      return isShown(layer, head) ? { layer, head } : (shown.value[0] ?? null);
    }),
    ranked: computed(() => {
      const size = view.sort.value === 'change' ? (head: HeadRef) => Math.abs(value(head)) : value;
      return ranked(shown.value, size, view.ascending.value);
    }),
    value,
    kinds: computed(() => {
      const known = headMetrics.layers.value.size >= layers.value.length;
      return HEAD_KINDS.flatMap((kind) => {
        const told = all.value.map((head) => ofKind(kind, head)).filter((is) => is !== undefined);
        const count = known ? told.filter(Boolean).length : null;
        // What no head is would only be noise, unless it is what one has asked for.
        if (count === 0 && view.only.value !== kind) return [];
        return [{ kind, count, ...wordsFor(kind, reference.value, view.a.value !== null) }];
      });
    }),
    reference,
  };
}
