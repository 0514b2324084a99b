import { bisector, ticks } from 'd3-array';
import { scaleLinear, type ScaleLinear } from 'd3-scale';
import { formatStep } from '../state/format';
import { prepare } from './map';
import type { Palette } from './palette';
import { position } from './scale';

/** The one time axis: everything in the dock is placed by `x`. */
export interface TimeAxis {
  readonly x: ScaleLinear<number, number>;
  readonly steps: readonly number[];
  readonly width: number;
}

export const AXIS_LEFT = 10;
export const AXIS_RIGHT = 28;

export function timeAxis(steps: readonly number[], width: number): TimeAxis {
  const first = steps[0] ?? 0;
  const last = steps.at(-1) ?? 1;
  const range = [AXIS_LEFT, Math.max(AXIS_LEFT + 1, width - AXIS_RIGHT)];
  // A single record stands in the middle rather than at both ends.
  const domain = first === last ? [first - 1, last + 1] : [first, last];
  return { x: scaleLinear(domain, range), steps, width };
}

/** Index of the record nearest to a place on the axis. */
export function indexAtX(axis: TimeAxis, x: number): number {
  const { steps } = axis;
  const step = axis.x.invert(x);
  return bisector((s: number) => s).center(steps, step);
}

export interface CurveInput {
  readonly steps: readonly number[];
  readonly values: Float64Array;
  /** Only some records are there: dots instead of a continuous line. */
  readonly sampled: boolean;
}

/** The range of a curve: 0 to 1 for everything that stays inside, else the data's own. */
export function curveDomain(values: Float64Array): readonly [number, number] {
  let low = 0;
  let high = 1;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return [low, high];
}

/** One range for curves that are drawn over each other. */
export function sharedDomain(curves: readonly CurveInput[]): readonly [number, number] {
  const domains = curves.map(({ values }) => curveDomain(values));
  return [Math.min(...domains.map(([low]) => low)), Math.max(...domains.map(([, high]) => high))];
}

export function drawCurve(
  canvas: HTMLCanvasElement,
  axis: TimeAxis,
  height: number,
  curve: CurveInput,
  firstNew: number | null,
  palette: Palette,
  dpr: number,
  /** Side B of a comparison, over the curve, as a line in its colour. */
  other: CurveInput | null = null,
): void {
  const context = prepare(canvas, axis.width, height, dpr);
  if (!context) return;
  if (firstNew !== null) {
    const x = axis.x(firstNew);
    context.fillStyle = palette.infoSoft;
    context.fillRect(
      x - 3,
      0,
      axis.x.range()[1] === undefined ? 0 : axis.width - AXIS_RIGHT - x + 6,
      height,
    );
  }
  const top = 6;
  const bottom = height - 4;
  const y = scaleLinear(sharedDomain(other ? [curve, other] : [curve]), [bottom, top]);
  context.fillStyle = palette.line;
  context.fillRect(0, top, axis.width - AXIS_RIGHT + 4, 1);
  context.fillRect(0, Math.round((top + bottom) / 2), axis.width - AXIS_RIGHT + 4, 1);
  context.fillStyle = palette.lineStrong;
  context.fillRect(0, bottom, axis.width - AXIS_RIGHT + 4, 1);

  for (const piece of pieces(curve.values)) {
    const points = piece.map(
      (i) => [axis.x(curve.steps[i] as number), y(curve.values[i] as number)] as const,
    );
    const first = points[0];
    const last = points.at(-1);
    if (!first || !last) continue;
    context.beginPath();
    context.moveTo(first[0], bottom);
    for (const [px, py] of points) context.lineTo(px, py);
    context.lineTo(last[0], bottom);
    context.fillStyle = palette.seriesFill;
    context.globalAlpha = 0.8;
    context.fill();
    context.globalAlpha = 1;
    context.beginPath();
    for (const [px, py] of points) context.lineTo(px, py);
    context.strokeStyle = palette.series;
    context.lineWidth = 1.5;
    context.lineJoin = 'round';
    context.setLineDash(curve.sampled ? [3, 3] : []);
    context.stroke();
    context.setLineDash([]);
    context.fillStyle = palette.series;
    if (curve.sampled || points.length === 1) {
      for (const [px, py] of points) {
        context.beginPath();
        context.arc(px, py, 3, 0, 2 * Math.PI);
        context.fill();
      }
    }
  }
  if (!other) return;
  context.strokeStyle = palette.sideB;
  context.fillStyle = palette.sideB;
  for (const piece of pieces(other.values)) {
    const points = piece.map(
      (i) => [axis.x(other.steps[i] as number), y(other.values[i] as number)] as const,
    );
    // Another run may have begun before this axis does, or gone on for longer.
    const [from, to] = axis.x.range() as [number, number];
    context.save();
    context.beginPath();
    context.rect(from - 3, 0, to - from + 6, height);
    context.clip();
    context.beginPath();
    for (const [px, py] of points) context.lineTo(px, py);
    context.stroke();
    if (points.length === 1) {
      context.beginPath();
      context.arc(points[0]?.[0] ?? 0, points[0]?.[1] ?? 0, 3, 0, 2 * Math.PI);
      context.fill();
    }
    context.restore();
  }
}

/** Runs of indices without a gap: a missing value interrupts the line, it is not bridged. */
export function pieces(values: Float64Array): number[][] {
  const all: number[][] = [];
  let piece: number[] = [];
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i])) {
      piece.push(i);
    } else if (piece.length > 0) {
      all.push(piece);
      piece = [];
    }
  }
  if (piece.length > 0) all.push(piece);
  return all;
}

/** A metric as one band of colour: each record reaches half way to its neighbours. */
export function drawStrip(
  canvas: HTMLCanvasElement,
  axis: TimeAxis,
  height: number,
  curve: CurveInput,
  palette: Palette,
  dpr: number,
): void {
  const context = prepare(canvas, axis.width, height, dpr);
  if (!context) return;
  const { steps, values, sampled } = curve;
  const [low, high] = curveDomain(values);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (!Number.isFinite(value)) continue;
    const x = axis.x(steps[i] as number);
    const before = i > 0 ? (axis.x(steps[i - 1] as number) + x) / 2 : x - 2;
    const after = i + 1 < steps.length ? (axis.x(steps[i + 1] as number) + x) / 2 : x + 2;
    const from = sampled ? x - 3 : before;
    const to = sampled ? x + 3 : after;
    const entry = Math.round(position('linear', (value - low) / (high - low), 1) * 255);
    context.fillStyle = palette.css[entry] ?? '';
    // Whole device pixels: neighbours meet without a seam.
    const left = Math.round(from * dpr) / dpr;
    const right = Math.max(left + 1 / dpr, Math.round(to * dpr) / dpr);
    context.fillRect(left, 0, right - left, height);
  }
}

/** Half of what the chip takes at least, and for each character of its number. */
const CHIP_HALF_LEAST = 28;
const CHIP_HALF_CHARACTER = 3.25;
/** What the chip's padding and a gap add at either side of its number. */
const CHIP_AROUND = 6 + 4;

/** Where the chip with the playhead's step has its middle. */
export function chipCenter(axis: TimeAxis, step: number): number {
  const x = axis.x(step);
  const half = Math.max(CHIP_HALF_LEAST, 6 + formatStep(step).length * CHIP_HALF_CHARACTER);
  return x + Math.max(0, half - x) - Math.max(0, x + half - axis.width);
}

/**
 * Labels of ticks with their left ends, without those that would touch the playhead's chip and
 * without its own step, which the chip says already.
 */
export function tickLabels(
  axis: TimeAxis,
  now: number | null,
  widthOf: (label: string) => number,
): { readonly label: string; readonly left: number }[] {
  const chip =
    now === null
      ? null
      : { middle: chipCenter(axis, now), half: widthOf(formatStep(now)) / 2 + CHIP_AROUND };
  return axisTicks(axis).flatMap((tick) => {
    const label = formatStep(tick);
    const width = widthOf(label);
    const left = Math.max(2, Math.min(axis.width - width - 2, axis.x(tick) - width / 2));
    const middle = left + width / 2;
    const covered = chip !== null && Math.abs(middle - chip.middle) < width / 2 + chip.half;
    return covered || tick === now ? [] : [{ label, left }];
  });
}

/** A tick for every record, longer ones with their step where there is room. */
export function drawAxis(
  canvas: HTMLCanvasElement,
  axis: TimeAxis,
  height: number,
  now: number | null,
  isNew: (step: number) => boolean,
  palette: Palette,
  dpr: number,
): void {
  const context = prepare(canvas, axis.width, height, dpr);
  if (!context) return;
  context.fillStyle = palette.lineStrong;
  context.fillRect(0, 0, axis.width, 1);
  let lastX = -Infinity;
  for (const step of axis.steps) {
    const x = axis.x(step);
    const fresh = isNew(step);
    // More ticks than pixels would be a grey bar anyway.
    if (x - lastX < 1 && !fresh) continue;
    lastX = x;
    context.fillStyle = fresh ? palette.info : palette.ink3;
    context.fillRect(Math.round(x * dpr) / dpr - 0.5, 0, fresh ? 2 : 1, fresh ? 6 : 4);
  }
  context.font = `400 11px ${palette.font}`;
  context.textBaseline = 'alphabetic';
  context.fillStyle = palette.ink2;
  for (const tick of axisTicks(axis)) context.fillRect(Math.round(axis.x(tick)) - 0.5, 0, 1, 7);
  for (const { label, left } of tickLabels(axis, now, (text) => context.measureText(text).width)) {
    context.fillText(label, left, height - 5);
  }
}

/** Whole-numbered round steps within the axis. */
export function axisTicks(axis: TimeAxis): number[] {
  const { steps } = axis;
  const first = steps[0];
  const last = steps.at(-1);
  if (first === undefined || last === undefined) return [];
  if (first === last) return [first];
  const wanted = Math.max(2, Math.floor(axis.width / 110));
  return ticks(first, last, wanted).filter((tick) => Number.isInteger(tick));
}
