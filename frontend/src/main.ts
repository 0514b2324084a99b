import { computed, effect } from '@preact/signals';
import { h, render as renderInto } from 'preact';
import { createPalette } from './render/palette';
import { createHost } from './state/host';
import { createStore, StoreProvider } from './state/store';
import css from './styles/index.css?inline';
import { App } from './views/app';
import { PaletteProvider } from './views/hooks';
import { handleKey } from './views/keyboard';

/** The entry that TensorBoard calls in the plugin's frame. */
export function render(): void {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  document.title = 'Attention';
  document.documentElement.lang = 'en';

  const host = createHost();
  host.copyFonts();
  const store = createStore(host);

  host.onOuterKey((event) => {
    if (handleKey(store, event)) event.preventDefault();
  });

  const root = document.documentElement;
  const palette = computed(() => {
    // The theme first: the colours are read from the style it puts in force.
    root.dataset['theme'] = store.dark.value ? 'dark' : 'light';
    const style = getComputedStyle(root);
    return createPalette(
      (name) => style.getPropertyValue(name).trim(),
      store.view.colors.value,
      store.dark.value,
    );
  });
  effect(() => {
    void palette.value;
  });

  renderInto(
    h(StoreProvider, { value: store }, h(PaletteProvider, { value: palette }, h(App, {}))),
    document.body,
  );
}
