import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { AttentionMap } from '../api/model';
import { differenceAt, type Moved } from '../render/diff';
import type { Comparison } from '../state/compare';
import { readCell, regionOf } from '../state/cursor';
import { formatChange, formatWeight, positionOf } from '../state/format';
import { useStore } from '../state/store';
import type { Cell } from '../state/url';
import { Announced } from './announce';
import { useSize } from './hooks';
import { MASKED, rankWords } from './mapcanvas';
import { labelAt, type MapModel } from './mapmodel';

/** A side at a cell, in words; the rank is among all of its own keys. */
function sideAt(map: AttentionMap | null, cell: Cell, padding: boolean): string | null {
  if (!map || cell.query >= map.queries || cell.key >= map.keys) return null;
  const { weight, tiny, masked } = readCell(map, cell);
  if (masked) return MASKED[masked].tag;
  return `${formatWeight(weight, tiny)}, ${rankWords(map, cell, regionOf(map, padding).keys)}`;
}

interface StripProps {
  /** The first row; its run is the selected one. */
  readonly row: Comparison;
  readonly model: MapModel;
  readonly moved: Moved | null;
}

/** Below the maps: what the crosshair is on, and where the two differ most. */
export function CompareStrip(props: StripProps): JSX.Element {
  return (
    <div class="moves" data-testid="moves">
      <Readout {...props} />
      <Moves {...props} />
    </div>
  );
}

function Readout({ row, model }: StripProps): JSX.Element | null {
  const store = useStore();
  const cell = store.cursor.cell.value;
  const padding = store.view.padding.value;
  const pooling = model.pooling.value;
  const [mapA, mapB] = [row.a.state.value.map, row.b.state.value.map];
  const comparable = row.verdict.value?.comparable !== false;
  const a = cell && sideAt(mapA, cell, padding);
  const b = cell && comparable ? sideAt(mapB, cell, padding) : null;
  const difference =
    cell && a !== null && b !== null && mapA && mapB
      ? formatChange(differenceAt(mapA, mapB, cell.query, cell.key), 4)
      : null;
  const query = cell && {
    at: positionOf(cell.query, pooling.queries),
    label: labelAt(model.queryTokens.value, cell.query, 12),
  };
  const key = cell && {
    at: positionOf(cell.key, pooling.keys),
    label: labelAt(model.keyTokens.value, cell.key, 12),
  };
  const run = store.compare.rows.value.length > 1 && row.a.subject.value?.run.name;
  const say = () =>
    [
      run,
      `query ${query?.at ?? ''} ${query?.label ?? ''}`,
      `key ${key?.at ?? ''} ${key?.label ?? ''}`,
      a && `A ${a}`,
      b && `B ${b}`,
      difference && `A minus B ${difference}`,
    ]
      .filter(Boolean)
      .join(', ');
  return (
    <>
      {query && key && (a ?? b) && (
        <span class="compare-readout" data-testid="compare-readout">
          {run && <bdi class="moves-name">{run}</bdi>}
          <span>
            query <span class="position">{query.at}</span> <bdi class="here">{query.label}</bdi>
          </span>
          <span>
            key <span class="position">{key.at}</span> <bdi class="here">{key.label}</bdi>
          </span>
          {a && (
            <span class="side-a">
              <b>A</b> {a}
            </span>
          )}
          {b && (
            <span class="side-b">
              <b>B</b> {b}
            </span>
          )}
          {difference && (
            <span>
              A − B <b>{difference}</b>
            </span>
          )}
        </span>
      )}
      <Announced say={cell && (a ?? b) ? say : null} of={[cell, mapA, mapB, model]} />
    </>
  );
}

/** The cells that differ most, as many as there is room for; a press goes there. */
function Moves({ row, model, moved }: StripProps): JSX.Element {
  const store = useStore();
  const list = useRef<HTMLSpanElement>(null);
  const [room, size] = useSize<HTMLDivElement>();
  const queries = model.queryTokens.value;
  const keys = model.keyTokens.value;
  const missing = row.missing.value;
  const several = store.compare.rows.value.length > 1;
  const labels = moved?.most.map(({ query, key }) => `${query}.${key}`).join();
  useLayoutEffect(() => {
    const all = Array.from(list.current?.children ?? [], (one) => one as HTMLElement);
    for (const one of all) one.hidden = false;
    const width = list.current?.clientWidth ?? 0;
    // Whole ones only: a number that is cut reads as another number.
    for (const one of all) one.hidden = one.offsetLeft + one.offsetWidth > width;
  }, [size.width, labels, queries, keys]);
  return (
    <div class="moves-list" ref={room}>
      <span class="moves-name">
        Differ most
        {several && (
          <>
            {' '}
            in <bdi>{row.a.subject.value?.run.name}</bdi>
          </>
        )}
      </span>
      {missing && <span class="hint">Nothing to list: no difference is shown.</span>}
      {!missing && moved?.most.length === 0 && (
        <span class="hint">Nothing: the two maps are equal.</span>
      )}
      <span class="moves-chips" ref={list}>
        {moved?.most.map(({ query, key, difference }) => (
          <button
            key={`${query}.${key}`}
            type="button"
            class="move"
            onClick={() => store.cursor.set({ query, key })}
          >
            <bdi>{labelAt(queries, query, 8)}</bdi>
            <span class="position">{positionOf(query, model.pooling.value.queries)}</span>→
            <bdi>{labelAt(keys, key, 8)}</bdi>
            <span class="position">{positionOf(key, model.pooling.value.keys)}</span>
            <b class={difference > 0 ? 'side-a' : 'side-b'}>{formatChange(difference, 2)}</b>
          </button>
        ))}
      </span>
    </div>
  );
}
