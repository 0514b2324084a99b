import type { JSX } from 'preact';

const COLUMNS = 26;
const ROWS = 11;
const CELL = 8;

/** Row, column and the stop of the ramp, 1 to 8: what a date's alignment may look like. */
type Marks = readonly (readonly [number, number, number])[];

const FORMING: Marks = [
  ...[0, 1, 2, 3].map((i) => [i, i, 8] as const),
  [4, 3, 7],
  [5, 5, 8],
  [6, 9, 6],
  [6, 12, 1],
  [6, 21, 1],
  [7, 3, 2],
  [7, 25, 6],
  [8, 11, 2],
  [8, 12, 5],
  [8, 15, 1],
  [9, 12, 8],
  [10, 12, 3],
  [10, 13, 1],
  [10, 15, 3],
];

const FORMED: Marks = [
  ...[0, 1, 2, 3, 4, 5].map((i) => [i, i, 8] as const),
  [6, 9, 7],
  [7, 25, 8],
  [8, 11, 7],
  [9, 12, 8],
  [10, 25, 8],
];

/** What will be here: an alignment that forms while a model learns. Drawn, not recorded. */
export function Illustration(): JSX.Element {
  return (
    <div class="illustration" aria-hidden="true">
      <Drawing marks={[]} step="step 0" even />
      <Drawing marks={FORMING} step="step 200" />
      <Drawing marks={FORMED} step="step 2,400" />
    </div>
  );
}

function Drawing(props: { marks: Marks; step: string; even?: boolean }): JSX.Element {
  const { marks, step, even } = props;
  const width = COLUMNS * CELL;
  const height = ROWS * CELL;
  let grid = '';
  for (let x = CELL; x < width; x += CELL) grid += `M${x - 0.5} 0V${height}`;
  for (let y = CELL; y < height; y += CELL) grid += `M0 ${y - 0.5}H${width}`;
  return (
    <figure>
      <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`}>
        {even && <rect class="even" width={width} height={height} />}
        {marks.map(([row, column, stop]) => (
          <rect
            key={row * COLUMNS + column}
            x={column * CELL}
            y={row * CELL}
            width={CELL}
            height={CELL}
            style={{ fill: `var(--seq-${stop})` }}
          />
        ))}
        <path d={grid} />
      </svg>
      <figcaption>{step}</figcaption>
    </figure>
  );
}
