/** A database of many emails that have all been delivered, for `bench:page`: written through the store, without syncing. */

import { randomBytes } from 'node:crypto';
import { firstAccount } from '../src/core/account.ts';
import type { Email } from '../src/core/email.ts';
import { ownWords } from '../src/core/reply.ts';
import { createIdSource } from '../src/core/token.ts';

import { ensureAccount } from '../src/store/accounts.ts';
import type { Transaction } from '../src/store/database.ts';
import { openSqlite } from '../src/store/engine/sqlite/sqlite.ts';
import { insertDelivery } from '../src/store/mail/deliveries.ts';
import { insertEmails } from '../src/store/mail/emails.ts';
import { appendEvent } from '../src/store/mail/events.ts';
import { move } from '../src/store/mail/move.ts';
import { migrate } from '../src/store/migrate.ts';
import { suppress } from '../src/store/suppressions.ts';
import { keepPageIndex } from '../src/use-cases/page-index.ts';

const subjects = [
  'Your invoice',
  'Your order has been paid',
  'Welcome aboard',
  'Reset your password',
  'A short notice',
];
const atOnce = 500;
/** Spread over a month, so that the rollups have their hours. */
const monthMs = 30 * 24 * 60 * 60_000;

export type Filled = { ids: { count: number; some: string }; tookMs: number };

/** `isOpen`: of a hundred ten are queued for later, and one is in doubt; some have a tag, a template, a suppression. */
export async function fillDatabase(path: string, count: number, { isOpen = false } = {}): Promise<Filled> {
  const started = performance.now();
  const database = openSqlite({
    path,
    sync: async () => {},
    onUnknownCommit: (cause) => {
      throw cause;
    },
  });
  await migrate(database);
  const nextId = createIdSource(randomBytes);
  const first = Date.now() - monthMs;
  let some = '';
  for (let done = 0; done < count; done += atOnce) {
    await database.write(async (tx) => {
      await ensureAccount(tx, firstAccount, first);
      for (let number = done; number < Math.min(done + atOnce, count); number++) {
        const at = first + Math.floor((number / count) * (monthMs - 60_000));
        const plain = emailNumber(number, nextId(at), at);
        const email = isOpen ? { ...plain, templateId: number % 500 === 4 ? 5 : 6, tags: tagsOf(number) } : plain;
        if (number === Math.floor(count / 2)) some = email.id;
        await insertEmails(tx, [email], { facade: 'resend', keyHash: null });
        const isBounced = number % 1_000 === 7;
        if (isOpen && isBounced) await suppressOne(tx, number, at);
        if (isOpen && number % 10 === 0) {
          await insertOpen(tx, email, number % 100 === 0 ? 'in_doubt' : 'queued');
          continue;
        }
        await insertDelivery(tx, {
          account: firstAccount,
          emailId: email.id,
          part: 0,
          // Delivered for the sake of the reads: nothing of it passes a gate.
          state: (isBounced ? 'bounced' : 'delivered') as 'bounced',
          recipients: email.to,
          runAt: at,
          giveUpAt: at + monthMs,
          policy: null,
        });
        const detail = {
          recipients: email.to,
          reply: isBounced ? '550 5.1.1 gone' : '250 2.0.0 ok',
          attempt: 1,
          relay: number % 3 === 0 ? 'spare' : 'main',
        };
        if (!isBounced) await appendEvent(tx, firstAccount, email.id, 'sent', at, detail);
        await appendEvent(tx, firstAccount, email.id, isBounced ? 'bounced' : 'delivered', at, detail);
      }
    });
  }
  while (!(await keepPageIndex(database, { now: Date.now, expiryNow: Date.now })));
  await database.close();
  return { ids: { count, some }, tookMs: performance.now() - started };
}

const tagsOf = (number: number) => [{ name: number % 1_000 === 5 ? 'rare' : 'usual', value: '' }];

function suppressOne(tx: Transaction, number: number, at: number) {
  const address = `gone${number}@example.com`;
  return suppress(tx, { account: firstAccount, address, origin: 'bounce', sourceId: null, reply: null, createdAt: at });
}

/** For a year hence, so that nothing of it becomes due. */
async function insertOpen(tx: Transaction, email: Email, state: 'queued' | 'in_doubt'): Promise<void> {
  const later = Date.now() + 12 * monthMs;
  const ref = { account: firstAccount, emailId: email.id, part: 0 };
  const terms = { recipients: email.to, runAt: later, giveUpAt: later, policy: null };
  await insertDelivery(tx, { ...ref, ...terms, state: 'queued' });
  if (state === 'queued') return;
  await move(
    tx,
    'hold',
    ref,
    { run_at: later, reply: ownWords('In doubt.'), fence: 0, now: email.createdAt },
    () => {},
  );
}

function emailNumber(number: number, id: string, createdAt: number): Email {
  return {
    account: firstAccount,
    id,
    messageId: `<${id}@example.com>`,
    createdAt,
    madeText: 'Hello',
    from: 'Acme <a@example.com>',
    to: [`person${number % 5_000}@example.com`],
    cc: [],
    bcc: [],
    replyTo: [],
    subject: `${subjects[number % subjects.length]} ${number}`,
    html: '<p>it works!</p>',
    text: null,
    headers: [],
    tags: number % 10_000 === 3 ? [{ name: 'kind', value: 'rare' }] : [],
    topicId: null,
    attachments: [],
    scheduledText: null,
    scheduledAt: null,
  };
}
