import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import { formatMetric, formatStep, metricTitle } from '../state/format';
import { shortHead } from '../state/groups';
import { ranked, valueOf, type HeadRef } from '../state/headmetrics';
import { useStore, type Store } from '../state/store';
import { SORTS, type Sort } from '../state/url';
import { EventBadge } from './eventmarks';
import { Picker } from './picker';
import { Thumbnail } from './thumbnail';

/** Since when a change is counted: side A of a comparison, else the first record. */
function reference(store: Store): number {
  return store.view.a.value ?? store.selection.steps.value[0] ?? 0;
}

/** In which order the heads stand: as the model has them, or by the metric of the curve. */
export function SortPicker(): JSX.Element {
  const store = useStore();
  const metric = store.metrics.curve.value;
  const title = metric ? metricTitle(metric).toLowerCase() : 'metric';
  const labels: Readonly<Record<Sort, string>> = {
    layer: 'layer',
    metric: title,
    change: `change of ${title} since ${formatStep(reference(store))}`,
  };
  return (
    <div class="heads-sort">
      <Picker
        caption="Sort by"
        testId="sort"
        value={store.view.sort.value}
        options={SORTS.map((sort) => ({ value: sort, label: labels[sort] }))}
        onPick={(value) => (store.view.sort.value = SORTS.find((s) => s === value) ?? 'layer')}
      />
    </div>
  );
}

/** All heads of the run in the order of a value, which each of them shows. */
export function RankedHeads(): JSX.Element {
  const store = useStore();
  const { selection } = store;
  const root = useRef<HTMLDivElement>(null);
  const layers = selection.run.value?.layers ?? [];
  const metrics = store.headMetrics.layers.value;
  const name = store.metrics.curve.value ?? '';
  const step = selection.step.value ?? 0;
  const example = selection.example.value;
  const changes = store.view.sort.value === 'change';
  const at = (head: HeadRef, when: number) =>
    valueOf(metrics.get(head.layer), name, when, example, head.head);
  const value = (head: HeadRef) =>
    changes ? Math.abs(at(head, step) - at(head, reference(store))) : at(head, step);
  const all = layers.flatMap((layer) =>
    Array.from({ length: layer.heads }, (_, head) => ({ layer: layer.name, head })),
  );
  const order = ranked(all, value);
  const isSelected = (head: HeadRef) =>
    selection.layer.value?.name === head.layer && selection.head.value === head.head;

  function onKeyDown(event: KeyboardEvent): void {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const to = Math.max(0, Math.min(order.length - 1, order.findIndex(isSelected) + by));
    const head = order[to];
    if (head) store.selectHead(head.layer, head.head);
    requestAnimationFrame(() =>
      root.current?.querySelector<HTMLElement>('[tabindex="0"]')?.focus(),
    );
  }

  return (
    <div
      class="ranked"
      role="listbox"
      aria-label="Heads"
      ref={root}
      onKeyDown={onKeyDown}
      data-testid="ranked-heads"
    >
      {order.map((head) => (
        <div
          key={`${head.layer} ${head.head}`}
          role="option"
          class="ranked-head"
          aria-selected={isSelected(head)}
          tabIndex={isSelected(head) ? 0 : -1}
          title={`${head.layer}, head ${head.head}`}
          data-layer={head.layer}
          data-head={head.head}
          onClick={() => store.selectHead(head.layer, head.head)}
        >
          <span class="ranked-tile">
            <Thumbnail
              tiles={store.atlases.tiles(head.layer, example)}
              head={head.head}
              width={32}
              height={32}
            />
            <EventBadge events={store.events.of(head.layer, head.head)} step={step} />
          </span>
          <span>{shortHead(layers, head.layer, head.head)}</span>
          <span class="ranked-value">
            {changes && 'Δ '}
            {formatMetric(value(head))}
          </span>
        </div>
      ))}
    </div>
  );
}
