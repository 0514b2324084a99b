import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import type { EventInfo } from '../api/model';
import { kindTitle, kindTone } from '../state/events';
import { formatStep, plural } from '../state/format';
import { useStore } from '../state/store';
import { ToneIcon } from './eventmarks';
import { Picker } from './picker';

/** All events of the run, to be filtered and gone to. */
export function EventList(): JSX.Element {
  const store = useStore();
  const { events, selection } = store;
  const all = events.all.value;
  const shown = events.shown.value;
  const root = useRef<HTMLDivElement>(null);

  if (selection.run.value?.thumbnailsOnly) {
    return <p class="left-note">Only event files are here: events are found in the full record.</p>;
  }
  const position = shown.findIndex((event) => isHere(event, selection));

  function onKeyDown(event: KeyboardEvent): void {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    // From the row that has the focus: several may be at the place that is shown.
    const rows = [...(root.current?.querySelectorAll<HTMLElement>('[role="option"]') ?? [])];
    const from = rows.findIndex((row) => row === document.activeElement);
    const to = Math.max(0, Math.min(shown.length - 1, from + by));
    const next = shown[to];
    if (next) store.goToEvent(next);
    rows[to]?.focus();
  }

  return (
    <>
      {all.length > 0 && <Filters />}
      <div
        class="event-list"
        role="listbox"
        aria-label="Events"
        ref={root}
        onKeyDown={onKeyDown}
        data-testid="event-list"
      >
        {shown.map((event, i) => (
          <EventRow
            key={`${event.kind} ${event.layer} ${event.head} ${event.step}`}
            event={event}
            focusable={position < 0 ? i === 0 : i === position}
          />
        ))}
      </div>
      {events.problems.value.map((problem) => (
        <p key={problem} class="pane-problem">
          {problem}
        </p>
      ))}
      {all.length === 0 && events.known.value && (
        <p class="left-note" data-testid="no-events">
          No event so far. An event is what changes a head for good: an alignment that forms or is
          lost, a collapse, a sink, an induction head.
        </p>
      )}
      {all.length > 0 && (
        <p class="left-note">
          {shown.length < all.length
            ? `${shown.length.toLocaleString('en')} of ${plural(all.length, 'event')}. The filter holds for the time axis too.`
            : `${plural(all.length, 'event')}. [ and ] go from one to the next.`}
        </p>
      )}
    </>
  );
}

type Here = ReturnType<typeof useStore>['selection'];

function isHere(event: EventInfo, selection: Here): boolean {
  return (
    event.step === selection.step.value &&
    event.layer === selection.layer.value?.name &&
    event.head === selection.head.value
  );
}

/** Kinds with their numbers as chips, and the layer where there are several. */
function Filters(): JSX.Element {
  const { events } = useStore();
  const all = events.all.value;
  const kinds = [...new Set(all.map((event) => event.kind))];
  const layers = [...new Set(all.map((event) => event.layer))].sort();
  return (
    <div class="event-filters">
      {kinds.length > 1 && (
        <div class="chips" role="group" aria-label="Kinds of events">
          <Chip
            label="All"
            count={all.length}
            pressed={events.kind.value === null}
            press={() => (events.kind.value = null)}
          />
          {kinds.map((kind) => (
            <Chip
              key={kind}
              label={kindTitle(kind)}
              count={all.filter((event) => event.kind === kind).length}
              pressed={events.kind.value === kind}
              press={() => (events.kind.value = events.kind.value === kind ? null : kind)}
            />
          ))}
        </div>
      )}
      {layers.length > 1 && (
        <Picker
          caption="Layer"
          testId="event-layer"
          value={events.layer.value ?? ''}
          options={[
            { value: '', label: 'all', detail: plural(all.length, 'event') },
            ...layers.map((layer) => ({
              value: layer,
              label: layer,
              detail: String(all.filter((event) => event.layer === layer).length),
            })),
          ]}
          onPick={(layer) => (events.layer.value = layer === '' ? null : layer)}
        />
      )}
    </div>
  );
}

export function Chip(props: {
  label: string;
  /** Null while it is not known. */
  count: number | null;
  pressed: boolean;
  press: () => void;
  title?: string;
}): JSX.Element {
  return (
    <button
      type="button"
      class="chip"
      aria-pressed={props.pressed}
      title={props.title}
      data-chip={props.label}
      onClick={props.press}
    >
      {props.label} {props.count !== null && <span>{props.count.toLocaleString('en')}</span>}
    </button>
  );
}

function EventRow({ event, focusable }: { event: EventInfo; focusable: boolean }): JSX.Element {
  const store = useStore();
  const { run } = store.selection;
  const here = isHere(event, store.selection);
  const layers = run.value?.layers ?? [];
  const heads = layers.reduce((sum, layer) => sum + layer.heads, 0);
  return (
    <div
      role="option"
      class="event-row"
      aria-selected={here}
      tabIndex={focusable ? 0 : -1}
      title={event.message}
      data-kind={event.kind}
      data-layer={event.layer}
      data-head={event.head}
      data-step={event.step}
      onClick={() => store.goToEvent(event)}
      onKeyDown={(key) => {
        if (key.key === 'Enter') store.goToEvent(event);
      }}
    >
      <ToneIcon tone={kindTone(event.kind)} />
      <span class="event-title">{kindTitle(event.kind)}</span>
      <span class="event-step">{formatStep(event.step)}</span>
      <span class="event-where">
        <bdi>{event.layer}</bdi>
        {heads > 1 && `, head ${event.head}`}
      </span>
    </div>
  );
}
