/** One telling of an event to a webhook: what it is told, how every attempt went, and telling it again. */

import { AppError } from '../../core/error.ts';
import { isUuid } from '../../core/token.ts';
import { contractOf } from '../../http/facade.ts';
import { resendNameOf } from '../../http/resend/webhook-payload.ts';
import type { WebhookAttempt } from '../../store/webhooks/deliveries.ts';
import { findWebhookDelivery, listWebhookAttempts, type WebhookDeliveryView } from '../../store/webhooks/views.ts';
import type { Webhook } from '../../store/webhooks/webhooks.ts';
import { findTold } from '../../webhook/told.ts';
import { renderPage } from '../frame/frame.tsx';
import { Count, Form, Notice, PageHead, State, Time } from '../frame/pieces.tsx';
import { redirect } from '../frame/sign-in.tsx';
import type { Visit } from '../frame/visit.ts';
import { requireWebhook, wordFor } from './one-webhook.ts';

export async function webhookEvent(visit: Visit): Promise<Response> {
  const { parts, session, query } = visit;
  const found = await requireWebhook(visit);
  const delivery = await requireDelivery(visit, found);
  const attempts = await listWebhookAttempts(parts.database, delivery);
  const told = await findTold(parts.database, session.account, delivery);
  const request =
    told && contractOf(parts.facades, found.facade).request(found, [{ delivery, told }], parts.clock.now());
  return renderPage(visit, {
    title: resendNameOf(delivery.type),
    at: '/webhooks',
    isLive: true,
    content: (
      <>
        <PageHead title={resendNameOf(delivery.type)}>
          <State is={wordFor(delivery)} />
        </PageHead>
        {query.done === 'replayed' && <Notice tone="good">Sent again, with the same ID.</Notice>}
        <div class="columns">
          <section class="panel flush two-thirds">
            <div class="row spread">
              <h2>Payload</h2>
              {told?.email && <a href={`/dashboard/emails/${delivery.emailId}`}>View email</a>}
            </div>
            {request ? (
              <pre class="wrap" tabindex={0}>
                <code>{JSON.stringify(JSON.parse(request.body), null, 2)}</code>
              </pre>
            ) : (
              <p class="muted">The event or its email has been deleted.</p>
            )}
          </section>
          <section class="panel">
            <h2>Attempts</h2>
            <Attempts attempts={attempts} delivery={delivery} now={parts.clock.now()} />
            <Replay visit={visit} webhook={found} delivery={delivery} />
          </section>
        </div>
      </>
    ),
  });
}

export async function replayEvent(visit: Visit): Promise<Response> {
  const found = await requireWebhook(visit);
  const delivery = await requireDelivery(visit, found);
  const done = await visit.parts.use.replay.one(found, delivery);
  if (done === 'disabled') {
    throw new AppError('invalid_field', 'The webhook is disabled. Enable it first, then replay.');
  }
  if (done === 'gone') throw notTold();
  return redirect(`/dashboard/webhooks/${found.id}/${delivery.id}?done=replayed`);
}

/** @throws AppError `not_found` */
async function requireDelivery({ parts, context }: Visit, webhook: Webhook): Promise<WebhookDeliveryView> {
  const id = (context.req.param('event') ?? '').toLowerCase();
  const found = isUuid(id) ? await findWebhookDelivery(parts.database, webhook, id) : null;
  if (!found) throw notTold();
  return found;
}

function notTold(): AppError {
  return new AppError('not_found', 'No delivery with this ID in the last 30 days.');
}

/** About to happen, or happening: worth looking again by itself. */
const soonMs = 2_000;

type AttemptsOptions = { attempts: WebhookAttempt[]; delivery: WebhookDeliveryView; now: number };

function Attempts({ attempts, delivery, now }: AttemptsOptions) {
  const isSoon = delivery.isUnderWay || delivery.runAt <= now + soonMs;
  return (
    <ol class="timeline">
      {attempts.map((attempt) => (
        <li class={attempt.failure === null ? 'tone-good' : 'tone-bad'}>
          <div class="row spread">
            <span>
              <b>{attempt.status ?? 'No response'}</b>{' '}
              <span class="muted">
                {attempt.failure?.replaceAll('_', ' ')} in <Count of={attempt.tookMs} /> ms
              </span>
            </span>
            <Time at={attempt.at} />
          </div>
          {attempt.response !== '' && <pre class="wrap">{attempt.response}</pre>}
        </li>
      ))}
      {delivery.state === 'pending' && (
        <li {...(isSoon ? { 'data-settling': true } : {})}>
          <div class="row spread">
            <span class="muted">{delivery.isUnderWay ? 'in progress, until' : 'next attempt'}</span>
            <Time at={delivery.runAt} />
          </div>
        </li>
      )}
      {attempts.length === 0 && delivery.state !== 'pending' && (
        <li>
          <p class="muted">Not tried: the webhook was disabled. You can replay it.</p>
        </li>
      )}
    </ol>
  );
}

function Replay({ visit, webhook, delivery }: { visit: Visit; webhook: Webhook; delivery: WebhookDeliveryView }) {
  if (!webhook.enabled) return <p class="muted">The webhook is disabled. Enable it first, then replay.</p>;
  return (
    <Form visit={visit} action={`/dashboard/webhooks/${webhook.id}/${delivery.id}/replay`} class="stack">
      <p class="muted small">A replay has the same ID, so receivers that remember IDs can ignore it.</p>
      <button type="submit" class="button">
        Replay
      </button>
    </Form>
  );
}
