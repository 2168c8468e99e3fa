/** A client that gives up on a report leaves nothing behind that goes on reading. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Database } from '../../src/store/database.ts';
import { bendDatabase } from '../support/bent-database.ts';
import { message, startTestServer, testKey } from '../support/server.ts';

test('a walk ends when the client that asked for it hangs up', async (t) => {
  const reached = withResolvers();
  const released = withResolvers();
  let reports = 0;
  const watch = (own: Database): Database => {
    const report: Database['report'] = async (sql, ...params) => {
      reports += 1;
      if (sql.includes('from emails')) {
        reached.resolve();
        await released.promise;
      }
      return own.report(sql, ...params);
    };
    return { ...bendDatabase(own, []), report };
  };
  // Without chores nothing is counted yet, and a report walks 1,100 emails in three parts.
  const server = await startTestServer({
    environment: { ROLE: 'api' },
    outside: { choresEveryMs: 3_600_000, database: watch },
  });
  t.after(() => server.stop());
  const batch = Array.from({ length: 100 }, () => message());
  for (let sent = 0; sent < 11; sent++) await server.call('POST', '/emails/batch', batch);

  const client = new AbortController();
  const asked = fetch(`${server.url}/v3/smtp/statistics/aggregatedReport`, {
    headers: { 'api-key': testKey },
    signal: client.signal,
  });
  await reached.promise;
  const before = reports;
  client.abort();
  await assert.rejects(asked);
  // The server hears of it before it answers others.
  for (let calls = 0; calls < 3; calls++) await server.call('GET', '/healthz');
  released.resolve();
  for (let calls = 0; calls < 3; calls++) await server.call('GET', '/healthz');
  assert.equal(reports, before);

  const { json } = await server.call('GET', '/v3/smtp/statistics/aggregatedReport');
  assert.equal(json.requests, 1_100);
});

/** Node 20 has no `Promise.withResolvers`. */
function withResolvers() {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
