/** Webhooks: who is told of an account's events, at which URL, and under which secrets. */

import assert from 'node:assert/strict';
import { AppError } from '../../core/error.ts';
import type { Subject } from '../../core/event.ts';
import { lockAccount } from '../accounts.ts';
import type { Reader, Transaction } from '../database.ts';

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
  facade: string;
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
  facade: string;
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
  perRecipient: boolean;
  createdAt: number;
};

/**
 * Once for each id: who comes again gets the webhook that was made. Null where the account has `most` of them already.
 * @throws AppError `already_exists` where it was deleted since, or the id is somebody else's.
 */
export async function insertWebhook(tx: Transaction, webhook: NewWebhook, most: number): Promise<Webhook | null> {
  const { account, facade, id } = webhook;
  // Of two that are made at once, the second one is counted after the first.
  await lockAccount(tx, account);
  const gone = await tx.all('select id from deleted_webhooks where id = ?', id);
  if (gone.length > 0) throw isGone();
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
  if (!made) throw isGone();
  if (inserted === 1) await subscribe(tx, made, webhook);
  return made;
}

function isGone(): AppError {
  return new AppError('already_exists', 'The webhook that was made with this id is gone.');
}

async function subscribe(
  tx: Transaction,
  webhook: Webhook,
  { subjects, perRecipient }: Pick<WebhookEvents, 'subjects' | 'perRecipient'>,
): Promise<void> {
  await tx.run('delete from webhook_subscriptions where webhook = ?', webhook.number);
  for (const subject of new Set(subjects)) {
    await tx.run(
      `insert into webhook_subscriptions (account, subject, webhook, enabled, per_recipient) values (?, ?, ?, ?, ?)`,
      webhook.account,
      subject,
      webhook.number,
      webhook.enabled ? 1 : 0,
      perRecipient ? 1 : 0,
    );
  }
}

export type WebhookName = { id: string } | { number: number };

/** By its own facade, or, where that is null, by whoever shows those of all. */
export async function findWebhook(
  reader: Reader,
  account: string,
  facade: string | null,
  name: WebhookName,
): Promise<Webhook | null> {
  const [column, value] = 'id' in name ? ['id', name.id] : ['number', name.number];
  const [row] = await reader.all<WebhookRow>(
    `select ${columns} from webhooks where account = ? and ${column} = ? and deleted_at is null`,
    account,
    value,
  );
  if (facade !== null && row?.facade !== facade) return null;
  return row ? toWebhook(row) : null;
}

/** All of an account, oldest first; there are few. */
export async function listWebhooks(reader: Reader, account: string, facade: string): Promise<Webhook[]> {
  const rows = await reader.all<WebhookRow>(
    `select ${columns} from webhooks where account = ? and facade = ? and deleted_at is null order by number`,
    account,
    facade,
  );
  return rows.map(toWebhook);
}

/** The enabled ones that have something due, of all accounts, in a stable order. */
export async function webhooksWithDue(reader: Reader, now: number): Promise<Webhook[]> {
  // Asked after each verdict, and most servers have none.
  if (reader.isAbsent?.('select 1 as one from webhooks limit 1')) return [];
  const rows = await reader.all<WebhookRow>(
    `select ${columns} from webhooks where enabled = 1 and deleted_at is null
     and account not in (select id from accounts where disabled_at is not null) and exists (
       select 1 from webhook_deliveries
       where webhook_deliveries.webhook = webhooks.number and state = 'pending' and run_at <= ?)
     order by number`,
    now,
  );
  return rows.map(toWebhook);
}

export type WebhookEvents = {
  /** As the facade spells them. */
  names: string[];
  /** What they are in our own words. */
  subjects: Subject[];
  /** Whether each recipient of an event is told of alone. */
  perRecipient: boolean;
};

export type WebhookChange = {
  url?: string;
  events?: WebhookEvents;
  /** Those that are named; the others stay. */
  options?: WebhookOptions;
  enabled?: boolean;
};

/**
 * What is left out stays, as it is at this moment. Enabling and disabling forget the failures so far: what is enabled starts
 * anew, and who reads of one that is disabled and was failing may know that this is why. Null: it was deleted.
 */
export async function updateWebhook(
  tx: Transaction,
  number: number,
  change: WebhookChange,
  now: number,
): Promise<Webhook | null> {
  const before = await hold(tx, number, now);
  if (!before) return null;
  const { url = before.url, enabled = before.enabled } = change;
  const events = change.events?.names ?? before.events;
  const options = { ...before.options, ...change.options };
  const failingSince = change.enabled === undefined && change.url === undefined ? before.failingSince : null;
  const after = { ...before, url, enabled, events, options, failingSince };
  const changed = await tx.run(
    'update webhooks set url = ?, events = ?, options = ?, enabled = ?, failing_since = ? where number = ?',
    url,
    JSON.stringify(events),
    JSON.stringify(options),
    enabled ? 1 : 0,
    failingSince,
    number,
  );
  assert.equal(changed, 1, 'a webhook that is held stays');
  if (change.events) await subscribe(tx, after, change.events);
  // A webhook may have asked for nothing that happens here: there may be no row to change.
  else await tx.run('update webhook_subscriptions set enabled = ? where webhook = ?', enabled ? 1 : 0, number);
  return after;
}

/** The webhook, written before it is read: whoever else changes it has committed, or waits. Null: it was deleted. */
async function hold(tx: Transaction, number: number, now: number): Promise<Webhook | null> {
  const held = await tx.run('update webhooks set modified_at = ? where number = ? and deleted_at is null', now, number);
  if (held === 0) return null;
  const [row] = await tx.all<WebhookRow>(`select ${columns} from webhooks where number = ?`, number);
  assert(row, 'a webhook that is held stays');
  return toWebhook(row);
}

/** The former secret goes on signing beside the new one until `previousUntil`. False: it was deleted. */
export async function rotateSecret(
  tx: Transaction,
  number: number,
  secret: string,
  terms: { now: number; previousUntil: number },
): Promise<boolean> {
  const rotated = await tx.run(
    `update webhooks set previous_secret = secret, previous_until = ?, secret = ?, modified_at = ?
     where number = ? and deleted_at is null`,
    terms.previousUntil,
    secret,
    terms.now,
    number,
  );
  return rotated === 1;
}

/** Of all facades, those that were not deleted. */
export async function listWebhookNumbers(reader: Reader, account: string): Promise<number[]> {
  const sql = 'select number from webhooks where account = ? and deleted_at is null order by number';
  return (await reader.all<{ number: number }>(sql, account)).map((row) => row.number);
}

/**
 * Ends it at once; what was to be told is forgotten in steps (`forgetWebhookDeliveries`), since there may be much of it. Its id
 * is remembered for longer, so that a form that is sent once more does not make it anew. False: it was deleted before.
 */
export async function deleteWebhook(tx: Transaction, number: number, now: number): Promise<boolean> {
  const deleted = await tx.run(
    'update webhooks set deleted_at = ?, enabled = 0 where number = ? and deleted_at is null',
    now,
    number,
  );
  if (deleted === 0) return false;
  await tx.run(
    'insert into deleted_webhooks (id, deleted_at) select id, deleted_at from webhooks where number = ?',
    number,
  );
  await tx.run('delete from webhook_subscriptions where webhook = ?', number);
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
