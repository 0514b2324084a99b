import type { JSX } from 'preact';
import { headsOf } from '../api/heads';
import type { ExampleInfo } from '../api/model';
import { LIVE_SECONDS } from '../state/catalog';
import { formatDuration, plural } from '../state/format';
import { useStore, type Store } from '../state/store';
import { runningText } from '../state/tokens';
import { NARROW, useCopied, useMedia } from './hooks';
import { Icon } from './icons';
import { Picker } from './picker';

/** An example by its text, `source → output`; by its number when there are no tokens. */
export function exampleText(example: ExampleInfo | undefined, index: number, length = 90): string {
  if (!example) return `Example ${index + 1}`;
  const source = runningText(example.keyTokens, length);
  const output = runningText(example.queryTokens, length);
  if (source && output && source !== output) return `${source} → ${output}`;
  return source || output || `${example.queryLength} × ${example.keyLength}`;
}

export function ContextBar(): JSX.Element {
  const store = useStore();
  const { selection } = store;
  const runs = store.catalog.catalog.value?.runs ?? [];
  const run = selection.run.value;
  const layer = selection.layer.value;
  const example = selection.example.value;
  const examples = store.examples.value;
  const narrow = useMedia(NARROW);
  return (
    <header class="context">
      <Picker
        caption="Run"
        testId="run-picker"
        value={run?.name ?? ''}
        options={runs.map((r) => ({
          value: r.name,
          label: r.name,
          detail: plural(Math.max(0, ...r.layers.map((l) => l.steps.length)), 'record'),
        }))}
        onPick={(name) => store.selectRun(name)}
      />
      <Picker
        caption="Layer"
        testId="layer-picker"
        value={layer?.name ?? ''}
        options={(run?.layers ?? []).map((l) => ({
          value: l.name,
          label: l.name,
          detail: `${plural(l.heads, 'head')} · ${l.queries} × ${l.keys}`,
        }))}
        onPick={(name) => store.selectLayer(name)}
      />
      <HeadPicker />
      <Picker
        caption={`${narrow ? '' : 'Example '}${example + 1} of ${examples.length}`}
        testId="example-picker"
        value={String(example)}
        options={examples.map((e, i) => ({
          value: String(i),
          label: exampleText(e, i),
          detail: `${e.queryLength} × ${e.keyLength}`,
        }))}
        onPick={(value) => store.selectExample(Number(value))}
      >
        <bdi>{exampleText(examples[example], example)}</bdi>
      </Picker>
      <div class="spring" />
      <LogState />
      <DrawerButton />
      <LinkButton />
      <button
        type="button"
        class="icon-button"
        aria-label="Keyboard shortcuts"
        title="Keyboard shortcuts (?)"
        data-testid="keys"
        onClick={() => (store.keysOpen.value = !store.keysOpen.value)}
      >
        <Icon name="keyboard" size={20} />
      </button>
    </header>
  );
}

/** One head, or several as one map; what would mean nothing here says why. */
function HeadPicker(): JSX.Element {
  const store = useStore();
  const { selection } = store;
  const layer = selection.layer.value;
  const head = selection.head.value;
  const aggregate = selection.aggregate.value;
  const offers = selection.offers.value;
  if (!layer || (layer.heads === 1 && offers.every((offer) => offer.reason !== null))) {
    return (
      <div class="picker-static only-head" data-testid="head-picker" data-value={head}>
        <span class="picker-caption">Head</span>
        <span class="picker-value">{head}</span>
        <span class="picker-caption">only one</span>
      </div>
    );
  }
  const heads = headsOf(layer).map((i) => ({ value: String(i), label: String(i) }));
  return (
    <Picker
      caption={aggregate ? '' : 'Head'}
      testId="head-picker"
      value={aggregate?.kind ?? String(head)}
      {...(aggregate ? { title: aggregate.about } : {})}
      options={[
        ...heads,
        ...offers.map(({ kind, name, about, reason }) => ({
          value: kind,
          label: name,
          detail: about.split(/[:(,]/)[0] ?? '',
          unavailable: reason,
        })),
      ]}
      onPick={(value) => {
        const offer = offers.find(({ kind }) => kind === value);
        if (offer) store.selectAggregate(offer.kind);
        else store.selectHead(layer.name, Number(value));
      }}
    />
  );
}

/** Shown by the style sheet where the left pane has no place of its own. */
function DrawerButton(): JSX.Element {
  const { drawerOpen } = useStore();
  return (
    <button
      type="button"
      class="icon-button drawer-button"
      aria-expanded={drawerOpen.value}
      aria-label="Heads and examples"
      title="Heads and examples"
      data-testid="drawer"
      onClick={() => (drawerOpen.value = !drawerOpen.value)}
    >
      <Icon name="panel" size={20} />
    </button>
  );
}

function LinkButton(): JSX.Element {
  const store = useStore();
  const [copied, copy] = useCopied();
  return (
    <>
      <button
        type="button"
        class="icon-button"
        aria-label="Copy a link to this view"
        title="Copy a link to this view (C)"
        data-testid="copy-link"
        onClick={() => copy(store.link())}
      >
        <Icon name={copied ? 'check' : 'link'} size={20} />
      </button>
      <span class="sr-only" role="status">
        {copied ? 'Link copied' : ''}
      </span>
    </>
  );
}

export function LogState(): JSX.Element {
  const store = useStore();
  const { tone, text } = logState(store);
  return (
    <div class={`log-state ${tone}`} data-testid="log-state" data-tone={tone}>
      {tone === 'live' && <span class="dot" />}
      {tone === 'trouble' && <Icon name="warning" />}
      <span>{text}</span>
    </div>
  );
}

/** What the log does, or that the server does not answer, in one line. */
export function logState(store: Store): { tone: 'live' | 'still' | 'trouble'; text: string } {
  const connection = store.catalog.connection.value;
  const now = store.now.value;
  if (connection.kind === 'silent' || connection.kind === 'failed') {
    const wait = Math.max(0, Math.ceil((connection.retryAt - now) / 1000));
    const what = connection.kind === 'silent' ? 'No answer for 12 s' : 'No answer from the server';
    return { tone: 'trouble', text: `${what}, trying again in ${wait} s` };
  }
  const layer = store.selection.layer.value;
  if (!layer) return { tone: 'still', text: `Looks again every ${LIVE_SECONDS} s` };
  if (store.live.value) {
    const last = layer.wallTimes.at(-1) ?? now / 1000;
    return {
      tone: 'live',
      text: `Training · last record ${formatDuration(now / 1000 - last)} ago`,
    };
  }
  return { tone: 'still', text: `${plural(layer.steps.length, 'record')} · finished` };
}
