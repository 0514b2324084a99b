import type { JSX } from 'preact';
import { allHeads, headBeside, headsOf, positionOf } from '../api/heads';
import { useRef } from 'preact/hooks';
import type { LayerInfo } from '../api/model';
import { groupLayers, shortNames, type LayerGroup } from '../state/groups';
import { useStore } from '../state/store';
import { EventBadge, eventWords } from './eventmarks';
import { useSelectedInSight } from './hooks';
import { style } from './style';
import { Thumbnails } from './thumbnails';

export const THUMB = 32;
export const THUMB_PITCH = 34;

/** Layers × heads as thumbnails; the arrows move among them, one Tab stop for all. */
export function Heads(): JSX.Element {
  const store = useStore();
  const layers = store.selection.run.value?.layers ?? [];
  const root = useRef<HTMLDivElement>(null);
  const { heads } = store;
  useSelectedInSight(root);
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
    const among = headsOf(layer).filter((head) => heads.isShown(layer.name, head));
    const shown = { heads: among.length, headNumbers: among };
    store.selectHead(layer.name, headBeside(shown, store.selection.head.value, by[1] ?? 0));
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

function Group({ group }: { group: LayerGroup }): JSX.Element {
  const short = shortNames(group.layers.map((layer) => layer.name));
  const columns = allHeads(group.layers);
  return (
    <section class="heads-group">
      {group.title && (
        <div class="heads-about">
          <h3 class="caption">{group.title}</h3>
          <p>{group.sentence}</p>
        </div>
      )}
      <div class="heads-numbers" aria-hidden="true">
        {columns.map((head) => (
          <span key={head}>{head}</span>
        ))}
      </div>
      {group.layers.map((layer, i) => (
        <LayerRow key={layer.name} layer={layer} short={short?.[i] ?? null} columns={columns} />
      ))}
    </section>
  );
}

function LayerRow(props: {
  layer: LayerInfo;
  short: string | null;
  /** Of all rows of the group: a head stands below its number. */
  columns: readonly number[];
}): JSX.Element {
  const { layer, short, columns } = props;
  const store = useStore();
  const selectedLayer = store.selection.layer.value?.name === layer.name;
  const stop = store.heads.stop.value;
  return (
    <div class={`heads-row ${short ? 'short' : 'named'}`} role="row">
      <span class="heads-name" role="rowheader" title={layer.name}>
        <bdi>{short ?? layer.name}</bdi>
      </span>
      <span class="heads-tiles">
        <LayerTiles layer={layer} columns={columns} />
        {columns.map((head) => {
          if (positionOf(layer, head) < 0) return <span key={head} class="heads-gap" />;
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
function LayerTiles(props: { layer: LayerInfo; columns: readonly number[] }): JSX.Element {
  const { layer, columns } = props;
  const store = useStore();
  const tiles = store.atlases.tiles(layer.name, store.selection.example.value);
  const size = { width: columns.length * THUMB_PITCH - (THUMB_PITCH - THUMB), height: THUMB };
  const drawn = tiles !== undefined && !tiles.problem;
  return (
    <span class={`heads-drawn ${drawn ? '' : 'skeleton'}`} style={style({ ...size })}>
      <Thumbnails
        places={columns.map((head, column) => ({ tiles, head, x: column * THUMB_PITCH, y: 0 }))}
        box={{ width: THUMB, height: THUMB }}
        size={size}
        framed
      />
    </span>
  );
}
