import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { useOutside } from './hooks';
import { Icon } from './icons';

export interface Option {
  readonly value: string;
  /** What is searched and shown. */
  readonly label: string;
  readonly detail?: string;
  /** Why it cannot be picked. */
  readonly unavailable?: string | null;
}

interface PickerProps {
  readonly caption: string;
  readonly testId?: string;
  readonly value: string;
  readonly options: readonly Option[];
  readonly onPick: (value: string) => void;
  /** What the button shows; the label of the value when absent. */
  readonly children?: ComponentChildren;
  readonly title?: string;
  readonly align?: 'left' | 'right';
  readonly up?: boolean;
}

const FILTER_FROM = 8;

/** A caption, the value, a chevron; opens a list that can be filtered by typing. */
export function Picker(props: PickerProps): JSX.Element {
  const { caption, value, options, onPick } = props;
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  useOutside(root, open, () => setOpen(false));
  const current = options.find((option) => option.value === value);

  const close = (refocus: boolean) => {
    setOpen(false);
    if (refocus) button.current?.focus();
  };
  return (
    <div class="picker" ref={root}>
      <button
        ref={button}
        type="button"
        class="picker-button"
        data-testid={props.testId}
        data-value={value}
        aria-haspopup="listbox"
        aria-expanded={open}
        aria-label={nameOf(caption || props.title, current?.label ?? value)}
        title={props.title}
        onClick={() => setOpen(!open)}
        onKeyDown={(event) => {
          if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
            event.preventDefault();
            event.stopPropagation();
            setOpen(true);
          }
        }}
      >
        {caption && <span class="picker-caption">{caption}</span>}
        <span class="picker-value">{props.children ?? <bdi>{current?.label ?? value}</bdi>}</span>
        <Icon name="chevron" />
      </button>
      {open && (
        <PickerList
          caption={caption || (props.title ?? '')}
          value={value}
          options={options}
          align={props.align ?? 'left'}
          up={props.up ?? false}
          onPick={(picked) => {
            close(true);
            onPick(picked);
          }}
          onClose={() => close(true)}
        />
      )}
    </div>
  );
}

/** What the picker is for and its value, for those who do not see where it stands. */
function nameOf(about: string | undefined, value: string): string {
  if (!about || about.includes(value)) return about || value;
  return `${about}: ${value}`;
}

interface ListProps {
  readonly caption: string;
  readonly value: string;
  readonly options: readonly Option[];
  readonly align: 'left' | 'right';
  readonly up: boolean;
  readonly onPick: (value: string) => void;
  readonly onClose: () => void;
}

function PickerList(props: ListProps): JSX.Element {
  const { options, onPick, onClose } = props;
  const id = useId();
  const [filter, setFilter] = useState('');
  const words = filter.trim().toLowerCase().split(/\s+/);
  const found = options.filter((option) => {
    const text = `${option.label} ${option.detail ?? ''}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const start = Math.max(
    0,
    found.findIndex((option) => option.value === props.value),
  );
  const [active, setActive] = useState(start);
  const shown = Math.min(active, Math.max(0, found.length - 1));
  const focus = useRef<HTMLInputElement & HTMLDivElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const filtered = options.length >= FILTER_FROM;

  useEffect(() => focus.current?.focus(), []);
  useEffect(() => {
    list.current?.children[shown]?.scrollIntoView({ block: 'nearest' });
  }, [shown]);

  const onKeyDown = (event: KeyboardEvent) => {
    // The shortcuts of the page rest while a list is open.
    event.stopPropagation();
    if (event.key === 'Escape' || event.key === 'Tab') {
      if (event.key === 'Escape') event.preventDefault();
      onClose();
    } else if (event.key === 'Enter' || (event.key === ' ' && !filtered)) {
      event.preventDefault();
      const option = found[shown];
      if (option && !option.unavailable) onPick(option.value);
    } else {
      const to = { ArrowDown: shown + 1, ArrowUp: shown - 1, Home: 0, End: found.length - 1 }[
        event.key
      ];
      if (to === undefined) return;
      event.preventDefault();
      setActive(Math.max(0, Math.min(found.length - 1, to)));
    }
  };
  const shared = {
    ref: focus,
    role: 'combobox' as const,
    'aria-expanded': true,
    'aria-controls': id,
    'aria-label': `${props.caption}, filter`,
    'aria-activedescendant': found.length > 0 ? `${id}-${shown}` : undefined,
  };
  return (
    <div class={`popover picker-list ${props.align} ${props.up ? 'up' : ''}`} onKeyDown={onKeyDown}>
      {filtered ? (
        <input
          {...shared}
          class="picker-filter"
          placeholder={`Filter ${options.length}`}
          value={filter}
          onInput={(event) => {
            setFilter(event.currentTarget.value);
            setActive(0);
          }}
        />
      ) : (
        <div {...shared} tabIndex={0} class="sr-only" />
      )}
      <div class="picker-options" role="listbox" id={id} ref={list} aria-label={props.caption}>
        {found.map((option, i) => (
          <div
            key={option.value}
            id={`${id}-${i}`}
            role="option"
            data-value={option.value}
            aria-selected={option.value === props.value}
            aria-disabled={Boolean(option.unavailable)}
            class={`picker-option ${i === shown ? 'active' : ''}`}
            onPointerMove={() => setActive(i)}
            onClick={() => {
              if (!option.unavailable) onPick(option.value);
            }}
          >
            <span class="picker-label">
              <bdi>{option.label}</bdi>
            </span>
            {(option.unavailable ?? option.detail) && (
              <span class="picker-detail">{option.unavailable ?? option.detail}</span>
            )}
          </div>
        ))}
      </div>
      {found.length === 0 && <div class="picker-none">Nothing contains “{filter}”.</div>}
    </div>
  );
}
