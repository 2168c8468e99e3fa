/** What every engine must do about webhooks: called by the suite. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import type { EventType, Subject } from '../../src/core/event.ts';
import { createIdSource, uuidv7Floor } from '../../src/core/token.ts';
import { ensureAccount } from '../../src/store/accounts.ts';
import type { Database } from '../../src/store/database.ts';
import { appendEvent, type EventDetail, findFact, listEvents } from '../../src/store/mail/events.ts';
import {
  claimWebhookDeliveries,
  recoverWebhookDeliveries,
  replayWebhookDeliveries,
  replayWebhookDelivery,
  settleWebhookDelivery,
  unclaimWebhookDelivery,
  type WebhookDelivery,
} from '../../src/store/webhooks/deliveries.ts';
import { noteEndpoint } from '../../src/store/webhooks/endpoint.ts';
import { countWebhooks, forgetWebhookDeliveries } from '../../src/store/webhooks/history.ts';
import { findWebhookDelivery, listWebhookAttempts, listWebhookDeliveries } from '../../src/store/webhooks/views.ts';
import {
  deleteWebhook,
  findWebhook,
  insertWebhook,
  listWebhooks,
  rotateSecret,
  updateWebhook,
  type Webhook,
  webhooksWithDue,
} from '../../src/store/webhooks/webhooks.ts';
import { replyOf } from '../support/reply.ts';

const nextId = createIdSource(randomBytes);
const now = 1_800_000_000_000;
const leaseMs = 60_000;
const page = { limit: 10, after: null, before: null };

export function describeWebhooks(db: () => Database): void {
  async function webhook(
    account: string,
    subjects: Subject[],
    {
      facade = 'resend',
      perRecipient = false,
      most = 10,
    }: { facade?: string; perRecipient?: boolean; most?: number } = {},
  ): Promise<Webhook> {
    const wanted = {
      id: nextId(now),
      account,
      facade,
      url: 'https://x.test/',
      events: subjects,
      options: {},
      secret: 's',
    };
    const made = await db().write(async (tx) => {
      await ensureAccount(tx, account, now);
      return insertWebhook(tx, { ...wanted, subjects, perRecipient, createdAt: now }, most);
    });
    assert.ok(made);
    return made;
  }

  const happens = (account: string, emailId: string, type: EventType, detail: EventDetail = {}, at = now) =>
    db().write((tx) => appendEvent(tx, account, emailId, type, at, detail));

  const claim = (one: Webhook, limit = 10, at = now) =>
    db().write((tx) => claimWebhookDeliveries(tx, one, 'w', { now: at, leaseMs, limit }));

  const attempt = (failure: string | null) => ({
    at: now,
    tookMs: 5,
    status: failure ? 500 : 200,
    failure,
    response: 'r',
  });

  const settle = (delivery: WebhookDelivery, failure: string | null, retryAt: number | null = now + 5) =>
    db().write((tx) => settleWebhookDelivery(tx, delivery, attempt(failure), retryAt));

  const events = async (one: Webhook) => (await listWebhookDeliveries(db(), one, page)).deliveries;

  describe('webhooks', () => {
    it('are found by either name, listed, and counted against the most there may be', async () => {
      const account = 'wh-find';
      const one = await webhook(account, ['sent']);
      assert.deepEqual(await findWebhook(db(), account, 'resend', { id: one.id }), one);
      assert.deepEqual(await findWebhook(db(), account, 'resend', { number: one.number }), one);
      assert.equal(await findWebhook(db(), account, 'brevo', { id: one.id }), null);
      assert.equal(await findWebhook(db(), 'wh-other', 'resend', { id: one.id }), null);
      const wanted = { ...one, id: nextId(now), subjects: [], perRecipient: false, createdAt: now };
      assert.equal(await db().write((tx) => insertWebhook(tx, wanted, 1)), null);
      assert.deepEqual(await listWebhooks(db(), account, 'resend'), [one]);
    });

    it('are made once for each id, whoever asks for it', async () => {
      const account = 'wh-once';
      const wanted = {
        ...(await webhook('wh-first', ['sent'])),
        subjects: ['sent' as const],
        perRecipient: false,
        createdAt: now,
      };
      const own = { ...wanted, id: nextId(now), account };
      for (const name of [account, 'wh-thief']) await db().write((tx) => ensureAccount(tx, name, now));
      const make = (one: typeof wanted) => db().write((tx) => insertWebhook(tx, one, 1));
      const [first, second] = await Promise.all([make(own), make({ ...own, url: 'https://another.test/' })]);
      assert.deepEqual(second, first);
      assert.deepEqual(await listWebhooks(db(), account, 'resend'), [first]);
      await assert.rejects(make({ ...wanted, account: 'wh-thief' }), { code: 'already_exists' });
      assert.deepEqual(await listWebhooks(db(), 'wh-thief', 'resend'), []);
      assert.ok(first);
      await db().write((tx) => deleteWebhook(tx, first.number, now));
      await assert.rejects(make(own), { code: 'already_exists' });
    });

    it('are told what they subscribe to, of their own account, once', async () => {
      const account = 'wh-told';
      const one = await webhook(account, ['sent', 'hard_bounce']);
      const two = await webhook(account, ['bounced']);
      await happens(account, 'e1', 'sent');
      await happens('wh-told-not', 'e1', 'sent');
      await happens(account, 'e1', 'bounced', {
        recipients: ['a@x.test'],
        reply: '550 5.7.1 no',
        said: replyOf('550 5.7.1 no').said,
      });
      await happens(account, 'e1', 'bounced', {
        recipients: ['a@x.test'],
        reply: '450 4.2.1 given up',
        said: replyOf('450 4.2.1 given up').said,
      });
      const types = async (of: Webhook) => (await events(of)).map(({ type }) => type);
      assert.deepEqual(await types(one), ['bounced', 'sent']);
      assert.deepEqual(await types(two), ['bounced', 'bounced']);
    });

    it('and the event share one fate: where the work fails nobody is to be told', async () => {
      const account = 'wh-fate';
      const one = await webhook(account, ['sent']);
      const work = db().write(async (tx) => {
        await appendEvent(tx, account, 'e1', 'sent', now, {});
        throw new Error('after all not');
      });
      await assert.rejects(work, /after all not/);
      assert.deepEqual(await events(one), []);
      assert.deepEqual(await listEvents(db(), account, 'e1'), []);
    });

    it('of a facade that tells each recipient alone get a row for each', async () => {
      const account = 'wh-each';
      const one = await webhook(account, ['sent'], { perRecipient: true });
      const all = await webhook(account, ['sent']);
      await happens(account, 'e1', 'sent', { recipients: ['a@x.test', 'b@x.test', 'c@x.test'] });
      await happens(account, 'e2', 'sent', { recipients: ['a@x.test'] });
      const claimed = await claim(one);
      assert.deepEqual(
        claimed.map(({ emailId, position }) => [emailId, position]),
        [
          ['e1', 0],
          ['e1', 1],
          ['e1', 2],
          ['e2', 0],
        ],
      );
      assert.equal((await events(all)).length, 2);
    });

    it('hold an event that can be read back', async () => {
      const account = 'wh-event';
      const one = await webhook(account, ['sent']);
      await happens(account, 'e1', 'sent', { reply: '250 ok' });
      const [delivery] = await claim(one);
      assert.ok(delivery);
      const event = await findFact(db(), account, delivery.event);
      assert.deepEqual([event?.type, event && 'detail' in event && event.detail.reply], ['sent', '250 ok']);
      assert.equal(await findFact(db(), 'wh-other', delivery.event), null);
    });
  });

  describe('what a webhook is to be told', () => {
    it('is claimed once, and is due again when the lease is over', async () => {
      const one = await webhook('wh-claim', ['sent']);
      await happens('wh-claim', 'e1', 'sent');
      assert.deepEqual(
        (await webhooksWithDue(db(), now)).filter(({ number }) => number === one.number),
        [one],
      );
      const [first] = await claim(one);
      assert.ok(first);
      assert.deepEqual(await claim(one), []);
      const [second] = await claim(one, 10, now + leaseMs);
      assert.equal(second?.attempt, first.attempt + 1);
      assert.equal(second?.id, first.id);
      assert.equal(await settle(first, null), false, 'the late worker matches no row');
      assert.ok(second);
      assert.equal(await settle(second, null), true);
      assert.equal(await settle(second, null), false);
    });

    it('goes to one of many workers that claim at once', async () => {
      const one = await webhook('wh-race', ['sent']);
      for (let index = 0; index < 10; index += 1) await happens('wh-race', `e${index}`, 'sent');
      const claimed = (await Promise.all(Array.from({ length: 8 }, () => claim(one, 3)))).flat();
      assert.equal(new Set(claimed.map(({ emailId }) => emailId)).size, claimed.length);
      assert.equal(claimed.length, 10);
    });

    it('waits for the first attempt at what happened before to the same email, and for no other', async () => {
      const one = await webhook('wh-order', ['sent', 'delivered']);
      await happens('wh-order', 'e1', 'sent');
      await happens('wh-order', 'e1', 'delivered');
      await happens('wh-order', 'e2', 'sent');
      const first = await claim(one);
      assert.deepEqual(
        first.map(({ emailId }) => emailId),
        ['e1', 'e2'],
      );
      assert.deepEqual(await claim(one), []);
      const [sent] = first;
      assert.ok(sent);
      await settle(sent, 'timeout', now + 100);
      assert.deepEqual(
        (await claim(one)).map(({ emailId }) => emailId),
        ['e1'],
        'a failed attempt holds nobody back',
      );
    });

    it('is pending until its attempts are used up, and keeps a record of each', async () => {
      const one = await webhook('wh-tries', ['sent']);
      await happens('wh-tries', 'e1', 'sent');
      const [first] = await claim(one);
      assert.ok(first);
      await settle(first, 'bad_status', now + 5);
      assert.deepEqual(await claim(one, 10, now + 4), []);
      const [second] = await claim(one, 10, now + 5);
      assert.equal(second?.tries, 1);
      assert.ok(second);
      await settle(second, 'timeout', null);
      const view = await findWebhookDelivery(db(), one, first.id);
      assert.deepEqual([view?.state, view?.tries, view?.isUnderWay], ['failed', 2, false]);
      const attempts = await listWebhookAttempts(db(), second);
      assert.deepEqual(
        attempts.map(({ failure, status, tookMs }) => [failure, status, tookMs]),
        [
          ['bad_status', 500, 5],
          ['timeout', 500, 5],
        ],
      );
    });

    it('is told again on request, under the same id, from the first attempt on', async () => {
      const one = await webhook('wh-replay', ['sent']);
      for (const emailId of ['e1', 'e2', 'e3']) await happens('wh-replay', emailId, 'sent');
      const claimed = await claim(one);
      for (const delivery of claimed.slice(0, 2))
        await settle(delivery, delivery.emailId === 'e1' ? 'timeout' : null, null);
      const range = {
        from: uuidv7Floor(0),
        to: uuidv7Floor(now * 2),
        after: null,
        onlyFailed: true,
        limit: 10,
      };
      const all = (await events(one)).map(({ id }) => id);
      const failed = await db().write((tx) => replayWebhookDeliveries(tx, one, range, now));
      assert.deepEqual(failed, { replayed: 1, lastId: null });
      const over = await db().write((tx) =>
        replayWebhookDeliveries(tx, one, { ...range, onlyFailed: false, limit: 1 }, now),
      );
      assert.equal(over.replayed, 1);
      assert.deepEqual(
        (await claim(one)).map(({ emailId, tries }) => [emailId, tries]),
        [
          ['e1', 0],
          ['e2', 0],
        ],
      );
      assert.deepEqual(
        (await events(one)).map(({ id }) => id),
        all,
      );
      const [, , third] = claimed;
      assert.ok(third);
      assert.equal(await db().write((tx) => replayWebhookDelivery(tx, third, now)), true);
      const forgotten = { ...third, event: third.event + 1_000_000 };
      assert.equal(await db().write((tx) => replayWebhookDelivery(tx, forgotten, now)), false);
      assert.equal(await settle(third, null), false, 'who was at it is fenced');
    });

    it('that was claimed and not tried is given back, also by a process that died', async () => {
      const one = await webhook('wh-back', ['sent']);
      await happens('wh-back', 'e1', 'sent');
      const [first] = await claim(one);
      assert.ok(first);
      await db().write((tx) => unclaimWebhookDelivery(tx, first, now));
      const [second] = await claim(one);
      assert.ok(second);
      assert.ok((await db().write((tx) => recoverWebhookDeliveries(tx, now))) > 0);
      assert.equal((await claim(one)).length, 1);
      assert.equal(await settle(second, null), false);
    });
  });

  describe('an endpoint', () => {
    const note = (one: Webhook, well: boolean, at: number) =>
      db().write((tx) => noteEndpoint(tx, one, { well, now: at, patienceMs: 100 }));
    const find = async (one: Webhook) => findWebhook(db(), one.account, 'resend', { id: one.id });

    it('that fails for too long without a success is disabled, once', async () => {
      const one = await webhook('wh-dead', ['sent']);
      assert.equal(await note(one, false, now), false);
      assert.equal(await note(one, false, now + 99), false);
      const failing = await find(one);
      assert.equal(failing?.failingSince, now);
      await note(one, true, now + 99);
      assert.equal((await find(one))?.failingSince, now, 'a success that began before it failed');
      await note(failing, true, now + 99);
      assert.equal((await find(one))?.failingSince, null);
      assert.equal(await note(one, false, now + 100), false);
      assert.equal(await note(one, false, now + 200), true);
      assert.equal(await note(one, false, now + 201), false);
      assert.equal((await find(one))?.enabled, false);
    });

    it('that is gone is not changed, given another secret, nor told', async () => {
      const one = await webhook('wh-late', ['sent']);
      await db().write((tx) => deleteWebhook(tx, one.number, now));
      const events = { names: ['email.sent'], subjects: ['sent' as const], perRecipient: false };
      const terms = { now, previousUntil: now };
      const change = { events, enabled: true };
      assert.equal(await db().write((tx) => updateWebhook(tx, one.number, change, now)), null);
      assert.equal(await db().write((tx) => rotateSecret(tx, one.number, 'new', terms)), false);
      await happens('wh-late', 'e1', 'sent');
      assert.deepEqual(await db().all('select id from webhook_deliveries where webhook = ?', one.number), []);
    });

    it('that is disabled is told nothing new, but may have it told again; enabled it goes on', async () => {
      const one = await webhook('wh-off', ['sent']);
      await happens('wh-off', 'e1', 'sent');
      await db().write((tx) => updateWebhook(tx, one.number, { enabled: false }, now));
      await happens('wh-off', 'e2', 'sent');
      assert.deepEqual(
        (await webhooksWithDue(db(), now)).filter(({ number }) => number === one.number),
        [],
      );
      assert.deepEqual(
        (await events(one)).map(({ state }) => state),
        ['failed', 'pending'],
      );
      await db().write((tx) => updateWebhook(tx, one.number, { enabled: true }, now));
      await happens('wh-off', 'e3', 'sent');
      assert.deepEqual(
        (await claim(one)).map(({ emailId }) => emailId),
        ['e1', 'e3'],
      );
    });

    it('changes what it listens to, and its secret', async () => {
      const one = await webhook('wh-change', ['sent']);
      const change = {
        url: 'https://y.test/',
        events: { names: ['email.failed'], subjects: ['failed' as const], perRecipient: false },
      };
      await db().write((tx) => updateWebhook(tx, one.number, change, now + 1));
      await db().write((tx) => rotateSecret(tx, one.number, 'new', { now: now + 2, previousUntil: now + 3 }));
      await happens('wh-change', 'e1', 'sent');
      await happens('wh-change', 'e1', 'failed');
      assert.deepEqual(
        (await events(one)).map(({ type }) => type),
        ['failed'],
      );
      const found = await find(one);
      assert.deepEqual(
        [found?.url, found?.events, found?.secret, found?.previousSecret, found?.previousUntil, found?.modifiedAt],
        ['https://y.test/', ['email.failed'], 'new', 's', now + 3, now + 2],
      );
    });

    it('that was deleted hears nothing more, and is forgotten in steps, as is what is old', async () => {
      // Ids never go back in time: later than any that another test made.
      const then = now + 10_000_000_000;
      const gone = await webhook('wh-gone', ['sent']);
      const stays = await webhook('wh-stays', ['sent']);
      for (const [emailId, at] of [
        ['e1', then],
        ['e2', then + 5],
        ['e3', then + 10],
        ['e4', then + 10],
      ] as const) {
        await happens('wh-gone', emailId, 'sent', {}, at);
        await happens('wh-stays', emailId, 'sent', {}, at);
      }
      const [over] = await claim(stays, 10, then);
      assert.ok(over);
      await settle(over, null);
      const remove = () => db().write((tx) => deleteWebhook(tx, gone.number, then + 5));
      assert.deepEqual([await remove(), await remove()], [true, false]);
      assert.equal(await findWebhook(db(), 'wh-gone', 'resend', { id: gone.id }), null);
      await happens('wh-gone', 'e5', 'sent');
      const forget = (before: number) => db().write((tx) => forgetWebhookDeliveries(tx, before, 2));
      let steps = 0;
      while ((await forget(then + 5)) > 0) steps += 1;
      assert.ok(steps > 1);
      assert.deepEqual(await db().all('select number from webhooks where number = ?', gone.number), []);
      assert.deepEqual(await db().all('select id from webhook_deliveries where webhook = ?', gone.number), []);
      assert.deepEqual(
        (await events(stays)).map(({ state }) => state),
        ['pending', 'pending', 'pending'],
        'what is as old or younger is kept',
      );
      assert.deepEqual(await listWebhookAttempts(db(), over), []);
      const again = () =>
        db().write((tx) => insertWebhook(tx, { ...gone, subjects: [], perRecipient: false, createdAt: now }, 10));
      await assert.rejects(again(), { code: 'already_exists' });
      await forget(then + 6);
      assert.equal((await again())?.id, gone.id, 'the control: its id is remembered only for so long');
    });

    it('is counted by how it fares', async () => {
      const counts = await countWebhooks(db());
      assert.equal(counts.disabled, 1);
      assert.ok(counts.enabled > 5 && counts.pending > 1);
    });

    it('that somebody disabled is not one that failed, whatever happens to an attempt still under way', async () => {
      const one = await webhook('wh-by-hand', ['sent']);
      await note(one, false, now);
      assert.equal((await find(one))?.failingSince, now);
      await db().write((tx) => updateWebhook(tx, one.number, { enabled: false }, now));
      assert.equal(await note(one, false, now + 1), false);
      assert.deepEqual([(await find(one))?.enabled, (await find(one))?.failingSince], [false, null]);
      // The control: one that was disabled by its failures keeps them.
      const dead = await webhook('wh-by-itself', ['sent']);
      await note(dead, false, now);
      assert.equal(await note(dead, false, now + 100), true);
      assert.deepEqual([(await find(dead))?.enabled, (await find(dead))?.failingSince], [false, now]);
    });
  });
}
