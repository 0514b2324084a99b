import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { differenceAt, drawDiff, type Moved } from '../render/diff';
import { drawMap, prepare } from '../render/map';
import type { Comparison, SideName } from '../state/compare';
import { readCell } from '../state/cursor';
import { formatChange, formatStep, formatWeight } from '../state/format';
import { useStore } from '../state/store';
import { ColumnLabels, RowLabels } from './axislabels';
import { SideBadge } from './comparebar';
import { useGestures } from './gestures';
import { useDpr, usePalette, type Size } from './hooks';
import { Crosshair, moveCrosshair } from './mapcanvas';
import type { MapModel } from './mapmodel';
import { Pins } from './pins';
import { overMap, style } from './style';

export interface PanelProps {
  readonly row: Comparison;
  /** Of the row; 0 is the selected run. */
  readonly index: number;
  readonly model: MapModel;
  readonly size: Size;
}

/** Test ids of further rows have their number behind them. */
function idOf(name: string, index: number): string {
  return index === 0 ? name : `${name}-${index}`;
}

export function SidePanel(
  props: PanelProps & {
    name: SideName;
    /** Without a common place there is no common crosshair. */
    apart: boolean;
  },
): JSX.Element {
  const { row, index, name, model, size, apart } = props;
  const store = useStore();
  const palette = usePalette();
  const dpr = useDpr();
  const side = row[name];
  const { map, status, problem } = side.state.value;
  const layout = model.layout.value;
  const region = model.region.value;
  const scale = store.view.scale.value;
  const cell = store.cursor.cell.value;
  const inside = map && !apart && cell && cell.query < region.queries && cell.key < region.keys;
  const reading = inside ? readCell(map, cell) : null;
  const draw = (canvas: HTMLCanvasElement) => {
    if (!layout) return;
    if (map) drawMap(canvas, map, region, layout, scale, palette, dpr);
    else prepare(canvas, layout.width, layout.height, dpr);
  };
  return (
    <figure class="panel" style={style({ width: size.width })}>
      <SideHead row={row} index={index} name={name} />
      <Panel
        id={idOf(`compare-${name}`, index)}
        label={`Side ${name.toUpperCase()}`}
        model={model}
        size={size}
        state={status}
        step={map?.step}
        value={reading ? String(reading.weight) : ''}
        said={
          reading ? (reading.masked ? 'no weight' : formatWeight(reading.weight, reading.tiny)) : ''
        }
        apart={apart}
        draw={draw}
        drawn={[map, layout, region, scale, palette, dpr]}
      />
      {problem && (
        <div class="panel-problem" role="alert">
          <p>{problem}</p>
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

/** Run, side, step and what of it is shown, as far as it is not the same as of A. */
function SideHead(props: { row: Comparison; index: number; name: SideName }): JSX.Element {
  const { row, index, name } = props;
  const store = useStore();
  const side = row[name];
  const subject = side.subject.value;
  const own = row.a.subject.value;
  const step = side.step.value;
  const wish = side.wish.value;
  const several = store.compare.rows.value.length > 1;
  const elsewhere = name === 'b' && subject?.run.name !== own?.run.name;
  const head = subject?.aggregate?.name ?? `head ${subject?.head ?? 0}`;
  const instead = row.instead.value[name];
  return (
    <figcaption class="panel-head">
      {((several && name === 'a') || elsewhere) && (
        <bdi class="panel-run" data-testid={idOf(`run-${name}`, index)} title={subject?.run.name}>
          {subject?.run.name}
        </bdi>
      )}
      <SideBadge name={name} />
      <b>step {step === null ? '–' : formatStep(step)}</b>
      {wish !== null && wish !== step && (
        <span class="nearest" data-testid={idOf(`nearest-${name}`, index)}>
          nearest to {formatStep(wish)}
        </span>
      )}
      {subject && (subject.aggregate || subject.layer.heads > 1 || instead !== null) && (
        <span
          class={instead === null ? 'panel-note' : 'nearest'}
          data-testid={idOf(`head-${name}`, index)}
        >
          {instead === null ? head : `${head}, there is no ${instead}`}
        </span>
      )}
      {name === 'b' && subject && subject.layer.name !== own?.layer.name && (
        <bdi class="panel-note" title={subject.layer.name}>
          {subject.layer.name}
        </bdi>
      )}
    </figcaption>
  );
}

export function DiffPanel(props: PanelProps & { moved: Moved | null }): JSX.Element {
  const { row, index, model, size, moved } = props;
  const store = useStore();
  const palette = usePalette();
  const dpr = useDpr();
  const [mapA, mapB] = [row.a.state.value.map, row.b.state.value.map];
  const verdict = row.verdict.value;
  const missing = row.missing.value;
  const layout = model.layout.value;
  const region = model.region.value;
  const scale = store.view.scale.value;
  const cell = store.cursor.cell.value;
  const ready = mapA && mapB && verdict?.comparable;
  const inside = ready && cell && cell.query < region.queries && cell.key < region.keys;
  const difference = inside ? differenceAt(mapA, mapB, cell.query, cell.key) : null;
  const draw = (canvas: HTMLCanvasElement) => {
    if (!layout) return;
    if (ready) drawDiff(canvas, mapA, mapB, region, layout, scale, palette, dpr);
    else prepare(canvas, layout.width, layout.height, dpr);
  };
  return (
    <figure class="panel" style={style({ width: size.width })}>
      <figcaption class="panel-head">
        <b>A − B</b>
        {moved && verdict?.isShare && (
          <span class="panel-note" data-testid={idOf('moved', index)}>
            {(moved.share * 100).toFixed(moved.share < 0.1 ? 1 : 0)} % of the weight differs
          </span>
        )}
      </figcaption>
      {missing ? (
        <div class="panel-map" style={style({ ...size })}>
          <p class="panel-problem" data-testid={idOf('diff-missing', index)}>
            No difference. {missing}
          </p>
        </div>
      ) : (
        <Panel
          id={idOf('compare-diff', index)}
          label="A minus B"
          model={model}
          size={size}
          state={ready ? 'ready' : 'loading'}
          step={undefined}
          value={difference === null ? '' : String(difference)}
          said={difference === null ? '' : formatChange(difference, 4)}
          apart={false}
          draw={draw}
          drawn={[mapA, mapB, verdict, layout, region, scale, palette, dpr]}
        />
      )}
    </figure>
  );
}

interface DrawnPanel {
  readonly id: string;
  readonly label: string;
  readonly model: MapModel;
  readonly size: Size;
  readonly state: string;
  readonly step: number | undefined;
  readonly value: string;
  readonly said: string;
  readonly apart: boolean;
  readonly draw: (canvas: HTMLCanvasElement) => void;
  /** What the drawing depends on. */
  readonly drawn: readonly unknown[];
}

function Panel(props: DrawnPanel): JSX.Element {
  const { model, size, said, apart } = props;
  const store = useStore();
  const canvas = useRef<HTMLCanvasElement>(null);
  const gestures = useGestures(store, model, canvas);
  const layout = model.layout.value;
  const cell = store.cursor.cell.value;
  useLayoutEffect(() => {
    if (canvas.current) props.draw(canvas.current);
  }, props.drawn);
  return (
    <div class="panel-map" style={style({ width: size.width, height: size.height })}>
      <ColumnLabels model={model} pointed={!apart} />
      <RowLabels model={model} pointed={!apart} />
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
          data-first-query={layout.firstQuery}
          data-first-key={layout.firstKey}
          data-query={cell?.query ?? ''}
          data-key={cell?.key ?? ''}
          data-value={props.value}
          {...(apart ? {} : gestures)}
          onKeyDown={(event) => moveCrosshair(event, store, model)}
        />
      )}
      {!apart && <Pins model={model} />}
      {!apart && <Crosshair model={model} said={said} />}
      {props.state === 'loading' && <span class="panel-loading">Loading …</span>}
    </div>
  );
}
