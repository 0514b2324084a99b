import type { JSX } from 'preact';
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { drawMatrix, layoutMatrix, rowAt, type MatrixRow } from '../render/matrix';
import { indexAtX, type TimeAxis } from '../render/timeline';
import { formatMetric, formatStep, metricTitle, plural } from '../state/format';
import { groupLayers } from '../state/groups';
import { valueOf } from '../state/headmetrics';
import { useStore } from '../state/store';
import { useDpr, usePalette } from './hooks';
import { style } from './style';

function useMatrix(height: number) {
  const store = useStore();
  const layers = store.selection.run.value?.layers;
  return useMemo(
    () =>
      layoutMatrix(
        groupLayers(layers ?? []).flatMap((group) => group.layers),
        height,
      ),
    [layers, height],
  );
}

/** Names of the layers beside their bands. */
export function MatrixNames({ height }: { height: number }): JSX.Element {
  const { bands, height: full } = useMatrix(height);
  return (
    <div class="matrix-names" style={style({ height: full })}>
      {bands.map((band) => (
        <div
          key={band.layer}
          class="matrix-name"
          style={style({ top: band.top, height: band.height })}
          title={band.layer}
        >
          <bdi>{band.layer}</bdi>
          <span>{plural(band.heads, 'head')}</span>
        </div>
      ))}
    </div>
  );
}

/** Heads × steps on the one time axis: a row is a head, colour is the metric of the curve. */
export function Matrix(props: {
  axis: TimeAxis;
  height: number;
  name: string | null;
}): JSX.Element {
  const { axis, height, name } = props;
  const store = useStore();
  const palette = usePalette();
  const dpr = useDpr();
  const canvas = useRef<HTMLCanvasElement>(null);
  const { rows, height: full } = useMatrix(height);
  const metrics = store.headMetrics.layers.value;
  const example = store.selection.example.value;
  const [hovered, setHovered] = useState<{ row: MatrixRow; step: number; x: number } | null>(null);
  useLayoutEffect(() => {
    if (canvas.current && name) {
      drawMatrix(canvas.current, axis, full, rows, metrics, name, example, palette, dpr);
    }
  }, [axis, full, rows, metrics, name, example, palette, dpr]);

  function at(event: PointerEvent): { row: MatrixRow; step: number; x: number } | null {
    const box = canvas.current?.getBoundingClientRect();
    if (!box) return null;
    const x = event.clientX - box.left;
    const row = rowAt(rows, event.clientY - box.top);
    const step = axis.steps[indexAtX(axis, x)];
    return row && step !== undefined ? { row, step, x } : null;
  }

  const selected = rows.find(
    (row) =>
      row.layer === store.selection.layer.value?.name && row.head === store.selection.head.value,
  );
  const value =
    hovered && name
      ? valueOf(metrics.get(hovered.row.layer), name, hovered.step, example, hovered.row.head)
      : NaN;
  return (
    <div
      class="matrix"
      data-testid="matrix"
      data-rows={rows.length}
      data-layers={metrics.size}
      style={style({ height: full })}
      onPointerDown={(event) => {
        const place = at(event);
        if (event.button !== 0 || !place) return;
        event.stopPropagation();
        store.selectHead(place.row.layer, place.row.head);
        store.goToStep(place.step);
      }}
      onPointerMove={(event) => setHovered(at(event))}
      onPointerLeave={() => setHovered(null)}
    >
      <canvas ref={canvas} />
      {selected && (
        <i class="matrix-row here" style={style({ top: selected.top, height: selected.height })} />
      )}
      {hovered && (
        <i class="matrix-row" style={style({ top: hovered.row.top, height: hovered.row.height })} />
      )}
      {hovered && name && (
        <div
          class="tag"
          style={style({
            top: hovered.row.top + hovered.row.height + 6,
            ...(hovered.x < axis.width / 2
              ? { left: hovered.x + 8 }
              : { right: axis.width - hovered.x + 8 }),
          })}
        >
          <bdi>{hovered.row.layer}</bdi>, head {hovered.row.head} at {formatStep(hovered.step)}{' '}
          <b>
            {metricTitle(name).toLowerCase()} {formatMetric(value)}
          </b>
          <span class="tag-note"> · click to go there</span>
        </div>
      )}
    </div>
  );
}
