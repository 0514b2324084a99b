import type { LayerInfo } from '../api/model';

/** What a layer attends from and to, as far as its name tells. */
export type LayerKind = 'cross' | 'decoder' | 'encoder' | 'other';

export interface LayerGroup {
  readonly kind: LayerKind;
  readonly title: string;
  /** One sentence on what is seen; empty when the names tell nothing. */
  readonly sentence: string;
  readonly layers: readonly LayerInfo[];
}

const ABOUT: Readonly<Record<LayerKind, readonly [string, string]>> = {
  cross: ['Cross attention', 'Output positions look at the source.'],
  decoder: ['Decoder self-attention', 'Output positions look at the output so far.'],
  encoder: ['Encoder self-attention', 'Source positions look at each other.'],
  other: ['', ''],
};

/** The sides of a map: what its queries and its keys are positions of. */
const SIDES: Readonly<Record<LayerKind, readonly [query: string, key: string]>> = {
  cross: ['decoder', 'encoder'],
  decoder: ['decoder', 'decoder'],
  encoder: ['encoder', 'encoder'],
  other: ['', ''],
};

export interface KindInfo {
  readonly kind: LayerKind;
  readonly title: string;
  readonly sentence: string;
  /** What queries and keys are positions of; empty when the name does not tell. */
  readonly query: string;
  readonly key: string;
}

export function describeKind(name: string): KindInfo {
  const kind = kindOf(name);
  const [title, sentence] = ABOUT[kind];
  const [query, key] = SIDES[kind];
  return { kind, title, sentence, query, key };
}

export function kindOf(name: string): LayerKind {
  const lower = name.toLowerCase();
  if (/cross|enc(oder)?[-_]?dec(oder)?/.test(lower)) return 'cross';
  if (/decoder|(^|[/_.])dec([/_.\d]|$)/.test(lower)) {
    return /self/.test(lower) ? 'decoder' : 'other';
  }
  if (/encoder|(^|[/_.])enc([/_.\d]|$)/.test(lower)) return 'encoder';
  return 'other';
}

/** Layers by kind; one group without a title when their names tell of a single kind or of none. */
export function groupLayers(layers: readonly LayerInfo[]): LayerGroup[] {
  const kinds: LayerKind[] = ['cross', 'decoder', 'encoder', 'other'];
  const groups = kinds
    .map((kind) => ({
      kind,
      title: ABOUT[kind][0],
      sentence: ABOUT[kind][1],
      layers: layers.filter((layer) => kindOf(layer.name) === kind),
    }))
    .filter((group) => group.layers.length > 0);
  if (groups.length === 1 && groups[0]?.kind === 'other') return groups;
  return groups.map((group) =>
    group.kind === 'other' ? { ...group, title: 'Other attention' } : group,
  );
}

/** Names without what they share, when a number is all that differs: `L0`, `L1`, … */
export function shortNames(names: readonly string[]): string[] | null {
  if (names.length < 2) return null;
  const split = names.map((name) => /^(.*?)(\d+)(\D*)$/.exec(name));
  const first = split[0];
  if (!first) return null;
  const alike = split.every((match) => match?.[1] === first[1] && match?.[3] === first[3]);
  return alike ? split.map((match) => `L${match?.[2] ?? ''}`) : null;
}

const ABBREVIATED: Readonly<Record<LayerKind, string>> = {
  cross: 'cross ',
  decoder: 'dec ',
  encoder: 'enc ',
  other: '',
};

/** A head in a few characters, for marks: `cross L0 H2`, `L8 H3`, `H1` where there is one layer. */
export function shortHead(layers: readonly LayerInfo[], layer: string, head: number): string {
  if (layers.reduce((sum, l) => sum + l.heads, 0) <= 1) return '';
  if (layers.length === 1) return `H${head}`;
  const kinds = new Set(layers.map((l) => kindOf(l.name)));
  const kind = kinds.size > 1 ? ABBREVIATED[kindOf(layer)] : '';
  const number = /(\d+)\D*$/.exec(layer)?.[1];
  const name =
    number === undefined ? (layer.split('/').at(-1) ?? layer).slice(0, 16) : `L${number}`;
  return `${kind}${name} H${head}`;
}
