import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { ExampleInfo } from '../api/model';
import { metricTitle, plural } from '../state/format';
import { useStore } from '../state/store';
import { runningText } from '../state/tokens';
import type { Pane } from '../state/url';
import { EventList } from './eventlist';
import { Heads } from './heads';
import { HeadsBar } from './headsbar';
import type { Size } from './hooks';
import { RankedHeads } from './rankedheads';
import { Thumbnail } from './thumbnails';

export function LeftPane(): JSX.Element {
  const store = useStore();
  const { run, pane } = store.selection;
  const layers = run.value?.layers ?? [];
  const heads = layers.reduce((sum, layer) => sum + layer.heads, 0);
  const most = Math.max(0, ...layers.map((layer) => layer.heads));
  const root = useRef<HTMLElement>(null);
  const { drawerOpen } = store;
  useEffect(() => {
    if (!drawerOpen.value) return;
    // What was opened by going to its field has the focus there already.
    if (root.current?.contains(document.activeElement) !== true) {
      root.current?.querySelector<HTMLElement>('[aria-selected="true"]')?.focus();
    }
    // Its own button closes it by itself; a press anywhere else means the map.
    const listener = (event: Event) => {
      const target = event.target instanceof Element ? event.target : null;
      if (target && (root.current?.contains(target) || target.closest('.drawer-button'))) return;
      drawerOpen.value = false;
    };
    document.addEventListener('pointerdown', listener);
    return () => document.removeEventListener('pointerdown', listener);
  }, [drawerOpen.value, drawerOpen]);
  return (
    <aside
      class={`left ${drawerOpen.value ? 'open' : ''}`}
      aria-label="Heads and examples"
      ref={root}
    >
      <div class="bar">
        <div class="tabs" role="tablist">
          <Tab pane="heads" label="Heads" />
          <Tab pane="examples" label="Examples" />
          <Tab pane="events" label="Events" />
        </div>
        {pane.value === 'heads' && layers.length > 0 && (
          <span class="bar-note" title="Layers × heads">
            {layers.every((layer) => layer.heads === most)
              ? most > 7
                ? `${plural(layers.length, 'layer')} × ${plural(most, 'head')}`
                : `${layers.length} × ${most}`
              : plural(heads, 'head')}
          </span>
        )}
      </div>
      <div class="left-body" role="tabpanel" aria-label={pane.value}>
        {pane.value === 'heads' ? (
          <>
            {heads > 1 && <HeadsBar />}
            {heads > 1 && store.view.sort.value !== 'layer' ? <RankedHeads /> : <Heads />}
          </>
        ) : pane.value === 'events' ? (
          <EventList />
        ) : (
          <Examples />
        )}
        {store.atlases.problem.value && (
          <p class="pane-problem">Thumbnails: {store.atlases.problem.value}</p>
        )}
      </div>
    </aside>
  );
}

function Tab({ pane, label }: { pane: Pane; label: string }): JSX.Element {
  const store = useStore();
  return (
    <button
      type="button"
      role="tab"
      class="tab"
      aria-selected={store.selection.pane.value === pane}
      data-testid={`pane-${pane}`}
      onClick={() => (store.view.pane.value = pane)}
    >
      {label}
    </button>
  );
}

/** Alignments are judged by how diagonal they are; without that metric, by the first one. */
function listedMetric(names: readonly string[]): string | null {
  return names.find((name) => name === 'diagonality') ?? names[0] ?? null;
}

export function Examples({ box = EXAMPLE_BOX }: { box?: Size }): JSX.Element {
  const store = useStore();
  const examples = store.examples.value;
  const root = useRef<HTMLDivElement>(null);
  const metric = listedMetric(store.metrics.names.value);

  function onKeyDown(event: KeyboardEvent): void {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const to = Math.max(0, Math.min(examples.length - 1, store.selection.example.value + by));
    store.selectExample(to);
    requestAnimationFrame(() =>
      root.current?.querySelector<HTMLElement>('[tabindex="0"]')?.focus(),
    );
  }

  return (
    <>
      <div
        class="examples"
        role="listbox"
        aria-label="Examples"
        ref={root}
        onKeyDown={onKeyDown}
        data-testid="examples"
      >
        {examples.map((example, i) => (
          <ExampleRow key={i} example={example} index={i} metric={metric} box={box} />
        ))}
      </div>
      <p class="left-note">
        {plural(examples.length, 'fixed probe example')}.
        {metric && ` Number: ${metricTitle(metric).toLowerCase()} at this step.`}
      </p>
    </>
  );
}

/** What its frame leaves free: as high as stored thumbnails, of which no row may be lost. */
const EXAMPLE_BOX = { width: 72, height: 32 };

function ExampleRow(props: {
  example: ExampleInfo;
  index: number;
  metric: string | null;
  box: Size;
}): JSX.Element {
  const { example, index, metric } = props;
  const store = useStore();
  const { selection } = store;
  const selected = selection.example.value === index;
  const layer = selection.layer.value;
  const head = selection.head.value;
  const source = runningText(example.keyTokens);
  const output = runningText(example.queryTokens);
  const value =
    metric && selection.step.value !== null
      ? store.metrics.at(metric, selection.step.value, index, head)
      : undefined;
  return (
    <div
      role="option"
      class="example"
      aria-selected={selected}
      tabIndex={selected ? 0 : -1}
      data-example={index}
      title={source && output && source !== output ? `${source} → ${output}` : source}
      onClick={() => store.selectExample(index)}
      onKeyDown={(event) => {
        if (event.key === 'Enter') store.selectExample(index);
      }}
    >
      <span class="example-frame">
        <Thumbnail
          tiles={layer ? store.atlases.tiles(layer.name, index) : undefined}
          head={head}
          box={props.box}
        />
      </span>
      <span class="example-source">
        <bdi>{source || `Example ${index + 1}`}</bdi>
      </span>
      <span class="example-output">
        <bdi>
          {output && output !== source ? output : `${example.queryLength} × ${example.keyLength}`}
        </bdi>
      </span>
      <span class="example-metric">{value === undefined ? '' : value.toFixed(2)}</span>
    </div>
  );
}
