/** One webhook: how it is doing, its secret, what it was told, and disabling, enabling and deleting it. */

import { AppError } from '../core/error.ts';
import { isUuid } from '../core/token.ts';
import { contractOf } from '../http/facade.ts';
import { resendNameOf } from '../http/resend/webhook-payload.ts';
import { listWebhookDeliveries, type WebhookDeliveryView } from '../store/webhooks/views.ts';
import { findWebhook, type Webhook } from '../store/webhooks/webhooks.ts';
import { splitCredentials } from '../webhook/request.ts';
import { renderPage } from './frame.tsx';
import { Copyable, Empty, Form, Notice, PageHead, Pill, State, Time } from './pieces.tsx';
import { redirect } from './sign-in.tsx';
import type { Visit } from './visit.ts';

const pageSize = 50;

/** @throws AppError `not_found`, also for another account's. */
export async function requireWebhook({ parts, session, context }: Visit): Promise<Webhook> {
  const id = (context.req.param('id') ?? '').toLowerCase();
  const found = isUuid(id) ? await findWebhook(parts.database, session.account, null, { id }) : null;
  if (!found) throw noWebhook();
  return found;
}

function noWebhook(): AppError {
  return new AppError('not_found', 'No webhook with this ID.');
}

/** Without the password Brevo lets its users put there. */
export function shownUrl(webhook: Webhook): string {
  return splitCredentials(webhook.url).url;
}

/** One that was disabled because it failed is worse than one that somebody disabled, which has no failures noted. */
export function Standing({ of }: { of: Webhook }) {
  if (of.enabled) return <State is={of.failingSince === null ? 'enabled' : 'failing'} />;
  return of.failingSince === null ? <Pill tone="muted">disabled</Pill> : <State is="disabled" />;
}

/** The words of the API. */
export function wordFor({ state, isUnderWay }: WebhookDeliveryView): 'success' | 'failed' | 'attempting' | 'pending' {
  if (state === 'delivered') return 'success';
  if (state === 'failed') return 'failed';
  return isUnderWay ? 'attempting' : 'pending';
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
          <Standing of={found} />
        </PageHead>
        <Done what={query.done} />
        <Health visit={visit} webhook={found} />
        {deliveries.length > 0 && <Deliveries webhook={found} deliveries={deliveries} />}
        {deliveries.length === 0 && (
          <Empty title="No deliveries yet">
            <p>The next event it subscribes to appears here, with every attempt.</p>
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

const done: Record<string, string> = {
  made: 'Added. It receives events from now on. Verify requests with the signing secret.',
  enabled: 'Enabled. It receives events that were still pending when it was disabled, and new events from now on.',
  disabled: 'Disabled. Events that happen from now on are not sent, even after you enable it again.',
};

function Done({ what }: { what: string | undefined }) {
  const text = what === undefined ? undefined : done[what];
  return text ? <Notice tone="good">{text}</Notice> : null;
}

function Health({ visit, webhook }: { visit: Visit; webhook: Webhook }) {
  const contract = contractOf(visit.parts.facades, webhook.facade);
  return (
    <section class="panel">
      {webhook.failingSince !== null && (
        <Notice tone={webhook.enabled ? 'warning' : 'bad'}>
          Failing since <Time at={webhook.failingSince} />.{' '}
          {webhook.enabled
            ? 'It is retried automatically.'
            : 'It was disabled: fix the endpoint, then enable it again.'}
        </Notice>
      )}
      <dl class="facts">
        <dt>Format</dt>
        <dd>{contract.label}</dd>
        <dt>Events</dt>
        <dd>{webhook.events.join(', ')}</dd>
        <dt>ID</dt>
        <dd>
          <Copyable text={webhook.id} label="the ID" />
        </dd>
        {contract.isSigned && (
          <>
            <dt>Signing secret</dt>
            <dd>
              <details open={isJustMade(visit, webhook)}>
                <summary>Show secret</summary>
                <Copyable text={webhook.secret} label="the signing secret" />
              </details>
            </dd>
          </>
        )}
        <dt>Created</dt>
        <dd>
          <Time at={webhook.createdAt} />
        </dd>
      </dl>
      <div class="row">
        <DisableOrEnable visit={visit} webhook={webhook} />
        <Form visit={visit} action={`/dashboard/webhooks/${webhook.id}/delete`}>
          <button
            type="submit"
            class="button tone-bad"
            data-confirm="Delete this webhook and its delivery log? It receives no more events."
          >
            Delete
          </button>
        </Form>
      </div>
    </section>
  );
}

/** Long enough for the way from the form to here; not for coming back, nor for a link that somebody kept. */
const justMadeMs = 30_000;

function isJustMade({ query, parts }: Visit, webhook: Webhook): boolean {
  return query.done === 'made' && parts.clock.now() - webhook.createdAt < justMadeMs;
}

function DisableOrEnable({ visit, webhook }: { visit: Visit; webhook: Webhook }) {
  return (
    <Form visit={visit} action={`/dashboard/webhooks/${webhook.id}/${webhook.enabled ? 'disable' : 'enable'}`}>
      <button type="submit" class={webhook.enabled ? 'button' : 'button primary'}>
        {webhook.enabled ? 'Disable' : 'Enable'}
      </button>
    </Form>
  );
}

function Deliveries({ webhook, deliveries }: { webhook: Webhook; deliveries: WebhookDeliveryView[] }) {
  return (
    <section class="panel flush">
      <div class="row spread">
        <h2>Deliveries</h2>
      </div>
      <ol class="rows">
        {deliveries.map((delivery) => (
          <li>
            <a href={`/dashboard/webhooks/${webhook.id}/${delivery.id}`} data-row>
              <span>{resendNameOf(delivery.type)}</span>
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

export const enableWebhook = (visit: Visit) => changeEnabled(visit, true);
export const disableWebhook = (visit: Visit) => changeEnabled(visit, false);

async function changeEnabled(visit: Visit, enabled: boolean): Promise<Response> {
  const found = await requireWebhook(visit);
  if (!(await visit.parts.use.subscribe.change(found, { enabled }))) throw noWebhook();
  return redirect(`/dashboard/webhooks/${found.id}?done=${enabled ? 'enabled' : 'disabled'}`);
}

export async function removeWebhook(visit: Visit): Promise<Response> {
  const found = await requireWebhook(visit);
  if (!(await visit.parts.use.subscribe.remove(found))) throw noWebhook();
  return redirect('/dashboard/webhooks?done=deleted');
}
