/** Senders that an account has named, and mail that comes from them. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addApiKey, serve } from '../support/served.ts';
import type { TestServer } from '../support/server.ts';
import { asBrevo, assertMailed, mail, messageIdsOf, readMail, send } from './brevo.ts';

function call(server: TestServer, method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  return server.call(method, `/v3/senders${path}`, body, asBrevo(headers));
}

describe('senders', () => {
  test('are created, listed, changed and deleted', async (t) => {
    const { server } = await serve(t);
    const made = await call(server, 'POST', '', { name: 'Acme', email: 'hello@example.com' });
    assert.deepEqual([made.status, made.json], [201, { id: 1, spfError: false, dkimError: false }]);
    assert.equal((await call(server, 'POST', '', { name: 'Shop', email: 'shop@example.net' })).json.id, 2);
    const changed = await call(server, 'PUT', '/1', { name: 'Acme Ltd.' });
    assert.deepEqual([changed.status, changed.text, changed.headers.get('content-type')], [204, '', null]);
    assert.equal((await call(server, 'PUT', '/1/validate', { otp: 123456 })).status, 204);
    const listed = await call(server, 'GET', '');
    assert.deepEqual(listed.json, {
      senders: [
        { id: 1, name: 'Acme Ltd.', email: 'hello@example.com', active: true, ips: [] },
        { id: 2, name: 'Shop', email: 'shop@example.net', active: true, ips: [] },
      ],
    });
    assert.equal((await call(server, 'GET', '?domain=example.net')).json.senders[0].id, 2);
    assert.equal((await call(server, 'DELETE', '/1')).status, 204);
    assert.deepEqual(
      [(await call(server, 'DELETE', '/1')).status, (await call(server, 'PUT', '/1', {})).status],
      [404, 404],
    );
  });

  test('are refused where they are wrong or there already', async (t) => {
    const { server } = await serve(t);
    await call(server, 'POST', '', { name: 'Acme', email: 'hello@example.com' });
    await call(server, 'POST', '', { name: 'Shop', email: 'shop@example.com' });
    const cases: [string, string, unknown, string][] = [
      ['POST', '', { name: 'Again', email: 'hello@example.com' }, 'duplicate_parameter'],
      ['PUT', '/2', { email: 'hello@example.com' }, 'duplicate_parameter'],
      ['POST', '', { email: 'a@example.com' }, 'missing_parameter'],
      ['POST', '', { name: 'A' }, 'missing_parameter'],
      ['POST', '', { name: 'A', email: 'nobody' }, 'invalid_parameter'],
      ['POST', '', { name: 'A\r\nBcc: x@y.org', email: 'a@example.com' }, 'invalid_parameter'],
      ['POST', '', [], 'invalid_parameter'],
    ];
    for (const [method, path, body, code] of cases) {
      const reply = await call(server, method, path, body);
      assert.deepEqual([reply.status, reply.json.code], [400, code], JSON.stringify(body));
    }
  });

  test('have numbers that are never given again: programs hold them in their code', async (t) => {
    const { server } = await serve(t);
    for (const [number, name] of ['a', 'b'].entries()) {
      const { json } = await call(server, 'POST', '', { name, email: `${name}@example.com` });
      assert.equal(json.id, number + 1);
    }
    assert.equal((await call(server, 'DELETE', '/2')).status, 204);
    assert.equal((await call(server, 'POST', '', { name: 'c', email: 'c@example.com' })).json.id, 3);
  });

  test('stand for their name and address in a send, and belong to their account', async (t) => {
    const { server, sink } = await serve(t);
    const other = await addApiKey(server, 'xkeysib-other', 'other');
    await call(server, 'POST', '', { name: 'Acme, Ltd.', email: 'hello@example.com' });
    const reply = await send(server, mail({ sender: { id: 1, name: 'ignored' } }));
    const [messageId = ''] = messageIdsOf(reply);
    await assertMailed(server, sink, [messageId]);
    assert.deepEqual((await readMail(sink, messageId)).from, ['Acme, Ltd. <hello@example.com>']);
    const theirs = { 'api-key': other };
    assert.equal((await send(server, mail({ sender: { id: 1 } }), theirs)).status, 400);
    assert.deepEqual((await call(server, 'GET', '', undefined, theirs)).json, { senders: [] });
    assert.equal((await call(server, 'DELETE', '/1', undefined, theirs)).status, 404);
  });
});
