/** `sendonce outbox`, as it is typed. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { renderMetrics } from '../../src/client/outbox/metrics.ts';
import { tableSql } from '../../src/client/outbox/table.ts';
import { onlyOnSqlite } from '../support/engine.ts';
import { run } from '../support/program.ts';
import { startTestServer, type TestServer, testKey } from '../support/server.ts';
import { createTemp } from '../support/temp.ts';
import { insertRows, openGround, statesOf } from './ground.ts';
import { payloadFor } from './order.ts';

describe('sendonce outbox', () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer();
  });
  after(() => server.stop());

  const outbox = (env: Record<string, string>, ...words: string[]) =>
    run({ PATH: process.env.PATH ?? '', ...env }, 'outbox', ...words);

  it('makes the table, as often as it is asked to, drains it, tells how it is, and takes a person’s answers', async (t) => {
    const ground = await openGround(t);
    const temp = createTemp();
    t.after(() => temp.remove());
    writeFileSync(temp.path('url'), `${ground.url}\n`);
    writeFileSync(temp.path('key'), `${testKey}\n`);
    const env = { OUTBOX_DATABASE_URL_FILE: temp.path('url'), OUTBOX_KEY_FILE: temp.path('key') };
    const made = await outbox(env, 'init');
    assert.deepEqual([made.code, made.err], [0, '']);
    const [row, bad] = [{ id: 'cli/1' }, { id: 'cli/2', payload: payloadFor('x', { to: [] }) }];
    await insertRows(ground.database, row, bad, { id: 'cli/3', not_before: '2999-01-01T00:00:00Z' });

    const drained = await outbox(env, 'drain', '--to', server.url, '--once');
    assert.deepEqual([drained.code, drained.err], [0, '']);
    assert.equal(drained.out.trim(), 'outbox: 1 sent · 1 waiting · 1 parked');

    const status = await outbox(env, 'status');
    assert.match(status.out, /^1 waiting, .* · 1 parked · 1 sent · 0 dropped/);
    assert.match(status.out, /cli\/2 +refused +1 .*`to`/);

    const retried = await outbox(env, 'retry', 'cli/2');
    assert.equal(retried.out.trim(), 'It is tried again.');
    assert.equal((await statesOf(ground.database))['cli/2'], 'waiting');
    const dropped = await outbox(env, 'drop', 'cli/3');
    assert.equal(dropped.code, 0, dropped.err);
    const again = await outbox(env, 'drop', 'cli/1');
    assert.deepEqual([again.code, again.err.trim()], [1, 'No row "cli/1" is parked, or waits for its first try.']);
    assert.deepEqual(await statesOf(ground.database), { 'cli/1': 'sent', 'cli/2': 'waiting', 'cli/3': 'dropped' });
  });

  it('tells Prometheus how it is, for as long as it drains', async (t) => {
    const ground = await openGround(t);
    await insertRows(ground.database, { id: 'metrics/1' });
    const text = await renderMetrics(ground.database, { sent: 7, parked: 2, later: 1, trouble: null });
    assert.match(text, /^sendonce_outbox_rows\{state="waiting"\} 1$/m);
    assert.match(text, /^sendonce_outbox_settled_total\{outcome="sent"\} 7$/m);
    assert.match(text, /^sendonce_outbox_oldest_seconds 0\.\d+$/m);
  });

  it(
    'makes an SQLite file only where the table is made: a name that is misspelt is said anywhere else',
    onlyOnSqlite('a file'),
    async (t) => {
      const temp = createTemp();
      t.after(() => temp.remove());
      const url = `sqlite:${temp.path('shop.db')}`;
      const early = await outbox({}, 'status', '--database', url);
      assert.match(early.err, /There is no SQLite database at .*shop\.db\. Name the one that your app writes to\./);
      assert.equal((await outbox({}, 'init', '--database', url)).code, 0);
      assert.match((await outbox({}, 'status', '--database', url)).out, /^0 waiting/);
    },
  );

  it('prints the SQL that it would run, and says what is missing', async (t) => {
    const ground = await openGround(t);
    const printed = await outbox({}, 'init', '--print', '--database', ground.database.engine);
    assert.equal(printed.out.trimEnd(), tableSql(ground.database.engine).trimEnd());
    const nowhere = await outbox({}, 'status');
    assert.match(nowhere.err, /^There is no database\./);
    const unknown = await outbox({ OUTBOX_DATABASE_URL: ground.url }, 'empty');
    assert.match(unknown.err, /^Usage: sendonce outbox init/);
    assert.equal(unknown.code, 1);
  });
});
