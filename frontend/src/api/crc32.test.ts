import { crc32 as zlib } from 'node:zlib';
import { expect, test } from 'vitest';
import { crc32 } from './crc32';

test('the checksum is that of zlib, for every length and place in a buffer', () => {
  const all = Uint8Array.from({ length: 100 }, (_, i) => (i * 167 + 13) & 255);
  for (let length = 0; length <= 40; length++) {
    for (const start of [0, 1, 7]) {
      const bytes = all.subarray(start, start + length);
      expect(crc32(bytes)).toBe(zlib(bytes));
    }
  }
  expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
});
