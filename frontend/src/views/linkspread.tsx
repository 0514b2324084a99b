import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { weightAt } from '../api/weights';
import { chooseLinks, drawLinks, spread, type Token } from '../render/links';
import { prepare } from '../render/map';
import { position, rowMaximum } from '../render/scale';
import { strongestEnd } from '../state/cursor';
import { describeKind, shortNames } from '../state/groups';
import type { LinkedHead } from '../state/links';
import { useStore } from '../state/store';
import { isEndToken, tokenTitle } from '../state/tokens';
import { shortEnd } from './axislabels';
import { useDpr, usePalette } from './hooks';
import { labelAt, type MapModel } from './mapmodel';
import { style } from './style';

/** Room at the left for the names of the rows, and at the right. */
const LEFT = 72;
const RIGHT = 16;
export const LINKS_GUTTER = LEFT + RIGHT;
/** Tokens closer than this cannot be told apart: then they are columns. */
export const LEAST_PITCH = 12;
/** Below this labels are turned. */
const UPRIGHT_FROM = 20;
const WIDEST_TOKEN = 48;
/** What an end token takes, written out. */
const END_WIDTH = 36;
const STRIP = 12;
const STRIPS_HEADING = 32;
/** What the links themselves need before there is room for strips. */
const LEAST_HEIGHT = 200;

interface Place {
  readonly model: MapModel;
  readonly width: number;
  readonly height: number;
}

/** Keys above, queries below, both over the full width: a diagonal is vertical. */
export function LinkSpread({ model, width, height }: Place): JSX.Element {
  const store = useStore();
  const palette = usePalette();
  const dpr = useDpr();
  const canvas = useRef<HTMLCanvasElement>(null);
  const { links, view, selection } = store;
  const { queries, keys } = model.region.value;
  const heads = links.heads.value;
  const maps = heads.map(({ map }) => map);
  const focused = links.focused.value;
  const least = view.least.value;
  const perQuery = view.perQuery.value;
  const room = width - LEFT - RIGHT;
  const keyRow = rowHeight(room / keys);
  const queryRow = rowHeight(room / queries);
  const strips = links.strips.value;
  const left = height - keyRow - queryRow - 16;
  const stripsHeight = strips.length > 1 ? strips.length * STRIP + STRIPS_HEADING : 0;
  const withStrips = stripsHeight > 0 && left - stripsHeight >= LEAST_HEIGHT;
  const linksHeight = Math.max(60, left - (withStrips ? stripsHeight : 0));
  const about = describeKind(selection.layer.value?.name ?? '');
  const ready = maps.every((map) => map !== null);

  useLayoutEffect(() => {
    if (!canvas.current) return;
    drawLinks(
      canvas.current,
      maps.map((map, i) => ({
        links: map ? chooseLinks(map, { queries, keys }, { least, perQuery }) : [],
        color: palette.heads[i] ?? '',
      })),
      { query: spread(room, queries), key: spread(room, keys), direction: 'down' },
      focused,
      { width: room, height: linksHeight },
      palette,
      dpr,
    );
  }, [
    ...maps,
    maps.length,
    queries,
    keys,
    least,
    perQuery,
    room,
    focused,
    linksHeight,
    palette,
    dpr,
  ]);

  return (
    <div class="links-spread" data-testid="links-spread">
      {withStrips && <Strips heads={strips} keys={keys} width={room} model={model} />}
      <TokenRow side="key" name="Keys" of={about.key} model={model} width={room} height={keyRow} />
      <canvas
        ref={canvas}
        class="links-canvas"
        role="img"
        aria-label={`Links of ${heads.length === 1 ? `head ${heads[0]?.head ?? 0}` : `${heads.length} heads`}: keys above, queries below`}
        style={style({ 'margin-left': LEFT })}
        data-testid="links"
        data-state={ready ? 'ready' : 'loading'}
        data-step={maps[0]?.step ?? ''}
        data-heads={heads.map(({ head }) => head).join('.')}
        data-focused={focused.map(({ side, index }) => `${side}.${index}`).join(' ')}
      />
      <TokenRow
        side="query"
        name="Queries"
        of={about.query}
        model={model}
        width={room}
        height={queryRow}
      />
    </div>
  );
}

function rowHeight(pitch: number): number {
  return pitch >= UPRIGHT_FROM ? 46 : 66;
}

/** One Tab stop; the arrows go from token to token, and what has the focus counts as pointed at. */
function TokenRow(props: {
  side: Token['side'];
  name: string;
  of: string;
  model: MapModel;
  width: number;
  height: number;
}): JSX.Element {
  const { side, name, model, width, height } = props;
  const { links, cursor } = useStore();
  const root = useRef<HTMLDivElement>(null);
  const region = model.region.value;
  const count = side === 'query' ? region.queries : region.keys;
  const tokens = side === 'query' ? model.queryTokens.value : model.keyTokens.value;
  const pitch = width / count;
  const turned = pitch < UPRIGHT_FROM;
  const box = Math.min(WIDEST_TOKEN, pitch - (pitch > 24 ? 6 : 1));
  const focused = links.focused.value;
  const pinned = links.pinned.value;
  const reached = new Set(useReached(side, model));
  const current = cursor.cell.value?.[side] ?? 0;
  const stop = Math.min(count - 1, current);
  const at = spread(width, count);
  const move = (event: KeyboardEvent, index: number) => {
    // Keys are above queries: to the token at the other end of the strongest link.
    const across = side === 'key' ? 'ArrowDown' : 'ArrowUp';
    if (event.key === across && !event.altKey) {
      event.preventDefault();
      event.stopPropagation();
      const map = links.heads.value[0]?.map;
      const other = map ? strongestEnd(map, { side, index }, region) : 0;
      const to = side === 'key' ? 'query' : 'key';
      const row = root.current?.closest('.links-spread')?.querySelector(`.token-row.${to}`);
      row?.querySelectorAll('button')[other]?.focus();
      return;
    }
    const to = { ArrowLeft: index - 1, ArrowRight: index + 1, Home: 0, End: count - 1 }[event.key];
    if (to === undefined || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    root.current?.querySelectorAll('button')[Math.max(0, Math.min(count - 1, to))]?.focus();
  };
  return (
    <div class={`token-row ${side} ${turned ? 'turned' : ''}`} style={style({ height })}>
      <span class="token-row-name">
        <b>{name}</b>
        {props.of}
      </span>
      <div
        class="token-row-body"
        ref={root}
        role="group"
        aria-label={name}
        style={style({ width })}
        onPointerLeave={() => (links.hovered.value = null)}
      >
        {Array.from({ length: count }, (_, index) => {
          const isPinned = pinned.some((t) => t.side === side && t.index === index);
          const isFocused = focused.some((t) => t.side === side && t.index === index);
          const label =
            box < END_WIDTH && isEndToken(tokens[index] ?? '')
              ? shortEnd(tokens, index, 0)
              : labelAt(tokens, index, 12);
          return (
            <button
              key={index}
              type="button"
              class={`link-token ${isPinned ? 'pinned' : ''} ${isFocused ? 'focused' : ''} ${reached.has(index) ? 'reached' : ''}`}
              style={style({ left: at(index), width: box })}
              tabIndex={index === stop ? 0 : -1}
              aria-pressed={isPinned}
              aria-label={`${side} ${index} ${labelAt(tokens, index)}${isPinned ? ', pinned' : ''}`}
              title={`${tokenTitle(tokens[index] ?? '')} · ${side} ${index}, press to ${isPinned ? 'unpin' : 'pin'}`}
              data-testid={`link-${side}-${index}`}
              onPointerEnter={() => (links.hovered.value = { side, index })}
              onFocus={() => (links.hovered.value = { side, index })}
              onBlur={() => (links.hovered.value = null)}
              onClick={() => links.togglePin({ side, index })}
              onKeyDown={(event) => move(event, index)}
            >
              <bdi>{label || index}</bdi>
              {!turned && label && (
                <span class="position">{isPinned && pitch > 60 ? `${index}, pinned` : index}</span>
              )}
            </button>
          );
        })}
      </div>
    </div>
  );
}

/** The tokens at the other end of the focused token's links. */
function useReached(side: Token['side'], model: MapModel): number[] {
  const { links, view } = useStore();
  const focused = links.focused.value.filter((token) => token.side !== side);
  if (focused.length === 0) return [];
  const choice = { least: view.least.value, perQuery: view.perQuery.value };
  return links.heads.value.flatMap(({ map }) =>
    map ? chooseLinks(map, model.region.value, choice, focused).map((link) => link[side]) : [],
  );
}

/** One query's weights in every head of the layers of this kind, on the columns of the keys. */
function Strips(props: {
  heads: readonly LinkedHead[];
  keys: number;
  width: number;
  model: MapModel;
}): JSX.Element {
  const { heads, keys, width, model } = props;
  const store = useStore();
  const palette = usePalette();
  const dpr = useDpr();
  const canvas = useRef<HTMLCanvasElement>(null);
  const { links, selection } = store;
  const layer = selection.layer.value;
  const scale = store.view.scale.value;
  const query =
    links.focused.value.find(({ side }) => side === 'query')?.index ??
    store.cursor.cell.value?.query ??
    0;
  const maps = heads.map(({ map }) => map);
  useLayoutEffect(() => {
    const context = canvas.current && prepare(canvas.current, width, maps.length * STRIP, dpr);
    if (!context) return;
    maps.forEach((map, row) => {
      if (!map || query >= map.queries) return;
      const start = query * map.keys;
      const most = rowMaximum(map.weights, start, keys);
      for (let key = 0; key < Math.min(keys, map.keys); key++) {
        const part = position(scale, weightAt(map.weights, start + key), most);
        const from = Math.round((key * width * dpr) / keys) / dpr;
        const to = Math.round(((key + 1) * width * dpr) / keys) / dpr;
        context.fillStyle = palette.css[Math.round(part * 255)] ?? palette.bad;
        context.fillRect(from, row * STRIP, to - from - 1, STRIP - 1);
      }
    });
  }, [...maps, maps.length, query, width, keys, scale, palette, dpr]);
  const layers = [...new Set(heads.map((one) => one.layer))];
  const short = shortNames(layers.map((one) => one.name));
  const nameOf = (one: LinkedHead) =>
    layers.length === 1
      ? `Head ${one.head}`
      : `${short?.[layers.indexOf(one.layer)] ?? one.layer.name} H${one.head}`;
  const drawn = links.heads.value;
  const token = labelAt(model.queryTokens.value, query, 12);
  return (
    <div class="strips" data-testid="strips">
      <p class="strips-heading" style={style({ 'padding-left': LEFT })}>
        <b>
          Query {query} {token && <span class="token">{<bdi>{token}</bdi>}</span>} in{' '}
          {layers.length === 1 ? 'every head of this layer' : 'every head of these layers'}
        </b>{' '}
        rows: heads, columns: the keys below
      </p>
      <div class="strips-names" style={style({ width: LEFT - 8 })}>
        {heads.map((one) => {
          const own = one.layer === layer;
          const at = own ? drawn.findIndex((d) => d.head === one.head) : -1;
          return (
            <button
              key={`${one.layer.name} ${one.head}`}
              type="button"
              tabIndex={-1}
              class={at >= 0 ? 'drawn' : ''}
              style={style({ color: at >= 0 ? palette.heads[at] : undefined })}
              title={own ? 'Draw its links, or not' : 'Go to this head'}
              onClick={() =>
                own ? links.toggleHead(one.head) : store.selectHead(one.layer.name, one.head)
              }
            >
              {nameOf(one)}
            </button>
          );
        })}
      </div>
      <canvas ref={canvas} style={style({ 'margin-left': LEFT })} />
    </div>
  );
}
