import { Encoding } from '../gen/attention';
import { UnreadableData } from './inflate';

/** The weights of a map, row-major [queries, keys]; codes stay codes, a quarter of the memory. */
export type Weights = CodedWeights | FloatWeights;

export interface CodedWeights {
  readonly kind: 'codes';
  readonly codes: Uint8Array;
  readonly table: CodeTableValues;
}

export interface FloatWeights {
  readonly kind: 'floats';
  readonly values: Float32Array;
}

export interface CodeTableValues {
  readonly id: number;
  /** The weight shown for each code, ascending. */
  readonly values: Float32Array;
  /** Code 1 stands for a weight above 0 and below this. */
  readonly tiny: number;
}

export const BYTES_PER_WEIGHT: Readonly<Record<Encoding, number>> = {
  [Encoding.ENCODING_UNSPECIFIED]: 0,
  [Encoding.CODE8]: 1,
  [Encoding.FLOAT16]: 2,
  [Encoding.FLOAT32]: 4,
};

/** Undoes the byte shuffle and the encoding of an inflated frame of `count` weights. */
export function decodeWeights(
  bytes: Uint8Array<ArrayBuffer>,
  encoding: Encoding,
  count: number,
  table: CodeTableValues | undefined,
): Weights {
  switch (encoding) {
    case Encoding.CODE8:
      if (!table)
        throw new UnreadableData('This map uses a code table that the server does not know.');
      return { kind: 'codes', codes: bytes, table };
    case Encoding.FLOAT16:
      return { kind: 'floats', values: decodeFloat16(bytes, count) };
    case Encoding.FLOAT32:
      return { kind: 'floats', values: decodeFloat32(bytes, count) };
    default:
      throw new UnreadableData(
        'This map is in an encoding that this version of the plugin does not know.',
        `encoding ${String(encoding)}`,
      );
  }
}

function decodeFloat32(bytes: Uint8Array, count: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(count);
  const words = new Uint32Array(values.buffer);
  for (let i = 0; i < count; i++) {
    words[i] =
      (bytes[i] as number) |
      ((bytes[i + count] as number) << 8) |
      ((bytes[i + 2 * count] as number) << 16) |
      ((bytes[i + 3 * count] as number) << 24);
  }
  return values;
}

function decodeFloat16(bytes: Uint8Array, count: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    values[i] = float16((bytes[i] as number) | ((bytes[i + count] as number) << 8));
  }
  return values;
}

/** The value of IEEE binary16 bits. `Float16Array` is too young to rely on. */
export function float16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

export function weightAt(weights: Weights, index: number): number {
  return weights.kind === 'codes'
    ? (weights.table.values[weights.codes[index] ?? 0] ?? NaN)
    : (weights.values[index] ?? NaN);
}

/** Above zero, but so small that codes do not tell how small. */
export function isTinyAt(weights: Weights, index: number): boolean {
  if (weights.kind === 'codes') return weights.codes[index] === 1;
  const value = weights.values[index] ?? NaN;
  return value > 0 && value < 1e-5;
}

export function bytesOf(weights: Weights): number {
  return weights.kind === 'codes' ? weights.codes.byteLength : weights.values.byteLength;
}
