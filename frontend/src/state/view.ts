import { batch, signal, type Signal } from '@preact/signals';
import { DEFAULT_VIEW, FIELD_NAMES, type ViewState } from './url';

/** One signal per value that a link reproduces: what the person asked for, valid or not. */
export type View = { readonly [K in keyof ViewState]: Signal<ViewState[K]> };

/** The same for every field; the fields themselves are declared in one place, `url.ts`. */
function ofFields(value: (name: keyof ViewState) => unknown): unknown {
  return Object.fromEntries(FIELD_NAMES.map((name) => [name, value(name)]));
}

export function createView(): View {
  return ofFields((name) => signal(DEFAULT_VIEW[name])) as View;
}

export function snapshot(view: View): ViewState {
  return ofFields((name) => view[name].value) as ViewState;
}

export function restore(view: View, state: ViewState): void {
  batch(() => {
    for (const name of FIELD_NAMES) (view[name] as Signal<unknown>).value = state[name];
  });
}
