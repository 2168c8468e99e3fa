/** A commit nobody can tell about: no status would be true, so none is sent. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CommitUnknown } from '../../src/core/error.ts';
import type { Database } from '../../src/store/database.ts';
import { bendDatabase } from '../support/bent-database.ts';
import { assertSentOnce, serve } from '../support/served.ts';
import { message } from '../support/server.ts';

/** Accepts commit, and nobody learns of the first one. */
function forgetsOnce(own: Database): Database {
  let forgotten = 0;
  return {
    ...bendDatabase(own, []),
    async write(work, terms) {
      const value = await own.write(work, terms);
      if (!terms?.about?.startsWith('key ') || forgotten > 0) return value;
      forgotten += 1;
      throw new CommitUnknown('nobody knows');
    },
  };
}

describe('a request whose commit nobody can tell about', () => {
  it('ends without a status, and its retry gets the answer', async (t) => {
    const { server, sink } = await serve(t, { outside: { database: forgetsOnce } });
    const send = () => server.call('POST', '/emails', message(), { 'idempotency-key': 'k' });
    await assert.rejects(send(), (error: Error) => error.message === 'fetch failed');
    const retry = await send();
    assert.deepEqual([retry.status, retry.headers.get('idempotent-replayed')], [200, 'true']);
    await assertSentOnce(server, sink, [retry.json.id]);
  });
});
