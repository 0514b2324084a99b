/** What can be taken away from each view. */
import type { AttentionMap } from '../api/model';
import { differenceAt, diffPixels } from '../render/diff';
import { compareName, fileName, toCompareCsv, toCsv, toNpy } from '../render/export';
import { layoutLens } from '../render/lens';
import type { MapLayout } from '../render/layout';
import { cellPixels } from '../render/map';
import type { Palette } from '../render/palette';
import { toSvg, type SvgMap } from '../render/svg';
import type { SideName } from '../state/compare';
import type { Region } from '../state/cursor';
import { formatStep } from '../state/format';
import type { Store } from '../state/store';
import type { Hide, Scale } from '../state/url';
import type { Take } from './export';
import type { MapModel } from './mapmodel';

const HIDDEN_NAMES: Readonly<Record<Hide, string>> = {
  none: '',
  first: 'first-key',
  special: 'special-tokens',
  both: 'first-key-and-special-tokens',
};

const SCALES: Readonly<Record<Scale, string>> = {
  linear: 'colours linear from 0 to 1',
  log: 'colours logarithmic from 0.001 to 1',
  row: 'colours linear from 0 to the maximum of each row',
};

/** Pixels of a picture's map are cells, up to this many. */
export const MOST_PIXELS = 2 ** 22;

function suffix({ masks, view }: Store): string {
  return masks.hidden.peek().length > 0 ? `_without-${HIDDEN_NAMES[view.hide.peek()]}` : '';
}

export function subjectOf(store: Store): string {
  const { selection } = store;
  const subject = selection.aggregate.value?.file ?? `head${selection.head.value}`;
  return subject + suffix(store);
}

export function text(content: string, type: string): Blob {
  return new Blob([content], { type: `${type};charset=utf-8` });
}

export function png(canvas: HTMLCanvasElement | null): Promise<Blob | null> {
  return new Promise((done) => (canvas ? canvas.toBlob(done) : done(null)));
}

/** The same picture in pixels, two for each of its own, as far as browsers have canvases. */
export async function rasterize(svg: string): Promise<Blob | null> {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await image.decode();
  const scale = Math.min(2, LARGEST_CANVAS / Math.max(image.width, image.height));
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(image.width * scale);
  canvas.height = Math.round(image.height * scale);
  canvas.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return png(canvas);
}

const LARGEST_CANVAS = 16_000;

/** The whole region, a pixel per cell. */
export function cellLayout(region: Region): MapLayout {
  const whole = { firstQuery: 0, firstKey: 0 };
  return {
    ...layoutLens(0, region, { query: 0, key: 0 }),
    ...whole,
    visibleQueries: region.queries,
    visibleKeys: region.keys,
  };
}

export function drawing(heading: string, pixels: ImageData): SvgMap {
  return {
    heading,
    pixels,
    image() {
      const canvas = document.createElement('canvas');
      canvas.width = pixels.width;
      canvas.height = pixels.height;
      canvas.getContext('2d')?.putImageData(pixels, 0, 0);
      return canvas.toDataURL('image/png');
    },
  };
}

export function notes(store: Store): string {
  const { masks, selection } = store;
  const said = [SCALES[store.view.scale.value], masks.said.value, selection.aggregate.value?.about];
  return said.filter(Boolean).join(' · ');
}

/** The map as it is shown. */
export function mapTakes(store: Store, model: MapModel, palette: Palette): readonly Take[] | null {
  const { map } = store.maps.state.value;
  const { run, layer, head, example, aggregate } = store.selection;
  const region = model.region.value;
  if (!map || !run.value || !layer.value) return null;
  const [runName, layerName] = [run.value.name, layer.value.name];
  const named = (kind: string) =>
    fileName(runName, layerName, subjectOf(store), example.value, map.step, kind);
  const csv = () => toCsv(map, region, model.queryTokens.value, model.keyTokens.value);
  const { queries, keys } = region;
  const title = [
    runName,
    layerName,
    aggregate.value?.name ?? `head ${head.value}`,
    `example ${example.value + 1}`,
    `step ${formatStep(map.step)}`,
  ].join(' · ');
  const svg = () =>
    toSvg({
      title,
      note: notes(store),
      maps: [
        drawing('', cellPixels(map, region, cellLayout(region), store.view.scale.value, palette)),
      ],
      region,
      queryTokens: model.queryTokens.value,
      keyTokens: model.keyTokens.value,
      colors: palette,
    });
  return [
    {
      kind: 'png',
      label: 'PNG',
      detail: 'the cells as drawn',
      name: named('png'),
      make: () => png(document.querySelector<HTMLCanvasElement>('canvas[data-testid="map"]')),
    },
    ...(queries * keys <= MOST_PIXELS
      ? [
          {
            kind: 'svg',
            label: 'SVG',
            detail: 'the whole map with its axes',
            name: named('svg'),
            make: () => text(svg(), 'image/svg+xml'),
          },
        ]
      : []),
    {
      kind: 'csv',
      label: 'CSV',
      detail: `${queries} × ${keys} weights with tokens`,
      name: named('csv'),
      make: () => text(csv(), 'text/csv'),
    },
    {
      kind: 'npy',
      label: 'NPY',
      detail: `float32 [${queries}, ${keys}]`,
      name: named('npy'),
      make: () => new Blob([toNpy(map, region)], { type: 'application/octet-stream' }),
    },
    { kind: 'copy', label: 'Copy', detail: 'the table as text', make: csv },
  ];
}

function difference(a: AttentionMap, b: AttentionMap, region: Region): AttentionMap {
  const values = new Float32Array(a.queries * a.keys);
  for (let query = 0; query < region.queries; query++) {
    for (let key = 0; key < region.keys; key++) {
      values[query * a.keys + key] = differenceAt(a, b, query, key);
    }
  }
  return { ...a, weights: { kind: 'floats', values } };
}

/** A, B and A − B. */
export function compareTakes(
  store: Store,
  model: MapModel,
  palette: Palette,
): readonly Take[] | null {
  const [first] = store.compare.rows.value;
  const { a, b } = store.compare;
  const [mapA, mapB] = [a.state.value.map, b.state.value.map];
  const [one, two] = [a.subject.value, b.subject.value];
  const region = model.region.value;
  if (!mapA || !mapB || !one || !two || !first?.verdict.value?.comparable) return null;
  const example = store.selection.example.value;
  const side = (name: SideName) => {
    const subject = name === 'a' ? one : two;
    const run = subject.run.name === one.run.name ? '' : `${subject.run.name}-`;
    const layer = subject.layer.name === one.layer.name ? '' : `${subject.layer.name}-`;
    return {
      name: name.toUpperCase(),
      subject: `${run}${layer}${subject.aggregate?.file ?? `head${subject.head}`}${suffix(store)}`,
      step: (name === 'a' ? mapA : mapB).step,
    };
  };
  const named = (kind: string) =>
    compareName(one.run.name, one.layer.name, example, [side('a'), side('b')], kind);
  const csv = () =>
    toCompareCsv(mapA, mapB, region, model.queryTokens.value, model.keyTokens.value);
  const scale = store.view.scale.value;
  const heading = (name: SideName) => {
    const { subject, step } = side(name);
    return `${name.toUpperCase()}: ${subject}, step ${formatStep(step)}`;
  };
  const svg = () => {
    const layout = cellLayout(region);
    return toSvg({
      title: `${one.run.name} · ${one.layer.name} · example ${example + 1}`,
      note: `${notes(store)} · A − B: blue where A has more, ochre where B has`,
      maps: [
        drawing(heading('a'), cellPixels(mapA, region, layout, scale, palette)),
        drawing(heading('b'), cellPixels(mapB, region, layout, scale, palette)),
        drawing('A − B', diffPixels(mapA, mapB, region, layout, scale, palette)),
      ],
      region,
      queryTokens: model.queryTokens.value,
      keyTokens: model.keyTokens.value,
      colors: palette,
    });
  };
  return [
    {
      kind: 'png',
      label: 'PNG',
      detail: 'A, B and A − B as drawn',
      name: named('png'),
      make: () => png(sideBySide(palette)),
    },
    ...(region.queries * region.keys <= MOST_PIXELS
      ? [
          {
            kind: 'svg',
            label: 'SVG',
            detail: 'A, B and A − B with axes',
            name: named('svg'),
            make: () => text(svg(), 'image/svg+xml'),
          },
        ]
      : []),
    {
      kind: 'csv',
      label: 'CSV',
      detail: 'a line per cell: A, B, A − B',
      name: named('csv'),
      make: () => text(csv(), 'text/csv'),
    },
    {
      kind: 'npy',
      label: 'NPY',
      detail: `float32 [3, ${region.queries}, ${region.keys}]`,
      name: named('npy'),
      make: () =>
        new Blob([toNpy([mapA, mapB, difference(mapA, mapB, region)], region)], {
          type: 'application/octet-stream',
        }),
    },
    { kind: 'copy', label: 'Copy', detail: 'the table as text', make: csv },
  ];
}

/** The three drawn panels in one row. */
function sideBySide(palette: Palette): HTMLCanvasElement | null {
  const panels = ['a', 'b', 'diff'].flatMap((name) => {
    const found = document.querySelector<HTMLCanvasElement>(
      `canvas[data-testid="compare-${name}"]`,
    );
    return found ? [found] : [];
  });
  const [first] = panels;
  if (!first) return null;
  const gap = 16;
  const canvas = document.createElement('canvas');
  canvas.width = panels.reduce((sum, panel) => sum + panel.width + gap, gap);
  canvas.height = first.height + 2 * gap;
  const context = canvas.getContext('2d');
  if (!context) return null;
  context.fillStyle = palette.paper;
  context.fillRect(0, 0, canvas.width, canvas.height);
  panels.forEach((panel, i) => context.drawImage(panel, gap + i * (first.width + gap), gap));
  return canvas;
}
