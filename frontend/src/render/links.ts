/** Which weights of a map are drawn as links between its tokens, and how. */
import type { AttentionMap } from '../api/model';
import { weightAt } from '../api/weights';
import { topKeys, type Region } from '../state/cursor';
import { prepare } from './map';
import { openKeys } from './pool';
import type { Palette } from './palette';

export interface LinkChoice {
  /** Links of less weight are not drawn; whatever it is, a weight of 0 is no link. */
  readonly least: number;
  /** The most links drawn of one query, its strongest ones; 0 for all. */
  readonly perQuery: number;
}

export interface Link {
  readonly query: number;
  readonly key: number;
  readonly weight: number;
}

/** A token whose links are looked at. */
export interface Token {
  readonly side: 'query' | 'key';
  readonly index: number;
}

export interface LinkCounts {
  /** Pairs of tokens that may have weight: padding and what the causal mask forbids are not. */
  readonly possible: number;
  readonly drawn: number;
  /** Sums of weights. */
  readonly weight: number;
  readonly drawnWeight: number;
}

type Visit = (key: number, weight: number) => void;

function visitRow(
  map: AttentionMap,
  region: Region,
  choice: LinkChoice,
  query: number,
  visit: Visit,
): void {
  if (choice.perQuery > 0) {
    for (const { key, weight } of topKeys(map, query, region.keys, choice.perQuery).top) {
      if (weight >= choice.least) visit(key, weight);
    }
    return;
  }
  const start = query * map.keys;
  for (let key = 0; key < region.keys; key++) {
    const weight = weightAt(map.weights, start + key);
    if (weight > 0 && weight >= choice.least && Number.isFinite(weight)) visit(key, weight);
  }
}

/** The links of some tokens, or of all of them, weakest first: the strongest are drawn on top. */
export function chooseLinks(
  map: AttentionMap,
  region: Region,
  choice: LinkChoice,
  tokens: readonly Token[] | null = null,
): Link[] {
  const links: Link[] = [];
  const keys = new Set(tokens?.flatMap((t) => (t.side === 'key' ? [t.index] : [])));
  const queries = new Set(tokens?.flatMap((t) => (t.side === 'query' ? [t.index] : [])));
  for (let query = 0; query < region.queries; query++) {
    const whole = tokens === null || queries.has(query);
    if (!whole && keys.size === 0) continue;
    visitRow(map, region, choice, query, (key, weight) => {
      if (whole || keys.has(key)) links.push({ query, key, weight });
    });
  }
  return links.sort((a, b) => a.weight - b.weight);
}

/** How much of a map its drawn links are. */
export function countLinks(map: AttentionMap, region: Region, choice: LinkChoice): LinkCounts {
  let possible = 0;
  let drawn = 0;
  let weight = 0;
  let drawnWeight = 0;
  for (let query = 0; query < region.queries; query++) {
    possible += openKeys(map, query, region.keys);
    const start = query * map.keys;
    for (let key = 0; key < region.keys; key++) {
      const w = weightAt(map.weights, start + key);
      if (Number.isFinite(w)) weight += w;
    }
    visitRow(map, region, choice, query, (_, w) => {
      drawn++;
      drawnWeight += w;
    });
  }
  // Weight where none is possible is drawn as well, and then counts as possible.
  return { possible: Math.max(possible, drawn), drawn, weight, drawnWeight };
}

export function touches(link: Link, token: Token): boolean {
  return (token.side === 'query' ? link.query : link.key) === token.index;
}

export interface LinkEnds {
  /** Where links begin and end along their axes, in CSS pixels. */
  readonly query: (index: number) => number;
  readonly key: (index: number) => number;
  /** Keys above and queries below, or queries left and keys right. */
  readonly direction: 'down' | 'across';
}

export interface HeadLinks {
  readonly links: readonly Link[];
  readonly color: string;
}

export interface Stroke {
  readonly link: Link;
  readonly color: string;
  readonly alpha: number;
  readonly width: number;
}

/**
 * How links are drawn, in this order: wider with more weight. With `focused` tokens, theirs take the
 * colours of their heads and the others become grey.
 */
export function strokesOf(
  heads: readonly HeadLinks[],
  focused: readonly Token[],
  palette: Pick<Palette, 'ink3'>,
): Stroke[] {
  const behind: Stroke[] = [];
  const front: Stroke[] = [];
  for (const { links, color } of heads) {
    for (const link of links) {
      const strong = Math.min(1, link.weight);
      if (focused.length === 0) {
        behind.push({ link, color, alpha: 0.12 + 0.78 * strong, width: 0.75 + 5 * strong });
      } else if (focused.some((token) => touches(link, token))) {
        front.push({ link, color, alpha: 0.9, width: 1.5 + 8 * strong });
      } else {
        const alpha = 0.1 + 0.35 * strong;
        behind.push({ link, color: palette.ink3, alpha, width: 0.5 + 3 * strong });
      }
    }
  }
  return [...behind, ...front];
}

/** Draws links as curves. */
export function drawLinks(
  canvas: HTMLCanvasElement,
  heads: readonly HeadLinks[],
  ends: LinkEnds,
  focused: readonly Token[],
  size: { readonly width: number; readonly height: number },
  palette: Palette,
  dpr: number,
): void {
  const { width, height } = size;
  const context = prepare(canvas, width, height, dpr);
  if (!context) return;
  context.lineCap = 'butt';
  for (const stroke of strokesOf(heads, focused, palette)) {
    context.strokeStyle = stroke.color;
    context.globalAlpha = Math.min(1, stroke.alpha);
    context.lineWidth = stroke.width;
    context.beginPath();
    const [query, key] = [ends.query(stroke.link.query), ends.key(stroke.link.key)];
    if (ends.direction === 'down') {
      context.moveTo(key, 0);
      context.bezierCurveTo(key, height * 0.5, query, height * 0.5, query, height);
    } else {
      context.moveTo(0, query);
      context.bezierCurveTo(width * 0.5, query, width * 0.5, key, width, key);
    }
    context.stroke();
  }
  context.globalAlpha = 1;
}

/** The middle of each of `count` tokens that are spread evenly over a width. */
export function spread(width: number, count: number): (index: number) => number {
  return (index) => ((index + 0.5) * width) / Math.max(1, count);
}
