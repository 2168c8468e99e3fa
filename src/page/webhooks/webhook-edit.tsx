/** The forms on a webhook's page: its endpoint and events, and a test event. */

import type { Webhook } from '../../store/webhooks/webhooks.ts';
import { Form, Notice } from '../frame/pieces.tsx';
import type { Visit } from '../frame/visit.ts';
import { type Draft, EndpointField, EventChoice } from './webhook-form.tsx';
import { isTestable } from './webhook-sample.ts';

/** The facade whose words for events the form offers. */
export const editableFacade = 'resend';

type EditOptions = { visit: Visit; webhook: Webhook; draft?: Draft | undefined };

export function Edit({ visit, webhook, draft }: EditOptions) {
  if (webhook.facade !== editableFacade) {
    return (
      <p class="muted">
        Change it through the API that made it: <code>PUT /v3/webhooks/{webhook.number}</code>.
      </p>
    );
  }
  const { endpoint, events, problem } = draft ?? { endpoint: webhook.url, events: webhook.events, problem: null };
  return (
    <section class="panel" data-keep="edit-webhook">
      <details open={problem !== null}>
        <summary>Edit endpoint and events</summary>
        {problem !== null && <Notice tone="bad">{problem}</Notice>}
        <Form visit={visit} action={`/dashboard/webhooks/${webhook.id}/edit`} class="stack">
          <EndpointField value={endpoint} />
          <EventChoice events={events} />
          <button type="submit" class="button primary">
            Save
          </button>
        </Form>
      </details>
    </section>
  );
}

/** What a test can be of: bounces of one kind and the like are not offered. */
export function TestForm({ visit, webhook }: { visit: Visit; webhook: Webhook }) {
  const offered = webhook.events.filter(isTestable);
  return (
    <Form visit={visit} action={`/dashboard/webhooks/${webhook.id}/test`} class="row">
      {offered.length > 1 && (
        <select name="event" aria-label="Event to test">
          {offered.map((name) => (
            <option>{name}</option>
          ))}
        </select>
      )}
      <button type="submit" class="button">
        Send test event
      </button>
    </Form>
  );
}
