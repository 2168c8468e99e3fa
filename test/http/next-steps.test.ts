/** Refusals that say what to do next: the vendor's words stay to the byte, the next step stands behind or beside them. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cannotRead } from '../../src/core/error.ts';
import { renderError } from '../../src/http/resend/errors.ts';
import { message, startTestServer, type TestServer } from '../support/server.ts';

describe('a refusal says what to do next', () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer();
  });
  after(() => server.stop());

  const messageOf = async (method: string, path: string, body?: unknown) =>
    (await server.call(method, path, body)).json.message as string;

  test('a path that is nearly one there is names that one, after the contract’s sentence', async () => {
    const cases: [method: string, path: string, meant: string][] = [
      ['POST', '/emial', 'Did you mean /emails?'],
      ['POST', '/Emails', 'Did you mean /emails?'],
      ['POST', '/api/emails', 'Did you mean /emails?'],
      ['POST', '/emails/some-id/cancle', 'Did you mean /emails/some-id/cancel?'],
      ['GET', '/webhook', 'Did you mean /webhooks?'],
      ['POST', '/emails/', 'This path ends with a slash: ask /emails. A base URL has no slash at its end.'],
      ['POST', '//emails', 'This path has a doubled slash: ask /emails. A base URL has no slash at its end.'],
      [
        'POST',
        '//v3/smtp/email',
        'This path has a doubled slash: ask /v3/smtp/email. A base URL has no slash at its end.',
      ],
    ];
    for (const [method, path, meant] of cases)
      assert.equal(await messageOf(method, path), `The requested endpoint does not exist. ${meant}`);
    assert.match(await messageOf('POST', '/v3/smtp/emial', {}), / Did you mean \/v3\/smtp\/email\?$/);
  });

  test('a path like none there is is told no other', async () => {
    for (const path of ['/nothing-like-it', '/e', `/${'x'.repeat(5_000)}`, '/emails/a/b/c/d'])
      assert.doesNotMatch(await messageOf('GET', path), /mean|ask/, path.slice(0, 20));
    assert.match(
      await messageOf('GET', '/nothing-like-it'),
      / GET \/openapi\.json lists those that do, and \/docs says more\.$/,
    );
  });

  test('another method is told which are allowed, and where this one goes', async () => {
    assert.equal(
      await messageOf('DELETE', '/emails/some-id'),
      'Method is not allowed for the requested path. Allowed here: GET, HEAD, PATCH.',
    );
    assert.doesNotMatch(await messageOf('DELETE', '/v3/smtp/emails'), /taken by/, 'no such path takes it');
    assert.equal(
      await messageOf('POST', '/v3/smtp/emails', {}),
      'POST Method is not allowed on this path. Allowed here: GET, HEAD. POST is taken by /v3/smtp/email.',
    );
  });

  test('who has no key, or a wrong one, is told how to come by one', async () => {
    for (const path of ['/emails', '/v3/account']) {
      const wrong = await server.call('GET', path, undefined, { authorization: 'Bearer re_wrong' });
      assert.match(wrong.json.hint, /sendonce key list/);
      const none = await server.call('GET', path, undefined, { authorization: '' });
      assert.match(none.json.hint, /Authorization: Bearer/);
    }
  });

  test('of several fields that are missing the first is refused, and all are named', async () => {
    const nothing = await server.call('POST', '/emails', {});
    assert.equal(nothing.json.message, 'Missing `from` field.');
    assert.equal(nothing.json.hint, 'Missing as well: `to`, `subject`, `html` or `text`.');
    assert.equal((await server.call('POST', '/emails', message({ to: [] }))).json.hint, undefined);
  });

  test('a list of addresses in one text is told that an array is meant', async () => {
    const { status, json } = await server.call('POST', '/emails', message({ to: 'a@b.example, c@d.example' }));
    assert.equal(status, 422);
    assert.match(json.hint, /an array of strings/);
  });

  test('members that are nearly right are warned about, and the email is accepted', async () => {
    const warningOf = async (path: string, body: unknown) =>
      (await server.call('POST', path, body)).headers.get('sendonce-warning');
    assert.equal(
      await warningOf('/emails', message({ replyTo: 'a@b.example' })),
      '`replyTo` is ignored: `reply_to` is probably meant.',
    );
    assert.match(
      (await warningOf('/emails/batch', [message(), message({ scheduledAt: 'x' })])) ?? '',
      /`scheduled_at`/,
    );
    const brevo = {
      sender: { email: 'a@b.example' },
      to: [{ email: 'c@d.example' }],
      subject: 's',
      textContent: 't',
      reply_to: { email: 'e@f.example' },
    };
    assert.match((await warningOf('/v3/smtp/email', brevo)) ?? '', /`reply_to` is ignored: `replyTo`/);
    for (const fine of [{}, { campaign: 1 }, { metadata: {} }, { 'ſender\n': 1 }, { ['x'.repeat(5_000)]: 1 }])
      assert.equal(await warningOf('/emails', message(fine)), null);
  });
});

test('whoever is told that the server is unavailable is told when to come back', () => {
  const { body, headers } = renderError(cannotRead(new Error('gone')));
  assert.equal(headers['retry-after'], '2');
  assert.match(JSON.parse(body).hint, /^Nothing is wrong with the request\. .*`sendonce doctor`/);
});
