import { AGGREGATES, type AggregateKind } from './aggregate';

/**
 * The view in the address of TensorBoard's page: `#attention&p.attention.step=1520&…`. Keys that
 * are not ours stay untouched; values are checked when read; defaults are left out when written.
 */
const PREFIX = 'p.attention.';

export const SCALES = ['linear', 'log', 'row'] as const;
export type Scale = (typeof SCALES)[number];
/** Keys left out of a map, the rest of each row renormalised. */
export const HIDES = ['none', 'first', 'special', 'both'] as const;
export type Hide = (typeof HIDES)[number];
export const COLORS = ['ink', 'cividis', 'viridis', 'greys'] as const;
export type Colors = (typeof COLORS)[number];
export const PANES = ['heads', 'examples', 'events'] as const;
export type Pane = (typeof PANES)[number];

/** Orders of the heads: as the model has them, by the metric of the curve, by what it changed. */
export const SORTS = ['layer', 'metric', 'change'] as const;
export type Sort = (typeof SORTS)[number];

/** What heads do at a step: those of one kind can be picked out. */
export const HEAD_KINDS = ['sink', 'previous', 'uniform', 'changed'] as const;
export type HeadKind = (typeof HEAD_KINDS)[number];

export const MODES = ['map', 'links', 'compare', 'film'] as const;
export type Mode = (typeof MODES)[number];

/** Which records a film strip shows. */
export const SPREADS = ['even', 'log', 'events', 'chosen'] as const;
export type Spread = (typeof SPREADS)[number];
export const FRAME_COUNTS = [4, 6, 8, 12, 16, 24] as const;
export const MOST_FRAMES = 48;

export interface Cell {
  readonly query: number;
  readonly key: number;
}

/** What a link reproduces; null where nothing was chosen. */
export interface ViewState {
  readonly run: string | null;
  readonly layer: string | null;
  readonly head: number;
  /** Shown in place of the head; it stays selected for what is recorded of single heads. */
  readonly aggregate: AggregateKind | null;
  readonly example: number;
  readonly step: number | null;
  readonly mode: Mode;
  /** The steps of the two sides of a comparison. */
  readonly a: number | null;
  readonly b: number | null;
  /** What side B shows instead of the selected head: `head.3`, `run.NAME`; see `parseOther`. */
  readonly other: string | null;
  readonly spread: Spread;
  /** How many of them, where they are spread by a rule. */
  readonly frames: number;
  /** The steps chosen by hand. */
  readonly film: readonly number[];
  /** Further runs that are compared at the same steps, a row for each. */
  readonly rows: readonly string[];
  readonly cell: Cell | null;
  /** Tokens whose row, column and links stay marked. */
  readonly pinQuery: number | null;
  readonly pinKey: number | null;
  /** Heads of the layer whose links are drawn besides those of the selected one. */
  readonly links: readonly number[];
  /** Links of less weight are not drawn. */
  readonly least: number;
  /** The most links drawn of one query; 0 for all. */
  readonly perQuery: number;
  /** 1 shows the whole map. */
  readonly zoom: number;
  /** The first query and key that the zoomed map shows. */
  readonly corner: Cell | null;
  readonly scale: Scale;
  readonly colors: Colors;
  readonly hide: Hide;
  readonly padding: boolean;
  /** The neighbourhood of the crosshair enlarged, where cells are too small to be told apart. */
  readonly lens: boolean;
  /** Whether failures of an alignment are drawn on its map. */
  readonly failures: boolean;
  readonly sort: Sort;
  /** The smallest first, where heads are sorted by a value. */
  readonly ascending: boolean;
  /** Words that the name of a head has to hold, to be among those listed. */
  readonly find: string | null;
  readonly only: HeadKind | null;
  /** Every head over every step, in place of the map. */
  readonly matrix: boolean;
  readonly pane: Pane | null;
  readonly metric: string | null;
  readonly speed: number;
  readonly loop: boolean;
  readonly follow: boolean;
}

/** Least weights of a link that can be chosen: a weight of 0 is no link. */
export const LEAST_WEIGHTS = [0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5] as const;
export const PER_QUERY = [0, 1, 2, 3, 5, 10] as const;
/** Of a comparison, besides the run that is selected: more would be too small to read. */
export const MOST_ROWS = 3;
/** As many as there are colours for. */
export const MOST_LINKED_HEADS = 6;

export const SPEEDS = [1, 2, 4, 8, 16] as const;

export const DEFAULT_VIEW: ViewState = {
  run: null,
  layer: null,
  head: 0,
  aggregate: null,
  example: 0,
  step: null,
  mode: 'map',
  a: null,
  b: null,
  other: null,
  spread: 'even',
  frames: 8,
  film: [],
  rows: [],
  cell: null,
  pinQuery: null,
  pinKey: null,
  links: [],
  least: 0.05,
  perQuery: 0,
  zoom: 1,
  corner: null,
  scale: 'linear',
  colors: 'ink',
  hide: 'none',
  padding: false,
  lens: true,
  failures: true,
  sort: 'layer',
  ascending: false,
  find: null,
  only: null,
  matrix: false,
  pane: null,
  metric: null,
  speed: 4,
  loop: false,
  follow: false,
};

interface Field<T> {
  /** Undefined when the text is not a value of this field: then the default stands. */
  readonly parse: (text: string) => T | undefined;
  readonly format: (value: T) => string;
}

const text: Field<string | null> = {
  parse: (value) => (value.length > 0 && value.length <= 1000 ? value : undefined),
  format: (value) => value ?? '',
};

const count: Field<number> = {
  parse: (value) => (/^\d{1,15}$/.test(value) ? Number(value) : undefined),
  format: String,
};

const flag: Field<boolean> = {
  parse: (value) => (value === '1' ? true : value === '0' ? false : undefined),
  format: (value) => (value ? '1' : '0'),
};

function oneOf<T extends string>(values: readonly T[]): Field<T> {
  return { parse: (value) => values.find((v) => v === value), format: String };
}

function oneOfNumbers(values: readonly number[]): Field<number> {
  return { parse: (value) => values.find((v) => String(v) === value), format: String };
}

function orNull<T>(field: Field<T>): Field<T | null> {
  return { parse: field.parse, format: (value) => (value === null ? '' : field.format(value)) };
}

const cell: Field<Cell | null> = {
  parse(value) {
    const match = /^(\d{1,6})\.(\d{1,6})$/.exec(value);
    return match ? { query: Number(match[1]), key: Number(match[2]) } : undefined;
  },
  format: (value) => (value ? `${value.query}.${value.key}` : ''),
};

/** Different numbers, up to so many of them. */
function listOf(most: number): Field<readonly number[]> {
  return {
    parse(value) {
      if (!/^\d{1,15}(\.\d{1,15})*$/.test(value)) return undefined;
      const listed = value.split('.').map(Number);
      const differ = new Set(listed).size === listed.length;
      return differ && listed.length <= most ? listed : undefined;
    },
    format: (value) => value.join('.'),
  };
}

/** Names joined by `|`; one within a name has a backslash before it, and so does a backslash. */
const names: Field<readonly string[]> = {
  parse(value) {
    if (value.length > 4000) return undefined;
    const listed = (value.match(/(?:\\[\\|]|[^\\|])+/g) ?? []).map((name) =>
      name.replace(/\\([\\|])/g, '$1'),
    );
    return new Set(listed).size === listed.length && listed.length <= MOST_ROWS
      ? listed
      : undefined;
  },
  format: (value) => value.map((name) => name.replace(/[\\|]/g, '\\$&')).join('|'),
};

const FIELDS: { readonly [K in keyof ViewState]: Field<ViewState[K]> } = {
  run: text,
  layer: text,
  head: count,
  aggregate: orNull(oneOf(AGGREGATES)),
  example: count,
  step: orNull(count),
  mode: oneOf(MODES),
  a: orNull(count),
  b: orNull(count),
  other: text,
  spread: oneOf(SPREADS),
  frames: oneOfNumbers(FRAME_COUNTS),
  film: listOf(MOST_FRAMES),
  rows: names,
  cell,
  pinQuery: orNull(count),
  pinKey: orNull(count),
  links: listOf(MOST_LINKED_HEADS - 1),
  least: oneOfNumbers(LEAST_WEIGHTS),
  perQuery: oneOfNumbers(PER_QUERY),
  zoom: {
    parse(value) {
      const zoom = /^\d{1,4}(\.\d{1,3})?$/.test(value) ? Number(value) : 0;
      return zoom >= 1 ? zoom : undefined;
    },
    format: (value) => String(Math.round(value * 1000) / 1000),
  },
  corner: cell,
  scale: oneOf(SCALES),
  colors: oneOf(COLORS),
  hide: oneOf(HIDES),
  padding: flag,
  lens: flag,
  failures: flag,
  sort: oneOf(SORTS),
  ascending: flag,
  find: text,
  only: orNull(oneOf(HEAD_KINDS)),
  matrix: flag,
  pane: orNull(oneOf(PANES)),
  metric: text,
  speed: oneOfNumbers(SPEEDS),
  loop: flag,
  follow: flag,
};

export const FIELD_NAMES = Object.keys(FIELDS) as readonly (keyof ViewState)[];

function decode(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return '';
  }
}

/** The keys of a hash in order, `#` removed: `['attention', '']`, `['p.attention.step', '42']`. */
function pairs(hash: string): [string, string][] {
  return hash
    .replace(/^#/, '')
    .split('&')
    .filter((piece) => piece !== '')
    .map((piece) => {
      const at = piece.indexOf('=');
      return at < 0 ? [piece, ''] : [piece.slice(0, at), piece.slice(at + 1)];
    });
}

export function parseHash(hash: string): ViewState {
  const values = new Map(pairs(hash).map(([key, value]) => [decode(key), decode(value)]));
  const read = <K extends keyof ViewState>(name: K): ViewState[K] => {
    const value = values.get(PREFIX + name);
    const parsed = value === undefined ? undefined : FIELDS[name].parse(value);
    return parsed === undefined ? DEFAULT_VIEW[name] : parsed;
  };
  return Object.fromEntries(FIELD_NAMES.map((name) => [name, read(name)])) as unknown as ViewState;
}

/** `hash` with our keys replaced by those of `view`. */
export function writeHash(hash: string, view: ViewState): string {
  const kept = pairs(hash)
    .filter(([key]) => !decode(key).startsWith(PREFIX))
    .map(([key, value]) => (value === '' ? key : `${key}=${value}`));
  if (kept.length === 0) kept.push('attention');
  const ours = FIELD_NAMES.flatMap((name) => {
    const value = formatField(name, view[name]);
    return value === formatField(name, DEFAULT_VIEW[name])
      ? []
      : [`${PREFIX}${name}=${encodeURIComponent(value)}`];
  });
  return `#${[...kept, ...ours].join('&')}`;
}

function formatField<K extends keyof ViewState>(name: K, value: ViewState[K]): string {
  return FIELDS[name].format(value);
}

/** Whether the page shows our tab, so that the address is ours to write. */
export function isOurTab(hash: string): boolean {
  const first = pairs(hash)[0];
  return first === undefined || first[0] === 'attention';
}
