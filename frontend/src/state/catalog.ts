import { computed, effect, signal, type ReadonlySignal, type Signal } from '@preact/signals';
import { fetchCatalog } from '../api/client';
import type { Catalog } from '../api/model';

export const SILENCE_SECONDS = 12;
const RETRY_SECONDS = 5;
export const LIVE_SECONDS = 5;
const QUIET_SECONDS = 30;

export type Connection =
  | { readonly kind: 'first' }
  | { readonly kind: 'ok' }
  /** `retryAt` is in milliseconds of `Date.now()`. */
  | { readonly kind: 'silent' | 'failed'; readonly message: string; readonly retryAt: number };

export interface CatalogWatch {
  readonly catalog: ReadonlySignal<Catalog | null>;
  readonly connection: ReadonlySignal<Connection>;
  /** When the list last grew, in milliseconds; 0 before anything was added. */
  readonly grewAt: ReadonlySignal<number>;
  refresh(): void;
}

/** Asks for the list of runs again and again, more often while `live`, not at all while hidden. */
export function watchCatalog(
  visible: ReadonlySignal<boolean>,
  live: (catalog: Catalog, grewAt: number) => boolean,
): CatalogWatch {
  const catalog: Signal<Catalog | null> = signal(null);
  const connection = signal<Connection>({ kind: 'first' });
  const grewAt = signal(0);
  let etag = '';
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asking = false;

  async function ask(): Promise<void> {
    if (asking) return;
    asking = true;
    clearTimeout(timer);
    const controller = new AbortController();
    const silence = setTimeout(() => controller.abort(), SILENCE_SECONDS * 1000);
    let wait = QUIET_SECONDS;
    try {
      const answer = await fetchCatalog(etag, controller.signal);
      etag = answer.etag;
      if (answer.value) {
        if (catalog.value && recordCount(answer.value) > recordCount(catalog.value)) {
          grewAt.value = Date.now();
        }
        catalog.value = answer.value;
      }
      if (connection.value.kind !== 'ok') connection.value = { kind: 'ok' };
      // Who looks at an empty log waits for the first record.
      const empty = catalog.value?.runs.length === 0;
      if (empty || (catalog.value && live(catalog.value, grewAt.value))) wait = LIVE_SECONDS;
    } catch (error) {
      wait = RETRY_SECONDS;
      connection.value = {
        kind: controller.signal.aborted ? 'silent' : 'failed',
        message: error instanceof Error ? error.message : String(error),
        retryAt: Date.now() + RETRY_SECONDS * 1000,
      };
    } finally {
      clearTimeout(silence);
      asking = false;
    }
    if (visible.value) timer = setTimeout(() => void ask(), wait * 1000);
  }

  effect(() => {
    if (visible.value) void ask();
    else clearTimeout(timer);
  });

  return { catalog, connection, grewAt: computed(() => grewAt.value), refresh: () => void ask() };
}

function recordCount(catalog: Catalog): number {
  let count = 0;
  for (const run of catalog.runs) for (const layer of run.layers) count += layer.steps.length;
  return count;
}
