/** A mail over which one process after the other stands still: held in the end, while the last one delivers what else there is. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { useEngine } from '../support/engine.ts';
import { hangingDatabase, hangingRelay, hangs } from '../support/hanging.ts';
import { message, startTestServer, type TestServer } from '../support/server.ts';

useEngine('postgres');

describe('a mail over which processes stand still', () => {
  it('is held after the third, which had it alone, and other mail goes on', async (t) => {
    const first = await start(t);
    const bad = (await first.server.call('POST', '/emails', message({ subject: hangs }))).json.id;
    await first.stoodStill;
    for (let deaths = 1; deaths < 3; deaths += 1) {
      const next = await start(t, first.server);
      await next.server.until('it has the mail', () => tickAhead(next.server).then(() => next.hasStoodStill()));
    }
    const last = await start(t, first.server);
    const good = (await first.server.call('POST', '/emails', message())).json.id;
    const eventOf = async (id: string) => (await first.server.call('GET', `/emails/${id}`)).json;
    await last.server.until('the mail is held', () =>
      tickAhead(last.server).then(async () => (await eventOf(bad)).in_doubt === true),
    );
    await last.server.until('other mail is sent', async () => (await eventOf(good)).last_event === 'sent');
    assert.equal(last.hasStoodStill(), false);
    const { json } = await first.server.call('GET', '/in-doubt');
    assert.match(JSON.stringify(json.data), /3 attempts ended without a word, the last one made alone/);
  });
});

/** As long as the others have said nothing, by its own beats: a jump of its own clock would make it doubt itself. */
async function tickAhead(server: TestServer): Promise<void> {
  server.clock.advance(2_000);
  await server.tick();
}

/** A process that stands still for ever over the mail, without a word. */
async function start(t: TestContext, beside?: TestServer) {
  let stopped = () => {};
  let hasStopped = false;
  const stoodStill = new Promise<void>((resolve) => {
    stopped = resolve;
  });
  const stop = () => {
    hasStopped = true;
    stopped();
    return new Promise<never>(() => {});
  };
  const server = await startTestServer({
    relay: hangingRelay(null),
    outside: { database: (own) => hangingDatabase(own, stop) },
    ...(beside ? { environment: { DATABASE_URL: beside.databaseUrl, ROLE: 'worker' } } : {}),
  });
  t.after(() => server.stop());
  return { server, stoodStill, hasStoodStill: () => hasStopped };
}
