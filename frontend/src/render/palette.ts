import type { Colors } from '../state/url';

/** The colours that canvases need, read from the tokens so that they are declared once. */
export interface Palette {
  /** 256 packed pixels, as `ImageData` stores them. */
  readonly ramp: Uint32Array;
  /** The same as CSS colours. */
  readonly css: readonly string[];
  /** From B through nothing to A, as the ramp. */
  readonly diverging: Uint32Array;
  readonly divergingCss: readonly string[];
  readonly sideA: string;
  readonly sideB: string;
  /** Behind everything. */
  readonly paper: string;
  readonly mask: string;
  readonly maskLine: string;
  readonly grid: string;
  readonly bad: string;
  readonly clip: string;
  readonly ink3: string;
  readonly ink2: string;
  readonly line: string;
  readonly lineStrong: string;
  readonly accent: string;
  readonly info: string;
  readonly infoSoft: string;
  readonly series: string;
  /** Colours that tell heads apart, the first one the same as `series`. */
  readonly heads: readonly string[];
  readonly seriesFill: string;
  readonly font: string;
}

export type Rgb = readonly [number, number, number];

/** `#rrggbb`, or `#rgb` as a minifier may write it. */
export function parseColor(text: string): Rgb {
  const match = /^#(?:([0-9a-f]{2}){3}|[0-9a-f]{3})$/i.exec(text.trim());
  if (!match) throw new Error(`Not a colour in hexadecimal: “${text}”.`);
  const digits = match[0].slice(1);
  const wide = digits.length === 6 ? digits : digits.replace(/./g, '$&$&');
  const value = Number.parseInt(wide, 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/** Stops spread evenly over 256 entries, joined by straight lines in sRGB. */
export function ramp256(stops: readonly Rgb[]): Rgb[] {
  return Array.from({ length: 256 }, (_, i) => {
    const at = (i / 255) * (stops.length - 1);
    const from = Math.min(Math.floor(at), stops.length - 2);
    const part = at - from;
    const mix = (channel: 0 | 1 | 2) =>
      Math.round(
        (stops[from]?.[channel] ?? 0) * (1 - part) + (stops[from + 1]?.[channel] ?? 0) * part,
      );
    return [mix(0), mix(1), mix(2)];
  });
}

/** Opaque pixels in the byte order of `ImageData` on little-endian machines. */
export function packRgb([r, g, b]: Rgb): number {
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

export const SEQUENTIAL_STOPS = 9;

/** Dark to bright; published colour-blind-safe maps, and one for paper. */
const OTHER_STOPS: Readonly<Record<Exclude<Colors, 'ink'>, string>> = {
  cividis: '00224e 1a386f 434e6c 61656f 7d7c78 9b9476 bcae6c dec958 fee838',
  viridis: '440154 472d7b 3b528b 2c728e 21918c 28ae80 5ec962 addc30 fde725',
  greys: '161616 2e2e2e 4a4a4a 686868 888888 a6a6a6 c4c4c4 e2e2e2 ffffff',
};

function otherStops(colors: Exclude<Colors, 'ink'>, dark: boolean): Rgb[] {
  const stops = OTHER_STOPS[colors].split(' ').map((hex) => parseColor(`#${hex}`));
  // More is further from the surface in either theme.
  return dark ? stops : stops.reverse();
}

const DIVERGING_STOPS = ['n3', 'n2', 'n1', '0', 'p1', 'p2', 'p3'];

/** `read` gives the value of a custom property of the theme in force. */
export function createPalette(
  read: (name: string) => string,
  colors: Colors = 'ink',
  dark = false,
): Palette {
  const stops =
    colors === 'ink'
      ? Array.from({ length: SEQUENTIAL_STOPS }, (_, i) => parseColor(read(`--seq-${i}`)))
      : otherStops(colors, dark);
  const ramp = ramp256(stops);
  const diverging = ramp256(DIVERGING_STOPS.map((name) => parseColor(read(`--div-${name}`))));
  return {
    ramp: Uint32Array.from(ramp, packRgb),
    css: ramp.map(([r, g, b]) => `rgb(${r} ${g} ${b})`),
    diverging: Uint32Array.from(diverging, packRgb),
    divergingCss: diverging.map(([r, g, b]) => `rgb(${r} ${g} ${b})`),
    sideA: read('--side-a'),
    sideB: read('--side-b'),
    paper: read('--bg'),
    mask: read('--mask-bg'),
    maskLine: read('--mask-line'),
    grid: read('--cell-grid'),
    bad: read('--bad'),
    clip: read('--clip'),
    ink3: read('--ink-3'),
    ink2: read('--ink-2'),
    line: read('--line'),
    lineStrong: read('--line-strong'),
    accent: read('--accent'),
    info: read('--info'),
    infoSoft: read('--info-soft'),
    series: read('--series-1'),
    heads: Array.from({ length: 6 }, (_, i) => read(`--series-${i + 1}`)),
    seriesFill: read('--side-a-soft'),
    font: read('--font'),
  };
}
