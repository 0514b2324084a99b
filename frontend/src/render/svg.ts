/** A map as SVG: axes and labels are text, cells are rectangles or, when many, one image. */
import type { Region } from '../state/cursor';
import { tokenLabel } from '../state/tokens';
import type { Palette } from './palette';

/** More cells than this become one image with a pixel for each. */
export const MOST_RECTANGLES = 2500;
const LARGEST_CELL = 24;
const LEAST_LABEL = 11;
/** Widths of a character, in pixels: of labels and of the title. */
export const CHARACTER = 6.7;
export const TITLE_CHARACTER = 7.4;

export interface SvgMap {
  readonly heading: string;
  /** One pixel per cell, [queries, keys]; transparent where no weight is possible. */
  readonly pixels: ImageData;
  /** The same as a PNG in a data address, used when there are many cells. */
  readonly image: () => string;
}

export interface SvgPage {
  readonly title: string;
  /** What the numbers are, under the maps: scale, range, what was hidden. */
  readonly note: string;
  readonly maps: readonly SvgMap[];
  /** Maps side by side in a row, with labels at the outer ones only; absent: all, each with its own. */
  readonly columns?: number;
  readonly region: Region;
  readonly queryTokens: readonly string[];
  readonly keyTokens: readonly string[];
  readonly colors: Pick<Palette, 'mask' | 'ink2' | 'line' | 'lineStrong' | 'paper'>;
}

/** Text for an element or attribute; labels have no control characters, other text may. */
export function escapeXml(text: string): string {
  const named: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return (
    text
      // eslint-disable-next-line no-control-regex -- these are not allowed in XML at all
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Cs}/gu, '\ufffd')
      .replace(/[&<>"']/g, (character) => named[character] ?? '')
  );
}

function hex(pixels: ImageData, index: number): string | null {
  const [r = 0, g = 0, b = 0, alpha = 0] = pixels.data.subarray(4 * index, 4 * index + 4);
  if (alpha === 0) return null;
  return `#${((1 << 24) | (r << 16) | (g << 8) | b).toString(16).slice(1)}`;
}

/** Cells of one colour beside each other are one rectangle. */
function rectangles(pixels: ImageData, cell: number): string {
  const { width, height } = pixels;
  const out: string[] = [];
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width;) {
      const color = hex(pixels, row * width + column);
      let end = column + 1;
      while (end < width && hex(pixels, row * width + end) === color) end++;
      if (color) {
        out.push(
          `<rect x="${column * cell}" y="${row * cell}" width="${(end - column) * cell}" height="${cell}" fill="${color}"/>`,
        );
      }
      column = end;
    }
  }
  return out.join('');
}

function label(tokens: readonly string[], index: number): string {
  const token = tokens[index];
  return token === undefined ? String(index) : tokenLabel(token, 20);
}

function every(cell: number): number {
  return [1, 2, 5, 10, 20, 50, 100, 200, 500].find((n) => n * cell >= LEAST_LABEL) ?? 1000;
}

/** One or several maps of the same tokens beside each other. */
export function toSvg(page: SvgPage): string {
  const { region, colors } = page;
  const longest = Math.max(region.queries, region.keys);
  const outer = page.columns !== undefined;
  const cell = Math.max(1, Math.min(LARGEST_CELL, Math.floor((outer ? 240 : 640) / longest)));
  const step = every(cell);
  const widest = (tokens: readonly string[], count: number) => {
    let most = 0;
    for (let i = 0; i < count; i += step)
      most = Math.max(most, Array.from(label(tokens, i)).length);
    return Math.ceil(most * CHARACTER) + 8;
  };
  const left = widest(page.queryTokens, region.queries) + 8;
  const above = widest(page.keyTokens, region.keys) + 8;
  const width = region.keys * cell;
  const height = region.queries * cell;
  const columns = Math.max(1, Math.min(page.columns ?? Infinity, page.maps.length));
  const rows = Math.ceil(page.maps.length / columns);
  const top = 52;
  const pitch = { x: width + (outer ? 24 : left + 24), y: height + 32 };
  const many = region.queries * region.keys > MOST_RECTANGLES;
  const text = (x: number, y: number, content: string, more: string) =>
    `<text x="${x}" y="${y}" ${more}>${escapeXml(content)}</text>`;
  const one = (map: SvgMap, i: number) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    const withQueries = !outer || column === 0;
    const withKeys = !outer || row === 0;
    const queries: string[] = [];
    const keys: string[] = [];
    for (let query = 0; withQueries && query < region.queries; query += step) {
      const y = (query + 0.5) * cell + 4;
      queries.push(text(-6, y, label(page.queryTokens, query), 'text-anchor="end"'));
    }
    for (let key = 0; withKeys && key < region.keys; key += step) {
      const x = (key + 0.5) * cell + 4;
      keys.push(
        text(0, 0, label(page.keyTokens, key), `transform="translate(${x} -6) rotate(-90)"`),
      );
    }
    const cells = many
      ? `<image width="${width}" height="${height}" preserveAspectRatio="none" style="image-rendering:pixelated" href="${map.image()}"/>`
      : rectangles(map.pixels, cell);
    return (
      `<g transform="translate(${16 + left + column * pitch.x} ${top + above + row * pitch.y})">` +
      text(
        outer ? 0 : -left,
        -4 - (withKeys ? above : 0),
        map.heading,
        `font-family="sans-serif" font-weight="bold"`,
      ) +
      `<rect width="${width}" height="${height}" fill="${colors.mask}"/>${cells}` +
      `<rect width="${width}" height="${height}" fill="none" stroke="${colors.lineStrong}"/>` +
      `<g class="queries">${queries.join('')}</g><g class="keys">${keys.join('')}</g></g>`
    );
  };
  // Small maps are narrower than what is said about them.
  const words = Math.max(page.title.length * TITLE_CHARACTER, page.note.length * CHARACTER);
  const fullWidth = Math.ceil(32 + Math.max((outer ? left : 0) + columns * pitch.x, words));
  const fullHeight = top + above + height + (rows - 1) * pitch.y + 40;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${fullWidth}" height="${fullHeight}" ` +
    `viewBox="0 0 ${fullWidth} ${fullHeight}" font-family="monospace" font-size="11" ` +
    `fill="${colors.ink2}"><title>${escapeXml(page.title)}</title>` +
    `<rect width="${fullWidth}" height="${fullHeight}" fill="${colors.paper}"/>` +
    text(16, 24, page.title, 'font-family="sans-serif" font-size="13"') +
    page.maps.map(one).join('') +
    text(16, fullHeight - 14, page.note, 'font-family="sans-serif"') +
    '</svg>\n'
  );
}
