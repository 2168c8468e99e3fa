/** A database that is closed. */

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { openDatabase } from '../support/engine.ts';
import { sharedPostgres } from '../support/postgres-server.ts';

it('opens no connection for a write that comes after its end: it would keep the process', async () => {
  const server = await sharedPostgres();
  const database = await openDatabase(await server.createDatabase());
  await database.write((tx) => tx.all('select 1 as one'));
  await database.close();
  await assert.rejects(
    database.write((tx) => tx.all('select 1 as one')),
    { code: 'unavailable' },
  );
  const open = await server.administer<{ pid: number }>(
    "select pid from pg_stat_activity where application_name = 'sendonce writes'",
  );
  assert.deepEqual(open, []);
});
