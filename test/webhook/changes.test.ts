/** Changes of a webhook that meet each other: each is made to the webhook as it is then, not as a request found it. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { openDatabase } from '../support/engine.ts';
import type { TestServer } from '../support/server.ts';
import { testKey } from '../support/server.ts';
import { Wire, type WireReply } from '../support/wire.ts';
import { send, stage, told } from './stage.ts';

/** A request whose handler has begun, and waits for the body; what comes back sends it. */
async function begin(
  t: TestContext,
  server: TestServer,
  [method, path]: [method: string, path: string],
  body: unknown,
): Promise<() => Promise<WireReply>> {
  const text = JSON.stringify(body);
  const wire = await Wire.open(server.url);
  t.after(() => wire.close());
  const head = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${new URL(server.url).host}`,
    `Authorization: Bearer ${testKey}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(text)}`,
    // Node answers it right before it calls the handler.
    'Expect: 100-continue',
  ];
  wire.write(`${head.join('\r\n')}\r\n\r\n`);
  assert.equal((await wire.reply()).status, 100);
  return () => {
    wire.write(text);
    return wire.reply();
  };
}

async function subscriptions(server: TestServer): Promise<unknown[]> {
  const database = await openDatabase(server.databaseUrl);
  const rows = await database.all('select subject from webhook_subscriptions');
  await database.close();
  return rows;
}

describe('a change of a webhook that waits for its body', () => {
  it('lets one that was enabled meanwhile be told, and what it changes, too', async (t) => {
    const { server, receiver, webhook } = await stage(t, ['email.sent']);
    const path = `/webhooks/${webhook.id}`;
    await server.call('PATCH', path, { status: 'disabled' });
    const finish = await begin(t, server, ['PATCH', path], { events: ['email.sent', 'email.delivered'] });
    assert.equal((await server.call('PATCH', path, { status: 'enabled' })).status, 200);
    assert.equal((await finish()).status, 200);
    const { status, events } = (await server.call('GET', path)).json;
    assert.deepEqual([status, events], ['enabled', ['email.sent', 'email.delivered']]);
    await send(server, { to: 'delivered@resend.dev' });
    await told(server);
    assert.deepEqual(receiver.told.map(({ json }) => json.type).sort(), ['email.delivered', 'email.sent']);
  });

  it('keeps one that was disabled meanwhile from being told', async (t) => {
    const { server, receiver, webhook } = await stage(t, ['email.failed']);
    const path = `/webhooks/${webhook.id}`;
    const finish = await begin(t, server, ['PATCH', path], { events: ['email.sent'] });
    assert.equal((await server.call('PATCH', path, { status: 'disabled' })).status, 200);
    assert.equal((await finish()).status, 200);
    await send(server);
    await told(server);
    assert.deepEqual(receiver.told, []);
  });

  it('is answered 404 where the webhook was deleted meanwhile, and leaves nobody to be told', async (t) => {
    const { server, webhook } = await stage(t, ['email.sent']);
    const path = `/webhooks/${webhook.id}`;
    const finish = await begin(t, server, ['PATCH', path], { events: ['email.delivered'], status: 'enabled' });
    assert.equal((await server.call('DELETE', path)).status, 200);
    const { status, json } = await finish();
    assert.deepEqual([status, json.name, json.message], [404, 'not_found', 'Webhook not found']);
    assert.deepEqual(await subscriptions(server), []);
  });

  it('undoes no change that another one made meanwhile, at Brevo either', async (t) => {
    const { server } = await stage(t, ['email.sent']);
    const made = await server.call('POST', '/v3/webhooks', { url: 'https://example.com/', events: ['sent'] });
    const path = `/v3/webhooks/${made.json.id}`;
    const finish = await begin(t, server, ['PUT', path], { description: 'slowly' });
    assert.equal((await server.call('PUT', path, { batched: true, events: ['delivered'] })).status, 204);
    assert.equal((await finish()).status, 204);
    const { description, batched, events } = (await server.call('GET', path)).json;
    assert.deepEqual([description, batched, events], ['slowly', true, ['delivered']]);

    const late = await begin(t, server, ['PUT', path], { events: ['sent'] });
    assert.equal((await server.call('DELETE', path)).status, 204);
    assert.equal((await late()).status, 404);
  });

  it('has no event told again by one that was disabled meanwhile', async (t) => {
    const { server, receiver, webhook } = await stage(t, ['email.sent']);
    await send(server);
    await told(server);
    const path = `/webhooks/${webhook.id}`;
    const finish = await begin(t, server, ['POST', `${path}/replay`], {});
    assert.equal((await server.call('PATCH', path, { status: 'disabled' })).status, 200);
    const { status, json } = await finish();
    assert.equal(status, 422);
    assert.match(json.message, /The webhook is disabled/);
    assert.equal((await server.call('PATCH', path, { status: 'enabled' })).status, 200);
    await told(server);
    assert.equal(receiver.told.length, 1);
  });
});
