/** A server that had a relay and is started without one does not capture what was to leave. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { doctor } from '../../src/command/doctor.ts';
import { examineConfig } from '../../src/config/config.ts';
import type { Environment } from '../../src/config/settings.ts';
import { discardDatabase, newDatabaseUrl } from '../support/engine.ts';
import { printed } from '../support/printed.ts';
import { message, startTestServer, type TestServer, testSecretKey } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';
import { createTemp } from '../support/temp.ts';

type Ground = { own: Environment; sink: Sink; relayUrl: string; start(environment?: Environment): Promise<TestServer> };

/** One database that is served with this relay and without it. */
async function makeGround(t: TestContext): Promise<Ground> {
  const temp = createTemp();
  const sink = await startSink();
  const url = await newDatabaseUrl(temp);
  t.after(async () => {
    await sink.close();
    await discardDatabase(url);
    temp.remove();
  });
  const own = { DATABASE_URL: url, STATE_DIR: temp.path('.') };
  const start = (environment: Environment = {}) => startTestServer({ environment: { ...own, ...environment } });
  return { own, sink, relayUrl: `smtp://127.0.0.1:${sink.port}`, start };
}

describe('a server that is started without the relay it had', () => {
  it('refuses, keeps what waits, and captures only where that is said', async (t) => {
    const { own, sink, relayUrl, start } = await makeGround(t);
    const serving = async (environment: Environment = {}) => (await start(environment)).stop();
    await serving();
    const server = await start({ RELAY_URL: relayUrl });
    const later = { scheduled_at: new Date(server.clock.now() + 3_600_000).toISOString() };
    const { json } = await server.call('POST', '/emails', message({ ...later, to: 'waits@example.com' }));
    await server.stop();

    await assert.rejects(() => serving(), /^Error: This database has 1 email that is to leave by a relay/);
    const status = process.exitCode;
    const said = await printed(() => doctor(examineConfig({ ...own, SECRET_KEY: testSecretKey })));
    process.exitCode = status;
    assert.match(
      said,
      /^FAIL +This database has 1 email that is to leave by a relay, .*RELAY_URL=capture: if that is meant\.$/m,
    );
    await serving({ ROLE: 'api' });

    const again = await start({ RELAY_URL: relayUrl });
    again.clock.advance(3_600_000);
    await again.until('it left', () => sink.received.some(({ to }) => to.includes('waits@example.com')));
    assert.equal((await again.call('GET', `/emails/${json.id}`)).json.captured, undefined);
    const { json: second } = await again.call('POST', '/emails', message({ ...later, scheduled_at: 'in 1 hour' }));
    await again.stop();
    await assert.rejects(() => serving(), /This database has 1 email/);
    const capturing = await start({ RELAY_URL: 'capture:' });
    await capturing.call('POST', `/emails/${second.id}/cancel`);
    await capturing.stop();
    await serving();
  });

  it('starts where nothing waits', async (t) => {
    const { sink, relayUrl, start } = await makeGround(t);
    const server = await start({ RELAY_URL: relayUrl });
    await server.call('POST', '/emails', message());
    await server.until('it left', () => sink.received.length === 1);
    await server.stop();
    await (await start()).stop();
  });
});
