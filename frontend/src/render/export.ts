import type { AttentionMap } from '../api/model';
import { weightAt } from '../api/weights';
import type { Region } from '../state/cursor';
import type { Link } from './links';

function safe(text: string): string {
  return text.replace(/[^\p{L}\p{N}._-]+/gu, '-').slice(0, 60);
}

/** The name of a file says what is in it, in characters that every system takes. */
export function fileName(
  run: string,
  layer: string,
  /** `head3`, or what stands in its place. */
  subject: string,
  example: number,
  step: number,
  extension: string,
): string {
  return `${safe(run)}_${safe(layer)}_${safe(subject)}_example${example + 1}_step${step}.${extension}`;
}

/** Of a comparison: `RUN_LAYER_example1_A-head0-step100_B-head0-step800.csv`. */
export function compareName(
  run: string,
  layer: string,
  example: number,
  sides: readonly { readonly name: string; readonly subject: string; readonly step: number }[],
  extension: string,
): string {
  const of = sides.map(({ name, subject, step }) => `${name}-${safe(subject)}-step${step}`);
  return `${safe(run)}_${safe(layer)}_example${example + 1}_${of.join('_')}.${extension}`;
}

/** Of several steps: `RUN_LAYER_head3_example1_8-steps-0-to-1000.png`. */
export function filmName(
  run: string,
  layer: string,
  subject: string,
  example: number,
  steps: readonly number[],
  extension: string,
): string {
  const range = `${steps.length}-steps-${steps[0] ?? ''}-to-${steps.at(-1) ?? ''}`;
  return `${safe(run)}_${safe(layer)}_${safe(subject)}_example${example + 1}_${range}.${extension}`;
}

function field(text: string): string {
  // A spreadsheet takes a text that begins like this for a formula; a token may come from anyone.
  const inert = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
}

/** Queries as rows, keys as columns, each with position and token. */
export function toCsv(
  map: AttentionMap,
  region: Region,
  queryTokens: readonly string[],
  keyTokens: readonly string[],
): string {
  const keys = Array.from({ length: region.keys }, (_, key) => key);
  const lines = [
    ['query', 'token', ...keys.map(String)].join(','),
    ['', '', ...keys.map((key) => field(keyTokens[key] ?? ''))].join(','),
  ];
  for (let query = 0; query < region.queries; query++) {
    const start = query * map.keys;
    const weights = keys.map((key) => String(weightAt(map.weights, start + key)));
    lines.push([String(query), field(queryTokens[query] ?? ''), ...weights].join(','));
  }
  return `${lines.join('\r\n')}\r\n`;
}

/** Every cell of every step in a line of its own. */
export function toFilmCsv(
  maps: readonly AttentionMap[],
  region: Region,
  queryTokens: readonly string[],
  keyTokens: readonly string[],
): string {
  const lines = ['step,query,query_token,key,key_token,weight'];
  for (const map of maps) {
    for (let query = 0; query < region.queries; query++) {
      for (let key = 0; key < region.keys; key++) {
        const tokens = [field(queryTokens[query] ?? ''), field(keyTokens[key] ?? '')];
        const weight = weightAt(map.weights, query * map.keys + key);
        lines.push([map.step, query, tokens[0], key, tokens[1], weight].join(','));
      }
    }
  }
  return `${lines.join('\r\n')}\r\n`;
}

/** Every cell of a comparison in a line of its own. */
export function toCompareCsv(
  a: AttentionMap,
  b: AttentionMap,
  region: Region,
  queryTokens: readonly string[],
  keyTokens: readonly string[],
): string {
  const lines = ['query,query_token,key,key_token,A,B,A-B'];
  for (let query = 0; query < region.queries; query++) {
    for (let key = 0; key < region.keys; key++) {
      const one = weightAt(a.weights, query * a.keys + key);
      const two = weightAt(b.weights, query * b.keys + key);
      const tokens = [field(queryTokens[query] ?? ''), field(keyTokens[key] ?? '')];
      lines.push([query, tokens[0], key, tokens[1], one, two, one - two].join(','));
    }
  }
  return `${lines.join('\r\n')}\r\n`;
}

/** The links that are drawn, the strongest first. */
export function toLinksCsv(
  heads: readonly { readonly name: string; readonly links: readonly Link[] }[],
  queryTokens: readonly string[],
  keyTokens: readonly string[],
): string {
  const lines = ['head,query,query_token,key,key_token,weight'];
  for (const { name, links } of heads) {
    for (const { query, key, weight } of [...links].reverse()) {
      const tokens = [field(queryTokens[query] ?? ''), field(keyTokens[key] ?? '')];
      lines.push([field(name), query, tokens[0], key, tokens[1], weight].join(','));
    }
  }
  return `${lines.join('\r\n')}\r\n`;
}

/** A NumPy file, version 1.0: float32 [queries, keys], or [maps, queries, keys] of several. */
export function toNpy(
  maps: AttentionMap | readonly AttentionMap[],
  region: Region,
): Uint8Array<ArrayBuffer> {
  const all = 'weights' in maps ? [maps] : maps;
  const sides = [region.queries, region.keys];
  const shape = `(${('weights' in maps ? sides : [all.length, ...sides]).join(', ')})`;
  const dict = `{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}, }`;
  // The data begins at a multiple of 64 bytes; the header ends with a line feed.
  const padding = (64 - ((10 + dict.length + 1) % 64)) % 64;
  const header = `${dict}${' '.repeat(padding)}\n`;
  const data = 10 + header.length;
  const bytes = new Uint8Array(data + all.length * region.queries * region.keys * 4);
  const view = new DataView(bytes.buffer);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
  view.setUint16(8, header.length, true);
  bytes.set(new TextEncoder().encode(header), 10);
  let at = data;
  for (const map of all) {
    for (let query = 0; query < region.queries; query++) {
      for (let key = 0; key < region.keys; key++, at += 4) {
        view.setFloat32(at, weightAt(map.weights, query * map.keys + key), true);
      }
    }
  }
  return bytes;
}
