import type { JSX } from 'preact';
import type { AttentionMap } from '../api/model';
import { checkMap } from '../state/checks';
import { useStore } from '../state/store';
import { Icon } from './icons';

export function Checks({ map }: { map: AttentionMap | null }): JSX.Element | null {
  const store = useStore();
  const { example, head, step } = store.selection;
  const { status } = store.maps.state.value;
  const metric = (name: string) =>
    step.value === null ? undefined : store.metrics.at(name, step.value, example.value, head.value);
  if (!map && status !== 'error') return null;
  const checks = map ? checkMap(map, metric) : [{ ok: false, text: 'Not readable' }];
  return (
    <section>
      <h3 class="caption">Checks</h3>
      <ul class="checks" data-testid="checks">
        {checks.map((check) => (
          <li key={check.text} class={check.ok ? 'good' : 'warn'}>
            <Icon name={check.ok ? 'check' : 'warning'} />
            <span>
              {check.text}
              {check.detail && <span class="check-detail"> {check.detail}</span>}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
