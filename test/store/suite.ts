/** What every engine must do: run against each of them with a fresh, migrated database. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import type { Email } from '../../src/core/email.ts';
import { noReply, ownWords } from '../../src/core/reply.ts';
import { createIdSource } from '../../src/core/token.ts';
import { ensureAccount } from '../../src/store/accounts.ts';
import type { Database } from '../../src/store/database.ts';
import {
  deleteExpiredKeys,
  findKey,
  findKeyHistory,
  type KeyRecord,
  recordUses,
  takeKey,
} from '../../src/store/idempotency.ts';
import { cancelDeliveries, rescheduleDeliveries } from '../../src/store/mail/amend.ts';
import { accountsWithDue, claimDue, handBack } from '../../src/store/mail/claim.ts';
import { type Delivery, insertDelivery, never } from '../../src/store/mail/deliveries.ts';
import { answerDoubt } from '../../src/store/mail/doubt.ts';
import { findEmail, findEmailSummary, insertEmails, listEmails } from '../../src/store/mail/emails.ts';
import { listEvents } from '../../src/store/mail/events.ts';
import { countOpen, listOpen } from '../../src/store/mail/open.ts';
import { purgeContents } from '../../src/store/mail/purge.ts';
import { recover, requeueExpiredClaims, sendAgainDue } from '../../src/store/mail/recover.ts';
import {
  openGate,
  settleInDoubt,
  settlePutOff,
  settleRefused,
  settleRejected,
  settleTaken,
  settleUnreached,
} from '../../src/store/mail/settle.ts';
import { migrate } from '../../src/store/migrate.ts';
import { replyOf } from '../support/reply.ts';
import { describeBrevo } from './suite-brevo.ts';
import { describeHolds } from './suite-holds.ts';
import { describePageIndex } from './suite-page-index.ts';
import { describeReports } from './suite-reports.ts';
import { describeSuppressions } from './suite-suppressions.ts';
import { describeTemplates } from './suite-templates.ts';
import { describeTries } from './suite-tries.ts';
import { describeUndo } from './suite-undo.ts';
import { describeWebhooks } from './suite-webhooks.ts';
import { describeWrites } from './suite-writes.ts';

export type OpenForTest = () => Promise<{ database: Database; remove: () => Promise<void> }>;

const nextId = createIdSource(randomBytes);
const now = 1_800_000_000_000;
const leaseMs = 60_000;
const hash = (text: string) => new Uint8Array(32).map((_, index) => text.charCodeAt(index % text.length) + index);

export function describeStore(engine: string, open: OpenForTest): void {
  describe(`store on ${engine}`, () => {
    let database: Database;
    let remove: () => Promise<void>;

    before(async () => {
      ({ database, remove } = await open());
      await migrate(database);
    });
    after(async () => {
      await database.close();
      await remove();
    });

    describeWrites(() => database);
    describeKeys(() => database);
    describeEmails(() => database);
    describeClaims(() => database);
    describeGate(() => database);
    describeVerdicts(() => database);
    describeDoubt(() => database);
    describeAmendments(() => database);
    describeUndo(() => database, { claim, queuedAndClaimed });
    describePageIndex(() => database);
    describeSuppressions(() => database);
    describeTemplates(() => database);
    describeBrevo(() => database);
    describeReports(() => database);
    describeWebhooks(() => database);
    // The last: it holds whatever is open.
    describeHolds(() => database, { claim, gate, queuedAndClaimed });
    describeTries(() => database, { claim, gate, queuedAndClaimed });
  });
}

function keyRecord(change: Partial<KeyRecord> = {}): KeyRecord {
  return {
    account: 'default',
    keyHash: hash(nextId(now)),
    scope: 'resend POST /emails',
    rawHash: hash('raw'),
    canonicalHash: null,
    status: 200,
    body: '{"id":"1"}',
    emailIds: ['1'],
    createdAt: now,
    expiresAt: now + 1_000,
    ...change,
  };
}

function describeKeys(db: () => Database): void {
  const take = (record: KeyRecord, at: number) => db().write((tx) => takeKey(tx, record, at));

  describe('idempotency keys', () => {
    it('are taken once while they live', async () => {
      const record = keyRecord();
      assert.equal(await take(record, now), true);
      assert.equal(await take({ ...record, body: 'other' }, now + 999), false);
      assert.equal((await findKey(db(), 'default', record.keyHash))?.body, record.body);
    });

    it('are free again from the very millisecond they expire, collected or not', async () => {
      const record = keyRecord();
      await take(record, now);
      assert.equal(await take({ ...record, body: 'second', expiresAt: now + 5_000 }, now + 1_000), true);
      assert.equal((await findKey(db(), 'default', record.keyHash))?.body, 'second');
    });

    it('of one account do not touch those of another', async () => {
      const record = keyRecord();
      assert.equal(await take(record, now), true);
      assert.equal(await take({ ...record, account: 'other' }, now), true);
      assert.equal(await findKey(db(), 'third', record.keyHash), null);
    });

    it('are taken by one of many that try at once', async () => {
      const record = keyRecord();
      const taken = await Promise.all(Array.from({ length: 20 }, () => take(record, now)));
      assert.equal(taken.filter(Boolean).length, 1);
    });

    it('count their uses, keeping the last twenty in detail', async () => {
      const record = keyRecord();
      await take(record, now);
      const uses = Array.from({ length: 15 }, (_, index) => ({
        at: now + index,
        kind: 'replay' as const,
        client: null,
        fields: [],
      }));
      for (let time = 0; time < 2; time += 1) {
        await db().write((tx) => recordUses(tx, 'default', record.keyHash, { replays: 15, conflicts: 1, uses }));
      }
      const found = await findKeyHistory(db(), 'default', record.keyHash);
      assert.equal(found?.replays, 30);
      assert.equal(found?.conflicts, 2);
      assert.equal(found?.uses.length, 20);
      assert.equal(found?.lastReplayAt, now + 14);
    });

    it('are deleted in bounded steps, expired ones only', async () => {
      await db().write((tx) => tx.run('delete from idempotency_keys'));
      const old = await Promise.all(
        Array.from({ length: 5 }, async () => {
          const record = keyRecord({ expiresAt: now - 1 });
          await take(record, now - 10);
          return record;
        }),
      );
      const live = keyRecord();
      await take(live, now);
      assert.equal(await db().write((tx) => deleteExpiredKeys(tx, now, 3)), 3);
      assert.equal(await db().write((tx) => deleteExpiredKeys(tx, now, 3)), 2);
      assert.equal(await db().write((tx) => deleteExpiredKeys(tx, now, 3)), 0);
      assert.ok(await findKey(db(), 'default', live.keyHash));
      assert.equal(await findKey(db(), 'default', old[0]?.keyHash ?? hash('x')), null);
    });
  });
}

function email(change: Partial<Email> = {}): Email {
  const id = nextId(now);
  return {
    account: 'default',
    id,
    messageId: `<${id}@acme.test>`,
    createdAt: now,
    from: 'Acme <a@acme.test>',
    to: ['Bob <b@example.com>'],
    cc: [],
    bcc: ['c@example.com'],
    replyTo: [],
    subject: 'Grüße \u0000?'.replace('\u0000', ''),
    html: '<p>hi</p>',
    text: null,
    madeText: 'hi',
    headers: [['X-One', '1']],
    tags: [{ name: 'a', value: 'b' }],
    topicId: null,
    attachments: [
      {
        filename: 'a.bin',
        contentType: 'application/octet-stream',
        contentId: null,
        content: new Uint8Array([0, 255, 13, 10]),
        path: null,
      },
    ],
    scheduledText: null,
    scheduledAt: null,
    ...change,
  };
}

function describeEmails(db: () => Database): void {
  const insert = (one: Email) => db().write((tx) => insertEmails(tx, [one], { facade: 'resend', keyHash: null }));

  describe('emails', () => {
    it('come back as they were accepted', async () => {
      const one = email();
      await insert(one);
      const found = await findEmail(db(), 'default', one.id);
      assert.ok(found);
      assert.deepEqual({ ...one, attachments: [] }, { ...pick(found, one), attachments: [] });
      assert.deepEqual([...(found.attachments[0]?.content ?? [])], [0, 255, 13, 10]);
      assert.equal(found.lastEvent, 'queued');
    });

    it('are not there for another account', async () => {
      const one = email();
      await insert(one);
      assert.equal(await findEmail(db(), 'other', one.id), null);
      assert.equal(await findEmailSummary(db(), 'other', one.id), null);
    });

    it('are listed newest first, in pages that neither repeat nor skip', async () => {
      const account = 'pages';
      const made = [];
      for (let count = 0; count < 7; count += 1) {
        const one = email({ account });
        await insert(one);
        made.unshift(one.id);
      }
      const seen: string[] = [];
      let after: string | null = null;
      for (;;) {
        const page = await listEmails(db(), account, { limit: 3, after, before: null });
        seen.push(...page.emails.map((one) => one.id));
        after = seen.at(-1) ?? null;
        if (!page.hasMore) break;
      }
      assert.deepEqual(seen, made);
      const back = await listEmails(db(), account, { limit: 2, after: null, before: made[3] ?? '' });
      assert.deepEqual(
        back.emails.map((one) => one.id),
        made.slice(1, 3),
      );
      assert.equal(back.hasMore, true);
    });

    it('lose their contents to the purge only once every delivery is settled', async () => {
      const account = 'purge';
      const open = email({ account, createdAt: now - 10_000 });
      const done = email({ account, createdAt: now - 10_000 });
      for (const one of [open, done]) await queue(db(), one);
      const [claimed] = await claim(db(), account, 1);
      assert.ok(claimed);
      await gate(db(), claimed);
      await db().write((tx) => settleTaken(tx, claimed, { state: 'sent', reply: replyOf('250 ok'), now }));
      const purged = await db().write((tx) => purgeContents(tx, now, now, 100));
      assert.equal(purged, 1);
      const kept = await findEmail(db(), account, claimed.emailId);
      assert.deepEqual([kept?.purged, kept?.html, kept?.attachments.length], [true, null, 0]);
      assert.equal(kept?.lastEvent, 'sent');
      const other = claimed.emailId === open.id ? done : open;
      assert.equal((await findEmail(db(), account, other.id))?.purged, false);
    });
  });
}

function pick(found: Email, like: Email): Email {
  return Object.fromEntries(Object.keys(like).map((name) => [name, found[name as keyof Email]])) as Email;
}

/** Stores an email with one queued delivery. */
async function queue(db: Database, one: Email, change: { runAt?: number; recipients?: string[] } = {}): Promise<void> {
  await db.write(async (tx) => {
    await ensureAccount(tx, one.account, now);
    await insertEmails(tx, [one], { facade: 'resend', keyHash: null });
    await insertDelivery(tx, {
      account: one.account,
      emailId: one.id,
      part: 0,
      state: 'queued',
      recipients: change.recipients ?? ['b@example.com', 'c@example.com'],
      runAt: change.runAt ?? now,
      giveUpAt: now + 100_000,
      policy: null,
    });
  });
}

function claim(db: Database, account: string, limit: number, at = now): Promise<Delivery[]> {
  return db.write((tx) => claimDue(tx, account, 'worker', { now: at, leaseMs, limit }));
}

async function queuedAndClaimed(db: Database, account: string): Promise<Delivery> {
  await queue(db, email({ account }));
  const [delivery] = await claim(db, account, 1);
  assert.ok(delivery, 'a due delivery is claimed');
  return delivery;
}

function gate(db: Database, delivery: Delivery, accepted = delivery.recipients): Promise<boolean> {
  const reply = { accepted, refused: [] };
  return db.write((tx) => openGate(tx, delivery, reply, { now, contentHash: hash('c'), retryAt: now }));
}

async function stateOf(db: Database, delivery: { account: string; emailId: string; part: number }): Promise<string> {
  const [row] = await db.all<{ state: string }>(
    'select state from deliveries where account = ? and email_id = ? and part = ?',
    delivery.account,
    delivery.emailId,
    delivery.part,
  );
  return row?.state ?? 'none';
}

async function eventTypes(db: Database, delivery: { account: string; emailId: string }): Promise<string[]> {
  return (await listEvents(db, delivery.account, delivery.emailId)).map((one) => one.type);
}

function describeClaims(db: () => Database): void {
  describe('claims', () => {
    it('take what is due, oldest first, and never the same twice', async () => {
      const account = 'claims';
      const late = email({ account });
      const early = email({ account });
      const future = email({ account });
      await queue(db(), late, { runAt: now - 1 });
      await queue(db(), early, { runAt: now - 2 });
      await queue(db(), future, { runAt: now + 1 });
      assert.deepEqual(await accountsWithDue(db(), now - 3), []);
      assert.deepEqual(await accountsWithDue(db(), now), [account, ...(await othersDue(db(), account))].sort());
      const first = await claim(db(), account, 1);
      const second = await claim(db(), account, 5);
      assert.deepEqual(
        [...first, ...second].map((one) => one.emailId),
        [early.id, late.id],
      );
      assert.deepEqual(await claim(db(), account, 5), []);
    });

    it('go to one of many workers that claim at once', async () => {
      const account = 'race';
      for (let count = 0; count < 10; count += 1) await queue(db(), email({ account }));
      const claimed = (await Promise.all(Array.from({ length: 8 }, () => claim(db(), account, 3)))).flat();
      assert.equal(claimed.length, 10);
      assert.equal(new Set(claimed.map((one) => one.emailId)).size, 10);
    });

    it('handed back unstarted are due at once', async () => {
      const delivery = await queuedAndClaimed(db(), 'handed-back');
      await db().write((tx) => handBack(tx, delivery, now));
      const [again] = await claim(db(), 'handed-back', 1);
      assert.equal(again?.attempt, delivery.attempt + 1);
      assert.equal(await gate(db(), delivery), false, 'the former claim is fenced');
    });

    it('whose lease ran out are due again, and their worker is fenced', async () => {
      const delivery = await queuedAndClaimed(db(), 'lease');
      assert.equal((await db().write((tx) => requeueExpiredClaims(tx, now + leaseMs - 1, 100))).length, 0);
      const expired = await db().write((tx) => requeueExpiredClaims(tx, now + leaseMs, 100));
      assert.ok(expired.some((ref) => ref.emailId === delivery.emailId));
      assert.equal(await gate(db(), delivery), false);
      assert.equal((await claim(db(), 'lease', 1, now + leaseMs)).length, 1);
    });
  });
}

async function othersDue(db: Database, account: string): Promise<string[]> {
  return (await accountsWithDue(db, now)).filter((one) => one !== account);
}

function describeGate(db: () => Database): void {
  describe('the gate', () => {
    it('opens once for one attempt', async () => {
      const delivery = await queuedAndClaimed(db(), 'gate');
      assert.equal(await gate(db(), delivery), true);
      assert.equal(await gate(db(), delivery), false);
    });

    it('stays shut for a delivery that was canceled', async () => {
      const delivery = await queuedAndClaimed(db(), 'gate-cancel');
      assert.equal(await db().write((tx) => cancelDeliveries(tx, delivery, now)), true);
      assert.equal(await gate(db(), delivery), false);
      assert.deepEqual(await eventTypes(db(), delivery), ['canceled']);
    });

    it('lets nobody cancel afterwards', async () => {
      const delivery = await queuedAndClaimed(db(), 'gate-late-cancel');
      await gate(db(), delivery);
      assert.equal(await db().write((tx) => cancelDeliveries(tx, delivery, now)), false);
    });

    it('bounces refused recipients and moves deferred ones to a delivery of their own', async () => {
      const account = 'gate-split';
      const one = email({ account });
      await queue(db(), one, { recipients: ['ok@x.test', 'no@x.test', 'later@x.test'] });
      const [delivery] = await claim(db(), account, 1);
      assert.ok(delivery);
      const reply = {
        accepted: ['ok@x.test'],
        refused: [
          { address: 'no@x.test', reply: replyOf('550 5.1.1 no such user') },
          { address: 'later@x.test', reply: replyOf('450 busy') },
        ],
      };
      const terms = { now, contentHash: hash('c'), retryAt: now + 5 };
      assert.equal(await db().write((tx) => openGate(tx, delivery, reply, terms)), true);
      const parts = [0, 1, 2].map((part) => stateOf(db(), { account, emailId: one.id, part }));
      assert.deepEqual(await Promise.all(parts), ['handoff', 'bounced', 'queued']);
      assert.deepEqual(await eventTypes(db(), delivery), ['bounced', 'delivery_delayed']);
      const [retry] = await claim(db(), account, 5, now + 5);
      assert.deepEqual([retry?.part, retry?.recipients, retry?.tries], [2, ['later@x.test'], 1]);
    });
  });
}

function describeVerdicts(db: () => Database): void {
  const verdict = (delivery: Delivery, state: 'sent' | 'delivered' | 'bounced') =>
    db().write((tx) =>
      state === 'bounced'
        ? settleRejected(tx, delivery, { reply: replyOf('550 no'), now })
        : settleTaken(tx, delivery, { state, reply: replyOf('250 ok'), now }),
    );

  describe('verdicts', () => {
    for (const state of ['sent', 'delivered', 'bounced'] as const) {
      it(`of ${state} settle the hand-off they belong to, once`, async () => {
        const delivery = await queuedAndClaimed(db(), `verdict-${state}`);
        await gate(db(), delivery);
        assert.equal(await verdict(delivery, state), true);
        assert.equal(await verdict(delivery, state), false);
        assert.equal(await stateOf(db(), delivery), state);
        const expected = state === 'delivered' ? ['sent', 'delivered'] : [state];
        assert.deepEqual(await eventTypes(db(), delivery), expected);
      });
    }

    it('do not settle a delivery whose gate never opened', async () => {
      const delivery = await queuedAndClaimed(db(), 'verdict-ungated');
      assert.equal(await verdict(delivery, 'sent'), false);
      assert.equal(await stateOf(db(), delivery), 'sending');
    });

    it('of 4yz queue the same delivery again, and bounce it once it is too old', async () => {
      const delivery = await queuedAndClaimed(db(), 'verdict-deferred');
      await gate(db(), delivery);
      const terms = { reply: replyOf('451 later'), now, retryAt: now + 10 };
      assert.equal(await db().write((tx) => settlePutOff(tx, delivery, terms)), true);
      const [again] = await claim(db(), delivery.account, 1, now + 10);
      assert.deepEqual([again?.attempt, again?.tries], [delivery.attempt + 2, 1]);
      assert.ok(again);
      await gate(db(), again);
      const tooLate = { reply: replyOf('451 later'), now, retryAt: again.giveUpAt + 1 };
      await db().write((tx) => settlePutOff(tx, again, tooLate));
      assert.equal(await stateOf(db(), delivery), 'bounced');
    });

    it('that come late settle a delivery in doubt', async () => {
      const delivery = await queuedAndClaimed(db(), 'late-doubt');
      await gate(db(), delivery);
      await db().write((tx) => recover(tx, { now, policy: 'hold', limit: 100, deadBefore: never }));
      assert.equal(await stateOf(db(), delivery), 'in_doubt');
      assert.equal(await verdict(delivery, 'sent'), true);
      assert.equal(await stateOf(db(), delivery), 'sent');
    });

    it('that come late stop a later attempt that has not passed its gate', async () => {
      const delivery = await queuedAndClaimed(db(), 'late-stops');
      await gate(db(), delivery);
      await doubtAndSendAgain(db(), delivery);
      const [second] = await claim(db(), delivery.account, 1);
      assert.ok(second);
      assert.equal(await verdict(delivery, 'sent'), true);
      assert.equal(await gate(db(), second), false);
      assert.equal(await stateOf(db(), delivery), 'sent');
    });

    it('that come after a later attempt passed its gate settle nothing', async () => {
      const delivery = await queuedAndClaimed(db(), 'too-late');
      await gate(db(), delivery);
      await doubtAndSendAgain(db(), delivery);
      const [second] = await claim(db(), delivery.account, 1);
      assert.ok(second);
      assert.equal(await gate(db(), second), true);
      assert.equal(await verdict(delivery, 'bounced'), false);
      assert.equal(await verdict(second, 'sent'), true);
    });

    it('of an envelope refused whole keep whoever may be tried again and bounce the others', async () => {
      const delivery = await queuedAndClaimed(db(), 'refused');
      const [first = '', second = ''] = delivery.recipients;
      const refused = {
        refused: [
          { address: first, reply: replyOf('550 no') },
          { address: second, reply: replyOf('450 later') },
        ],
        isOneReply: false,
      };
      const terms = { now, retryAt: now + 10 };
      assert.equal(await db().write((tx) => settleRefused(tx, delivery, refused, terms)), true);
      assert.equal(await stateOf(db(), delivery), 'queued');
      assert.equal(await stateOf(db(), { ...delivery, part: 1 }), 'bounced');
      const [again] = await claim(db(), delivery.account, 1, now + 10);
      assert.deepEqual(again?.recipients, [second]);
    });

    it('that never came for want of a connection queue again without counting a try, one event for many', async () => {
      const delivery = await queuedAndClaimed(db(), 'unreached');
      const terms = { reply: noReply('refused'), now, retryAt: now };
      await db().write((tx) => settleUnreached(tx, delivery, terms));
      const [again] = await claim(db(), delivery.account, 1);
      assert.deepEqual([again?.tries, again?.failures], [0, 1]);
      assert.ok(again);
      await db().write((tx) => settleUnreached(tx, again, terms));
      assert.deepEqual(await eventTypes(db(), delivery), ['delivery_delayed']);
    });

    it('conserve recipients: what was accepted is what the states add up to', async () => {
      const [stored] = await db().all<{ count: number }>('select sum(recipient_count) as count from deliveries');
      const byState = await db().report<{ recipients: number }>(
        'select sum(recipient_count) as recipients from deliveries group by state',
      );
      const counted = byState.reduce((sum, one) => sum + one.recipients, 0);
      const [emails] = await db().all<{ count: number }>(
        'select count(distinct account || email_id) as count from deliveries',
      );
      assert.equal(counted, stored?.count);
      // Each email of this suite went to two recipients, but for the one split three ways.
      assert.equal(counted, (emails?.count ?? 0) * 2 + 1);
    });
  });
}

/** Puts a hand-off in doubt and has it sent again by the operator. */
async function doubtAndSendAgain(db: Database, delivery: Delivery): Promise<void> {
  const terms = { reason: ownWords('silence'), now, runAt: never };
  await db.write((tx) => settleInDoubt(tx, delivery, terms));
  assert.equal((await db.write((tx) => answerDoubt(tx, delivery, 'send-again', { now })))?.state, 'queued');
}

function describeDoubt(db: () => Database): void {
  const recoverWith = (policy: 'hold' | 'send-again') =>
    db().write((tx) => recover(tx, { now, policy, limit: 100, deadBefore: never }));
  const sendAgain = (at: number) => db().write((tx) => sendAgainDue(tx, at, 100));
  const minute = 60_000;

  describe('doubt', () => {
    it('is what a dead worker leaves behind its gate; before it, the claim is queued again', async () => {
      const gated = await queuedAndClaimed(db(), 'dead-gated');
      const claimed = await queuedAndClaimed(db(), 'dead-claimed');
      await gate(db(), gated);
      const recovered = await recoverWith('hold');
      assert.ok(recovered.inDoubt.some((ref) => ref.emailId === gated.emailId));
      assert.ok(recovered.requeued.some((ref) => ref.emailId === claimed.emailId));
      assert.deepEqual([await stateOf(db(), gated), await stateOf(db(), claimed)], ['in_doubt', 'queued']);
      const summary = await findEmailSummary(db(), gated.account, gated.emailId);
      assert.deepEqual([summary?.lastEvent, summary?.inDoubt], ['delivery_delayed', true]);
    });

    it('is held for ever under `hold`', async () => {
      const delivery = await queuedAndClaimed(db(), 'held');
      await gate(db(), delivery);
      await recoverWith('hold');
      await sendAgain(now + 365 * 24 * 60 * minute);
      assert.equal(await stateOf(db(), delivery), 'in_doubt');
    });

    it('is sent again under `send-again`, only after ten full minutes, and marked', async () => {
      const delivery = await queuedAndClaimed(db(), 'policy-again');
      await gate(db(), delivery);
      await recoverWith('send-again');
      await sendAgain(now + 10 * minute - 1);
      assert.equal(await stateOf(db(), delivery), 'in_doubt');
      await sendAgain(now + 10 * minute);
      const [again] = await claim(db(), delivery.account, 1, now + 10 * minute);
      assert.equal(again?.possibleDuplicate, true);
      assert.equal((again?.giveUpAt ?? 0) - delivery.giveUpAt, 10 * minute, 'time held does not count');
      const last = (await listEvents(db(), delivery.account, delivery.emailId)).at(-1);
      assert.deepEqual([last?.type, last?.detail.by], ['queued', 'policy'], 'who decided is in its history');
    });

    for (const [answer, state] of [
      ['sent', 'sent'],
      ['send-again', 'queued'],
      ['abandon', 'failed'],
    ] as const) {
      it(`answered "${answer}" becomes ${state}, once`, async () => {
        const delivery = await queuedAndClaimed(db(), `answer-${answer}`);
        await gate(db(), delivery);
        await recoverWith('hold');
        assert.equal((await db().write((tx) => answerDoubt(tx, delivery, answer, { now })))?.state, state);
        assert.equal(await db().write((tx) => answerDoubt(tx, delivery, answer, { now })), null);
        assert.equal(await stateOf(db(), delivery), state);
      });
    }

    it('is listed before everything else that is open', async () => {
      const open = await listOpen(db(), ['queued', 'in_doubt'], 1_000);
      const states = open.map((one) => one.state);
      assert.equal(states[0], 'in_doubt');
      assert.equal(states.lastIndexOf('in_doubt') < states.indexOf('queued'), true);
      const counts = await countOpen(db());
      assert.equal(counts.in_doubt, states.filter((state) => state === 'in_doubt').length);
      assert.equal(counts.queued, states.filter((state) => state === 'queued').length);
    });
  });
}

function describeAmendments(db: () => Database): void {
  const reschedule = (delivery: Delivery, runAt: number) =>
    db().write((tx) => rescheduleDeliveries(tx, delivery, { runAt, giveUpAt: runAt + 1, now }));

  describe('amendments', () => {
    it('move a delivery that was claimed, and fence its worker', async () => {
      const delivery = await queuedAndClaimed(db(), 'amend');
      assert.equal(await reschedule(delivery, now + 1_000), true);
      assert.equal(await gate(db(), delivery), false);
      assert.deepEqual(await claim(db(), 'amend', 1), []);
      assert.equal((await claim(db(), 'amend', 1, now + 1_000)).length, 1);
    });

    it('after a gate that sent no dot forget its bytes, which the new Date header changes', async () => {
      const delivery = await queuedAndClaimed(db(), 'amend-no-dot');
      await gate(db(), delivery);
      await db().write((tx) =>
        settleUnreached(tx, delivery, { reply: noReply('lost before the dot'), now, retryAt: now }),
      );
      assert.equal(await reschedule(delivery, now + 1_000), true);
      const [again] = await claim(db(), 'amend-no-dot', 1, now + 1_000);
      assert.equal(again?.boundTo, null);
    });

    it('come too late for what may have been delivered once', async () => {
      const delivery = await queuedAndClaimed(db(), 'amend-doubt');
      await gate(db(), delivery);
      await doubtAndSendAgain(db(), delivery);
      const [second] = await claim(db(), 'amend-doubt', 1);
      assert.ok(second);
      await db().write((tx) => settleUnreached(tx, second, { reply: noReply('away'), now, retryAt: now }));
      assert.equal(await reschedule(delivery, now + 1_000), false);
      assert.equal(await db().write((tx) => cancelDeliveries(tx, delivery, now)), false);
      const late = { state: 'sent' as const, reply: replyOf('250 at last'), now };
      assert.equal(
        await db().write((tx) => settleTaken(tx, delivery, late)),
        true,
        'the first dot may still be settled',
      );
    });

    it('cancel the recipients that wait although others have their mail, once', async () => {
      const account = 'amend-partly';
      const one = email({ account });
      await queue(db(), one, { recipients: ['ok@x.test', 'later@x.test'] });
      const [delivery] = await claim(db(), account, 1);
      assert.ok(delivery);
      const refused = [{ address: 'later@x.test', reply: replyOf('450 busy') }];
      const reply = { accepted: ['ok@x.test'], refused };
      const terms = { now, contentHash: hash('c'), retryAt: now + 5 };
      await db().write((tx) => openGate(tx, delivery, reply, terms));
      const cancel = () => db().write((tx) => cancelDeliveries(tx, { account, emailId: one.id }, now));
      assert.equal(await cancel(), true);
      assert.equal(await cancel(), false);
      await db().write((tx) => settleTaken(tx, delivery, { state: 'sent', reply: replyOf('250'), now }));
      assert.equal(await cancel(), false);
      assert.equal(await stateOf(db(), delivery), 'sent');
    });

    it('come too late after the gate and after a cancel', async () => {
      const gated = await queuedAndClaimed(db(), 'amend-gated');
      await gate(db(), gated);
      assert.equal(await reschedule(gated, now + 1_000), false);
      const canceled = await queuedAndClaimed(db(), 'amend-canceled');
      await db().write((tx) => cancelDeliveries(tx, canceled, now));
      assert.equal(await reschedule(canceled, now + 1_000), false);
      assert.equal(await stateOf(db(), canceled), 'canceled');
    });
  });
}
