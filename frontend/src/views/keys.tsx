import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { useStore } from '../state/store';
import { Icon } from './icons';
import { SHORTCUTS } from './keyboard';

/** The list of keys. A dialog element keeps the focus inside; it goes back to where it was. */
export function KeySheet(): JSX.Element | null {
  const store = useStore();
  const dialog = useRef<HTMLDialogElement>(null);
  const open = store.keysOpen.value;
  useEffect(() => {
    if (!open) return;
    const before = document.activeElement;
    dialog.current?.showModal();
    // The element goes without being closed, unless by Escape, and would take the focus along.
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, [open]);
  if (!open) return null;
  const close = () => (store.keysOpen.value = false);
  return (
    <dialog
      ref={dialog}
      class="keys"
      aria-label="Keyboard shortcuts"
      data-testid="keys-sheet"
      onClose={close}
      onClick={(event) => {
        if (event.target === dialog.current) close();
      }}
    >
      <div class="keys-head">
        <h2>Keyboard</h2>
        <button type="button" class="icon-button" aria-label="Close" onClick={close}>
          <Icon name="close" />
        </button>
      </div>
      <div class="keys-columns">
        {SHORTCUTS.map((group) => (
          <section key={group.title}>
            <h3 class="caption">{group.title}</h3>
            <dl>
              {group.shortcuts.map((shortcut) => (
                <div key={shortcut.does + shortcut.keys.join('')}>
                  <dt>
                    {shortcut.keys.map((key) => (
                      <kbd key={key}>{key}</kbd>
                    ))}
                  </dt>
                  <dd>{shortcut.does}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </dialog>
  );
}
