/** The official Node SDKs, of today and of the 2.x many programs still use, told nothing but another base URL. */

import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { BrevoClient, BrevoError } from '@getbrevo/brevo';
import {
  AccountApi,
  AccountApiApiKeys,
  HttpError,
  TransactionalEmailsApi,
  TransactionalEmailsApiApiKeys,
} from 'brevo-2';
import { startLossyProxy } from '../support/lossy-proxy.ts';
import { serve } from '../support/served.ts';
import { testKey } from '../support/server.ts';
import { assertMailed, duplicateMessage, readMail } from './brevo.ts';

const someMail = {
  sender: { name: 'Acme', email: 'hello@example.com' },
  to: [{ email: 'ann@example.org', name: 'Ann' }],
  subject: 'Hello {{params.name}}',
  htmlContent: '<p>Hi {{params.name}}</p>',
  params: { name: 'Ann' },
};
const someVersions = [
  { to: [{ email: 'a@example.org' }] },
  { to: [{ email: 'b@example.org' }], params: { name: 'B' } },
];
const someKey = { idempotencyKey: '2d0f7c52-6a0f-4d7e-9a43-6d3c0d0b1c5e' };

async function start(t: TestContext) {
  const served = await serve(t);
  const { transactionalEmails } = new BrevoClient({ apiKey: testKey, baseUrl: `${served.server.url}/v3` });
  const old = new TransactionalEmailsApi(`${served.server.url}/v3`);
  old.setApiKey(TransactionalEmailsApiApiKeys.apiKey, testKey);
  return { ...served, transactionalEmails, old };
}

/** What the newest SDK throws. */
async function brevoError(
  promise: Promise<unknown>,
): Promise<{ status: number | undefined; body: Record<string, unknown> }> {
  try {
    await promise;
  } catch (error) {
    assert(error instanceof BrevoError, String(error));
    return { status: error.statusCode, body: error.body as Record<string, unknown> };
  }
  assert.fail('expected an error');
}

describe('@getbrevo/brevo, newest', () => {
  test('sends, with a key and without, and its repeat is an error that carries the first messageId', async (t) => {
    const { transactionalEmails, server, sink } = await start(t);
    const without = await transactionalEmails.sendTransacEmail(someMail);
    const first = await transactionalEmails.sendTransacEmail({ ...someMail, headers: someKey });
    const refused = await brevoError(transactionalEmails.sendTransacEmail({ ...someMail, headers: someKey }));
    assert.deepEqual(refused, {
      status: 400,
      body: { code: 'duplicate_parameter', message: duplicateMessage, messageId: first.messageId },
    });
    await assertMailed(server, sink, [without.messageId ?? '', first.messageId ?? '']);
    const { subject, html } = await readMail(sink, first.messageId ?? '');
    assert.deepEqual([subject, html], ['Hello Ann', '<p>Hi Ann</p>']);
  });

  test('sends versions, and gets their ids in order', async (t) => {
    const { transactionalEmails, server, sink } = await start(t);
    const { messageId, messageIds = [] } = await transactionalEmails.sendTransacEmail({
      ...someMail,
      to: undefined,
      messageVersions: someVersions,
    });
    assert.deepEqual([messageId, messageIds.length], [undefined, 2]);
    await assertMailed(server, sink, messageIds);
    assert.equal((await readMail(sink, messageIds[1] ?? '')).subject, 'Hello B');
  });

  test('retries by itself after a 502 behind which the mail was accepted: one mail, and the error has its messageId', async (t) => {
    const { server, sink } = await start(t);
    const proxy = await startLossyProxy(t, server.url, 1);
    const { transactionalEmails } = new BrevoClient({ apiKey: testKey, baseUrl: `${proxy.url}/v3` });
    const { status, body } = await brevoError(transactionalEmails.sendTransacEmail({ ...someMail, headers: someKey }));
    assert.equal(proxy.requests(), 2);
    assert.deepEqual([status, body.code, body.message], [400, 'duplicate_parameter', duplicateMessage]);
    await assertMailed(server, sink, [String(body.messageId)]);
  });

  test('without a key that retry is a second mail, as with the real API', async (t) => {
    const { server, sink } = await start(t);
    const proxy = await startLossyProxy(t, server.url, 1);
    const { transactionalEmails } = new BrevoClient({ apiKey: testKey, baseUrl: `${proxy.url}/v3` });
    await transactionalEmails.sendTransacEmail(someMail);
    await sink.waitFor(2);
    assert.equal(proxy.requests(), 2);
  });

  test('understands refusals, and what the account is', async (t) => {
    const { server, transactionalEmails } = await start(t);
    const refused = await brevoError(transactionalEmails.sendTransacEmail({ ...someMail, to: [{ email: 'nobody' }] }));
    assert.deepEqual(refused, {
      status: 400,
      body: { code: 'invalid_parameter', message: 'email is not valid in to' },
    });
    const stranger = new BrevoClient({ apiKey: 'xkeysib-wrong', baseUrl: `${server.url}/v3`, maxRetries: 0 });
    const unknown = await brevoError(stranger.transactionalEmails.sendTransacEmail(someMail));
    assert.deepEqual([unknown.status, unknown.body.code, unknown.body.message], [401, 'unauthorized', 'Key not found']);
    const { account, senders } = new BrevoClient({ apiKey: testKey, baseUrl: `${server.url}/v3` });
    const { companyName, relay } = await account.getAccount();
    assert.deepEqual([companyName, relay?.enabled], ['default', true]);
    const { id } = await senders.createSender({ name: 'Shop', email: 'shop@example.com' });
    await senders.updateSender({ senderId: id, name: 'The shop' });
    assert.equal((await senders.getSenders()).senders?.[0]?.name, 'The shop');
    await senders.deleteSender({ senderId: id });
  });
});

describe('@getbrevo/brevo 2.x', () => {
  test('sends, with a key and without, and its repeat is an HttpError that carries the first messageId', async (t) => {
    const { old, server, sink } = await start(t);
    const without = await old.sendTransacEmail(someMail);
    const first = await old.sendTransacEmail({ ...someMail, headers: someKey });
    assert.equal(first.response.statusCode, 201);
    await assert.rejects(old.sendTransacEmail({ ...someMail, headers: someKey }), (error) => {
      assert(error instanceof HttpError);
      assert.equal(error.statusCode, 400);
      assert.deepEqual(error.body, {
        code: 'duplicate_parameter',
        message: duplicateMessage,
        messageId: first.body.messageId,
      });
      return true;
    });
    await assertMailed(server, sink, [String(without.body.messageId), String(first.body.messageId)]);
  });

  test('sends versions, and asks for the account', async (t) => {
    const { old, server, sink } = await start(t);
    const { body } = await old.sendTransacEmail({
      ...someMail,
      messageVersions: someVersions.map(({ to }) => ({ to })),
    });
    await assertMailed(server, sink, body.messageIds ?? []);
    const accounts = new AccountApi(`${server.url}/v3`);
    accounts.setApiKey(AccountApiApiKeys.apiKey, testKey);
    assert.equal((await accounts.getAccount()).body.companyName, 'default');
  });
});
