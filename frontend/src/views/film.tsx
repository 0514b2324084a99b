import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { FRAME_GAP, layoutFilm } from '../render/film';
import { cellAt, columnX, rowY, type MapLayout } from '../render/layout';
import { drawMap } from '../render/map';
import { readCell } from '../state/cursor';
import type { Frame } from '../state/film';
import { formatStep, formatWeight, plural } from '../state/format';
import { useStore, type Store } from '../state/store';
import { FilmBar } from './filmbar';
import { NARROW, useDpr, useMedia, usePalette, useSize } from './hooks';
import { Icon } from './icons';
import { Readout } from './inspector';
import { createMapModel, type MapModel } from './mapmodel';
import { style } from './style';
import { PoolNote, SaidLine } from './viewbar';

/** One head at several steps beside each other, with one crosshair. */
export function FilmView(): JSX.Element {
  const store = useStore();
  const [pane, measured] = useSize<HTMLDivElement>();
  const dpr = useDpr();
  const size = useSignal({ ...measured, dpr });
  const model = useMemo(() => createMapModel(store, size), [store, size]);
  const narrow = useMedia(NARROW);
  const frames = store.film.frames.value;
  const region = model.region.value;
  const { columns, frame } = layoutFilm(frames.length, measured, region, dpr);
  const list = useRef<HTMLDivElement>(null);
  const here = frames.findIndex(({ step }) => step === store.selection.step.value);
  const from = store.film.cutFrom.value;

  function onKeyDown(event: KeyboardEvent): void {
    const items = [...(list.current?.querySelectorAll<HTMLElement>('[role="option"]') ?? [])];
    const at = items.findIndex((item) => item === document.activeElement);
    const step = frames[at]?.step;
    if (step === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === 'Enter') store.goToStep(step);
    else if (event.key === 'Delete') store.film.toggle(step);
    else {
      const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
      if (by === undefined) return;
      items[Math.max(0, Math.min(items.length - 1, at + by))]?.focus();
    }
    event.preventDefault();
    event.stopPropagation();
  }

  return (
    <section class="view" aria-label="Film">
      <FilmBar model={model} />
      <SaidLine />
      <div class="film" ref={pane}>
        {measured.width > 0 && frames.length > 0 && (
          <div
            class="film-frames"
            ref={list}
            role="listbox"
            aria-label="Steps"
            data-testid="film"
            data-columns={columns}
            style={style({
              'grid-template-columns': `repeat(${columns}, ${frame.width}px)`,
              gap: FRAME_GAP,
              padding: FRAME_GAP,
            })}
            onKeyDown={onKeyDown}
          >
            {frames.map((one, i) => (
              <FilmFrame
                key={one.step}
                frame={one}
                layout={frame}
                model={model}
                stop={here < 0 ? i === 0 : i === here}
              />
            ))}
          </div>
        )}
        {frames.length === 0 && (
          <p class="panel-problem">
            {store.maps.request.value
              ? 'No step is chosen. The button above puts the step of the playhead in.'
              : 'No maps: this copy has thumbnails only.'}
          </p>
        )}
        {frames.length > 0 && store.view.spread.value === 'events' && !hasEvents(store) && (
          <p class="film-note" data-testid="film-no-events">
            This head has no events: these are its first and its last record.
          </p>
        )}
        {from !== null && (
          <p class="film-note" data-testid="film-cut">
            {frames.length} of {plural(from, 'step')}: more maps of {region.queries} × {region.keys}{' '}
            do not fit into memory.
          </p>
        )}
      </div>
      <FilmPooling model={model} layout={frame} />
      {narrow && <Readout model={model} />}
    </section>
  );
}

function hasEvents({ events, selection }: Store): boolean {
  return events.of(selection.layer.value?.name ?? '', selection.head.value).length > 0;
}

/** The note about pixels, of the frames' layout instead of the map's. */
function FilmPooling(props: { model: MapModel; layout: MapLayout }): JSX.Element {
  return (
    <div class="film-pooling">
      <PoolNote layout={props.layout} />
    </div>
  );
}

function FilmFrame(props: {
  frame: Frame;
  layout: MapLayout;
  model: MapModel;
  /** Whether the Tab key stops here. */
  stop: boolean;
}): JSX.Element {
  const { frame, layout, model, stop } = props;
  const { map, step, problem } = frame;
  const store = useStore();
  const palette = usePalette();
  const dpr = useDpr();
  const canvas = useRef<HTMLCanvasElement>(null);
  const region = model.region.value;
  const scale = store.view.scale.value;
  const cell = store.cursor.cell.value;
  useLayoutEffect(() => {
    if (canvas.current && map) drawMap(canvas.current, map, region, layout, scale, palette, dpr);
  }, [map, region, layout, scale, palette, dpr]);
  const reading = map && cell ? readCell(map, cell) : null;
  const weight = reading && !reading.masked ? formatWeight(reading.weight, reading.tiny) : '';
  const go = () => store.goToStep(step);
  return (
    <div
      role="option"
      class="film-frame"
      aria-selected={step === store.selection.step.value}
      aria-label={`Step ${formatStep(step)}${weight && `, weight ${weight}`}`}
      tabIndex={stop ? 0 : -1}
      data-testid="film-frame"
      data-step={step}
      data-state={map ? 'ready' : problem ? 'error' : 'loading'}
      data-value={reading ? String(reading.weight) : ''}
      title={`Step ${formatStep(step)}: a click goes there, Delete takes it out`}
      onClick={go}
    >
      <div class="film-head">
        <b>{formatStep(step)}</b>
        <span>{weight}</span>
        <button
          type="button"
          class="film-out"
          tabIndex={-1}
          aria-label={`Take step ${formatStep(step)} out`}
          title="Take this step out (Delete)"
          onClick={(event) => {
            event.stopPropagation();
            store.film.toggle(step);
          }}
        >
          <Icon name="close" size={12} />
        </button>
      </div>
      <div
        class={`film-map ${map ? '' : 'skeleton'}`}
        style={style({ width: layout.width, height: layout.height })}
        onPointerMove={(event) => {
          const box = event.currentTarget.getBoundingClientRect();
          const [x, y] = [event.clientX - box.left, event.clientY - box.top];
          const at = cellAt(layout, region.queries, region.keys, x, y);
          if (at) store.cursor.set(at);
        }}
      >
        {map && <canvas ref={canvas} />}
        {problem && <p class="film-problem">{problem}</p>}
        {map && cell && (
          <i
            class="film-cell"
            style={style({
              left: columnX(layout, cell.key),
              top: rowY(layout, cell.query),
              width: layout.cellWidth,
              height: layout.cellHeight,
            })}
          />
        )}
      </div>
    </div>
  );
}
