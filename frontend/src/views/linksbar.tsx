import type { JSX } from 'preact';
import { headsOf } from '../api/heads';
import { useMemo } from 'preact/hooks';
import { countLinks, type LinkCounts } from '../render/links';
import { plural } from '../state/format';
import { useStore } from '../state/store';
import { LEAST_WEIGHTS, MOST_LINKED_HEADS, PER_QUERY } from '../state/url';
import { ExportMenu } from './export';
import { usePalette } from './hooks';
import { Icon } from './icons';
import type { MapModel } from './mapmodel';
import { Picker } from './picker';
import { style } from './style';
import { linkTakes } from './linktakes';
import { HidePicker, ModeTabs } from './viewbar';

/** What is drawn, of which heads, and how much is not. */
export function LinksBar({ model }: { model: MapModel }): JSX.Element {
  const store = useStore();
  const palette = usePalette();
  const { view, links } = store;
  const least = view.least.value;
  const perQuery = view.perQuery.value;
  return (
    <div class="bar viewbar links-bar">
      <ModeTabs />
      <label class="least">
        <span>Weight ≥</span>
        <b>{least}</b>
        <input
          type="range"
          min={0}
          max={LEAST_WEIGHTS.length - 1}
          value={Math.max(0, (LEAST_WEIGHTS as readonly number[]).indexOf(least))}
          aria-valuetext={String(least)}
          data-testid="least"
          onInput={(event) =>
            (view.least.value = LEAST_WEIGHTS[Number(event.currentTarget.value)] ?? 0)
          }
        />
      </label>
      <Picker
        caption="Per query"
        testId="per-query"
        value={String(perQuery)}
        options={PER_QUERY.map((n) => ({
          value: String(n),
          label: n === 0 ? 'all' : n === 1 ? 'strongest' : `strongest ${n}`,
        }))}
        onPick={(value) => (view.perQuery.value = Number(value))}
      />
      <HidePicker />
      <ExportMenu what="these links" takes={linkTakes(store, model, palette)} />
      <div class="spring" />
      {links.heads.value.map(({ head, name }, i) => (
        <HeadChip
          key={name}
          head={head}
          name={name}
          index={i}
          only={links.heads.value.length === 1}
        />
      ))}
      <AddHead />
    </div>
  );
}

/** How much of the drawn heads’ weight is seen; the rest is hidden by the choices in the bar. */
export function LinkCountsNote({ model }: { model: MapModel }): JSX.Element | null {
  const { links, view } = useStore();
  const heads = links.heads.value;
  const region = model.region.value;
  const least = view.least.value;
  const perQuery = view.perQuery.value;
  const maps = heads.map(({ map }) => map);
  const counts = useMemo<LinkCounts>(() => {
    const all = maps.flatMap((map) => (map ? [countLinks(map, region, { least, perQuery })] : []));
    const sum = (of: (one: LinkCounts) => number) => all.reduce((total, one) => total + of(one), 0);
    return {
      possible: sum((one) => one.possible),
      drawn: sum((one) => one.drawn),
      weight: sum((one) => one.weight),
      drawnWeight: sum((one) => one.drawnWeight),
    };
  }, [...maps, maps.length, region, least, perQuery]);
  if (counts.possible === 0) return null;
  const part = counts.weight > 0 ? (counts.drawnWeight / counts.weight) * 100 : 0;
  const percent = part > 99.95 || part === 0 ? part.toFixed(0) : part.toFixed(part < 10 ? 1 : 0);
  const hidden = counts.possible - counts.drawn;
  return (
    <span
      class="link-counts"
      data-testid="link-counts"
      title={`${plural(hidden, 'link')} hidden, with ${(100 - part).toFixed(1)} % of the weight`}
    >
      {counts.drawn.toLocaleString('en')} of {counts.possible.toLocaleString('en')} links, {percent}{' '}
      % of the weight
    </span>
  );
}

function HeadChip(props: {
  head: number;
  name: string;
  index: number;
  only: boolean;
}): JSX.Element {
  const { head, name, index, only } = props;
  const palette = usePalette();
  const { links } = useStore();
  const swatch = <i style={style({ background: palette.heads[index] })} />;
  if (only) {
    // The last one stays: it is a legend, nothing to press.
    return (
      <span class="head-chip" data-testid={`linked-head-${head}`} title={`Links of ${name}`}>
        {swatch}
        {name}
      </span>
    );
  }
  return (
    <button
      type="button"
      class="head-chip"
      data-testid={`linked-head-${head}`}
      title={`Take the links of ${name} away`}
      onClick={() => links.toggleHead(head)}
    >
      {swatch}
      {name}
      <Icon name="close" size={12} />
    </button>
  );
}

function AddHead(): JSX.Element | null {
  const { links, selection } = useStore();
  const shown = new Set(links.heads.value.map(({ head }) => head));
  const layer = selection.layer.value;
  const options = (layer ? headsOf(layer) : [])
    .filter((head) => !shown.has(head))
    .map((head) => ({ value: String(head), label: `Head ${head}` }));
  if (options.length === 0 || shown.size >= MOST_LINKED_HEADS) return null;
  return (
    <Picker
      caption=""
      testId="add-head"
      align="right"
      title="Draw the links of another head too"
      value=""
      options={options}
      onPick={(value) => links.toggleHead(Number(value))}
    >
      Add head
    </Picker>
  );
}
