import type { JSX } from 'preact';
import { weightAt } from '../api/weights';
import type { AttentionMap } from '../api/model';
import { useStore } from '../state/store';
import { isEndToken, runningToken, separatorOf, tokenTitle } from '../state/tokens';
import type { MapModel } from './mapmodel';
import { style } from './style';

/** Beyond this a text is no longer a strip. */
const MOST_TOKENS = 160;
/** Bars below this are left out: a line of hairlines says nothing. */
const LEAST_SHOWN = 0.01;

/** Source and output as running text; under each character its weight for the crosshair's query. */
export function TextStrip({ model }: { model: MapModel }): JSX.Element | null {
  const store = useStore();
  const { queries, keys } = model.region.value;
  const source = model.keyTokens.value.slice(0, keys);
  const output = model.queryTokens.value.slice(0, queries);
  if (source.length === 0 || source.length > MOST_TOKENS || output.length > MOST_TOKENS)
    return null;
  const same = source.length === output.length && source.every((token, i) => token === output[i]);
  const cell = store.cursor.cell.value;
  const { map } = store.maps.state.value;
  return (
    <div class="strip" data-testid="text-strip">
      <Line
        name={same ? 'Text' : 'Source'}
        tokens={source}
        weights={map && cell ? { map, query: cell.query, key: cell.key } : null}
        framed={same ? (cell?.query ?? null) : null}
      />
      {!same && output.length > 0 && (
        <Line name="Output" tokens={output} weights={null} framed={cell?.query ?? null} />
      )}
    </div>
  );
}

function Line(props: {
  name: string;
  tokens: readonly string[];
  weights: { map: AttentionMap; query: number; key: number } | null;
  framed: number | null;
}): JSX.Element {
  const { name, tokens, weights, framed } = props;
  const separator = separatorOf(tokens);
  return (
    <div class="strip-line">
      <span class="strip-name">{name}</span>
      <span class={`strip-text ${separator ? 'words' : ''}`}>
        {tokens.map((token, i) => {
          const weight = weights
            ? weightAt(weights.map.weights, weights.query * weights.map.keys + i)
            : 0;
          const current = weights?.key === i;
          return (
            <span
              key={i}
              class={`strip-token ${framed === i ? 'framed' : ''} ${current ? 'here' : ''} ${isEndToken(token) ? 'end' : ''}`}
              title={tokenTitle(token)}
            >
              <bdi>{runningToken(token)}</bdi>
              {weight >= LEAST_SHOWN && (
                <i style={style({ height: Math.max(1, Math.min(1, weight) * 8) })} />
              )}
            </span>
          );
        })}
      </span>
    </div>
  );
}
