import type { Catalog, LayerInfo } from '../api/model';

/** How long after the last record a training still counts as running, in seconds. */
export function patience(wallTimes: readonly number[]): number {
  const recent = wallTimes.slice(-11);
  const gaps = recent
    .slice(1)
    .map((time, i) => time - (recent[i] as number))
    .sort((a, b) => a - b);
  const median = gaps[gaps.length >> 1] ?? 0;
  return Math.min(900, Math.max(30, 3 * median));
}

/** Whether records still come: by the age of the last one, or because one came while we looked. */
export function looksLive(layer: LayerInfo, now: number, grewAt: number): boolean {
  const last = layer.wallTimes.at(-1);
  if (last === undefined) return false;
  const limit = patience(layer.wallTimes);
  // A log may be copied while it is written, or the clocks differ: growth counts as well.
  return now / 1000 - last < limit || (grewAt > 0 && (now - grewAt) / 1000 < limit);
}

export function anyLive(catalog: Catalog, now: number, grewAt: number): boolean {
  return catalog.runs.some((run) => run.layers.some((layer) => looksLive(layer, now, grewAt)));
}
