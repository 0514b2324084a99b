import { expect, test } from 'vitest';
import type { AttentionMap } from '../api/model';
import { fileName, toCsv, toNpy } from './export';

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
