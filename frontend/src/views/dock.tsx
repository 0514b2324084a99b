import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { formatClock, formatDate, formatDuration, formatStep, plural } from '../state/format';
import { BASE_RATE } from '../state/playback';
import { parseStep } from '../state/steps';
import { useStore } from '../state/store';
import { SPEEDS } from '../state/url';
import { Icon, type IconName } from './icons';
import { Picker } from './picker';
import { Timeline } from './timeline';

export function Dock(): JSX.Element {
  return (
    <footer class="dock">
      <Transport />
      <Timeline />
    </footer>
  );
}

function Transport(): JSX.Element {
  const store = useStore();
  const { selection, view } = store;
  const count = selection.steps.value.length;
  const index = selection.index.value;
  const playing = store.playback.playing.value;
  return (
    <div class="transport">
      <div class="transport-buttons">
        <TransportButton
          id="first"
          label="First record (Home)"
          icon="first"
          disabled={index <= 0}
          go={() => store.moveBy(-Infinity)}
        />
        <TransportButton
          id="prev"
          label="Previous record (←)"
          icon="prev"
          disabled={index <= 0}
          go={() => store.moveBy(-1)}
        />
        <button
          type="button"
          class="play-button"
          data-testid="play"
          data-playing={playing}
          aria-label={playing ? 'Pause' : 'Play'}
          title={playing ? 'Pause (Space)' : 'Play (Space)'}
          disabled={count < 2}
          onClick={() => store.playback.toggle()}
        >
          <Icon name={playing ? 'pause' : 'play'} size={20} />
        </button>
        <TransportButton
          id="next"
          label="Next record (→)"
          icon="next"
          disabled={index >= count - 1}
          go={() => store.moveBy(1)}
        />
        <TransportButton
          id="last"
          label="Last record (End)"
          icon="last"
          disabled={index >= count - 1}
          go={() => store.moveBy(Infinity)}
        />
      </div>
      <StepField />
      <RecordFacts />
      <div class="spring" />
      <NewSteps />
      <EventSteps />
      <Picker
        caption="Speed"
        testId="speed"
        align="right"
        up
        value={String(view.speed.value)}
        options={SPEEDS.map((speed) => ({
          value: String(speed),
          label: `${speed}×`,
          detail: `${speed * BASE_RATE} records/s`,
        }))}
        onPick={(value) => (view.speed.value = Number(value))}
      />
      <button
        type="button"
        class="icon-button toggle"
        aria-pressed={view.loop.value}
        aria-label="Loop"
        title="Loop (L)"
        data-testid="loop"
        onClick={() => (view.loop.value = !view.loop.value)}
      >
        <Icon name="loop" size={18} />
      </button>
      <button
        type="button"
        role="switch"
        class="switch"
        aria-checked={view.follow.value}
        data-testid="follow"
        title="Go to every new record as it comes (F)"
        onClick={() => (view.follow.value = !view.follow.value)}
      >
        <span>
          Follow<span class="wide-only"> latest</span>
        </span>
        <i />
      </button>
    </div>
  );
}

function TransportButton(props: {
  id: string;
  label: string;
  icon: IconName;
  disabled: boolean;
  go: () => void;
}): JSX.Element {
  return (
    <button
      type="button"
      class="icon-button"
      data-testid={props.id}
      aria-label={props.label.replace(/ \(.*/, '')}
      title={props.label}
      disabled={props.disabled}
      onClick={props.go}
    >
      <Icon name={props.icon} size={18} />
    </button>
  );
}

/** Shows the step and takes a typed one; one that is not a number is refused in words. */
function StepField(): JSX.Element {
  const store = useStore();
  const step = store.selection.step.value;
  const last = store.selection.steps.value.at(-1);
  const [draft, setDraft] = useState<string | null>(null);
  const [refused, setRefused] = useState(false);
  const input = useRef<HTMLInputElement>(null);

  useEffect(() => {
    setRefused(false);
  }, [step]);

  const submit = () => {
    // What the field holds now: the state of what was just typed may come after this key.
    const text = input.current?.value ?? '';
    const typed = parseStep(text);
    if (typed === null) {
      setRefused(text.trim() !== '');
      return;
    }
    setDraft(null);
    store.goToStep(typed);
    input.current?.blur();
  };
  return (
    <label class="step-field">
      <span>Step</span>
      <input
        ref={input}
        id="step-input"
        data-testid="step-input"
        inputMode="numeric"
        autocomplete="off"
        aria-invalid={refused}
        value={draft ?? (step === null ? '' : formatStep(step))}
        onFocus={(event) => event.currentTarget.select()}
        onInput={(event) => {
          setDraft(event.currentTarget.value);
          setRefused(false);
        }}
        onBlur={() => {
          setDraft(null);
          setRefused(false);
        }}
        onKeyDown={(event) => {
          event.stopPropagation();
          if (event.key === 'Enter') submit();
          if (event.key === 'Escape') {
            setDraft(null);
            input.current?.blur();
          }
        }}
      />
      {refused ? (
        <span class="field-note" role="alert">
          A step is a whole number.
        </span>
      ) : (
        last !== undefined && <span class="of">of {formatStep(last)}</span>
      )}
    </label>
  );
}

function RecordFacts(): JSX.Element | null {
  const store = useStore();
  const { index, steps, layer } = store.selection;
  const time = layer.value?.wallTimes[index.value];
  const start = layer.value?.wallTimes[0];
  if (index.value < 0) return null;
  const gap = layer.value?.gapSteps?.indexOf(steps.value[index.value] as number) ?? -1;
  const leftOut = gap < 0 ? 0 : (layer.value?.gapCounts?.[gap] ?? 0);
  return (
    <>
      <span class="fact" data-testid="record-count">
        record {(index.value + 1).toLocaleString('en')} of {steps.value.length.toLocaleString('en')}
      </span>
      {leftOut > 0 && (
        <span class="fact left-out-captures" data-testid="captures-left-out">
          <Icon name="warning" /> {plural(leftOut, 'capture')} left out before it
        </span>
      )}
      {time !== undefined && start !== undefined && (
        <span class="fact wide-only" title={formatDate(time)} data-testid="wall-time">
          {formatClock(time)}
          {index.value > 0 && `, after ${formatDuration(time - start)}`}
        </span>
      )}
    </>
  );
}

/** From one event to the next; not there where there are none. */
function EventSteps(): JSX.Element | null {
  const store = useStore();
  if (store.events.shown.value.length === 0) return null;
  return (
    <div class="event-step-buttons" role="group" aria-label="Events">
      <button
        type="button"
        class="icon-button"
        data-testid="event-prev"
        aria-label="Previous event"
        title="Previous event ([)"
        onClick={() => store.moveEvent(-1)}
      >
        <Icon name="prev" size={18} />
      </button>
      <span>Event</span>
      <button
        type="button"
        class="icon-button"
        data-testid="event-next"
        aria-label="Next event"
        title="Next event (])"
        onClick={() => store.moveEvent(1)}
      >
        <Icon name="next" size={18} />
      </button>
    </div>
  );
}

function NewSteps(): JSX.Element | null {
  const store = useStore();
  const fresh = store.newSteps.value;
  const last = fresh.at(-1);
  if (last === undefined) return null;
  return (
    <button
      type="button"
      class="new-steps"
      data-testid="new-steps"
      onClick={() => store.goToStep(last)}
    >
      <b>{plural(fresh.length, 'new step')}</b>
      <Icon name="arrow" />
      <span>Go to {formatStep(last)}</span>
    </button>
  );
}
