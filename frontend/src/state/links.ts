import { batch, computed, signal, type ReadonlySignal, type Signal } from '@preact/signals';
import { headsOf, positionOf } from '../api/heads';
import type { AttentionMap, Catalog } from '../api/model';
import type { Token } from '../render/links';
import { strongestKey, type Cursor } from './cursor';
import { kindOf } from './groups';
import type { Maps } from './maps';
import type { Masks } from './masks';
import type { Selection } from './selection';
import { createSeveral, type HeadRef } from './several';
import { MOST_LINKED_HEADS } from './url';
import type { View } from './view';

/** More rows than this are no overview any more. */
const MOST_STRIPS = 24;
/** Up to this many tokens the links of all of them are drawn. */
export const MOST_SPREAD = 96;

export interface LinkedHead extends HeadRef {
  /** `Head 3`, or the name of the aggregate that stands in its place. */
  readonly name: string;
  readonly map: AttentionMap | null;
}

export interface Links {
  /** The heads whose links are drawn, the selected one first. */
  readonly heads: ReadonlySignal<readonly LinkedHead[]>;
  /** Every head of the layers of this kind, to see one query in all of them. */
  readonly strips: ReadonlySignal<readonly LinkedHead[]>;
  /** Under the pointer or with the focus. */
  readonly hovered: Signal<Token | null>;
  readonly pinned: ReadonlySignal<readonly Token[]>;
  /** Whose links stand out: the token pointed at, else those pinned. */
  readonly focused: ReadonlySignal<readonly Token[]>;
  readonly problem: ReadonlySignal<string | null>;
  toggleHead(head: number): void;
  togglePin(token: Token): void;
  unpin(): void;
}

export function createLinks(
  catalog: ReadonlySignal<Catalog | null>,
  selection: Selection,
  view: View,
  maps: Maps,
  cursor: Cursor,
  masks: Masks,
): Links {
  const hovered = signal<Token | null>(null);
  const refs = computed<readonly HeadRef[]>(() => {
    const layer = selection.layer.value;
    if (!layer) return [];
    const own = selection.head.value;
    const others = view.links.value.filter((head) => head !== own && positionOf(layer, head) >= 0);
    return [own, ...others].map((head) => ({ layer, head }));
  });
  const stripRefs = computed<readonly HeadRef[]>(() => {
    const layer = selection.layer.value;
    if (!layer || Math.max(layer.queries, layer.keys) > MOST_SPREAD) return [];
    const kind = kindOf(layer.name);
    const alike = (selection.run.value?.layers ?? []).filter(
      (one) => kindOf(one.name) === kind && one.keys === layer.keys,
    );
    const heads = alike.reduce((sum, one) => sum + one.heads, 0);
    const layers = heads <= MOST_STRIPS ? alike : layer.heads <= MOST_STRIPS ? [layer] : [];
    return layers.flatMap((one) => headsOf(one).map((head) => ({ layer: one, head })));
  });
  const wanted = computed(() =>
    view.mode.value === 'links' ? [...refs.value.slice(1), ...stripRefs.value] : [],
  );
  const several = createSeveral(catalog, selection, wanted);
  const isOwn = (ref: HeadRef) =>
    ref.layer === selection.layer.value && ref.head === selection.head.value;
  const withMap = (ref: HeadRef): LinkedHead => ({
    ...ref,
    name: `Head ${ref.head}`,
    map: masked(several.map(ref)),
  });
  const masked = (map: AttentionMap | undefined) => (map ? masks.apply(map) : null);
  const own = (ref: HeadRef): LinkedHead => ({
    ...withMap(ref),
    ...(selection.aggregate.value ? { name: selection.aggregate.value.name } : {}),
    map: maps.state.value.map,
  });
  const pinned = computed<readonly Token[]>(() => {
    const map = maps.state.value.map;
    const query = view.pinQuery.value;
    const key = view.pinKey.value;
    const tokens: Token[] = [];
    if (query !== null && query < (map?.queries ?? Infinity)) {
      tokens.push({ side: 'query', index: query });
    }
    if (key !== null && key < (map?.keys ?? Infinity)) tokens.push({ side: 'key', index: key });
    return tokens;
  });

  return {
    heads: computed(() => refs.value.map((ref, i) => (i === 0 ? own(ref) : withMap(ref)))),
    strips: computed(() =>
      stripRefs.value.map((ref) =>
        isOwn(ref) && !selection.aggregate.value ? own(ref) : withMap(ref),
      ),
    ),
    hovered,
    pinned,
    focused: computed(() => (hovered.value ? [hovered.value] : pinned.value)),
    problem: several.problem,
    toggleHead(head) {
      const own = selection.head.peek();

      const others = refs
        .peek()
        .map((ref) => ref.head)
        .slice(1);
      batch(() => {
        if (head === own) {
          // The selected head gives its place to the next one; one always stays.
          const [next, ...rest] = others;
          if (next === undefined) return;
          view.head.value = next;
          view.aggregate.value = null;
          view.links.value = rest;
        } else if (others.includes(head)) {
          view.links.value = others.filter((other) => other !== head);
        } else if (others.length + 1 < MOST_LINKED_HEADS) {
          view.links.value = [...others, head];
        }
      });
    },
    togglePin({ side, index }) {
      const pin = side === 'query' ? view.pinQuery : view.pinKey;
      batch(() => {
        pin.value = pin.peek() === index ? null : index;
        const map = maps.state.peek().map;
        // What is read in the inspector is what was pinned.
        if (pin.peek() === null || !map) return;
        const cell = cursor.cell.peek() ?? { query: 0, key: 0 };
        cursor.set(
          side === 'query'
            ? { query: index, key: strongestKey(map, index, map.keyLength || map.keys) }
            : { ...cell, key: index },
        );
      });
    },
    unpin() {
      batch(() => {
        view.pinQuery.value = null;
        view.pinKey.value = null;
      });
    },
  };
}
