/** A server whose PostgreSQL is away for a while says so, and works again afterwards. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startPostgresProxy } from '../support/postgres-proxy.ts';
import { sharedPostgres } from '../support/postgres-server.ts';
import { startTestServer } from '../support/server.ts';

describe('a server whose PostgreSQL is away', () => {
  it('is not ready, still tells its metrics, and is ready again once it is back', async (t) => {
    const proxy = await startPostgresProxy(await (await sharedPostgres()).createDatabase());
    const server = await startTestServer({ environment: { DATABASE_URL: proxy.url } });
    t.after(async () => {
      await server.stop();
      await proxy.close();
    });
    proxy.setDown(true);
    const away = await server.call('GET', '/healthz');
    assert.deepEqual([away.status, away.json], [503, { status: 'unavailable' }]);
    const metrics = await server.call('GET', '/metrics');
    assert.equal(metrics.status, 200);
    assert.match(metrics.text, /^sendonce_database_up 0$/m);
    proxy.setDown(false);
    await server.until('it is ready', async () => (await server.call('GET', '/healthz')).status === 200);
    assert.match((await server.call('GET', '/metrics')).text, /^sendonce_database_up 1$/m);
  });
});
