import type { Signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useLayoutEffect } from 'preact/hooks';
import { useStore } from '../state/store';
import { ColumnLabels, RowLabels } from './axislabels';
import { LOW, NARROW, useDpr, useMedia, useSize, type Size } from './hooks';
import { FailureOutlines } from './failures';
import { Readout } from './inspector';
import { Announcer, Crosshair, MapCanvas, MaskNote, Profiles } from './mapcanvas';
import { LensBox } from './lens';
import type { MapModel } from './mapmodel';
import { Pins } from './pins';
import { MapProblem } from './states';
import { TextStrip } from './textstrip';
import { PoolNote, SaidLine, ViewBar } from './viewbar';

export function MapView(props: {
  /** Written here, read by the model. */
  size: Signal<Size & { dpr: number }>;
  model: MapModel;
}): JSX.Element {
  const { size, model } = props;
  const store = useStore();
  const [pane, measured] = useSize<HTMLDivElement>();
  const dpr = useDpr();
  useLayoutEffect(() => {
    size.value = { ...measured, dpr };
  }, [measured, dpr, size]);
  const narrow = useMedia(NARROW);
  const low = useMedia(LOW);
  const { status } = store.maps.state.value;
  return (
    <section class="view" aria-label="Map">
      <ViewBar model={model} />
      <SaidLine />
      <div class="map-pane" ref={pane}>
        <Profiles model={model} />
        <ColumnLabels model={model} />
        <RowLabels model={model} />
        <MapCanvas model={model} />
        <MaskNote model={model} />
        <PoolNote layout={model.layout.value} />
        <LensBox model={model} />
        {status !== 'error' && <FailureOutlines model={model} />}
        {status !== 'error' && <Pins model={model} />}
        {status !== 'error' && <Crosshair model={model} />}
        <LoadingTag />
        {status === 'error' && <MapProblem model={model} />}
        <Announcer model={model} />
      </div>
      {!low && <TextStrip model={model} />}
      {narrow && <Readout model={model} />}
    </section>
  );
}

/** Says that a preview is drawn instead of the map, and how large the map is. */
function LoadingTag(): JSX.Element | null {
  const store = useStore();
  const { slow } = store.maps.state.value;
  const { run, layer, example } = store.selection;
  if (!layer.value || (!slow && !run.value?.thumbnailsOnly)) return null;
  const { aggregate } = store.selection;
  const tiles = aggregate.value ? undefined : store.atlases.tiles(layer.value.name, example.value);
  const size = tiles && !tiles.problem ? `${tiles.rows} × ${tiles.columns}` : null;
  if (!slow) {
    return (
      <div class="loading-tag">{size ? `${size} thumbnail, maxima of the map` : 'No map'}</div>
    );
  }
  const loading = aggregate.value
    ? `${aggregate.value.name}: reading its maps`
    : `Loading ${layer.value.queries} × ${layer.value.keys}`;
  return (
    <div class="loading-tag" role="status">
      {size ? `Preview ${size}. ${loading}` : loading}
    </div>
  );
}
