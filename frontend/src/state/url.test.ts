import { expect, test } from 'vitest';
import { DEFAULT_VIEW, isOurTab, parseHash, writeHash, type ViewState } from './url';

const full: ViewState = {
  run: 'luong & co/α=1',
  layer: 'decoder/cross_attention',
  head: 3,
  aggregate: 'rollout',
  example: 2,
  step: 1520,
  mode: 'compare',
  a: 1520,
  b: 3100,
  other: 'run.luong & co',
  spread: 'chosen',
  frames: 12,
  film: [0, 100, 123456789],
  rows: ['a|b\\c', 'lr=0.1,bs=32/train'],
  cell: { query: 9, key: 12 },
  pinQuery: 7,
  pinKey: 0,
  links: [2, 0],
  least: 0.2,
  perQuery: 3,
  zoom: 2.25,
  corner: { query: 1, key: 3 },
  scale: 'log',
  colors: 'viridis',
  hide: 'both',
  padding: true,
  lens: false,
  failures: false,
  sort: 'change',
  ascending: true,
  find: 'cross h1 & “x”',
  only: 'previous',
  matrix: true,
  pane: 'heads',
  metric: 'max_weight',
  speed: 16,
  loop: true,
  follow: true,
};

test('every value survives the way into the address and back', () => {
  expect(parseHash(writeHash('#attention', full))).toEqual(full);
});

test('defaults are left out', () => {
  expect(writeHash('', DEFAULT_VIEW)).toBe('#attention');
  expect(writeHash('#attention', { ...DEFAULT_VIEW, step: 0 })).toBe(
    '#attention&p.attention.step=0',
  );
});

test('other keys stay, ours are replaced', () => {
  const hash = '#attention&tagFilter=a%20b&p.attention.step=3&p.scalars.x=1';
  expect(writeHash(hash, { ...DEFAULT_VIEW, head: 2 })).toBe(
    '#attention&tagFilter=a%20b&p.scalars.x=1&p.attention.head=2',
  );
});

test('values that are not valid fall back to the default, one by one', () => {
  const hash =
    '#attention&p.attention.step=-4&p.attention.head=2x&p.attention.scale=cubic' +
    '&p.attention.cell=1&p.attention.speed=3&p.attention.follow=yes&p.attention.run=%E0%A4%A' +
    '&p.attention.example=5';
  expect(parseHash(hash)).toEqual({ ...DEFAULT_VIEW, example: 5 });
});

test('only the address of our own tab is ours to write', () => {
  expect(['', '#attention&x=1', '#scalars', '#scalars&p.attention.step=1'].map(isOurTab)).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

test('rows are names in order, of which none is there twice', () => {
  const rows = (value: string) =>
    parseHash(`#attention&p.attention.rows=${encodeURIComponent(value)}`).rows;
  expect(rows('a|b/c')).toEqual(['a', 'b/c']);
  expect(rows('a\\|b')).toEqual(['a|b']);
  expect(rows('a|a')).toEqual([]);
  expect(rows('a|b|c|d')).toEqual([]);
});
