import type { JSX } from 'preact';
import { useCopied, usePopover } from './hooks';
import { Icon } from './icons';

/** Something of the view to take away. */
export interface Take {
  readonly kind: string;
  readonly label: string;
  readonly detail: string;
  /** The name of the file; none for what goes to the clipboard, which is text. */
  readonly name?: string;
  readonly make: () => Blob | string | null | Promise<Blob | null>;
}

/** Hands a file to the person; nothing of it leaves the browser. */
function save(blob: Blob, name: string): void {
  const address = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  // Some browsers read it only after the press was handled.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** What is on screen as a file or on the clipboard: the weights as read, the picture as drawn. */
export function ExportMenu(props: { what: string; takes: readonly Take[] | null }): JSX.Element {
  const { what, takes } = props;
  const { open, toggle, close, root, button, onKeyDown } = usePopover();
  const [copied, copy] = useCopied();

  const take = async ({ make, name }: Take) => {
    close();
    const made = await make();
    if (typeof made === 'string') copy(made);
    else if (made && name) save(made, name);
  };
  return (
    <div class="picker" ref={root} onKeyDown={onKeyDown}>
      <button
        ref={button}
        type="button"
        class="icon-button"
        aria-expanded={open}
        aria-label={`Save ${what}`}
        title={takes ? `Save ${what} (S)` : 'There is nothing to save'}
        disabled={!takes}
        data-testid="export"
        onClick={toggle}
      >
        <Icon name={copied ? 'check' : 'download'} size={18} />
      </button>
      {open && takes && (
        <div class="picker-list popover right">
          {takes.map((one) => (
            <button
              key={one.kind}
              type="button"
              class="picker-option export-item"
              data-testid={`export-${one.kind}`}
              title={one.name}
              onClick={() => void take(one)}
            >
              <span>{one.label}</span>
              <span class="picker-detail">{one.detail}</span>
            </button>
          ))}
        </div>
      )}
      <span class="sr-only" role="status">
        {copied ? 'Copied' : ''}
      </span>
    </div>
  );
}
