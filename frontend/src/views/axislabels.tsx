import type { JSX } from 'preact';
import { columnLabels, flips, rowLabels, sparseWidth } from '../render/labels';
import { useStore } from '../state/store';
import { isEndToken, tokenLabel, tokenTitle } from '../state/tokens';
import { labelAt, type MapModel } from './mapmodel';
import { style } from './style';

const CHARACTER = 7.25;

/** The end of a sequence: written out where there is room for it. */
export function shortEnd(tokens: readonly string[], index: number, room: number): string {
  const token = tokens[index];
  const label = labelAt(tokens, index);
  if (token === undefined || !isEndToken(token)) return label;
  return room < 20 ? '∎' : label;
}

interface LabelsProps {
  readonly model: MapModel;
  /** Whether the crosshair stands in this map. */
  readonly pointed?: boolean;
}

function isNarrow(token: string): boolean {
  return isEndToken(token) || tokenLabel(token.slice(0, 8)).length <= 1;
}

export function ColumnLabels({ model, pointed = true }: LabelsProps): JSX.Element | null {
  const store = useStore();
  const layout = model.layout.value;
  if (!layout) return null;
  const tokens = model.keyTokens.value;
  const { keys } = model.region.value;
  const current = pointed ? (store.cursor.cell.value?.key ?? null) : null;
  const labels = columnLabels(layout, keys, current, store.view.pinKey.value);
  // Single characters are as narrow upright.
  const turned =
    (layout.mode === 'turned' || layout.mode === 'thinned') &&
    !(layout.cellWidth >= 8 && tokens.length > 0 && tokens.every(isNarrow));
  const place = style({
    left: layout.left,
    top: layout.top - layout.columnLabels,
    width: layout.width,
    height: layout.columnLabels,
  });
  if (layout.mode === 'sparse') {
    const most = sparseWidth(layout);
    return (
      <div class="labels columns sparse" style={place} aria-hidden="true">
        {labels.map(({ index, at, current, pinned }) => (
          <span
            key={index}
            class={`label ${current || pinned ? 'here' : ''} ${flips(layout, at) ? 'flip' : ''}`}
            style={style({ left: at, maxWidth: most })}
            title={tokenTitle(tokens[index] ?? '')}
          >
            <span class="position">{index * model.pooling.value.keys}</span>
            <bdi>{labelAt(tokens, index, 8)}</bdi>
          </span>
        ))}
      </div>
    );
  }
  return (
    <div class={`labels columns ${turned ? 'turned' : 'upright'}`} style={place} aria-hidden="true">
      {labels.map(({ index, at, current, pinned }) => (
        <span
          key={index}
          class={`label ${current || pinned ? 'here' : ''}`}
          style={style({ left: at })}
          title={tokenTitle(tokens[index] ?? '')}
        >
          <bdi>
            {index >= tokens.length
              ? index * model.pooling.value.keys
              : shortEnd(tokens, index, layout.cellWidth)}
          </bdi>
        </span>
      ))}
    </div>
  );
}

export function RowLabels({ model, pointed = true }: LabelsProps): JSX.Element | null {
  const store = useStore();
  const layout = model.layout.value;
  if (!layout) return null;
  const tokens = model.queryTokens.value;
  const { queries } = model.region.value;
  const current = pointed ? (store.cursor.cell.value?.query ?? null) : null;
  const room = Math.floor((layout.rowLabels - layout.positionWidth) / CHARACTER);
  return (
    <div
      class={`labels rows ${layout.cellHeight < 16 && layout.mode === 'upright' ? 'turned' : layout.mode}`}
      style={style({
        left: layout.left - layout.rowLabels,
        top: layout.top,
        width: layout.rowLabels,
        height: layout.height,
      })}
      aria-hidden="true"
    >
      {rowLabels(layout, queries, current, store.view.pinQuery.value).map(
        ({ index, at, current, pinned }) => (
          <span
            key={index}
            class={`label ${current || pinned ? 'here' : ''}`}
            style={style({ top: at })}
            title={tokenTitle(tokens[index] ?? '')}
          >
            {tokens.length > 0 && (
              <bdi>
                {isEndToken(tokens[index] ?? '')
                  ? shortEnd(tokens, index, layout.cellHeight)
                  : labelAt(tokens, index, Math.max(4, room))}
              </bdi>
            )}
            <span class="position" style={style({ width: layout.positionWidth - 12 })}>
              {index * model.pooling.value.queries}
            </span>
          </span>
        ),
      )}
    </div>
  );
}
