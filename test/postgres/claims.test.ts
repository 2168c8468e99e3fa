/** Two workers that claim at the same moment: neither waits for the other, on PostgreSQL. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Contended } from '../../src/core/error.ts';
import { ensureAccount } from '../../src/store/accounts.ts';
import type { Database } from '../../src/store/database.ts';
import { claimDue } from '../../src/store/mail/claim.ts';
import { type Delivery, insertDelivery, never } from '../../src/store/mail/deliveries.ts';
import { type Bend, bendDatabase } from '../support/bent-database.ts';
import { newMigratedPostgres, openDatabase } from '../support/engine.ts';

const now = 1_800_000_000_000;

const claimsWait: Bend = {
  when: 'order by run_at limit ? for update skip locked',
  find: ' skip locked',
  replace: '',
};

const claimsLookOnly: Bend = { ...claimsWait, find: 'for update skip locked' };

const claim = (database: Database, worker: string): Promise<string[]> =>
  database.write(async (tx) => names(await claimDue(tx, 'a', worker, { now, leaseMs: 60_000, limit: 2 })));

const names = (claimed: Delivery[]) => claimed.map(({ emailId }) => emailId).sort();

/** Four mails are due. One worker is in the middle of claiming the first two, and commits when told to. */
async function midClaim(t: TestContext) {
  const url = await newMigratedPostgres();
  const [first, second] = [await openDatabase(url), await openDatabase(url)];
  await first.write(async (tx) => {
    await ensureAccount(tx, 'a', now);
    for (let mail = 1; mail <= 4; mail += 1) {
      const due = { runAt: now - 10 + mail, giveUpAt: never, policy: null, state: 'queued' as const };
      await insertDelivery(tx, {
        ...due,
        account: 'a',
        emailId: `mail ${mail}`,
        part: 0,
        recipients: ['b@example.com'],
      });
    }
  });
  let commit = () => {};
  let claimed: Promise<string[]> = Promise.resolve([]);
  await new Promise<void>((reached) => {
    claimed = first.write(async (tx) => {
      const mine = await claimDue(tx, 'a', 'one', { now, leaseMs: 60_000, limit: 2 });
      await new Promise<void>((goOn) => {
        commit = goOn;
        reached();
      });
      return names(mine);
    });
  });
  t.after(async () => {
    commit();
    await claimed;
    await first.close();
    await second.close();
  });
  return { second, commit: () => commit(), claimed };
}

describe('a worker that claims while another one is claiming', () => {
  it('gets the other mails at once', async (t) => {
    const { second, commit, claimed } = await midClaim(t);
    assert.deepEqual(await claim(second, 'two'), ['mail 3', 'mail 4']);
    commit();
    assert.deepEqual(await claimed, ['mail 1', 'mail 2']);
  });

  for (const [how, bend] of Object.entries({
    'waited for what is locked': claimsWait,
    'locked nothing': claimsLookOnly,
  })) {
    it(`would get none of them, for as long as that takes, if it ${how} (control)`, async (t) => {
      const { second, commit, claimed } = await midClaim(t);
      const bent = bendDatabase(second, [bend]);
      await assert.rejects(claim(bent, 'two'), Contended);
      commit();
      // Nor is anything claimed twice then: the attempt number is what sees to that.
      assert.deepEqual(await claimed, ['mail 1', 'mail 2']);
      assert.deepEqual(await claim(bent, 'two'), ['mail 3', 'mail 4']);
    });
  }
});
