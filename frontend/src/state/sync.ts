import { effect } from '@preact/signals';
import type { Host } from './host';
import { isOurTab, parseHash, writeHash } from './url';
import { restore, snapshot, type View } from './view';

/** Browsers refuse more than some 200 changes of the address in ten seconds. */
const LEAST_PAUSE_MS = 250;

/** Keeps the address of the page and the view the same, in both directions. */
export function syncWithAddress(host: Host, view: View): { flush(): void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let written = performance.now();
  let known = host.readHash();

  function write(): void {
    clearTimeout(timer);
    timer = undefined;
    written = performance.now();
    const hash = host.readHash();
    if (hash !== known && hash.includes('p.attention.')) {
      // Somebody has just changed it. The browser is about to tell if it was by hand, and that is
      // the later wish; TensorBoard rewrites it without a word.
      known = hash;
      timer = setTimeout(write, LEAST_PAUSE_MS);
      return;
    }
    if (isOurTab(hash)) host.writeHash(writeHash(hash, snapshot(view)));
    known = host.readHash();
  }

  restore(view, parseHash(known));
  host.onHashChange(() => {
    const hash = host.readHash();
    known = hash;
    // Another tab's address says nothing about our view; coming back without keys of ours keeps it.
    if (!isOurTab(hash)) return;
    if (hash.includes('p.attention.')) restore(view, parseHash(hash));
    else write();
  });
  effect(() => {
    snapshot(view);
    if (timer !== undefined) return;
    // At once after a pause, so that a reload finds what one has just chosen; while playing the
    // address follows at its own pace.
    const wait = written + LEAST_PAUSE_MS - performance.now();
    if (wait <= 0) write();
    else timer = setTimeout(write, wait);
  });
  return { flush: write };
}
