import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { SideName } from '../state/compare';
import { formatStep } from '../state/format';
import { parseStep } from '../state/steps';
import { useStore } from '../state/store';
import { CompareColors } from './colorbars';
import { ExportMenu } from './export';
import { useMedia, usePalette, usePopover } from './hooks';
import { Icon } from './icons';
import type { MapModel } from './mapmodel';
import { OtherPicker, RowsPicker } from './otherpicker';
import { compareTakes } from './takes';
import {
  HidePicker,
  ModeTabs,
  PaddingPicker,
  SCALE_NAMES,
  ScalePicker,
  ZoomButtons,
} from './viewbar';

export function SideBadge({ name }: { name: SideName }): JSX.Element {
  return <span class={`side-badge side-${name}`}>{name.toUpperCase()}</span>;
}

export function CompareBar({ model }: { model: MapModel }): JSX.Element {
  const store = useStore();
  const palette = usePalette();
  const rows = store.compare.rows.value;
  const padded = rows
    .flatMap(({ a, b }) => [a.state.value.map, b.state.value.map])
    .some((map) => map && (map.queryLength < map.queries || map.keyLength < map.keys));
  return (
    <div class="bar viewbar compare-bar">
      <ModeTabs />
      <SideField name="a" />
      <button
        type="button"
        class="icon-button"
        aria-label="Exchange the steps of A and B"
        title="Exchange the steps of A and B (X)"
        data-testid="swap"
        onClick={() => store.compare.swap()}
      >
        <Icon name="swap" />
      </button>
      <SideField name="b" />
      <OtherPicker />
      <RowsPicker />
      <Shown padded={padded} />
      <div class="spring" />
      <ExportMenu
        what={rows.length > 1 ? 'the first of these rows' : 'this comparison'}
        takes={compareTakes(store, model, palette)}
      />
      <ZoomButtons model={model} />
      <CompareColors />
    </div>
  );
}

/** The step of a side: type one, or take the one that the playhead is at. */
function SideField({ name }: { name: SideName }): JSX.Element {
  const store = useStore();
  const side = store.compare[name];
  const step = side.step.value;
  const now = store.selection.step.value;
  const [draft, setDraft] = useState<string | null>(null);
  const [wrong, setWrong] = useState<string | null>(null);
  const upper = name.toUpperCase();
  const submit = () => {
    const typed = parseStep(draft ?? '');
    setWrong(draft !== null && draft.trim() !== '' && typed === null ? draft : null);
    setDraft(null);
    if (typed !== null) store.compare.set(name, typed);
  };
  return (
    <span class={`side-field side-${name}`}>
      <SideBadge name={name} />
      <input
        aria-label={`Step of side ${upper}`}
        data-testid={`side-${name}`}
        inputMode="numeric"
        autocomplete="off"
        value={draft ?? (step === null ? '' : formatStep(step))}
        onFocus={(event) => event.currentTarget.select()}
        aria-invalid={wrong !== null}
        onInput={(event) => {
          setWrong(null);
          setDraft(event.currentTarget.value);
        }}
        onBlur={submit}
        onKeyDown={(event) => {
          event.stopPropagation();
          if (event.key === 'Enter') event.currentTarget.blur();
          if (event.key === 'Escape') setDraft(null);
        }}
      />
      <button
        type="button"
        class="side-now"
        disabled={now === null || now === step}
        title={
          now === null
            ? 'No step is shown'
            : `Set side ${upper} to the step of the playhead, ${formatStep(now)} (${upper})`
        }
        data-testid={`side-${name}-now`}
        onClick={() => now !== null && store.compare.set(name, now)}
      >
        set
      </button>
      {wrong !== null && (
        <span class="side-wrong" role="alert" data-testid={`side-${name}-wrong`}>
          “<bdi>{wrong.slice(0, 20)}</bdi>” is not a step
        </span>
      )}
    </span>
  );
}

/** Where they fit, the pickers stand in the bar: scale first, then what is hidden. */
const ROOM_FOR_SCALE = '(min-width: 1400px)';
const ROOM_FOR_ALL = '(min-width: 1600px)';

/** How weights are shown: in the bar as far as there is room, the rest in a list of their own. */
function Shown({ padded }: { padded: boolean }): JSX.Element {
  const some = useMedia(ROOM_FOR_SCALE);
  const all = useMedia(ROOM_FOR_ALL);
  const { hide, padding, scale } = useStore().view;
  const { open, toggle, root, button, onKeyDown } = usePopover();
  const hides = (
    <>
      <HidePicker />
      {padded && <PaddingPicker />}
    </>
  );
  if (all) {
    return (
      <>
        <ScalePicker />
        {hides}
      </>
    );
  }
  const what = [...(some ? [] : ['Scale']), 'hidden keys', ...(padded ? ['padding'] : [])];
  const said = what.join(', ').replace(/^h/, 'H');
  const list = (
    <div class="picker" ref={root} onKeyDown={onKeyDown}>
      <button
        ref={button}
        type="button"
        class="icon-button"
        aria-expanded={open}
        aria-label={said}
        title={said}
        aria-pressed={hide.value !== 'none' || (padded && padding.value)}
        data-testid="compare-more"
        onClick={toggle}
      >
        <Icon name="tune" size={18} />
      </button>
      {open && (
        <div class="picker-list popover more-list">
          {!some && <ScalePicker />}
          {hides}
        </div>
      )}
    </div>
  );
  return (
    <>
      {some ? <ScalePicker /> : <span class="bar-fact">{SCALE_NAMES[scale.value]}</span>}
      {list}
    </>
  );
}
