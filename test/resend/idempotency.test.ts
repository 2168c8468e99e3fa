/** What an idempotency key promises, request by request. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { firstAccount } from '../../src/core/account.ts';
import { hashToken } from '../../src/core/token.ts';
import { openDatabase } from '../support/engine.ts';
import { addApiKey, allEmails } from '../support/served.ts';
import { message, startTestServer, type TestReply, type TestServer, testKey } from '../support/server.ts';
import { exchange } from '../support/wire.ts';

const mismatch =
  "This idempotency key has been used with this HTTP method and endpoint within the last 24 hours, but the request body was modified and doesn't match the original request.";

describe('an idempotency key', () => {
  let server: TestServer;
  let lastKey = 0;
  before(async () => {
    server = await startTestServer();
    await addApiKey(server, 're_rotated', firstAccount);
    await addApiKey(server, 're_stranger', 'stranger');
  });
  after(() => server.stop());

  const freshKey = () => `test/${++lastKey}`;

  function send(key: string, body: unknown = message(), headers: Record<string, string> = {}): Promise<TestReply> {
    return server.call('POST', '/emails', body, { 'idempotency-key': key, ...headers });
  }

  function sendBatch(key: string, body: unknown, headers: Record<string, string> = {}): Promise<TestReply> {
    return server.call('POST', '/emails/batch', body, { 'idempotency-key': key, ...headers });
  }

  /** The email accepted now is another one than `first`. */
  function assertNew(reply: TestReply, first: TestReply): void {
    assert.equal(reply.status, 200, reply.text);
    assert.equal(reply.headers.get('idempotent-replayed'), null);
    assert.notEqual(reply.text, first.text);
  }

  function assertReplay(reply: TestReply, first: TestReply): void {
    assert.equal(first.status, 200, first.text);
    assert.deepEqual([reply.status, reply.text], [200, first.text]);
    assert.equal(reply.headers.get('idempotent-replayed'), 'true');
    assert.equal(first.headers.get('idempotent-replayed'), null);
  }

  function assertConflict(reply: TestReply, fields: string[], hint?: RegExp): void {
    assert.equal(reply.status, 409, reply.text);
    assert.deepEqual([reply.json.name, reply.json.message], ['invalid_idempotent_request', mismatch]);
    assert.deepEqual(reply.json.different_fields, fields);
    if (hint) assert.match(reply.json.hint, hint);
    else assert.equal(reply.json.hint, undefined);
  }

  describe('answers a repeated request with the first answer', () => {
    test('byte for byte', async () => {
      const key = freshKey();
      const first = await send(key);
      assertReplay(await send(key), first);
      assertReplay(await send(key), first);
    });

    test('also when its JSON comes in another order and with other spaces', async () => {
      const key = freshKey();
      const first = await send(
        key,
        message({ tags: [{ name: 'a', value: 'b' }], headers: { 'X-A': '1', 'X-B': '2' } }),
      );
      const reordered = {
        headers: { 'X-B': '2', 'X-A': '1' },
        tags: [{ value: 'b', name: 'a' }],
        ...Object.fromEntries(Object.entries(message()).reverse()),
      };
      assertReplay(await send(key, JSON.stringify(reordered, null, 2)), first);
    });

    test('also after the API key was rotated', async () => {
      const key = freshKey();
      const first = await send(key);
      assertReplay(await send(key, message(), { authorization: 'Bearer re_rotated' }), first);
    });

    test('whatever characters it is made of', async () => {
      for (const key of ['a b/c:d?e#f%g"h\\i', '£µ', 'ключ-日本', '\u{1f600}'.repeat(256), 'x'.repeat(256)]) {
        const bytes = Buffer.from(key).toString('latin1');
        const first = await send(bytes);
        assertReplay(await send(bytes), first);
      }
    });
  });

  describe('made of other bytes is another one', () => {
    test('also where one is UTF-8 and the other is Latin-1 for the same text', async () => {
      const [byte, text] = ['\xff', Buffer.from('\xff').toString('latin1')];
      const first = await send(byte);
      assertNew(await send(text), first);
      assertReplay(await send(byte), first);
    });
  });

  describe('that an older version stored, for one text in either writing,', () => {
    const former = async (text: string, bytes: string, again: string) => {
      const first = await send(bytes);
      const database = await openDatabase(server.databaseUrl);
      const old = hashToken(JSON.stringify(['resend POST /emails', text]));
      const change = 'update idempotency_keys set key_hash = ? where email_ids = ?';
      await database.write((tx) => tx.run(change, old, JSON.stringify([first.json.id])));
      await database.close();
      assertReplay(await send(again), first);
      assertConflict(await send(again, message({ subject: 'other' })), ['subject']);
    };

    test('is found by both, and sends nothing twice', async () => {
      await former('former \xff', 'former \xff', 'former \xff');
      const utf8 = Buffer.from('former \xfe').toString('latin1');
      await former('former \xfe', utf8, utf8);
      await former('former \xfd', Buffer.from('former \xfd').toString('latin1'), 'former \xfd');
    });
  });

  describe('refuses another request', () => {
    test('and names every field that differs', async () => {
      const key = freshKey();
      const first = await send(key);
      const change = {
        from: 'other@acme.example',
        to: ['foo@gmail.com', 'more@gmail.com'],
        subject: 'other',
        bcc: 'b@b.org',
        cc: ['c@c.org'],
        reply_to: 'r@r.org',
        html: '<p>other</p>',
        text: 'other',
        headers: { 'X-A': '1' },
        scheduled_at: 'in 1 hour',
        attachments: [{ content: 'aGk=', filename: 'a.txt' }],
        tags: [{ name: 'a', value: 'b' }],
        topic_id: 't',
      };
      const refused = await send(key, message(change));
      assertConflict(refused, Object.keys(change));
      assert.deepEqual(refused.json.email_ids, [first.json.id]);
      assertReplay(await send(key), first);
    });

    test('and says so when only fields that are ignored, or the writing, differ', async () => {
      const key = freshKey();
      await send(key);
      for (const change of [{ sent_by: 'me' }, { to: 'foo@gmail.com' }, { cc: null }]) {
        assertConflict(await send(key, message(change)), [], /^The email is the same; only fields that are ignored/);
      }
    });

    test('and says so when it cannot compare them', async () => {
      const key = freshKey();
      await send(key);
      assertConflict(await send(key, message({ to: 'nobody' })), [], /cannot be told: this request is not valid/);
    });

    test('and names the email of a batch', async () => {
      const key = freshKey();
      const batch = [message(), message({ subject: 'second' }), message()];
      await sendBatch(key, batch);
      assertConflict(await sendBatch(key, [message({ html: 'x' }), message(), message()]), ['[0].html', '[1].subject']);
      assertConflict(await sendBatch(key, [message()]), ['length']);
    });
  });

  describe('belongs to one account and endpoint', () => {
    test('POST /emails and POST /emails/batch do not share it', async () => {
      const key = freshKey();
      const single = await send(key);
      const batch = await sendBatch(key, [message()]);
      assertNew(batch, single);
      assert.notEqual(batch.json.data[0].id, single.json.id);
      assertReplay(await send(key), single);
      assertReplay(await sendBatch(key, [message()]), batch);
    });

    test('two accounts do not share it', async () => {
      const key = freshKey();
      const ours = await send(key);
      const theirs = await send(key, message(), { authorization: 're_stranger' });
      assertNew(theirs, ours);
      assertReplay(await send(key, message(), { authorization: 're_stranger' }), theirs);
    });

    test('letters count as they are written', async () => {
      const key = freshKey();
      assertNew(await send(key.toUpperCase()), await send(key));
    });

    test('without one, each request is a new email', async () => {
      assertNew(await server.call('POST', '/emails', message()), await server.call('POST', '/emails', message()));
    });
  });

  describe('is not used up by a refusal', () => {
    test('the corrected request goes through under the same key', async () => {
      const key = freshKey();
      assert.equal((await send(key, message({ to: 'nobody' }))).status, 422);
      assert.equal((await send(key, '{')).status, 400);
      assert.equal((await send(key, message(), { authorization: 're_wrong' })).status, 401);
      const first = await send(key);
      assertReplay(await send(key), first);
    });

    test('a strict batch with one bad email takes no key and sends nothing', async () => {
      const key = freshKey();
      const earlier = (await allEmails(server)).length;
      assert.equal((await sendBatch(key, [message(), message({ to: 'nobody' })])).status, 422);
      assert.equal((await allEmails(server)).length, earlier);
      const first = await sendBatch(key, [message(), message()]);
      assertReplay(await sendBatch(key, [message(), message()]), first);
    });

    test('a permissive batch in which nothing is valid takes no key', async () => {
      const key = freshKey();
      const permissive = { 'x-batch-validation': 'permissive' };
      const nothing = await sendBatch(key, [message({ to: [] })], permissive);
      assert.equal(nothing.text, '{"data":[],"errors":[{"index":0,"message":"Missing `to` field."}]}');
      const first = await sendBatch(key, [message()], permissive);
      assertReplay(await sendBatch(key, [message()], permissive), first);
    });

    test('a permissive batch is replayed with its errors', async () => {
      const key = freshKey();
      const permissive = { 'x-batch-validation': 'permissive' };
      const batch = [message(), message({ to: [] })];
      const first = await sendBatch(key, batch, permissive);
      assert.deepEqual(first.json.errors, [{ index: 1, message: 'Missing `to` field.' }]);
      assertReplay(await sendBatch(key, batch, permissive), first);
    });
  });

  test('the validation mode of a batch is part of the request, and absent means strict', async () => {
    const key = freshKey();
    const first = await sendBatch(key, [message()]);
    assertReplay(await sendBatch(key, [message()], { 'x-batch-validation': 'strict' }), first);
    const refused = await sendBatch(key, [message()], { 'x-batch-validation': 'permissive' });
    assertConflict(refused, [], /`x-batch-validation` header/);
  });

  describe('has 1 to 256 characters and comes once', () => {
    const headers: Record<string, [string, string][]> = {
      'an empty one': [['Idempotency-Key', '']],
      'one of spaces': [['Idempotency-Key', '   ']],
      'one of 257 characters': [['Idempotency-Key', 'x'.repeat(257)]],
      'one sent twice': [
        ['Idempotency-Key', 'twice'],
        ['idempotency-key', 'twice'],
      ],
    };
    for (const [what, keys] of Object.entries(headers)) {
      test(`${what} is refused, for single emails and batches`, async () => {
        for (const path of ['/emails', '/emails/batch']) {
          const body = JSON.stringify(path === '/emails' ? message() : [message()]);
          const all: [string, string][] = [['Authorization', testKey], ...keys];
          const { status, json } = await exchange(server.url, { method: 'POST', path, headers: all, body });
          assert.deepEqual([status, json.name], [400, 'invalid_idempotency_key']);
          const says = what === 'one sent twice' ? /sent more than once/ : /^Idempotency keys, if present, must have/;
          assert.match(json.message, says);
        }
      });
    }
  });

  describe('that looks like an accident works, with a warning', () => {
    for (const key of ['None', 'undefined', 'null', 'NaN', '[object Object]']) {
      test(`as ${key} does`, async () => {
        const first = await send(key);
        assert.match(first.headers.get('sendonce-warning') ?? '', /probably an unset variable/);
        assertReplay(await send(key), first);
      });
    }

    test('as one in the body does, which is ignored', async () => {
      for (const member of ['idempotency_key', 'idempotencyKey']) {
        const body = message({ [member]: 'in-the-body' });
        const first = await server.call('POST', '/emails', body);
        assert.match(first.headers.get('sendonce-warning') ?? '', /in the body is ignored/);
        assertNew(await server.call('POST', '/emails', body), first);
      }
    });

    test('and an ordinary one has none', async () => {
      assert.equal((await send(freshKey())).headers.get('sendonce-warning'), null);
    });
  });
});
