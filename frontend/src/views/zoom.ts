import { batch } from '@preact/signals';
import { layoutZoomed, maxZoom, pitchX, pitchY } from '../render/layout';
import type { Store } from '../state/store';
import type { Cell } from '../state/url';
import type { MapModel } from './mapmodel';

/** Below this the whole map is meant. */
const LEAST = 1.02;

export const ZOOM_STEP = 1.5;

/** Zooms by `by`; what is at a point, in CSS pixels from the map's corner, stays there. */
export function zoomAt(store: Store, model: MapModel, by: number, x: number, y: number): void {
  const whole = model.whole.peek();
  const layout = model.layout.peek();
  if (!whole || !layout) return;
  const factor = Math.min(maxZoom(whole.layout), store.view.zoom.peek() * by);
  if (factor < LEAST) {
    fit(store);
    return;
  }
  const next = layoutZoomed(whole.input, whole.layout, { factor, query: 0, key: 0 });
  // The map itself may move in its pane when another part of it fits. Whole cells on both sides:
  // the cell under the pointer stays under it.
  const key =
    Math.floor(layout.firstKey + x / pitchX(layout)) -
    Math.floor((layout.left + x - next.left) / pitchX(next));
  const query =
    Math.floor(layout.firstQuery + y / pitchY(layout)) -
    Math.floor((layout.top + y - next.top) / pitchY(next));
  batch(() => {
    store.view.zoom.value = factor;
    store.view.corner.value = { query: position(query), key: position(key) };
  });
}

function position(value: number): number {
  return Math.max(0, Math.round(value));
}

/** Zooms around the crosshair where it is in sight, else around the middle. */
export function zoomBy(store: Store, model: MapModel, by: number): void {
  const layout = model.layout.peek();
  if (!layout) return;
  const cell = store.cursor.cell.peek();
  let x = layout.width / 2;
  let y = layout.height / 2;
  if (cell) {
    const atX = (cell.key - layout.firstKey + 0.5) * pitchX(layout);
    const atY = (cell.query - layout.firstQuery + 0.5) * pitchY(layout);
    if (atX >= 0 && atX < layout.width) x = atX;
    if (atY >= 0 && atY < layout.height) y = atY;
  }
  zoomAt(store, model, by, x, y);
}

export function fit(store: Store): void {
  batch(() => {
    store.view.zoom.value = 1;
    store.view.corner.value = null;
  });
}

/** Moves the zoomed map so that `corner` is its first cell. */
export function panTo(store: Store, model: MapModel, corner: { query: number; key: number }): void {
  const layout = model.layout.peek();
  const { queries, keys } = model.region.peek();
  if (!layout || store.view.zoom.peek() <= 1) return;
  const query = Math.min(queries - layout.visibleQueries, position(corner.query));
  const key = Math.min(keys - layout.visibleKeys, position(corner.key));
  const now = store.view.corner.peek();
  if (now?.query !== query || now.key !== key) store.view.corner.value = { query, key };
}

/** Pans as far as it takes to have a cell in sight. */
export function reveal(store: Store, model: MapModel, cell: Cell): void {
  const layout = model.layout.peek();
  if (!layout || store.view.zoom.peek() <= 1) return;
  panTo(store, model, {
    query: shifted(cell.query, layout.firstQuery, layout.visibleQueries),
    key: shifted(cell.key, layout.firstKey, layout.visibleKeys),
  });
}

function shifted(index: number, first: number, visible: number): number {
  if (index < first) return index;
  return index >= first + visible ? index - visible + 1 : first;
}
