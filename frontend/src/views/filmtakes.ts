/** What can be taken away from a film strip. */
import { filmName, toFilmCsv, toNpy } from '../render/export';
import { cellPixels } from '../render/map';
import type { Palette } from '../render/palette';
import { toSvg } from '../render/svg';
import { formatStep } from '../state/format';
import type { Store } from '../state/store';
import type { Take } from './export';
import type { MapModel } from './mapmodel';
import { cellLayout, drawing, MOST_PIXELS, notes, rasterize, subjectOf, text } from './takes';

/** Columns of a page: as many maps as a line of print has room for. */
const COLUMNS = 6;

/** Null until all maps are there: a file with gaps would look like a whole one. */
export function filmTakes(store: Store, model: MapModel, palette: Palette): readonly Take[] | null {
  const { run, layer, head, example, aggregate } = store.selection;
  const frames = store.film.frames.value;
  const maps = frames.flatMap(({ map }) => (map ? [map] : []));
  if (!run.value || !layer.value || maps.length === 0 || maps.length < frames.length) return null;
  const [runName, layerName] = [run.value.name, layer.value.name];
  const region = model.region.value;
  const steps = maps.map(({ step }) => step);
  const named = (kind: string) =>
    filmName(runName, layerName, subjectOf(store), example.value, steps, kind);
  const tokens = [model.queryTokens.value, model.keyTokens.value] as const;
  const csv = () => toFilmCsv(maps, region, ...tokens);
  const svg = () =>
    toSvg({
      title: [
        runName,
        layerName,
        aggregate.value?.name ?? `head ${head.value}`,
        `example ${example.value + 1}`,
      ].join(' · '),
      note: notes(store),
      maps: maps.map((map) =>
        drawing(
          `step ${formatStep(map.step)}`,
          cellPixels(map, region, cellLayout(region), store.view.scale.value, palette),
        ),
      ),
      columns: COLUMNS,
      region,
      queryTokens: tokens[0],
      keyTokens: tokens[1],
      colors: palette,
    });
  const pictures: Take[] = [
    {
      kind: 'png',
      label: 'PNG',
      detail: 'the maps with their steps',
      name: named('png'),
      make: () => rasterize(svg()),
    },
    {
      kind: 'svg',
      label: 'SVG',
      detail: 'the maps with their steps',
      name: named('svg'),
      make: () => text(svg(), 'image/svg+xml'),
    },
  ];
  const { queries, keys } = region;
  return [
    ...(queries * keys * maps.length <= MOST_PIXELS ? pictures : []),
    {
      kind: 'csv',
      label: 'CSV',
      detail: 'a line per step and cell',
      name: named('csv'),
      make: () => text(csv(), 'text/csv'),
    },
    {
      kind: 'npy',
      label: 'NPY',
      detail: `float32 [${maps.length}, ${queries}, ${keys}]`,
      name: named('npy'),
      make: () => new Blob([toNpy(maps, region)], { type: 'application/octet-stream' }),
    },
    { kind: 'copy', label: 'Copy', detail: 'the table as text', make: csv },
  ];
}
