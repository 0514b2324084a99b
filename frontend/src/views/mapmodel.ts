import { computed, type ReadonlySignal } from '@preact/signals';
import type { AttentionMap, ExampleInfo, Pooling } from '../api/model';
import { layoutMap, layoutZoomed, type LayoutInput, type MapLayout } from '../render/layout';
import { commonRegion } from '../state/comparable';
import type { Region } from '../state/cursor';
import type { Store } from '../state/store';
import { isEndToken, tokenLabel } from '../state/tokens';
import type { Size } from './hooks';

const NO_TOKENS: readonly string[] = [];

/** What the parts of the map view share. Layouts change with sizes, not with steps. */
export interface MapModel {
  readonly region: ReadonlySignal<Region>;
  readonly layout: ReadonlySignal<MapLayout | null>;
  /** What the layout is made from, and how it is without zoom. */
  readonly whole: ReadonlySignal<{ input: LayoutInput; layout: MapLayout } | null>;
  readonly queryTokens: ReadonlySignal<readonly string[]>;
  readonly keyTokens: ReadonlySignal<readonly string[]>;
  /** How many queries and keys a row and a column stand for. */
  readonly pooling: ReadonlySignal<Pooling>;
}

/** Maps that share a layout, where they are not the one selected; without profiles. */
export interface Several {
  readonly maps: () => readonly (AttentionMap | null)[];
  /** Whose tokens stand on the axes. */
  readonly example: () => ExampleInfo | undefined;
}

export function createMapModel(
  store: Store,
  size: ReadonlySignal<Size & { dpr: number }>,
  several?: Several,
): MapModel {
  const example = computed<ExampleInfo | undefined>(() =>
    several ? several.example() : store.examples.value[store.selection.example.value],
  );
  // Numbers, so that a new map of the same shape is no news to what depends on them.
  const full = (side: 'queries' | 'keys') => {
    const shown = several?.maps() ?? [store.maps.state.value.map];
    const maps = shown.filter((map) => map !== null);
    if (maps.length > 0) return commonRegion(maps, store.view.padding.value)[side];
    const layer = store.selection.layer.value;
    const length = side === 'queries' ? example.value?.queryLength : example.value?.keyLength;
    const all = layer?.[side] ?? 0;
    return store.view.padding.value || !length ? all : length;
  };
  const queries = computed(() => full('queries'));
  const keys = computed(() => full('keys'));
  const region = computed<Region>(() => ({ queries: queries.value, keys: keys.value }));
  const queryTokens = computed(() => example.value?.queryTokens ?? NO_TOKENS);
  const keyTokens = computed(() => example.value?.keyTokens ?? NO_TOKENS);
  const pooling = computed<Pooling>(() => {
    const map = several?.maps().find((one) => one !== null);
    if (map) return map.pooling ?? { queries: 1, keys: 1 };
    const layer = store.selection.layer.value;
    return { queries: layer?.queryPooling || 1, keys: layer?.keyPooling || 1 };
  });
  const whole = computed(() => {
    const { width, height, dpr } = size.value;
    if (width < 60 || height < 60 || queries.value === 0 || keys.value === 0) return null;
    const input = {
      width,
      height,
      dpr,
      queries: queries.value,
      keys: keys.value,
      queryCharacters: longest(queryTokens.value),
      keyCharacters: longest(keyTokens.value),
      bare: several !== undefined,
    };
    return { input, layout: layoutMap(input) };
  });
  const layout = computed(() => {
    const factor = store.view.zoom.value;
    if (!whole.value || factor <= 1) return whole.value?.layout ?? null;
    const { query, key } = store.view.corner.value ?? { query: 0, key: 0 };
    return layoutZoomed(whole.value.input, whole.value.layout, { factor, query, key });
  });
  return { region, layout, whole, queryTokens, keyTokens, pooling };
}

function longest(tokens: readonly string[]): number {
  let most = 0;
  for (const token of tokens) {
    if (!isEndToken(token)) most = Math.max(most, Array.from(tokenLabel(token, 20)).length);
  }
  return most;
}

/** The label of a token at a position; empty where there is none. */
export function labelAt(tokens: readonly string[], index: number, length?: number): string {
  const token = tokens[index];
  return token === undefined ? '' : tokenLabel(token, length);
}
