/** Links as SVG: keys above, queries below, both as text. */
import { isEndToken, tokenLabel } from '../state/tokens';
import { strokesOf, type HeadLinks, type Token } from './links';
import type { Palette } from './palette';
import { CHARACTER, escapeXml, TITLE_CHARACTER } from './svg';

const LABEL = 20;
const LEAST_PITCH = 16;
const LEAST_WIDTH = 480;
const HEIGHT = 320;
const MARGIN = 16;
/** Least room at the left, for the names of the rows. */
const GUTTER = 64;

export interface LinksPage {
  readonly title: string;
  /** What is drawn and what is not. */
  readonly note: string;
  readonly heads: readonly (HeadLinks & { readonly name: string })[];
  readonly queries: number;
  readonly keys: number;
  readonly queryTokens: readonly string[];
  readonly keyTokens: readonly string[];
  /** Whose links stand out. */
  readonly focused: readonly Token[];
  /** Draw only tokens that have a link, for sequences that are too long to draw all of. */
  readonly linkedOnly: boolean;
  readonly colors: Pick<Palette, 'ink2' | 'ink3' | 'paper' | 'accent'>;
}

/** Positions of the tokens that are drawn, in order. */
function positions(page: LinksPage, side: Token['side']): readonly number[] {
  const count = side === 'query' ? page.queries : page.keys;
  const all = Array.from({ length: count }, (_, index) => index);
  if (!page.linkedOnly) return all;
  const linked = new Set(page.heads.flatMap(({ links }) => links.map((link) => link[side])));
  return all.filter((index) => linked.has(index));
}

function labelsOf(page: LinksPage, indices: readonly number[], side: Token['side'], room: number) {
  const tokens = side === 'query' ? page.queryTokens : page.keyTokens;
  return indices.map((index) => {
    const token = tokens[index];
    if (token === undefined) return String(index);
    // The end is written out where there is room for it: it would turn all others.
    const isLong = isEndToken(token) && lengthOf(tokenLabel(token, LABEL)) > room;
    const label = isLong ? '∎' : tokenLabel(token, LABEL);
    return page.linkedOnly ? `${label} ${index}` : label;
  });
}

function lengthOf(label: string): number {
  return Array.from(label).length * CHARACTER + 8;
}

/** Widths are those of the page itself, so that a diagonal is vertical. */
export function toLinksSvg(page: LinksPage): string {
  const sides = { key: positions(page, 'key'), query: positions(page, 'query') };
  const most = Math.max(sides.key.length, sides.query.length, 1);
  const width = Math.max(
    LEAST_WIDTH,
    most * LEAST_PITCH,
    page.title.length * TITLE_CHARACTER - GUTTER,
    page.note.length * CHARACTER - GUTTER,
  );
  const pitch = (side: Token['side']) => width / Math.max(1, sides[side].length);
  const labels = {
    key: labelsOf(page, sides.key, 'key', pitch('key')),
    query: labelsOf(page, sides.query, 'query', pitch('query')),
  };
  const longest = (side: Token['side']) => Math.max(0, ...labels[side].map(lengthOf));
  const turned = (side: Token['side']) => longest(side) > pitch(side);
  const room = (side: Token['side']) => (turned(side) ? longest(side) : 18);
  const at = (side: Token['side'], place: number) => ((place + 0.5) * width) / sides[side].length;
  const xOf = (side: Token['side']) =>
    new Map(sides[side].map((index, place) => [index, at(side, place)]));
  const [keyX, queryX] = [xOf('key'), xOf('query')];
  const legend = page.heads.length > 1 ? 22 : 0;
  const top = 36 + legend + room('key');
  const bottom = top + HEIGHT;
  const full = { width: GUTTER + width + MARGIN, height: bottom + room('query') + 36 };
  const text = (x: number, y: number, content: string, more = '') =>
    `<text x="${x}" y="${y}" ${more}>${escapeXml(content)}</text>`;
  const sans = 'font-family="sans-serif"';

  const paths = strokesOf(page.heads, page.focused, page.colors).map(
    ({ link, color, alpha, width: wide }) => {
      const [x0, x1] = [keyX.get(link.key) ?? 0, queryX.get(link.query) ?? 0];
      const middle = HEIGHT / 2;
      return (
        `<path d="M${round(x0)} 0C${round(x0)} ${middle} ${round(x1)} ${middle} ${round(x1)} ${HEIGHT}" ` +
        `stroke="${color}" stroke-opacity="${round(Math.min(1, alpha))}" stroke-width="${round(wide)}"/>`
      );
    },
  );
  const tokens = (side: Token['side']) =>
    sides[side].map((index, place) => {
      const x = round(at(side, place));
      const y = side === 'key' ? -6 : HEIGHT + 14;
      const here = page.focused.some((token) => token.side === side && token.index === index);
      const mark = here ? `fill="${page.colors.accent}" font-weight="bold"` : '';
      const label = labels[side][place] ?? '';
      if (!turned(side)) return text(x, y, label, `text-anchor="middle" ${mark}`);
      const anchor = side === 'key' ? '' : 'text-anchor="end"';
      return text(
        0,
        0,
        label,
        `transform="translate(${x + 4} ${side === 'key' ? -6 : HEIGHT + 6}) rotate(-90)" ${anchor} ${mark}`,
      );
    });
  const names = page.heads.map(
    ({ name, color }, i) =>
      `<rect x="${GUTTER + i * 120}" y="34" width="10" height="10" fill="${color}"/>` +
      text(GUTTER + 16 + i * 120, 43, name, sans),
  );
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${full.width}" height="${full.height}" ` +
    `viewBox="0 0 ${full.width} ${full.height}" font-family="monospace" font-size="11" ` +
    `fill="${page.colors.ink2}"><title>${escapeXml(page.title)}</title>` +
    `<rect width="${full.width}" height="${full.height}" fill="${page.colors.paper}"/>` +
    text(MARGIN, 22, page.title, `${sans} font-size="13"`) +
    (legend ? `<g class="heads">${names.join('')}</g>` : '') +
    text(MARGIN, top - 6, 'Keys', sans) +
    text(MARGIN, bottom + 14, 'Queries', sans) +
    `<g transform="translate(${GUTTER} ${top})">` +
    `<g class="links" fill="none">${paths.join('')}</g>` +
    `<g class="keys">${tokens('key').join('')}</g>` +
    `<g class="queries">${tokens('query').join('')}</g></g>` +
    text(MARGIN, full.height - 12, page.note, sans) +
    '</svg>\n'
  );
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
