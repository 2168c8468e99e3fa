/** The settings as they are in force in the process that answers: values, where they come from, and no secret. */

import { requireOperator } from './accounts.tsx';
import { renderManaged } from './manage.tsx';
import { Pill } from './pieces.tsx';
import type { Visit } from './visit.ts';

export function settings(visit: Visit): Promise<Response> {
  requireOperator(visit);
  const all = visit.parts.facts.settings;
  return renderManaged(visit, {
    title: 'Settings',
    path: '/settings',
    lead: 'As this process reads them at its start. Change them where they come from, then restart it. Secrets are never shown.',
    content: (
      <div class="panel">
        <section class="scroll" tabindex={0} aria-label="Settings">
          <table>
            <thead>
              <tr>
                <th scope="col">Setting</th>
                <th scope="col">Value</th>
                <th scope="col">From</th>
              </tr>
            </thead>
            <tbody>
              {all.map(({ name, value, isSecret, from }) => (
                <tr>
                  <td>
                    <code>{name}</code>
                  </td>
                  <td>
                    {value === null && <span class="muted">{isSecret ? 'not set' : 'none'}</span>}
                    {value !== null && (isSecret ? <Pill tone="good">set</Pill> : <code>{value}</code>)}
                  </td>
                  <td class="muted">{from ?? 'default'}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
        <p class="muted small">
          What each of them does is in the <a href="/docs/settings">documentation</a>.
        </p>
      </div>
    ),
  });
}
