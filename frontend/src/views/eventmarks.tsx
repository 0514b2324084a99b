import type { JSX } from 'preact';
import type { EventInfo, LayerInfo } from '../api/model';
import { placeMarks, type Mark } from '../render/marks';
import type { TimeAxis } from '../render/timeline';
import { foremost, kindTitle, kindTone, type Tone } from '../state/events';
import { formatStep } from '../state/format';
import { shortHead } from '../state/groups';
import { useStore } from '../state/store';
import { style } from './style';

const TONE_PATHS: Readonly<Record<Tone, string>> = {
  good: 'M5 1.5 L9 8.5 H1 Z',
  bad: 'M1 1.5 H9 L5 8.5 Z',
  neutral: 'M5 1.5 a3.5 3.5 0 1 0 0.01 0 Z',
};

/** Up, down or a dot: the shape says what the colour says. */
export function ToneIcon({ tone }: { tone: Tone }): JSX.Element {
  return (
    <svg class={`tone ${tone}`} width="10" height="10" viewBox="0 0 10 10" aria-hidden="true">
      <path d={TONE_PATHS[tone]} />
    </svg>
  );
}

/** What is said on a mark of several events: the foremost one, and how many more. */
export function labelOf(events: readonly EventInfo[], layers: readonly LayerInfo[]): string {
  const main = foremost(events);
  if (!main) return '';
  const step = formatStep(main.step);
  const alike = events.filter((event) => event.kind === main.kind);
  const others = events.length - alike.length;
  const where =
    alike.length > 1
      ? ` in ${alike.length.toLocaleString('en')} heads`
      : ` ${shortHead(layers, main.layer, main.head)}`.trimEnd();
  return `${kindTitle(main.kind)}${where} ${step}${others > 0 ? `, ${others} more` : ''}`;
}

const MOST_SENTENCES = 8;

function sentences(events: readonly EventInfo[]): string {
  const said = events
    .slice(0, MOST_SENTENCES)
    .map((event) => `Step ${formatStep(event.step)}: ${event.message}`);
  const rest = events.length - said.length;
  return [...said, ...(rest > 0 ? [`and ${rest.toLocaleString('en')} more`] : [])].join('\n');
}

function useMarks(axis: TimeAxis): readonly Mark[] {
  const store = useStore();
  const layers = store.selection.run.value?.layers ?? [];
  return placeMarks(store.events.shown.value, axis, (events) => labelOf(events, layers));
}

/** The row of events above the curve. They are reached with [ and ] and in the list, not by Tab. */
export function EventMarks({ axis }: { axis: TimeAxis }): JSX.Element {
  const store = useStore();
  const marks = useMarks(axis);
  return (
    <div class="event-marks" data-testid="event-marks">
      {marks.map((mark) => {
        const main = foremost(mark.events);
        if (!main) return null;
        const tone = kindTone(main.kind);
        return (
          <button
            key={`${mark.x} ${mark.label}`}
            type="button"
            tabIndex={-1}
            class={`event-mark ${tone} ${mark.labelled ? '' : 'bare'}`}
            style={style({ left: mark.left })}
            title={sentences(mark.events)}
            aria-label={mark.label}
            data-kind={main.kind}
            data-step={main.step}
            data-count={mark.events.length}
            onClick={() => store.goToEvent(main)}
          >
            <ToneIcon tone={tone} />
            {mark.labelled && <span>{mark.label}</span>}
          </button>
        );
      })}
    </div>
  );
}

/** A dashed line from each mark through all tracks. */
export function EventLines({ axis }: { axis: TimeAxis }): JSX.Element {
  const marks = useMarks(axis);
  return (
    <>
      {marks.map((mark) => (
        <i
          key={`${mark.x} ${mark.label}`}
          class={`event-line ${kindTone(foremost(mark.events)?.kind ?? '')}`}
          style={style({ transform: `translateX(${mark.x}px)` })}
          aria-hidden="true"
        />
      ))}
    </>
  );
}

/** In the corner of a head's thumbnail: its latest event up to this step; hollow while to come. */
export function EventBadge({ events }: { events: readonly EventInfo[] }): JSX.Element | null {
  const store = useStore();
  const first = events[0];
  if (!first) return null;
  const step = store.selection.step.value;
  const past = events.filter((event) => step === null || event.step <= step);
  const event = past.at(-1) ?? first;
  return (
    <span class={`event-badge ${past.length > 0 ? '' : 'to-come'}`} data-kind={event.kind}>
      <ToneIcon tone={kindTone(event.kind)} />
    </span>
  );
}

/** What a head's events are, in words, for its tooltip and its name. */
export function eventWords(events: readonly EventInfo[]): string {
  return events
    .map((event) => `${kindTitle(event.kind).toLowerCase()} at step ${formatStep(event.step)}`)
    .join(', ');
}
