/** What can be taken away from the links. */
import { fileName, toLinksCsv } from '../render/export';
import { chooseLinks } from '../render/links';
import { toLinksSvg } from '../render/linksvg';
import type { Palette } from '../render/palette';
import { formatStep, plural } from '../state/format';
import { MOST_SPREAD } from '../state/links';
import type { Store } from '../state/store';
import type { Take } from './export';
import type { MapModel } from './mapmodel';
import { rasterize, subjectOf, text } from './takes';

/** The links that the choices leave: pictures as drawn, the table of all tokens. */
export function linkTakes(store: Store, model: MapModel, palette: Palette): readonly Take[] | null {
  const { links, view, selection, cursor } = store;
  const { run, layer, example } = selection;
  const heads = links.heads.value;
  const first = heads[0]?.map;
  if (!first || !run.value || !layer.value) return null;
  const region = model.region.value;
  const choice = { least: view.least.value, perQuery: view.perQuery.value };
  const others = heads.slice(1).map(({ head }) => `head${head}`);
  const subject = ['links', subjectOf(store), ...others].join('-');
  const [runName, layerName] = [run.value.name, layer.value.name];
  const named = (kind: string) =>
    fileName(runName, layerName, subject, example.value, first.step, kind);
  const csv = () =>
    toLinksCsv(
      heads.map(({ name, map }) => ({
        name,
        links: map ? chooseLinks(map, region, choice) : [],
      })),
      model.queryTokens.value,
      model.keyTokens.value,
    );
  // Of long sequences the view draws the links of single tokens, and so does the picture.
  const long = Math.max(region.queries, region.keys) > MOST_SPREAD;
  const focused =
    long && links.focused.value.length === 0
      ? [{ side: 'query' as const, index: cursor.cell.value?.query ?? 0 }]
      : links.focused.value;
  const svg = () => {
    const drawn = heads.map(({ name, map }, i) => ({
      name,
      links: map ? chooseLinks(map, region, choice, long ? focused : null) : [],
      color: palette.heads[i] ?? '',
    }));
    const count = drawn.reduce((sum, one) => sum + one.links.length, 0);
    return toLinksSvg({
      title: [
        runName,
        layerName,
        heads.map(({ name }) => name.toLowerCase()).join(', '),
        `example ${example.value + 1}`,
        `step ${formatStep(first.step)}`,
      ].join(' · '),
      note: [
        `${plural(count, 'link')} of weight ${choice.least} or more`,
        choice.perQuery > 0 ? `the strongest ${choice.perQuery} of each query` : '',
        long ? `of ${focused.map(({ side, index }) => `${side} ${index}`).join(' and ')}` : '',
        store.masks.said.value,
      ]
        .filter(Boolean)
        .join(' · '),
      heads: drawn,
      queries: region.queries,
      keys: region.keys,
      queryTokens: model.queryTokens.value,
      keyTokens: model.keyTokens.value,
      focused,
      linkedOnly: long,
      colors: palette,
    });
  };
  return [
    {
      kind: 'png',
      label: 'PNG',
      detail: 'the links with their tokens',
      name: named('png'),
      make: () => rasterize(svg()),
    },
    {
      kind: 'svg',
      label: 'SVG',
      detail: 'the links with their tokens',
      name: named('svg'),
      make: () => text(svg(), 'image/svg+xml'),
    },
    {
      kind: 'csv',
      label: 'CSV',
      detail: 'a line per link',
      name: named('csv'),
      make: () => text(csv(), 'text/csv'),
    },
    { kind: 'copy', label: 'Copy', detail: 'the links as text', make: csv },
  ];
}
