/** A COMMIT into silence: no answer comes, nor a reset. Nobody is told what is not true, and the key is known afterwards. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Database } from '../../src/store/database.ts';
import { openPostgres } from '../../src/store/engine/postgres/postgres.ts';
import { bendDatabase } from '../support/bent-database.ts';
import { newMigratedPostgres, useEngine } from '../support/engine.ts';
import { type Cut, startPostgresProxy } from '../support/postgres-proxy.ts';
import { assertSentOnce, serve } from '../support/served.ts';
import { message } from '../support/server.ts';

useEngine('postgres');

/** Longer than a lock is waited for: another session's is no silence. */
const silenceMs = 700;

/** A server whose accepts, and nothing else, commit by way of a proxy; and a request whose commit meets `cut`. */
async function acceptInto(t: TestContext, cut: Cut, findOutMs?: number) {
  const url = await newMigratedPostgres();
  const proxy = await startPostgresProxy(url);
  const proxied = await openPostgres({ url: proxy.url, silenceMs, ...(findOutMs ? { findOutMs } : {}) });
  const database = (own: Database): Database => ({
    ...bendDatabase(own, []),
    write: (work, terms) => (terms?.about?.startsWith('key ') ? proxied : own).write(work, terms),
  });
  const { server, sink } = await serve(t, { environment: { DATABASE_URL: url }, outside: { database } });
  t.after(async () => {
    await proxied.close();
    await proxy.close();
  });
  // Its own first commit is not the one that is cut.
  await proxied.write(async () => null);
  const send = () => server.call('POST', '/emails', message(), { 'idempotency-key': 'k' });
  proxy.cutNext(cut);
  const sent = send();
  return { server, sink, proxy, send, sent };
}

const isReplayed = (reply: { headers: Headers }) => reply.headers.get('idempotent-replayed') === 'true';

describe('an accept whose COMMIT meets silence', () => {
  for (const { cut, name } of [
    { cut: 'silence', name: 'on its way is answered once it is known to be undone, and done again' },
    { cut: 'silence after', name: 'on its way back is answered once it is known to have happened' },
  ] as const) {
    it(`${name}: the mail leaves once`, async (t) => {
      const { server, sink, proxy, send, sent } = await acceptInto(t, cut);
      const reply = await sent;
      assert.deepEqual([reply.status, isReplayed(reply), proxy.cuts], [200, false, 1], reply.text);
      const again = await send();
      assert.deepEqual([again.text, isReplayed(again)], [reply.text, true]);
      await assertSentOnce(server, sink, [reply.json.id]);
    });
  }

  it('and whose fate cannot be told in time ends without a status; a retry is told the truth', async (t) => {
    const { server, sink, proxy, send, sent } = await acceptInto(t, 'silence', silenceMs);
    await assert.rejects(sent, (error: Error) => error.message === 'fetch failed');
    assert.equal(proxy.cuts, 1);
    // The session that hears nothing holds the key until the server ends it.
    let retry = await send();
    while (retry.status === 409) retry = await send();
    assert.deepEqual([retry.status, isReplayed(retry)], [200, false], retry.text);
    await assertSentOnce(server, sink, [retry.json.id]);
  });
});
