/** Which aggregates mean something for a layer, what they are called, and why others do not. */
import type { LayerInfo, RunInfo } from '../api/model';
import type { AggregateKind } from './aggregate';
import { kindOf, shortNames } from './groups';

/** More weights than this are not fetched for one picture. */
const MOST_WEIGHTS = 2 ** 26;
/** The product of two matrices of this size takes a second or so. */
const MOST_ROLLED = 1024;

export interface Offer {
  readonly kind: AggregateKind;
  /** What it is, for pickers, titles and headings. */
  readonly name: string;
  /** How it comes about, in a sentence. */
  readonly about: string;
  /** For the name of a file. */
  readonly file: string;
  /** The layers it is made of, in order. */
  readonly layers: readonly LayerInfo[];
  /** Why there is none; null when there is. */
  readonly reason: string | null;
}

/** All four, whether there is such a map or not. */
export function offersFor(run: RunInfo, layer: LayerInfo): readonly Offer[] {
  const heads = layer.heads;
  const alike = alikeLayers(run, layer);
  const all = alike.reduce((sum, one) => sum + one.heads, 0);
  const stack = stackUpTo(alike, layer);
  const first = stack?.[0];
  const short = shortNames(alike.map((one) => one.name));
  const shortOf = (one: LayerInfo) => short?.[alike.indexOf(one)] ?? one.name;
  const one = heads === 1 ? 'This layer has one head.' : null;
  return [
    {
      kind: 'mean',
      name: `Mean of ${heads} heads`,
      about: 'The mean over the heads of this layer, cell by cell.',
      file: `mean-of-${heads}-heads`,
      layers: [layer],
      reason: one ?? tooLarge([layer]),
    },
    {
      kind: 'max',
      name: `Max of ${heads} heads`,
      about: 'The maximum over the heads of this layer, cell by cell: rows do not sum to 1.',
      file: `max-of-${heads}-heads`,
      layers: [layer],
      reason: one ?? tooLarge([layer]),
    },
    {
      kind: 'layers',
      name: `Mean of ${alike.length} layers`,
      about: `The mean over ${alike.length} layers of the mean over their heads, ${all} heads in all.`,
      file: `mean-of-${alike.length}-layers`,
      layers: alike,
      reason: alike.length < 2 ? 'No other layer has the same sides and shape.' : tooLarge(alike),
    },
    {
      kind: 'rollout',
      name: first && stack.length > 1 ? `Rollout ${shortOf(first)}–${shortOf(layer)}` : 'Rollout',
      about:
        'Attention rollout (Abnar & Zuidema 2020): heads averaged, A′ = 0.5 A + 0.5 I with rows ' +
        'renormalised, multiplied over the layers up to this one.',
      file: `rollout-${stack?.length ?? 0}-layers`,
      layers: stack ?? [],
      reason: noRollout(layer, alike, stack),
    },
  ];
}

/** Layers that attend between the same sides, with maps of the same shape. */
function alikeLayers(run: RunInfo, layer: LayerInfo): readonly LayerInfo[] {
  const kind = kindOf(layer.name);
  return run.layers.filter(
    (one) =>
      kindOf(one.name) === kind &&
      one.queries === layer.queries &&
      one.keys === layer.keys &&
      // Names that tell no kind may be anything: what differs in more than a number is another.
      (kind !== 'other' || one === layer || numbered([one, layer])),
  );
}

function numbered(layers: readonly LayerInfo[]): boolean {
  return shortNames(layers.map((one) => one.name)) !== null;
}

function orderOf(layer: LayerInfo): number {
  return Number(/(\d+)\D*$/.exec(layer.name)?.[1] ?? 0);
}

/** The layers of a stack from its first to this one; null when their names do not tell an order. */
function stackUpTo(alike: readonly LayerInfo[], layer: LayerInfo): readonly LayerInfo[] | null {
  if (!numbered(alike)) return null;
  const ordered = [...alike].sort((a, b) => orderOf(a) - orderOf(b));
  return ordered.slice(0, ordered.indexOf(layer) + 1);
}

function noRollout(
  layer: LayerInfo,
  alike: readonly LayerInfo[],
  stack: readonly LayerInfo[] | null,
): string | null {
  if (kindOf(layer.name) === 'cross') {
    return 'Rollout is for self-attention: cross attention leaves its own positions.';
  }
  if (layer.queries !== layer.keys) return 'Rollout needs as many queries as keys.';
  if (alike.some((one) => one.queryPooling > 1 || one.keyPooling > 1)) {
    return 'Rollout multiplies weights; of these maps only maxima are stored.';
  }
  if (alike.length < 2) return 'Rollout needs a stack of layers; this one has no other.';
  if (!stack) return 'The names of the layers do not tell their order.';
  if (layer.queries > MOST_ROLLED) {
    return `Rollout is computed here up to ${MOST_ROLLED.toLocaleString('en')} tokens.`;
  }
  return tooLarge(stack);
}

function tooLarge(layers: readonly LayerInfo[]): string | null {
  const weights = layers.reduce((sum, one) => sum + one.heads * one.queries * one.keys, 0);
  return weights <= MOST_WEIGHTS
    ? null
    : `It takes ${Math.round(weights / 1e6).toLocaleString('en')} million weights, too many for a browser.`;
}
