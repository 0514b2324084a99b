import { batch, computed, effect, signal, type ReadonlySignal, type Signal } from '@preact/signals';
import { headBeside } from '../api/heads';
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { EventInfo, ExampleInfo, LayerInfo } from '../api/model';
import type { AggregateKind } from './aggregate';
import { createAtlases, type Atlases } from './atlases';
import { watchCatalog, type CatalogWatch } from './catalog';
import { createCompare, type Compare } from './compare';
import { createCursor, type Cursor } from './cursor';
import { createEvents, neighbour, type Events } from './events';
import { createExamples } from './examples';
import { createFilm, type Film } from './film';
import { createFailures, type Failures } from './failures';
import { createHeadList, type HeadList } from './headlist';
import { createHeadMetrics, isModest, type HeadMetrics } from './headmetrics';
import type { Host } from './host';
import { anyLive, looksLive } from './live';
import { createLinks, type Links } from './links';
import { createMasks, type Masks } from './masks';
import { createMaps, type Maps } from './maps';
import { createMetrics, type Metrics } from './metrics';
import { createPlayback, type Playback } from './playback';
import { createSelection, type Selection } from './selection';
import { move, nearestIndex } from './steps';
import { syncWithAddress } from './sync';
import type { Cell, Mode } from './url';
import { createView, type View } from './view';

/** Everything the views read, and every way they change it. */
export interface Store {
  readonly catalog: CatalogWatch;
  readonly view: View;
  readonly selection: Selection;
  readonly examples: ReadonlySignal<readonly ExampleInfo[]>;
  readonly masks: Masks;
  readonly maps: Maps;
  readonly compare: Compare;
  readonly links: Links;
  readonly film: Film;
  readonly atlases: Atlases;
  readonly metrics: Metrics;
  /** Of all layers, while something shows them. */
  readonly headMetrics: HeadMetrics;
  readonly heads: HeadList;
  readonly events: Events;
  readonly failures: Failures;
  readonly cursor: Cursor;
  readonly playback: Playback;
  readonly dark: ReadonlySignal<boolean>;
  /** Milliseconds of `Date.now()`, once a second. */
  readonly now: ReadonlySignal<number>;
  readonly live: ReadonlySignal<boolean>;
  /** Steps recorded since the person last was at the end. */
  readonly newSteps: ReadonlySignal<readonly number[]>;
  /** Where the lens stays while one points into it; it follows the crosshair otherwise. */
  readonly lensHeld: Signal<Cell | null>;
  readonly keysOpen: Signal<boolean>;
  /** The left pane, where the window is too narrow for it to stay. */
  readonly drawerOpen: Signal<boolean>;
  goToIndex(index: number): void;
  moveBy(by: number): void;
  goToStep(step: number): void;
  selectRun(name: string): void;
  selectLayer(name: string): void;
  selectHead(layer: string, head: number): void;
  selectAggregate(kind: AggregateKind): void;
  /** To the first record that shows an event, and to the head that it happened to. */
  goToEvent(event: EventInfo): void;
  /** To the next (1) or the previous (-1) event that is shown; false when there is none. */
  moveEvent(by: 1 | -1): boolean;
  selectExample(example: number): void;
  moveHead(by: number): void;
  moveLayer(by: number): void;
  moveExample(by: number): void;
  setMode(mode: Mode): void;
  /** The address that reproduces this view. */
  link(): string;
}

export function createStore(host: Host): Store {
  const dark = signal(false);
  const visible = signal(true);
  const now = signal(Date.now());
  host.observeDark((value) => (dark.value = value));
  host.observeVisible((value) => (visible.value = value));
  effect(() => {
    if (!visible.value) return;
    now.value = Date.now();
    const timer = setInterval(() => (now.value = Date.now()), 1000);
    return () => clearInterval(timer);
  });

  const view = createView();
  const address = syncWithAddress(host, view);
  const catalog = watchCatalog(visible, (value, grewAt) => anyLive(value, Date.now(), grewAt));
  const selection = createSelection(catalog.catalog, view);
  const playback = createPlayback(view, selection, visible);
  const travel = computed(() => ({
    direction: playback.direction.value,
    loop: view.loop.value && playback.playing.value,
  }));
  const examples = createExamples(selection);
  const masks = createMasks(view, selection, examples);
  const maps = createMaps(catalog.catalog, selection, travel, masks);
  const metrics = createMetrics(selection, view);
  const compare = createCompare(catalog.catalog, selection, view, masks, metrics);
  // What is compared may be there where the map at the playhead is not, and the other way round.
  const comparing = computed(() => view.mode.value === 'compare');
  const cursor = createCursor(
    view,
    computed(() => (comparing.value ? compare.map.value : null) ?? maps.state.value.map),
    computed(() => (comparing.value ? compare.region.value : null)),
  );
  const links = createLinks(catalog.catalog, selection, view, maps, cursor, masks);
  // What one looks at comes first: the rest would keep the server busy meanwhile.
  const opened = signal(false);
  effect(() => {
    const { status } = maps.state.value;
    if (status === 'ready' || status === 'error') opened.value = true;
    if (status === 'none' && selection.run.value !== null) opened.value = true;
  });
  const later = computed(() => visible.value && opened.value);
  const events = createEvents(selection, later);
  const headMetrics = createHeadMetrics(
    selection,
    computed(
      () =>
        later.value &&
        (view.matrix.value ||
          view.sort.value !== 'layer' ||
          view.only.value !== null ||
          (selection.pane.value === 'heads' && isModest(selection.run.value))),
    ),
  );
  const drawerOpen = signal(false);
  // Beside a comparison there are the examples, unless the pane is opened over it.
  const listed = computed(() =>
    comparing.value && !drawerOpen.value ? 'examples' : selection.pane.value,
  );
  const live = computed(() => {
    const layer = selection.layer.value;
    return layer !== null && looksLive(layer, now.value, catalog.grewAt.value);
  });

  // Nothing was chosen: the latest record. It then stays, whatever is recorded after it.
  effect(() => {
    const last = selection.steps.value.at(-1);
    if (last !== undefined && (view.step.value === null || view.follow.value)) {
      view.step.value = last;
    }
  });

  const seen = signal<{ subject: LayerInfo['name']; last: number } | null>(null);
  const subject = computed(
    () => `${selection.run.value?.name ?? ''}\n${selection.layer.value?.name ?? ''}`,
  );
  effect(() => {
    const last = selection.steps.value.at(-1);
    if (last === undefined) return;
    const before = seen.peek();
    const rewound = before !== null && before.last > last;
    if (before?.subject !== subject.value || rewound || selection.step.value === last) {
      seen.value = { subject: subject.value, last };
    }
  });
  const newSteps = computed(() => {
    const last = seen.value?.last ?? Infinity;
    return view.follow.value ? [] : selection.steps.value.filter((step) => step > last);
  });

  function goToStep(step: number): void {
    const before = selection.step.peek() ?? step;
    playback.moved(step < before ? -1 : 1);
    const last = selection.steps.peek().at(-1);
    // Looking back is a wish to stay there.
    if (step !== last) view.follow.value = false;
    view.step.value = step;
  }

  function goToIndex(index: number): void {
    const step = selection.steps.peek()[index];
    if (step !== undefined) goToStep(step);
  }

  function goToEvent(event: EventInfo): void {
    playback.stop();
    batch(() => {
      view.layer.value = event.layer;
      view.head.value = event.head;
      view.aggregate.value = null;
      goToStep(event.step);
    });
    settle();
  }

  function selectLayer(name: string): void {
    view.layer.value = name;
  }

  return {
    catalog,
    view,
    selection,
    examples,
    failures: createFailures(
      selection,
      maps,
      examples,
      computed(() => selection.aggregate.value === null && masks.hidden.value.length === 0),
    ),
    masks,
    maps,
    compare,
    links,
    film: createFilm(catalog.catalog, selection, view, maps, masks, events),
    atlases: createAtlases(catalog.catalog, selection, visible, listed),
    metrics,
    headMetrics,
    heads: createHeadList(selection, view, metrics, headMetrics),
    events,
    cursor,
    playback,
    dark,
    now,
    live,
    newSteps,
    lensHeld: signal<Cell | null>(null),
    keysOpen: signal(false),
    drawerOpen,
    goToIndex,
    moveBy(by) {
      playback.stop();
      goToIndex(move(selection.steps.peek().length, selection.index.peek(), by));
    },
    goToStep(step) {
      playback.stop();
      goToStep(step);
    },
    selectRun(name) {
      playback.stop();
      view.run.value = name;
      // A layer, head or example that this run does not have was a choice in the other one.
      const run = selection.run.peek();
      if (!run?.layers.some((layer) => layer.name === view.layer.peek())) view.layer.value = null;
      // A head that it does not have is said: another one would pass for the one that was chosen.
      settle({ head: false });
    },
    selectLayer(name) {
      selectLayer(name);
      settle();
    },
    selectHead(layer, head) {
      if (layer !== selection.layer.peek()?.name) selectLayer(layer);
      view.head.value = head;
      view.aggregate.value = null;
      settle();
    },
    selectAggregate(kind) {
      view.aggregate.value = kind;
    },
    goToEvent,
    moveEvent(by) {
      const layer = selection.layer.peek()?.name ?? '';
      const at = { step: selection.step.peek() ?? 0, layer, head: selection.head.peek() };
      const event = neighbour(events.shown.peek(), at, by);
      if (event) goToEvent(event);
      return event !== undefined;
    },
    selectExample(example) {
      view.example.value = example;
    },
    moveHead(by) {
      view.aggregate.value = null;
      const layer = selection.layer.peek();
      if (layer) view.head.value = headBeside(layer, selection.head.peek(), by);
    },
    moveLayer(by) {
      const layers = selection.run.peek()?.layers ?? [];
      const index = layers.findIndex((layer) => layer.name === selection.layer.peek()?.name);
      const layer = layers[move(layers.length, index, by)];
      if (layer) selectLayer(layer.name);
      settle();
    },
    moveExample(by) {
      const count = selection.layer.peek()?.examples.length ?? 0;
      if (count > 0) view.example.value = (selection.example.peek() + by + count) % count;
    },
    setMode(mode) {
      // What one looked at is side A, and stays so while the playhead moves on.
      if (mode === 'compare') view.a.value ??= selection.step.peek();
      drawerOpen.value = false;
      view.mode.value = mode;
    },
    link() {
      address.flush();
      return host.address();
    },
  };

  /** After a choice made here, what could not be kept is let go without a notice about it. */
  function settle({ head } = { head: true }): void {
    if (head) view.head.value = selection.head.peek();
    view.example.value = selection.example.peek();
    const steps = selection.steps.peek();
    const step = view.step.peek();
    if (step !== null && nearestIndex(steps, step) < 0) view.step.value = null;
  }
}

const StoreContext = createContext<Store | null>(null);
export const StoreProvider = StoreContext.Provider;

export function useStore(): Store {
  const store = useContext(StoreContext);
  if (!store) throw new Error('No store was provided.');
  return store;
}
