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
