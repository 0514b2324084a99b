import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import type { LayerInfo } from '../api/model';
import { groupLayers, shortNames, type LayerGroup } from '../state/groups';
import { useStore } from '../state/store';
import { EventBadge, eventWords } from './eventmarks';
import { style } from './style';
import { isDrawn, Thumbnails } from './thumbnails';

export const THUMB = 32;
export const THUMB_PITCH = 34;

/** Layers × heads as thumbnails; the arrows move among them, one Tab stop for all. */
export function Heads(): JSX.Element {
  const store = useStore();
  const layers = store.selection.run.value?.layers ?? [];
  const root = useRef<HTMLDivElement>(null);
  const { heads } = store;
  const names = new Set(heads.shown.value.map(({ layer }) => layer));
  // Layers none of whose heads is looked for are left out; other heads keep their places.
  const groups = groupLayers(layers.filter((layer) => names.has(layer.name)));
  const order = groups.flatMap((group) => group.layers);

  function onKeyDown(event: KeyboardEvent): void {
    const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[
      event.key
    ];
    if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const row = order.findIndex((layer) => layer.name === store.selection.layer.value?.name);
    const layer = order[Math.max(0, Math.min(order.length - 1, row + (by[0] ?? 0)))];
    if (!layer) return;
    const among = Array.from({ length: layer.heads }, (_, head) => head).filter((head) =>
      heads.isShown(layer.name, head),
    );
    const from = store.selection.head.value;
    const to =
      by[1] === 0
        ? nearest(among, from)
        : by[1] === 1
          ? among.find((head) => head > from)
          : among.findLast((head) => head < from);
    store.selectHead(layer.name, to ?? nearest(among, from) ?? from);
    // The focus goes with the selection.
    requestAnimationFrame(() =>
      root.current?.querySelector<HTMLElement>('[tabindex="0"]')?.focus(),
    );
  }

  return (
    <div
      class="heads"
      role="grid"
      aria-label="Layers and heads"
      ref={root}
      onKeyDown={onKeyDown}
      data-testid="heads"
    >
      {groups.map((group) => (
        <Group key={group.kind} group={group} />
      ))}
    </div>
  );
}

function nearest(among: readonly number[], to: number): number | undefined {
  return [...among].sort((a, b) => Math.abs(a - to) - Math.abs(b - to))[0];
}

function Group({ group }: { group: LayerGroup }): JSX.Element {
  const short = shortNames(group.layers.map((layer) => layer.name));
  const widest = Math.max(...group.layers.map((layer) => layer.heads));
  return (
    <section class="heads-group">
      {group.title && (
        <div class="heads-about">
          <h3 class="caption">{group.title}</h3>
          <p>{group.sentence}</p>
        </div>
      )}
      <div class="heads-numbers" aria-hidden="true">
        {Array.from({ length: widest }, (_, head) => (
          <span key={head}>{head}</span>
        ))}
      </div>
      {group.layers.map((layer, i) => (
        <LayerRow key={layer.name} layer={layer} short={short?.[i] ?? null} />
      ))}
    </section>
  );
}

function LayerRow({ layer, short }: { layer: LayerInfo; short: string | null }): JSX.Element {
  const store = useStore();
  const selectedLayer = store.selection.layer.value?.name === layer.name;
  const stop = store.heads.stop.value;
  return (
    <div class={`heads-row ${short ? 'short' : 'named'}`} role="row">
      <span class="heads-name" role="rowheader" title={layer.name}>
        <bdi>{short ?? layer.name}</bdi>
      </span>
      <span class="heads-tiles">
        <LayerTiles layer={layer} />
        {Array.from({ length: layer.heads }, (_, head) => {
          const selected = selectedLayer && store.selection.head.value === head;
          const shown = store.heads.isShown(layer.name, head);
          const events = store.events.of(layer.name, head);
          const name = [`${layer.name}, head ${head}`, eventWords(events)]
            .filter(Boolean)
            .join(': ');
          return (
            <button
              key={head}
              type="button"
              role="gridcell"
              class={`heads-cell ${shown ? '' : 'left-out'}`}
              disabled={!shown && !selected}
              tabIndex={stop?.layer === layer.name && stop.head === head ? 0 : -1}
              aria-selected={selected}
              aria-label={name}
              title={name}
              data-layer={layer.name}
              data-head={head}
              onClick={() => store.selectHead(layer.name, head)}
            >
              <EventBadge events={events} />
            </button>
          );
        })}
      </span>
    </div>
  );
}

/** The thumbnails of a layer, apart from its buttons: only these change with the step. */
function LayerTiles({ layer }: { layer: LayerInfo }): JSX.Element {
  const store = useStore();
  const tiles = store.atlases.tiles(layer.name, store.selection.example.value);
  const size = { width: layer.heads * THUMB_PITCH - (THUMB_PITCH - THUMB), height: THUMB };
  return (
    <span class={`heads-drawn ${isDrawn(tiles, 0) ? '' : 'skeleton'}`} style={style({ ...size })}>
      <Thumbnails
        places={Array.from({ length: layer.heads }, (_, head) => ({
          tiles,
          head,
          x: head * THUMB_PITCH,
          y: 0,
        }))}
        box={{ width: THUMB, height: THUMB }}
        size={size}
        framed
      />
    </span>
  );
}
