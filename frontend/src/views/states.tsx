import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { formatStep, plural } from '../state/format';
import { useStore } from '../state/store';
import { useCopied } from './hooks';
import { Icon } from './icons';
import { Illustration } from './illustration';
import type { MapModel } from './mapmodel';
import { style } from './style';

/** Over the place of the map: what happened, what still works, and ways on. */
export function MapProblem({ model }: { model: MapModel }): JSX.Element | null {
  const store = useStore();
  const [copied, copy] = useCopied();
  const { request, problem } = store.maps.state.value;
  const layout = model.layout.value;
  const { index, steps } = store.selection;
  if (!problem || !request) return null;
  const nearest = store.maps.nearestReadable();
  const where = `record ${index.value + 1} · ${request.layer} · example ${request.example + 1} · head ${request.head}`;
  const others = steps.value.length - 1;
  return (
    <div
      class="map-problem"
      role="alert"
      data-testid="state-error"
      style={style({ '--top': layout ? Math.max(8, Math.min(layout.top, 80)) : 8 })}
    >
      <span class="problem-icon">
        <Icon name="warning" size={24} />
      </span>
      <div>
        <h2>This map could not be read</h2>
        <p>
          {problem.message}
          {others > 0 &&
            ` The ${plural(others, 'other record')} of this layer ${others === 1 ? 'stays' : 'stay'} in reach, and metrics come from the index.`}
        </p>
        <pre>
          {where}
          {problem.details && `\n${problem.details}`}
        </pre>
        <div class="problem-actions">
          {nearest !== null && (
            <button type="button" class="button primary" onClick={() => store.goToStep(nearest)}>
              Show step {formatStep(nearest)}
            </button>
          )}
          <button type="button" class="button" onClick={() => store.maps.retry()}>
            Read again
          </button>
          <button
            type="button"
            class="button quiet"
            onClick={() =>
              copy(`step ${request.step} · ${where}\n${problem.message}\n${problem.details}`)
            }
          >
            <Icon name={copied ? 'check' : 'copy'} /> {copied ? 'Copied' : 'Copy details'}
          </button>
        </div>
      </div>
    </div>
  );
}

const SNIPPETS = [
  {
    name: 'Keras',
    code: `from tb_attention_training import AttentionCallback

model.fit(
    train, epochs=10,
    callbacks=[AttentionCallback("runs/dates", probe, update_freq=100)],
)`,
  },
  {
    name: 'NumPy, JAX, PyTorch',
    code: `from tb_attention_plugin import AttentionWriter

with AttentionWriter("runs/dates") as writer:
    for step in range(0, 4000, 100):
        ...
        # weights: [examples, heads, queries, keys]
        writer.write("decoder/cross_attention", weights, step)`,
  },
] as const;

/** The lines that do the work. */
const ESSENTIAL = /AttentionCallback\(|AttentionHook\(|\.write\(/;

/** Nothing is recorded yet: how to record, ready to copy. */
export function Empty(): JSX.Element {
  const store = useStore();
  const [chosen, setChosen] = useState(0);
  const [copied, copy] = useCopied();
  const snippet = SNIPPETS[chosen] ?? SNIPPETS[0];
  const problems = store.catalog.catalog.value?.problems ?? [];
  return (
    <main class="empty" data-testid="state-empty">
      <Illustration />
      <div class="empty-card">
        <h2>No attention maps in this log directory yet</h2>
        <p>
          Add one callback. Every N steps it records the attention of a few fixed examples. It does
          not change the model or the training.
        </p>
        <div class="empty-tools">
          <div class="tabs" role="tablist">
            {SNIPPETS.map((s, i) => (
              <button
                key={s.name}
                type="button"
                role="tab"
                class="tab"
                aria-selected={i === chosen}
                onClick={() => setChosen(i)}
              >
                {s.name}
              </button>
            ))}
          </div>
          <div class="spring" />
          <button type="button" class="button" onClick={() => copy(snippet.code)}>
            <Icon name={copied ? 'check' : 'copy'} /> {copied ? 'Copied' : 'Copy'}
          </button>
        </div>
        <pre class="snippet" data-testid="snippet">
          {snippet.code.split('\n').map((line, i) => (
            <span key={i} class={ESSENTIAL.test(line) ? 'essential' : ''}>
              {`${line}\n`}
            </span>
          ))}
        </pre>
        <dl class="empty-terms">
          <div>
            <dt>probe</dt>
            <dd>
              A small batch of inputs, the same at every step. Four to eight examples are enough.
            </dd>
          </div>
          <div>
            <dt>update_freq</dt>
            <dd>Steps between records, or "epoch". Alignments form early: start with 100.</dd>
          </div>
          <div>
            <dt>tokens=</dt>
            <dd>
              Optional. Texts for the axes: lists of strings, or a function from ids to strings.
            </dd>
          </div>
        </dl>
        <p class="empty-foot">
          <b>Already added it?</b> The first record appears after N steps.
        </p>
        {problems.length > 0 && <ProblemList problems={problems} />}
      </div>
    </main>
  );
}

function ProblemList({ problems }: { problems: readonly string[] }): JSX.Element {
  return (
    <ul class="problem-list">
      {problems.map((problem) => (
        <li key={problem}>{problem}</li>
      ))}
    </ul>
  );
}

/** Before the first answer, and when there is none. */
export function Waiting(): JSX.Element {
  const store = useStore();
  const connection = store.catalog.connection.value;
  if (connection.kind === 'silent' || connection.kind === 'failed') {
    return (
      <main class="waiting" aria-live="assertive" data-testid="state-error">
        <h2>The server does not answer</h2>
        <p>
          {connection.kind === 'failed'
            ? connection.message
            : 'TensorBoard gave no list of runs within 12 s. It may still be reading a large log.'}
        </p>
        <button type="button" class="button" onClick={() => store.catalog.refresh()}>
          Try again now
        </button>
      </main>
    );
  }
  return (
    <main class="waiting" aria-live="polite">
      <p>Reading the list of runs …</p>
    </main>
  );
}

/** Above the stage: wishes that could not be met, unreadable files, copies without maps. */
export function Banners(): JSX.Element | null {
  const store = useStore();
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const run = store.selection.run.value;
  const problems = store.catalog.catalog.value?.problems ?? [];
  const notices = store.selection.notices.value;
  const hide = (key: string) => setHidden(new Set(hidden).add(key));
  const close = (key: string) => (
    <button type="button" class="icon-button" aria-label="Close" onClick={() => hide(key)}>
      <Icon name="close" />
    </button>
  );
  const thumbnails = `thumbnails\n${run?.name ?? ''}`;
  const problemKey = problems.join('\n');
  const noticeKey = notices.join('\n');
  return (
    <div class="banners">
      {run?.thumbnailsOnly && !hidden.has(thumbnails) && (
        <div class="banner warn" role="status" data-testid="thumbnails-only">
          <Icon name="warning" />
          <p
            title={`Copy the folder ${run.name}/plugins/attention/ next to the event files to see single cells.`}
          >
            <b>Thumbnails only.</b> This copy of the log has the event files but not{' '}
            <code>plugins/attention</code>. Each map is a small thumbnail, the maximum of many
            tokens; TensorBoard kept a sample of the records. Copy the folder{' '}
            <code>{run.name}/plugins/attention/</code> next to the event files to see single cells.
          </p>
          {close(thumbnails)}
        </div>
      )}
      {problems.length > 0 && !hidden.has(problemKey) && (
        <div class="banner warn" role="status" data-testid="log-problems">
          <Icon name="warning" />
          <p title={problems[0]}>
            <b>{plural(problems.length, 'file')} could not be read in full.</b> {problems[0]}
            {problems.length > 1 && (
              <details>
                <summary>all</summary>
                <ProblemList problems={problems} />
              </details>
            )}
          </p>
          {close(problemKey)}
        </div>
      )}
      {notices.length > 0 && !hidden.has(noticeKey) && (
        <div class="banner info" role="status" data-testid="notice">
          <p title={notices.join(' ')}>{notices.join(' ')}</p>
          {close(noticeKey)}
        </div>
      )}
    </div>
  );
}
