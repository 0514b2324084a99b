import { batch, signal, type Signal } from '@preact/signals';
import { DEFAULT_VIEW, type ViewState } from './url';

/** One signal per value that a link reproduces: what the person asked for, valid or not. */
export type View = { readonly [K in keyof ViewState]: Signal<ViewState[K]> };

export function createView(): View {
  const d = DEFAULT_VIEW;
  return {
    run: signal(d.run),
    layer: signal(d.layer),
    head: signal(d.head),
    example: signal(d.example),
    step: signal(d.step),
    mode: signal(d.mode),
    a: signal(d.a),
    b: signal(d.b),
    other: signal(d.other),
    cell: signal(d.cell),
    zoom: signal(d.zoom),
    corner: signal(d.corner),
    scale: signal(d.scale),
    padding: signal(d.padding),
    pane: signal(d.pane),
    metric: signal(d.metric),
    speed: signal(d.speed),
    loop: signal(d.loop),
    follow: signal(d.follow),
  };
}

export function snapshot(view: View): ViewState {
  return {
    run: view.run.value,
    layer: view.layer.value,
    head: view.head.value,
    example: view.example.value,
    step: view.step.value,
    mode: view.mode.value,
    a: view.a.value,
    b: view.b.value,
    other: view.other.value,
    cell: view.cell.value,
    zoom: view.zoom.value,
    corner: view.corner.value,
    scale: view.scale.value,
    padding: view.padding.value,
    pane: view.pane.value,
    metric: view.metric.value,
    speed: view.speed.value,
    loop: view.loop.value,
    follow: view.follow.value,
  };
}

export function restore(view: View, state: ViewState): void {
  batch(() => {
    view.run.value = state.run;
    view.layer.value = state.layer;
    view.head.value = state.head;
    view.example.value = state.example;
    view.step.value = state.step;
    view.mode.value = state.mode;
    view.a.value = state.a;
    view.b.value = state.b;
    view.other.value = state.other;
    view.cell.value = state.cell;
    view.zoom.value = state.zoom;
    view.corner.value = state.corner;
    view.scale.value = state.scale;
    view.padding.value = state.padding;
    view.pane.value = state.pane;
    view.metric.value = state.metric;
    view.speed.value = state.speed;
    view.loop.value = state.loop;
    view.follow.value = state.follow;
  });
}
