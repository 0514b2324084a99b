import { computed } from '@preact/signals';
import type { JSX } from 'preact';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { cellAt, columnX, pitchX, pitchY, rowY, type MapLayout } from '../render/layout';
import { layoutLens, needsLens } from '../render/lens';
import { drawMap } from '../render/map';
import { useStore, type Store } from '../state/store';
import { ColumnLabels, RowLabels } from './axislabels';
import { useDpr, usePalette } from './hooks';
import { Icon } from './icons';
import { Crosshair } from './mapcanvas';
import type { MapModel } from './mapmodel';
import { style } from './style';

/** Of the inspector, without its padding: 304 px, 344 px from 1,800 px on. */
const WIDTH = 280;

/** What the lens shows of the map; null where none is needed or wanted. */
function lensLayout(store: Store, model: MapModel): MapLayout | null {
  const layout = model.layout.value;
  const center = store.lensHeld.value ?? store.cursor.cell.value;
  if (!layout || !center || !store.view.lens.value || store.view.mode.value !== 'map') return null;
  return needsLens(layout) ? layoutLens(WIDTH, model.region.value, center) : null;
}

/** The cells around the crosshair, enlarged; pointing into it moves the crosshair cell by cell. */
export function Lens({ model }: { model: MapModel }): JSX.Element | null {
  const store = useStore();
  const palette = usePalette();
  const dpr = useDpr();
  const canvas = useRef<HTMLCanvasElement>(null);
  const enlarged = useMemo<MapModel>(
    () => ({ ...model, layout: computed(() => lensLayout(store, model)) }),
    [store, model],
  );
  const layout = enlarged.layout.value;
  const region = model.region.value;
  const { map } = store.maps.state.value;
  const scale = store.view.scale.value;
  useLayoutEffect(() => {
    if (canvas.current && layout && map) {
      drawMap(canvas.current, map, region, layout, scale, palette, dpr);
    }
  }, [map, region, layout, scale, palette, dpr]);
  if (!layout || !map) return null;
  const point = (event: PointerEvent) => {
    const box = canvas.current?.getBoundingClientRect();
    if (!box) return;
    const at = cellAt(
      layout,
      region.queries,
      region.keys,
      event.clientX - box.left,
      event.clientY - box.top,
    );
    if (!at) return;
    store.lensHeld.value ??= store.cursor.cell.value;
    store.cursor.set(at);
  };
  return (
    <section class="lens-section">
      <div class="section-head">
        <h3 class="caption">Lens</h3>
        <span class="caption-note">
          {layout.visibleQueries} × {layout.visibleKeys} of {region.queries} × {region.keys}
        </span>
        <button
          type="button"
          class="icon-button small"
          aria-label="Close the lens"
          title="Close the lens (Z opens it again)"
          onClick={() => (store.view.lens.value = false)}
        >
          <Icon name="close" size={12} />
        </button>
      </div>
      <div
        class="lens"
        style={style({ height: layout.top + layout.height + 4 })}
        onPointerLeave={() => (store.lensHeld.value = null)}
      >
        <ColumnLabels model={enlarged} />
        <RowLabels model={enlarged} />
        <canvas
          ref={canvas}
          class="map"
          style={style({ left: layout.left, top: layout.top })}
          aria-hidden="true"
          data-testid="lens"
          data-first-query={layout.firstQuery}
          data-first-key={layout.firstKey}
          data-queries={layout.visibleQueries}
          data-keys={layout.visibleKeys}
          onPointerMove={point}
          onPointerDown={point}
        />
        <Crosshair model={enlarged} said="" />
      </div>
    </section>
  );
}

/** What the lens shows, on the whole map. */
export function LensBox({ model }: { model: MapModel }): JSX.Element | null {
  const store = useStore();
  const layout = model.layout.value;
  const lens = lensLayout(store, model);
  if (!layout || !lens) return null;
  return (
    <i
      class="lens-box"
      aria-hidden="true"
      style={style({
        left: layout.left + columnX(layout, lens.firstKey),
        top: layout.top + rowY(layout, lens.firstQuery),
        width: Math.max(4, lens.visibleKeys * pitchX(layout)),
        height: Math.max(4, lens.visibleQueries * pitchY(layout)),
      })}
    />
  );
}
