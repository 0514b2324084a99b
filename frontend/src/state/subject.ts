/** What a side of a comparison shows, and how the address says so. */
import { nearestHead } from '../api/heads';
import type { LayerInfo, RunInfo } from '../api/model';
import { plural } from './format';
import { offersFor, type Offer } from './offers';

export interface Subject {
  readonly run: RunInfo;
  readonly layer: LayerInfo;
  readonly head: number;
  /** Shown in place of the head. */
  readonly aggregate: Offer | null;
}

/** What B shall be; null stands for the same as A. */
export interface Other {
  readonly run: string | null;
  readonly layer: string | null;
  readonly head: number | null;
}

export const SAME: Other = { run: null, layer: null, head: null };

/**
 * Reads `head.3`, `layer.NAME.head.3`, either of them with `.run.NAME` behind it, or `run.NAME`.
 *
 * Names may have dots: of several readings the one with the shortest layer is taken.
 */
export function parseOther(text: string | null): Other | null {
  if (text === null) return SAME;
  if (text.startsWith('run.')) return { ...SAME, run: text.slice(4) };
  const match = /^(?:layer\.(.+?)\.)?head\.(\d{1,6})(?:\.run\.(.+))?$/s.exec(text);
  return match && { layer: match[1] ?? null, head: Number(match[2]), run: match[3] ?? null };
}

export function formatOther({ run, layer, head }: Other): string | null {
  if (head === null) return run === null ? null : `run.${run}`;
  const of = layer === null ? '' : `layer.${layer}.`;
  return `${of}head.${head}${run === null ? '' : `.run.${run}`}`;
}

/** Whether two sides show the same of the same run, at whatever steps. */
export function sameSubject(a: Subject, b: Subject): boolean {
  return (
    a.run.name === b.run.name &&
    a.layer.name === b.layer.name &&
    a.aggregate?.kind === b.aggregate?.kind &&
    (a.aggregate !== null || a.head === b.head)
  );
}

export interface Found {
  /** Null where there is no such thing. */
  readonly subject: Subject | null;
  /** What could not be met, in a sentence. */
  readonly said: string | null;
  /** The number of the head that is not there, where another one is shown for it. */
  readonly instead: number | null;
}

/** The run, layer and head that a wish means, seen from side A. */
export function findOther(own: Subject, wish: Other, runs: readonly RunInfo[]): Found {
  const none = (said: string): Found => ({ subject: null, said, instead: null });
  const run = wish.run === null ? own.run : runs.find((r) => r.name === wish.run);
  if (!run) return none(`There is no run “${wish.run ?? ''}” in this log.`);
  const name = wish.layer ?? own.layer.name;
  const layer = run.layers.find((l) => l.name === name);
  if (!layer) return none(`Run “${run.name}” has no layer “${name}”.`);
  if (run !== own.run && run.thumbnailsOnly) {
    return none(`Of run “${run.name}” there are only thumbnails.`);
  }
  let said: string | null = null;
  if (wish.head === null && own.aggregate) {
    const { kind, name: title } = own.aggregate;
    const offer = offersFor(run, layer).find((one) => one.kind === kind);
    if (offer?.reason === null) {
      return { subject: { run, layer, head: 0, aggregate: offer }, said, instead: null };
    }
    said = `Run “${run.name}” has no “${title}”: ${offer?.reason ?? ''}`;
  }
  const asked = wish.head ?? own.head;
  const head = nearestHead(layer, asked);
  if (head !== asked) {
    const has = `has ${plural(layer.heads, 'head')}: its head ${head} is shown in place of head ${asked}.`;
    said = run === own.run ? `Layer “${layer.name}” ${has}` : `Run “${run.name}” ${has}`;
  } else if (said !== null) {
    said += ` Its head ${head} is shown.`;
  }
  const instead = head === asked ? null : asked;
  return { subject: { run, layer, head, aggregate: null }, said, instead };
}

/** Runs that can stand beside one: with maps of a layer of the same name. */
export function runsBeside(own: Subject, runs: readonly RunInfo[]): readonly RunInfo[] {
  return runs.filter(
    (run) =>
      run.name !== own.run.name &&
      !run.thumbnailsOnly &&
      run.layers.some((layer) => layer.name === own.layer.name),
  );
}

/** Layers whose maps can be subtracted from those of this one, itself first. */
export function layersAlike(run: RunInfo, layer: LayerInfo): readonly LayerInfo[] {
  const alike = run.layers.filter(
    (one) => one.name !== layer.name && one.queries === layer.queries && one.keys === layer.keys,
  );
  const same = run.layers.find((one) => one.name === layer.name);
  return same ? [same, ...alike] : alike;
}
