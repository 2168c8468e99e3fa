/** `sendonce/outbox` in a program: a row is written in the program's own transaction, and shares its fate. */

import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import Sqlite from 'better-sqlite3';
import pg from 'pg';
import { createOutbox } from '../../src/client/outbox/outbox.ts';
import { chosenEngine, onlyOnSqlite } from '../support/engine.ts';
import { message } from '../support/server.ts';
import { openGround } from './ground.ts';

const onlyOnPostgres = { skip: chosenEngine() === 'sqlite' && 'a driver of PostgreSQL' };

it('writes rows through better-sqlite3, which waits for nothing', onlyOnSqlite('a driver of SQLite'), async (t) => {
  const ground = await openGround(t);
  const database = new Sqlite(ground.url.slice('sqlite:'.length));
  t.after(() => database.close());
  const outbox = createOutbox({
    run: (tx: Sqlite.Database, sql, params) => tx.prepare(sql).run(...params),
    placeholder: () => '?',
  });
  const write = database.transaction((isKept: boolean) => {
    const id: string = outbox.send(database, message(), { ordering: 'g', notBefore: new Date(0) });
    if (!isKept) throw new Error('undone');
    return id;
  });
  const id = write(true);
  assert.throws(() => write(false), /undone/);
  assert.deepEqual(database.prepare('select id, payload, ordering, not_before, endpoint from sendonce_outbox').all(), [
    {
      id,
      payload: JSON.stringify(message()),
      ordering: 'g',
      not_before: '1970-01-01T00:00:00.000Z',
      endpoint: '/emails',
    },
  ]);
});

it('writes rows through pg', onlyOnPostgres, async (t) => {
  const { ground, client } = await connect(t);
  const outbox = createOutbox({ run: (tx: pg.Client, sql, params) => tx.query(sql, params) });
  await client.query('begin');
  const id: string = await outbox.send(client, message(), { id: 'order/1', facade: 'brevo', notBefore: new Date(0) });
  await client.query('commit');
  await client.query('begin');
  await outbox.send(client, message(), { id: 'order/2' });
  await client.query('rollback');
  assert.equal(id, 'order/1');
  const { rows } = await client.query('select id, facade, endpoint, not_before from sendonce_outbox');
  assert.deepEqual(rows, [{ id, facade: 'brevo', endpoint: '/v3/smtp/email', not_before: new Date(0) }]);
  await ground.database.all('select 1');
});

it('refuses an id that another one could be taken for', async (t) => {
  const { database } = await openGround(t);
  for (const id of ['', ' a', 'a ', 'a\nb', 'ключ', 'batch/1', 'x'.repeat(241)]) {
    await assert.rejects(
      database.script(`insert into sendonce_outbox (id, payload) values ('${id}', '{}');`),
      /check/i,
      id,
    );
  }
  await database.script(`insert into sendonce_outbox (id, payload) values ('order-paid/1:a_b-c', '{}');`);
});

async function connect(t: TestContext) {
  const ground = await openGround(t);
  const client = new pg.Client({ connectionString: ground.url });
  await client.connect();
  t.after(() => client.end());
  return { ground, client };
}
