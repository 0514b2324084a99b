import type { JSX } from 'preact';
import type { FailureInfo } from '../api/model';
import { placeFailures } from '../render/failures';
import { failureLabel, failureSentence } from '../state/failures';
import { useStore } from '../state/store';
import type { Cell } from '../state/url';
import { Icon } from './icons';
import type { MapModel } from './mapmodel';
import { overMap, style } from './style';
import { reveal } from './zoom';

/** What the crosshair's cell is part of, for the map's tooltip. */
export function failuresAt(failures: readonly FailureInfo[] | null, cell: Cell | null): string {
  if (!cell) return '';
  return (failures ?? [])
    .filter((failure) => holds(failure, cell))
    .map(failureSentence)
    .join('\n');
}

function holds(failure: FailureInfo, { query, key }: Cell): boolean {
  return (
    query >= failure.firstQuery &&
    query < failure.endQuery &&
    key >= failure.firstKey &&
    key < failure.endKey
  );
}

/** Failures of the alignment on the map: a dashed outline with a word. */
export function FailureOutlines({ model }: { model: MapModel }): JSX.Element | null {
  const store = useStore();
  const layout = model.layout.value;
  const failures = store.failures.found.value;
  if (!layout || !failures || !store.view.failures.value) return null;
  const { cell } = store.cursor;
  const here = cell.value;
  return (
    <div class="failures" data-testid="failures" style={overMap(layout)} aria-hidden="true">
      {placeFailures(failures, layout, failureLabel).map((box) => {
        const { failure } = box;
        const inside = here !== null && holds(failure, here);
        return (
          <div key={`${failure.kind} ${failure.firstQuery} ${failure.firstKey}`}>
            <i
              class={`failure-box ${inside ? 'here' : ''}`}
              style={style({ left: box.left, top: box.top, width: box.width, height: box.height })}
              data-kind={failure.kind}
              data-queries={`${failure.firstQuery}-${failure.endQuery}`}
              data-keys={`${failure.firstKey}-${failure.endKey}`}
            />
            {box.labelAt && (
              <span class="failure-label" style={style(box.labelAt)}>
                {box.label}
              </span>
            )}
          </div>
        );
      })}
    </div>
  );
}

/** The same as a list that leads to each place; part of the checks. */
export function FailureList({ model }: { model: MapModel }): JSX.Element | null {
  const store = useStore();
  const failures = store.failures.found.value;
  const problem = store.failures.problem.value;
  if (!failures) return problem === null ? null : <li class="warn">Alignment: {problem}</li>;
  if (failures.length === 0) {
    return (
      <li class="good" data-testid="no-failures">
        <Icon name="check" />
        <span>No skip, repeat, stall or jump back</span>
      </li>
    );
  }
  return (
    <>
      {failures.map((failure) => (
        <li key={`${failure.kind} ${failure.firstQuery} ${failure.firstKey}`} class="warn">
          <button
            type="button"
            class="failure-row"
            data-failure={failure.kind}
            onClick={() => {
              // Where it ends is where it shows: the query that went back, the last of a stall.
              const at = {
                query: failure.kind === 'skip' ? failure.firstQuery : failure.endQuery - 1,
                key: failure.firstKey,
              };
              store.cursor.set(at);
              reveal(store, model, at);
            }}
          >
            <Icon name="warning" />
            <span>{failureSentence(failure)}</span>
          </button>
        </li>
      ))}
    </>
  );
}

/** Whether failures are drawn on the map. */
export function FailureSwitch(): JSX.Element | null {
  const store = useStore();
  if (!store.failures.found.value?.length) return null;
  return (
    <button
      type="button"
      role="switch"
      class="switch small"
      aria-checked={store.view.failures.value}
      data-testid="failures-switch"
      title="Draw alignment failures on the map"
      onClick={() => (store.view.failures.value = !store.view.failures.value)}
    >
      <span>On the map</span>
      <i />
    </button>
  );
}
