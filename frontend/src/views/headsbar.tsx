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
  const labels: Readonly<Record<Sort, string>> = {
    layer: 'layer',
    metric: title,
    change: `change of ${title} since ${formatStep(store.heads.reference.value)}`,
  };
  return (
    <Picker
      caption="Sort by"
      testId="sort"
      value={store.view.sort.value}
      options={SORTS.map((sort) => ({ value: sort, label: labels[sort] }))}
      onPick={(value) => (store.view.sort.value = SORTS.find((s) => s === value) ?? 'layer')}
    />
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
