import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { prepare } from '../render/map';
import { maxZoom, type MapLayout } from '../render/layout';
import { LOG_FLOOR, position, rowMaximum } from '../render/scale';
import { readCell } from '../state/cursor';
import { plural } from '../state/format';
import { useStore } from '../state/store';
import { COLORS, SCALES, type Colors, type Hide, type Mode, type Scale } from '../state/url';
import { ExportMenu } from './export';
import { useDpr, usePalette } from './hooks';
import { Icon } from './icons';
import type { MapModel } from './mapmodel';
import { Picker } from './picker';
import { style } from './style';
import { mapTakes } from './takes';
import { fit, ZOOM_STEP, zoomBy } from './zoom';

export const SCALE_NAMES: Readonly<Record<Scale, string>> = {
  linear: 'Linear',
  log: 'Log',
  row: 'Per row',
};
const SCALE_DETAILS: Readonly<Record<Scale, string>> = {
  linear: '0 to 1, at all steps',
  log: '0.001 to 1, at all steps',
  row: 'to the row’s maximum',
};

export function ViewBar({ model }: { model: MapModel }): JSX.Element {
  const store = useStore();
  const palette = usePalette();
  const layer = store.selection.layer.value;
  const { map } = store.maps.state.value;
  const padded = map
    ? map.queryLength < map.queries || map.keyLength < map.keys
    : layer?.examples.some((e) => e.queryLength < layer.queries || e.keyLength < layer.keys);
  return (
    <div class="bar viewbar">
      <ModeTabs />
      <ScalePicker />
      {padded && <PaddingPicker />}
      <HidePicker />
      {map?.pooling && (
        <span
          class="bar-fact"
          data-testid="stored-pooled"
          title="Stored so, because it is longer than max_length: each cell holds the largest of its weights. Metrics are of all weights."
        >
          Maxima of{' '}
          <b>
            {map.pooling.queries} × {map.pooling.keys}
          </b>
        </span>
      )}
      <div class="bar-end">
        <ExportMenu what="this map" takes={mapTakes(store, model, palette)} />
        <ZoomButtons model={model} />
        <ColorBar model={model} />
      </div>
    </div>
  );
}

export function PaddingPicker(): JSX.Element {
  const { padding } = useStore().view;
  return (
    <Picker
      caption="Padding"
      testId="padding-picker"
      value={padding.value ? 'shown' : 'hidden'}
      options={[
        { value: 'hidden', label: 'hidden' },
        { value: 'shown', label: 'shown' },
      ]}
      onPick={(value) => (padding.value = value === 'shown')}
    />
  );
}

/** The views: the first thing in the bar of each. */
export function ModeTabs(): JSX.Element {
  const store = useStore();
  const tab = (mode: Mode, label: string, key: string) => (
    <button
      type="button"
      role="tab"
      class="tab"
      aria-selected={store.view.mode.value === mode}
      title={`${label} (${key})`}
      data-testid={`mode-${mode}`}
      onClick={() => store.setMode(mode)}
    >
      {label}
    </button>
  );
  return (
    <div class="tabs mode-tabs" role="tablist" aria-label="View">
      {tab('map', 'Map', '1')}
      {tab('links', 'Links', '2')}
      {tab('compare', 'Compare', '3')}
      {tab('film', 'Film', '4')}
    </div>
  );
}

export function ScalePicker(): JSX.Element {
  const { scale } = useStore().view;
  return (
    <Picker
      caption="Scale"
      testId="scale-picker"
      value={scale.value}
      options={SCALES.map((s) => ({ value: s, label: SCALE_NAMES[s], detail: SCALE_DETAILS[s] }))}
      onPick={(value) => (scale.value = value as Scale)}
    />
  );
}

function formatPool(pool: number): string {
  return String(Math.round(pool * 100) / 100);
}

/** Says in the map's pane that its pixels are not single cells. */
export function PoolNote({ layout }: { layout: MapLayout | null }): JSX.Element | null {
  if (!layout || (layout.poolQueries === 1 && layout.poolKeys === 1)) return null;
  return (
    <span class="pool-note" data-testid="pooled">
      {formatPool(layout.poolQueries)} × {formatPool(layout.poolKeys)} tokens per pixel, maximum
    </span>
  );
}

/** Keys to leave out: a sink or special tokens can hide everything else. */
export function HidePicker(): JSX.Element {
  const { view, masks } = useStore();
  const special = masks.special.value;
  const none = special.length === 0 ? 'No special tokens in this example' : null;
  return (
    <Picker
      caption="Hide"
      testId="hide-picker"
      value={view.hide.value}
      options={[
        { value: 'none', label: 'nothing' },
        { value: 'first', label: 'first key', detail: 'where sinks are' },
        {
          value: 'special',
          label: 'special tokens',
          detail: plural(special.length, 'key'),
          unavailable: none,
        },
        { value: 'both', label: 'first key and special tokens', unavailable: none },
      ]}
      onPick={(value) => (view.hide.value = value as Hide)}
    />
  );
}

const COLOR_NAMES: Readonly<Record<Colors, string>> = {
  ink: 'Ink',
  cividis: 'Cividis',
  viridis: 'Viridis',
  greys: 'Greys',
};

/** What is on screen, where it is not a head's map as it was recorded. */
export function SaidLine(): JSX.Element | null {
  const { selection, masks } = useStore();
  const aggregate = selection.aggregate.value;
  const said = masks.said.value;
  if (!aggregate && !said) return null;
  return (
    <p class="said-line">
      {aggregate && (
        <span data-testid="aggregate" title={aggregate.about}>
          <b>{aggregate.name}</b> {aggregate.about}
        </span>
      )}
      {said && <span data-testid="masked">{said}</span>}
    </p>
  );
}

export function ZoomButtons({ model }: { model: MapModel }): JSX.Element {
  const store = useStore();
  const zoom = store.view.zoom.value;
  const layout = model.layout.value;
  const whole = model.whole.value;
  return (
    <div class="zoom-buttons">
      {zoom > 1 && layout && (
        <span class="bar-fact" data-testid="zoomed">
          {layout.visibleQueries} × {layout.visibleKeys} of {model.region.value.queries} ×{' '}
          {model.region.value.keys}
        </span>
      )}
      <button
        type="button"
        class="icon-button"
        aria-label="Zoom out"
        title="Zoom out (−)"
        data-testid="zoom-out"
        disabled={zoom <= 1}
        onClick={() => zoomBy(store, model, 1 / ZOOM_STEP)}
      >
        <Icon name="minus" />
      </button>
      <button
        type="button"
        class="icon-button"
        aria-label="Zoom in"
        title="Zoom in (+)"
        data-testid="zoom-in"
        disabled={!whole || zoom >= maxZoom(whole.layout)}
        onClick={() => zoomBy(store, model, ZOOM_STEP)}
      >
        <Icon name="plus" />
      </button>
      <button
        type="button"
        class="icon-button"
        aria-label="Show the whole map"
        title="Show the whole map (0)"
        data-testid="zoom-fit"
        disabled={zoom <= 1}
        onClick={() => fit(store)}
      >
        <Icon name="fit" />
      </button>
    </div>
  );
}

const BAR_WIDTH = 120;
const BAR_HEIGHT = 14;

/** The ramp with its ends, and a marker at the value under the crosshair. */
export function ColorBar({ model }: { model: MapModel }): JSX.Element {
  const store = useStore();
  const palette = usePalette();
  const dpr = useDpr();
  const canvas = useRef<HTMLCanvasElement>(null);
  const scale = store.view.scale.value;
  const { map } = store.maps.state.value;
  const cell = store.cursor.cell.value;
  const outOfRange = map?.outOfRange ?? false;

  useLayoutEffect(() => {
    const context = canvas.current && prepare(canvas.current, BAR_WIDTH, BAR_HEIGHT, dpr);
    if (!context) return;
    for (let x = 0; x < BAR_WIDTH; x++) {
      context.fillStyle = palette.css[Math.round((x / (BAR_WIDTH - 1)) * 255)] ?? '';
      context.fillRect(x, 0, 1, BAR_HEIGHT);
    }
    if (scale === 'row') {
      // Stripes at the end: it is another weight in every row.
      context.fillStyle = palette.mask;
      for (let y = 0; y < BAR_HEIGHT; y += 4) context.fillRect(BAR_WIDTH - 6, y, 6, 2);
    }
  }, [palette, dpr, scale]);

  let marker: number | null = null;
  if (map && cell) {
    const { weight } = readCell(map, cell);
    const most = rowMaximum(map.weights, cell.query * map.keys, model.region.value.keys);
    if (Number.isFinite(weight)) marker = position(scale, weight, most) * 100;
  }
  const { colors } = store.view;
  return (
    <Picker
      caption=""
      testId="colors-picker"
      align="right"
      title={`Colours: ${COLOR_NAMES[colors.value]}, ${SCALE_NAMES[scale]}, ${SCALE_DETAILS[scale]}`}
      value={colors.value}
      options={COLORS.map((name) => ({ value: name, label: COLOR_NAMES[name] }))}
      onPick={(value) => (colors.value = value as Colors)}
    >
      <span class="colorbar">
        <span class="colorbar-end">
          {scale === 'log' ? String(LOG_FLOOR).replace(/^0/, '') : '0'}
        </span>
        <span class="colorbar-ramp">
          {outOfRange && <i class="clip low" title="Weights below 0 are in this record" />}
          <canvas ref={canvas} />
          {outOfRange && <i class="clip high" title="Weights above 1 are in this record" />}
          {marker !== null && <i class="colorbar-marker" style={style({ left: `${marker}%` })} />}
        </span>
        <span class="colorbar-end">{scale === 'row' ? 'max' : '1'}</span>
      </span>
    </Picker>
  );
}
