/** Where the frames of a film strip go. */
import { layoutPlain, pitchX, pitchY, type MapLayout } from './layout';

export const FRAME_HEAD = 24;
export const FRAME_GAP = 16;
/** Smaller frames tell nothing: then the strip scrolls. */
const LEAST_SIDE = 88;

export interface FilmLayout {
  readonly columns: number;
  /** Of every frame. */
  readonly frame: MapLayout;
}

/** The number of columns with which the cells are largest, and all of the frames are in sight. */
export function layoutFilm(
  count: number,
  size: { readonly width: number; readonly height: number },
  region: { readonly queries: number; readonly keys: number },
  dpr: number,
): FilmLayout {
  const input = { ...region, dpr };
  const widthOf = (columns: number) => Math.floor((size.width - FRAME_GAP) / columns) - FRAME_GAP;
  let best: FilmLayout | null = null;
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const height = Math.floor((size.height - FRAME_GAP) / rows) - FRAME_GAP - FRAME_HEAD;
    if (height < 8 || widthOf(columns) < 8) continue;
    const frame = layoutPlain(widthOf(columns), height, input);
    if (Math.max(frame.width, frame.height) < LEAST_SIDE) continue;
    if (!best || pitch(frame) > pitch(best.frame)) best = { columns, frame };
  }
  if (best) return best;
  const columns = Math.max(1, Math.floor((size.width - FRAME_GAP) / (LEAST_SIDE + FRAME_GAP)));
  return { columns, frame: layoutPlain(widthOf(columns), 2 * LEAST_SIDE, input) };
}

function pitch(layout: MapLayout): number {
  return Math.min(pitchX(layout), pitchY(layout));
}
