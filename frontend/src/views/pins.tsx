import type { JSX } from 'preact';
import { columnX, rowY, showsKey, showsQuery } from '../render/layout';
import { useStore } from '../state/store';
import { Icon } from './icons';
import { labelAt, type MapModel } from './mapmodel';
import { overMap, style } from './style';

/** The pinned row and column of a map, framed wherever the crosshair goes. */
export function Pins({ model }: { model: MapModel }): JSX.Element | null {
  const { links } = useStore();
  const layout = model.layout.value;
  if (!layout) return null;
  return (
    <div class="crosshair" style={overMap(layout)} aria-hidden="true">
      {links.pinned.value.map(({ side, index }) =>
        side === 'query'
          ? showsQuery(layout, index) && (
              <i
                key="query"
                class="pin-row"
                data-testid="pin-query"
                data-index={index}
                style={style({ top: rowY(layout, index), height: layout.cellHeight })}
              />
            )
          : showsKey(layout, index) && (
              <i
                key="key"
                class="pin-column"
                data-testid="pin-key"
                data-index={index}
                style={style({ left: columnX(layout, index), width: layout.cellWidth })}
              />
            ),
      )}
    </div>
  );
}

/** What is pinned, in words, and how to let it go. */
export function PinnedTokens({ model }: { model: MapModel }): JSX.Element | null {
  const { links } = useStore();
  const pinned = links.pinned.value;
  if (pinned.length === 0) return null;
  return (
    <section data-testid="pinned">
      <div class="section-head">
        <h3 class="caption">Pinned</h3>
        <button type="button" class="unpin" onClick={() => links.unpin()}>
          <Icon name="close" size={12} /> Unpin <span class="caption-note">Esc</span>
        </button>
      </div>
      <ul class="pinned-list">
        {pinned.map(({ side, index }) => {
          const tokens = side === 'query' ? model.queryTokens.value : model.keyTokens.value;
          const label = labelAt(tokens, index);
          return (
            <li key={side}>
              {label && (
                <span class="token">
                  <bdi>{label}</bdi>
                </span>
              )}
              {side} {index} of {model.region.value[side === 'query' ? 'queries' : 'keys']}
            </li>
          );
        })}
      </ul>
    </section>
  );
}
