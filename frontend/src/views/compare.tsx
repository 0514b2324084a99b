import { useComputed, useSignal, type ReadonlySignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { differenceAt, drawDiff, movedWeight, type Moved } from '../render/diff';
import { pitchX, pitchY, type MapLayout } from '../render/layout';
import { drawMap, prepare } from '../render/map';
import { readCell } from '../state/cursor';
import { formatChange, formatStep, formatWeight } from '../state/format';
import type { Side, SideName } from '../state/compare';
import { useStore } from '../state/store';
import { ColumnLabels, RowLabels } from './axislabels';
import { CompareBar, SideBadge } from './comparebar';
import { useGestures } from './gestures';
import { useDpr, usePalette, useSize } from './hooks';
import { Crosshair, moveCrosshair } from './mapcanvas';
import { createMapModel, labelAt, type MapModel } from './mapmodel';
import { Pins } from './pins';
import { overMap, style } from './style';
import { SaidLine } from './viewbar';

const MOVES = 6;
/** Room that a panel's heading takes. */
const HEADING = 32;

/** A, B and A − B of the same example, with one crosshair and one zoom. */
export function CompareView(): JSX.Element {
  const store = useStore();
  const { a, b } = store.compare;
  const [pane, measured] = useSize<HTMLDivElement>();
  const dpr = useDpr();
  const size = useSignal({ ...measured, dpr });
  useLayoutEffect(() => {
    size.value = { ...measured, dpr };
  }, [measured, dpr, size]);
  const sideBySide = useComputed(() => ({
    width: Math.floor(size.value.width / 3),
    height: size.value.height - HEADING,
    dpr: size.value.dpr,
  }));
  const stacked = useComputed(() => ({
    width: size.value.width,
    height: Math.floor(size.value.height / 3) - HEADING,
    dpr: size.value.dpr,
  }));
  const corner = useComputed(() => ({
    width: Math.floor(size.value.width / 2),
    height: Math.floor(size.value.height / 2) - HEADING,
    dpr: size.value.dpr,
  }));
  const both = () => [a.state.value.map, b.state.value.map];
  const across = useMemo(() => createMapModel(store, sideBySide, both), [store]);
  const down = useMemo(() => createMapModel(store, stacked, both), [store]);
  const square = useMemo(() => createMapModel(store, corner, both), [store]);
  // Whatever gives the largest cells: wide maps go below each other, tall ones beside.
  const arrangements = [
    { model: across, room: sideBySide },
    { model: square, room: corner },
    { model: down, room: stacked },
  ] as const;
  const { model, room } = arrangements.reduce((best, one) =>
    pitch(one.model.whole) > pitch(best.model.whole) ? one : best,
  );
  const moved = useMoved(model);
  return (
    <section class="view" aria-label="Compare">
      <CompareBar model={model} />
      <SaidLine />
      {!store.compare.sameTokens.value && (
        <p class="compare-warning">
          The two sides have different tokens. Labels are those of A; cells are compared by
          position.
        </p>
      )}
      <div class="compare" ref={pane}>
        {size.value.width > 0 && (
          <>
            <SidePanel name="a" model={model} size={room.value} />
            <SidePanel name="b" model={model} size={room.value} />
            <DiffPanel model={model} size={room.value} moved={moved} />
          </>
        )}
      </div>
      <Moves model={model} moved={moved} />
    </section>
  );
}

function pitch(whole: ReadonlySignal<{ layout: MapLayout } | null>): number {
  const layout = whole.value?.layout;
  return layout ? Math.min(pitchX(layout), pitchY(layout)) : 0;
}

interface PanelProps {
  readonly model: MapModel;
  readonly size: { readonly width: number; readonly height: number };
}

function SidePanel({ name, model, size }: PanelProps & { name: SideName }): JSX.Element {
  const store = useStore();
  const palette = usePalette();
  const dpr = useDpr();
  const side: Side = store.compare[name];
  const { map, status } = side.state.value;
  const layout = model.layout.value;
  const region = model.region.value;
  const scale = store.view.scale.value;
  const cell = store.cursor.cell.value;
  const inside = map && cell && cell.query < region.queries && cell.key < region.keys;
  const reading = inside ? readCell(map, cell) : null;
  const subject = side.subject.value;
  const own = store.compare.a.subject.value;
  const draw = (canvas: HTMLCanvasElement) => {
    if (!layout) return;
    if (map) drawMap(canvas, map, region, layout, scale, palette, dpr);
    else prepare(canvas, layout.width, layout.height, dpr);
  };
  return (
    <figure class="panel" style={style({ width: size.width })}>
      <figcaption class="panel-head">
        <SideBadge name={name} />
        <b>step {side.step.value === null ? '–' : formatStep(side.step.value)}</b>
        {side.wish.value !== null && side.wish.value !== side.step.value && (
          <span class="nearest" data-testid={`nearest-${name}`}>
            nearest to {formatStep(side.wish.value)}
          </span>
        )}
        {subject && subject.run !== own?.run && <bdi class="panel-note">{subject.run.name}</bdi>}
        {subject && (subject.aggregate || subject.layer.heads > 1) && (
          <span class="panel-note">{subject.aggregate?.name ?? `head ${subject.head}`}</span>
        )}
      </figcaption>
      <Panel
        id={`compare-${name}`}
        label={`Side ${name.toUpperCase()}`}
        model={model}
        size={size}
        state={status}
        step={map?.step}
        value={reading ? String(reading.weight) : ''}
        said={reading ? formatWeight(reading.weight, reading.tiny) : ''}
        draw={draw}
        drawn={[map, layout, region, scale, palette, dpr]}
      />
      {side.state.value.problem && (
        <div class="panel-problem" role="alert">
          <p>{side.state.value.problem}</p>
          <button type="button" class="button" onClick={() => store.compare.retry()}>
            Read again
          </button>
        </div>
      )}
      {status === 'none' && (
        <p class="panel-problem">No map here: this copy has thumbnails only.</p>
      )}
    </figure>
  );
}

/** A long map is gone through in portions; until then there is nothing to say. */
function useMoved(model: MapModel): Moved | null {
  const { a, b } = useStore().compare;
  const [mapA, mapB] = [a.state.value.map, b.state.value.map];
  const region = model.region.value;
  const [moved, setMoved] = useState<Moved | null>(null);
  useEffect(() => {
    setMoved(null);
    if (!mapA || !mapB) return;
    const work = movedWeight(mapA, mapB, region, MOVES);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const portion = () => {
      const { done, value } = work.next();
      if (done) setMoved(value);
      else timer = setTimeout(portion);
    };
    portion();
    return () => clearTimeout(timer);
  }, [mapA, mapB, region]);
  return moved;
}

function DiffPanel({ model, size, moved }: PanelProps & { moved: Moved | null }): JSX.Element {
  const store = useStore();
  const palette = usePalette();
  const dpr = useDpr();
  const { a, b } = store.compare;
  const [mapA, mapB] = [a.state.value.map, b.state.value.map];
  const layout = model.layout.value;
  const region = model.region.value;
  const scale = store.view.scale.value;
  const cell = store.cursor.cell.value;
  const inside = mapA && mapB && cell && cell.query < region.queries && cell.key < region.keys;
  const difference = inside ? differenceAt(mapA, mapB, cell.query, cell.key) : null;
  const draw = (canvas: HTMLCanvasElement) => {
    if (!layout) return;
    if (mapA && mapB) drawDiff(canvas, mapA, mapB, region, layout, scale, palette, dpr);
    else prepare(canvas, layout.width, layout.height, dpr);
  };
  return (
    <figure class="panel" style={style({ width: size.width })}>
      <figcaption class="panel-head">
        <b>A − B</b>
        {moved && (
          <span class="panel-note" data-testid="moved">
            {(moved.share * 100).toFixed(moved.share < 0.1 ? 1 : 0)} % of the weight differs
          </span>
        )}
      </figcaption>
      <Panel
        id="compare-diff"
        label="A minus B"
        model={model}
        size={size}
        state={mapA && mapB ? 'ready' : 'loading'}
        step={undefined}
        value={difference === null ? '' : String(difference)}
        said={difference === null ? '' : formatChange(difference, 4)}
        draw={draw}
        drawn={[mapA, mapB, layout, region, scale, palette, dpr]}
      />
    </figure>
  );
}

function Panel(
  props: PanelProps & {
    id: string;
    label: string;
    state: string;
    step: number | undefined;
    value: string;
    said: string;
    draw: (canvas: HTMLCanvasElement) => void;
    /** What the drawing depends on. */
    drawn: readonly unknown[];
  },
): JSX.Element {
  const { model, size, said } = props;
  const store = useStore();
  const canvas = useRef<HTMLCanvasElement>(null);
  const gestures = useGestures(store, model, canvas);
  const layout = model.layout.value;
  useLayoutEffect(() => {
    if (canvas.current) props.draw(canvas.current);
  }, props.drawn);
  return (
    <div class="panel-map" style={style({ width: size.width, height: size.height })}>
      <ColumnLabels model={model} />
      <RowLabels model={model} />
      {layout && (
        <canvas
          ref={canvas}
          class="map"
          tabIndex={0}
          role="application"
          aria-roledescription="attention map"
          aria-label={`${props.label}${said && `, weight ${said}`}. The arrow keys move the crosshair.`}
          style={overMap(layout)}
          data-testid={props.id}
          data-state={props.state}
          data-step={props.step ?? ''}
          data-queries={layout.visibleQueries}
          data-keys={layout.visibleKeys}
          data-value={props.value}
          {...gestures}
          onKeyDown={(event) => moveCrosshair(event, store, model)}
        />
      )}
      <Pins model={model} />
      <Crosshair model={model} said={said} />
      {props.state === 'loading' && <span class="panel-loading">Loading …</span>}
    </div>
  );
}

/** The cells that differ most; a press goes there. */
function Moves({ model, moved }: { model: MapModel; moved: Moved | null }): JSX.Element {
  const store = useStore();
  const queries = model.queryTokens.value;
  const keys = model.keyTokens.value;
  return (
    <div class="moves" data-testid="moves">
      <span class="moves-name">Differ most</span>
      {moved?.most.length === 0 && <span class="hint">The two maps are equal.</span>}
      {moved?.most.map(({ query, key, difference }) => (
        <button
          key={`${query}.${key}`}
          type="button"
          class="move"
          onClick={() => store.cursor.set({ query, key })}
        >
          <bdi>{labelAt(queries, query, 8)}</bdi>
          <span class="position">{query}</span>→<bdi>{labelAt(keys, key, 8)}</bdi>
          <span class="position">{key}</span>
          <b class={difference > 0 ? 'side-a' : 'side-b'}>{formatChange(difference, 2)}</b>
        </button>
      ))}
    </div>
  );
}
