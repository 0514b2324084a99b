import { computed, effect, signal, type ReadonlySignal } from '@preact/signals';
import { fetchAtlas, type AtlasRequest } from '../api/client';
import type { Catalog, LayerInfo, Tiles } from '../api/model';
import { ByteLru } from './lru';
import type { Selection } from './selection';
import type { Pane } from './url';

const CACHE_BYTES = 24 * 2 ** 20;
const MAX_EXAMPLES = 64;

export interface Atlases {
  /** The thumbnails of one layer and example at about this step; undefined until they are there. */
  tiles(layer: string, example: number): Tiles | undefined;
  readonly problem: ReadonlySignal<string | null>;
}

interface Shown {
  readonly run: string;
  readonly tiles: ReadonlyMap<string, Tiles>;
}

function tileKey(layer: string, example: number): string {
  return `${example}\n${layer}`;
}

/** One request brings the thumbnails of the left pane, and with them the preview of the map. */
export function createAtlases(
  catalog: ReadonlySignal<Catalog | null>,
  selection: Selection,
  visible: ReadonlySignal<boolean>,
  /** What the pane lists. */
  pane: ReadonlySignal<Pane>,
): Atlases {
  const cache = new ByteLru<readonly Tiles[]>(CACHE_BYTES, (tiles) =>
    tiles.reduce((bytes, t) => bytes + t.codes.byteLength + 200, 0),
  );
  const shown = signal<Shown | null>(null);
  const problem = signal<string | null>(null);

  const wanted = computed<AtlasRequest | null>(() => {
    const run = selection.run.value;
    const layer = selection.layer.value;
    const step = selection.step.value;
    if (!run || !layer || step === null || !visible.value) return null;
    if (pane.value === 'heads') {
      const version = run.layers.map(versionOf).join('-');
      return { run: run.name, step, examples: [selection.example.value], version };
    }
    const count = Math.min(layer.examples.length, MAX_EXAMPLES);
    const examples = Array.from({ length: Math.max(1, count) }, (_, i) => i);
    return { run: run.name, step, examples, layer: layer.name, version: versionOf(layer) };
  });
  const wantedKey = computed(() => JSON.stringify(wanted.value));
  let running = false;

  /** One request at a time, then the latest wish: playing fast skips thumbnails, not maps. */
  async function run(): Promise<void> {
    if (running) return;
    running = true;
    try {
      for (let key = ''; key !== wantedKey.peek();) {
        key = wantedKey.peek();
        const request = wanted.peek();
        if (!request) break;
        await load(key, request);
      }
    } finally {
      running = false;
    }
  }

  async function load(key: string, request: AtlasRequest): Promise<void> {
    try {
      const tables = catalog.peek()?.codeTables ?? new Map<number, never>();
      const tiles = cache.get(key) ?? (await fetchAtlas(request, tables));
      cache.set(key, tiles);
      problem.value = tiles.find((t) => t.problem)?.problem ?? null;
      show(request.run, tiles);
    } catch (error) {
      problem.value = error instanceof Error ? error.message : String(error);
    }
  }

  function show(runName: string, tiles: readonly Tiles[]): void {
    // What is not in this answer stays: the other pane's thumbnails bridge the switch between them.
    const before = shown.peek();
    const merged = new Map(before?.run === runName ? before.tiles : []);
    for (const t of tiles) merged.set(tileKey(t.layer, t.example), t);
    shown.value = { run: runName, tiles: merged };
  }

  effect(() => {
    void wantedKey.value;
    void run();
  });

  return {
    tiles(layer, example) {
      const current = shown.value;
      if (!current || current.run !== selection.run.value?.name) return undefined;
      return current.tiles.get(tileKey(layer, example));
    },
    problem,
  };
}

function versionOf(layer: LayerInfo): string {
  return `${layer.generation}.${layer.steps.length}`;
}
