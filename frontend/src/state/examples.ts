import { computed, effect, signal, type ReadonlySignal } from '@preact/signals';
import { fetchExamples } from '../api/client';
import type { ExampleInfo } from '../api/model';
import type { Selection } from './selection';
import { indexAtOrBefore } from './steps';

const NONE: readonly ExampleInfo[] = [];

/**
 * The examples as they were at the step shown. `runs` carries those of the latest record; a step
 * before their last change asks for its own, once per stretch of equal steps.
 */
export function createExamples(
  selection: Pick<Selection, 'run' | 'layer' | 'step'>,
): ReadonlySignal<readonly ExampleInfo[]> {
  const earlier = signal<ReadonlyMap<string, readonly ExampleInfo[]>>(new Map());

  const stretch = computed(() => {
    const run = selection.run.value;
    const layer = selection.layer.value;
    const step = selection.step.value;
    if (!run || !layer || step === null) return null;
    const index = indexAtOrBefore(layer.exampleSteps, step);
    if (index < 0 || index === layer.exampleSteps.length - 1) return null;
    const from = layer.exampleSteps[index] as number;
    return {
      key: JSON.stringify([run.name, layer.name, layer.generation, from]),
      run,
      layer,
      from,
    };
  });
  const key = computed(() => stretch.value?.key ?? '');

  effect(() => {
    const wanted = key.value;
    const asked = stretch.peek();
    if (!asked || earlier.peek().has(wanted)) return;
    const controller = new AbortController();
    fetchExamples(asked.run.name, asked.layer, asked.from, controller.signal).then(
      (examples) => {
        earlier.value = new Map(earlier.peek()).set(wanted, examples);
      },
      () => {
        // Without them the latest examples stand; the map itself says its lengths.
      },
    );
    return () => controller.abort();
  });

  return computed(() => earlier.value.get(key.value) ?? selection.layer.value?.examples ?? NONE);
}
