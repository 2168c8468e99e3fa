/** A relay that rests is a trouble, whatever the relays beside it do. */

import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { findTroubles } from '../../src/process/alerts/signs.ts';
import type { Database } from '../../src/store/database.ts';
import { keepReportsOf, report } from '../../src/store/relays.ts';
import { beat } from '../../src/store/workers.ts';
import { newMigratedUrl, openDatabase } from '../support/engine.ts';
import { createTemp } from '../support/temp.ts';

const temp = createTemp();
const minuteMs = 60_000;
const now = 1_800_000_000_000;
let database: Database;

before(async () => {
  database = await openDatabase(await newMigratedUrl(temp));
});
after(async () => {
  await database.close();
  temp.remove();
});

async function troubles(): Promise<unknown[]> {
  const found = await findTroubles({ database, clock: { now: () => now } as never, folder: '/' });
  return found.filter(({ name }) => name === 'relay_rests');
}

it('is named with the minutes it has rested, and no more once it left the settings', async () => {
  const of = (relay: string, state: 'up' | 'resting', since: number) =>
    database.write(async (tx) => {
      await beat(tx, 'w', now);
      await report(tx, { relay, worker: 'w', state, since, reply: null });
    });
  await of('living', 'up', now);
  assert.deepEqual(await troubles(), []);
  await of('dead', 'resting', now - minuteMs / 2);
  assert.deepEqual(await troubles(), [], 'it may only be restarting');
  await of('dead', 'resting', now - 3 * minuteMs);
  assert.deepEqual(await troubles(), [{ name: 'relay_rests', figure: 3 }]);
  await database.write((tx) => keepReportsOf(tx, 'w', ['living']));
  assert.deepEqual(await troubles(), []);
});
