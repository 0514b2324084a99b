import { fetchHeads, fetchMap, type MapRequest } from '../api/client';
import { headsOf } from '../api/heads';
import type { AttentionMap } from '../api/model';
import type { CodeTableValues } from '../api/weights';
import { maxOf, meanOf, rolloutOf, type AggregateKind } from './aggregate';
import { formatStep } from './format';
import type { Offer } from './offers';

export interface AggregateRequest {
  readonly kind: AggregateKind;
  readonly layers: readonly {
    readonly name: string;
    readonly generation: string;
    readonly heads: readonly number[];
  }[];
}

/** A head's map, or an aggregate in its place. */
export interface Wanted extends MapRequest {
  readonly aggregate: AggregateRequest | null;
}

export function requestOf(offer: Offer | null): AggregateRequest | null {
  return (
    offer && {
      kind: offer.kind,
      layers: offer.layers.map((layer) => ({
        name: layer.name,
        generation: layer.generation,
        heads: headsOf(layer),
      })),
    }
  );
}

/** Reads a map; an aggregate is computed from the maps of its heads, one layer at a time. */
export async function loadMap(
  { aggregate, ...request }: Wanted,
  tables: ReadonlyMap<number, CodeTableValues>,
  signal: AbortSignal,
): Promise<AttentionMap> {
  if (!aggregate) return fetchMap(request, tables, signal);
  const of = async ({ name, generation, heads }: AggregateRequest['layers'][number]) => {
    try {
      return await fetchHeads({ ...request, layer: name, generation, heads }, tables, signal);
    } catch (error) {
      if (!(error instanceof Error) || error instanceof TypeError || signal.aborted) throw error;
      throw new Error(`${name} at step ${formatStep(request.step)}: ${error.message}`, {
        cause: error,
      });
    }
  };
  const means: AttentionMap[] = [];
  for (const layer of aggregate.layers) {
    const maps = await of(layer);
    if (aggregate.kind === 'max') return maxOf(maps);
    means.push(meanOf(maps));
  }
  return aggregate.kind === 'rollout' ? rolloutOf(means, signal) : meanOf(means);
}
