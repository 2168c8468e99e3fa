/** What a webhook was told: whom each event is about, how it went, one state alone, and all that failed once more. */

import { AppError } from '../../core/error.ts';
import { afterAllIds, isUuid } from '../../core/token.ts';
import { resendNameOf } from '../../http/resend/webhook-payload.ts';
import {
  type AboutWhom,
  findAboutWhom,
  listWebhookDeliveries,
  listWebhookDeliveriesIn,
  type WebhookDeliveryView,
} from '../../store/webhooks/views.ts';
import type { Webhook } from '../../store/webhooks/webhooks.ts';
import { Empty, Form, Recipients, State, Time } from '../frame/pieces.tsx';
import { redirect } from '../frame/sign-in.tsx';
import type { Visit } from '../frame/visit.ts';
import { noWebhook, requireWebhook, wordFor } from './one-webhook.ts';

const pageSize = 50;

const shows = ['failed', 'pending', 'delivered'] as const;
type Show = (typeof shows)[number];

const names: Record<Show, string> = { failed: 'Failed', pending: 'Pending', delivered: 'Successful' };

export async function Deliveries({ visit, webhook }: { visit: Visit; webhook: Webhook }) {
  const { parts, query } = visit;
  const show = shows.find((one) => one === query.show) ?? null;
  const { deliveries, next } = await findShown(visit, webhook, show);
  const about = await findAboutWhom(
    parts.database,
    webhook.account,
    deliveries.map(({ event }) => event),
  );
  if (deliveries.length === 0 && show === null && query.after === undefined) {
    return (
      <Empty title="No deliveries yet">
        <p>The next event it subscribes to appears here, with every attempt.</p>
      </Empty>
    );
  }
  const path = `/dashboard/webhooks/${webhook.id}`;
  return (
    <>
      <section class="panel flush">
        <div class="row spread">
          <h2>Deliveries</h2>
          <Shows path={path} show={show} />
          <ReplayFailed visit={visit} webhook={webhook} />
        </div>
        <ol class="rows">
          {deliveries.map((delivery) => (
            <Row path={path} delivery={delivery} about={about.get(delivery.event)} />
          ))}
        </ol>
        {deliveries.length === 0 && <p class="muted">None{next === null ? '' : ' among the newest 5,000'}.</p>}
      </section>
      {next !== null && (
        <nav class="row spread" aria-label="Pages">
          <span />
          <a class="button" href={`${path}?${new URLSearchParams({ ...(show && { show }), after: next })}`}>
            Older
          </a>
        </nav>
      )}
    </>
  );
}

async function findShown({ parts, query }: Visit, webhook: Webhook, show: Show | null) {
  const after = isUuid(query.after ?? '') ? (query.after ?? null) : null;
  if (show !== null) return listWebhookDeliveriesIn(parts.database, webhook, show, { limit: pageSize, after });
  const page = { limit: pageSize, after, before: null };
  const { deliveries, hasMore } = await listWebhookDeliveries(parts.database, webhook, page);
  return { deliveries, next: hasMore ? (deliveries.at(-1)?.id ?? null) : null };
}

function Shows({ path, show }: { path: string; show: Show | null }) {
  const all = [null, ...shows];
  return (
    <nav aria-label="Show deliveries">
      {all.map((one) => (
        <a
          href={one === null ? path : `${path}?show=${one}`}
          {...(one === show ? { 'aria-current': 'true' as const } : {})}
        >
          {one === null ? 'All' : names[one]}
        </a>
      ))}
    </nav>
  );
}

type RowOptions = { path: string; delivery: WebhookDeliveryView; about: AboutWhom | undefined };

function Row({ path, delivery, about }: RowOptions) {
  return (
    <li>
      <a href={`${path}/${delivery.id}`} data-row>
        <span>{resendNameOf(delivery.type)}</span>
        <State is={wordFor(delivery)} />
        {about ? (
          <span>
            <Recipients of={about.recipients} /> <span class="muted">{about.subject}</span>
          </span>
        ) : (
          <span class="muted">The event has been deleted.</span>
        )}
        <span class="muted small">
          <Time at={delivery.createdAt} style="short" />
        </span>
      </a>
    </li>
  );
}

function ReplayFailed({ visit, webhook }: { visit: Visit; webhook: Webhook }) {
  if (!webhook.enabled) return null;
  return (
    <Form visit={visit} action={`/dashboard/webhooks/${webhook.id}/replay-failed`}>
      <button type="submit" class="button quiet">
        Replay all failed
      </button>
    </Form>
  );
}

/** As many as the API replays at once. */
const replayMax = 1_000;

/** What is replayed has failed no more: a second click goes on with the rest. */
export async function replayFailed(visit: Visit): Promise<Response> {
  const found = await requireWebhook(visit);
  const range = { from: '', to: afterAllIds, after: null, onlyFailed: true, limit: replayMax };
  const done = await visit.parts.use.replay.range(found, range);
  if (done === 'gone') throw noWebhook();
  if (done === 'disabled')
    throw new AppError('invalid_field', 'The webhook is disabled. Enable it first, then replay.');
  const replayed = `${done.replayed}${done.lastId === null ? '' : ' more'}`;
  return redirect(`/dashboard/webhooks/${found.id}?${new URLSearchParams({ replayed })}`);
}
