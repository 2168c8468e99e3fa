/** The inbox of a server that captures: what is shown, and what clearing forgets and keeps. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import PostalMime from 'postal-mime';
import { drained } from '../support/served.ts';
import { message, startTestServer, type TestServer } from '../support/server.ts';
import { signIn, type Visitor } from './visitor.ts';

describe('the inbox', () => {
  let server: TestServer;
  let visitor: Visitor;

  before(async () => {
    server = await startTestServer();
    visitor = await signIn(server);
  });
  after(() => server.stop());

  test('shows a mail with what could hurt it, as html, text, source and file', async () => {
    const html = '<p>Hi <a href="http://localhost/x">there</a></p><img src="cid:logo@1">';
    const attachments = [
      { filename: 'logo.png', content: Buffer.from('PNG').toString('base64'), content_id: 'logo@1' },
    ];
    const { id } = (await server.call('POST', '/emails', message({ subject: 'Look', html, attachments }))).json;
    await drained(server);
    assert.match((await visitor.get('/inbox')).text, /<b>Look<\/b>/);
    const page = (await visitor.get(`/inbox/${id}`)).text;
    assert.match(page, /A link only you can open/);
    assert.match(page, /Missing alt text/);
    const shown = (await visitor.get(`/emails/${id}/html`)).text;
    const image = /src="(\/download\?[^"]+)"/.exec(shown)?.[1] ?? '';
    assert.equal(await (await fetch(`${server.url}${image}`)).text(), 'PNG');
    assert.match((await visitor.get(`/inbox/${id}?view=text`)).text, /Generated from the HTML[\s\S]*Hi there/);
    const eml = await visitor.get(`/emails/${id}/eml`);
    assert.equal(eml.headers.get('content-type'), 'message/rfc822');
    assert.match(eml.headers.get('content-disposition') ?? '', /attachment; filename\*=UTF-8''.*\.eml$/);
    assert.match(eml.text, /^Subject: Look\r$/m);
  });

  test('shows the text that leaves with a mail of html alone, in whatever script it is written', async () => {
    for (const [words, encoding] of [
      ['Добро пожаловать, Мария', 'base64'],
      ['欢迎，请确认您的邮箱地址', 'base64'],
      ['Welcome to the café on the corner', 'quoted-printable'],
      ['Welcome', '7bit'],
    ] as const) {
      const { id } = (await server.call('POST', '/emails', message({ html: `<h1>${words}</h1>` }))).json;
      const eml = (await visitor.get(`/emails/${id}/eml`)).text;
      assert.equal((await PostalMime.parse(eml)).text?.trim(), words);
      assert.ok(eml.includes(`text/plain; charset=utf-8\r\nContent-Transfer-Encoding: ${encoding}\r\n`), encoding);
      const shown = (await visitor.get(`/inbox/${id}?view=text`)).text;
      assert.match(shown, new RegExp(`Generated from the HTML[^]*<pre class="wrap" tabindex="0">${words}</pre>`));
    }
    const { id } = (await server.call('POST', '/emails', message({ html: '<img src="https://acme.test/a.png">' })))
      .json;
    assert.match((await visitor.get(`/inbox/${id}?view=text`)).text, /There is no text part/);
  });

  test('is empty after it was cleared, and what happened is still known', async () => {
    const sent = await server.call('POST', '/emails', message({ subject: 'Forget me' }), { 'idempotency-key': 'kept' });
    const later = message({ subject: 'Not yet', scheduled_at: 'in 1 hour' });
    const waiting = (await server.call('POST', '/emails', later)).json.id;
    await server.until('it is delivered', async () => {
      return (await server.call('GET', `/emails/${sent.json.id}`)).json.last_event === 'delivered';
    });
    assert.equal((await visitor.post('/inbox/clear')).status, 303);

    const { text } = await visitor.get('/inbox');
    assert.ok(!text.includes('Forget me'));
    assert.ok(text.includes('Not yet'), 'what is not settled needs its contents');
    assert.match((await visitor.get(`/emails/${sent.json.id}`)).text, /The contents have been deleted/);
    assert.equal((await visitor.get(`/emails/${sent.json.id}/eml`)).status, 404);
    const replay = await server.call('POST', '/emails', message({ subject: 'Forget me' }), {
      'idempotency-key': 'kept',
    });
    assert.deepEqual([replay.json.id, replay.headers.get('idempotent-replayed')], [sent.json.id, 'true']);

    server.clock.advance(2 * 60 * 60_000);
    await server.until('the other is delivered', async () => {
      return (await server.call('GET', `/emails/${waiting}`)).json.last_event === 'delivered';
    });
    await visitor.post('/inbox/clear');
    assert.match((await visitor.get('/inbox')).text, /<h2>No mail<\/h2>/);
  });
});
