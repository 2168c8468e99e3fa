/** Webhooks: who is told of an account's events, at which URL, and under which secrets. */

import { AppError } from '../../core/error.ts';
import type { Subject } from '../../core/event.ts';
import type { Reader, SqlValue, Transaction } from '../database.ts';

export type WebhookFacade = 'resend' | 'brevo';

/** Whatever a facade lets its users set and Sendonce only hands on; the names are the wire's. */
export type WebhookOptions = {
  description?: string;
  /** Several events in one request. */
  batched?: boolean;
  auth?: { type: string; token: string };
  headers?: { key: string; value: string }[];
  type?: string;
  channel?: string;
};

export type Webhook = {
  /** Names it in the store, and at Brevo's API. */
  number: number;
  /** Names it at Resend's API: a UUIDv7. */
  id: string;
  account: string;
  facade: WebhookFacade;
  url: string;
  /** As the facade spells them. */
  events: string[];
  options: WebhookOptions;
  secret: string;
  /** The secret before the last rotation, and until when it signs, too. */
  previousSecret: string | null;
  previousUntil: number | null;
  enabled: boolean;
  /** When the first of the failures since the last success was; null while all is well. */
  failingSince: number | null;
  createdAt: number;
  modifiedAt: number;
};

type WebhookRow = {
  number: number;
  id: string;
  account: string;
  facade: WebhookFacade;
  url: string;
  events: string;
  options: string;
  secret: string;
  previous_secret: string | null;
  previous_until: number | null;
  enabled: number;
  failing_since: number | null;
  created_at: number;
  modified_at: number;
};

const columns = `number, id, account, facade, url, events, options, secret, previous_secret, previous_until,
  enabled, failing_since, created_at, modified_at`;

export type NewWebhook = Pick<Webhook, 'id' | 'account' | 'facade' | 'url' | 'events' | 'options' | 'secret'> & {
  /** What it subscribes to, in our own words. */
  subjects: Subject[];
  createdAt: number;
};

/**
 * Once for each id: who comes again gets the webhook that was made. Null where the account has `most` of them already.
 * @throws AppError `already_exists` where it was deleted since, or the id is somebody else's.
 */
export async function insertWebhook(tx: Transaction, webhook: NewWebhook, most: number): Promise<Webhook | null> {
  const { account, facade, id } = webhook;
  const existing = await tx.all<{ count: number }>(
    'select count(*) as count from webhooks where account = ? and facade = ? and deleted_at is null',
    account,
    facade,
  );
  if ((existing[0]?.count ?? 0) >= most) return findWebhook(tx, account, facade, { id });
  const inserted = await tx.run(
    `insert into webhooks (id, account, facade, url, events, options, secret, enabled, created_at, modified_at)
     values (?, ?, ?, ?, ?, ?, ?, 1, ?, ?) on conflict (id) do nothing`,
    id,
    account,
    facade,
    webhook.url,
    JSON.stringify(webhook.events),
    JSON.stringify(webhook.options),
    webhook.secret,
    webhook.createdAt,
    webhook.createdAt,
  );
  const made = await findWebhook(tx, account, facade, { id });
  if (!made) throw new AppError('already_exists', 'The webhook that was made with this id is gone.');
  if (inserted > 0) await subscribe(tx, made, webhook.subjects);
  return made;
}

async function subscribe(tx: Transaction, webhook: Webhook, subjects: Subject[]): Promise<void> {
  await tx.run('delete from webhook_subscriptions where webhook = ?', webhook.number);
  for (const subject of new Set(subjects)) {
    await tx.run(
      `insert into webhook_subscriptions (account, subject, webhook, enabled, per_recipient) values (?, ?, ?, ?, ?)`,
      webhook.account,
      subject,
      webhook.number,
      webhook.enabled ? 1 : 0,
      // Brevo tells one recipient at a time (docs/brevo.md).
      webhook.facade === 'brevo' ? 1 : 0,
    );
  }
}

export type WebhookName = { id: string } | { number: number };

export async function findWebhook(
  reader: Reader,
  account: string,
  facade: WebhookFacade,
  name: WebhookName,
): Promise<Webhook | null> {
  const [column, value] = 'id' in name ? ['id', name.id] : ['number', name.number];
  const [row] = await reader.all<WebhookRow>(
    `select ${columns} from webhooks where account = ? and facade = ? and ${column} = ? and deleted_at is null`,
    account,
    facade,
    value,
  );
  return row ? toWebhook(row) : null;
}

/** All of an account, oldest first; there are few. */
export async function listWebhooks(reader: Reader, account: string, facade: WebhookFacade): Promise<Webhook[]> {
  const rows = await reader.all<WebhookRow>(
    `select ${columns} from webhooks where account = ? and facade = ? and deleted_at is null order by number`,
    account,
    facade,
  );
  return rows.map(toWebhook);
}

/** The enabled ones that have something due, of all accounts, in a stable order. */
export async function webhooksWithDue(reader: Reader, now: number): Promise<Webhook[]> {
  const rows = await reader.all<WebhookRow>(
    `select ${columns} from webhooks where enabled = 1 and deleted_at is null and exists (
       select 1 from webhook_deliveries
       where webhook_deliveries.webhook = webhooks.number and state = 'pending' and run_at <= ?)
     order by number`,
    now,
  );
  return rows.map(toWebhook);
}

export type WebhookChange = {
  url?: string;
  events?: { names: string[]; subjects: Subject[] };
  options?: WebhookOptions;
  enabled?: boolean;
};

/**
 * What is left out stays. Enabling and disabling forget the failures so far: what is enabled starts anew, and who reads of one
 * that is disabled and was failing may know that this is why.
 */
export async function updateWebhook(
  tx: Transaction,
  webhook: Webhook,
  change: WebhookChange,
  now: number,
): Promise<void> {
  const set: [column: string, value: SqlValue][] = [['modified_at', now]];
  if (change.url !== undefined) set.push(['url', change.url]);
  if (change.events) set.push(['events', JSON.stringify(change.events.names)]);
  if (change.options) set.push(['options', JSON.stringify(change.options)]);
  if (change.enabled !== undefined) set.push(['enabled', change.enabled ? 1 : 0]);
  if (change.enabled !== undefined || change.url !== undefined) set.push(['failing_since', null]);
  await tx.run(
    `update webhooks set ${set.map(([column]) => `${column} = ?`).join(', ')} where number = ?`,
    ...set.map(([, value]) => value),
    webhook.number,
  );
  const enabled = change.enabled ?? webhook.enabled;
  if (change.events) await subscribe(tx, { ...webhook, enabled }, change.events.subjects);
  await tx.run('update webhook_subscriptions set enabled = ? where webhook = ?', enabled ? 1 : 0, webhook.number);
}

/** The former secret goes on signing beside the new one until `previousUntil`. */
export async function rotateSecret(
  tx: Transaction,
  webhook: Webhook,
  secret: string,
  terms: { now: number; previousUntil: number },
): Promise<void> {
  await tx.run(
    'update webhooks set previous_secret = secret, previous_until = ?, secret = ?, modified_at = ? where number = ?',
    terms.previousUntil,
    secret,
    terms.now,
    webhook.number,
  );
}

/** Ends it at once; what was to be told is forgotten in steps (`forgetDeleted`), since there may be much of it. */
export async function deleteWebhook(tx: Transaction, webhook: Webhook, now: number): Promise<void> {
  await tx.run('delete from webhook_subscriptions where webhook = ?', webhook.number);
  await tx.run('update webhooks set deleted_at = ?, enabled = 0 where number = ?', now, webhook.number);
}

/**
 * Notes how an attempt at it went. True: it has failed for `patienceMs` without a success, and is disabled by this.
 * A success touches the endpoint's row only where `webhook`, as it was claimed, was failing: one that began before the first
 * failure says nothing of what came after it.
 */
export async function noteEndpoint(
  tx: Transaction,
  webhook: Webhook,
  went: { well: boolean; now: number; patienceMs: number },
): Promise<boolean> {
  if (went.well && webhook.failingSince === null) return false;
  if (went.well) {
    await tx.run('update webhooks set failing_since = null where number = ?', webhook.number);
    return false;
  }
  await tx.run(
    'update webhooks set failing_since = ? where number = ? and failing_since is null and enabled = 1',
    went.now,
    webhook.number,
  );
  const disabled = await tx.run(
    'update webhooks set enabled = 0, modified_at = ? where number = ? and enabled = 1 and failing_since <= ?',
    went.now,
    webhook.number,
    went.now - went.patienceMs,
  );
  if (disabled === 0) return false;
  await tx.run('update webhook_subscriptions set enabled = 0 where webhook = ?', webhook.number);
  return true;
}

function toWebhook(row: WebhookRow): Webhook {
  return {
    number: row.number,
    id: row.id,
    account: row.account,
    facade: row.facade,
    url: row.url,
    events: JSON.parse(row.events),
    options: JSON.parse(row.options),
    secret: row.secret,
    previousSecret: row.previous_secret,
    previousUntil: row.previous_until,
    enabled: row.enabled === 1,
    failingSince: row.failing_since,
    createdAt: row.created_at,
    modifiedAt: row.modified_at,
  };
}
