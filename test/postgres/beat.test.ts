/** A process says that it lives whatever else keeps it busy, or the others would take it for dead. */

import { it } from 'node:test';
import type { Database, Transaction } from '../../src/store/database.ts';
import { bendDatabase } from '../support/bent-database.ts';
import { openDatabase, useEngine } from '../support/engine.ts';
import { startTestServer } from '../support/server.ts';
import { signal } from '../support/smtp-rig.ts';

useEngine('postgres');

it('says that it lives while a chore takes its time', async (t) => {
  const stuck = signal();
  const released = signal();
  t.after(() => released.resolve());
  const server = await startTestServer({ outside: { database: (own) => sticksAtExpiredKeys(own, stuck, released) } });
  t.after(() => server.stop());
  const beside = await openDatabase(server.databaseUrl);
  t.after(() => beside.close());
  const lastBeat = async () => (await beside.all<{ beat_at: number }>('select beat_at from workers'))[0]?.beat_at ?? 0;

  await stuck.promise;
  const first = await lastBeat();
  for (let last = first; last < first + 6_000; last = await lastBeat()) {
    if (server.clock.now() < last + 2_000) server.clock.advance(2_000);
  }
});

type Signal = ReturnType<typeof signal<void>>;

function sticksAtExpiredKeys(own: Database, stuck: Signal, released: Signal): Database {
  return {
    ...bendDatabase(own, []),
    async write(work, terms) {
      let sticks = false;
      const watched = (tx: Transaction): Transaction => ({
        ...tx,
        all(sql, ...params) {
          sticks ||= sql.includes('from idempotency_keys where expires_at');
          return tx.all(sql, ...params);
        },
      });
      const value = await own.write((tx) => work(watched(tx)), terms);
      if (sticks) stuck.resolve();
      if (sticks) await released.promise;
      return value;
    },
  };
}
