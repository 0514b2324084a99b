import type { JSX } from 'preact';
import { formatStep } from '../state/format';
import { useStore } from '../state/store';
import { FRAME_COUNTS, SPREADS, type Spread } from '../state/url';
import { ExportMenu } from './export';
import { filmTakes } from './filmtakes';
import { usePalette } from './hooks';
import type { MapModel } from './mapmodel';
import { Picker } from './picker';
import { ColorBar, HidePicker, ModeTabs, ScalePicker } from './viewbar';

const SPREAD_NAMES: Readonly<Record<Spread, readonly [label: string, detail: string]>> = {
  even: ['even', 'as many records between any two'],
  log: ['early ones closer', 'logarithmic: attention forms early'],
  events: ['around events', 'of this head: before and at each'],
  chosen: ['chosen', 'put in and taken out by hand'],
};

/** Which steps, how their maps are drawn, and what can be saved of them. */
export function FilmBar({ model }: { model: MapModel }): JSX.Element {
  const store = useStore();
  const palette = usePalette();
  const { view } = store;
  const spread = view.spread.value;
  return (
    <div class="bar viewbar film-bar">
      <ModeTabs />
      <Picker
        caption="Steps"
        testId="spread"
        value={spread}
        options={SPREADS.map((one) => ({
          value: one,
          label: SPREAD_NAMES[one][0],
          detail: SPREAD_NAMES[one][1],
        }))}
        onPick={(value) => {
          const picked = SPREADS.find((one) => one === value) ?? 'even';
          // By hand one goes on from what is there.
          if (picked === 'chosen') view.film.value = store.film.steps.value;
          view.spread.value = picked;
        }}
      />
      {(spread === 'even' || spread === 'log') && (
        <Picker
          caption=""
          testId="frames"
          title="How many steps"
          value={String(view.frames.value)}
          options={FRAME_COUNTS.map((count) => ({ value: String(count), label: String(count) }))}
          onPick={(value) => (view.frames.value = Number(value))}
        />
      )}
      <PutIn />
      <ScalePicker />
      <HidePicker />
      <div class="bar-end">
        <ExportMenu what="these steps" takes={filmTakes(store, model, palette)} />
        <ColorBar model={model} />
      </div>
    </div>
  );
}

/** Puts the playhead's step in, or takes it out. */
function PutIn(): JSX.Element | null {
  const store = useStore();
  const step = store.selection.step.value;
  if (step === null) return null;
  const isIn = store.film.steps.value.includes(step);
  return (
    <button
      type="button"
      class="text-button film-put"
      data-testid="film-put"
      title={`${isIn ? 'Take the step of the playhead out' : 'Put the step of the playhead in'} (I)`}
      onClick={() => store.film.toggle(step)}
    >
      {isIn ? '−' : '+'} {formatStep(step)}
    </button>
  );
}
