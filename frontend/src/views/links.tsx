import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useLayoutEffect, useMemo } from 'preact/hooks';
import { describeKind } from '../state/groups';
import { MOST_SPREAD } from '../state/links';
import { useStore } from '../state/store';
import { NARROW, useDpr, useMedia, useSize } from './hooks';
import { Readout } from './inspector';
import { LinkCountsNote, LinksBar } from './linksbar';
import { LEAST_PITCH, LINKS_GUTTER, LinkSpread } from './linkspread';
import { LinkColumns } from './linkcolumns';
import { createMapModel } from './mapmodel';
import { MapProblem } from './states';
import { SaidLine } from './viewbar';

/** Queries and keys as two rows or columns of tokens, their weights as links between them. */
export function LinksView(): JSX.Element {
  const store = useStore();
  const [pane, measured] = useSize<HTMLDivElement>();
  const dpr = useDpr();
  const size = useSignal({ ...measured, dpr });
  useLayoutEffect(() => {
    size.value = { ...measured, dpr };
  }, [measured, dpr, size]);
  const model = useMemo(() => createMapModel(store, size), [store, size]);
  const narrow = useMedia(NARROW);
  const { status } = store.maps.state.value;
  // The strips show the selected head, too: what is wrong with it is said over the map's place.
  const own = status === 'error' ? store.maps.state.value.problem?.message : undefined;
  const problem = store.links.problem.value;
  const layer = store.selection.layer.value;
  const about = layer && describeKind(layer.name);
  const { queries, keys } = model.region.value;
  const most = Math.max(queries, keys);
  const room = measured.width - LINKS_GUTTER;
  const fits = most <= MOST_SPREAD && most * LEAST_PITCH <= room;
  return (
    <section class="view" aria-label="Links">
      <LinksBar model={model} />
      <p class="links-about" data-testid="links-about">
        {about?.title && (
          <>
            <b>{about.title}</b> {about.sentence}
          </>
        )}
        <LinkCountsNote model={model} />
      </p>
      <SaidLine />
      <div class="links-pane" ref={pane}>
        {measured.width > 0 &&
          status !== 'error' &&
          (fits ? (
            <LinkSpread model={model} width={measured.width} height={measured.height} />
          ) : (
            <LinkColumns model={model} width={measured.width} height={measured.height} />
          ))}
        {status === 'error' && <MapProblem model={model} />}
        {status === 'none' && <p class="panel-problem">No map: this copy has thumbnails only.</p>}
        {problem !== null && problem !== own && (
          <p class="links-problem" data-testid="links-problem">
            {problem}
          </p>
        )}
      </div>
      {narrow && <Readout model={model} />}
    </section>
  );
}
