/** What may be said of two maps together: how far they have common cells, and where they differ. */
import type { AttentionMap, ExampleInfo } from '../api/model';
import { regionOf, type Region } from './cursor';

/** A map with the tokens of its example at its step. */
export interface Labelled {
  readonly map: AttentionMap;
  readonly example: ExampleInfo | undefined;
}

export interface Verdict {
  /** Whether a cell of A and the one of B at the same place stand for as many tokens. */
  readonly comparable: boolean;
  /** Whether half of all differences is weight that moved: only where rows are whole and sum to 1. */
  readonly isShare: boolean;
  /** Whether both have the same tokens, as far as they have any. */
  readonly sameTokens: boolean;
  /** What one has to know about the comparison, in sentences. */
  readonly said: readonly string[];
}

/** As far as the longest of several maps goes, where all of them have cells. */
export function commonRegion(maps: readonly AttentionMap[], padding: boolean): Region {
  const along = (side: 'queries' | 'keys') =>
    Math.min(
      Math.max(...maps.map((map) => regionOf(map, padding)[side])),
      ...maps.map((map) => map[side]),
    );
  return { queries: along('queries'), keys: along('keys') };
}

function size({ queries, keys }: Region): string {
  return `${queries} × ${keys}`;
}

/** `60 × 60 (maxima of 5 × 5)`. */
function sizeOf(map: AttentionMap, padding: boolean): string {
  const { pooling } = map;
  const stored = pooling ? ` (maxima of ${size(pooling)})` : '';
  return size(regionOf(map, padding)) + stored;
}

function covers(whole: Region, part: Region): boolean {
  return whole.queries >= part.queries && whole.keys >= part.keys;
}

/** Both have tokens, and others within the first `count`. */
function tokensDiffer(a: readonly string[] = [], b: readonly string[] = [], count = 0): boolean {
  if (a.length === 0 || b.length === 0) return false;
  const common = Math.min(count, Math.max(a.length, b.length));
  for (let i = 0; i < common; i++) if (a[i] !== b[i]) return true;
  return false;
}

/** Judges A and B. */
export function judge(a: Labelled, b: Labelled, padding: boolean): Verdict {
  const maps = [a.map, b.map] as const;
  const sizes = `A is ${sizeOf(a.map, padding)}, B is ${sizeOf(b.map, padding)}`;
  const [one, two] = maps.map(({ pooling }) => pooling ?? { queries: 1, keys: 1 });
  if (one?.queries !== two?.queries || one?.keys !== two?.keys) {
    const why = 'a cell of A and a cell of B stand for different numbers of tokens';
    return {
      comparable: false,
      isShare: false,
      sameTokens: false,
      said: [`${sizes}: ${why}, so there is no difference to show.`],
    };
  }
  const said: string[] = [];
  const common = commonRegion(maps, padding);
  const [regionA, regionB] = [regionOf(a.map, padding), regionOf(b.map, padding)];
  const whole = covers(common, regionA) && covers(common, regionB);
  if (!whole) {
    said.push(`${sizes}: only the first ${size(common)} cells are compared.`);
  } else if (size(regionA) !== size(regionB)) {
    said.push(`${sizes}: beyond its own tokens the shorter one has padding, without weight.`);
  } else if (a.map.pooling) {
    said.push(`A and B are maxima of ${size(a.map.pooling)} cells, and so is what differs.`);
  }
  const [ownA, ownB] = maps.map((map) => regionOf(map, false));
  const padded = padding && maps.some((map) => size(regionOf(map, false)) !== size(map));
  if (padded && ownA && ownB) {
    said.push(`Padding is shown: without it A is ${size(ownA)} and B ${size(ownB)}.`);
  }
  const queries = tokensDiffer(a.example?.queryTokens, b.example?.queryTokens, common.queries);
  const keys = tokensDiffer(a.example?.keyTokens, b.example?.keyTokens, common.keys);
  if (queries || keys) {
    const which = queries && keys ? 'tokens' : queries ? 'query tokens' : 'key tokens';
    said.push(
      `A and B have different ${which}: cells are compared by position. Each has its own labels, ` +
        'A − B has those of A.',
    );
  }
  return {
    comparable: true,
    isShare: whole && !padded && !a.map.pooling,
    sameTokens: !queries && !keys,
    said,
  };
}
