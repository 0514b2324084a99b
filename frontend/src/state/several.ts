import { computed, effect, signal, type ReadonlySignal } from '@preact/signals';
import { fetchHeads } from '../api/client';
import type { AttentionMap, Catalog, LayerInfo } from '../api/model';
import { bytesOf } from '../api/weights';
import { formatStep } from './format';
import { ByteLru } from './lru';
import { keyOf } from './maps';
import type { Selection } from './selection';

const CACHE_BYTES = 48 * 2 ** 20;

export interface HeadRef {
  readonly layer: LayerInfo;
  readonly head: number;
}

export interface Several {
  /** The map of a head at the step shown; for a moment the one of the step before. */
  map(ref: HeadRef): AttentionMap | undefined;
  readonly problem: ReadonlySignal<string | null>;
}

function refKey(layer: string, head: number): string {
  return `${head}\n${layer}`;
}

/** Maps of further heads at the step shown, one request for each layer. */
export function createSeveral(
  catalog: ReadonlySignal<Catalog | null>,
  selection: Selection,
  wanted: ReadonlySignal<readonly HeadRef[]>,
): Several {
  const cache = new ByteLru<AttentionMap>(CACHE_BYTES, (map) => bytesOf(map.weights));
  const shown = signal<{ subject: string; maps: ReadonlyMap<string, AttentionMap> }>({
    subject: '',
    maps: new Map(),
  });
  const problem = signal<string | null>(null);

  const request = computed(() => {
    const run = selection.run.value;
    const step = selection.step.value;
    if (!run || step === null || run.thumbnailsOnly) return null;
    const byLayer = new Map<LayerInfo, number[]>();
    for (const { layer, head } of wanted.value) {
      byLayer.set(layer, [...new Set([...(byLayer.get(layer) ?? []), head])]);
    }
    const example = selection.example.value;
    const layers = [...byLayer].map(([layer, heads]) => ({
      run: run.name,
      layer: layer.name,
      generation: layer.generation,
      example,
      heads,
      step,
    }));
    const missing = [...byLayer.keys()].filter((layer) => !layer.steps.includes(step));
    return { layers, missing, subject: `${run.name}\n${example}` };
  });
  const requestKey = computed(() => JSON.stringify(request.value?.layers ?? null));

  effect(() => {
    void requestKey.value;
    const asked = request.peek();
    if (!asked || asked.layers.length === 0) return;
    const controller = new AbortController();
    const left = asked.missing.map((layer) => layer.name);
    problem.value = left.length
      ? `No record of ${left.join(', ')} at step ${formatStep(asked.layers[0]?.step ?? 0)}.`
      : null;
    const readable = asked.layers.filter((one) => !left.includes(one.layer));
    const collect = async () => {
      const maps = new Map<string, AttentionMap>();
      await Promise.all(
        readable.map(async ({ heads, ...one }) => {
          const missing = heads.filter((head) => !cache.has(keyOf({ ...one, head })));
          if (missing.length > 0) {
            const tables = catalog.peek()?.codeTables ?? new Map<number, never>();
            const found = await fetchHeads({ ...one, heads: missing }, tables, controller.signal);
            found.forEach((map, i) => {
              const head = missing[i] as number;
              cache.set(keyOf({ ...one, head }), map);
              maps.set(refKey(one.layer, head), map);
            });
          }
          for (const head of heads) {
            const map = cache.get(keyOf({ ...one, head }));
            if (map) maps.set(refKey(one.layer, head), map);
          }
        }),
      );
      if (!controller.signal.aborted) shown.value = { subject: asked.subject, maps };
    };
    collect().catch((error: unknown) => {
      if (controller.signal.aborted) return;
      problem.value = error instanceof Error ? error.message : String(error);
    });
    return () => controller.abort();
  });

  return {
    map({ layer, head }) {
      return shown.value.subject === request.value?.subject
        ? shown.value.maps.get(refKey(layer.name, head))
        : undefined;
    },
    problem,
  };
}
