/** Stored thumbnails as pixels. */
import { positionOf } from '../api/heads';
import type { Tiles } from '../api/model';
import type { Scale } from '../state/url';
import { packRgb, parseColor, type Palette } from './palette';
import { lookupFor } from './pool';
import { codeLookup, rowMaximum } from './scale';

/** A place for a thumbnail, in whole pixels. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Where a thumbnail lies in its box: as large as fits with its proportions, in the middle. */
export function fitTile(tiles: Pick<Tiles, 'rows' | 'columns'>, box: Box): Box {
  const fit = Math.min(box.width / tiles.columns, box.height / tiles.rows);
  // A map of one query is still to be seen.
  const width = Math.min(box.width, Math.max(2, Math.round(tiles.columns * fit)));
  const height = Math.min(box.height, Math.max(2, Math.round(tiles.rows * fit)));
  return {
    x: box.x + Math.floor((box.width - width) / 2),
    y: box.y + Math.floor((box.height - height) / 2),
    width,
    height,
  };
}

/** One pixel per cell of a thumbnail. */
export function tilePixels(tiles: Tiles, head: number, scale: Scale, palette: Palette): ImageData {
  const image = new ImageData(Math.max(1, tiles.columns), Math.max(1, tiles.rows));
  const whole = { x: 0, y: 0, width: tiles.columns, height: tiles.rows };
  paintTile(image, whole, tiles, head, scale, palette);
  return image;
}

/** Paints one head's thumbnail into a part of an image, each cell as nearest pixels. */
export function paintTile(
  image: ImageData,
  place: Box,
  tiles: Tiles,
  head: number,
  scale: Scale,
  palette: Palette,
): void {
  const { rows, columns, codes, table } = tiles;
  if (!table || rows * columns === 0) return;
  const pixels = new Uint32Array(image.data.buffer);
  const { ramp } = palette;
  const mask = packRgb(parseColor(palette.mask));
  const columnAt = Int32Array.from({ length: place.width }, (_, x) =>
    Math.floor((x * columns) / place.width),
  );
  // The same for all tiles; per row it is made for each row below.
  let lookup = lookupFor(table.values, scale === 'row' ? 'linear' : scale, 1);
  const start = positionOf(tiles, head) * rows * columns;
  for (let y = 0; y < place.height; y++) {
    const row = Math.floor((y * rows) / place.height);
    const from = start + row * columns;
    if (scale === 'row') {
      const most = rowMaximum({ kind: 'codes', codes, table }, from, columns);
      lookup = codeLookup(scale, table.values, most);
    }
    const open = tiles.causal ? openColumns(tiles, row) : columns;
    const offset = (place.y + y) * image.width + place.x;
    for (let x = 0; x < place.width; x++) {
      const column = columnAt[x] as number;
      const code = codes[from + column] as number;
      pixels[offset + x] =
        code === 0 && column >= open ? mask : (ramp[lookup[code] as number] as number);
    }
  }
}

/** The columns of a row of a causal thumbnail that hold a key which some of its queries may see. */
function openColumns(tiles: Tiles, row: number): number {
  const lastQuery = Math.floor(((row + 1) * tiles.queryLength) / tiles.rows) - 1;
  return Math.ceil(((lastQuery + 1) * tiles.columns) / tiles.keyLength);
}
