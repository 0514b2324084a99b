const TABLE = new Uint32Array(256);
for (let n = 0; n < 256; n++) {
  let remainder = n;
  for (let bit = 0; bit < 8; bit++) {
    remainder = remainder & 1 ? (remainder >>> 1) ^ 0xedb88320 : remainder >>> 1;
  }
  TABLE[n] = remainder;
}

/** CRC-32 as `zlib.crc32` computes it. */
export function crc32(bytes: Uint8Array): number {
  let remainder = 0xffffffff;
  for (const byte of bytes) {
    remainder = (TABLE[(remainder ^ byte) & 0xff] as number) ^ (remainder >>> 8);
  }
  return (remainder ^ 0xffffffff) >>> 0;
}

export function hex32(value: number): string {
  return value.toString(16).padStart(8, '0');
}
