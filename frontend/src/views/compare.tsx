import { useComputed, useSignal, type ReadonlySignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useState } from 'preact/hooks';
import { movedWeight, type Moved } from '../render/diff';
import { pitchX, pitchY, type MapLayout } from '../render/layout';
import type { Comparison } from '../state/compare';
import { useStore } from '../state/store';
import { CompareBar } from './comparebar';
import { DiffPanel, SidePanel } from './comparepanels';
import { CompareStrip } from './comparestrip';
import { useDpr, useSize, type Size } from './hooks';
import { createMapModel, type MapModel } from './mapmodel';
import { PoolNote, SaidLine } from './viewbar';

const MOVES = 6;
/** Room that a panel's heading takes. */
const HEADING = 32;

/** Beside each other maps are easiest to compare: only for so much larger cells they are not. */
const MUCH_LARGER = 1.3;

type Pane = ReadonlySignal<Size & { dpr: number }>;

/** A, B and A − B of the same example, with one crosshair and one zoom; a row for each run. */
export function CompareView(): JSX.Element {
  const store = useStore();
  const [pane, measured] = useSize<HTMLDivElement>();
  const dpr = useDpr();
  const size = useSignal({ ...measured, dpr });
  useLayoutEffect(() => {
    size.value = { ...measured, dpr };
  }, [measured, dpr, size]);
  const rows = store.compare.rows.value;
  const first = rows[0] as Comparison;
  const arranged = useArranged(first, size);
  const moved = useMoved(first, arranged.model);
  const several = rows.length > 1;
  const said = rows.flatMap((row) => {
    const run = row.a.subject.value?.run.name ?? '';
    // What is true of every row is said once.
    return row.said.value.map((text) => ({ run, text }));
  });
  const texts = [...new Set(said.map(({ text }) => text))].map((text) => {
    const of = said.filter((one) => one.text === text).map(({ run }) => run);
    return several && of.length < rows.length ? `${of.join(', ')}: ${text}` : text;
  });
  return (
    <section class="view" aria-label="Compare">
      <CompareBar model={arranged.model} />
      <SaidLine />
      {texts.length > 0 && (
        <p class="compare-warning" data-testid="compare-said" role="status">
          {texts.join(' ')}
        </p>
      )}
      <div class={`compare ${several ? 'several' : ''}`} ref={pane}>
        {size.value.width > 0 && (
          <>
            <Row row={first} index={0} arranged={arranged} moved={moved} />
            {rows.slice(1).map((row, i) => (
              <FurtherRow key={i} row={row} index={i + 1} size={size} />
            ))}
            <PoolNote layout={arranged.model.layout.value} />
          </>
        )}
      </div>
      <CompareStrip row={first} model={arranged.model} moved={moved} />
    </section>
  );
}

interface Arranged {
  /** Of A and of A − B. */
  readonly model: MapModel;
  /** Of B: the same places with its own tokens, or a layout of its own where there is no common one. */
  readonly modelB: MapModel;
  readonly room: Size;
  readonly apart: boolean;
}

/** How a row's three maps stand. */
function useArranged(row: Comparison, size: Pane): Arranged {
  const store = useStore();
  const room = (columns: number, lines: number) => () => ({
    width: Math.floor(size.value.width / columns),
    height: Math.floor(size.value.height / lines) - HEADING,
    dpr: size.value.dpr,
  });
  const several = store.compare.rows.value.length;
  const beside = useComputed(() => room(3, store.compare.rows.value.length)());
  const corner = useComputed(room(2, 2));
  const below = useComputed(room(1, 3));
  const models = useMemo(() => {
    const mapsOf = (...names: ('a' | 'b')[]) => ({
      maps: () => names.map((name) => row[name].state.value.map),
      example: () => row[names[0] as 'a' | 'b'].example.value,
    });
    const both = mapsOf('a', 'b');
    return {
      beside: createMapModel(store, beside, both),
      corner: createMapModel(store, corner, both),
      below: createMapModel(store, below, both),
      onlyA: createMapModel(store, beside, mapsOf('a')),
      onlyB: createMapModel(store, beside, mapsOf('b')),
    };
  }, [store, row, beside, corner, below]);
  if (row.verdict.value?.comparable === false) {
    return { model: models.onlyA, modelB: models.onlyB, room: beside.value, apart: true };
  }
  // Wide maps go below each other, tall ones beside; rows of runs have columns in common.
  const arrangements = [
    { model: models.beside, room: beside },
    ...(several > 1
      ? []
      : [
          { model: models.corner, room: corner },
          { model: models.below, room: below },
        ]),
  ];
  const best = arrangements.reduce((best, one) =>
    pitch(one.model.whole) > MUCH_LARGER * pitch(best.model.whole) ? one : best,
  );
  const { queryTokens, keyTokens } = models.onlyB;
  return {
    model: best.model,
    modelB: { ...best.model, queryTokens, keyTokens },
    room: best.room.value,
    apart: false,
  };
}

function pitch(whole: ReadonlySignal<{ layout: MapLayout } | null>): number {
  const layout = whole.value?.layout;
  return layout ? Math.min(pitchX(layout), pitchY(layout)) : 0;
}

function FurtherRow(props: { row: Comparison; index: number; size: Pane }): JSX.Element {
  const { row, index, size } = props;
  const arranged = useArranged(row, size);
  const moved = useMoved(row, arranged.model);
  return <Row row={row} index={index} arranged={arranged} moved={moved} />;
}

function Row(props: {
  row: Comparison;
  index: number;
  arranged: Arranged;
  moved: Moved | null;
}): JSX.Element {
  const { row, index, arranged, moved } = props;
  const { model, modelB, room: size, apart } = arranged;
  const shared = { row, index, size };
  return (
    <>
      <SidePanel {...shared} name="a" model={model} apart={false} />
      <SidePanel {...shared} name="b" model={modelB} apart={apart} />
      <DiffPanel {...shared} model={model} moved={moved} />
    </>
  );
}

/** A long map is gone through in portions; until then there is nothing to say. */
function useMoved(row: Comparison, model: MapModel): Moved | null {
  const [mapA, mapB] = [row.a.state.value.map, row.b.state.value.map];
  const comparable = row.verdict.value?.comparable ?? false;
  const region = model.region.value;
  const [moved, setMoved] = useState<Moved | null>(null);
  useEffect(() => {
    setMoved(null);
    if (!mapA || !mapB || !comparable) return;
    const work = movedWeight(mapA, mapB, region, MOVES);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const portion = () => {
      const { done, value } = work.next();
      if (done) setMoved(value);
      else timer = setTimeout(portion);
    };
    portion();
    return () => clearTimeout(timer);
  }, [mapA, mapB, comparable, region]);
  return moved;
}
