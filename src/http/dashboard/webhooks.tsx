/** Who is told of events, what each was told, how every attempt went, and telling it again. */

import { AppError } from '../../core/error.ts';
import { isUuid } from '../../core/token.ts';
import {
  findWebhookDelivery,
  listWebhookAttempts,
  listWebhookDeliveries,
  replay,
  type WebhookAttempt,
  type WebhookDeliveryView,
} from '../../store/webhook-deliveries.ts';
import { findWebhook, listWebhooks, updateWebhook, type Webhook } from '../../store/webhooks.ts';
import { splitCredentials, webhookRequest } from '../../webhook/request.ts';
import { findTold } from '../../webhook/told.ts';
import { renderPage } from './frame.tsx';
import { Copyable, Count, Empty, Form, Notice, PageHead, State, Time } from './pieces.tsx';
import { redirect } from './sign-in.tsx';
import type { Visit } from './visit.ts';

const pageSize = 50;

export async function webhooks(visit: Visit): Promise<Response> {
  const { parts, session } = visit;
  const all = [
    ...(await listWebhooks(parts.database, session.account, 'resend')),
    ...(await listWebhooks(parts.database, session.account, 'brevo')),
  ];
  return renderPage(visit, {
    title: 'Webhooks',
    at: '/webhooks',
    isLive: true,
    content: (
      <>
        <PageHead title="Webhooks" />
        {all.length > 0 && (
          <section class="panel flush" aria-label="Endpoints">
            <ol class="rows">
              {all.map((webhook) => (
                <li>
                  <a href={`/dashboard/webhooks/${webhook.id}`} data-row>
                    <span>{shownUrl(webhook)}</span>
                    <State is={stateOf(webhook)} />
                    <span class="muted">{webhook.events.join(', ')}</span>
                    <span class="muted small">{webhook.facade === 'resend' ? 'Resend' : 'Brevo'}</span>
                  </a>
                </li>
              ))}
            </ol>
          </section>
        )}
        {all.length === 0 && <NoneYet url={parts.publicUrl()} />}
      </>
    ),
  });
}

function stateOf(webhook: Webhook): 'enabled' | 'failing' | 'disabled' {
  if (!webhook.enabled) return 'disabled';
  return webhook.failingSince === null ? 'enabled' : 'failing';
}

/** Without the password Brevo lets its users put there. */
function shownUrl(webhook: Webhook): string {
  return splitCredentials(webhook.url).url;
}

function NoneYet({ url }: { url: string }) {
  const code = `curl -X POST '${url}/webhooks' \\
  -H "Authorization: Bearer $RESEND_API_KEY" \\
  -H 'Content-Type: application/json' \\
  -d '{
    "endpoint": "https://example.com/hooks",
    "events": ["email.delivered", "email.bounced"]
  }'`;
  return (
    <Empty title="Nobody is told yet">
      <p>
        An endpoint is told of each event by a signed request, at least once, and tried again for a day. Make one
        through the API of either facade:
      </p>
      <pre tabindex={0}>
        <code>{code}</code>
      </pre>
      <p>
        While you write a receiver, <code>sendonce webhook listen</code> shows events in the terminal and forwards them.
      </p>
    </Empty>
  );
}

/** @throws AppError `not_found`, also for another account's. */
async function requireWebhook({ parts, session, context }: Visit): Promise<Webhook> {
  const id = (context.req.param('id') ?? '').toLowerCase();
  const found = isUuid(id)
    ? ((await findWebhook(parts.database, session.account, 'resend', { id })) ??
      (await findWebhook(parts.database, session.account, 'brevo', { id })))
    : null;
  if (!found) throw new AppError('not_found', 'There is no webhook of this id in your account.');
  return found;
}

export async function webhook(visit: Visit): Promise<Response> {
  const { parts, query } = visit;
  const found = await requireWebhook(visit);
  const after = isUuid(query.after ?? '') ? (query.after ?? null) : null;
  const page = { limit: pageSize, after, before: null };
  const { deliveries, hasMore } = await listWebhookDeliveries(parts.database, found, page);
  return renderPage(visit, {
    title: shownUrl(found),
    at: '/webhooks',
    isLive: after === null,
    content: (
      <>
        <PageHead title={shownUrl(found)}>
          <State is={stateOf(found)} />
        </PageHead>
        {query.done === 'enabled' && <Notice tone="good">Enabled: it is told what happens from now on.</Notice>}
        <Health visit={visit} webhook={found} />
        {deliveries.length > 0 && <Deliveries webhook={found} deliveries={deliveries} />}
        {deliveries.length === 0 && (
          <Empty title="Nothing to tell yet">
            <p>The next event it asked for is shown here, with every attempt to tell it.</p>
          </Empty>
        )}
        {hasMore && (
          <nav class="row spread" aria-label="Pages">
            <span />
            <a class="button" href={`/dashboard/webhooks/${found.id}?after=${deliveries.at(-1)?.id}`}>
              Older
            </a>
          </nav>
        )}
      </>
    ),
  });
}

function Health({ visit, webhook }: { visit: Visit; webhook: Webhook }) {
  return (
    <section class="panel">
      {webhook.failingSince !== null && (
        <Notice tone={webhook.enabled ? 'warning' : 'bad'}>
          It has failed since <Time at={webhook.failingSince} />.{' '}
          {webhook.enabled ? 'It is tried again by itself.' : 'It was disabled: mend the endpoint, then enable it.'}
        </Notice>
      )}
      <dl class="facts">
        <dt>Contract</dt>
        <dd>{webhook.facade === 'resend' ? 'Resend’s, signed as Svix does' : 'Brevo’s'}</dd>
        <dt>Events</dt>
        <dd>{webhook.events.join(', ')}</dd>
        <dt>Id</dt>
        <dd>
          <Copyable text={webhook.id} label="the id" />
        </dd>
        <dt>Made</dt>
        <dd>
          <Time at={webhook.createdAt} />
        </dd>
      </dl>
      {!webhook.enabled && (
        <Form visit={visit} action={`/dashboard/webhooks/${webhook.id}/enable`}>
          <button type="submit" class="button primary">
            Enable it
          </button>
        </Form>
      )}
    </section>
  );
}

function Deliveries({ webhook, deliveries }: { webhook: Webhook; deliveries: WebhookDeliveryView[] }) {
  return (
    <section class="panel flush">
      <div class="row spread">
        <h2>What it was told</h2>
      </div>
      <ol class="rows">
        {deliveries.map((delivery) => (
          <li>
            <a href={`/dashboard/webhooks/${webhook.id}/${delivery.id}`} data-row>
              <span>email.{delivery.type}</span>
              <State is={wordFor(delivery)} />
              <code class="muted">{delivery.emailId}</code>
              <span class="muted small">
                <Time at={delivery.createdAt} style="short" />
              </span>
            </a>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** The words of the API. */
function wordFor({ state, isUnderWay }: WebhookDeliveryView): 'success' | 'failed' | 'attempting' | 'pending' {
  if (state === 'delivered') return 'success';
  if (state === 'failed') return 'failed';
  return isUnderWay ? 'attempting' : 'pending';
}

/** @throws AppError `not_found` */
async function requireDelivery({ parts, context }: Visit, webhook: Webhook): Promise<WebhookDeliveryView> {
  const id = (context.req.param('event') ?? '').toLowerCase();
  const found = isUuid(id) ? await findWebhookDelivery(parts.database, webhook, id) : null;
  if (!found) throw new AppError('not_found', 'This webhook was told nothing of this id in the last 30 days.');
  return found;
}

export async function webhookEvent(visit: Visit): Promise<Response> {
  const { parts, session, query } = visit;
  const found = await requireWebhook(visit);
  const delivery = await requireDelivery(visit, found);
  const attempts = await listWebhookAttempts(parts.database, delivery);
  const told = await findTold(parts.database, session.account, delivery);
  const request = told && webhookRequest(found, [{ delivery, told }], parts.clock.now());
  return renderPage(visit, {
    title: `email.${delivery.type}`,
    at: '/webhooks',
    isLive: true,
    content: (
      <>
        <PageHead title={`email.${delivery.type}`}>
          <State is={wordFor(delivery)} />
        </PageHead>
        {query.done === 'replayed' && <Notice tone="good">It is told again, under the same id.</Notice>}
        <div class="columns">
          <section class="panel flush two-thirds">
            <div class="row spread">
              <h2>What it is told</h2>
              <a href={`/dashboard/emails/${delivery.emailId}`}>The email</a>
            </div>
            {request ? (
              <pre class="wrap" tabindex={0}>
                <code>{JSON.stringify(JSON.parse(request.body), null, 2)}</code>
              </pre>
            ) : (
              <p class="muted">The event or its email is gone from the database.</p>
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
              <b>{attempt.status ?? 'No answer'}</b>{' '}
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
            <span class="muted">{delivery.isUnderWay ? 'under way, at the latest until' : 'next attempt'}</span>
            <Time at={delivery.runAt} />
          </div>
        </li>
      )}
      {attempts.length === 0 && delivery.state !== 'pending' && (
        <li>
          <p class="muted">It was not tried: the webhook was disabled. It can be replayed.</p>
        </li>
      )}
    </ol>
  );
}

function Replay({ visit, webhook, delivery }: { visit: Visit; webhook: Webhook; delivery: WebhookDeliveryView }) {
  if (!webhook.enabled) return <p class="muted">The webhook is disabled: enable it first, then replay.</p>;
  return (
    <Form visit={visit} action={`/dashboard/webhooks/${webhook.id}/${delivery.id}/replay`} class="stack">
      <p class="muted small">A replay has the same id: receivers that remember ids notice it.</p>
      <button type="submit" class="button">
        Replay
      </button>
    </Form>
  );
}

export async function replayEvent(visit: Visit): Promise<Response> {
  const { parts } = visit;
  const found = await requireWebhook(visit);
  const delivery = await requireDelivery(visit, found);
  if (!found.enabled) throw new AppError('invalid_field', 'The webhook is disabled: enable it first, then replay.');
  await parts.database.write((tx) => replay(tx, delivery, parts.clock.now()));
  parts.onQueued();
  return redirect(`/dashboard/webhooks/${found.id}/${delivery.id}?done=replayed`);
}

export async function enableWebhook(visit: Visit): Promise<Response> {
  const { parts } = visit;
  const found = await requireWebhook(visit);
  await parts.database.write((tx) => updateWebhook(tx, found, { enabled: true }, parts.clock.now()));
  parts.onQueued();
  return redirect(`/dashboard/webhooks/${found.id}?done=enabled`);
}
