/** Changing a webhook and trying it: its endpoint and events, its signing secret, a test event. */

import type { Child } from 'hono/jsx';
import { contractOf } from '../../http/facade.ts';
import type { WebhookAttempt } from '../../store/webhooks/deliveries.ts';
import { attemptWebhook } from '../../webhook/attempt.ts';
import { askFirst, isConfirmed } from '../frame/confirm.tsx';
import { Copyable, Count, Notice } from '../frame/pieces.tsx';
import { redirect } from '../frame/sign-in.tsx';
import type { Visit } from '../frame/visit.ts';
import { noWebhook, requireWebhook, shownUrl } from './one-webhook.ts';
import { renderWebhook } from './webhook.tsx';
import { editableFacade } from './webhook-edit.tsx';
import { parseForm } from './webhook-form.tsx';
import { createSample, sampleTypeOf } from './webhook-sample.ts';

export async function editWebhook(visit: Visit): Promise<Response> {
  const { parts, form } = visit;
  const found = await requireWebhook(visit);
  if (found.facade !== editableFacade) throw noWebhook();
  const filled = { endpoint: (form.get('endpoint') ?? '').trim(), events: form.getAll('events') };
  const wanted = parseForm(parts.egress, filled);
  if ('problem' in wanted) return renderWebhook(visit, found, { draft: { ...filled, ...wanted } });
  // An endpoint that stays is not named: naming one forgets the failures so far.
  const { url, events } = wanted;
  const change = url === found.url ? { events } : { url, events };
  if (!(await parts.use.subscribe.change(found, change))) throw noWebhook();
  return redirect(`/dashboard/webhooks/${found.id}?done=changed`);
}

/** Nothing of it is stored: what came of it is the answer. */
export async function testWebhook(visit: Visit): Promise<Response> {
  const { parts, form } = visit;
  const found = await requireWebhook(visit);
  const now = parts.clock.now();
  const type = sampleTypeOf(found, form.get('event'));
  const sample = createSample(found, type, { id: parts.use.subscribe.newId(), now });
  const request = contractOf(parts.facades, found.facade).request(found, [sample], now);
  const attempt = await attemptWebhook(parts.egress, request, { now: () => parts.clock.now() });
  return renderWebhook(visit, found, { said: <Tested attempt={attempt} /> });
}

function Tested({ attempt }: { attempt: WebhookAttempt }): Child {
  const { status, failure, tookMs, response } = attempt;
  return (
    <Notice tone={failure === null ? 'good' : 'bad'}>
      <p>
        <b>Test event: {status ?? 'no response'}</b> after <Count of={tookMs} /> ms.{' '}
        {failure === null
          ? 'The endpoint took it.'
          : 'Deliveries to this endpoint would fail, and be retried for a day.'}
      </p>
      {response !== '' && <pre class="wrap">{response}</pre>}
    </Notice>
  );
}

/** The answer itself shows the secret, as when the webhook was made. */
export async function rotateSecret(visit: Visit): Promise<Response> {
  const found = await requireWebhook(visit);
  if (!isConfirmed(visit)) {
    return askFirst(visit, {
      title: 'Rotate the signing secret?',
      at: '/webhooks',
      content: (
        <p>
          {shownUrl(found)} gets a new secret. For 24 hours requests are signed with both, so that you can change your
          receivers one after the other.
        </p>
      ),
      yes: 'Rotate secret',
      action: `/dashboard/webhooks/${found.id}/rotate`,
      fields: {},
      back: `/dashboard/webhooks/${found.id}`,
    });
  }
  const secret = await visit.parts.use.subscribe.rotate(found);
  if (secret === null) throw noWebhook();
  return renderWebhook(visit, await requireWebhook(visit), {
    said: (
      <Notice tone="good">
        <p>Rotated. Give receivers the new secret within 24 hours:</p>
        <Copyable text={secret} label="the new signing secret" />
      </Notice>
    ),
  });
}
