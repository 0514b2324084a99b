import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { AttentionMap } from '../api/model';
import { columnX, rowY, showsKey, showsQuery, type MapLayout } from '../render/layout';
import { drawMap, drawPreview } from '../render/map';
import { drawColumnProfile, drawRowProfile } from '../render/profiles';
import { placeTag, TAG_TOKEN, tokenWidth } from '../render/tag';
import { maskOf, rankOf, readCell, strongestKey, type Mask } from '../state/cursor';
import { formatWeight, positionOf } from '../state/format';
import { useStore, type Store } from '../state/store';
import type { Cell } from '../state/url';
import { Announced } from './announce';
import { failuresAt } from './failures';
import { useGestures } from './gestures';
import { useDpr, usePalette } from './hooks';
import { labelAt, type MapModel } from './mapmodel';
import { overMap, style } from './style';
import { reveal } from './zoom';

/** The cells themselves, and pointing at them with the pointer or the arrow keys. */
export function MapCanvas({ model }: { model: MapModel }): JSX.Element | null {
  const store = useStore();
  const palette = usePalette();
  const dpr = useDpr();
  const canvas = useRef<HTMLCanvasElement>(null);
  const gestures = useGestures(store, model, canvas);
  const layout = model.layout.value;
  const region = model.region.value;
  const state = store.maps.state.value;
  const { map } = state;
  const scale = store.view.scale.value;
  const run = store.selection.run.value;
  const layer = store.selection.layer.value;
  const head = store.selection.head.value;
  const example = store.selection.example.value;
  const preview = state.slow || (run?.thumbnailsOnly ?? false);
  const aggregate = store.selection.aggregate.value;
  // A single head's thumbnail is no preview of an aggregate.
  const tiles =
    preview && layer && !aggregate ? store.atlases.tiles(layer.name, example) : undefined;

  useLayoutEffect(() => {
    const element = canvas.current;
    if (!element || !layout) return;
    if (map) drawMap(element, map, region, layout, scale, palette, dpr);
    else if (preview || state.status === 'error') {
      drawPreview(element, tiles, head, region, layout, scale, palette, dpr);
    }
  }, [map, region, layout, scale, palette, dpr, preview, tiles, head, state.status]);

  if (!layout) return null;
  const cell = store.cursor.cell.value;
  const value = map && cell ? String(readCell(map, cell).weight) : '';
  const status = { none: 'loading', loading: 'loading', ready: 'ready', error: 'error' }[
    state.status
  ];

  return (
    <canvas
      ref={canvas}
      class="map"
      tabIndex={0}
      role="application"
      aria-roledescription="attention map"
      aria-label={`Attention map${aggregate ? `, ${aggregate.name}` : ''}, ${region.queries} queries by ${region.keys} keys. The arrow keys move the crosshair.`}
      style={overMap(layout)}
      title={store.view.failures.value ? failuresAt(store.failures.found.value, cell) : ''}
      data-testid="map"
      data-state={status}
      data-run={run?.name}
      data-layer={layer?.name}
      data-head={head}
      data-aggregate={aggregate?.kind ?? ''}
      data-example={example}
      data-step={map?.step ?? ''}
      data-queries={layout.visibleQueries}
      data-keys={layout.visibleKeys}
      data-first-query={layout.firstQuery}
      data-first-key={layout.firstKey}
      data-zoom={store.view.zoom.value}
      data-cell={layout.cellWidth}
      data-cell-height={layout.cellHeight}
      data-pool={`${layout.poolQueries}x${layout.poolKeys}`}
      data-query={cell?.query ?? ''}
      data-key={cell?.key ?? ''}
      data-value={value}
      {...gestures}
      onKeyDown={(event) => moveCrosshair(event, store, model)}
    />
  );
}

export function moveCrosshair(event: KeyboardEvent, store: Store, model: MapModel): void {
  const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[
    event.key
  ];
  if (!by || event.altKey || event.metaKey) return;
  event.preventDefault();
  event.stopPropagation();
  const { queries, keys } = model.region.value;
  const cell = store.cursor.cell.value ?? { query: 0, key: 0 };
  const many = event.shiftKey ? 10 : 1;
  const query = Math.max(0, Math.min(queries - 1, cell.query + (by[0] ?? 0) * many));
  const compared = store.view.mode.value === 'compare' ? store.compare.map.value : null;
  const map = compared ?? store.maps.state.value.map;
  // With Ctrl: to the strongest key of the row, also after a step to another row.
  const key =
    event.ctrlKey && map
      ? strongestKey(map, query, keys)
      : Math.max(0, Math.min(keys - 1, cell.key + (by[1] ?? 0) * many));
  store.cursor.set({ query, key });
  reveal(store, model, { query, key });
}

/** What is said where there is no weight. */
export const MASKED: Readonly<Record<Exclude<Mask, false>, { tag: string; sentence: string }>> = {
  causal: { tag: 'causal: no weight', sentence: 'causal, no weight possible' },
  padding: { tag: 'padding: no weight', sentence: 'padding, no weight possible' },
  hidden: { tag: 'hidden', sentence: 'hidden, its weight given to the others of the row' },
};

/** `rank 3 of 4` among the keys that the query can look at, or why there is no weight. */
export function rankWords(map: AttentionMap, cell: Cell, keys: number): string {
  const { masked } = readCell(map, cell);
  if (masked) return MASKED[masked].sentence;
  const { rank, among } = rankOf(map, cell, keys);
  return `rank ${rank.toLocaleString('en')} of ${among.toLocaleString('en')}`;
}

const TAG_HEIGHT = 24;

/** The pane around a map, in CSS pixels from the map's corner. */
function paneOf(model: MapModel, layout: MapLayout) {
  const { width, height } = model.whole.value?.input ?? layout;
  const { left, top } = layout;
  return { left: -left, top: -top, right: width - left, bottom: height - top };
}

/** The lines through the crosshair's cell, a frame around it, and the tag with its value. */
export function Crosshair(props: {
  model: MapModel;
  /** Only this in the tag, instead of the tokens and the weight in the selected map. */
  said?: string;
}): JSX.Element | null {
  const { model, said } = props;
  const store = useStore();
  const layout = model.layout.value;
  const cell = store.cursor.cell.value;
  const { map } = store.maps.state.value;
  if (!layout || !cell) return null;
  const x = columnX(layout, cell.key);
  const y = rowY(layout, cell.query);
  const reading = map ? readCell(map, cell) : null;
  const queryLabel =
    labelAt(model.queryTokens.value, cell.query, TAG_TOKEN) ||
    positionOf(cell.query, model.pooling.value.queries);
  const keyLabel =
    labelAt(model.keyTokens.value, cell.key, TAG_TOKEN) ||
    positionOf(cell.key, model.pooling.value.keys);
  const small = Math.min(layout.cellWidth, layout.cellHeight) < 4 ? 'small' : '';
  const pool = layout.poolKeys > 1 || layout.poolQueries > 1;
  const value =
    said ??
    (reading?.masked
      ? MASKED[reading.masked].tag
      : reading && formatWeight(reading.weight, reading.tiny));
  const tagWidth =
    20 +
    (value?.length ?? 0) * 7 +
    (said === undefined ? tokenWidth(queryLabel) + tokenWidth(keyLabel) + 36 : 4) +
    (pool ? 56 : 0);
  const rowShown = showsQuery(layout, cell.query);
  const columnShown = showsKey(layout, cell.key);
  const shown = rowShown && columnShown;
  return (
    <div class="crosshair" style={overMap(layout)} aria-hidden="true">
      {rowShown && (
        <i class={`cross-row ${small}`} style={style({ top: y, height: layout.cellHeight })} />
      )}
      {columnShown && (
        <i class={`cross-column ${small}`} style={style({ left: x, width: layout.cellWidth })} />
      )}
      {shown && (
        <i
          class={`cross-cell ${small}`}
          style={style({ left: x, top: y, width: layout.cellWidth, height: layout.cellHeight })}
        />
      )}
      {shown && value && (
        <div
          class="tag"
          style={style(
            placeTag(
              { left: x, top: y, right: x + layout.cellWidth, bottom: y + layout.cellHeight },
              { width: tagWidth, height: TAG_HEIGHT },
              paneOf(model, layout),
            ),
          )}
        >
          {said === undefined && (
            <>
              <bdi>{queryLabel}</bdi>
              <span> → </span>
              <bdi>{keyLabel}</bdi>{' '}
            </>
          )}
          <b>{value}</b>
          {pool && <span class="tag-note"> exact cell</span>}
        </div>
      )}
    </div>
  );
}

/** The crosshair's row above and its column at the right. */
export function Profiles({ model }: { model: MapModel }): JSX.Element | null {
  const store = useStore();
  const palette = usePalette();
  const dpr = useDpr();
  const row = useRef<HTMLCanvasElement>(null);
  const column = useRef<HTMLCanvasElement>(null);
  const layout = model.layout.value;
  const region = model.region.value;
  const cell = store.cursor.cell.value;
  const { map } = store.maps.state.value;

  useLayoutEffect(() => {
    if (!layout || layout.rowProfile === 0) return;
    if (row.current) drawRowProfile(row.current, map, region, layout, cell, palette, dpr);
    if (column.current) drawColumnProfile(column.current, map, layout, cell, palette, dpr);
  }, [map, region, layout, cell, palette, dpr]);

  if (!layout || layout.rowProfile === 0 || !map) return null;
  const top = layout.top - layout.columnLabels - layout.rowProfile - 4;
  const right = layout.left + layout.width;
  return (
    <div aria-hidden="true">
      <div class="profile-caption" style={style({ left: 0, width: layout.left - 8, top: top + 2 })}>
        {cell ? (
          <>
            <b>Query {positionOf(cell.query, model.pooling.value.queries)}</b>
            <br />
            and mean
          </>
        ) : (
          'mean of queries'
        )}
      </div>
      <canvas ref={row} class="profile" style={style({ left: layout.left, top })} />
      <span class="profile-scale" style={style({ left: right + 6, top: top - 6 })}>
        1
      </span>
      <span
        class="profile-scale"
        style={style({ left: right + 6, top: top + layout.rowProfile - 10 })}
      >
        0
      </span>
      {cell && (
        <span class="profile-key" style={style({ left: right + 12, top: layout.top - 20 })}>
          Key {positionOf(cell.key, model.pooling.value.keys)}
        </span>
      )}
      <canvas ref={column} class="profile" style={style({ left: right + 12, top: layout.top })} />
    </div>
  );
}

/** A word in the part of the map where no weight is possible. */
export function MaskNote({ model }: { model: MapModel }): JSX.Element | null {
  const store = useStore();
  const layout = model.layout.value;
  const { map } = store.maps.state.value;
  if (!layout || !map?.causal || layout.width < 240 || layout.height < 120) return null;
  // At the note's own corner, which may be out of the masked half when zoomed.
  if (!maskOf(map, layout.firstQuery, layout.firstKey + layout.visibleKeys - 1)) return null;
  return (
    <span
      class="mask-note"
      style={style({
        right: `calc(100% - ${layout.left + layout.width - 8}px)`,
        top: layout.top + 6,
      })}
    >
      causal: no weight possible
    </span>
  );
}

/** Reads the crosshair's cell out. */
export function Announcer({ model }: { model: MapModel }): JSX.Element {
  const store = useStore();
  const cell = store.cursor.cell.value;
  const { map } = store.maps.state.value;
  const say = () => {
    if (!cell || !map) return '';
    const { weight, tiny, masked } = readCell(map, cell);
    const { keys } = model.region.peek();
    return (
      `query ${positionOf(cell.query, model.pooling.peek().queries)} ${labelAt(model.queryTokens.peek(), cell.query)}, ` +
      `key ${positionOf(cell.key, model.pooling.peek().keys)} ${labelAt(model.keyTokens.peek(), cell.key)}, ` +
      (masked ? '' : `weight ${formatWeight(weight, tiny)}, `) +
      rankWords(map, cell, keys)
    );
  };
  return <Announced say={cell && map ? say : null} of={[cell, map, model]} />;
}
