/** A file that several emails of one request carry: kept once, sent with each, and gone with the last. */

import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { type Bend, bendDatabase } from '../support/bent-database.ts';
import { openDatabase } from '../support/engine.ts';
import { drained, serve } from '../support/served.ts';
import type { TestServer } from '../support/server.ts';
import { asBrevo, assertMailed, emailIdOf, mail, messageIdsOf, readMail, send } from './brevo.ts';

const hourMs = 60 * 60_000;

type Files = { name: string; content: string }[];

/** To this many recipients, in versions of one request, an hour from now. */
function versions(count: number, attachment: Files, change: Record<string, unknown> = {}): Record<string, unknown> {
  const messageVersions = Array.from({ length: count }, (_, index) => ({ to: [{ email: `u${index}@example.org` }] }));
  const scheduledAt = new Date(Date.now() + hourMs).toISOString();
  return mail({ attachment, messageVersions, scheduledAt, ...change });
}

const fileOf = (text: string): Files => [{ name: 'a.txt', content: Buffer.from(text).toString('base64') }];

/** Bytes of files in the database, and how many shared files they are in. */
async function stored(server: TestServer): Promise<{ bytes: number; files: number }> {
  const database = await openDatabase(server.databaseUrl);
  const [found] = await database.all<{ bytes: number; files: number }>(
    `select cast(coalesce((select sum(length(content)) from attachments), 0)
       + coalesce((select sum(length(content)) from shared_files), 0) as bigint) as bytes,
       (select count(*) from shared_files) as files`,
  );
  await database.close();
  assert.ok(found);
  return found;
}

/** Takes it back and out of the log, which ends what was kept of it. */
async function forget(server: TestServer, messageId: string): Promise<void> {
  for (const path of ['email', 'log']) {
    const reply = await server.call(
      'DELETE',
      `/v3/smtp/${path}/${encodeURIComponent(messageId)}`,
      undefined,
      asBrevo(),
    );
    assert.equal(reply.status, 204, `${path}: ${reply.text}`);
  }
}

/** What is stored once all versions but the last were forgotten, and once that was, too. */
async function forgetOneByOne(t: TestContext, bends: Bend[]): Promise<number[]> {
  const { server } = await serve(t, { outside: { database: (own) => bendDatabase(own, bends) } });
  const sent = messageIdsOf(await send(server, versions(3, fileOf('shared'))));
  const bytes = [];
  for (const messageId of sent) {
    await forget(server, messageId);
    bytes.push((await stored(server)).bytes);
  }
  return bytes;
}

describe('a file that versions of a request share', () => {
  test('is stored once for a thousand of them, and gone when they are purged', async (t) => {
    const { server } = await serve(t, { environment: { RETENTION_DAYS: '1' } });
    const text = 'x'.repeat(95_000);
    const sent = messageIdsOf(await send(server, versions(1_000, fileOf(text), { batchId: crypto.randomUUID() })));
    assert.equal(sent.length, 1_000);
    assert.deepEqual(await stored(server), { bytes: 95_000, files: 1 });
    const { json } = await server.call('GET', `/emails/${emailIdOf(sent[999] ?? '')}/attachments`);
    assert.equal(json.data[0].size, 95_000);
    const download = await fetch(json.data[0].download_url);
    assert.equal(await download.text(), text);
    const database = await openDatabase(server.databaseUrl);
    await database.write((tx) => tx.run("update deliveries set state = 'canceled' where state = 'queued'"));
    await database.close();
    server.clock.advance(49 * hourMs);
    await server.until('the file is purged', async () => (await stored(server)).files === 0);
    assert.deepEqual(await stored(server), { bytes: 0, files: 0 });
  });

  test('leaves with each, also with the last that is left', async (t) => {
    const { server, sink } = await serve(t);
    const both = [...fileOf('first'), { name: 'b.txt', content: Buffer.from('second').toString('base64') }];
    const now = messageIdsOf(await send(server, versions(2, both, { scheduledAt: undefined })));
    await assertMailed(server, sink, now);
    const files = [
      ['a.txt', 'text/plain', 'first'],
      ['b.txt', 'text/plain', 'second'],
    ];
    for (const messageId of now) assert.deepEqual((await readMail(sink, messageId)).files, files);
    const later = messageIdsOf(await send(server, versions(3, both)));
    // The first gave the file its name.
    for (const messageId of later.slice(0, 2)) await forget(server, messageId);
    assert.deepEqual(await stored(server), { bytes: 22, files: 4 });
    server.clock.advance(2 * hourMs);
    await server.until('the last one left', () => sink.count === 3);
    assert.deepEqual((await readMail(sink, later[2] ?? '')).files, files);
    await drained(server);
  });

  test('stays with an email that has no other to share it with', async (t) => {
    const { server } = await serve(t);
    assert.equal((await send(server, versions(1, fileOf('alone')))).status, 202);
    assert.deepEqual(await stored(server), { bytes: 5, files: 0 });
    // Two requests share nothing, and what they keep of one says nothing of the other.
    for (let count = 0; count < 2; count += 1) await send(server, versions(2, fileOf('alone')));
    assert.deepEqual(await stored(server), { bytes: 15, files: 2 });
  });

  test('goes with the last of them, not before', async (t) => {
    assert.deepEqual(await forgetOneByOne(t, []), [6, 6, 0]);
  });

  test('would go too early, or stay, if its uses were counted wrongly: the control', async (t) => {
    const counting = { when: 'update shared_files set uses', find: 'uses - 1' };
    assert.deepEqual(await forgetOneByOne(t, [{ ...counting, replace: 'uses - 2 + uses % 2' }]), [6, 0, 0]);
    assert.deepEqual(await forgetOneByOne(t, [{ ...counting, replace: 'uses' }]), [6, 6, 6]);
  });
});
