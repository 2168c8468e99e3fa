/** A link to an email, by Resend's SDK. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Resend } from 'resend';
import { message, startTestServer, type TestServer, testKey } from '../support/server.ts';

describe('a shared email', () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer();
  });
  after(() => server.stop());

  it('is shown to whoever has the link, harmless, until it expires', async () => {
    const resend = new Resend(testKey, { baseUrl: server.url });
    const { json } = await server.call('POST', '/emails', message({ html: '<p>shown</p>', text: 'shown' }));
    const { data } = await resend.emails.share(json.id, { expiresIn: '10m' });
    assert(data);
    assert.deepEqual([data.object, data.id], ['email', json.id]);
    const shown = await fetch(data.url);
    assert.equal(await shown.text(), '<p>shown</p>');
    assert.match(shown.headers.get('content-security-policy') ?? '', /^sandbox /);
    assert.equal((await fetch(data.url.replace(/expires=\d/, 'expires=9'))).status, 404);
    server.clock.advance(11 * 60_000);
    assert.equal((await fetch(data.url)).status, 404);
    const tooLong = await resend.emails.share(json.id, { expiresIn: '3 days' });
    assert.equal(tooLong.error?.message, 'expires_in must not exceed 48 hours');
    const missing = await server.call('POST', '/emails/00000000-0000-7000-8000-000000000000/share', {});
    assert.equal(missing.json.message, 'Email not found');
  });
});
