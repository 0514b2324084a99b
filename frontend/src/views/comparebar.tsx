import type { JSX } from 'preact';
import { headsOf } from '../api/heads';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { prepare } from '../render/map';
import type { SideName } from '../state/compare';
import { formatStep } from '../state/format';
import { parseStep } from '../state/steps';
import { useStore } from '../state/store';
import { ExportMenu } from './export';
import { useDpr, usePalette } from './hooks';
import { Icon } from './icons';
import type { MapModel } from './mapmodel';
import { Picker } from './picker';
import { compareTakes } from './takes';
import { HidePicker, ModeTabs, ScalePicker, ZoomButtons } from './viewbar';

export function SideBadge({ name }: { name: SideName }): JSX.Element {
  return <span class={`side-badge side-${name}`}>{name.toUpperCase()}</span>;
}

export function CompareBar({ model }: { model: MapModel }): JSX.Element {
  const store = useStore();
  const palette = usePalette();
  return (
    <div class="bar viewbar compare-bar">
      <ModeTabs />
      <SideField name="a" />
      <button
        type="button"
        class="icon-button"
        aria-label="Exchange the steps of A and B"
        title="Exchange the steps of A and B (X)"
        data-testid="swap"
        onClick={() => store.compare.swap()}
      >
        <Icon name="swap" />
      </button>
      <SideField name="b" />
      <OtherPicker />
      <ScalePicker />
      <HidePicker />
      <div class="spring" />
      <ExportMenu what="this comparison" takes={compareTakes(store, model, palette)} />
      <ZoomButtons model={model} />
      <DivergingBar />
    </div>
  );
}

/** The step of a side: type one, or take the one that the playhead is at. */
function SideField({ name }: { name: SideName }): JSX.Element {
  const store = useStore();
  const side = store.compare[name];
  const step = side.step.value;
  const now = store.selection.step.value;
  const [draft, setDraft] = useState<string | null>(null);
  const [wrong, setWrong] = useState<string | null>(null);
  const upper = name.toUpperCase();
  const submit = () => {
    const typed = parseStep(draft ?? '');
    setWrong(draft !== null && draft.trim() !== '' && typed === null ? draft : null);
    setDraft(null);
    if (typed !== null) store.compare.set(name, typed);
  };
  return (
    <span class={`side-field side-${name}`}>
      <SideBadge name={name} />
      <input
        aria-label={`Step of side ${upper}`}
        data-testid={`side-${name}`}
        inputMode="numeric"
        autocomplete="off"
        value={draft ?? (step === null ? '' : formatStep(step))}
        onFocus={(event) => event.currentTarget.select()}
        aria-invalid={wrong !== null}
        onInput={(event) => {
          setWrong(null);
          setDraft(event.currentTarget.value);
        }}
        onBlur={submit}
        onKeyDown={(event) => {
          event.stopPropagation();
          if (event.key === 'Enter') event.currentTarget.blur();
          if (event.key === 'Escape') setDraft(null);
        }}
      />
      <button
        type="button"
        class="side-now"
        disabled={now === null || now === step}
        title={
          now === null
            ? 'No step is shown'
            : `Set side ${upper} to the step of the playhead, ${formatStep(now)} (${upper})`
        }
        data-testid={`side-${name}-now`}
        onClick={() => now !== null && store.compare.set(name, now)}
      >
        set
      </button>
      {wrong !== null && (
        <span class="side-wrong" role="alert" data-testid={`side-${name}-wrong`}>
          “<bdi>{wrong.slice(0, 20)}</bdi>” is not a step
        </span>
      )}
    </span>
  );
}

/** Side B: the same head, another head of the layer, or the same head of another run. */
function OtherPicker(): JSX.Element | null {
  const store = useStore();
  const { run, layer, head, aggregate } = store.selection;
  const own = layer.value;
  if (!own) return null;
  const heads = headsOf(own).filter((i) => aggregate.value !== null || i !== head.value);
  const runs = (store.catalog.catalog.value?.runs ?? []).filter(
    (r) =>
      r.name !== run.value?.name && !r.thumbnailsOnly && r.layers.some((l) => l.name === own.name),
  );
  const options = [
    { value: '', label: aggregate.value ? aggregate.value.name : 'this head' },
    ...heads.map((i) => ({ value: `head.${i}`, label: `head ${i}`, detail: 'of this layer' })),
    ...runs.map((r) => ({ value: `run.${r.name}`, label: r.name, detail: 'run' })),
  ];
  if (options.length === 1) return null;
  const wish = store.view.other.value ?? '';
  return (
    <Picker
      caption="B of"
      testId="other-picker"
      value={options.some((o) => o.value === wish) ? wish : ''}
      options={options}
      onPick={(value) => (store.view.other.value = value === '' ? null : value)}
    />
  );
}

const WIDTH = 96;
const HEIGHT = 14;

function DivergingBar(): JSX.Element {
  const palette = usePalette();
  const dpr = useDpr();
  const scale = useStore().view.scale.value;
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    const context = canvas.current && prepare(canvas.current, WIDTH, HEIGHT, dpr);
    if (!context) return;
    for (let x = 0; x < WIDTH; x++) {
      context.fillStyle = palette.divergingCss[Math.round((x / (WIDTH - 1)) * 255)] ?? '';
      context.fillRect(x, 0, 1, HEIGHT);
    }
  }, [palette, dpr]);
  const end = scale === 'row' ? 'row' : '1';
  return (
    <div
      class="colorbar"
      role="img"
      aria-label="Colours of A − B: ochre where B has more, blue where A has more"
    >
      <span class="colorbar-end side-b">B −{end}</span>
      <span class="colorbar-ramp">
        <canvas ref={canvas} />
      </span>
      <span class="colorbar-end side-a">+{end} A</span>
    </div>
  );
}
