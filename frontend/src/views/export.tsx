import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { fileName, toCsv, toNpy } from '../render/export';
import { useStore, type Store } from '../state/store';
import type { Hide } from '../state/url';
import { useOutside } from './hooks';
import { Icon } from './icons';
import type { MapModel } from './mapmodel';

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

/** What is shown of a layer, for the name of a file. */
function subjectOf({ selection, masks, view }: Store): string {
  const subject = selection.aggregate.value?.file ?? `head${selection.head.value}`;
  const hidden = masks.hidden.value.length > 0 ? `_without-${HIDDEN_NAMES[view.hide.value]}` : '';
  return subject + hidden;
}

const HIDDEN_NAMES: Readonly<Record<Hide, string>> = {
  none: '',
  first: 'first-key',
  special: 'special-tokens',
  both: 'first-key-and-special-tokens',
};

/** The current map as a file: the weights as they are read, or the picture as it is drawn. */
export function ExportMenu({ model }: { model: MapModel }): JSX.Element {
  const store = useStore();
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  useOutside(root, open, () => setOpen(false));
  const { map } = store.maps.state.value;
  const { run, layer, example } = store.selection;

  const take = (kind: 'png' | 'csv' | 'npy') => {
    setOpen(false);
    button.current?.focus();
    if (!map || !run.value || !layer.value) return;
    const name = fileName(
      run.value.name,
      layer.value.name,
      subjectOf(store),
      example.value,
      map.step,
      kind,
    );
    const region = model.region.value;
    if (kind === 'csv') {
      const text = toCsv(map, region, model.queryTokens.value, model.keyTokens.value);
      save(new Blob([text], { type: 'text/csv' }), name);
    } else if (kind === 'npy') {
      save(new Blob([toNpy(map, region)], { type: 'application/octet-stream' }), name);
    } else {
      const canvas = document.querySelector<HTMLCanvasElement>('canvas[data-testid="map"]');
      canvas?.toBlob((blob) => {
        if (blob) save(blob, name);
      });
    }
  };
  const { queries, keys } = model.region.value;
  const item = (kind: 'png' | 'csv' | 'npy', label: string, detail: string) => (
    <button
      type="button"
      class="picker-option export-item"
      data-testid={`export-${kind}`}
      onClick={() => take(kind)}
    >
      <span>{label}</span>
      <span class="picker-detail">{detail}</span>
    </button>
  );
  return (
    <div
      class="picker"
      ref={root}
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || !open) return;
        event.stopPropagation();
        setOpen(false);
        button.current?.focus();
      }}
    >
      <button
        ref={button}
        type="button"
        class="icon-button"
        aria-expanded={open}
        aria-label="Save this map"
        title={map ? 'Save this map (S)' : 'There is no map to save'}
        disabled={!map}
        data-testid="export"
        onClick={() => setOpen(!open)}
      >
        <Icon name="download" size={18} />
      </button>
      {open && (
        <div class="picker-list popover right">
          {item('png', 'PNG', 'the cells as drawn')}
          {item('csv', 'CSV', `${queries} × ${keys} weights with tokens`)}
          {item('npy', 'NPY', `float32 [${queries}, ${keys}]`)}
        </div>
      )}
    </div>
  );
}
