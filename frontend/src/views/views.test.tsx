// @vitest-environment happy-dom
import { render, type ComponentChild } from 'preact';
import { act } from 'preact/test-utils';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Store } from '../state/store';
import { handleKey, SHORTCUTS } from './keyboard';
import { Picker } from './picker';

let root: HTMLElement;

beforeEach(() => {
  root = document.createElement('div');
  document.body.append(root);
});

afterEach(() => {
  render(null, root);
  root.remove();
});

async function mount(node: ComponentChild): Promise<void> {
  await act(() => render(node, root));
}

function press(element: Element, key: string): Promise<void> {
  return act(() => {
    element.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
  });
}

const options = ['<img src=x onerror=alert(1)>', 'beta', 'gamma'].map((label) => ({
  value: label,
  label,
}));

test('a picker shows what comes from a log as text, never as markup', async () => {
  await mount(<Picker caption="Run" value="beta" options={options} onPick={() => undefined} />);
  await act(() => root.querySelector('button')?.click());
  expect(root.querySelector('img')).toBeNull();
  expect(root.querySelector('[role=option] bdi')?.textContent).toBe('<img src=x onerror=alert(1)>');
});

test('a picker is worked with the keyboard: the list opens at the value, Enter picks', async () => {
  const onPick = vi.fn();
  await mount(<Picker caption="Run" value="beta" options={options} onPick={onPick} />);
  const button = root.querySelector('button');
  if (!button) throw new Error('no button');
  await press(button, 'ArrowDown');
  const list = root.querySelector('[role=combobox]');
  if (!list) throw new Error('the list did not open');
  await press(list, 'ArrowDown');
  await press(list, 'Enter');
  expect(onPick).toHaveBeenCalledExactlyOnceWith('gamma');
  expect(root.querySelector('[role=listbox]')).toBeNull();
});

test.each([
  ['Run', undefined, 'beta', 'Run: beta'],
  ['', 'Colours: beta, linear', 'beta', 'Colours: beta, linear'],
  ['', 'Draw another head too', '', 'Draw another head too'],
  ['', undefined, 'beta', 'beta'],
])(
  'a picker with the caption %j and the title %j has a name',
  async (caption, title, value, is) => {
    const named = title === undefined ? {} : { title };
    await mount(
      <Picker caption={caption} {...named} value={value} options={options} onPick={vi.fn()} />,
    );
    expect(root.querySelector('button')?.getAttribute('aria-label')).toBe(is);
  },
);

test('Escape closes a picker and picks nothing', async () => {
  const onPick = vi.fn();
  await mount(<Picker caption="Run" value="beta" options={options} onPick={onPick} />);
  await act(() => root.querySelector('button')?.click());
  const list = root.querySelector('[role=combobox]');
  if (!list) throw new Error('the list did not open');
  await press(list, 'Escape');
  expect([onPick.mock.calls.length, root.querySelector('[role=listbox]')]).toEqual([0, null]);
});

test('the filter of a picker takes words in any order, of label and detail', async () => {
  const heads = Array.from({ length: 12 }, (_, i) => ({
    value: String(i),
    label: `L${i} H3`,
    detail: `h.${i}/attn`,
  }));
  await mount(<Picker caption="B of" value="0" options={heads} onPick={() => undefined} />);
  await act(() => root.querySelector('button')?.click());
  const field = root.querySelector('input');
  if (!field) throw new Error('there is no filter');
  field.value = 'h3 attn l7';
  await act(() => {
    field.dispatchEvent(new Event('input', { bubbles: true }));
  });
  expect([...root.querySelectorAll('[role=option] bdi')].map((one) => one.textContent)).toEqual([
    'L7 H3',
  ]);
});

function storeWithSpies(): { store: Store; moveBy: ReturnType<typeof vi.fn> } {
  const moveBy = vi.fn();
  return { store: { moveBy } as unknown as Store, moveBy };
}

test.each([
  [{ key: 'ArrowRight' }, 1],
  [{ key: 'ArrowLeft', shiftKey: true }, -10],
  [{ key: 'Home' }, -Infinity],
])('the key %j moves by %d records', (init, by) => {
  const { store, moveBy } = storeWithSpies();
  expect(handleKey(store, new KeyboardEvent('keydown', init))).toBe(true);
  expect(moveBy).toHaveBeenCalledExactlyOnceWith(by);
});

test('keys of the browser and keys typed into a field are left alone', () => {
  const { store, moveBy } = storeWithSpies();
  expect(handleKey(store, new KeyboardEvent('keydown', { key: 'ArrowLeft', ctrlKey: true }))).toBe(
    false,
  );
  const input = document.createElement('input');
  root.append(input);
  let handled = true;
  input.addEventListener('keydown', (event) => (handled = handleKey(store, event)));
  input.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowLeft' }));
  expect([handled, moveBy.mock.calls.length]).toEqual([false, 0]);
});

test.each([
  ['range', { key: 'ArrowLeft' }, false],
  ['range', { key: 'PageDown' }, false],
  ['range', { key: 'End' }, false],
  ['range', { key: 'j' }, true],
  ['range', { key: ' ' }, true],
  ['text', { key: 'j' }, false],
  ['search', { key: 'Home' }, false],
])('in an input of type %s the key %j is a shortcut: %s', (type, init, is) => {
  const did = vi.fn();
  const store = { moveBy: did, moveHead: did, playback: { toggle: did } } as unknown as Store;
  const input = document.createElement('input');
  input.type = type;
  root.append(input);
  let handled: boolean | null = null;
  input.addEventListener('keydown', (event) => (handled = handleKey(store, event)));
  input.dispatchEvent(new KeyboardEvent('keydown', init));
  expect([handled, did.mock.calls.length]).toEqual([is, is ? 1 : 0]);
});

test('no two shortcuts answer the same key', () => {
  const all = SHORTCUTS.flatMap((group) => group.shortcuts).filter((s) => s.match);
  const keys = ['ArrowLeft', 'j', 'J', 'e', 'E', 'g', 'l', 'f', 'c', '?', ' ', ',', 'Home'];
  const events = keys.map((key) => ({ key, shiftKey: /^[A-Z]$/.test(key) }));
  for (const init of [
    ...events,
    { key: 'ArrowLeft', altKey: true },
    { key: 'ArrowLeft', shiftKey: true },
  ]) {
    const event = new KeyboardEvent('keydown', init);
    expect(all.filter((s) => s.match?.(event)).length, JSON.stringify(init)).toBe(1);
  }
});
