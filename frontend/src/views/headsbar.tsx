import type { JSX } from 'preact';
import { formatStep, metricTitle, plural } from '../state/format';
import { useStore } from '../state/store';
import { SORTS, type Sort } from '../state/url';
import { Chip } from './eventlist';
import { Icon } from './icons';
import { Picker } from './picker';

/** Above the heads: in which order they stand, and which of them. */
export function HeadsBar(): JSX.Element {
  const store = useStore();
  const { heads, view } = store;
  const kinds = heads.kinds.value;
  const count = heads.shown.value.length;
  const filtered = count < heads.all.value.length;
  return (
    <div class="heads-bar">
      <div class="heads-sort">
        <SortPicker />
        {view.sort.value !== 'layer' && <Direction />}
        <Find />
      </div>
      {kinds.length > 0 && (
        <div class="chips" role="group" aria-label="Kinds of heads">
          <Chip
            label="All"
            count={heads.all.value.length}
            pressed={view.only.value === null}
            press={() => (view.only.value = null)}
          />
          {kinds.map(({ kind, label, about, count: number }) => (
            <Chip
              key={kind}
              label={label}
              count={number}
              title={about}
              pressed={view.only.value === kind}
              press={() => (view.only.value = view.only.value === kind ? null : kind)}
            />
          ))}
        </div>
      )}
      {filtered && (
        <p class="heads-found" role="status" data-testid="heads-found">
          {count === 0
            ? `None of ${plural(heads.all.value.length, 'head')} at this step.`
            : `${count.toLocaleString('en')} of ${plural(heads.all.value.length, 'head')}`}
          <button
            type="button"
            class="text-button"
            onClick={() => {
              view.find.value = null;
              view.only.value = null;
            }}
          >
            Show all
          </button>
        </p>
      )}
    </div>
  );
}

/** As the model has them, or by the metric of the curve. */
function SortPicker(): JSX.Element {
  const store = useStore();
  const metric = store.metrics.curve.value;
  const title = metric ? metricTitle(metric).toLowerCase() : 'metric';
  const options: Readonly<Record<Sort, readonly [label: string, detail?: string]>> = {
    layer: ['layer'],
    metric: [title],
    change: ['change', `of ${title} since ${formatStep(store.heads.reference.value)}`],
  };
  return (
    <Picker
      caption="Sort"
      testId="sort"
      title={`Sorted by ${options[store.view.sort.value].join(' ')}`}
      value={store.view.sort.value}
      options={SORTS.map((sort) => {
        const [label, detail] = options[sort];
        return { value: sort, label, ...(detail ? { detail } : {}) };
      })}
      onPick={(value) => (store.view.sort.value = SORTS.find((s) => s === value) ?? 'layer')}
    />
  );
}

function Direction(): JSX.Element {
  const { ascending } = useStore().view;
  const words = ascending.value ? 'Smallest first' : 'Largest first';
  return (
    <button
      type="button"
      class="icon-button"
      data-testid="sort-direction"
      aria-label={words}
      title={words}
      onClick={() => (ascending.value = !ascending.value)}
    >
      <Icon name={ascending.value ? 'up' : 'down'} />
    </button>
  );
}

/** Words that names have to hold. */
function Find(): JSX.Element {
  const { view } = useStore();
  return (
    <label class="find">
      <Icon name="search" />
      <input
        type="search"
        data-testid="find-head"
        aria-label="Find heads by name"
        placeholder="Find (/)"
        title="Words of a layer’s or head’s name, such as “cross h1”"
        value={view.find.value ?? ''}
        onInput={(event) => (view.find.value = event.currentTarget.value || null)}
        onKeyDown={(event) => {
          event.stopPropagation();
          if (event.key === 'Escape') {
            view.find.value = null;
            event.currentTarget.blur();
          }
        }}
      />
    </label>
  );
}
