import type { MapLayout } from '../render/layout';

type Values = Readonly<Record<string, number | string | undefined>>;

/** Inline styles with numbers as CSS pixels. */
export function style(values: Values): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      typeof value === 'number' ? `${value}px` : value,
    ]),
  );
}

/** Inline style of what lies exactly over a map. */
export function overMap(
  layout: Pick<MapLayout, 'left' | 'top' | 'width' | 'height'>,
): Record<string, string | undefined> {
  const { left, top, width, height } = layout;
  return style({ left, top, width, height });
}
