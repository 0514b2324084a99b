import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { chooseLinks, drawLinks, type Token } from '../render/links';
import { plural } from '../state/format';
import { describeKind } from '../state/groups';
import { useStore } from '../state/store';
import { tokenTitle } from '../state/tokens';
import { useDpr, usePalette } from './hooks';
import { labelAt, type MapModel } from './mapmodel';
import { style } from './style';

const ROW = 20;
const COLUMN = 190;
const HEADING = 28;
const COLUMN_HEADING = 20;

interface Place {
  readonly model: MapModel;
  readonly width: number;
  readonly height: number;
}

/**
 * Long sequences: two columns that scroll by themselves, and the links of the token that is pointed
 * at or pinned, or of the crosshair's query. All of them at once would be a grey area.
 */
export function LinkColumns({ model, width, height }: Place): JSX.Element {
  const store = useStore();
  const palette = usePalette();
  const dpr = useDpr();
  const canvas = useRef<HTMLCanvasElement>(null);
  const { links, view, cursor, selection } = store;
  const region = model.region.value;
  const heads = links.heads.value;
  const maps = heads.map(({ map }) => map);
  const least = view.least.value;
  const perQuery = view.perQuery.value;
  const [top, setTop] = useState({ query: 0, key: 0 });
  const column = Math.min(COLUMN, Math.floor(width * 0.3));
  const room = Math.max(40, width - 2 * column - 32);
  const body = Math.max(80, height - HEADING - COLUMN_HEADING - 8);
  const query = cursor.cell.value?.query ?? 0;
  const focused = useMemo<readonly Token[]>(
    () =>
      links.focused.value.length > 0 ? links.focused.value : [{ side: 'query', index: query }],
    [links.focused.value, query],
  );
  const chosen = useMemo(
    () => maps.map((map) => (map ? chooseLinks(map, region, { least, perQuery }, focused) : [])),
    [...maps, maps.length, region, least, perQuery, focused],
  );
  const at = (side: Token['side']) => (index: number) => index * ROW + ROW / 2 - top[side];
  const away = chosen
    .flat()
    .filter((link) => outside(at('query')(link.query)) || outside(at('key')(link.key))).length;
  function outside(y: number): boolean {
    return y < 0 || y > body;
  }
  useLayoutEffect(() => {
    if (!canvas.current) return;
    drawLinks(
      canvas.current,
      chosen.map((all, i) => ({ links: all, color: palette.heads[i] ?? '' })),
      { query: at('query'), key: at('key'), direction: 'across' },
      focused,
      { width: room, height: body },
      palette,
      dpr,
    );
  }, [chosen, focused, room, body, top, palette, dpr]);
  const about = describeKind(selection.layer.value?.name ?? '');
  const reached = (side: Token['side']) => new Set(chosen.flat().map((link) => link[side]));
  // A pinned token's strongest link is brought into sight at its other end.
  const pin = links.pinned.value[0];
  const strongest = chosen
    .flat()
    .reduce<{ query: number; key: number; weight: number } | null>(
      (best, link) => (best && best.weight >= link.weight ? best : link),
      null,
    );
  const target = pin && strongest ? strongest : null;
  return (
    <div class="link-columns" data-testid="links-columns">
      <p class="links-heading">
        {focused
          .map(({ side, index }) => {
            const tokens = side === 'query' ? model.queryTokens.value : model.keyTokens.value;
            return `${side} ${index} ${labelAt(tokens, index, 16)}`;
          })
          .join(' and ')}
        : {plural(chosen.flat().length, 'link')}
        {away > 0 && `, ${away.toLocaleString('en')} of them end out of sight`}. Only links of the
        token pointed at or pinned are drawn: there are {region.queries.toLocaleString('en')} ×{' '}
        {region.keys.toLocaleString('en')} tokens.
      </p>
      <div class="link-columns-heads" style={style({ height: COLUMN_HEADING })}>
        <ColumnHeading name="Queries" of={about.query} width={column} />
        <ColumnHeading name="Keys" of={about.key} width={column} />
      </div>
      <div class="link-columns-body" style={style({ height: body })}>
        <Column
          side="query"
          name={`Queries ${about.query}`}
          model={model}
          width={column}
          height={body}
          reached={reached('query')}
          target={target?.query ?? null}
          pin={pin}
          onScroll={(y) => setTop((now) => ({ ...now, query: y }))}
        />
        <canvas
          ref={canvas}
          role="img"
          aria-label="Links of the marked tokens: queries left, keys right"
          data-testid="links"
          data-state={maps.every((map) => map !== null) ? 'ready' : 'loading'}
          data-step={maps[0]?.step ?? ''}
          data-heads={heads.map(({ head }) => head).join('.')}
          data-focused={focused.map(({ side, index }) => `${side}.${index}`).join(' ')}
          data-links={chosen.flat().length}
        />
        <Column
          side="key"
          name={`Keys ${about.key}`}
          model={model}
          width={column}
          height={body}
          reached={reached('key')}
          target={target?.key ?? null}
          pin={pin}
          onScroll={(y) => setTop((now) => ({ ...now, key: y }))}
        />
      </div>
    </div>
  );
}

function ColumnHeading(props: { name: string; of: string; width: number }): JSX.Element {
  return (
    <span style={style({ width: props.width })}>
      <b>{props.name}</b> {props.of}
    </span>
  );
}

/** Only the rows in sight are in the document. */
function Column(props: {
  side: Token['side'];
  name: string;
  model: MapModel;
  width: number;
  height: number;
  reached: ReadonlySet<number>;
  /** A row to bring into sight when the pin changes. */
  target: number | null;
  pin: Token | undefined;
  onScroll: (top: number) => void;
}): JSX.Element {
  const { side, name, model, width, height, reached, target, pin, onScroll } = props;
  const { links, cursor } = useStore();
  const root = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const region = model.region.value;
  const count = side === 'query' ? region.queries : region.keys;
  const tokens = side === 'query' ? model.queryTokens.value : model.keyTokens.value;
  const first = Math.max(0, Math.floor(top / ROW) - 2);
  const last = Math.min(count, Math.ceil((top + height) / ROW) + 2);
  const current = cursor.cell.value?.[side] ?? 0;
  const show = (index: number) => {
    const element = root.current;
    if (!element) return;
    const y = index * ROW;
    if (y < element.scrollTop || y + ROW > element.scrollTop + height) {
      element.scrollTop = Math.max(0, y - height / 2);
    }
  };
  useEffect(() => {
    show(target ?? current);
  }, [pin?.side, pin?.index, target === null]);
  const move = (event: KeyboardEvent) => {
    const at = links.hovered.value?.side === side ? links.hovered.value.index : current;
    const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: count - 1 }[event.key];
    if (event.key === 'Enter' || event.key === ' ') links.togglePin({ side, index: at });
    else if (to === undefined || event.altKey) return;
    else {
      const index = Math.max(0, Math.min(count - 1, to));
      links.hovered.value = { side, index };
      show(index);
    }
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div
      class={`link-column ${side}`}
      ref={root}
      role="listbox"
      aria-label={name}
      tabIndex={0}
      style={style({ width })}
      onScroll={(event) => {
        setTop(event.currentTarget.scrollTop);
        onScroll(event.currentTarget.scrollTop);
      }}
      onPointerLeave={() => (links.hovered.value = null)}
      onBlur={() => (links.hovered.value = null)}
      onKeyDown={move}
    >
      <div style={style({ height: count * ROW })}>
        {Array.from({ length: Math.max(0, last - first) }, (_, i) => {
          const index = first + i;
          const isPinned = links.pinned.value.some((t) => t.side === side && t.index === index);
          const hovered = links.hovered.value;
          const here = hovered?.side === side && hovered.index === index;
          return (
            <div
              key={index}
              role="option"
              aria-selected={isPinned}
              class={`link-row ${isPinned ? 'pinned' : ''} ${here ? 'focused' : ''} ${reached.has(index) ? 'reached' : ''}`}
              style={style({ top: index * ROW })}
              title={tokenTitle(tokens[index] ?? '')}
              data-testid={`link-${side}-${index}`}
              onPointerEnter={() => (links.hovered.value = { side, index })}
              onClick={() => links.togglePin({ side, index })}
            >
              <span class="position">{index}</span>
              <bdi>{labelAt(tokens, index, 24)}</bdi>
              {isPinned && <span class="pin-word">pinned</span>}
            </div>
          );
        })}
      </div>
    </div>
  );
}
