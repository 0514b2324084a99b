/**
 * Heads go by their numbers in the model, wherever one is named. Where only some of a layer's heads
 * are recorded, a head's position among them is another number, of use within arrays alone.
 */
export interface Heads {
  /** How many are recorded. */
  readonly heads: number;
  /** Their numbers, ascending; absent or empty: 0 to heads − 1. */
  readonly headNumbers?: readonly number[];
}

/** The number of each recorded head, ascending. */
export function headsOf({ heads, headNumbers }: Heads): readonly number[] {
  return headNumbers?.length ? headNumbers : Array.from({ length: heads }, (_, head) => head);
}

/** Where a head lies among those recorded; -1 where it is none of them. */
export function positionOf({ heads, headNumbers }: Heads, head: number): number {
  if (headNumbers?.length) return headNumbers.indexOf(head);
  return head < heads ? head : -1;
}

/** The recorded head with the nearest number, of two the lower one; 0 where there are none. */
export function nearestHead(of: Heads | null, head: number): number {
  const distance = (other: number) => Math.abs(other - head);
  const [first = 0, ...rest] = of ? headsOf(of) : [];
  return rest.reduce((best, one) => (distance(one) < distance(best) ? one : best), first);
}

/** The recorded head so many places further on, not beyond the first and the last one. */
export function headBeside(of: Heads, head: number, by: number): number {
  const all = headsOf(of);
  const to = Math.max(0, Math.min(all.length - 1, positionOf(of, nearestHead(of, head)) + by));
  return all[to] ?? 0;
}

/** The numbers that one of several layers has, ascending. */
export function allHeads(layers: readonly Heads[]): readonly number[] {
  return [...new Set(layers.flatMap(headsOf))].sort((a, b) => a - b);
}
