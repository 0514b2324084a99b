import { effect, signal, type ReadonlySignal } from '@preact/signals';
import { PlayClock } from './clock';
import type { Selection } from './selection';
import type { View } from './view';

/** Records per second at speed 1×. */
export const BASE_RATE = 2;

export interface Playback {
  readonly playing: ReadonlySignal<boolean>;
  readonly direction: ReadonlySignal<1 | -1>;
  toggle(): void;
  stop(): void;
  /** Tells which way the person moves, so that the right neighbours are fetched. */
  moved(direction: 1 | -1): void;
}

export function createPlayback(
  view: View,
  selection: Selection,
  visible: ReadonlySignal<boolean>,
): Playback {
  const playing = signal(false);
  const direction = signal<1 | -1>(1);

  function goTo(index: number): void {
    const step = selection.steps.peek()[index];
    if (step !== undefined) view.step.value = step;
  }

  effect(() => {
    if (!playing.value || !visible.value) return;
    const rate = BASE_RATE * view.speed.value;
    let expected = selection.index.peek();
    const clock = new PlayClock(expected, performance.now(), rate);
    let frame = requestAnimationFrame(function tick(now) {
      const index = selection.index.peek();
      // Someone moved the playhead: go on from there.
      if (index !== expected) clock.restart(index, now, rate);
      const due = clock.due(now, selection.steps.peek().length, view.loop.peek());
      if (due.index !== index) goTo(due.index);
      expected = selection.index.peek();
      if (due.ended) playing.value = false;
      else frame = requestAnimationFrame(tick);
    });
    return () => cancelAnimationFrame(frame);
  });

  return {
    playing,
    direction,
    toggle() {
      if (playing.value) {
        playing.value = false;
        return;
      }
      const count = selection.steps.peek().length;
      if (count < 2) return;
      // At the end, play means from the start.
      if (selection.index.peek() >= count - 1) goTo(0);
      direction.value = 1;
      view.follow.value = false;
      playing.value = true;
    },
    stop() {
      playing.value = false;
    },
    moved(to) {
      direction.value = to;
    },
  };
}
