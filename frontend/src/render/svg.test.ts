import { expect, test } from 'vitest';
import { escapeXml, toSvg, type SvgPage } from './svg';

function pixels(width: number, height: number, colors: readonly (string | null)[]): ImageData {
  const data = new Uint8ClampedArray(4 * width * height);
  colors.forEach((color, i) => {
    if (!color) return;
    const value = Number.parseInt(color.slice(1), 16);
    data.set([value >> 16, (value >> 8) & 255, value & 255, 255], 4 * i);
  });
  return { width, height, data, colorSpace: 'srgb' };
}

const page: SvgPage = {
  title: 'run · <layer>',
  note: 'linear',
  maps: [
    {
      heading: 'A & B',
      pixels: pixels(3, 2, ['#010203', '#010203', null, '#ffffff', '#000000', '#ffffff']),
      image: () => 'data:image/png;base64,AAAA',
    },
  ],
  region: { queries: 2, keys: 3 },
  queryTokens: ['<script>alert(1)</script>', 'b'],
  keyTokens: ['x', '"', '\u0007'],
  colors: {
    mask: '#eeeeee',
    ink2: '#222222',
    line: '#333333',
    lineStrong: '#444444',
    paper: '#fff',
  },
};

test('small maps are rectangles, joined where the colour is the same; masked cells are left out', () => {
  const svg = toSvg(page);
  expect(svg.match(/<rect x="[^>]*"\/>/g)).toEqual([
    '<rect x="0" y="0" width="48" height="24" fill="#010203"/>',
    '<rect x="0" y="24" width="24" height="24" fill="#ffffff"/>',
    '<rect x="24" y="24" width="24" height="24" fill="#000000"/>',
    '<rect x="48" y="24" width="24" height="24" fill="#ffffff"/>',
  ]);
  expect(svg).not.toContain('<image');
});

test('what comes from a log is text', () => {
  const svg = toSvg(page);
  expect(svg).not.toContain('<script');
  expect(svg).toContain('&lt;script&gt;');
  expect(svg).toContain('A &amp; B');
  expect(svg).toContain('⟨U+0007⟩');
  expect(escapeXml('a\u0000b\ud800c')).toBe('a\ufffdb\ufffdc');
});

test('a page is as wide as its title, however small its maps', () => {
  const width = (title: string) =>
    Number(/width="(\d+)"/.exec(toSvg({ ...page, title, note: '' }))?.[1]);
  expect(width('x'.repeat(100))).toBeGreaterThan(700);
  expect(width('x')).toBeLessThan(300);
});

test('maps in rows share their labels: queries at the left, keys at the top', () => {
  const [map] = page.maps;
  if (!map) throw new Error('no map');
  const maps = ['s1', 's2', 's3', 's4', 's5'].map((heading) => ({ ...map, heading }));
  const svg = toSvg({ ...page, maps, columns: 2 });
  const groups = [...svg.matchAll(/<g class="(queries|keys)">(.*?)<\/g>/g)];
  const counts = (name: string) =>
    groups.filter((g) => g[1] === name).map((g) => g[2]?.match(/<text/g)?.length ?? 0);
  expect(counts('queries')).toEqual([2, 0, 2, 0, 2]);
  expect(counts('keys')).toEqual([3, 3, 0, 0, 0]);
  const places = [...svg.matchAll(/<g transform="translate\((\S+) (\S+)\)">/g)];
  const [x, y] = [places.map((p) => Number(p[1])), places.map((p) => Number(p[2]))];
  expect(x[1]).toBeGreaterThanOrEqual((x[0] ?? 0) + 3 * 24);
  expect([x[2], x[3], x[4]]).toEqual([x[0], x[1], x[0]]);
  expect(y[1]).toBe(y[0]);
  expect(y[2]).toBeGreaterThanOrEqual((y[0] ?? 0) + 2 * 24);
});

test('large maps are one image, with labels as text', () => {
  const svg = toSvg({ ...page, region: { queries: 60, keys: 60 } });
  expect(svg.match(/<image /g)).toHaveLength(1);
  expect(svg.match(/<text/g)?.length).toBeGreaterThan(60);
});
