/** Numbers and times as they are written everywhere. */

/** A position in the sequence; a range where a cell stands for several. */
export function positionOf(index: number, pooled = 1): string {
  return pooled > 1 ? `${index * pooled}–${index * pooled + pooled - 1}` : String(index);
}

// Made once: `toLocaleString` looks the locale up each time, and steps are written in every frame.
const THOUSANDS = new Intl.NumberFormat('en-US');

export function formatStep(step: number): string {
  return THOUSANDS.format(step);
}

/** A weight with four decimals; one that is tiny says so instead of claiming to be zero. */
export function formatWeight(weight: number, tiny = false): string {
  if (Number.isNaN(weight)) return 'NaN';
  if (weight === Infinity) return '∞';
  if (weight === -Infinity) return '−∞';
  if (tiny) return '< 0.00001';
  if (weight > 0 && weight < 0.00005) return weight.toFixed(5);
  return weight.toFixed(4).replace('-', '−');
}

export function formatMetric(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '–';
  return value.toFixed(3).replace('-', '−');
}

/** A change with its sign; zero has none. */
export function formatChange(change: number, decimals = 3): string {
  if (Number.isNaN(change)) return '–';
  const text = Math.abs(change).toFixed(decimals);
  if (Number(text) === 0) return text;
  return `${change > 0 ? '+' : '−'}${text}`;
}

export function formatClock(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString('en-GB');
}

export function formatDate(seconds: number): string {
  return new Date(seconds * 1000).toLocaleString('en-GB');
}

/** A length of time as people say it: `4 s`, `5 min 56 s`, `21 min`, `3 h 5 min`, `2 d 4 h`. */
export function formatDuration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  const minutes = Math.floor(s / 60);
  if (minutes < 10) return s % 60 ? `${minutes} min ${s % 60} s` : `${minutes} min`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  const days = Math.floor(hours / 24);
  return hours % 24 ? `${days} d ${hours % 24} h` : `${days} d`;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${THOUSANDS.format(count)} ${count === 1 ? one : many}`;
}

/** `max_weight` as a caption: `Max weight`. */
export function metricTitle(name: string): string {
  const words = name.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
