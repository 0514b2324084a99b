import type { JSX } from 'preact';
import { headsOf } from '../api/heads';
import { shortHead } from '../state/groups';
import { useStore } from '../state/store';
import {
  formatOther,
  layersAlike,
  parseOther,
  runsBeside,
  SAME,
  type Subject,
} from '../state/subject';
import { MOST_ROWS } from '../state/url';
import { Picker, type Option } from './picker';

/** The heads that B may be in a run, those of A's layer first. */
function headOptions(own: Subject, of: Subject): Option[] {
  const elsewhere = of.run.name !== own.run.name;
  return layersAlike(of.run, own.layer).flatMap((layer) => {
    const same = layer.name === own.layer.name;
    return headsOf(layer).map((head) => {
      const name = same ? `head ${head}` : shortHead(of.run.layers, layer.name, head);
      return {
        value:
          formatOther({
            run: elsewhere ? of.run.name : null,
            layer: same ? null : layer.name,
            head,
          }) ?? '',
        label: elsewhere ? `${of.run.name} · ${name}` : name || `head ${head}`,
        detail: same ? 'of this layer' : layer.name,
      };
    });
  });
}

/** Side B: the same head, another one of this or a like layer, and of this or another run. */
export function OtherPicker(): JSX.Element | null {
  const store = useStore();
  const own = store.compare.a.subject.value;
  const b = store.compare.b.subject.value;
  if (!own) return null;
  const itself = formatOther({ ...SAME, head: own.head });
  const options = [
    { value: '', label: own.aggregate ? own.aggregate.name : 'this head' },
    ...headOptions(own, own).filter(({ value }) => own.aggregate !== null || value !== itself),
    ...runsBeside(own, store.catalog.catalog.value?.runs ?? []).map((run) => ({
      value: formatOther({ ...SAME, run: run.name }) ?? '',
      label: run.name,
      detail: 'run, the same head',
    })),
    // With a run chosen, its heads: two presses lead to any head of any run.
    ...(b && b.run.name !== own.run.name ? headOptions(own, b) : []),
  ];
  if (options.length === 1) return null;
  const wish = store.view.other.value ?? '';
  return (
    <Picker
      caption="B of"
      testId="other-picker"
      value={options.some((o) => o.value === wish) ? wish : ''}
      options={options}
      onPick={(value) => store.compare.setOther(value === '' ? null : value)}
    />
  );
}

/** Further runs below this one, at the same steps. */
export function RowsPicker(): JSX.Element | null {
  const store = useStore();
  const own = store.compare.a.subject.value;
  if (!own) return null;
  const offered = runsBeside(own, store.catalog.catalog.value?.runs ?? []).map((run) => run.name);
  const excluded = (parseOther(store.view.other.value) ?? SAME).run !== null;
  const chosen = excluded ? [] : store.view.rows.value.filter((name) => offered.includes(name));
  const [only] = offered;
  if (only === undefined) return null;
  const toggle = (name: string) =>
    store.compare.setRows(
      chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name],
    );
  if (offered.length === 1) {
    return (
      <button
        type="button"
        class="button rows-button"
        aria-pressed={chosen.length > 0}
        title={`${only} below this run, at the same steps`}
        data-testid="rows-toggle"
        onClick={() => toggle(only)}
      >
        2 runs
      </button>
    );
  }
  const full = chosen.length >= MOST_ROWS;
  return (
    <Picker
      caption="Runs"
      testId="rows-picker"
      title="Runs below each other, at the same steps"
      value={chosen.join('\n')}
      options={[
        { value: '', label: 'this run only' },
        ...offered.map((name) => {
          const there = chosen.includes(name);
          return {
            value: name,
            label: name,
            detail: there ? 'shown, take away' : 'add below',
            unavailable: full && !there ? `${MOST_ROWS + 1} runs at most` : null,
          };
        }),
      ]}
      onPick={(name) => (name === '' ? store.compare.setRows([]) : toggle(name))}
    >
      {chosen.length + 1}
    </Picker>
  );
}
