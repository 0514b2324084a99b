import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Tiles } from '../api/model';
import { tilePixels } from '../render/map';
import { useStore } from '../state/store';
import { usePalette } from './hooks';
import { style } from './style';

/** One head's stored thumbnail, as large as fits into the box with its proportions. */
export function Thumbnail(props: {
  tiles: Tiles | undefined;
  head: number;
  width: number;
  height: number;
}): JSX.Element {
  const { tiles, head, width, height } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const palette = usePalette();
  const scale = useStore().view.scale.value;
  const usable = tiles !== undefined && !tiles.problem && head < tiles.heads;

  useLayoutEffect(() => {
    const element = canvas.current;
    if (!element || !usable) return;
    const image = tilePixels(tiles, head, scale, palette);
    element.width = image.width;
    element.height = image.height;
    element.getContext('2d')?.putImageData(image, 0, 0);
  }, [tiles, head, usable, palette, scale]);

  const fit = usable ? Math.min(width / tiles.columns, height / tiles.rows) : 1;
  return (
    <span class={`thumb ${usable ? '' : 'skeleton'}`} style={style({ width, height })}>
      {usable && (
        <canvas
          ref={canvas}
          style={style({
            width: Math.max(2, Math.round(tiles.columns * fit)),
            height: Math.max(2, Math.round(tiles.rows * fit)),
          })}
        />
      )}
    </span>
  );
}
