/** Scheduled sends: when they leave, how they are asked for, and how they are called off, alone or by their batchId. */

import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { BrevoClient } from '@getbrevo/brevo';
import { TransactionalEmailsApi, TransactionalEmailsApiApiKeys } from 'brevo-2';
import { addApiKey, serve } from '../support/served.ts';
import { type TestServer, testKey } from '../support/server.ts';
import { asBrevo, assertMailed, mail, messageIdsOf, send } from './brevo.ts';

const hourMs = 3_600_000;
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const batch = '5c6cfa04-eed9-42c2-8b5c-6d470d978e9d';
const isoIn = (ms: number) => new Date(Date.now() + ms).toISOString();

async function start(t: TestContext) {
  const served = await serve(t);
  const { transactionalEmails } = new BrevoClient({ apiKey: testKey, baseUrl: `${served.server.url}/v3` });
  return { ...served, transactionalEmails };
}

function call(server: TestServer, method: string, path: string, headers: Record<string, string> = {}) {
  return server.call(method, `/v3/smtp/${path}`, undefined, asBrevo(headers));
}

describe('scheduledAt', () => {
  test('is 202 with the batchId, made where it is missing, and the mail leaves when it is time', async (t) => {
    const { server, sink } = await start(t);
    const reply = await send(server, mail({ scheduledAt: isoIn(hourMs) }));
    assert.equal(reply.status, 202, reply.text);
    assert.deepEqual(Object.keys(reply.json), ['messageId', 'batchId']);
    assert.match(reply.json.batchId, uuid);
    await server.tick();
    assert.equal(sink.count, 0);
    server.clock.advance(hourMs);
    await server.until('it left', () => sink.count === 1);
    await assertMailed(server, sink, messageIdsOf(reply));
  });

  test('is read in each form the SDKs write, and its offset counts', async (t) => {
    const { server, transactionalEmails } = await start(t);
    const at = Math.floor(Date.now() / 1_000) * 1_000 + 5 * hourMs;
    const local = new Date(at + 5.5 * hourMs).toISOString().slice(0, 19);
    for (const scheduledAt of [new Date(at).toISOString(), `${local}+05:30`, `${local}.000+05:30`]) {
      const [identifier = ''] = messageIdsOf(await send(server, mail({ scheduledAt })));
      const status = await transactionalEmails.getScheduledEmailById({ identifier });
      assert.equal(Date.parse((status as { scheduledAt: string }).scheduledAt), at, scheduledAt);
    }
  });

  test('that has just passed sends at once', async (t) => {
    const { server, sink } = await start(t);
    const reply = await send(server, mail({ scheduledAt: isoIn(-60_000) }));
    assert.equal(reply.status, 202);
    await sink.waitFor(1);
    await assertMailed(server, sink, messageIdsOf(reply));
  });
});

describe('a batch', () => {
  test('is several sends under one batchId, asked for and called off together, with the newest SDK', async (t) => {
    const { server, sink, transactionalEmails } = await start(t);
    const versions = [{ to: [{ email: 'a@example.org' }] }, { to: [{ email: 'b@example.org' }] }];
    const scheduled = { scheduledAt: isoIn(hourMs), batchId: batch };
    const one = await transactionalEmails.sendTransacEmail({ ...(mail() as object), ...scheduled });
    await transactionalEmails.sendTransacEmail({ ...(mail() as object), ...scheduled, messageVersions: versions });
    assert.equal((one as { batchId?: string }).batchId, batch);
    const status = (await transactionalEmails.getScheduledEmailById({ identifier: batch })) as {
      count: number;
      batches: { status: string; scheduledAt: string; createdAt: string }[];
    };
    assert.equal(status.count, 3);
    assert.deepEqual(new Set(status.batches.map((each) => each.status)), new Set(['queued']));
    assert.equal(Date.parse(status.batches[0]?.scheduledAt ?? ''), Date.parse(scheduled.scheduledAt));
    await transactionalEmails.deleteScheduledEmailById({ identifier: batch });
    server.clock.advance(hourMs);
    await assertMailed(server, sink, []);
    assert.equal((await call(server, 'GET', `emailStatus/${batch}`)).status, 404);
    assert.equal((await call(server, 'DELETE', `email/${batch}`)).status, 404);
  });

  test('pages, sorts and filters what it tells', async (t) => {
    const { server, sink } = await start(t);
    await send(server, mail({ scheduledAt: isoIn(hourMs), batchId: batch }));
    await send(server, mail({ scheduledAt: isoIn(2 * hourMs), batchId: batch.toUpperCase() }));
    server.clock.advance(hourMs);
    await server.until('one left', () => sink.count === 1);
    await server.until('it was settled', async () => {
      const { json } = await call(server, 'GET', `emailStatus/${batch}?status=processed`);
      return json.count === 1;
    });
    const statuses = async (query: string) => {
      const { json } = await call(server, 'GET', `emailStatus/${batch}?${query}`);
      return json.batches.map((one: { status: string }) => one.status);
    };
    assert.deepEqual(await statuses(''), ['queued', 'processed']);
    assert.deepEqual(await statuses('sort=asc'), ['processed', 'queued']);
    assert.deepEqual(await statuses('limit=1&offset=1'), ['processed']);
    assert.deepEqual(await statuses('status=queued'), ['queued']);
    const tooMany = await call(server, 'GET', `emailStatus/${batch}?limit=501`);
    assert.deepEqual([tooMany.status, tooMany.json.code], [400, 'out_of_range']);
    assert.equal((await call(server, 'GET', `emailStatus/${batch}?status=lost`)).status, 400);
    // One has left, the other has not: called off is what can be.
    assert.equal((await call(server, 'DELETE', `email/${batch}`)).status, 204);
    assert.deepEqual(await statuses(''), ['processed']);
    const tooLate = await call(server, 'DELETE', `email/${batch}`);
    assert.deepEqual([tooLate.status, tooLate.json.code], [400, 'invalid_parameter']);
    server.clock.advance(2 * hourMs);
    await server.tick();
    assert.equal(sink.count, 1);
  });
});

describe('one scheduled email', () => {
  test('is asked for and called off by its messageId, with SDK 2.x', async (t) => {
    const { server, sink } = await start(t);
    const old = new TransactionalEmailsApi(`${server.url}/v3`);
    old.setApiKey(TransactionalEmailsApiApiKeys.apiKey, testKey);
    const scheduledAt = new Date(Date.now() + hourMs);
    const { body, response } = await old.sendTransacEmail({ ...(mail() as object), scheduledAt });
    assert.equal(response.statusCode, 202);
    const messageId = String(body.messageId);
    const { json } = await call(server, 'GET', `emailStatus/${encodeURIComponent(messageId)}`);
    assert.deepEqual(Object.keys(json), ['scheduledAt', 'createdAt', 'status']);
    assert.deepEqual([Date.parse(json.scheduledAt), json.status], [scheduledAt.getTime(), 'queued']);
    const deleted = await old.deleteScheduledEmailById(messageId);
    assert.equal(deleted.response.statusCode, 204);
    server.clock.advance(hourMs);
    await assertMailed(server, sink, []);
    assert.equal((await call(server, 'GET', `emailStatus/${encodeURIComponent(messageId)}`)).status, 404);
  });

  test('of another account, or one that never was scheduled, is 404', async (t) => {
    const { server } = await start(t);
    const theirs = { 'api-key': await addApiKey(server, 'xkeysib-other', 'other') };
    const [scheduled = ''] = messageIdsOf(await send(server, mail({ scheduledAt: isoIn(hourMs), batchId: batch })));
    const [plain = ''] = messageIdsOf(await send(server, mail()));
    for (const [method, path] of [
      ['GET', 'emailStatus'],
      ['DELETE', 'email'],
    ]) {
      for (const identifier of [scheduled, batch]) {
        const reply = await call(server, method ?? '', `${path}/${encodeURIComponent(identifier)}`, theirs);
        assert.deepEqual([reply.status, reply.json.code], [404, 'document_not_found']);
      }
      for (const identifier of [plain, 'nothing', '00000000-0000-4000-8000-000000000000', '<x@y>']) {
        const reply = await call(server, method ?? '', `${path}/${encodeURIComponent(identifier)}`);
        assert.deepEqual([reply.status, reply.json.code], [404, 'document_not_found'], identifier);
      }
    }
    assert.equal((await call(server, 'GET', `emailStatus/${encodeURIComponent(scheduled)}`)).json.status, 'queued');
  });
});
