/** What every engine must do about senders, batches, and finding emails and events by what they hold: called by the suite. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { type Email, emailOf, type Message } from '../../src/core/email.ts';
import { createIdSource } from '../../src/core/token.ts';
import { ensureAccount } from '../../src/store/accounts.ts';
import type { Database } from '../../src/store/database.ts';
import { insertDelivery } from '../../src/store/mail/deliveries.ts';
import { findEmail, findEmailSummary, forgetEmail, insertEmails } from '../../src/store/mail/emails.ts';
import { appendEvent } from '../../src/store/mail/events.ts';
import { findEmailBetween, listBatch, searchEmails, searchEvents } from '../../src/store/page/email-search.ts';
import { deleteSender, findSender, insertSender, listSenders, updateSender } from '../../src/store/senders.ts';

const now = 1_800_000_000_000;
const nextId = createIdSource(randomBytes);

const message: Message = {
  from: 'Acme <hello@example.com>',
  to: ['Ann <ann@example.org>'],
  cc: [],
  bcc: [],
  replyTo: [],
  subject: 'Hello',
  html: '<p>Hi</p>',
  text: null,
  headers: [],
  tags: [],
  topicId: null,
  attachments: [],
  scheduledText: null,
  scheduledAt: null,
};

async function take<T>(found: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of found) all.push(one);
  return all;
}

export function describeBrevo(db: () => Database): void {
  async function accept(account: string, createdAt: number, change: Partial<Message> = {}): Promise<Email> {
    const id = nextId(createdAt);
    const email = emailOf(
      { ...message, ...change },
      { account, id, messageId: `<${id}@example.com>`, createdAt, madeText: null },
    );
    await db().write((tx) => insertEmails(tx, [email], { facade: 'brevo', keyHash: null }));
    return email;
  }

  describe('senders', () => {
    const sender = { name: 'Acme', email: 'hello@example.com', now };
    const insert = (account: string, change: Partial<typeof sender> = {}) =>
      db().write(async (tx) => {
        await ensureAccount(tx, account, now);
        return insertSender(tx, account, { ...sender, ...change });
      });
    const update = (account: string, id: number, change: { name?: string; email?: string }) =>
      db().write((tx) => updateSender(tx, account, id, change));

    it('are numbered in each account, each address once', async () => {
      assert.equal(await insert('senders-a'), 1);
      assert.equal(await insert('senders-a'), null);
      assert.equal(await insert('senders-a', { email: 'shop@example.com' }), 2);
      assert.equal(await insert('senders-b'), 1);
      assert.deepEqual(await findSender(db(), 'senders-a', 2), { id: 2, name: 'Acme', email: 'shop@example.com' });
      assert.equal(await findSender(db(), 'senders-b', 2), null);
      assert.equal(await update('senders-a', 2, { name: 'Shop', email: 'hello@example.com' }), 'taken');
      assert.equal(await update('senders-b', 2, { name: 'Shop' }), 'missing');
      assert.equal(await update('senders-a', 2, { name: 'Shop', email: 'x@example.com' }), 'changed');
      assert.equal(await db().write((tx) => deleteSender(tx, 'senders-a', 1)), true);
      assert.equal(await db().write((tx) => deleteSender(tx, 'senders-a', 1)), false);
      assert.deepEqual(await listSenders(db(), 'senders-a'), [{ id: 2, name: 'Shop', email: 'x@example.com' }]);
    });

    it('are changed member by member, and get no address twice, even by two at once', async () => {
      const account = 'senders-change';
      const [one, other] = [await insert(account), await insert(account, { email: 'shop@example.com' })];
      assert.ok(one !== null && other !== null);
      const members = [update(account, one, { name: 'Shop' }), update(account, one, { email: 'x@example.com' })];
      assert.deepEqual(await Promise.all(members), ['changed', 'changed']);
      assert.deepEqual(await findSender(db(), account, one), { id: one, name: 'Shop', email: 'x@example.com' });
      const email = 'y@example.com';
      const both = await Promise.all([update(account, one, { email }), update(account, other, { email })]);
      assert.deepEqual(both.sort(), ['changed', 'taken']);
      const made = await Promise.all([
        insert(account, { email: 'z@example.com' }),
        update(account, one, { email: 'z@example.com' }),
      ]);
      assert.ok((made[0] === null) === (made[1] === 'changed'));
    });

    it('get different numbers when they are created at once', async () => {
      const made = Array.from({ length: 20 }, (_, index) => insert('senders-race', { email: `u${index}@example.com` }));
      const ids = await Promise.all(made);
      assert.deepEqual(
        ids.sort((a, b) => Number(a) - Number(b)),
        Array.from({ length: 20 }, (_, index) => index + 1),
      );
    });
  });

  describe('emails found by what they hold', () => {
    it('are those of a span and an account, in either order, through all chunks', async () => {
      const account = 'search-span';
      const ids: string[] = [];
      for (let index = 0; index < 1_203; index++) ids.push((await accept(account, now + index)).id);
      await accept('search-other', now + 1);
      const span = { from: now + 1, until: now + 1_202 };
      const found = (order: 'asc' | 'desc') => take(searchEmails(db(), account, { span, order, named: null }));
      assert.deepEqual(
        (await found('asc')).map(({ id }) => id),
        ids.slice(1, 1_202),
      );
      assert.deepEqual(
        (await found('desc')).map(({ id }) => id),
        ids.slice(1, 1_202).reverse(),
      );
    });

    it('are found by the beginning and the end of an id', async () => {
      const { id } = await accept('search-id', now);
      const range = {
        low: `${id.slice(0, 19)}0000-000000000000`,
        high: `${id.slice(0, 19)}ffff-ffffffffffff`,
        end: id.slice(23),
      };
      assert.equal((await findEmailBetween(db(), 'search-id', range))?.id, id);
      assert.equal(await findEmailBetween(db(), 'search-else', range), null);
      assert.equal(await findEmailBetween(db(), 'search-id', { ...range, end: '-000000000000' }), null);
    });

    it('are found by the batch they were scheduled under, in their account', async () => {
      const batchId = '5c6cfa04-eed9-42c2-8b5c-6d470d978e9d';
      const one = await accept('batch-a', now, { batchId });
      const other = await accept('batch-a', now + 1, { batchId });
      await accept('batch-b', now, { batchId });
      await accept('batch-a', now);
      const found = await listBatch(db(), 'batch-a', batchId);
      assert.deepEqual(
        found.map(({ id }) => id),
        [one.id, other.id],
      );
      assert.equal(found[0]?.batchId, batchId);
    });
  });

  describe('events found by when they were recorded', () => {
    it('come with their emails, of the wanted types, in either order, through all chunks', async () => {
      const { id } = await accept('events-span', now);
      const other = await accept('events-other', now);
      await db().write(async (tx) => {
        for (let index = 0; index < 1_203; index++) {
          await appendEvent(tx, 'events-span', id, 'delivered', now + index, { recipients: [`u${index}@x.test`] });
        }
        await appendEvent(tx, 'events-span', id, 'sent', now, {});
        await appendEvent(tx, 'events-other', other.id, 'delivered', now, {});
      });
      const terms = { span: { from: now + 1, until: now + 1_202 }, types: ['delivered', 'failed'] as const };
      const newest = await take(searchEvents(db(), 'events-span', { ...terms, order: 'desc' }));
      const oldest = await take(searchEvents(db(), 'events-span', { ...terms, order: 'asc' }));
      assert.deepEqual(newest, [...oldest].reverse());
      assert.deepEqual(
        oldest.map(({ at }) => at - now),
        Array.from({ length: 1_201 }, (_, index) => index + 1),
      );
      assert.deepEqual([oldest[0]?.email.id, oldest[0]?.detail], [id, { recipients: ['u1@x.test'] }]);
    });
  });

  describe('a log that is deleted', () => {
    it('is kept while a delivery is open, and drops the contents with the last recipient', async () => {
      const email = await accept('forget', now);
      const delivery = { account: 'forget', emailId: email.id, recipients: ['ann@example.org'], policy: null };
      const insert = (part: number, state: 'queued' | 'bounced') =>
        db().write((tx) => insertDelivery(tx, { ...delivery, part, state, runAt: now, giveUpAt: now }));
      const forget = async (isLast: boolean) => {
        const summary = await findEmailSummary(db(), 'forget', email.id);
        assert(summary);
        return db().write((tx) => forgetEmail(tx, summary, { recipients: ['ann@example.org'], isLast, now }));
      };
      await insert(0, 'queued');
      assert.equal(await forget(true), false);
      assert.equal((await findEmail(db(), 'forget', email.id))?.html, '<p>Hi</p>');
      await db().write((tx) => tx.run("update deliveries set state = 'sent' where account = ?", 'forget'));
      await insert(1, 'bounced');
      assert.equal(await forget(false), true);
      const hidden = await findEmail(db(), 'forget', email.id);
      assert.deepEqual([hidden?.forgotten, hidden?.html], [['ann@example.org'], '<p>Hi</p>']);
      assert.equal(await forget(true), true);
      assert.equal((await findEmail(db(), 'forget', email.id))?.purged, true);
    });
  });
}
