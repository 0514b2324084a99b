import { batch, computed, type ReadonlySignal } from '@preact/signals';
import type { AttentionMap, Catalog, LayerMetrics } from '../api/model';
import { commonRegion, judge, type Verdict } from './comparable';
import type { Region } from './cursor';
import type { Masks } from './masks';
import { createMetrics, type Metrics } from './metrics';
import type { Selection } from './selection';
import { createSides, nearestStep, type Side } from './side';
import {
  findOther,
  parseOther,
  runsBeside,
  sameSubject,
  SAME,
  type Found,
  type Subject,
} from './subject';
import { MOST_ROWS } from './url';
import type { View } from './view';

export type SideName = 'a' | 'b';

/** One row: A and B of a run. */
export interface Comparison {
  readonly a: Side;
  readonly b: Side;
  /** Null until both maps are there. */
  readonly verdict: ReadonlySignal<Verdict | null>;
  /** Why there is no difference; null where there is one, or will be. */
  readonly missing: ReadonlySignal<string | null>;
  /** The number of the head that a side was asked for, where it shows another one. */
  readonly instead: ReadonlySignal<Readonly<Record<SideName, number | null>>>;
  /** What one has to know before one reads it. */
  readonly said: ReadonlySignal<readonly string[]>;
}

/** A metric of side B over its own steps. */
export interface SideSeries {
  readonly steps: readonly number[];
  readonly values: Float64Array;
}

export interface Compare {
  /** Of the selected run. */
  readonly a: Side;
  readonly b: Side;
  /** The selected run first, then those chosen to stand beside it. */
  readonly rows: ReadonlySignal<readonly Comparison[]>;
  /** Whether B is another head or run, rather than another step of what A is. */
  readonly another: ReadonlySignal<boolean>;
  /** Where the crosshair can be, and the map it is read in; null while neither side is there. */
  readonly region: ReadonlySignal<Region | null>;
  readonly map: ReadonlySignal<AttentionMap | null>;
  /** The metric of B where it is another head or run, and not an aggregate; else null. */
  seriesOfB(name: string): SideSeries | null;
  set(side: SideName, step: number): void;
  /** The runs besides the selected one, in the order of their rows. */
  setRows(runs: readonly string[]): void;
  setOther(other: string | null): void;
  swap(): void;
  retry(): void;
}

export function createCompare(
  catalog: ReadonlySignal<Catalog | null>,
  selection: Selection,
  view: View,
  masks: Masks,
  metrics: Metrics,
): Compare {
  const sides = createSides(catalog, selection, view, masks);
  const runs = computed(() => catalog.value?.runs ?? []);
  const wish = computed(() => parseOther(view.other.value));

  const own = computed<Subject | null>(() => {
    const run = selection.run.value;
    const layer = selection.layer.value;
    const aggregate = selection.aggregate.value;
    return run && layer ? { run, layer, head: selection.head.value, aggregate } : null;
  });
  /** Of each row what A is and what could not be met; rows of runs exclude a B of another run. */
  const beside = computed(() => {
    const from = own.value;
    if (!from || (wish.value ?? SAME).run !== null) return [];
    const offered = runsBeside(from, runs.value);
    return view.rows.value
      .filter((name) => name !== from.run.name)
      .map((name) =>
        offered.some((run) => run.name === name)
          ? findOther(from, { ...SAME, run: name }, runs.value)
          : nothing(`Run “${name}” has no maps of this layer to stand beside.`),
      );
  });
  const shown = computed(() => beside.value.filter(({ subject }) => subject !== null));

  const wishA = computed(() => view.a.value ?? selection.step.value);
  const another = computed(() => {
    const found = own.value && wish.value && findOther(own.value, wish.value, runs.value).subject;
    return own.value !== null && found !== null && !sameSubject(own.value, found);
  });
  const wishB = computed(() => {
    if (view.b.value !== null) return view.b.value;
    // Another head or run is compared at the same step; one with itself from its beginning.
    if (another.value) return wishA.value;
    const steps = selection.steps.value;
    const first = steps[0] ?? null;
    return nearestStep(own.value, wishA.value) === first ? (steps.at(-1) ?? null) : first;
  });
  const first = createRow(
    computed(() => ({
      subject: own.value,
      instead: null,
      said: beside.value.flatMap(({ subject, said }) => (subject || !said ? [] : [said])),
    })),
  );
  const further = Array.from({ length: MOST_ROWS }, (_, i) =>
    createRow(
      computed(() => {
        const { subject, said, instead } = shown.value[i] ?? nothing(null);
        return { subject, instead, said: said === null ? [] : [said] };
      }),
    ),
  );

  function createRow(
    of: ReadonlySignal<Omit<Found, 'said'> & { said: readonly string[] }>,
  ): Comparison {
    const subject = computed(() => of.value.subject);
    const other = computed(() => {
      if (!subject.value) return null;
      if (wish.value) return findOther(subject.value, wish.value, runs.value);
      return nothing(`“${view.other.value ?? ''}” names no head or run.`);
    });
    const a = sides.create(subject, wishA);
    const b = sides.create(
      computed(() => other.value?.subject ?? subject.value),
      wishB,
    );
    const verdict = computed(() => {
      const [one, two] = [a.state.value.map, b.state.value.map];
      if (!one || !two) return null;
      const example = (side: Side) => side.example.value;
      return judge(
        { map: one, example: example(a) },
        { map: two, example: example(b) },
        view.padding.value,
      );
    });
    return {
      a,
      b,
      verdict,
      instead: computed(() => {
        const found = other.value;
        return {
          a: of.value.instead,
          // As A it shows what A does.
          b:
            found?.subject && wish.value?.head === null && wish.value.run === null
              ? of.value.instead
              : (found?.instead ?? null),
        };
      }),
      missing: computed(() => missingOf(a, b, verdict.value)),
      said: computed(() => {
        const found = other.value;
        const said = [...of.value.said];
        if (found?.said)
          said.push(found.subject ? found.said : `${found.said} B is the same as A.`);
        said.push(...(verdict.value?.said ?? []));
        const hides = view.hide.value === 'special' || view.hide.value === 'both';
        if (hides && masks.hidden.value.length > 0 && verdict.value?.sameTokens === false) {
          said.push('Hidden in both are the special tokens of A.');
        }
        return said;
      }),
    };
  }

  const rows = computed(() => [first, ...further.slice(0, shown.value.length)]);

  // Of another layer or run; another head of the layer is among what the dock has read.
  const elsewhere = computed(() => {
    const [one, two] = [own.value, first.b.subject.value];
    if (view.mode.value !== 'compare' || !one || !two) return null;
    return one.run.name === two.run.name && one.layer.name === two.layer.name ? null : two;
  });
  const metricsOfB = createMetrics(
    {
      run: computed(() => elsewhere.value?.run ?? null),
      layer: computed(() => elsewhere.value?.layer ?? null),
    },
    view,
  );

  const series = new WeakMap<LayerMetrics, Map<string, SideSeries>>();

  return {
    a: first.a,
    b: first.b,
    rows,
    another,
    map: computed(() => first.a.state.value.map ?? first.b.state.value.map),
    region: computed(() => {
      const maps = [first.a, first.b].flatMap(({ state }) => state.value.map ?? []);
      const both = first.verdict.value?.comparable === false ? maps.slice(0, 1) : maps;
      return both.length > 0 ? commonRegion(both, view.padding.value) : null;
    }),
    seriesOfB(name) {
      const subject = first.b.subject.value;
      if (!another.value || !subject || subject.aggregate) return null;
      const of = elsewhere.value ? metricsOfB : metrics;
      const layer = of.layer.value;
      if (!layer) return null;
      // The same object while nothing changes: drawing it again costs more than finding it.
      const known = series.get(layer) ?? new Map<string, SideSeries>();
      series.set(layer, known);
      const example = selection.example.value;
      const key = `${subject.head}.${example}.${name}`;
      const found = known.get(key) ?? {
        steps: layer.steps,
        values: of.series(name, example, subject.head),
      };
      known.set(key, found);
      return found;
    },
    set(name, step) {
      view[name].value = step;
    },
    setRows(names) {
      batch(() => {
        if (wish.peek()?.run !== null) view.other.value = null;
        view.rows.value = names.slice(0, MOST_ROWS);
      });
    },
    setOther(other) {
      batch(() => {
        if (parseOther(other)?.run !== null) view.rows.value = [];
        view.other.value = other;
      });
    },
    swap() {
      // With another head or run on B only the steps change sides.
      batch(() => {
        const [stepOfA, stepOfB] = [first.a.step.peek(), first.b.step.peek()];
        view.a.value = stepOfB;
        view.b.value = stepOfA;
      });
    },
    retry: () => sides.retry(),
  };
}

function nothing(said: string | null): Found {
  return { subject: null, said, instead: null };
}

function missingOf(a: Side, b: Side, verdict: Verdict | null): string | null {
  if (verdict) return verdict.comparable ? null : 'Cells of A and B do not correspond.';
  const sides = [
    ['A', a.state.value.status],
    ['B', b.state.value.status],
  ] as const;
  const failed = sides.filter(([, status]) => status === 'error').map(([name]) => name);
  if (failed.length > 0) return `${failed.join(' and ')} could not be read.`;
  const none = sides.filter(([, status]) => status === 'none').map(([name]) => name);
  if (none.length === 0) return null;
  const bare = a.subject.value?.run.thumbnailsOnly === true;
  return bare
    ? 'This copy of the log has thumbnails only.'
    : `Of ${none.join(' and ')} there is no map.`;
}
