import type { JSX } from 'preact';
import { useStore } from '../state/store';
import { Icon } from './icons';
import { Examples } from './leftpane';

/** A stored thumbnail, pixel for pixel. */
const BOX = { width: 32, height: 32 };

/** The examples beside a comparison, which needs the room; the whole pane opens over it. */
export function ExampleRail(): JSX.Element {
  const { drawerOpen } = useStore();
  return (
    <aside class="rail" aria-label="Examples">
      <div class="bar">
        <button
          type="button"
          class="icon-button drawer-button"
          aria-expanded={drawerOpen.value}
          aria-label="Heads, examples and events"
          title="Heads, examples and events"
          data-testid="rail-open"
          onClick={() => (drawerOpen.value = !drawerOpen.value)}
        >
          <Icon name="arrow" />
        </button>
      </div>
      <div class="left-body">
        <Examples box={BOX} />
      </div>
    </aside>
  );
}
