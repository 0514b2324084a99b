import type { Token } from '../render/links';
import type { Store } from '../state/store';
import { SPEEDS, type Mode } from '../state/url';

interface Shortcut {
  /** As shown in the list of keys. */
  readonly keys: readonly string[];
  readonly does: string;
  readonly match?: (event: KeyboardEvent) => boolean;
  readonly run?: (store: Store, event: KeyboardEvent) => void;
}

export interface ShortcutGroup {
  readonly title: string;
  readonly shortcuts: readonly Shortcut[];
}

function plain(key: string): (event: KeyboardEvent) => boolean {
  return (event) => event.key.toLowerCase() === key && !event.shiftKey && !event.altKey;
}

function shifted(key: string): (event: KeyboardEvent) => boolean {
  return (event) => event.key.toLowerCase() === key && event.shiftKey && !event.altKey;
}

function arrows(event: KeyboardEvent): boolean {
  return event.key === 'ArrowLeft' || event.key === 'ArrowRight';
}

/** What a button on the screen does, with the state that it has. */
function press(testId: string): void {
  document.querySelector<HTMLElement>(`[data-testid="${testId}"]`)?.click();
}

const ZOOM_BUTTONS: Readonly<Record<string, string>> = {
  '+': 'zoom-in',
  '=': 'zoom-in',
  '-': 'zoom-out',
  '−': 'zoom-out',
  '0': 'zoom-fit',
};

const VIEWS: Readonly<Record<string, Mode>> = {
  1: 'map',
  2: 'links',
  3: 'compare',
  4: 'film',
};

/** In the links the token pointed at, else the crosshair's query or key. */
function pin(store: Store, side: Token['side']): void {
  const { links } = store;
  const cell = store.cursor.cell.peek();
  const pointed = store.view.mode.peek() === 'links' ? links.hovered.peek() : null;
  if (pointed) links.togglePin(pointed);
  else if (cell) links.togglePin({ side, index: cell[side] });
}

function findHeads(store: Store): void {
  store.view.pane.value = 'heads';
  store.drawerOpen.value = true;
  requestAnimationFrame(() => document.querySelector<HTMLElement>('.find input')?.focus());
}

function setSide(store: Store, side: 'a' | 'b'): void {
  const step = store.selection.step.value;
  if (step === null) return;
  store.compare.set(side, step);
  store.setMode('compare');
}

function putIn(store: Store): void {
  const step = store.selection.step.value;
  if (step !== null && store.view.mode.value === 'film') store.film.toggle(step);
}

function faster(store: Store, by: 1 | -1): void {
  const speeds: readonly number[] = SPEEDS;
  const at = speeds.indexOf(store.view.speed.value) + by;
  store.view.speed.value = speeds[Math.max(0, Math.min(speeds.length - 1, at))] ?? 1;
}

/** Every key that works, in one place: the list that is shown cannot differ from what happens. */
export const SHORTCUTS: readonly ShortcutGroup[] = [
  {
    title: 'Steps',
    shortcuts: [
      {
        keys: ['←', '→'],
        does: 'previous, next record',
        match: (event) => arrows(event) && !event.shiftKey && !event.altKey,
        run: (store, event) => store.moveBy(event.key === 'ArrowLeft' ? -1 : 1),
      },
      {
        keys: ['Shift ←', 'Shift →'],
        does: '10 records',
        match: (event) => arrows(event) && event.shiftKey && !event.altKey,
        run: (store, event) => store.moveBy(event.key === 'ArrowLeft' ? -10 : 10),
      },
      {
        keys: ['Home', 'End'],
        does: 'first, last record',
        match: (event) => event.key === 'Home' || event.key === 'End',
        run: (store, event) => store.moveBy(event.key === 'Home' ? -Infinity : Infinity),
      },
      {
        keys: ['Space'],
        does: 'play, pause',
        match: (event) => event.key === ' ',
        run: (store) => store.playback.toggle(),
      },
      {
        keys: ['[', ']'],
        does: 'previous, next event',
        match: (event) => event.key === '[' || event.key === ']',
        run: (store, event) => store.moveEvent(event.key === '[' ? -1 : 1),
      },
      {
        keys: ['G'],
        does: 'type a step',
        match: plain('g'),
        run: () => document.getElementById('step-input')?.focus(),
      },
      {
        keys: [',', '.'],
        does: 'slower, faster',
        match: (event) => event.key === ',' || event.key === '.',
        run: (store, event) => faster(store, event.key === ',' ? -1 : 1),
      },
      {
        keys: ['L'],
        does: 'loop',
        match: plain('l'),
        run: ({ view }) => (view.loop.value = !view.loop.value),
      },
      {
        keys: ['F'],
        does: 'follow the latest record',
        match: plain('f'),
        run: ({ view }) => (view.follow.value = !view.follow.value),
      },
    ],
  },
  {
    title: 'What is shown',
    shortcuts: [
      {
        keys: ['J', 'K'],
        does: 'previous, next head',
        match: (event) => plain('j')(event) || plain('k')(event),
        run: (store, event) => store.moveHead(event.key.toLowerCase() === 'j' ? -1 : 1),
      },
      {
        keys: ['Shift J', 'Shift K'],
        does: 'previous, next layer',
        match: (event) => shifted('j')(event) || shifted('k')(event),
        run: (store, event) => store.moveLayer(event.key.toLowerCase() === 'j' ? -1 : 1),
      },
      {
        keys: ['/'],
        does: 'find heads by name',
        match: (event) => event.key === '/',
        run: findHeads,
      },
      {
        keys: ['E', 'Shift E'],
        does: 'next, previous example',
        match: (event) => plain('e')(event) || shifted('e')(event),
        run: (store, event) => store.moveExample(event.shiftKey ? -1 : 1),
      },
      {
        keys: ['1', '2', '3', '4'],
        does: 'map, links, compare, film',
        match: (event) => event.key in VIEWS && !event.altKey,
        run: (store, event) => store.setMode(VIEWS[event.key] ?? 'map'),
      },
      {
        keys: ['A', 'B'],
        does: 'compare: set side A, B to this step',
        match: (event) => plain('a')(event) || plain('b')(event),
        run: (store, event) => setSide(store, event.key.toLowerCase() === 'a' ? 'a' : 'b'),
      },
      {
        keys: ['X'],
        does: 'compare: exchange the steps of A and B',
        match: plain('x'),
        run: (store) => {
          if (store.view.mode.value === 'compare') store.compare.swap();
        },
      },
      {
        keys: ['I'],
        does: 'film: put this step in, or take it out',
        match: plain('i'),
        run: putIn,
      },
      {
        keys: ['P', 'Shift P'],
        does: 'pin the query, the key of the crosshair; in Links, the token pointed at',
        match: (event) => plain('p')(event) || shifted('p')(event),
        run: (store, event) => pin(store, event.shiftKey ? 'key' : 'query'),
      },
      {
        keys: ['Z'],
        does: 'the lens, where cells are small',
        match: plain('z'),
        run: ({ view }) => (view.lens.value = !view.lens.value),
      },
      {
        keys: ['M'],
        does: 'every head over every step, and back',
        match: plain('m'),
        run: ({ view }) => (view.matrix.value = !view.matrix.value),
      },
      {
        keys: ['+', '−', '0'],
        does: 'zoom in, out, show the whole map',
        match: (event) => event.key in ZOOM_BUTTONS && !event.altKey,
        run: (_, event) => press(ZOOM_BUTTONS[event.key] ?? ''),
      },
      {
        keys: ['S'],
        does: 'save or copy what the view shows',
        match: plain('s'),
        run: () => press('export'),
      },
      {
        keys: ['C'],
        does: 'copy a link to this view',
        match: plain('c'),
        run: () => press('copy-link'),
      },
      {
        keys: ['?'],
        does: 'this list',
        match: (event) => event.key === '?',
        run: (store) => (store.keysOpen.value = !store.keysOpen.value),
      },
      {
        keys: ['Esc'],
        does: 'close, unpin, take the crosshair away',
        match: (event) => event.key === 'Escape',
        run: (store) => {
          if (store.keysOpen.value) store.keysOpen.value = false;
          else if (store.view.matrix.value) store.view.matrix.value = false;
          else if (store.drawerOpen.value) store.drawerOpen.value = false;
          else if (store.links.pinned.value.length > 0) store.links.unpin();
          else store.cursor.clear();
        },
      },
    ],
  },
  {
    title: 'With the focus in the map, or in the links',
    shortcuts: [
      { keys: ['←', '→', '↑', '↓'], does: 'move the crosshair' },
      { keys: ['↑', '↓'], does: 'in Links, on a token: to the other end of its strongest link' },
      { keys: ['Wheel'], does: 'zoom; drag to move the zoomed map' },
      { keys: ['Shift'], does: 'with an arrow: 10 cells' },
      { keys: ['Ctrl'], does: 'with an arrow: to the row’s strongest key' },
      {
        keys: ['Alt ←', 'Alt →'],
        does: 'previous, next record',
        match: (event) => arrows(event) && event.altKey,
        run: (store, event) => store.moveBy(event.key === 'ArrowLeft' ? -1 : 1),
      },
    ],
  },
];

const ALL = SHORTCUTS.flatMap((group) => group.shortcuts);

/** Inputs that nothing is typed into. */
const UNTYPED: ReadonlySet<string> = new Set(['range', 'checkbox', 'radio', 'button', 'color']);
/** What moves a slider by itself. */
const SLIDER_KEY = /^(Arrow|Home$|End$|Page)/;

/** Whether what has the focus needs this key for itself. */
function isTaken(event: KeyboardEvent): boolean {
  const { target } = event;
  if (target instanceof HTMLTextAreaElement) return true;
  if (!(target instanceof HTMLInputElement)) return false;
  if (!UNTYPED.has(target.type)) return true;
  return target.type === 'range' && SLIDER_KEY.test(event.key);
}

/** Does what a key says; false when it says nothing. */
export function handleKey(store: Store, event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey || event.isComposing || isTaken(event)) return false;
  const { target } = event;
  // Space presses the button that has the focus; the play button does the same by itself.
  if (event.key === ' ' && target instanceof HTMLElement && target.closest('button, a, summary')) {
    return false;
  }
  const shortcut = ALL.find((s) => s.match?.(event));
  if (!shortcut?.run) return false;
  shortcut.run(store, event);
  return true;
}
