/** The form that makes a webhook, with what was filled in and what was wrong with it. */

import type { AppError } from '../core/error.ts';
import { newWebhookId } from '../http/resend/webhooks.ts';
import { resendEventTypes } from '../webhook/resend-payload.ts';
import { Form, Notice } from './pieces.tsx';
import type { Visit } from './visit.ts';

export type Draft = { endpoint: string; events: string[]; problem: string | null };

/** What most receivers are there for. */
export const firstDraft: Draft = {
  endpoint: '',
  events: ['email.delivered', 'email.bounced', 'email.complained', 'email.failed'],
  problem: null,
};

export function WebhookForm({ visit, draft }: { visit: Visit; draft: Draft }) {
  const { endpoint, events, problem } = draft;
  return (
    <section class="panel" data-keep="new-webhook">
      <h2>Add a webhook</h2>
      {problem && <Notice tone="bad">{problem}</Notice>}
      <Form visit={visit} action="/dashboard/webhooks" class="stack">
        <input type="hidden" name="key" value={newWebhookId(visit.parts)} />
        <label for="endpoint">Endpoint</label>
        <input
          id="endpoint"
          name="endpoint"
          type="url"
          value={endpoint}
          placeholder="https://example.com/hooks"
          required
          maxlength={2000}
          autocomplete="off"
          spellcheck={false}
          aria-describedby="endpoint-rule"
        />
        <p class="muted small" id="endpoint-rule">
          It must be on the public internet: private addresses are refused, so that nobody reaches into this server’s
          network with a webhook. For a receiver beside it, start it with <code>EGRESS_ALLOW=127.0.0.0/8</code>.
        </p>
        <fieldset>
          <legend>Events</legend>
          {Object.keys(resendEventTypes).map((name) => (
            <label>
              <input type="checkbox" name="events" value={name} checked={events.includes(name)} /> {name}
            </label>
          ))}
        </fieldset>
        <button type="submit" class="button primary">
          Add it
        </button>
      </Form>
    </section>
  );
}

/** The API names its members; in a form, their place names them. */
export function inPlainWords({ message, field }: AppError): string {
  if (!field) return message;
  return field.rule === '' ? (missing[field.name] ?? message) : field.rule.replaceAll('`', '');
}

const missing: Record<string, string> = {
  endpoint: 'Say where events are to be told.',
  events: 'Choose at least one event.',
};
