/** How often a delivery was handed over, answered or not, as every engine must count it: called by the suite. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { noReply, ownWords } from '../../src/core/reply.ts';
import type { Database } from '../../src/store/database.ts';
import { type Delivery, never } from '../../src/store/mail/deliveries.ts';
import { answerDoubt } from '../../src/store/mail/doubt.ts';
import { listOpen } from '../../src/store/mail/open.ts';
import { recover } from '../../src/store/mail/recover.ts';
import { settleInDoubt, settlePutOff, settleTaken, settleUnreached } from '../../src/store/mail/settle.ts';
import { holdOpenDeliveries } from '../../src/use-cases/hold.ts';
import { replyOf } from '../support/reply.ts';

const now = 1_800_000_000_000;

const migration = new URL('../../src/store/migrations/0009-unanswered.sql', import.meta.url);

type Steps = {
  claim: (db: Database, account: string, limit: number) => Promise<Delivery[]>;
  gate: (db: Database, delivery: Delivery) => Promise<boolean>;
  queuedAndClaimed: (db: Database, account: string) => Promise<Delivery>;
};

export function describeTries(db: () => Database, { claim, gate, queuedAndClaimed }: Steps): void {
  const hold = () => holdOpenDeliveries(db(), now, 'held');
  const sendAgain = async (delivery: Delivery): Promise<Delivery> => {
    assert.equal((await db().write((tx) => answerDoubt(tx, delivery, 'send-again', { now })))?.state, 'queued');
    const [again] = await claim(db(), delivery.account, 1);
    assert.ok(again);
    return again;
  };
  const triesOf = async ({ emailId }: Delivery) => {
    const open = await listOpen(db(), ['queued', 'sending', 'handoff', 'in_doubt'], 10_000);
    return open.find((one) => one.emailId === emailId)?.tries;
  };

  describe('the times a delivery was handed over', () => {
    it('count a hand-off in doubt once, however often it is held', async () => {
      const delivery = await queuedAndClaimed(db(), 'tries-held-again');
      await gate(db(), delivery);
      assert.equal(await triesOf(delivery), 1);
      await db().write((tx) => recover(tx, { now, policy: 'send-again', limit: 1_000, deadBefore: never }));
      assert.equal(await triesOf(delivery), 1);
      assert.ok((await hold()) > 0);
      assert.equal(await triesOf(delivery), 1);
      const again = await sendAgain(delivery);
      assert.equal(await triesOf(delivery), 1);
      await gate(db(), again);
      assert.equal(await triesOf(delivery), 2);
      await db().write((tx) => settlePutOff(tx, again, { reply: replyOf('451 later'), now, retryAt: now }));
      await hold();
      assert.equal(await triesOf(delivery), 2);
    });

    it('do not count what was held before any gate and sent again', async () => {
      const delivery = await queuedAndClaimed(db(), 'tries-held-before');
      await hold();
      assert.equal(await triesOf(delivery), 0);
      const again = await sendAgain(delivery);
      assert.equal(await triesOf(delivery), 0);
      await gate(db(), again);
      await db().write((tx) => settleInDoubt(tx, again, { reason: ownWords('silence'), now, runAt: never }));
      assert.equal(await triesOf(delivery), 1);
      await sendAgain(again);
      assert.equal(await triesOf(delivery), 1);
    });

    it('count a gate that was taken back as a failure, and a late answer as the one to its hand-off', async () => {
      const delivery = await queuedAndClaimed(db(), 'tries-late');
      await gate(db(), delivery);
      await db().write((tx) => settleUnreached(tx, delivery, { reply: noReply('refused'), now, retryAt: now }));
      assert.equal(await triesOf(delivery), 1);
      const [again] = await claim(db(), delivery.account, 1);
      assert.ok(again);
      await gate(db(), again);
      await db().write((tx) => settleInDoubt(tx, again, { reason: ownWords('silence'), now, runAt: never }));
      assert.equal(await triesOf(delivery), 2);
      await sendAgain(again);
      assert.ok(await db().write((tx) => settleTaken(tx, again, { state: 'sent', reply: replyOf('250 ok'), now })));
      const [row] = await db().all<{ tries: number; unanswered: number }>(
        'select tries, unanswered from deliveries where account = ?',
        delivery.account,
      );
      assert.deepEqual(row, { tries: 1, unanswered: 0 });
    });

    it('are counted of what an older version left open, as far as it can be told', async () => {
      const last = (await readFile(migration, 'utf8')).split(';').at(-2) ?? '';
      const counts = async (account: string, prepare: (delivery: Delivery) => Promise<unknown>) => {
        const delivery = await queuedAndClaimed(db(), account);
        await prepare(delivery);
        await db().write((tx) => tx.run('update deliveries set unanswered = 7 where account = ?', account));
        await db().write((tx) => tx.run(last));
        return triesOf(delivery);
      };
      const doubt = (delivery: Delivery) =>
        db().write((tx) => settleInDoubt(tx, delivery, { reason: ownWords('silence'), now, runAt: never }));
      assert.equal(await counts('old-handoff', (one) => gate(db(), one)), 1);
      const deferred = async (one: Delivery) => {
        await gate(db(), one);
        await db().write((tx) => settlePutOff(tx, one, { reply: replyOf('451 later'), now, retryAt: now }));
      };
      assert.equal(await counts('old-deferred', deferred), 1);
      const twice = async (one: Delivery) => {
        await gate(db(), one);
        await doubt(one);
        const again = await sendAgain(one);
        await gate(db(), again);
        await doubt(again);
      };
      assert.equal(await counts('old-twice', twice), 2);
    });
  });
}
