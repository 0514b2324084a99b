import type { JSX } from 'preact';
import type { AttentionMap } from '../api/model';
import { checkMap, type Check } from '../state/checks';
import { plural } from '../state/format';
import { useStore } from '../state/store';
import { FailureList, FailureSwitch } from './failures';
import { Icon } from './icons';
import type { MapModel } from './mapmodel';

/** Whether the plot or the model is wrong: what is sound in one line, what is not in full. */
export function Checks(props: { map: AttentionMap | null; model: MapModel }): JSX.Element | null {
  const { map, model } = props;
  const store = useStore();
  const { example, head, step } = store.selection;
  const { status } = store.maps.state.value;
  const metric = (name: string) =>
    step.value === null ? undefined : store.metrics.at(name, step.value, example.value, head.value);
  if (!map && status !== 'error') return null;
  const checks = map ? checkMap(map, metric) : [{ ok: false, text: 'Not readable' }];
  const passed = checks.filter((check) => check.ok);
  return (
    <section>
      <div class="section-head">
        <h3 class="caption">Checks</h3>
        <FailureSwitch />
      </div>
      <ul class="checks" data-testid="checks">
        {checks
          .filter((check) => !check.ok)
          .map((check) => (
            <CheckLine key={check.text} check={check} />
          ))}
        {passed.length > 0 && (
          <li class="good">
            <Icon name="check" />
            <details>
              <summary>{plural(passed.length, 'check')} passed</summary>
              <ul>
                {passed.map((check) => (
                  <li key={check.text}>
                    {check.text}
                    {check.detail && <span class="check-detail"> {check.detail}</span>}
                  </li>
                ))}
              </ul>
            </details>
          </li>
        )}
        {map && <FailureList model={model} />}
      </ul>
    </section>
  );
}

function CheckLine({ check }: { check: Check }): JSX.Element {
  return (
    <li class="warn">
      <Icon name="warning" />
      <span>
        {check.text}
        {check.detail && <span class="check-detail"> {check.detail}</span>}
      </span>
    </li>
  );
}
