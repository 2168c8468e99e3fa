/** "Send it again", taken back before it left: called by the suite. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Database } from '../../src/store/database.ts';
import { handBack } from '../../src/store/mail/claim.ts';
import { type Delivery, never } from '../../src/store/mail/deliveries.ts';
import { answerDoubt, findState, listHeldOf, takeAnswerBack } from '../../src/store/mail/doubt.ts';
import { listEvents } from '../../src/store/mail/events.ts';
import { listOpen } from '../../src/store/mail/open.ts';
import { recover } from '../../src/store/mail/recover.ts';
import { listRepeatable } from '../../src/store/mail/repeats.ts';
import { openGate, settleTaken } from '../../src/store/mail/settle.ts';
import { replyOf } from '../support/reply.ts';

const now = 1_800_000_000_000;
const [secondMs, hourMs] = [1_000, 3_600_000];
const waitMs = 10 * secondMs;

type Steps = {
  claim: (db: Database, account: string, limit: number, at?: number) => Promise<Delivery[]>;
  queuedAndClaimed: (db: Database, account: string) => Promise<Delivery>;
};

export function describeUndo(db: () => Database, { claim, queuedAndClaimed }: Steps): void {
  /** Handed to an upstream that knows its key for a day, and never answered for. */
  async function doubted(account: string): Promise<Delivery> {
    const delivery = await queuedAndClaimed(db(), account);
    const reply = { accepted: delivery.recipients, refused: [] };
    const tried = { relay: 'upstream', passedOver: [] };
    const terms = { now, retryAt: now, contentHash: new Uint8Array(32), repeatsForMs: 24 * hourMs, tried };
    assert.equal(await db().write((tx) => openGate(tx, delivery, reply, terms)), true);
    await db().write((tx) => recover(tx, { now, policy: 'send-again', limit: 1_000, deadBefore: never }));
    return delivery;
  }

  async function sendAgain(delivery: Delivery, at = now): Promise<number> {
    const answered = await db().write((tx) => answerDoubt(tx, delivery, 'send-again', { now: at, waitMs }));
    assert.equal(answered?.state, 'queued');
    return answered.attempt;
  }

  const undo = (delivery: Delivery, attempt: number, at = now) =>
    db().write((tx) => takeAnswerBack(tx, delivery, { attempt, now: at }));
  const openOf = async ({ emailId }: Delivery) =>
    (await listOpen(db(), ['queued', 'sending', 'handoff', 'in_doubt'], 10_000)).find((one) => one.emailId === emailId);
  const isAsked = async ({ emailId }: Delivery) =>
    (await listRepeatable(db(), now, 1_000)).some((one) => one.emailId === emailId);

  describe('an answer that is taken back', () => {
    it('leaves the doubt as it was, with its evidence, and nobody claims it, not even for the policy', async () => {
      const delivery = await doubted('undo');
      const [before] = await listHeldOf(db(), delivery.account, delivery);
      const attempt = await sendAgain(delivery);
      assert.deepEqual(await claim(db(), 'undo', 1, now + waitMs - 1), []);
      assert.equal((await undo(delivery, attempt))?.state, 'in_doubt');
      const [after] = await listHeldOf(db(), delivery.account, delivery);
      assert.equal(after?.reply, `An operator took “send it again” back before it left. Before: ${before?.reply}`);
      const changed = { reply: after?.reply, runAt: never, attempt };
      assert.deepEqual(after, { ...before, ...changed });
      assert.equal((await openOf(delivery))?.possibleDuplicate, false);
      assert.deepEqual(await claim(db(), 'undo', 1, never), []);
      assert.equal(await isAsked(delivery), true, 'its upstream still knows the key');
      const last = (await listEvents(db(), delivery.account, delivery.emailId)).at(-1);
      assert.deepEqual([last?.type, last?.detail.by, last?.detail.in_doubt], ['delivery_delayed', 'operator', true]);
    });

    it('is taken back once, and not by who knows an answer that is older', async () => {
      const delivery = await doubted('undo-twice');
      const first = await sendAgain(delivery);
      assert.ok(await undo(delivery, first));
      assert.equal(await undo(delivery, first), null);
      const second = await sendAgain(delivery);
      assert.notEqual(second, first);
      assert.equal(await undo(delivery, first), null);
      assert.equal(await findState(db(), delivery), 'queued');
    });

    it('is too late once a worker has had it, also where that has given it back', async () => {
      const delivery = await doubted('undo-late');
      const attempt = await sendAgain(delivery);
      const [again] = await claim(db(), 'undo-late', 1, now + waitMs);
      assert.ok(again?.possibleDuplicate);
      assert.equal(await undo(delivery, attempt), null);
      await db().write((tx) => handBack(tx, again, now));
      assert.equal(await undo(delivery, attempt), null);
      assert.equal(await findState(db(), delivery), 'queued');
    });

    it('is too late for what a late verdict has settled, and is of nothing that nobody has had sent again', async () => {
      const delivery = await doubted('undo-settled');
      const attempt = await sendAgain(delivery);
      const verdict = { state: 'sent', reply: replyOf('250 ok'), now } as const;
      assert.equal(await db().write((tx) => settleTaken(tx, delivery, verdict)), true);
      assert.equal(await undo(delivery, attempt), null);
      assert.equal(await findState(db(), delivery), 'sent');
      const fresh = await queuedAndClaimed(db(), 'undo-fresh');
      await db().write((tx) => handBack(tx, fresh, now));
      assert.equal(await undo(fresh, fresh.attempt), null);
      assert.equal(await findState(db(), fresh), 'queued');
    });

    it('gives all of its time in doubt back once, however often it is answered', async () => {
      const delivery = await doubted('undo-time');
      assert.ok(await undo(delivery, await sendAgain(delivery, now + hourMs), now + hourMs + waitMs));
      await sendAgain(delivery, now + 5 * hourMs);
      const [again] = await claim(db(), 'undo-time', 1, now + 5 * hourMs + waitMs);
      assert.equal((again?.giveUpAt ?? 0) - delivery.giveUpAt, 5 * hourMs + waitMs);
    });
  });
}
