import { describe, expect, test } from 'vitest';
import { Encoding } from '../gen/attention';
import { decodeWeights, float16, isTinyAt, weightAt, type CodeTableValues } from './weights';

const table: CodeTableValues = {
  id: 7,
  values: Float32Array.from({ length: 256 }, (_, code) => code / 255),
  tiny: 1e-5,
};

function shuffled(values: Float32Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const plain = new Uint8Array(values.buffer);
  const count = values.length;
  const out = new Uint8Array(plain.length);
  for (let i = 0; i < count; i++) {
    for (let byte = 0; byte < 4; byte++) out[byte * count + i] = plain[4 * i + byte] ?? 0;
  }
  return out;
}

describe('codes', () => {
  test('are looked up in the table the header names', () => {
    const weights = decodeWeights(new Uint8Array([0, 1, 128, 255]), Encoding.CODE8, 4, table);
    expect(weightAt(weights, 0)).toBe(0);
    expect(weightAt(weights, 2)).toBe(Math.fround(128 / 255));
    expect(weightAt(weights, 3)).toBe(1);
    expect([0, 1, 2].map((i) => isTinyAt(weights, i))).toEqual([false, true, false]);
  });

  test('without their table are refused, not guessed', () => {
    expect(() => decodeWeights(new Uint8Array(1), Encoding.CODE8, 1, undefined)).toThrow('table');
  });
});

test('float32 comes back bit for bit, odd values included', () => {
  const values = Float32Array.of(0.1, -2.5, NaN, Infinity, 3e-39, 0);
  const weights = decodeWeights(shuffled(values), Encoding.FLOAT32, values.length, undefined);
  expect(Array.from(values, (_, i) => weightAt(weights, i))).toEqual([...values]);
});

test.each([
  [0x0000, 0],
  [0x3c00, 1],
  [0x3800, 0.5],
  [0xc000, -2],
  [0x7bff, 65504],
  [0x0001, 2 ** -24],
  [0x03ff, 1023 * 2 ** -24],
  [0x7c00, Infinity],
  [0xfc00, -Infinity],
  [0x7e00, NaN],
])('float16 bits %i are %d', (bits, value) => {
  expect(float16(bits)).toBe(value);
});

test('float16 maps have all low bytes first', () => {
  const weights = decodeWeights(
    new Uint8Array([0x00, 0x00, 0x3c, 0x38]),
    Encoding.FLOAT16,
    2,
    undefined,
  );
  expect([weightAt(weights, 0), weightAt(weights, 1)]).toEqual([1, 0.5]);
});

test('an unknown encoding is said, not drawn', () => {
  expect(() => decodeWeights(new Uint8Array(1), 9 as Encoding, 1, table)).toThrow('encoding');
});
