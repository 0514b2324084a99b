import { expect, test } from 'vitest';
import { splitParts } from './parts';

function part(header: number[], payload: number[]): number[] {
  return [header.length, 0, 0, 0, payload.length, 0, 0, 0, ...header, ...payload];
}

function buffer(bytes: number[]): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

test('splits parts in order, an empty payload included', () => {
  const parts = splitParts(
    buffer([...part([1, 2, 3], [4, 5]), ...part([6], []), ...part([], [7])]),
  );
  expect(parts.map((p) => [[...p.header], [...p.payload]])).toEqual([
    [
      [1, 2, 3],
      [4, 5],
    ],
    [[6], []],
    [[], [7]],
  ]);
});

test('reads lengths as little-endian u32', () => {
  const payload = new Array<number>(300).fill(9);
  const bytes = [1, 0, 0, 0, 0x2c, 0x01, 0, 0, 5, ...payload];
  expect(splitParts(buffer(bytes))[0]?.payload.length).toBe(300);
});

test('an empty response has no parts', () => {
  expect(splitParts(buffer([]))).toEqual([]);
});

test('refuses a response cut inside a payload or inside the lengths', () => {
  const whole = part([1], [2, 3, 4]);
  expect(() => splitParts(buffer(whole.slice(0, -1)))).toThrow('part 0 needs 1 more bytes');
  expect(() => splitParts(buffer([...whole, 1, 0, 0]))).toThrow('inside the lengths of part 1');
});
