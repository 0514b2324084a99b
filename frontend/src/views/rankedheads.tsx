import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import { formatChange, formatMetric } from '../state/format';
import { shortHead } from '../state/groups';
import type { HeadRef } from '../state/headmetrics';
import { useStore } from '../state/store';
import { EventBadge } from './eventmarks';
import { Thumbnails } from './thumbnails';
import { THUMB } from './heads';
import { style } from './style';
import { useSelectedInSight } from './hooks';

/** The heads in the order of a value, which each of them shows. */
export function RankedHeads(): JSX.Element {
  const store = useStore();
  const { selection } = store;
  const root = useRef<HTMLDivElement>(null);
  const layers = selection.run.value?.layers ?? [];
  const changes = store.view.sort.value === 'change';
  const order = store.heads.ranked.value;
  const stop = store.heads.stop.value;
  useSelectedInSight(root);
  const isSelected = (head: HeadRef) =>
    selection.layer.value?.name === head.layer && selection.head.value === head.head;

  function onKeyDown(event: KeyboardEvent): void {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const to = Math.max(0, Math.min(order.length - 1, order.findIndex(isSelected) + by));
    const head = order[to];
    if (head) store.selectHead(head.layer, head.head);
    requestAnimationFrame(() =>
      root.current?.querySelector<HTMLElement>('[tabindex="0"]')?.focus(),
    );
  }

  return (
    <div
      class="ranked"
      role="listbox"
      aria-label="Heads"
      ref={root}
      onKeyDown={onKeyDown}
      data-testid="ranked-heads"
    >
      {Array.from({ length: Math.ceil(order.length / PER_CANVAS) }, (_, part) => {
        const heads = order.slice(part * PER_CANVAS, (part + 1) * PER_CANVAS);
        return (
          <div key={part} class="ranked-part" role="presentation">
            <RankedTiles heads={heads} />
            {heads.map((head) => (
              <div
                key={`${head.layer} ${head.head}`}
                role="option"
                class="ranked-head"
                style={style({ height: ROW })}
                aria-selected={isSelected(head)}
                tabIndex={stop?.layer === head.layer && stop.head === head.head ? 0 : -1}
                title={`${head.layer}, head ${head.head}`}
                data-layer={head.layer}
                data-head={head.head}
                onClick={() => store.selectHead(head.layer, head.head)}
              >
                <span class="ranked-tile">
                  <EventBadge events={store.events.of(head.layer, head.head)} />
                </span>
                <span>{shortHead(layers, head.layer, head.head)}</span>
                <span class="ranked-value">
                  {changes
                    ? formatChange(store.heads.value(head))
                    : formatMetric(store.heads.value(head))}
                </span>
              </div>
            ))}
          </div>
        );
      })}
    </div>
  );
}

/** Rows that share a canvas; a single one for all could be higher than browsers allow. */
const PER_CANVAS = 32;
const ROW = 36;

function RankedTiles({ heads }: { heads: readonly HeadRef[] }): JSX.Element {
  const store = useStore();
  const example = store.selection.example.value;
  return (
    <span class="ranked-drawn">
      <Thumbnails
        places={heads.map(({ layer, head }, i) => ({
          tiles: store.atlases.tiles(layer, example),
          head,
          x: 0,
          y: i * ROW,
        }))}
        box={{ width: THUMB, height: THUMB }}
        size={{ width: THUMB, height: heads.length * ROW - (ROW - THUMB) }}
        framed
      />
    </span>
  );
}
