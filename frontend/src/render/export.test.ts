import { expect, test } from 'vitest';
import type { AttentionMap } from '../api/model';
import {
  compareName,
  fileName,
  filmName,
  toCompareCsv,
  toCsv,
  toFilmCsv,
  toLinksCsv,
  toNpy,
} from './export';

const map: AttentionMap = {
  step: 5,
  queries: 2,
  keys: 3,
  queryLength: 2,
  keyLength: 2,
  causal: false,
  hasNonfinite: false,
  outOfRange: false,
  weights: { kind: 'floats', values: Float32Array.of(0.5, 0.25, 9, 1, 0, 9) },
};
const region = { queries: 2, keys: 2 };

test('a table without the padding; tokens cannot break out of their field or become formulas', () => {
  expect(toCsv(map, region, ['a,"b"', '=1+1'], ['x', 'y\nz'])).toBe(
    'query,token,0,1\r\n,,x,"y\nz"\r\n0,"a,""b""",0.5,0.25\r\n1,\'=1+1,1,0\r\n',
  );
});

test('a NumPy file: magic, header of a multiple of 64 bytes, then rows', () => {
  const bytes = toNpy(map, region);
  expect([...bytes.slice(0, 8)]).toEqual([0x93, 78, 85, 77, 80, 89, 1, 0]);
  const data = 10 + new DataView(bytes.buffer).getUint16(8, true);
  expect(data % 64).toBe(0);
  expect(new TextDecoder().decode(bytes.slice(10, data))).toMatch(/'shape': \(2, 2\), } *\n$/);
  expect([...new Float32Array(bytes.buffer.slice(data))]).toEqual([0.5, 0.25, 1, 0]);
});

test('a name of a file has no separators of paths', () => {
  expect(fileName('../a b', 'dec/cross:0', 'head3', 0, 800, 'csv')).toBe(
    '..-a-b_dec-cross-0_head3_example1_step800.csv',
  );
});

test('a film strip: every cell of every step, and how many steps from where to where', () => {
  const later = { ...map, step: 70 };
  const lines = toFilmCsv([map, later], region, ['a', 'b'], ['x', 'y']).split('\r\n');
  expect(lines.slice(0, 3)).toEqual([
    'step,query,query_token,key,key_token,weight',
    '5,0,a,0,x,0.5',
    '5,0,a,1,y,0.25',
  ]);
  expect(lines[5]).toBe('70,0,a,0,x,0.5');
  expect(lines).toHaveLength(10);
  expect(filmName('r/t', 'l', 'head3', 1, [0, 10, 70], 'png')).toBe(
    'r-t_l_head3_example2_3-steps-0-to-70.png',
  );
});

test('a comparison: every cell with both sides and their difference', () => {
  const other: AttentionMap = {
    ...map,
    weights: { kind: 'floats', values: Float32Array.of(0.25, 0.25, 0, 0, 1, 0) },
  };
  expect(
    toCompareCsv(map, other, region, ['a', 'b'], ['x', 'y']).split('\r\n').slice(0, 4),
  ).toEqual([
    'query,query_token,key,key_token,A,B,A-B',
    '0,a,0,x,0.5,0.25,0.25',
    '0,a,1,y,0.25,0.25,0',
    '1,b,0,x,1,0,1',
  ]);
  const bytes = toNpy([map, other], region);
  expect(new TextDecoder('latin1').decode(bytes)).toContain("'shape': (2, 2, 2)");
  expect([...new Float32Array(bytes.buffer.slice(-16))]).toEqual([0.25, 0.25, 0, 1]);
});

test('a comparison’s name says what both sides are', () => {
  const sides = [
    { name: 'A', subject: 'head0', step: 5 },
    { name: 'B', subject: 'other/run head1', step: 90 },
  ];
  expect(compareName('r/1', 'dec', 0, sides, 'svg')).toBe(
    'r-1_dec_example1_A-head0-step5_B-other-run-head1-step90.svg',
  );
});

test('links, the strongest first', () => {
  const links = [
    { query: 0, key: 1, weight: 0.25 },
    { query: 1, key: 0, weight: 1 },
  ];
  expect(toLinksCsv([{ name: 'Head 2', links }], ['a', 'b'], ['=x'])).toBe(
    "head,query,query_token,key,key_token,weight\r\nHead 2,1,b,0,'=x,1\r\nHead 2,0,a,1,,0.25\r\n",
  );
});
