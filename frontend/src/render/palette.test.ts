import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { packRgb, parseColor, ramp256, SEQUENTIAL_STOPS, type Rgb } from './palette';

const css = readFileSync('src/styles/tokens.css', 'utf8');
const dark = css.slice(css.search(/^\[data-theme=.dark.\] \{/m));
const light = css.slice(0, css.length - dark.length);

function stopsOf(theme: string): Rgb[] {
  return Array.from({ length: SEQUENTIAL_STOPS }, (_, i) => {
    const value = new RegExp(`--seq-${i}:\\s*(#[0-9a-f]{6})`).exec(theme)?.[1];
    if (!value) throw new Error(`--seq-${i} is not in the tokens`);
    return parseColor(value);
  });
}

/** Lightness in OKLab. */
function lightness(rgb: Rgb): number {
  const [r, g, b] = rgb.map((v) => {
    const c = v / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return 0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s;
}

describe.each([
  ['light', light, -1],
  ['dark', dark, 1],
])('the %s ramp', (_, theme, sign) => {
  const ramp = ramp256(stopsOf(theme));

  test('never turns back in lightness: more is always further from the surface', () => {
    const values = ramp.map(lightness);
    for (let i = 1; i < values.length; i++) {
      expect(((values[i] ?? 0) - (values[i - 1] ?? 0)) * sign).toBeGreaterThanOrEqual(-1e-3);
    }
    for (let i = 8; i < values.length; i++) {
      expect(((values[i] ?? 0) - (values[i - 8] ?? 0)) * sign).toBeGreaterThan(0);
    }
  });

  test('starts and ends exactly at the tokens', () => {
    const stops = stopsOf(theme);
    expect([ramp[0], ramp[255]]).toEqual([stops[0], stops[8]]);
  });
});

test('pixels are packed as ImageData holds them', () => {
  const bytes = new Uint8Array(Uint32Array.of(packRgb([1, 2, 3])).buffer);
  expect([...bytes]).toEqual([1, 2, 3, 255]);
});

test('colours are read long and short, and nothing else is taken for black', () => {
  expect(parseColor(' #0f2149')).toEqual([15, 33, 73]);
  expect(parseColor('#fff')).toEqual([255, 255, 255]);
  expect(parseColor('#1af')).toEqual([17, 170, 255]);
  expect(() => parseColor('rgb(0, 0, 0)')).toThrow('Not a colour');
});
