import { computed, effect, signal, type ReadonlySignal, type Signal } from '@preact/signals';
import { fetchEvents } from '../api/client';
import type { EventInfo, RunEvents } from '../api/model';
import { metricTitle } from './format';
import type { Selection } from './selection';

/** Whether an event is welcome; a sink or a kind unknown here is neither. */
export type Tone = 'good' | 'bad' | 'neutral';

const KINDS: Readonly<Record<string, readonly [title: string, tone: Tone]>> = {
  entropy_collapse: ['Entropy collapse', 'bad'],
  stuck_uniform: ['Stuck uniform', 'bad'],
  head_dead: ['Head dead', 'bad'],
  diagonal_lost: ['Diagonal lost', 'bad'],
  alignment_lost: ['Alignment lost', 'bad'],
  diagonal_formed: ['Diagonal formed', 'good'],
  alignment_formed: ['Alignment formed', 'good'],
  induction_formed: ['Induction head', 'good'],
  sink_emerged: ['Sink emerged', 'neutral'],
};

export function kindTitle(kind: string): string {
  return KINDS[kind]?.[0] ?? metricTitle(kind);
}

export function kindTone(kind: string): Tone {
  return KINDS[kind]?.[1] ?? 'neutral';
}

const SEVERITY: Readonly<Record<Tone, number>> = { bad: 0, good: 1, neutral: 2 };

/** The one that stands for all: bad news first, then what came first. */
export function foremost(events: readonly EventInfo[]): EventInfo | undefined {
  return [...events].sort(
    (a, b) => SEVERITY[kindTone(a.kind)] - SEVERITY[kindTone(b.kind)] || a.step - b.step,
  )[0];
}

/** In the order of time, then of place. */
function inOrder(a: EventInfo, b: EventInfo): number {
  return a.step - b.step || a.layer.localeCompare(b.layer) || a.head - b.head;
}

export interface Position {
  readonly step: number;
  readonly layer: string;
  readonly head: number;
}

/**
 * The event to go to from a place; undefined at the end. Of several at one step each is met, as
 * `events` has them: what one stands on is told by its step, layer and head.
 */
export function neighbour(
  events: readonly EventInfo[],
  at: Position,
  by: 1 | -1,
): EventInfo | undefined {
  const here = events.findIndex(
    (e) => e.step === at.step && e.layer === at.layer && e.head === at.head,
  );
  if (here >= 0) {
    // Several events of one head at one step show the same map.
    const others = by > 0 ? events.slice(here + 1) : events.slice(0, here).reverse();
    return others.find((e) => e.step !== at.step || e.layer !== at.layer || e.head !== at.head);
  }
  return by > 0
    ? events.find((e) => e.step > at.step)
    : [...events].reverse().find((e) => e.step < at.step);
}

export interface Events {
  /** Of the run shown, in the order of time. */
  readonly all: ReadonlySignal<readonly EventInfo[]>;
  /** Those that the filters let through: what the list and the time axis show. */
  readonly shown: ReadonlySignal<readonly EventInfo[]>;
  /** Filters; null lets everything through. */
  readonly kind: Signal<string | null>;
  readonly layer: Signal<string | null>;
  /** Of one head, whatever the filters say. */
  of(layer: string, head: number): readonly EventInfo[];
  /** Sentences about what could not be read or asked. */
  readonly problems: ReadonlySignal<readonly string[]>;
  /** Whether the run's events have been answered. */
  readonly known: ReadonlySignal<boolean>;
}

const NONE: readonly EventInfo[] = [];

export function createEvents(selection: Selection, visible: ReadonlySignal<boolean>): Events {
  const loaded = signal<({ run: string } & RunEvents) | null>(null);
  const refused = signal<string | null>(null);
  const kind = signal<string | null>(null);
  const layer = signal<string | null>(null);

  // Events follow from what is recorded: another record, another question.
  const wanted = computed(() => {
    const run = selection.run.value;
    if (!run || !visible.value) return null;
    const layers = run.layers.map((l) => [l.name, l.generation, l.steps.length]);
    return { run: run.name, version: JSON.stringify([run.name, layers]) };
  });
  const version = computed(() => wanted.value?.version ?? null);
  let running = false;

  /** One question at a time, then the latest: a training that records fast is not asked faster. */
  async function ask(): Promise<void> {
    if (running) return;
    running = true;
    try {
      for (let asked: string | null = null; asked !== version.peek();) {
        const wish = wanted.peek();
        asked = version.peek();
        if (!wish) break;
        try {
          const { events, problems } = await fetchEvents(wish.run);
          loaded.value = { run: wish.run, events: [...events].sort(inOrder), problems };
          refused.value = null;
        } catch (error) {
          refused.value = error instanceof Error ? error.message : String(error);
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

  const current = computed(() =>
    loaded.value !== null && loaded.value.run === selection.run.value?.name ? loaded.value : null,
  );
  const all = computed(() => current.value?.events ?? NONE);
  // A filter that fits nothing in this run was set for another one.
  const fitting = (wish: string | null, values: readonly string[]) =>
    wish !== null && values.includes(wish) ? wish : null;
  const shown = computed(() => {
    const ofKind = fitting(
      kind.value,
      all.value.map((event) => event.kind),
    );
    const ofLayer = fitting(
      layer.value,
      all.value.map((event) => event.layer),
    );
    return all.value.filter(
      (event) =>
        (ofKind === null || event.kind === ofKind) && (ofLayer === null || event.layer === ofLayer),
    );
  });
  const byHead = computed(() => {
    const heads = new Map<string, EventInfo[]>();
    for (const event of all.value) {
      const key = `${event.head}\n${event.layer}`;
      heads.set(key, [...(heads.get(key) ?? []), event]);
    }
    return heads;
  });
  const problems = computed(() => [
    ...(current.value?.problems ?? []),
    ...(refused.value === null ? [] : [refused.value]),
  ]);

  return {
    all,
    shown,
    kind,
    layer,
    of: (name, head) => byHead.value.get(`${head}\n${name}`) ?? NONE,
    problems,
    known: computed(() => current.value !== null),
  };
}
