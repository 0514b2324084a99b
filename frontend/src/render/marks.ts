import type { EventInfo } from '../api/model';
import type { TimeAxis } from './timeline';

/** Marks closer than this are one. */
const TOGETHER = 16;
export const MARK_ICON = 18;
const CHARACTER = 6;
const GAP = 4;

export interface Mark {
  readonly events: readonly EventInfo[];
  /** Of the first event. */
  readonly x: number;
  readonly label: string;
  /** Where its box begins, and whether the label has room. */
  readonly left: number;
  readonly labelled: boolean;
}

/**
 * Events as marks along the time axis, from left to right. Those too close to be told apart share
 * one; a label stands where it touches no other mark, else the mark is its icon alone. Events at
 * steps beyond the axis, of a layer that was recorded for longer, have no place on it.
 */
export function placeMarks(
  events: readonly EventInfo[],
  axis: TimeAxis,
  labelOf: (events: readonly EventInfo[]) => string,
): Mark[] {
  const [first = 0, last = 0] = axis.x.domain();
  const groups: { x: number; events: EventInfo[] }[] = [];
  for (const event of events) {
    if (event.step < first || event.step > last) continue;
    const x = axis.x(event.step);
    const group = groups.at(-1);
    if (group && x - group.x < TOGETHER) group.events.push(event);
    else groups.push({ x, events: [event] });
  }
  let taken = -GAP; // nothing stands beyond the axis
  return groups.map((group, i) => {
    const label = labelOf(group.events);
    const width = MARK_ICON + GAP + label.length * CHARACTER;
    const next = groups[i + 1]?.x ?? Infinity;
    const right = group.x - MARK_ICON / 2 + width;
    const fitsRight = right < Math.min(next - MARK_ICON / 2 - GAP, axis.width);
    const fitsLeft = group.x + MARK_ICON / 2 - width > taken + GAP;
    const labelled = fitsRight || fitsLeft;
    const left = fitsRight || !fitsLeft ? group.x - MARK_ICON / 2 : group.x + MARK_ICON / 2 - width;
    taken = left + (labelled ? width : MARK_ICON);
    return { events: group.events, x: group.x, label, left, labelled };
  });
}
