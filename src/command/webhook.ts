/** `sendonce webhook listen`: prints events as they happen, and forwards them to a program that is being written. */

import { randomBytes } from 'node:crypto';
import type { Config } from '../config/config.ts';
import { firstAccount } from '../core/account.ts';
import { createWebhookSecret } from '../core/webhook-secret.ts';
import { createEgress, type Egress } from '../egress/egress.ts';
import { resendEventTypes, resendNameOf, resendPayload } from '../http/resend/webhook-payload.ts';
import { listAccounts } from '../store/account-rules.ts';
import type { Database } from '../store/database.ts';
import {
  type ContactEvent,
  type DomainEvent,
  lastEventId,
  listFactsAfter,
  type SuppressionEvent,
} from '../store/mail/events.ts';
import { attemptWebhook } from '../webhook/attempt.ts';
import { svixHeaders } from '../webhook/request.ts';
import { findTold, type Told } from '../webhook/told.ts';
import { CommandError, printable, withDatabase } from './terminal.ts';
import { UsageError } from './usage.ts';

export type ListenFlags = { account?: string; 'forward-to'?: string };

/**
 * Read from the database rather than asked of the server: that needs no API key, which is shown once and stored as a hash,
 * holds no request open, and goes on where it was when the server is restarted.
 */
const lookEveryMs = 250;

const atOnce = 100;

export async function webhook(config: Config, [action]: string[], flags: ListenFlags): Promise<void> {
  if (action !== 'listen') throw new UsageError('Usage: sendonce webhook listen [--forward-to URL] [--account A]');
  const stopped = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopped.abort());
  const account = flags.account ?? firstAccount;
  const forwardTo = flags['forward-to'] === undefined ? null : asUrl(flags['forward-to']);
  await withDatabase(config, { create: false }, async (database) => {
    const names = (await listAccounts(database)).map(({ name }) => name);
    if (!names.includes(account))
      throw new CommandError(`There is no account ${account}: there are ${names.join(', ')}.`);
    await listen(database, { account, forwardTo, print: (line) => console.log(line), signal: stopped.signal });
  });
}

/** `localhost:4000/hook` is what people type. */
function asUrl(text: string): string {
  return /^[a-z]+:\/\//i.test(text) ? text : `http://${text}`;
}

export type ListenOptions = {
  account: string;
  /** Null: events are only printed. */
  forwardTo: string | null;
  print: (line: string) => void;
  signal: AbortSignal;
};

/** Until it is told to stop. */
export async function listen(database: Database, options: ListenOptions): Promise<void> {
  const { account, forwardTo, print, signal } = options;
  const forward = forwardTo === null ? null : createForward(forwardTo, signal);
  let cursor = await lastEventId(database);
  print(`Listening to the events of account ${account}; Ctrl-C ends it.`);
  if (forward) print(`Forwarding to ${forwardTo}, signed with ${forward.secret}`);
  while (!signal.aborted) {
    const events = await listFactsAfter(database, account, cursor, atOnce);
    for (const event of events) {
      cursor = event.event;
      const told = await findTold(database, account, event);
      if (told && !signal.aborted) print(`${lineOf(told)}${forward ? `  → ${await forward.send(told)}` : ''}`);
    }
    if (events.length < atOnce) await pause(signal);
  }
}

function lineOf(told: Told): string {
  const time = new Date(told.event.at).toISOString().slice(11, 19);
  const name = resendNameOf(told.event.type).padEnd(22);
  if ('received' in told) {
    const { id, from, subject } = told.received;
    return `${time}  ${name}  ${id}  ${printable(`${from}  "${subject}"`)}`;
  }
  if (told.email === null) return `${time}  ${name}  ${printable(changeIn(told.event))}`;
  const { recipients, reply, said } = told.event.detail;
  const to = (recipients ?? told.email.to).join(', ');
  const words = printable(
    `${to}  "${told.email.subject}"${reply ? `  ${reply}` : ''}${said?.captured ? '  (nothing left)' : ''}`,
  );
  return `${time}  ${name}  ${told.email.id}  ${words}`;
}

function changeIn(event: SuppressionEvent | ContactEvent | DomainEvent): string {
  if ('contact' in event) return `${event.contact.id}  ${event.contact.address}`;
  if ('domain' in event) return `${event.domain.id}  ${event.domain.name}  (${event.domain.status})`;
  return `${event.suppression.id}  ${event.suppression.address}  (${event.suppression.origin})`;
}

/** Whoever types the URL may send to their own machine: everything is allowed, the bounds of a webhook stay. */
function createForward(url: string, signal: AbortSignal) {
  const egress: Egress = createEgress({ allow: ['0.0.0.0/0', '::/0'] });
  const refusal = egress.refusalOf(url);
  if (refusal) throw new CommandError(refusal.message);
  const secret = createWebhookSecret(randomBytes);

  async function send(told: Told): Promise<string> {
    if (!(resendNameOf(told.event.type) in resendEventTypes)) return 'no webhook has this event';
    const body = JSON.stringify(resendPayload(told));
    const signed = { secret, previousSecret: null, previousUntil: null };
    const headers = {
      'content-type': 'application/json',
      ...svixHeaders(signed, `msg_${told.event.id}`, Date.now(), body),
    };
    const attempt = await attemptWebhook(egress, { url, headers, body }, { now: Date.now, signal });
    return attempt.status === null ? attempt.response : `${attempt.status} in ${attempt.tookMs} ms`;
  }
  return { secret, send };
}

async function pause(signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, lookEveryMs);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}
