/** Where everything around a map goes: whole-pixel cells first, the rest around them. */

export const MAX_CELL = 48;
/** Zoomed in, a single cell may grow to this. */
export const MAX_ZOOMED_CELL = 96;
export const GRID_FROM = 8;
export const HATCH_FROM = 3;

export type LabelMode = 'upright' | 'turned' | 'thinned' | 'sparse';

export interface LayoutInput {
  /** Of the pane, in CSS pixels. */
  readonly width: number;
  readonly height: number;
  readonly queries: number;
  readonly keys: number;
  /** Characters of the longest labels, end tokens aside; 0 when there are no tokens. */
  readonly queryCharacters: number;
  readonly keyCharacters: number;
  readonly dpr: number;
  /** Without profiles beside it. */
  readonly bare?: boolean;
}

export interface MapLayout {
  readonly mode: LabelMode;
  /** CSS pixels of a cell; a whole number of device pixels. */
  readonly cellWidth: number;
  readonly cellHeight: number;
  /**
   * Tokens per cell, 1 unless the map is larger than the room for it. Not a whole number where that
   * fills the room: each pixel then stands for as many tokens or for one less.
   */
  readonly poolQueries: number;
  readonly poolKeys: number;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  /** The part that is shown: all of it, unless it is zoomed into. */
  readonly firstQuery: number;
  readonly firstKey: number;
  readonly visibleQueries: number;
  readonly visibleKeys: number;
  /** Height of the row profile above and width of the column profile at the right; 0: none. */
  readonly rowProfile: number;
  readonly columnProfile: number;
  readonly columnLabels: number;
  readonly rowLabels: number;
  /** Of the position numbers at the left. */
  readonly positionWidth: number;
}

const CHARACTER = 7.25; // of the 12 px monospaced token font
const PAD = 16;
const GAP = 12;
/** Below a pooled map, for the words about it. */
const NOTE = 24;
/** In a lower pane the profiles would take most of the room from the map. */
const PROFILES_FROM = 220;

interface Mode {
  readonly mode: LabelMode;
  readonly least: number;
  readonly columnLabels: number;
  readonly tokenWidth: number;
}

function modesFor(input: LayoutInput): Mode[] {
  const natural = (limit: number) =>
    input.queryCharacters === 0
      ? 0
      : Math.min(limit, Math.max(16, Math.ceil(input.queryCharacters * CHARACTER)));
  // Without tokens the labels are positions.
  const keyCharacters = input.keyCharacters || String(Math.max(0, input.keys - 1)).length;
  const keyWidth = Math.ceil(keyCharacters * CHARACTER);
  const turned = input.keyCharacters === 0 ? 20 : Math.min(56, keyWidth + 8);
  return [
    // Upright labels need cells as wide as the longest of them; single characters need little.
    {
      mode: 'upright',
      least: keyWidth <= 8 ? 12 : Math.max(20, keyWidth + 4),
      columnLabels: 24,
      tokenWidth: natural(120),
    },
    { mode: 'turned', least: 12, columnLabels: turned, tokenWidth: natural(64) },
    { mode: 'thinned', least: 4, columnLabels: turned, tokenWidth: natural(64) },
    { mode: 'sparse', least: 0, columnLabels: 20, tokenWidth: natural(64) },
  ];
}

interface Fit {
  readonly cell: number;
  readonly pool: number;
}

// Quotients of counts are near whole numbers or far from them, compared with this.
const ROUNDING = 1e-9;

/** The pixel, from the first one, that stands for a token, with `pool` tokens per pixel. */
export function pixelOf(token: number, pool: number): number {
  return Math.floor(token / pool + ROUNDING);
}

/** The first token that a pixel stands for. */
export function tokenOf(pixel: number, pool: number): number {
  return Math.ceil(pixel * pool - ROUNDING);
}

/** How many pixels stand for so many tokens. */
export function pixelsFor(count: number, pool: number): number {
  return Math.ceil(count / pool - ROUNDING);
}

/** The largest whole number of device pixels per cell, or how many tokens share one pixel. */
function fit(room: number, count: number, dpr: number): Fit {
  const pixels = Math.max(1, Math.floor(room * dpr));
  const cell = Math.floor(pixels / count);
  if (cell >= 1) return { cell: Math.min(cell, Math.floor(MAX_CELL * dpr)) / dpr, pool: 1 };
  return { cell: 1 / dpr, pool: count / pixels };
}

export interface Zoom {
  /** 1 shows everything. */
  readonly factor: number;
  /** The first query and key to show. */
  readonly query: number;
  readonly key: number;
}

interface Axis extends Fit {
  readonly first: number;
  readonly visible: number;
}

/** As many tokens from `first` on as there is room for at about `pitch` pixels per token. */
function scaled(room: number, count: number, pitch: number, dpr: number, first: number): Axis {
  const pixels = pitch * dpr;
  const pool = Math.max(1, Math.round(1 / pixels));
  const cell = Math.max(1, Math.round(pixels)) / dpr;
  const cells = Math.max(1, Math.min(Math.ceil(count / pool), Math.floor(room / cell + 1e-9)));
  // Pools begin at multiples of their size: what shares a pixel does not change with panning.
  const latest = Math.max(0, Math.ceil(count / pool) - cells);
  const start = Math.max(0, Math.min(latest, Math.round(first / pool))) * pool;
  return { cell, pool, first: start, visible: Math.min(cells * pool, count - start) };
}

/** Pixels per token. */
export function pitchX(layout: MapLayout): number {
  return layout.cellWidth / layout.poolKeys;
}

export function pitchY(layout: MapLayout): number {
  return layout.cellHeight / layout.poolQueries;
}

/** How far one can zoom into a map that is laid out as `whole`. */
export function maxZoom(whole: MapLayout): number {
  return Math.max(1, MAX_ZOOMED_CELL / Math.min(pitchX(whole), pitchY(whole)));
}

/** A part of the map that is laid out as `whole` when all of it is shown. */
export function layoutZoomed(input: LayoutInput, whole: MapLayout, zoom: Zoom): MapLayout {
  let best = whole;
  for (const mode of modesFor(input)) {
    best = attempt(input, mode, whole.rowProfile > 0, { ...zoom, whole });
    if (pitchX(best) >= mode.least) break;
  }
  return best;
}

type Cells = Pick<MapLayout, 'cellWidth' | 'cellHeight' | 'poolQueries' | 'poolKeys'>;

/** The largest cells with which all of the map has room: squares, but for the thinnest maps. */
function fitCells(width: number, height: number, input: Counts): Cells {
  const { queries, keys, dpr } = input;
  const horizontal = fit(width, keys, dpr);
  const vertical = fit(height, queries, dpr);
  const pool = Math.max(horizontal.pool, vertical.pool);
  const cell = pool > 1 ? 1 / dpr : Math.min(horizontal.cell, vertical.cell);
  // A strip of a map, few rows or few columns, would be a line of squares no one can hit: its
  // short side gets cells of its own.
  if (pool > 1 || cell < 12) {
    const own = { poolQueries: vertical.pool, poolKeys: horizontal.pool };
    if (queries * 8 < keys) {
      return { ...own, cellWidth: horizontal.cell, cellHeight: Math.min(vertical.cell, 24) };
    }
    if (keys * 8 < queries) {
      return { ...own, cellWidth: Math.min(horizontal.cell, 24), cellHeight: vertical.cell };
    }
  }
  return { cellWidth: cell, cellHeight: cell, poolQueries: pool, poolKeys: pool };
}

type Counts = Pick<LayoutInput, 'queries' | 'keys' | 'dpr'>;

/** All of a map without anything around it. */
export function layoutPlain(width: number, height: number, input: Counts): MapLayout {
  const cells = fitCells(Math.max(1, width), Math.max(1, height), input);
  return {
    mode: 'sparse',
    ...cells,
    left: 0,
    top: 0,
    width: pixelsFor(input.keys, cells.poolKeys) * cells.cellWidth,
    height: pixelsFor(input.queries, cells.poolQueries) * cells.cellHeight,
    firstQuery: 0,
    firstKey: 0,
    visibleQueries: input.queries,
    visibleKeys: input.keys,
    rowProfile: 0,
    columnProfile: 0,
    columnLabels: 0,
    rowLabels: 0,
    positionWidth: 0,
  };
}

function attempt(
  input: LayoutInput,
  mode: Mode,
  profiles: boolean,
  zoom: (Zoom & { whole: MapLayout }) | null = null,
): MapLayout {
  const { dpr } = input;
  const digits = String(Math.max(1, input.queries - 1)).length;
  const positionWidth = Math.ceil(digits * 6.6) + 12;
  const rowLabels = positionWidth + (mode.tokenWidth ? mode.tokenWidth + 12 : 0);
  const rowProfile = profiles ? 40 : 0;
  const columnProfile = profiles ? (input.width > 700 ? 80 : 64) : 0;
  const left = PAD + rowLabels;
  const right = profiles ? GAP + columnProfile + 24 : PAD;
  const above = (profiles ? PAD + rowProfile + 8 : 4) + mode.columnLabels;
  let below = profiles ? GAP : 8;
  const roomWidth = Math.max(40, input.width - left - right);
  const roomFor = (under: number) => Math.max(40, input.height - above - under);

  let cells = fitCells(roomWidth, roomFor(below), input);
  if (Math.max(cells.poolQueries, cells.poolKeys) > 1) {
    below = NOTE;
    cells = fitCells(roomWidth, roomFor(below), input);
  }
  const roomHeight = roomFor(below);
  let { cellWidth, cellHeight, poolQueries, poolKeys } = cells;
  let across = { first: 0, visible: input.keys };
  let down = { first: 0, visible: input.queries };
  if (zoom) {
    const { factor, whole } = zoom;
    const most = (pitch: number) => Math.min(MAX_ZOOMED_CELL, Math.max(pitch, pitch * factor));
    const x = scaled(roomWidth, input.keys, most(pitchX(whole)), dpr, zoom.key);
    const y = scaled(roomHeight, input.queries, most(pitchY(whole)), dpr, zoom.query);
    [across, cellWidth, poolKeys] = [x, x.cell, x.pool];
    [down, cellHeight, poolQueries] = [y, y.cell, y.pool];
  }
  const width = pixelsFor(across.visible, poolKeys) * cellWidth;
  const height = pixelsFor(down.visible, poolQueries) * cellHeight;
  const snap = (value: number) => Math.round(value * dpr) / dpr;
  const blockWidth = left + width + right;
  return {
    mode: mode.mode,
    cellWidth,
    cellHeight,
    poolQueries,
    poolKeys,
    left: snap(left + Math.max(0, (input.width - blockWidth) / 2)),
    top: snap(above + Math.max(0, (input.height - above - below - height) / 3)),
    width,
    height,
    firstQuery: down.first,
    firstKey: across.first,
    visibleQueries: down.visible,
    visibleKeys: across.visible,
    rowProfile,
    columnProfile,
    columnLabels: mode.columnLabels,
    rowLabels,
    positionWidth,
  };
}

/** Pixels per token along the axis where they are scarcer. */
function pitch(layout: MapLayout): number {
  return Math.min(pitchX(layout), pitchY(layout));
}

export function layoutMap(input: LayoutInput): MapLayout {
  const modes = modesFor(input);
  const profiles = input.height >= PROFILES_FROM && !input.bare;
  let best: MapLayout | undefined;
  for (const mode of modes) {
    best = attempt(input, mode, profiles);
    if (best.cellWidth / best.poolKeys >= mode.least) break;
  }
  const last = modes.find((mode) => mode.mode === best?.mode) ?? modes[3];
  if (!best || !last) throw new Error('No label mode fits.');
  // Below 4 px every pixel counts more than the profiles do, when leaving them out gains a pixel.
  if (pitch(best) < 4) {
    const bare = attempt(input, last, false);
    if (pitch(bare) > pitch(best)) return bare;
  }
  return best;
}

/** The cell at a point of the map, in CSS pixels from its corner; null outside of it. */
export function cellAt(
  layout: MapLayout,
  queries: number,
  keys: number,
  x: number,
  y: number,
): { query: number; key: number } | null {
  if (x < 0 || y < 0 || x >= layout.width || y >= layout.height) return null;
  const { firstQuery, firstKey, poolQueries, poolKeys } = layout;
  return {
    query: Math.min(
      queries - 1,
      firstQuery + tokenOf(Math.floor(y / layout.cellHeight), poolQueries),
    ),
    key: Math.min(keys - 1, firstKey + tokenOf(Math.floor(x / layout.cellWidth), poolKeys)),
  };
}

/** Left edge of a key's column, or top edge of a query's row, in CSS pixels from the corner. */
export function columnX(layout: MapLayout, key: number): number {
  return pixelOf(key - layout.firstKey, layout.poolKeys) * layout.cellWidth;
}

export function rowY(layout: MapLayout, query: number): number {
  return pixelOf(query - layout.firstQuery, layout.poolQueries) * layout.cellHeight;
}

export function showsKey(layout: MapLayout, key: number): boolean {
  return key >= layout.firstKey && key < layout.firstKey + layout.visibleKeys;
}

export function showsQuery(layout: MapLayout, query: number): boolean {
  return query >= layout.firstQuery && query < layout.firstQuery + layout.visibleQueries;
}
