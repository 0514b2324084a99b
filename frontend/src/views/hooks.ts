import { signal, type ReadonlySignal } from '@preact/signals';
import { createContext, type RefObject } from 'preact';
import { useContext, useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Palette } from '../render/palette';

const PaletteContext = createContext<ReadonlySignal<Palette> | null>(null);
export const PaletteProvider = PaletteContext.Provider;

/** The colours of the theme in force. */
export function usePalette(): Palette {
  const palette = useContext(PaletteContext);
  if (!palette) throw new Error('No palette was provided.');
  return palette.value;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** The size of an element's content, kept up to date. */
export function useSize<T extends HTMLElement>(): [RefObject<T | null>, Size] {
  const ref = useRef<T>(null);
  const [size, setSize] = useState<Size>({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const element = ref.current;
    if (!element) return;
    const measure = () => {
      const width = element.clientWidth;
      const height = element.clientHeight;
      setSize((before) =>
        before.width === width && before.height === height ? before : { width, height },
      );
    };
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    measure();
    return () => observer.disconnect();
  }, []);
  return [ref, size];
}

const ratio = signal(typeof window === 'undefined' ? 1 : window.devicePixelRatio || 1);
let watching = false;

/** Device pixels per CSS pixel; it changes with the zoom of the page. */
export function useDpr(): number {
  if (!watching) {
    watching = true;
    window.addEventListener('resize', () => {
      ratio.value = window.devicePixelRatio || 1;
    });
  }
  return ratio.value;
}

/** Whether the window matches a media query. */
export function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => window.matchMedia(query).matches);
  useEffect(() => {
    const list = window.matchMedia(query);
    const listener = () => setMatches(list.matches);
    list.addEventListener('change', listener);
    return () => list.removeEventListener('change', listener);
  }, [query]);
  return matches;
}

export const NARROW = '(max-width: 1199px)';
/** TensorBoard's header takes 64 px of a window that is 800 high. */
export const LOW = '(max-height: 735px)';

/** Closes what floats when one presses or focuses outside of it. */
export function useOutside(
  ref: RefObject<HTMLElement | null>,
  open: boolean,
  close: () => void,
): void {
  const latest = useRef(close);
  latest.current = close;
  useEffect(() => {
    if (!open) return;
    const listener = (event: Event) => {
      if (event.target instanceof Node && ref.current?.contains(event.target)) return;
      latest.current();
    };
    document.addEventListener('pointerdown', listener);
    document.addEventListener('focusin', listener);
    // A press in TensorBoard's own page takes the focus away from the frame.
    window.addEventListener('blur', listener);
    return () => {
      document.removeEventListener('pointerdown', listener);
      document.removeEventListener('focusin', listener);
      window.removeEventListener('blur', listener);
    };
  }, [open, ref]);
}

/** Does something once the next frame is on the screen; returns what calls it off. */
export function afterPaint(work: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const frame = requestAnimationFrame(() => (timer = setTimeout(work)));
  return () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
  };
}

/** Scrolls what is selected into sight when something else is selected, not when it is scrolled. */
export function useSelectedInSight(root: RefObject<HTMLElement | null>): void {
  const selected = useRef<string | null>(null);
  useEffect(() => {
    const element = root.current?.querySelector<HTMLElement>('[aria-selected="true"]');
    const name = element
      ? `${element.dataset['layer'] ?? ''}\n${element.dataset['head'] ?? ''}`
      : null;
    if (name !== selected.current) element?.scrollIntoView({ block: 'nearest' });
    selected.current = name;
  });
}

/** A list that a button opens: closed by Escape, which gives the focus back, and from outside. */
export function usePopover() {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  useOutside(root, open, () => setOpen(false));
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Escape' || !open) return;
    event.stopPropagation();
    close();
  };
  return { open, toggle: () => setOpen(!open), close, root, button, onKeyDown };
}

/** Tells `true` for a moment after something was copied. */
export function useCopied(): [boolean, (text: string) => void] {
  const [copied, setCopied] = useState(false);
  const copy = (text: string) => {
    void copyText(text).then((done) => {
      setCopied(done);
      setTimeout(() => setCopied(false), 2000);
    });
  };
  return [copied, copy];
}

async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without a secure origin there is no clipboard object; the old way still works there.
    const area = document.createElement('textarea');
    area.value = text;
    area.className = 'sr-only';
    document.body.append(area);
    area.select();
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- the only way over plain HTTP
    const done = document.execCommand('copy');
    area.remove();
    return done;
  }
}
