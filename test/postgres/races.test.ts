/** Two processes and one key, or one file that two emails share, on PostgreSQL. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import pg from 'pg';
import { keyHash } from '../../src/core/token.ts';
import { purgeContent } from '../../src/store/mail/purge.ts';
import { asBrevo, emailIdOf, mail, messageIdsOf, send } from '../brevo/brevo.ts';
import { openDatabase, useEngine } from '../support/engine.ts';
import { drained, serve } from '../support/served.ts';
import { message, startTestServer, type TestServer } from '../support/server.ts';

useEngine('postgres');

const hour = 60 * 60_000;

const post = (server: TestServer, key: string) => server.call('POST', '/emails', message(), { 'idempotency-key': key });

/** Two servers on one database, and the sink of the first. */
async function serveTwo(t: TestContext) {
  const { server, sink } = await serve(t);
  const other = await startTestServer({
    environment: { DATABASE_URL: server.databaseUrl, RELAY_URL: `smtp://127.0.0.1:${sink.port}` },
  });
  t.after(() => other.stop());
  return { server, other, sink };
}

/** Another process in the middle of its transaction: it has taken the key and not committed yet. */
async function takeSlowly(t: TestContext, server: TestServer, key: string) {
  const client = new pg.Client({ connectionString: server.databaseUrl });
  client.on('error', () => {});
  await client.connect();
  t.after(() => client.end());
  await client.query('begin');
  await client.query(
    `insert into idempotency_keys
       (account, key_hash, scope, raw_hash, canonical_hash, status, body, email_ids, created_at, expires_at)
     values ('default', $1, 'resend POST /emails', $2, null, 200, '{"id":"theirs"}', '["theirs"]', $3, $4)`,
    [keyHash('resend POST /emails', key), Buffer.alloc(32), server.clock.now(), server.clock.now() + hour],
  );
  return client;
}

describe('two processes and one key', () => {
  it('that has expired: one of them takes it, the other one answers the same', async (t) => {
    const { server, other, sink } = await serveTwo(t);
    for (let round = 0; round < 10; round += 1) {
      const key = `round ${round}`;
      const before = await post(server, key);
      server.clock.advance(25 * hour);
      other.clock.advance(25 * hour);
      const replies = await Promise.all([server, other, server, other].map((one) => post(one, key)));
      assert.deepEqual(
        replies.map(({ status }) => status),
        [200, 200, 200, 200],
      );
      assert.equal(new Set(replies.map(({ text }) => text)).size, 1);
      assert.notEqual(replies[0]?.text, before.text);
      assert.equal(replies.filter(({ headers }) => headers.get('idempotent-replayed') === null).length, 1);
    }
    await sink.waitFor(20);
    assert.deepEqual(sink.duplicates(), []);
  });

  it('whose winner rolls back: the one that waited accepts', async (t) => {
    const { server } = await serve(t);
    const winner = await takeSlowly(t, server, 'undone');
    const waiting = post(server, 'undone');
    await waitsForLock(t, server);
    await winner.query('rollback');
    const reply = await waiting;
    assert.equal(reply.status, 200);
    assert.notEqual(reply.json.id, 'theirs');
  });

  it('whose winner takes its time: the other one gets the answer as soon as there is one', async (t) => {
    const { server } = await serve(t);
    const winner = await takeSlowly(t, server, 'slow');
    const waiting = post(server, 'slow');
    await waitsForLock(t, server);
    await winner.query('commit');
    // It was another request, as its hash says: a conflict, which only a committed winner can make.
    assert.equal((await waiting).json.name, 'invalid_idempotent_request');
  });

  it('whose winner takes over three seconds: 409 with Retry-After, nothing written, and other keys go on meanwhile', async (t) => {
    const { server, sink } = await serve(t);
    const winner = await takeSlowly(t, server, 'very slow');
    const startedAt = performance.now();
    const waiting = post(server, 'very slow');
    await waitsForLock(t, server);
    const others = await Promise.all(Array.from({ length: 10 }, (_, index) => post(server, `other ${index}`)));
    assert.ok(others.every(({ status }) => status === 200));
    const refused = await waiting;
    const waitedMs = performance.now() - startedAt;
    assert.deepEqual([refused.status, refused.json.name], [409, 'concurrent_idempotent_requests']);
    assert.equal(refused.headers.get('retry-after'), '1');
    assert.ok(waitedMs > 2_900, `waited ${waitedMs} ms`);
    await winner.query('rollback');
    assert.equal((await post(server, 'very slow')).status, 200);
    await sink.waitFor(11);
    assert.deepEqual(sink.duplicates(), []);
  });
});

describe('two processes and one file', () => {
  it('whose last two emails they purge: the second one waits, and takes it along', async (t) => {
    const { server } = await serve(t);
    const other = await openDatabase(server.databaseUrl);
    t.after(() => other.close());
    const messageVersions = [{ to: [{ email: 'a@example.org' }] }, { to: [{ email: 'b@example.org' }] }];
    const body = mail({ attachment: [{ name: 'a.txt', content: 'c2hhcmVk' }], messageVersions });
    const [first = '', second = ''] = messageIdsOf(await send(server, body));
    await drained(server);
    let commit = () => {};
    let purging: Promise<void> | null = null;
    await new Promise<void>((purged) => {
      purging = other.write(async (tx) => {
        await purgeContent(tx, 'default', emailIdOf(first), server.clock.now());
        purged();
        await new Promise<void>((resolve) => {
          commit = resolve;
        });
      });
    });
    const path = `/v3/smtp/log/${encodeURIComponent(second)}`;
    const forgetting = server.call('DELETE', path, undefined, asBrevo());
    await waitsForLock(t, server);
    commit();
    await purging;
    assert.equal((await forgetting).status, 204);
    assert.deepEqual(await other.all('select id from shared_files'), []);
  });
});

/** Some session waits for another one's transaction. */
async function waitsForLock(t: TestContext, server: TestServer): Promise<void> {
  const client = new pg.Client({ connectionString: server.databaseUrl });
  client.on('error', () => {});
  await client.connect();
  t.after(() => client.end());
  for (;;) {
    const { rows } = await client.query("select 1 from pg_stat_activity where wait_event_type = 'Lock'");
    if (rows.length > 0) return;
  }
}
