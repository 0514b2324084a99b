import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import type { AttentionMap } from '../api/model';
import { weightAt } from '../api/weights';
import { readCell, topKeys } from '../state/cursor';
import {
  formatChange,
  formatMetric,
  formatStep,
  formatWeight,
  metricTitle,
  positionOf,
} from '../state/format';
import { useStore } from '../state/store';
import type { Cell } from '../state/url';
import { Checks } from './checks';
import { useOutside, usePalette } from './hooks';
import { Icon } from './icons';
import { Lens } from './lens';
import { rankWords } from './mapcanvas';
import { labelAt, type MapModel } from './mapmodel';
import { PinnedTokens } from './pins';
import { style } from './style';

const TOP = 5;

export function Inspector({ model }: { model: MapModel }): JSX.Element {
  const store = useStore();
  const { map, status } = store.maps.state.value;
  const cell = store.cursor.cell.value;
  // Links are those of the pinned query; the map's rows are read with the crosshair.
  const pinned = store.links.pinned.value.find(({ side }) => side === 'query')?.index;
  const byPin = pinned !== undefined && store.view.mode.value === 'links';
  const looked = cell && byPin ? { query: pinned, key: cell.key } : cell;
  const whose =
    pinned === undefined || !cell
      ? ''
      : byPin || pinned === cell.query
        ? ', pinned,'
        : ', at the crosshair,';
  return (
    <aside class="inspector" aria-label="Inspector">
      <Lens model={model} />
      <PinnedTokens model={model} />
      <section>
        <h3 class="caption">Cell</h3>
        {map && cell ? (
          <CellValues map={map} cell={cell} model={model} />
        ) : (
          <p class="hint">
            {status === 'error' || store.selection.run.value?.thumbnailsOnly
              ? 'No values at this step.'
              : map
                ? 'Point at a cell, or go into the map with Tab and use the arrow keys.'
                : 'Loading …'}
          </p>
        )}
      </section>
      {map && looked && (
        <TopKeys map={map} query={looked.query} current={looked.key} model={model} said={whose} />
      )}
      {looked && store.view.mode.value === 'links' && <OtherHeads cell={looked} model={model} />}
      <Shown />
      {!store.selection.aggregate.value && store.masks.hidden.value.length === 0 && (
        <Checks map={map} model={model} />
      )}
      <MapMetrics />
      <section class="caution">
        <p>
          Attention weights are not an explanation.{' '}
          <a href="https://arxiv.org/abs/1902.10186" target="_blank" rel="noreferrer">
            Why
          </a>
        </p>
      </section>
    </aside>
  );
}

/** What the map is, where it is not a head's map as it was recorded. */
function Shown(): JSX.Element | null {
  const { selection, masks } = useStore();
  const aggregate = selection.aggregate.value;
  const said = masks.said.value;
  if (!aggregate && !said) return null;
  return (
    <section>
      <h3 class="caption">{aggregate?.name ?? 'Not as recorded'}</h3>
      {aggregate && <p class="hint">{aggregate.about}</p>}
      {said && <p class="hint">{said.charAt(0).toUpperCase() + said.slice(1)}.</p>}
    </section>
  );
}

function CellValues(props: { map: AttentionMap; cell: Cell; model: MapModel }): JSX.Element {
  const { map, cell, model } = props;
  const store = useStore();
  const reading = readCell(map, cell);
  const before = store.maps.previous.value;
  const inBefore = before && before.queries > cell.query && before.keys > cell.key;
  const change = inBefore
    ? reading.weight - weightAt(before.weights, cell.query * before.keys + cell.key)
    : NaN;
  const { keys } = model.region.value;
  return (
    <>
      <div class="cell-line">
        <span class="cell-value" data-testid="cell-value">
          {formatWeight(reading.weight, reading.tiny)}
        </span>
        {before && before.step < map.step && Number.isFinite(change) && (
          <span class="cell-change" data-testid="cell-change">
            {formatChange(change, 4)} since {formatStep(before.step)}
          </span>
        )}
      </div>
      <dl class="cell-where">
        <dt>Query</dt>
        <dd>
          <TokenBox token={labelAt(model.queryTokens.value, cell.query)} testId="cell-query" />
          <span>position {positionOf(cell.query, model.pooling.value.queries)}</span>
        </dd>
        <dt>Key</dt>
        <dd>
          <TokenBox token={labelAt(model.keyTokens.value, cell.key)} testId="cell-key" />
          <span data-testid="rank">
            position {positionOf(cell.key, model.pooling.value.keys)} · {rankWords(map, cell, keys)}
          </span>
        </dd>
      </dl>
    </>
  );
}

function TokenBox({ token, testId }: { token: string; testId?: string }): JSX.Element {
  return (
    <span class={`token ${token ? '' : 'none'}`} data-testid={testId} title={token}>
      <bdi>{token || '–'}</bdi>
    </span>
  );
}

/** The same query in the other heads whose links are drawn. */
function OtherHeads({ cell, model }: { cell: Cell; model: MapModel }): JSX.Element {
  const { links } = useStore();
  const palette = usePalette();
  return (
    <>
      {links.heads.value
        .slice(1)
        .map(
          ({ head, map }, i) =>
            map && (
              <TopKeys
                key={head}
                map={map}
                query={Math.min(cell.query, map.queries - 1)}
                current={cell.key}
                model={model}
                head={head}
                color={palette.heads[i + 1] ?? ''}
              />
            ),
        )}
    </>
  );
}

function TopKeys(props: {
  map: AttentionMap;
  query: number;
  current: number;
  model: MapModel;
  /** Whose query it is, where another one could be meant. */
  said?: string;
  /** Of another head than the selected one, in its colour. */
  head?: number;
  color?: string;
}): JSX.Element {
  const { map, query, current, model, said = '', head, color } = props;
  const { keys } = model.region.value;
  const hasTokens = model.keyTokens.value.length > 0;
  const { top, others, rest } = topKeys(map, query, keys, TOP);
  const store = useStore();
  return (
    <section>
      <div class="section-head">
        <h3 class="caption">
          {head === undefined ? 'Query' : `Head ${head}, query`}{' '}
          {positionOf(query, model.pooling.value.queries)}
          {said} looks at
        </h3>
        <span class="caption-note">weight</span>
      </div>
      {top.length === 0 && <p class="hint">This query has no weight on any key.</p>}
      <ul class="top-keys" data-testid={`top-keys${head === undefined ? '' : `-${head}`}`}>
        {top.map((entry) => (
          <li key={entry.key} class={entry.key === current ? 'here' : ''}>
            <button
              type="button"
              tabIndex={-1}
              onClick={() => store.cursor.set({ query, key: entry.key })}
            >
              <span class="top-position">{entry.key * model.pooling.value.keys}</span>
              {hasTokens ? (
                <TokenBox token={labelAt(model.keyTokens.value, entry.key, 12)} />
              ) : (
                <span />
              )}
              <span class="top-bar">
                <i
                  style={style({
                    width: `${Math.max(0, Math.min(1, entry.weight)) * 100}%`,
                    background: color,
                  })}
                />
              </span>
              <span class="top-weight">{formatWeight(entry.weight, entry.tiny)}</span>
            </button>
          </li>
        ))}
        {others > 0 && (
          <li class="top-rest">
            <span>
              {others === 1 ? '1 other key' : `${others.toLocaleString('en')} other keys`}
            </span>
            <span class="top-weight">{formatWeight(rest)}</span>
          </li>
        )}
      </ul>
    </section>
  );
}

function MapMetrics(): JSX.Element | null {
  const store = useStore();
  const { selection, metrics } = store;
  const step = selection.step.value;
  const names = metrics.names.value;
  const aggregate = selection.aggregate.value;
  const masked = store.masks.hidden.value.length > 0;
  const before = selection.steps.value[selection.index.value - 1];
  const status = store.maps.state.value.status;
  if (metrics.problem.value) {
    return (
      <section>
        <h3 class="caption">This map</h3>
        <p class="hint">Metrics: {metrics.problem.value}</p>
      </section>
    );
  }
  // What this map's kind of attention never has, such as a previous token, is no row.
  const listed = names.filter((name) =>
    metrics.series(name, selection.example.value, selection.head.value).some(Number.isFinite),
  );
  if (step === null || listed.length === 0) return null;
  const at = (name: string, when: number) =>
    metrics.at(name, when, selection.example.value, selection.head.value);
  return (
    <section>
      <div class="section-head">
        <h3 class="caption">
          {aggregate
            ? `Head ${selection.head.value}, recorded`
            : masked
              ? 'This map, recorded'
              : 'This map'}
          {status === 'error' && <span class="caption-note"> from the index</span>}
        </h3>
        {before !== undefined && <span class="caption-note">since {formatStep(before)}</span>}
      </div>
      <table class="metric-table">
        <tbody>
          {listed.map((name) => {
            const value = at(name, step);
            const earlier = before === undefined ? undefined : at(name, before);
            return (
              <tr key={name}>
                <th scope="row">{metricTitle(name)}</th>
                <td data-testid={`metric-${name}`}>{formatMetric(value)}</td>
                <td class="change">
                  {value === undefined || earlier === undefined
                    ? ''
                    : formatChange(value - earlier)}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}

/** What stands in for the inspector where there is no room for it; opens upwards. */
export function Readout({ model }: { model: MapModel }): JSX.Element {
  const store = useStore();
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  useOutside(root, open, () => setOpen(false));
  const { map } = store.maps.state.value;
  const cell = store.cursor.cell.value;
  const reading = map && cell ? readCell(map, cell) : null;
  const { selection, metrics } = store;
  const step = selection.step.value;
  const facts = metrics.names.value.slice(0, 3).flatMap((name) => {
    const value =
      step === null
        ? undefined
        : metrics.at(name, step, selection.example.value, selection.head.value);
    return value === undefined ? [] : [`${metricTitle(name).toLowerCase()} ${value.toFixed(2)}`];
  });
  return (
    <div class="readout" ref={root}>
      {open ? (
        <div class="readout-panel popover">
          <Inspector model={model} />
        </div>
      ) : null}
      {reading && cell && map ? (
        <>
          <b class="readout-value" {...(open ? {} : { 'data-testid': 'cell-value' })}>
            {formatWeight(reading.weight, reading.tiny)}
          </b>
          <span class="readout-where">
            query{' '}
            <TokenBox
              token={labelAt(model.queryTokens.value, cell.query, 12)}
              {...(open ? {} : { testId: 'cell-query' })}
            />{' '}
            {positionOf(cell.query, model.pooling.value.queries)}
          </span>
          <span class="readout-where">
            key{' '}
            <TokenBox
              token={labelAt(model.keyTokens.value, cell.key, 12)}
              {...(open ? {} : { testId: 'cell-key' })}
            />{' '}
            {positionOf(cell.key, model.pooling.value.keys)}
          </span>
          <span class="readout-rank" data-testid="rank">
            {rankWords(map, cell, model.region.value.keys)}
          </span>
        </>
      ) : (
        <span class="hint">No cell</span>
      )}
      <span class="readout-facts">{facts.join(' · ')}</span>
      <button
        type="button"
        class="icon-button"
        aria-expanded={open}
        aria-label="Inspector"
        title="Inspector"
        onClick={() => setOpen(!open)}
      >
        <Icon name={open ? 'chevron' : 'chevronUp'} size={20} />
      </button>
    </div>
  );
}
