/** The settings as they are in force in the process that answers: values, where they come from, and no secret. */

import { renderManaged } from '../frame/manage.tsx';
import { Pill } from '../frame/pieces.tsx';
import type { Visit } from '../frame/visit.ts';
import { requireOperator } from './accounts.tsx';

export function settings(visit: Visit): Promise<Response> {
  requireOperator(visit);
  const all = visit.parts.facts.settings;
  return renderManaged(visit, {
    title: 'Settings',
    path: '/settings',
    lead: 'As this process reads them at its start. Change them where they come from, then restart it. Secrets are never shown.',
    content: (
      <section class="panel" aria-label="Settings">
        <dl class="facts">
          {all.map(({ name, value, isSecret, from }) => (
            <>
              <dt>
                <code>{name}</code>
              </dt>
              <dd>
                {value === null ? (
                  <span class="muted">not set</span>
                ) : (
                  <>
                    {isSecret ? <Pill tone="good">set</Pill> : <code>{value}</code>}{' '}
                    <span class="muted small">{from === null ? 'by default' : `from ${from}`}</span>
                  </>
                )}
              </dd>
            </>
          ))}
        </dl>
        <p class="muted small">
          What each of them does is in the <a href="/docs/settings">documentation</a>.
        </p>
      </section>
    ),
  });
}
