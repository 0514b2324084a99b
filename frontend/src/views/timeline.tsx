import type { ComponentChildren, JSX } from 'preact';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import {
  chipCenter,
  drawAxis,
  drawCurve,
  drawStrip,
  indexAtX,
  sharedDomain,
  timeAxis,
  type CurveInput,
  type TimeAxis,
} from '../render/timeline';
import { formatMetric, formatStep, metricTitle, plural } from '../state/format';
import { useStore } from '../state/store';
import { EventLines, EventMarks } from './eventmarks';
import { LOW, useDpr, useMedia, usePalette, useSize } from './hooks';
import { Icon } from './icons';
import { Matrix, MatrixNames } from './matrix';
import { Picker } from './picker';
import { style } from './style';
import { FilmMarks, Gaps, SideLine } from './timelinemarks';

const STRIPS = 4;
const STRIPS_LOW = 2;
const AXIS_HEIGHT = 26;
const STRIP_HEIGHT = 16;
const EVENTS_HEIGHT = 20;
const MATRIX_CURVE = 48;
/** The gutter's row of the curve, and the note below it. */
const NOTE_FROM = 28 + 16;

/** What a metric's extremes mean, where its name tells. */
const MEANING: Readonly<Record<string, string>> = {
  entropy: '0 = one key, 1 = uniform',
  max_weight: '1 = each query looks at one key',
  diagonality: '1 = weight lies on the diagonal',
  coverage: '1 = every key is looked at',
  change: '0 = as the record before',
};

/** The one time axis: curve, strips and slider share it, and one playhead crosses them all. */
export function Timeline(): JSX.Element {
  const store = useStore();
  const { selection, metrics, view } = store;
  const [area, size] = useSize<HTMLDivElement>();
  const low = useMedia(LOW);
  const names = useRef<HTMLDivElement>(null);
  const steps = selection.steps.value;
  const axis = useMemo(() => timeAxis(steps, size.width), [steps, size.width]);
  const curve = metrics.curve.value;
  const matrix = view.matrix.value;
  const strips = matrix
    ? []
    : metrics.names.value.filter((name) => name !== curve).slice(0, low ? STRIPS_LOW : STRIPS);
  const free = size.height - EVENTS_HEIGHT - AXIS_HEIGHT - strips.length * (STRIP_HEIGHT + 4) - 12;
  const curveHeight = matrix ? MATRIX_CURVE : Math.max(32, free);
  const matrixHeight = Math.max(0, free - MATRIX_CURVE - 4);
  const fresh = store.newSteps.value;

  return (
    <div class="timeline">
      <div class="gutter">
        <EventCount />
        <div class="gutter-curve" style={style({ height: curveHeight })}>
          {curve ? (
            <>
              <div class="gutter-row main">
                <Picker
                  caption=""
                  testId="metric-picker"
                  up
                  value={curve}
                  options={metrics.names.value.map((name) => ({
                    value: name,
                    label: metricTitle(name),
                  }))}
                  onPick={(name) => (view.metric.value = name)}
                />
                <MetricValue name={curve} />
              </div>
              {curveHeight >= NOTE_FROM && <p class="gutter-note">{MEANING[curve] ?? ''}</p>}
            </>
          ) : (
            <p class="gutter-note">
              {metrics.problem.value || metrics.layer.value ? 'No metrics' : 'Metrics …'}
            </p>
          )}
        </div>
        {strips.map((name) => (
          <div key={name} class="gutter-row strip-row">
            <span>{metricTitle(name)}</span>
            <MetricValue name={name} />
          </div>
        ))}
        {matrix && (
          <div class="matrix-area" ref={names} style={style({ height: matrixHeight })}>
            <MatrixNames height={matrixHeight} />
          </div>
        )}
        <div class="gutter-row axis-row">
          <button
            type="button"
            class="matrix-toggle"
            aria-pressed={matrix}
            data-testid="matrix-toggle"
            title="Every head over every step (M)"
            onClick={() => (view.matrix.value = !matrix)}
          >
            Heads × steps <Icon name={matrix ? 'chevron' : 'chevronUp'} />
          </button>
          <span>
            {plural(steps.length - fresh.length, 'record')}
            {fresh.length > 0 && ` + ${fresh.length.toLocaleString('en')} new`}
          </span>
        </div>
      </div>
      <div class="tracks" ref={area}>
        {size.width > 0 && <EventMarks axis={axis} />}
        {size.width > 0 && (
          <Slider axis={axis}>
            <Curve axis={axis} height={curveHeight} name={curve} />
            {strips.map((name) => (
              <Strip key={name} axis={axis} name={name} />
            ))}
            {matrix && (
              <div
                class="matrix-area scrolls"
                style={style({ height: matrixHeight })}
                onScroll={(event) => {
                  if (names.current) names.current.scrollTop = event.currentTarget.scrollTop;
                }}
              >
                <Matrix axis={axis} height={matrixHeight} name={curve} />
              </div>
            )}
            <Axis axis={axis} />
            <Gaps axis={axis} />
            <EventLines axis={axis} />
            {view.mode.value === 'compare' && (
              <>
                <SideLine axis={axis} name="b" />
                <SideLine axis={axis} name="a" />
              </>
            )}
            {view.mode.value === 'film' && <FilmMarks axis={axis} />}
            <Playhead axis={axis} height={curveHeight} name={curve} />
          </Slider>
        )}
      </div>
    </div>
  );
}

/** At the playhead; of a comparison at the step of each side. */
function MetricValue({ name }: { name: string }): JSX.Element {
  const { selection, metrics, compare, view } = useStore();
  const at = (step: number | null) =>
    step === null
      ? undefined
      : metrics.at(name, step, selection.example.value, selection.head.value);
  if (view.mode.value !== 'compare') return <b>{formatMetric(at(selection.step.value))}</b>;
  const other = compare.seriesOfB(name);
  const step = compare.b.step.value;
  const ofB = other
    ? other.values[step === null ? -1 : other.steps.indexOf(step)]
    : compare.another.value
      ? undefined
      : at(step);
  return (
    <span class="side-values" data-testid={`sides-${name}`}>
      <b class="side-a">{formatMetric(at(compare.a.step.value))}</b>
      <b class="side-b">{formatMetric(ofB)}</b>
    </span>
  );
}

/** How many events the row beside it shows; opens their list. */
function EventCount(): JSX.Element {
  const store = useStore();
  const { all, shown, known, problems } = store.events;
  return (
    <div class="gutter-row events-row">
      <button
        type="button"
        data-testid="event-count"
        title="List of events"
        onClick={() => {
          store.view.pane.value = 'events';
          store.drawerOpen.value = true;
        }}
      >
        <span>Events</span>
        <span>
          {!known.value
            ? problems.value.length > 0
              ? '–'
              : '…'
            : shown.value.length < all.value.length
              ? `${shown.value.length.toLocaleString('en')} of ${all.value.length.toLocaleString('en')}`
              : all.value.length.toLocaleString('en')}
        </span>
      </button>
    </div>
  );
}

/** The whole of the tracks is the slider: press anywhere, it snaps to the nearest record. */
function Slider({ axis, children }: { axis: TimeAxis; children: ComponentChildren }): JSX.Element {
  const store = useStore();
  const { index, step } = store.selection;
  const { steps } = axis;
  const dragging = useRef(false);
  const go = (event: PointerEvent, element: HTMLElement) => {
    const to = indexAtX(axis, event.clientX - element.getBoundingClientRect().left);
    const at = steps[to];
    if (at !== undefined && at !== store.selection.step.peek()) store.goToStep(at);
  };
  return (
    <div
      class="slider"
      role="slider"
      tabIndex={0}
      data-testid="slider"
      aria-label="Step"
      aria-valuemin={steps[0] ?? 0}
      aria-valuemax={steps.at(-1) ?? 0}
      aria-valuenow={step.value ?? 0}
      aria-valuetext={
        step.value === null
          ? 'no records'
          : `step ${formatStep(step.value)}, record ${index.value + 1} of ${steps.length}`
      }
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        dragging.current = true;
        event.currentTarget.setPointerCapture(event.pointerId);
        go(event, event.currentTarget);
      }}
      onPointerMove={(event) => {
        if (dragging.current) go(event, event.currentTarget);
      }}
      onPointerUp={() => (dragging.current = false)}
      onPointerCancel={() => (dragging.current = false)}
    >
      {children}
    </div>
  );
}

function useCurve(name: string | null): CurveInput {
  const store = useStore();
  const { example, head, run } = store.selection;
  const metrics = store.metrics.layer.value;
  const exampleIndex = example.value;
  const headIndex = head.value;
  const sampled = run.value?.thumbnailsOnly ?? false;
  return useMemo(
    () => ({
      steps: metrics?.steps ?? [],
      values: name ? store.metrics.series(name, exampleIndex, headIndex) : new Float64Array(0),
      sampled,
    }),
    [metrics, name, exampleIndex, headIndex, sampled, store],
  );
}

/** Of side B where a comparison has another head or run there. */
function useCurveOfB(name: string | null): CurveInput | null {
  const { compare, view } = useStore();
  const series = view.mode.value === 'compare' && name ? compare.seriesOfB(name) : null;
  return useMemo(() => series && { ...series, sampled: false }, [series]);
}

function Curve(props: { axis: TimeAxis; height: number; name: string | null }): JSX.Element {
  const { axis, height, name } = props;
  const store = useStore();
  const palette = usePalette();
  const dpr = useDpr();
  const canvas = useRef<HTMLCanvasElement>(null);
  const curve = useCurve(name);
  const firstNew = store.newSteps.value[0] ?? null;
  const other = useCurveOfB(name);
  useLayoutEffect(() => {
    if (!canvas.current) return;
    drawCurve(canvas.current, axis, height, curve, firstNew, palette, dpr, other);
  }, [axis, height, curve, firstNew, palette, dpr, other]);
  const [from, to] = sharedDomain(other ? [curve, other] : [curve]);
  const tidy = (value: number) => String(Number(value.toPrecision(2)));
  return (
    <div class="track" style={style({ height })}>
      <canvas ref={canvas} />
      {name && (
        <>
          <span class="track-scale top">{tidy(to)}</span>
          <span class="track-scale bottom">{tidy(from)}</span>
        </>
      )}
    </div>
  );
}

function Strip({ axis, name }: { axis: TimeAxis; name: string }): JSX.Element {
  const palette = usePalette();
  const dpr = useDpr();
  const canvas = useRef<HTMLCanvasElement>(null);
  const curve = useCurve(name);
  useLayoutEffect(() => {
    if (canvas.current) drawStrip(canvas.current, axis, STRIP_HEIGHT, curve, palette, dpr);
  }, [axis, curve, palette, dpr]);
  return (
    <div class="track strip-track">
      <canvas ref={canvas} />
    </div>
  );
}

function Axis({ axis }: { axis: TimeAxis }): JSX.Element {
  const store = useStore();
  const palette = usePalette();
  const dpr = useDpr();
  const canvas = useRef<HTMLCanvasElement>(null);
  const firstNew = store.newSteps.value[0] ?? Infinity;
  const now = store.selection.step.value;
  useLayoutEffect(() => {
    if (!canvas.current) return;
    drawAxis(canvas.current, axis, AXIS_HEIGHT, now, (step) => step >= firstNew, palette, dpr);
  }, [axis, firstNew, now, palette, dpr]);
  return (
    <div class="track axis-track">
      <canvas ref={canvas} />
    </div>
  );
}

function Playhead(props: {
  axis: TimeAxis;
  height: number;
  name: string | null;
}): JSX.Element | null {
  const { axis, height, name } = props;
  const store = useStore();
  const step = store.selection.step.value;
  const curve = useCurve(name);
  const other = useCurveOfB(name);
  if (step === null) return null;
  const x = axis.x(step);
  const value = curve.values[curve.steps.indexOf(step)];
  const [low, high] = sharedDomain(other ? [curve, other] : [curve]);
  const y =
    value === undefined || !Number.isFinite(value)
      ? null
      : height - 4 - ((value - low) / (high - low)) * (height - 10);
  const label = formatStep(step);
  return (
    <div class="playhead" style={style({ transform: `translateX(${x}px)` })} aria-hidden="true">
      <i class="playhead-line" />
      {y !== null && <i class="playhead-dot" style={style({ top: y })} />}
      <span
        class="playhead-step"
        style={style({
          transform: `translateX(calc(-50% + ${chipCenter(axis, step) - x}px))`,
        })}
      >
        {label}
      </span>
    </div>
  );
}
