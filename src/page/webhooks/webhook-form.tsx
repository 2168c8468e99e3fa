/** The form that makes a webhook, with what was filled in and what was wrong with it. */

import type { Egress } from '../../egress/egress.ts';
import { resendEventTypes } from '../../http/resend/webhook-payload.ts';
import type { WebhookEvents } from '../../store/webhooks/webhooks.ts';
import { Form, Notice } from '../frame/pieces.tsx';
import type { Visit } from '../frame/visit.ts';

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
        <input type="hidden" name="key" value={visit.parts.use.subscribe.newId()} />
        <EndpointField value={endpoint} ruleId="endpoint-rule" />
        <p class="muted small" id="endpoint-rule">
          It must be on the public internet: private addresses are refused, so that nobody can use a webhook to reach
          into this server’s network. For a receiver on this machine, start the server with{' '}
          <code>EGRESS_ALLOW=127.0.0.0/8</code>.
        </p>
        <EventChoice events={events} />
        <button type="submit" class="button primary">
          Add webhook
        </button>
      </Form>
    </section>
  );
}

export function EventChoice({ events }: { events: readonly string[] }) {
  return (
    <fieldset>
      <legend>Events</legend>
      {Object.keys(resendEventTypes).map((name) => (
        <label>
          <input type="checkbox" name="events" value={name} checked={events.includes(name)} /> {name}
        </label>
      ))}
    </fieldset>
  );
}

export type Wanted = { url: string; events: WebhookEvents };

/** What the form asks for, or what is wrong with it, in the words of a form. */
export function parseForm(
  egress: Egress,
  { endpoint, events }: Pick<Draft, 'endpoint' | 'events'>,
): Wanted | { problem: string } {
  if (endpoint === '') return { problem: 'Enter an endpoint URL.' };
  // What an address can tell is told at once; where its name leads is looked at each time it is used.
  const refusal = egress.refusalOf(endpoint);
  if (refusal) return { problem: refusal.message };
  const names = [...new Set(events)];
  if (names.length === 0) return { problem: 'Choose at least one event.' };
  const unknown = names.find((name) => !isOffered(name));
  if (unknown !== undefined) return { problem: `“${unknown.slice(0, 60)}” is not an event type.` };
  const subjects = names.filter(isOffered).map((name) => resendEventTypes[name]);
  return { url: endpoint, events: { names, subjects, perRecipient: false } };
}

function isOffered(name: string): name is keyof typeof resendEventTypes {
  return Object.hasOwn(resendEventTypes, name);
}

/** `ruleId`: of what says which ones are refused, where that stands beside it. */
export function EndpointField({ value, ruleId }: { value: string; ruleId?: string }) {
  return (
    <>
      <label for="endpoint">Endpoint</label>
      <input
        id="endpoint"
        name="endpoint"
        type="url"
        value={value}
        placeholder="https://example.com/hooks"
        required
        maxlength={2000}
        autocomplete="off"
        spellcheck={false}
        aria-describedby={ruleId}
      />
    </>
  );
}
