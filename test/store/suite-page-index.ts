/** What every engine must do about the page's figures and search: called by the suite. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { before, describe, it } from 'node:test';
import type { Email } from '../../src/core/email.ts';
import { saidInOldRow } from '../../src/core/reply.ts';
import { createIdSource } from '../../src/core/token.ts';
import { ensureAccount } from '../../src/store/accounts.ts';
import { findCount } from '../../src/store/counts.ts';
import type { Database } from '../../src/store/database.ts';
import { insertDelivery, never } from '../../src/store/mail/deliveries.ts';
import { insertEmails } from '../../src/store/mail/emails.ts';
import { appendEvent } from '../../src/store/mail/events.ts';
import { findCleared, listInbox } from '../../src/store/page/inbox.ts';
import { newestEmailId, newestEventId, newestEventIds } from '../../src/store/page/live.ts';
import { countOpenOf, findOldestDue, findRelaySigns } from '../../src/store/page/overview.ts';
import {
  accountsBehind,
  addFigures,
  findTotals,
  hourMs,
  idTimeMax,
  isCounted,
  listHours,
  rollAccepted,
  rollEvents,
} from '../../src/store/page/rollups.ts';
import { countTerms, indexEmails, indexStates, searchEmails } from '../../src/store/page/search-index.ts';
import { parseSearch } from '../../src/store/page/search-query.ts';
import { accountsToIndex, findUnnamed, indexSenders } from '../../src/store/page/sender-index.ts';
import { suppress } from '../../src/store/suppressions.ts';
import { createPurge } from '../../src/use-cases/purge.ts';
import { recount } from '../support/counts.ts';

const now = 1_800_000_000_000;
const hour = now / hourMs;
/** One each: ids of one source never go back in time. */
const idSources = new Map<string, (at: number) => string>();
const nextId = (account: string, at: number): string => {
  const source = idSources.get(account) ?? createIdSource(randomBytes);
  idSources.set(account, source);
  return source(at);
};
const step = { until: idTimeMax, limit: 2 };

export function describePageIndex(db: () => Database): void {
  async function add(account: string, at: number, change: Partial<Email> = {}): Promise<string> {
    const email: Email = {
      account,
      id: nextId(account, at),
      messageId: '<m@example.com>',
      createdAt: at,
      from: 'acme@example.com',
      to: ['Ann <ann@example.com>'],
      cc: [],
      bcc: [],
      replyTo: [],
      subject: 'Your invoice',
      html: null,
      text: 'hello',
      madeText: null,
      headers: [],
      tags: [],
      topicId: null,
      attachments: [],
      scheduledText: null,
      scheduledAt: null,
      ...change,
    };
    await db().write(async (tx) => {
      await ensureAccount(tx, account, now);
      await insertEmails(tx, [email], { facade: 'resend', keyHash: null });
      const terms = { runAt: at, giveUpAt: at + 1, policy: null, state: 'queued' as const };
      await insertDelivery(tx, { ...terms, account, emailId: email.id, part: 0, recipients: email.to });
    });
    return email.id;
  }

  async function until(work: () => Promise<boolean | number>): Promise<void> {
    for (;;) {
      const more = await work();
      if (more === false || more === 0) return;
    }
  }

  async function countAll(account: string): Promise<void> {
    await until(() => db().write((tx) => rollAccepted(tx, account, step)));
    await until(() => db().write((tx) => rollEvents(tx, step)));
  }

  describe('figures of the page', () => {
    it('count each recipient in its hour once, however many steps it takes and however often they are taken', async () => {
      const account = 'figures';
      await add(account, now, { to: ['a@example.com', 'b@example.com'] });
      await add(account, now + 1);
      await add(account, now + 2);
      const late = await add(account, now + 2 * hourMs);
      await db().write((tx) => appendEvent(tx, account, late, 'sent', now + 3 * hourMs, { recipients: ['x', 'y'] }));
      assert.equal(await isCounted(db(), account), false);
      assert.ok((await accountsBehind(db(), 'accepted')).includes(account));
      await countAll(account);
      await countAll(account);
      const hours = await listHours(db(), account, 0);
      assert.deepEqual(
        hours.map((one) => [one.hour - hour, one.accepted, one.sent]),
        [
          [0, 4, 0],
          [2, 1, 0],
          [3, 0, 2],
        ],
      );
      const totals = await findTotals(db(), account);
      assert.deepEqual([totals.accepted, totals.sent, totals.bounced], [5, 2, 0]);
      assert.equal(await isCounted(db(), account), true);
      assert.equal((await accountsBehind(db(), 'accepted')).includes(account), false);
    });

    it('wait with what is newer than they may be sure of', async () => {
      const account = 'figures-later';
      await add(account, now);
      await add(account, now + 10);
      await db().write((tx) => rollAccepted(tx, account, { until: now + 10, limit: 100 }));
      assert.equal((await findTotals(db(), account)).accepted, 1);
      await countAll(account);
      assert.equal((await findTotals(db(), account)).accepted, 2);
    });

    it('undone with the transaction they are written in, are not lost', async () => {
      const account = 'figures-undone';
      await add(account, now);
      const failing = db().write(async (tx) => {
        await rollAccepted(tx, account, step);
        throw new Error('undone');
      });
      await assert.rejects(failing, /undone/);
      assert.equal((await findTotals(db(), account)).accepted, 0);
      await countAll(account);
      assert.equal((await findTotals(db(), account)).accepted, 1);
    });

    it('of keys are added to the same hour', async () => {
      const account = 'figures-keys';
      await db().write((tx) => addFigures(tx, account, hour, { replays: 2 }));
      await db().write((tx) => addFigures(tx, account, hour, { replays: 1, conflicts: 4 }));
      const totals = await findTotals(db(), account);
      assert.deepEqual([totals.replays, totals.conflicts, totals.accepted], [3, 4, 0]);
    });
  });

  describe('the search', () => {
    const account = 'search';
    const ids: string[] = [];
    const search = async (text: string, page = { after: null as string | null, limit: 10 }, of = account) => {
      const wanted = parseSearch(text);
      assert.equal(wanted?.kind, 'terms');
      const found = await searchEmails(db(), of, wanted?.kind === 'terms' ? wanted.conditions : [], page);
      return { ...found, emails: found.ids.map((id) => ids.indexOf(id)) };
    };

    async function indexAll(of: string): Promise<void> {
      await until(() => db().write((tx) => indexEmails(tx, of, step)));
      await until(() => db().write((tx) => indexStates(tx, step)));
    }

    before(async () => {
      ids.push(await add(account, now, { to: ['Ann <ann@example.com>'], subject: 'Your invoice for May' }));
      ids.push(await add(account, now, { to: ['anna@example.com'], subject: 'Your invoice for June' }));
      ids.push(await add(account, now, { to: ['bob@example.com'], cc: ['ANN@example.com'], subject: 'Über uns' }));
      ids.push(await add(account, now, { to: ['c@example.com'], tags: [{ name: 'Kind', value: 'welcome' }] }));
      await add('search-stranger', now, { to: ['ann@example.com'] });
      await db().write((tx) => appendEvent(tx, account, ids[0] ?? '', 'sent', now, {}));
      await db().write((tx) => appendEvent(tx, account, ids[0] ?? '', 'delivered', now, {}));
      await db().write((tx) => appendEvent(tx, account, ids[1] ?? '', 'bounced', now, {}));
      await indexAll(account);
      await indexAll('search-stranger');
    });

    it('finds recipients by their whole address or its beginning, newest first', async () => {
      assert.deepEqual((await search('ann@example.com')).emails, [2, 0]);
      assert.deepEqual((await search('"ann@example.com"')).emails, [2, 0]);
      assert.deepEqual((await search('ann')).emails, [2, 1, 0]);
      assert.deepEqual((await search('to:anna')).emails, [1]);
      assert.deepEqual((await search('"ann"')).emails, []);
    });

    it('finds words of the subject, in any script and case, and all that are typed', async () => {
      assert.deepEqual((await search('INVOICE')).emails, [3, 1, 0]);
      assert.deepEqual((await search('invoice june')).emails, [1]);
      assert.deepEqual((await search('üb')).emails, [2]);
      assert.deepEqual((await search('invoice nothing')).emails, []);
    });

    it('finds senders and relays, of emails that an older version has indexed once they are gone through again', async () => {
      const of = 'search-senders';
      const older = await add(of, now, { from: 'Shop <Orders@shop.example>' });
      const newer = await add(of, now, { from: 'news@shop.example' });
      await db().write((tx) => appendEvent(tx, of, newer, 'sent', now, { relay: 'Main' }));
      await indexAll(of);
      const found = async (text: string) => (await search(text, undefined, of)).ids;
      assert.deepEqual(await found('from:orders@shop'), [older]);
      assert.deepEqual(await found('via:main'), [newer]);
      assert.deepEqual(await countTerms(db(), of, 'from:'), [
        { name: 'news@shop.example', emails: 1 },
        { name: 'orders@shop.example', emails: 1 },
      ]);
      assert.deepEqual([await findUnnamed(db(), of), (await accountsToIndex(db())).includes(of)], [null, false]);

      // As the migration leaves it behind an older version's index, which had no such terms.
      await db().write(async (tx) => {
        await tx.run('delete from search_terms where account = ?', of);
        await tx.run('insert into cursors (name, position) values (?, ?)', `senders ${of}`, newer);
      });
      assert.deepEqual([await found('from:orders@'), await findUnnamed(db(), of)], [[], newer]);
      assert.ok((await accountsToIndex(db())).includes(of));
      assert.equal(await db().write((tx) => indexSenders(tx, of, 1)), true);
      assert.deepEqual(
        [[...(await found('from:news')), ...(await found('from:orders'))], await findUnnamed(db(), of)],
        [[newer], older],
        'the newest first',
      );
      await until(() => db().write((tx) => indexSenders(tx, of, 1)));
      assert.deepEqual([await found('from:orders@shop'), await findUnnamed(db(), of)], [[older], null]);
    });

    it('finds tags and states', async () => {
      assert.deepEqual((await search('tag:kind=welcome')).emails, [3]);
      assert.deepEqual((await search('tag:kind')).emails, [3]);
      assert.deepEqual((await search('tag:kind=bye')).emails, []);
      assert.deepEqual((await search('is:queued')).emails, [3, 2]);
      assert.deepEqual((await search('is:delivered')).emails, [0]);
      assert.deepEqual((await search('is:sent')).emails, []);
      assert.deepEqual((await search('is:bounced ann')).emails, [1]);
    });

    it('holds emails only, whatever else facts are about', async () => {
      const of = 'search-suppressions';
      const suppression = { account: of, address: 'a@x.test', origin: 'manual' as const, sourceId: null, reply: null };
      await db().write((tx) => suppress(tx, { ...suppression, createdAt: now }));
      await indexAll(of);
      assert.deepEqual(await db().all('select email_id from search_terms where account = ?', of), []);
    });

    it('follows an email into its next state', async () => {
      const of = 'search-moving';
      const id = await add(of, now);
      await indexAll(of);
      assert.deepEqual((await search('is:queued', undefined, of)).ids, [id]);
      await db().write((tx) => appendEvent(tx, of, id, 'canceled', now, {}));
      await indexAll(of);
      assert.deepEqual((await search('is:queued', undefined, of)).ids, []);
      assert.deepEqual((await search('is:canceled', undefined, of)).ids, [id]);
    });

    it('goes on where a page ended', async () => {
      const first = await search('example invoice your', { after: null, limit: 2 });
      assert.deepEqual([first.emails, first.next], [[], null]);
      const one = await search('invoice', { after: null, limit: 2 });
      assert.deepEqual([one.emails, one.next], [[3, 1], ids[1]]);
      const two = await search('invoice', { after: one.next, limit: 2 });
      assert.deepEqual([two.emails, two.next], [[0], null]);
    });

    it('shows nobody another account’s', async () => {
      assert.equal((await search('ann@example.com', undefined, 'search-stranger')).ids.length, 1);
      assert.equal((await search('ann@example.com', undefined, 'search-nobody')).ids.length, 0);
    });

    it('says when a beginning stands for too much', async () => {
      const of = 'search-wide';
      const to = Array.from({ length: 60 }, (_, index) => `wide${index}@example.com`);
      await add(of, now, { to });
      await indexAll(of);
      assert.equal((await search('wide', undefined, of)).isTooWide, true);
      assert.equal((await search('wide1', undefined, of)).isTooWide, false);
    });
  });

  describe('what the page shows of now', () => {
    const account = 'page-now';
    let ids: string[] = [];

    before(async () => {
      ids = [await add(account, now), await add(account, now + 1), await add(account, now + 2)];
      await db().write(async (tx) => {
        await tx.run(
          "update deliveries set state = 'delivered' where account = ? and email_id = ?",
          account,
          ids[0] ?? '',
        );
        await tx.run(
          "update deliveries set state = 'in_doubt', run_at = ? where account = ? and email_id = ?",
          never,
          account,
          ids[1] ?? '',
        );
        await tx.run(
          "update deliveries set failures = 2, reply = 'refused', run_at = ? where account = ? and email_id = ?",
          now + 5,
          account,
          ids[2] ?? '',
        );
        await appendEvent(tx, account, ids[0] ?? '', 'delivered', now + 3, {});
        await recount(tx);
      });
    });

    it('is what is open, what is due, and how the relay has been answering', async () => {
      const open = await countOpenOf(db(), account);
      assert.deepEqual(open, { queued: 1, underWay: 0, inDoubt: 1 });
      const doubts = [await findCount(db(), account, 'in_doubt'), await findCount(db(), 'page-nobody', 'in_doubt')];
      assert.deepEqual(doubts, [1, 0]);
      assert.equal(await findOldestDue(db(), account), now + 5);
      assert.equal(await findOldestDue(db(), 'page-nobody'), null);
      assert.deepEqual(await findRelaySigns(db(), account), {
        takenAt: now + 3,
        trouble: { reply: 'refused', said: saidInOldRow('refused'), isAnswered: false, times: 2, nextAt: now + 5 },
      });
      assert.deepEqual(await findRelaySigns(db(), 'page-nobody'), { takenAt: null, trouble: null });
    });

    it('is told apart from what was there before', async () => {
      const last = await newestEventId(db());
      assert.equal((await newestEventIds(db(), last)).size, 0);
      await db().write((tx) => appendEvent(tx, account, ids[0] ?? '', 'complained', now + 4, {}));
      assert.deepEqual([...(await newestEventIds(db(), last)).keys()], [account]);
      assert.equal(await newestEmailId(db(), account), ids[2]);
      assert.equal(await newestEmailId(db(), 'page-nobody'), '');
    });

    it('loses its contents when the inbox is cleared, but for what is still open', async () => {
      const page = { after: null, oldest: '', limit: 10 };
      assert.deepEqual(await listInbox(db(), account, page), [...ids].reverse());
      const clear = (at: number) => createPurge(db(), { now: () => at, expiryNow: () => at }).inbox(account);
      await clear(now + 9);
      const oldest = await findCleared(db(), account);
      assert.deepEqual(await listInbox(db(), account, { ...page, oldest }), [ids[2], ids[1]]);
      await db().write((tx) => tx.run("update deliveries set state = 'sent' where account = ?", account));
      await clear(now + 10);
      assert.deepEqual(await listInbox(db(), account, { ...page, oldest: await findCleared(db(), account) }), []);
      const later = await add(account, now + 11);
      assert.deepEqual(await listInbox(db(), account, { ...page, oldest: await findCleared(db(), account) }), [later]);
    });
  });
}
