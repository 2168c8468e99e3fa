/** A backlog of one account must not hold up another's mail, on both engines. ROWS=1000000 makes it as long as it gets. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { limits } from '../../src/config/limits.ts';
import { compose } from '../../src/core/compose.ts';
import { Room } from '../../src/core/room.ts';
import { DeliverLane } from '../../src/deliver/lane.ts';
import { LargeMails } from '../../src/deliver/large-mails.ts';
import type { Relay } from '../../src/deliver/relay.ts';
import { onlyRelay, Relays } from '../../src/deliver/relays/relays.ts';
import { Settler } from '../../src/deliver/settle.ts';
import { Renderer } from '../../src/render/renderer.ts';
import { ensureAccount } from '../../src/store/accounts.ts';
import type { Database } from '../../src/store/database.ts';
import { insertDelivery, never } from '../../src/store/mail/deliveries.ts';
import { createTestClock } from '../support/clock.ts';
import { newMigratedUrl, openDatabase, useEngine } from '../support/engine.ts';
import { createTemp } from '../support/temp.ts';

const rows = Number(process.env.ROWS ?? 20_000);

/** What a worker with this many connections asks for at once. */
const claimSize = 20;

/** A few hundred, whatever the backlog. */
const claimsMax = 200;

const series = {
  sqlite:
    'with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < ?) select n from numbers',
  postgres: 'select n from generate_series(1, ?) as n',
};

/** Due mails of one account, made by the database itself. */
async function backlog(database: Database, account: string, now: number): Promise<void> {
  await database.write(
    async (tx) => {
      await ensureAccount(tx, account, now);
      await tx.run(
        `insert into deliveries (account, email_id, part, state, run_at, give_up_at, recipients, recipient_count)
         select ?, 'email ' || n, 0, 'queued', cast(? as bigint) - 1000000 + n, ?, '["b@example.com"]', 1
         from (${series[database.engine]}) as numbers`,
        account,
        now,
        never,
        rows,
      );
    },
    { patient: true },
  );
}

async function queueOne(database: Database, account: string, now: number): Promise<void> {
  await database.write(async (tx) => {
    await ensureAccount(tx, account, now);
    await insertDelivery(tx, {
      account,
      emailId: 'password-reset',
      part: 0,
      state: 'queued',
      recipients: ['c@example.com'],
      runAt: now,
      giveUpAt: never,
      policy: null,
    });
  });
}

async function bulkOf(database: Database): Promise<Set<string>> {
  const rows = await database.all<{ email_id: string }>('select email_id from deliveries where is_bulk = 1');
  return new Set(rows.map(({ email_id }) => email_id));
}

const relay: Relay = {
  name: 'none',
  concurrency: claimSize / 2,
  ship: async () => assert.fail('nothing is attempted here'),
  close: async () => {},
};

function createLane(database: Database, worker: string): DeliverLane {
  const clock = createTestClock();
  const settler = new Settler({
    database,
    clock,
    policy: 'hold',
    sentCountsAsDelivered: false,
    random: Math.random,
    onRecorded: () => {},
  });
  return new DeliverLane({
    policy: 'hold',
    database,
    clock,
    relays: new Relays(onlyRelay(relay), { onRest: () => {}, onBack: () => {}, onOutcome: () => {} }),
    renderer: new Renderer(limits),
    largeMails: new LargeMails(new Room(limits.bodiesAtWorkBytesMax), limits),
    settler,
    worker,
    signerFor: async () => null,
    compose: async (...asked) => compose(...asked),
    random: Math.random,
    onOutcome: () => {},
    onDoubt: () => {},
    returnPaths: { returnsOf: () => ({ address: null, envelopeId: '', notify: [] }) },
  });
}

async function open(t: TestContext, engine: Database['engine']): Promise<Database> {
  useEngine(engine);
  const temp = createTemp();
  const database = await openDatabase(await newMigratedUrl(temp));
  t.after(async () => {
    await database.close();
    temp.remove();
  });
  return database;
}

for (const engine of ['sqlite', 'postgres'] as const) {
  describe(`with ${rows} due mails of one account on ${engine}`, () => {
    it('a new mail of another is claimed among the next few hundred, and claims are quick', async (t) => {
      const database = await open(t, engine);
      const now = Date.now();
      await backlog(database, 'bulk', now);
      const lanes = [createLane(database, 'one'), createLane(database, 'two')];
      for (const lane of lanes) await lane.claim(claimSize);
      await queueOne(database, 'urgent', now);
      let claims = 0;
      let claimsMs = 0;
      for (;;) {
        assert.ok(claims < claimsMax, `not among ${claims}`);
        const startedAt = performance.now();
        const claimed = (await Promise.all(lanes.map((lane) => lane.claim(claimSize)))).flat();
        claimsMs += performance.now() - startedAt;
        claims += claimed.length;
        if (claimed.some(({ account }) => account === 'urgent')) break;
      }
      t.diagnostic(`claimed among the next ${claims}, ${(claimsMs / claims).toFixed(2)} ms a claim`);
    });

    it('what was sent singly goes ahead of batches of its own account, which keep half of the places', async (t) => {
      const database = await open(t, engine);
      const now = Date.now();
      await backlog(database, 'bulk', now);
      await database.write((tx) => tx.run('update deliveries /* made bulk */ set is_bulk = 1'), { patient: true });
      const lane = createLane(database, 'one');
      await queueOne(database, 'bulk', now);
      const [startedAt, claimed] = [performance.now(), await lane.claim(claimSize)];
      t.diagnostic(`claimed in ${(performance.now() - startedAt).toFixed(1)} ms`);
      assert.equal(claimed[0]?.emailId, 'password-reset');
      assert.equal(claimed.length, claimSize);
      // Singles that never stop leave half to what came in batches; one place at a time goes to either in turn.
      await database.write(
        (tx) => tx.run('update deliveries /* half of it */ set is_bulk = 0 where email_id < ?', 'email 5'),
        {
          patient: true,
        },
      );
      const isBulk = await bulkOf(database);
      const many = await lane.claim(claimSize);
      assert.equal(many.filter(({ emailId }) => isBulk.has(emailId)).length, claimSize / 2);
      const turns = [await lane.claim(1), await lane.claim(1), await lane.claim(1), await lane.claim(1)].flat();
      assert.equal(turns.filter(({ emailId }) => isBulk.has(emailId)).length, 2);
    });

    it('two workers that claim at the same time share it out: everything once', async (t) => {
      const database = await open(t, engine);
      await backlog(database, 'bulk', Date.now());
      const lanes = [createLane(database, 'one'), createLane(database, 'two')];
      const names: string[] = [];
      for (let round = 0; round < 20; round += 1) {
        const claimed = await Promise.all(lanes.map((lane) => lane.claim(claimSize)));
        names.push(...claimed.flat().map(({ emailId }) => emailId));
      }
      assert.equal(new Set(names).size, names.length);
      assert.equal(names.length, 20 * 2 * claimSize);
    });
  });
}
