import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { prepare } from '../render/map';
import { LOG_FLOOR } from '../render/scale';
import { useStore } from '../state/store';
import { useDpr, usePalette } from './hooks';

const WEIGHT_WIDTH = 64;
const DIVERGING_WIDTH = 80;
const HEIGHT = 14;

function Ramp({ colors, width }: { colors: readonly string[]; width: number }): JSX.Element {
  const dpr = useDpr();
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    const context = canvas.current && prepare(canvas.current, width, HEIGHT, dpr);
    if (!context) return;
    for (let x = 0; x < width; x++) {
      context.fillStyle = colors[Math.round((x / (width - 1)) * 255)] ?? '';
      context.fillRect(x, 0, 1, HEIGHT);
    }
  }, [colors, width, dpr]);
  return <canvas ref={canvas} />;
}

/** What the colours of A and B, and those of A − B mean. */
export function CompareColors(): JSX.Element {
  const palette = usePalette();
  const scale = useStore().view.scale.value;
  const most = scale === 'row' ? 'max' : '1';
  const least = scale === 'log' ? String(LOG_FLOOR).replace(/^0/, '') : '0';
  return (
    <div class="compare-colors">
      <div
        class="colorbar"
        role="img"
        aria-label={`Colours of A and B, from ${least} to ${scale === 'row' ? 'the maximum of the row' : '1'}`}
        title="Weights of A and B"
        data-testid="colors-weight"
      >
        <span class="colorbar-end">{least}</span>
        <span class="colorbar-ramp">
          <Ramp colors={palette.css} width={WEIGHT_WIDTH} />
        </span>
        <span class="colorbar-end">{most}</span>
      </div>
      <div
        class="colorbar diverging"
        role="img"
        aria-label={
          'Colours of A − B: ochre where B has more, no colour at 0, blue where A has more' +
          (scale === 'row' ? ', to the largest difference of the row' : '')
        }
        title="A − B: ochre where B has more, blue where A has more"
        data-testid="colors-diff"
      >
        <span class="colorbar-end side-b">B −{most}</span>
        <span class="colorbar-ramp">
          <Ramp colors={palette.divergingCss} width={DIVERGING_WIDTH} />
          <i class="colorbar-zero">0</i>
        </span>
        <span class="colorbar-end side-a">+{most} A</span>
      </div>
    </div>
  );
}
