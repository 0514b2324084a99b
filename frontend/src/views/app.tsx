import { useSignal } from '@preact/signals';
import { allHeads } from '../api/heads';
import type { JSX } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import { useStore } from '../state/store';
import { CompareView } from './compare';
import { ContextBar, LogState } from './contextbar';
import { Dock } from './dock';
import { FilmView } from './film';
import { THUMB_PITCH } from './heads';
import { NARROW, useMedia } from './hooks';
import { Inspector } from './inspector';
import { Icon } from './icons';
import { ExampleRail } from './rail';
import { handleKey } from './keyboard';
import { KeySheet } from './keys';
import { LeftPane } from './leftpane';
import { createMapModel } from './mapmodel';
import { LinksView } from './links';
import { MapView } from './mapview';
import { Banners, Empty, Waiting } from './states';
import { style } from './style';

const LEFT = 240;
const LEFT_NARROW = 184;
const LEFT_MOST = 456;
const LEFT_MOST_NARROW = 320;

export function App(): JSX.Element {
  const store = useStore();
  useEffect(() => {
    const listener = (event: KeyboardEvent) => {
      if (handleKey(store, event)) event.preventDefault();
    };
    document.addEventListener('keydown', listener);
    return () => document.removeEventListener('keydown', listener);
  }, [store]);

  const catalog = store.catalog.catalog.value;
  if (!catalog) return <Bare body={<Waiting />} />;
  if (!catalog.runs.some((run) => run.layers.length > 0)) return <Bare body={<Empty />} />;
  return <Explorer />;
}

/** Without a run there is nothing to pick: the log directory and the state of the server remain. */
function Bare({ body }: { body: JSX.Element }): JSX.Element {
  const store = useStore();
  const logDir = store.catalog.catalog.value?.logDir;
  return (
    <div class="app bare">
      <header class="context">
        {logDir && (
          <span class="log-dir">
            Log directory <code>{logDir}</code>
          </span>
        )}
        <div class="spring" />
        <LogState />
        <button
          type="button"
          class="icon-button"
          aria-label="Look again now"
          title="Look again now"
          onClick={() => store.catalog.refresh()}
        >
          <Icon name="refresh" />
        </button>
      </header>
      {body}
    </div>
  );
}

/** The left pane is as wide as its heads need. */
function usePaneWidth(narrow: boolean): number {
  const store = useStore();
  const least = narrow ? LEFT_NARROW : LEFT;
  if (store.selection.pane.value !== 'heads') return least;
  const layers = store.selection.run.value?.layers ?? [];
  const heads = Math.max(1, allHeads(layers).length);
  const most = narrow ? LEFT_MOST_NARROW : LEFT_MOST;
  return Math.min(most, Math.max(least, 48 + heads * THUMB_PITCH));
}

function Explorer(): JSX.Element {
  const store = useStore();
  const narrow = useMedia(NARROW);
  const pane = usePaneWidth(narrow);
  const comparing = store.view.mode.value === 'compare';
  // The dock's gutter follows it, unless the pane gives way to a comparison.
  const left = comparing ? (narrow ? LEFT_NARROW : LEFT) : pane;
  // Of the map's pane; the inspector reads from it how large the cells are.
  const size = useSignal({ width: 0, height: 0, dpr: 1 });
  const model = useMemo(() => createMapModel(store, size), [store, size]);
  const mode = store.view.mode.value;
  return (
    <div
      class={`app ${narrow ? 'narrow' : ''} ${store.view.matrix.value ? 'with-matrix' : ''}`}
      style={style({ '--w-left': `${left}px`, '--w-pane': `${pane}px` })}
    >
      <ContextBar />
      <Banners />
      <div class={`stage ${comparing ? 'wide' : ''}`}>
        {comparing && <ExampleRail />}
        {(!comparing || store.drawerOpen.value) && <LeftPane />}
        {mode === 'compare' ? (
          <CompareView />
        ) : mode === 'links' ? (
          <LinksView />
        ) : mode === 'film' ? (
          <FilmView />
        ) : (
          <MapView size={size} model={model} />
        )}
        {!narrow && !comparing && <Inspector model={model} />}
      </div>
      <Dock />
      <KeySheet />
      <PlayState playing={store.playback.playing.value} />
    </div>
  );
}

function PlayState({ playing }: { playing: boolean }): JSX.Element {
  return (
    <span class="sr-only" role="status">
      {playing ? 'Playing' : ''}
    </span>
  );
}
