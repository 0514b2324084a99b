const TABLE = new Uint32Array(256);
for (let n = 0; n < 256; n++) {
  let remainder = n;
  for (let bit = 0; bit < 8; bit++) {
    remainder = remainder & 1 ? (remainder >>> 1) ^ 0xedb88320 : remainder >>> 1;
  }
  TABLE[n] = remainder;
}

// Eight bytes at a time: entry 256 k + n is what byte n makes of the remainder k bytes later.
const SLICES = new Uint32Array(8 * 256);
SLICES.set(TABLE);
for (let i = 256; i < SLICES.length; i++) {
  const before = SLICES[i - 256] as number;
  SLICES[i] = (TABLE[before & 0xff] as number) ^ (before >>> 8);
}

function slice(k: number, byte: number): number {
  return SLICES[256 * k + (byte & 0xff)] as number;
}

/** CRC-32 as `zlib.crc32` computes it. */
export function crc32(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let remainder = 0xffffffff;
  let at = 0;
  for (; at + 8 <= bytes.length; at += 8) {
    const low = view.getUint32(at, true) ^ remainder;
    const high = view.getUint32(at + 4, true);
    remainder =
      slice(7, low) ^
      slice(6, low >>> 8) ^
      slice(5, low >>> 16) ^
      slice(4, low >>> 24) ^
      slice(3, high) ^
      slice(2, high >>> 8) ^
      slice(1, high >>> 16) ^
      slice(0, high >>> 24);
  }
  for (; at < bytes.length; at++) {
    remainder = slice(0, remainder ^ (bytes[at] as number)) ^ (remainder >>> 8);
  }
  return (remainder ^ 0xffffffff) >>> 0;
}

export function hex32(value: number): string {
  return value.toString(16).padStart(8, '0');
}
