import type { JSX } from 'preact';

/** Outlines on a 24 × 24 grid, drawn in the colour of the text around them. */
const PATHS = {
  chevron: 'M7 10l5 5 5-5z',
  chevronUp: 'M7 14l5-5 5 5z',
  link: 'M10.5 13.5l3-3M9 16l-1.5 1.5a3.2 3.2 0 0 1-4.5-4.5L6.5 9.5A3.2 3.2 0 0 1 11 9.5M15 8l1.5-1.5a3.2 3.2 0 0 1 4.5 4.5L17.5 14.5a3.2 3.2 0 0 1-4.5 0',
  keyboard: 'M3 6.5h18v11H3zM6 10h1M9.5 10h1M13 10h1M16.5 10h1M8 14h8',
  first: 'M6 6v12M18 6.5v11L9.5 12z',
  prev: 'M8 6v12M17 6.5v11L10.5 12z',
  play: 'M8 5.5v13L18.5 12z',
  pause: 'M8 6v12M16 6v12',
  next: 'M16 6v12M7 6.5v11l6.5-5.5z',
  last: 'M18 6v12M6 6.5v11l8.5-5.5z',
  loop: 'M5 11V9a2 2 0 0 1 2-2h11l-3-3M19 13v2a2 2 0 0 1-2 2H6l3 3',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  warning: 'M12 4L2.5 20h19zM12 10v5M12 17v.8',
  arrow: 'M5 12h14M13 6l6 6-6 6',
  copy: 'M9 8h10v12H9zM5 16V4h10',
  refresh: 'M19 12a7 7 0 1 1-2.2-5.1M19 4v4h-4',
  download: 'M12 4v11M7 10.5l5 5 5-5M5 20h14',
  swap: 'M4 9h15l-4-4M20 15H5l4 4',
  panel: 'M4 5h16v14H4zM10 5v14',
  tune: 'M4 7h10M18 7h2M4 17h2M10 17h10M16 4.5v5M8 14.5v5',
  plus: 'M12 5v14M5 12h14',
  minus: 'M5 12h14',
  fit: 'M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5',
  close: 'M6 6l12 12M18 6L6 18',
  up: 'M12 20V5M6 11l6-6 6 6',
  down: 'M12 4v15M6 13l6 6 6-6',
  search: 'M10.5 5a5.5 5.5 0 1 0 .01 0zM14.5 14.5L20 20',
} as const;

export type IconName = keyof typeof PATHS;

const FILLED: ReadonlySet<IconName> = new Set(['chevron', 'chevronUp', 'play']);
const HALF_FILLED: ReadonlySet<IconName> = new Set(['first', 'prev', 'next', 'last']);

export function Icon({ name, size = 16 }: { name: IconName; size?: number }): JSX.Element {
  const fill = FILLED.has(name) || HALF_FILLED.has(name) ? 'currentColor' : 'none';
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true">
      <path
        d={PATHS[name]}
        fill={fill}
        stroke={FILLED.has(name) ? 'none' : 'currentColor'}
        stroke-width="2"
        stroke-linejoin="round"
        stroke-linecap="round"
      />
    </svg>
  );
}
