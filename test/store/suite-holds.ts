/** What is held after a database went back in time, and what workers of the history that is gone may still do: called by the suite. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Database } from '../../src/store/database.ts';
import { type Delivery, never } from '../../src/store/mail/deliveries.ts';
import { answerDoubt, findState } from '../../src/store/mail/doubt.ts';
import { recover } from '../../src/store/mail/recover.ts';
import { settlePutOff, settleTaken } from '../../src/store/mail/settle.ts';
import { beginHold } from '../../src/store/went-back.ts';
import { finishHold, holdOpenDeliveries } from '../../src/use-cases/hold.ts';
import { replyOf } from '../support/reply.ts';

const now = 1_800_000_000_000;
const later = { reply: replyOf('451 later'), now, retryAt: now };

type Steps = {
  claim: (db: Database, account: string, limit: number) => Promise<Delivery[]>;
  gate: (db: Database, delivery: Delivery) => Promise<boolean>;
  queuedAndClaimed: (db: Database, account: string) => Promise<Delivery>;
};

export function describeHolds(db: () => Database, { claim, gate, queuedAndClaimed }: Steps): void {
  const hold = () => holdOpenDeliveries(db(), now, 'held');
  const stateOf = (delivery: Delivery) => findState(db(), delivery);
  const die = () => db().write((tx) => recover(tx, { now, policy: 'hold', limit: 1_000, deadBefore: never }));
  const putOff = (delivery: Delivery) => db().write((tx) => settlePutOff(tx, delivery, later));

  describe('what a database holds that went back in time', () => {
    it('passes no gate until it is held, whoever has claimed it', async () => {
      const delivery = await queuedAndClaimed(db(), 'hold-gate');
      await db().write((tx) => beginHold(tx, { at: now, from: { generation: 1, eventId: 1 } }));
      assert.equal(await gate(db(), delivery), false);
      assert.equal(await stateOf(delivery), 'sending');
      await finishHold(db(), () => now);
      assert.equal(await stateOf(delivery), 'in_doubt');
      assert.equal(await gate(db(), await queuedAndClaimed(db(), 'hold-gate')), true);
    });

    it('is not queued again by a late 4yz: it may have been, in the history that is gone, and have left since', async () => {
      const doubted = await queuedAndClaimed(db(), 'hold-put-off');
      await gate(db(), doubted);
      await die();
      const gated = await queuedAndClaimed(db(), 'hold-put-off');
      await gate(db(), gated);
      await hold();
      for (const one of [gated, doubted]) {
        assert.equal(await putOff(one), false);
        assert.equal(await stateOf(one), 'in_doubt');
      }
      assert.equal(await db().write((tx) => settleTaken(tx, gated, { ...later, state: 'sent' })), true);
    });

    it('is queued again by a late 4yz where nothing was held', async () => {
      const delivery = await queuedAndClaimed(db(), 'no-hold-put-off');
      await gate(db(), delivery);
      await die();
      assert.equal(await putOff(delivery), true);
      assert.equal(await stateOf(delivery), 'queued');
    });

    it('gets attempts which nobody has had: a verdict from the history that is gone is none of theirs', async () => {
      const [account, reply] = ['hold-numbers', replyOf('550 no')];
      const delivery = await queuedAndClaimed(db(), account);
      await hold();
      await db().write((tx) => answerDoubt(tx, delivery, 'send-again', { now }));
      const [again] = await claim(db(), account, 1);
      assert.ok(again);
      assert.equal(await gate(db(), again), true);
      // As many as fit into the time that a copy is behind.
      for (let lost = delivery.attempt; lost < delivery.attempt + 100; lost++) {
        const settled = await db().write((tx) => settlePutOff(tx, { ...delivery, attempt: lost }, { ...later, reply }));
        assert.equal(settled, false, `attempt ${lost}`);
      }
      assert.equal(await stateOf(delivery), 'handoff');
    });
  });
}
