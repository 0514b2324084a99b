/** Navigation among recorded steps: ascending, and the only ones that exist. */
type Steps = readonly number[];

/** Index of the first step that is not below `step`. */
function lowerBound(steps: Steps, step: number): number {
  let low = 0;
  let high = steps.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((steps[middle] as number) < step) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the recorded step nearest to `step`, the earlier one of two equally near; -1 if none. */
export function nearestIndex(steps: Steps, step: number): number {
  const above = lowerBound(steps, step);
  const below = above - 1;
  if (above >= steps.length) return steps.length - 1;
  if (below < 0) return above;
  return step - (steps[below] as number) <= (steps[above] as number) - step ? below : above;
}

/** Index of the latest record at or before `step`; -1 when all are later. */
export function indexAtOrBefore(steps: Steps, step: number): number {
  const above = lowerBound(steps, step);
  return steps[above] === step ? above : above - 1;
}

/** `index` moved by `by`, kept within the records. */
export function move(count: number, index: number, by: number): number {
  return Math.max(0, Math.min(count - 1, index + by));
}

/** A step as a person types it: digits, with thousands separators or spaces. */
export function parseStep(text: string): number | null {
  const digits = text.replace(/[\s,_’']/g, '');
  if (!/^\d{1,15}$/.test(digits)) return null;
  return Number(digits);
}

/** The steps to fetch before they are asked for: `ahead` of them in the direction of travel. */
export function prefetchIndices(
  count: number,
  index: number,
  direction: 1 | -1,
  ahead: number,
  loop: boolean,
): number[] {
  const indices: number[] = [];
  for (let n = 1; n <= ahead; n++) {
    let next = index + n * direction;
    if (loop && count > 0) next = ((next % count) + count) % count;
    if (next < 0 || next >= count || next === index || indices.includes(next)) continue;
    indices.push(next);
  }
  return indices;
}
