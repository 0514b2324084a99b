/** What is marked on the time axis besides events and the playhead. */
import type { JSX } from 'preact';
import type { TimeAxis } from '../render/timeline';
import type { SideName } from '../state/compare';
import { formatStep, plural } from '../state/format';
import { useStore } from '../state/store';
import { style } from './style';

/** Where a side of the comparison stands on the one time axis. */
export function SideLine({ axis, name }: { axis: TimeAxis; name: SideName }): JSX.Element | null {
  const step = useStore().compare[name].step.value;
  const [first, last] = axis.x.domain();
  // Another run may have gone on for longer than this axis does.
  if (step === null || step < (first ?? 0) || step > (last ?? 0)) return null;
  const x = axis.x(step);
  // Beside its line, so that a playhead at the same step does not cross it out.
  const place = x + 80 < axis.width ? 'translateX(3px)' : 'translateX(calc(-100% - 3px))';
  return (
    <div
      class={`side-line side-${name}`}
      style={style({ transform: `translateX(${x}px)` })}
      aria-hidden="true"
    >
      <i />
      <span style={style({ transform: place })}>
        {name.toUpperCase()} {formatStep(step)}
      </span>
    </div>
  );
}

/** Between which records captures were left out, since the writer had no time or no room. */
export function Gaps({ axis }: { axis: TimeAxis }): JSX.Element {
  const layer = useStore().selection.layer.value;
  const { steps } = axis;
  return (
    <>
      {(layer?.gapSteps ?? []).map((step, i) => {
        const before = steps[steps.indexOf(step) - 1];
        if (before === undefined) return null;
        const words = plural(layer?.gapCounts?.[i] ?? 0, 'capture');
        return (
          <i
            key={step}
            class="gap-mark"
            data-testid="gap-mark"
            title={`${words} left out between steps ${formatStep(before)} and ${formatStep(step)}`}
            style={style({ left: axis.x(before), width: axis.x(step) - axis.x(before) })}
          />
        );
      })}
    </>
  );
}

/** Where the frames of the film strip are. */
export function FilmMarks({ axis }: { axis: TimeAxis }): JSX.Element {
  const { film } = useStore();
  return (
    <>
      {film.steps.value.map((step) => (
        <i
          key={step}
          class="film-mark"
          style={style({ transform: `translateX(${axis.x(step)}px)` })}
          aria-hidden="true"
        />
      ))}
    </>
  );
}
