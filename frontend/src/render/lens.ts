/** A part of a map enlarged until its cells can be told apart. */
import type { Region } from '../state/cursor';
import type { Cell } from '../state/url';
import { pitchX, pitchY, type MapLayout } from './layout';

/** Smaller cells than this are looked at through the lens. */
export const LENS_BELOW = 6;
const CELL = 12;
const MOST_CELLS = 24;

const COLUMN_LABELS = 56;
const ROW_LABELS = 84;
const POSITIONS = 32;

export function needsLens(layout: MapLayout): boolean {
  return Math.min(pitchX(layout), pitchY(layout)) < LENS_BELOW;
}

/** As many cells around `center` as fit into a width; at the edge of the map it stops. */
export function layoutLens(width: number, region: Region, center: Cell): MapLayout {
  const room = Math.max(1, Math.floor((width - ROW_LABELS) / CELL));
  const count = Math.min(MOST_CELLS, room);
  const axis = (at: number, length: number) => {
    const visible = Math.min(count, length);
    const first = Math.max(0, Math.min(length - visible, at - (visible >> 1)));
    return { first, visible };
  };
  const down = axis(center.query, region.queries);
  const across = axis(center.key, region.keys);
  return {
    mode: 'turned',
    cellWidth: CELL,
    cellHeight: CELL,
    poolQueries: 1,
    poolKeys: 1,
    left: ROW_LABELS,
    top: COLUMN_LABELS,
    width: across.visible * CELL,
    height: down.visible * CELL,
    firstQuery: down.first,
    firstKey: across.first,
    visibleQueries: down.visible,
    visibleKeys: across.visible,
    rowProfile: 0,
    columnProfile: 0,
    columnLabels: COLUMN_LABELS,
    rowLabels: ROW_LABELS,
    positionWidth: POSITIONS,
  };
}
