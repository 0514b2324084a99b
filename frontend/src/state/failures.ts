import { computed, effect, signal, type ReadonlySignal } from '@preact/signals';
import { fetchFailures, type MapRequest } from '../api/client';
import type { ExampleInfo, FailureInfo, LayerInfo } from '../api/model';
import { metricTitle } from './format';
import { kindOf } from './groups';
import { keyOf, type Maps } from './maps';
import type { Selection } from './selection';

const TITLES: Readonly<Record<string, string>> = {
  skip: 'Skip',
  repeat: 'Repeat',
  stall: 'Stall',
  backward_jump: 'Jump back',
  end_collapse: 'End collapse',
};

function range(name: string, first: number, end: number): string {
  return end - first === 1 ? `${name} ${first}` : `${plural(name)} ${first}–${end - 1}`;
}

function plural(name: string): string {
  return name === 'query' ? 'queries' : 'keys';
}

/** What it is and where: short, for the map. */
export function failureLabel(failure: FailureInfo): string {
  const title = TITLES[failure.kind] ?? metricTitle(failure.kind);
  if (failure.kind === 'skip') return `${title}, ${range('key', failure.firstKey, failure.endKey)}`;
  if (failure.kind === 'backward_jump') return `${title}, query ${failure.endQuery - 1}`;
  return `${title}, ${range('query', failure.firstQuery, failure.endQuery)}`;
}

/** The same as a sentence. */
export function failureSentence(failure: FailureInfo): string {
  const queries = range('query', failure.firstQuery, failure.endQuery);
  const keys = range('key', failure.firstKey, failure.endKey);
  switch (failure.kind) {
    case 'skip':
      return `Skip: ${keys} get next to nothing`;
    case 'repeat':
      return `Repeat: ${queries} go through ${keys} again`;
    case 'stall':
      return `Stall: ${queries} stay on ${keys}`;
    case 'backward_jump':
      return `Jump back: query ${failure.endQuery - 1} goes from key ${failure.endKey - 1} to ${failure.firstKey}`;
    case 'end_collapse':
      return `End collapse: ${queries} all look at the last key`;
    default:
      return `${metricTitle(failure.kind)}: ${queries}, ${keys}`;
  }
}

/**
 * Whether a map aligns two sequences, as far as can be told: causal attention and a sequence that
 * attends to itself have a path of strongest keys, too, but it means nothing.
 */
export function isAlignment(
  layer: Pick<LayerInfo, 'name' | 'causal'>,
  example: ExampleInfo | undefined,
): boolean {
  if (layer.causal || !example) return false;
  if (example.queryLength !== example.keyLength) return true;
  const { queryTokens, keyTokens } = example;
  if (queryTokens.length > 0 && keyTokens.length > 0) {
    return queryTokens.some((token, i) => token !== keyTokens[i]);
  }
  const kind = kindOf(layer.name);
  return kind === 'cross' || (kind === 'other' && !/self/i.test(layer.name));
}

export interface Failures {
  /** Of the map shown; null while they are not known, and where there can be none. */
  readonly found: ReadonlySignal<readonly FailureInfo[] | null>;
  readonly problem: ReadonlySignal<string | null>;
}

const REMEMBERED = 256;

export function createFailures(
  selection: Selection,
  maps: Maps,
  examples: ReadonlySignal<readonly ExampleInfo[]>,
  /** Whether single heads are shown as they were recorded. */
  plain: ReadonlySignal<boolean>,
): Failures {
  const answers = signal<ReadonlyMap<string, readonly FailureInfo[]>>(new Map());
  const problem = signal<string | null>(null);

  const wanted = computed<MapRequest | null>(() => {
    const { status, request, map } = maps.state.value;
    const layer = selection.layer.value;
    if (!plain.value || status !== 'ready' || !request || !layer) return null;
    // Maxima of several queries and keys tell no path.
    if (map?.pooling) return null;
    if (!isAlignment(layer, examples.value[request.example])) return null;
    const { run, generation, example, head, step } = request;
    return { run, layer: request.layer, generation, example, head, step };
  });
  const key = computed(() => (wanted.value ? keyOf(wanted.value) : ''));
  let running = false;

  /** One question at a time, then the latest: playing fast leaves maps out, not the server. */
  async function ask(): Promise<void> {
    if (running) return;
    running = true;
    try {
      while (key.peek() !== '' && !answers.peek().has(key.peek())) {
        const asked = key.peek();
        const request = wanted.peek();
        if (!request) break;
        try {
          const failures = await fetchFailures(request);
          const kept = [...answers.peek()].slice(-REMEMBERED);
          answers.value = new Map([...kept, [asked, failures]]);
          problem.value = null;
        } catch (error) {
          problem.value = error instanceof Error ? error.message : String(error);
          if (key.peek() === asked) break;
        }
      }
    } finally {
      running = false;
    }
  }

  effect(() => {
    void key.value;
    void ask();
  });

  return {
    found: computed(() => (key.value === '' ? null : (answers.value.get(key.value) ?? null))),
    problem,
  };
}
