import { expect, test } from 'vitest';
import { toLinksSvg, type LinksPage } from './linksvg';

const page: LinksPage = {
  title: 'run · <layer>',
  note: '2 links',
  heads: [
    {
      name: 'Head 3',
      color: '#0000ff',
      links: [
        { query: 1, key: 2, weight: 0.25 },
        { query: 0, key: 1, weight: 1 },
      ],
    },
  ],
  queries: 2,
  keys: 3,
  queryTokens: ['<b>', 'y'],
  keyTokens: ['a', 'b', 'c'],
  focused: [],
  linkedOnly: false,
  colors: { ink2: '#222222', ink3: '#333333', paper: '#ffffff', accent: '#ff0000' },
};

/** Attributes of the paths: where they begin and end, and how they look. */
function paths(svg: string) {
  return [...svg.matchAll(/<path d="M(\S+) 0C\S+ 160 \S+ 160 (\S+) 320" ([^>]*)\/>/g)].map(
    ([, from, to, look]) => [Number(from), Number(to), look],
  );
}

test('links go from the middle of their key above to the middle of their query below', () => {
  // 480 px over 3 keys and 2 queries.
  expect(paths(toLinksSvg(page))).toEqual([
    [400, 360, 'stroke="#0000ff" stroke-opacity="0.32" stroke-width="2"'],
    [240, 120, 'stroke="#0000ff" stroke-opacity="0.9" stroke-width="5.75"'],
  ]);
});

test('what comes from a log is text', () => {
  const svg = toLinksSvg(page);
  expect(svg).not.toContain('<b>');
  expect(svg).toContain('&lt;b&gt;');
  expect(svg).toContain('run · &lt;layer&gt;');
});

test('the links of focused tokens are drawn last, in their colour; others are grey', () => {
  const svg = toLinksSvg({ ...page, focused: [{ side: 'key', index: 2 }] });
  expect(paths(svg).map(([from, , look]) => [from, String(look).slice(0, 16)])).toEqual([
    [240, 'stroke="#333333"'],
    [400, 'stroke="#0000ff"'],
  ]);
  expect(svg).toContain('fill="#ff0000" font-weight="bold">c<');
});

test('of long sequences only tokens with links are there, with their positions', () => {
  const svg = toLinksSvg({
    ...page,
    linkedOnly: true,
    keys: 500,
    queries: 400,
    keyTokens: Array.from({ length: 500 }, (_, i) => `k${i}`),
    queryTokens: [],
    heads: [{ name: 'Head 0', color: '#0000ff', links: [{ query: 399, key: 123, weight: 0.5 }] }],
  });
  expect(svg).toContain('>k123 123<');
  expect(svg).toContain('>399<');
  expect(svg.match(/<text/g)).toHaveLength(6); // title, keys, queries, note and one of each side
});

test('several heads have a legend', () => {
  const two = { ...page, heads: [...page.heads, { name: 'Head 7', color: '#00ff00', links: [] }] };
  expect(toLinksSvg(two)).toContain('fill="#00ff00"/><text');
  expect(toLinksSvg(page)).not.toContain('class="heads"');
});

test('long tokens are turned, and the page is as high as they need', () => {
  const height = (svg: string) => Number(/height="([\d.]+)"/.exec(svg)?.[1]);
  const keys = Array.from({ length: 40 }, (_, i) => `a long token ${i}`);
  const turned = toLinksSvg({ ...page, keys: 40, keyTokens: keys });
  expect(turned).toContain('rotate(-90)');
  expect(height(turned)).toBeGreaterThan(height(toLinksSvg(page)) + 60);
});
