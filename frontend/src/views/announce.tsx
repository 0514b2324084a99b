import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { useStore } from '../state/store';

const ANNOUNCE_MS = 500;

/** Reads out what the crosshair is on, at most twice a second and never during play. */
export function Announced(props: {
  /** Null while there is nothing to read. */
  say: (() => string) | null;
  /** What it depends on. */
  of: readonly unknown[];
}): JSX.Element {
  const { say } = props;
  const [text, setText] = useState('');
  const playing = useStore().playback.playing.value;
  useEffect(() => {
    if (!say || playing) return;
    const timer = setTimeout(() => {
      // Only for those who are in the map: pointing with a mouse should not talk.
      if (document.activeElement?.classList.contains('map') === true) setText(say());
    }, ANNOUNCE_MS);
    return () => clearTimeout(timer);
  }, [...props.of, playing]);
  return (
    <div class="sr-only" aria-live="polite" data-testid="announcer">
      {text}
    </div>
  );
}
