/** A process says that it lives whatever else keeps it busy, or the others would take it for dead; and judges none while it is late itself. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Database, Transaction } from '../../src/store/database.ts';
import { bendDatabase } from '../support/bent-database.ts';
import { openDatabase, useEngine } from '../support/engine.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { signal } from '../support/smtp-rig.ts';

useEngine('postgres');

/** What only the named work asks. */
const asks = {
  beat: 'update workers set beat_at',
  chore: 'from idempotency_keys where expires_at',
  recovery: 'from workers where workers.id = deliveries.worker',
} as const;

const beatEveryMs = 2_000;

/** A second or two each are enough; a slow machine may take longer. */
const giveUpMs = 30_000;

describe('a process says that it lives', () => {
  for (const busy of ['chore', 'recovery'] as const) {
    it(`while a ${busy} takes its time`, async (t) => {
      await beats(await stuckIn(t, asks[busy]), giveUpMs);
    });
  }

  it('which is seen to end where its beats wait for what is stuck (control)', async (t) => {
    const busy = await stuckIn(t, asks.chore, oneAfterTheOther);
    await assert.rejects(beats(busy, 5_000), /no beat/);
  });
});

describe('a process takes nobody for dead', () => {
  it('after a pause of its own, until it has beaten steadily again', async (t) => {
    const { server, seen } = await counted(t);
    await beatUntil(server, () => seen.recovery > 0);
    // Less than what makes one dead, more than half of it.
    server.clock.advance(10_000);
    await server.tick();
    const before = seen.recovery;
    await server.tick();
    assert.equal(seen.recovery, before);
    await beatUntil(server, () => seen.recovery > before);
  });

  it('while its own beat is late', async (t) => {
    const isAway = { now: false };
    const { server, seen } = await counted(t, (statement) => {
      if (isAway.now && statement.includes(asks.beat)) throw new Error('away');
    });
    await beatUntil(server, () => seen.recovery > 0);
    isAway.now = true;
    server.clock.advance(10_000);
    // One that is under way has judged before.
    await server.tick();
    const before = seen.recovery;
    await server.tick();
    assert.equal(seen.recovery, before);
  });
});

type Busy = { server: TestServer; lastBeat: () => Promise<number> };

/** A server, some work of which has begun and does not end. */
async function stuckIn(t: TestContext, asked: string, around = (own: Database) => own): Promise<Busy> {
  const stuck = signal();
  const released = signal();
  t.after(() => released.resolve());
  const server = await startTestServer({ outside: { database: (own) => around(sticks(own, asked, stuck, released)) } });
  t.after(() => server.stop());
  const beside = await openDatabase(server.databaseUrl);
  t.after(() => beside.close());
  let isStuck = false;
  const sticking = stuck.promise.then(() => {
    isStuck = true;
  });
  await beatUntil(server, () => isStuck, sticking);
  const lastBeat = async () => (await beside.all<{ beat_at: number }>('select beat_at from workers'))[0]?.beat_at ?? 0;
  return { server, lastBeat };
}

/** As many as others take for steady. */
async function beats({ server, lastBeat }: Busy, patienceMs: number): Promise<void> {
  const giveUpAt = performance.now() + patienceMs;
  const first = await lastBeat();
  for (let last = first; last < first + 3 * beatEveryMs; last = await lastBeat()) {
    if (performance.now() > giveUpAt) throw new Error(`no beat, or too few of them, in ${patienceMs} ms`);
    if (server.clock.now() < last + beatEveryMs) server.clock.advance(beatEveryMs);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** `orElse`: what ends the wait for a tick that does not end. */
async function beatUntil(server: TestServer, condition: () => boolean, ...orElse: Promise<void>[]): Promise<void> {
  const giveUpAt = performance.now() + giveUpMs;
  while (!condition()) {
    if (performance.now() > giveUpAt) throw new Error(`it beats for ${giveUpMs} ms, and does not come to it`);
    server.clock.advance(beatEveryMs);
    await Promise.race([server.tick(), ...orElse]);
  }
}

/** A server that counts how often it looks for the dead. */
async function counted(t: TestContext, onStatement: (sql: string) => void = () => {}) {
  const seen = { recovery: 0 };
  const count = (sql: string) => {
    onStatement(sql);
    if (sql.includes(asks.recovery)) seen.recovery += 1;
  };
  const database = (own: Database): Database => ({
    ...bendDatabase(own, []),
    write: (work, terms) => own.write((tx) => work(watched(tx, count)), terms),
  });
  const server = await startTestServer({ outside: { database } });
  t.after(() => server.stop());
  return { server, seen };
}

type Signal = ReturnType<typeof signal<void>>;

/** The first work that asks so is written, and is told only when it is released. */
function sticks(own: Database, asked: string, stuck: Signal, released: Signal): Database {
  return {
    ...bendDatabase(own, []),
    async write(work, terms) {
      let isIt = false;
      const look = (sql: string) => {
        isIt ||= sql.includes(asked);
      };
      const value = await own.write((tx) => work(watched(tx, look)), terms);
      if (isIt) stuck.resolve();
      if (isIt) await released.promise;
      return value;
    },
  };
}

function watched(tx: Transaction, onStatement: (sql: string) => void): Transaction {
  return {
    skipLocked: tx.skipLocked,
    writer: tx.writer,
    add: tx.add,
    async all(sql, ...params) {
      onStatement(sql);
      return tx.all(sql, ...params);
    },
    async run(sql, ...params) {
      onStatement(sql);
      return tx.run(sql, ...params);
    },
  };
}

/** As if all it does were one routine. */
function oneAfterTheOther(own: Database): Database {
  let last: Promise<unknown> = Promise.resolve();
  return {
    ...bendDatabase(own, []),
    write(work, terms) {
      const written = last.then(() => own.write(work, terms));
      last = written.catch(() => {});
      return written;
    },
  };
}
