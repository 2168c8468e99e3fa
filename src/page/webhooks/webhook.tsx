/** One webhook: how it is doing, its secret, and disabling, enabling and deleting it. */

import type { Child } from 'hono/jsx';
import { contractOf } from '../../http/facade.ts';
import type { Webhook } from '../../store/webhooks/webhooks.ts';
import { renderPage } from '../frame/frame.tsx';
import { Copyable, Counted, Form, Notice, PageHead, Pill, State, Time } from '../frame/pieces.tsx';
import { redirect } from '../frame/sign-in.tsx';
import type { Visit } from '../frame/visit.ts';
import { noWebhook, requireWebhook, shownUrl } from './one-webhook.ts';
import { Deliveries } from './webhook-deliveries.tsx';
import { Edit, TestForm } from './webhook-edit.tsx';
import type { Draft } from './webhook-form.tsx';

/** One that was disabled because it failed is worse than one that somebody disabled, which has no failures noted. */
export function Standing({ of }: { of: Webhook }) {
  if (of.enabled) return <State is={of.failingSince === null ? 'enabled' : 'failing'} />;
  return of.failingSince === null ? <Pill tone="muted">disabled</Pill> : <State is="disabled" />;
}

export async function webhook(visit: Visit): Promise<Response> {
  return renderWebhook(visit, await requireWebhook(visit));
}

/** `said`: what a form that was sent has to say; `draft`: what was filled into the form that changes it, and what is wrong. */
export function renderWebhook(
  visit: Visit,
  found: Webhook,
  { said = null, draft }: { said?: Child; draft?: Draft } = {},
): Promise<Response> {
  const { query } = visit;
  return renderPage(visit, {
    title: shownUrl(found),
    at: '/webhooks',
    status: draft ? 422 : 200,
    isLive: said === null && !draft && query.after === undefined,
    content: (
      <>
        <PageHead title={shownUrl(found)}>
          <Standing of={found} />
        </PageHead>
        <Done visit={visit} />
        {said}
        <Health visit={visit} webhook={found} />
        <Deliveries visit={visit} webhook={found} />
        <Edit visit={visit} webhook={found} draft={draft} />
      </>
    ),
  });
}

const done: Record<string, string> = {
  made: 'Added. It receives events from now on. Verify requests with the signing secret.',
  enabled: 'Enabled. It receives events that were still pending when it was disabled, and new events from now on.',
  disabled: 'Disabled. Events that happen from now on are not sent, even after you enable it again.',
  changed: 'Saved. What is sent from now on goes to this endpoint.',
};

function Done({ visit: { query } }: { visit: Visit }) {
  const text = query.done === undefined ? undefined : done[query.done];
  const [, replayed, more] = /^(\d{1,6})( more)?$/.exec(query.replayed ?? '') ?? [];
  if (replayed === undefined) return text ? <Notice tone="good">{text}</Notice> : null;
  return (
    <Notice tone="good">
      <Counted of={Number(replayed)} one="failed delivery is" many="failed deliveries are" /> sent again now, with the
      same IDs.{more !== undefined && ' There are more: replay once more.'}
    </Notice>
  );
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
              {(webhook.previousUntil ?? 0) > visit.parts.clock.now() && (
                <span class="muted small">
                  Requests are signed with the previous secret, too, until <Time at={webhook.previousUntil ?? 0} />.
                </span>
              )}
            </dd>
          </>
        )}
        <dt>Created</dt>
        <dd>
          <Time at={webhook.createdAt} />
        </dd>
      </dl>
      <div class="row">
        <TestForm visit={visit} webhook={webhook} />
        <DisableOrEnable visit={visit} webhook={webhook} />
        {contract.isSigned && (
          <Form visit={visit} action={`/dashboard/webhooks/${webhook.id}/rotate`}>
            <button type="submit" class="button">
              Rotate secret
            </button>
          </Form>
        )}
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
