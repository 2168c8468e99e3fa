/** Mail that is captured is called that wherever somebody looks: nobody got it. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { indexed, signIn } from '../page/visitor.ts';
import { startReceiver } from '../support/receiver.ts';
import { serve } from '../support/served.ts';
import { message, startTestServer, type TestServer } from '../support/server.ts';

async function sendOne(server: TestServer): Promise<string> {
  const { json } = await server.call('POST', '/emails', message());
  await server.until('it is settled', async () => {
    const { last_event } = (await server.call('GET', `/emails/${json.id}`)).json;
    return last_event === 'delivered' || last_event === 'sent';
  });
  return json.id;
}

const outcomes = (text: string) =>
  [...text.matchAll(/^sendonce_attempts_total\{outcome="(\w+)"\} [^0]/gm)].map((one) => one[1]);

describe('captured mail', () => {
  it('is `captured` beside `delivered` in the API, in events, at webhooks, in metrics and on the page', async (t) => {
    const server = await startTestServer();
    t.after(() => server.stop());
    const receiver = await startReceiver(t);
    await server.call('POST', '/webhooks', {
      endpoint: `${receiver.url}/hook`,
      events: ['email.sent', 'email.delivered'],
    });
    const id = await sendOne(server);
    const [one, list] = await Promise.all([server.call('GET', `/emails/${id}`), server.call('GET', '/emails')]);
    for (const shown of [one.json, list.json.data[0]]) {
      assert.deepEqual([shown.last_event, shown.captured], ['delivered', true]);
    }
    const { data } = (await server.call('GET', `/emails/${id}/events`)).json;
    assert.deepEqual([data.at(-1).type, data.at(-1).captured], ['delivered', true]);
    await receiver.until(({ told }) => told.some(({ json }) => json.type === 'email.delivered'));
    assert.equal(receiver.told.find(({ json }) => json.type === 'email.delivered')?.json.data.captured, true);
    const { text: metrics } = await server.call('GET', '/metrics');
    assert.deepEqual(outcomes(metrics), ['captured']);
    assert.match(metrics, /^sendonce_captures_mail 1$/m);
    await indexed(server);
    const visitor = await signIn(server);
    for (const path of [
      '',
      '/emails',
      `/emails/${id}`,
      '/emails?q=is:captured',
      '/idempotency',
      '/setup',
      '/webhooks',
    ]) {
      const { text } = await visitor.get(path);
      assert.match(text, /Mail is captured: nothing leaves this server/, path);
    }
    assert.match((await visitor.get('/emails?q=is:captured')).text, new RegExp(`${id}[^]*?tone-accent">captured<`));
    assert.doesNotMatch((await visitor.get('/emails?q=is:delivered')).text, new RegExp(`/emails/${id}`));
    assert.doesNotMatch((await visitor.get(`/emails/${id}`)).text, />delivered</);
    assert.match((await visitor.get('')).text, /Delivered<b class="">0<\/b>.*Captured<b class="tone-accent">1<\/b>/);
  });

  it('is no mail that a relay took', async (t) => {
    const { server } = await serve(t);
    const id = await sendOne(server);
    assert.equal((await server.call('GET', `/emails/${id}`)).json.captured, undefined);
    const { text: metrics } = await server.call('GET', '/metrics');
    assert.deepEqual([outcomes(metrics), /^sendonce_captures_mail 0$/m.test(metrics)], [['sent'], true]);
    await indexed(server);
    const { text } = await (await signIn(server)).get('');
    assert.doesNotMatch(text, /captured:|Captured</);
  });
});
