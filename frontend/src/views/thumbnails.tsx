import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { positionOf } from '../api/heads';
import type { Tiles } from '../api/model';
import { prepare } from '../render/map';
import { fitTile, paintTile } from '../render/tiles';
import { useStore } from '../state/store';
import { afterPaint, useDpr, usePalette, type Size } from './hooks';
import { style } from './style';

/** The thumbnail of one head, and where its box is, in CSS pixels. */
export interface Place {
  readonly tiles: Tiles | undefined;
  readonly head: number;
  readonly x: number;
  readonly y: number;
}

function isDrawn(tiles: Tiles | undefined, head: number): tiles is Tiles {
  return tiles !== undefined && !tiles.problem && positionOf(tiles, head) >= 0;
}

/**
 * Many thumbnails on one canvas. With a canvas each, the browser composes a layer each at every
 * step: twice a frame's time for 144 heads. Where there is none (yet) the canvas is transparent.
 */
export function Thumbnails(props: {
  places: readonly Place[];
  /** Of one thumbnail; it is as large as fits into it. */
  box: Size;
  /** Of the canvas. */
  size: Size;
  /** A line around each, where they lie side by side. */
  framed?: boolean;
}): JSX.Element {
  const { places, box, size, framed = false } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const palette = usePalette();
  const dpr = useDpr();
  const scale = useStore().view.scale.value;

  const draw = () => {
    const element = canvas.current;
    const context = element && prepare(element, size.width, size.height, dpr);
    if (!context) return;
    const drawn = places.filter((place) => isDrawn(place.tiles, place.head));
    element.dataset['drawn'] = String(drawn.length);
    if (drawn.length === 0) return;
    const image = new ImageData(element.width, element.height);
    const pixel = (css: number) => Math.round(css * dpr);
    const frames = drawn.map((place) => {
      const tiles = place.tiles as Tiles;
      const at = { x: pixel(place.x), y: pixel(place.y) };
      const tile = fitTile(tiles, { ...at, width: pixel(box.width), height: pixel(box.height) });
      paintTile(image, tile, tiles, place.head, scale, palette);
      return tile;
    });
    context.putImageData(image, 0, 0);
    if (!framed) return;
    context.setTransform(1, 0, 0, 1, 0, 0);
    const line = Math.max(1, Math.floor(dpr));
    context.strokeStyle = palette.line;
    context.lineWidth = line;
    for (const { x, y, width, height } of frames) {
      context.strokeRect(x + line / 2, y + line / 2, width - line, height - line);
    }
  };
  // A step is first of all a step of the map: what is drawn already waits until that is painted.
  useLayoutEffect(() => {
    if (canvas.current?.dataset['drawn']) return afterPaint(draw);
    draw();
    return undefined;
  });

  return <canvas ref={canvas} class="thumbnails" aria-hidden="true" style={style({ ...size })} />;
}

/** A single one. */
export function Thumbnail(props: {
  tiles: Tiles | undefined;
  head: number;
  box: Size;
}): JSX.Element {
  const { tiles, head, box } = props;
  return (
    <span class={`thumb ${isDrawn(tiles, head) ? '' : 'skeleton'}`} style={style({ ...box })}>
      <Thumbnails places={[{ tiles, head, x: 0, y: 0 }]} box={box} size={box} />
    </span>
  );
}
