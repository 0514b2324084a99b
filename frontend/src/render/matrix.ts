import type { LayerMetrics } from '../api/model';
import { headsOf, positionOf, type Heads } from '../api/heads';
import { prepare } from './map';
import type { Palette } from './palette';
import { position } from './scale';
import type { TimeAxis } from './timeline';

export interface MatrixRow {
  readonly layer: string;
  readonly head: number;
  readonly top: number;
  readonly height: number;
}

export interface MatrixBand {
  readonly layer: string;
  readonly heads: number;
  readonly top: number;
  readonly height: number;
}

const ROW_MOST = 20;
const ROW_LEAST = 4;
const BAND_GAP = 6;
/** A band has room for its name. */
const BAND_LEAST = 16;

/** Rows of heads in bands of layers: as high as there is room, never lower than can be hit. */
export function layoutMatrix(
  layers: readonly (Heads & { readonly name: string })[],
  height: number,
): { bands: MatrixBand[]; rows: MatrixRow[]; height: number } {
  const heads = layers.reduce((sum, layer) => sum + layer.heads, 0);
  const free = height - layers.length * BAND_GAP;
  const row = Math.max(ROW_LEAST, Math.min(ROW_MOST, Math.floor(free / Math.max(1, heads))));
  let top = 0;
  const bands: MatrixBand[] = [];
  const rows: MatrixRow[] = [];
  for (const layer of layers) {
    const band = Math.max(BAND_LEAST, layer.heads * row);
    bands.push({ layer: layer.name, heads: layer.heads, top, height: band });
    headsOf(layer).forEach((head, i) => {
      rows.push({ layer: layer.name, head, top: top + i * row, height: row });
    });
    top += band + BAND_GAP;
  }
  return { bands, rows, height: top };
}

export function rowAt(rows: readonly MatrixRow[], y: number): MatrixRow | undefined {
  return rows.find((row) => y >= row.top && y < row.top + row.height);
}

/** One metric of every head over the steps; colours span the values of all of them. */
export function drawMatrix(
  canvas: HTMLCanvasElement,
  axis: TimeAxis,
  height: number,
  rows: readonly MatrixRow[],
  metrics: ReadonlyMap<string, LayerMetrics>,
  name: string,
  example: number,
  palette: Palette,
  dpr: number,
): void {
  const context = prepare(canvas, axis.width, height, dpr);
  if (!context) return;
  const [low, high] = matrixDomain(metrics, name);
  for (const row of rows) {
    const layer = metrics.get(row.layer);
    const series = layer?.series.get(name);
    const head = layer ? positionOf(layer, row.head) : -1;
    if (!layer || !series || example >= layer.examples || head < 0) continue;
    const { steps } = layer;
    for (let i = 0; i < steps.length; i++) {
      const value = series[(i * layer.examples + example) * layer.heads + head] ?? NaN;
      if (!Number.isFinite(value)) continue;
      const x = axis.x(steps[i] as number);
      const from = i > 0 ? (axis.x(steps[i - 1] as number) + x) / 2 : x - 2;
      const to = i + 1 < steps.length ? (axis.x(steps[i + 1] as number) + x) / 2 : x + 2;
      const entry = Math.round(position('linear', (value - low) / (high - low), 1) * 255);
      context.fillStyle = palette.css[entry] ?? '';
      const left = Math.round(from * dpr) / dpr;
      const right = Math.max(left + 1 / dpr, Math.round(to * dpr) / dpr);
      context.fillRect(left, row.top, right - left, row.height - (row.height >= 8 ? 1 : 0));
    }
  }
}

/** 0 to 1 for what stays inside, else the values' own range, over all heads. */
export function matrixDomain(
  metrics: ReadonlyMap<string, LayerMetrics>,
  name: string,
): readonly [number, number] {
  let low = 0;
  let high = 1;
  for (const layer of metrics.values()) {
    for (const value of layer.series.get(name) ?? []) {
      if (!Number.isFinite(value)) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  return [low, high];
}
