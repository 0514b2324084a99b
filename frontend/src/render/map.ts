import type { AttentionMap, Tiles } from '../api/model';
import { positionOf } from '../api/heads';
import type { Region } from '../state/cursor';
import type { Scale } from '../state/url';
import { GRID_FROM, HATCH_FROM, pixelOf, pixelsFor, type MapLayout } from './layout';
import { packRgb, parseColor, type Palette } from './palette';
import { openKeys, pooledEntries } from './pool';
import { codeLookup, colorIndex, NOT_FINITE, OUT_OF_RANGE, rowMaximum } from './scale';
import { tilePixels } from './tiles';

/** 256 colours of the ramp, then those of what is not a weight. */
function pixelTable(palette: Palette): Uint32Array {
  const table = new Uint32Array(258);
  table.set(palette.ramp);
  table[NOT_FINITE] = packRgb(parseColor(palette.bad));
  table[OUT_OF_RANGE] = packRgb(parseColor(palette.clip));
  return table;
}

/**
 * One pixel per cell in sight; transparent where no weight is possible and there is none, so that
 * the hatch below shows through. Pooled cells hold the largest weight among their tokens.
 */
export function cellPixels(
  map: AttentionMap,
  region: Region,
  layout: MapLayout,
  scale: Scale,
  palette: Palette,
): ImageData {
  const { poolQueries, poolKeys, firstQuery, firstKey } = layout;
  const columns = pixelsFor(layout.visibleKeys, poolKeys);
  const rows = pixelsFor(layout.visibleQueries, poolQueries);
  const image = new ImageData(columns, rows);
  const pixels = new Uint32Array(image.data.buffer);
  const table = pixelTable(palette);
  if (poolQueries > 1 || poolKeys > 1) {
    const pooled = pooledEntries(map, region, poolQueries, poolKeys, scale);
    const left = pixelOf(firstKey, poolKeys);
    const top = pixelOf(firstQuery, poolQueries);
    for (let row = 0; row < rows; row++) {
      const from = (top + row) * pooled.columns + left;
      for (let column = 0; column < columns; column++) {
        const entry = pooled.entries[from + column] as number;
        if (entry >= 0) pixels[row * columns + column] = table[entry] as number;
      }
    }
    return image;
  }
  const { weights } = map;
  const lookup = weights.kind === 'codes' ? codeLookup(scale, weights.table.values) : null;
  for (let row = 0; row < rows; row++) {
    const query = firstQuery + row;
    const start = query * map.keys + firstKey;
    const most = scale === 'row' ? rowMaximum(weights, query * map.keys, region.keys) : 1;
    const ofRow =
      lookup && weights.kind === 'codes' && scale === 'row'
        ? codeLookup(scale, weights.table.values, most)
        : lookup;
    const open = openKeys(map, query, region.keys) - firstKey;
    const offset = row * columns;
    for (let column = 0; column < columns; column++) {
      let entry: number;
      if (weights.kind === 'codes') {
        const code = weights.codes[start + column] as number;
        if (code === 0 && column >= open) continue;
        entry = ofRow?.[code] as number;
      } else {
        const value = weights.values[start + column] as number;
        const masked = column >= open || map.hidden?.[firstKey + column] === 1;
        if (value === 0 && masked) continue;
        entry = colorIndex(scale, value, most);
      }
      pixels[offset + column] = table[entry] as number;
    }
  }
  return image;
}

/** Sizes a canvas to CSS pixels and returns its context, scaled to draw in them. */
export function prepare(
  canvas: HTMLCanvasElement,
  width: number,
  height: number,
  dpr: number,
): CanvasRenderingContext2D | null {
  const w = Math.max(1, Math.round(width * dpr));
  const h = Math.max(1, Math.round(height * dpr));
  if (canvas.width !== w) canvas.width = w;
  if (canvas.height !== h) canvas.height = h;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext('2d');
  if (!context) return null;
  context.setTransform(dpr, 0, 0, dpr, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/** The bed below the cells: what shows where no weight is possible. */
function drawMaskBed(
  context: CanvasRenderingContext2D,
  width: number,
  height: number,
  cell: number,
  palette: Palette,
): void {
  context.fillStyle = palette.mask;
  context.fillRect(0, 0, width, height);
  if (cell < HATCH_FROM) return;
  context.strokeStyle = palette.maskLine;
  context.lineWidth = 1;
  context.beginPath();
  // 45 degrees, 6 px apart measured across the lines.
  for (let x = -height; x < width; x += 6 * Math.SQRT2) {
    context.moveTo(x, height);
    context.lineTo(x + height, 0);
  }
  context.stroke();
}

let scratch: HTMLCanvasElement | undefined;

function drawPixels(
  context: CanvasRenderingContext2D,
  image: ImageData,
  width: number,
  height: number,
  part = { x: 0, y: 0, width: image.width, height: image.height },
): void {
  scratch ??= document.createElement('canvas');
  // Setting a size empties a canvas and allocates it anew.
  if (scratch.width !== image.width) scratch.width = image.width;
  if (scratch.height !== image.height) scratch.height = image.height;
  scratch.getContext('2d')?.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(scratch, part.x, part.y, part.width, part.height, 0, 0, width, height);
}

export function drawMap(
  canvas: HTMLCanvasElement,
  map: AttentionMap,
  region: Region,
  layout: MapLayout,
  scale: Scale,
  palette: Palette,
  dpr: number,
): void {
  drawCells(canvas, cellPixels(map, region, layout, scale, palette), layout, palette, dpr);
}

/** The mask's bed, one pixel of the image per cell on it, and lines between cells large enough. */
export function drawCells(
  canvas: HTMLCanvasElement,
  image: ImageData,
  layout: MapLayout,
  palette: Palette,
  dpr: number,
): void {
  const { width, height, cellWidth, cellHeight } = layout;
  const context = prepare(canvas, width, height, dpr);
  if (!context) return;
  const cell = Math.min(cellWidth / layout.poolKeys, cellHeight / layout.poolQueries);
  if (image.width === canvas.width && image.height === canvas.height) {
    // A cell is a pixel: nothing to enlarge, and no hatch at this size.
    const pixels = new Uint32Array(image.data.buffer);
    const mask = packRgb(parseColor(palette.mask));
    for (let i = 0; i < pixels.length; i++) if (pixels[i] === 0) pixels[i] = mask;
    context.putImageData(image, 0, 0);
    return;
  }
  drawMaskBed(context, width, height, cell, palette);
  drawPixels(context, image, width, height);
  if (Math.min(cellWidth, cellHeight) < GRID_FROM) return;
  context.fillStyle = palette.grid;
  const line = 1 / dpr;
  for (let x = cellWidth; x < width - 0.5; x += cellWidth)
    context.fillRect(x - line, 0, line, height);
  for (let y = cellHeight; y < height - 0.5; y += cellHeight)
    context.fillRect(0, y - line, width, line);
}

/** A thumbnail enlarged to the size of the map it stands for. */
export function drawPreview(
  canvas: HTMLCanvasElement,
  tiles: Tiles | undefined,
  head: number,
  region: Region,
  layout: MapLayout,
  scale: Scale,
  palette: Palette,
  dpr: number,
): void {
  const { width, height } = layout;
  const context = prepare(canvas, width, height, dpr);
  if (!context) return;
  context.fillStyle = palette.mask;
  context.fillRect(0, 0, width, height);
  if (tiles && positionOf(tiles, head) >= 0) {
    const image = tilePixels(tiles, head, scale, palette);
    const across = image.width / region.keys;
    const down = image.height / region.queries;
    drawPixels(context, image, width, height, {
      x: layout.firstKey * across,
      y: layout.firstQuery * down,
      width: layout.visibleKeys * across,
      height: layout.visibleQueries * down,
    });
  }
}
