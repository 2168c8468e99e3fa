/** From a fact to an endpoint: what is told, when, how often, and under which id. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Receiver, typesTold } from '../support/receiver.ts';
import { send, stage, told } from './stage.ts';

const minute = 60_000;
const hour = 60 * minute;

describe('an endpoint', () => {
  it('is told what its subscription names, signed, in the words of the contract', async (t) => {
    const { server, receiver, resend, webhook } = await stage(t);
    const id = await send(server, {
      to: ['a@x.test', 'B <b@x.test>'],
      tags: [{ name: 'category', value: 'confirm_email' }],
      headers: { 'X-Entity-Ref-ID': '42' },
    });
    await receiver.waitFor(1);
    const [{ path, headers, body, json }] = receiver.told as [Receiver['told'][number]];
    assert.equal(path, '/hook');
    assert.equal(headers['content-type'], 'application/json');
    const verified = resend.webhooks.verify({
      payload: body,
      webhookSecret: webhook.signing_secret,
      headers: {
        id: String(headers['svix-id']),
        timestamp: String(headers['svix-timestamp']),
        signature: String(headers['svix-signature']),
      },
    });
    assert.deepEqual(verified, json);
    const email = (await server.call('GET', `/emails/${id}`)).json;
    assert.match(json.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual(json, {
      type: 'email.sent',
      created_at: json.created_at,
      data: {
        created_at: json.data.created_at,
        email_id: id,
        message_id: email.message_id,
        from: 'Acme <onboarding@resend.dev>',
        to: ['a@x.test', 'b@x.test'],
        subject: 'hello world',
        tags: { category: 'confirm_email' },
        headers: [{ name: 'X-Entity-Ref-ID', value: '42' }],
      },
    });
  });

  it('is told of bounces with what each recipient was answered', async (t) => {
    const { server, sink, receiver } = await stage(t);
    sink.behave = () => ({ rcpt: (address) => (address.startsWith('a') ? '550 5.1.1 nobody' : '552 5.2.2 full') });
    await send(server, { to: ['a@x.test', 'b@x.test'] });
    await receiver.waitFor(1);
    assert.deepEqual(typesTold(receiver), ['email.bounced']);
    assert.deepEqual(receiver.told[0]?.json.data.bounce, {
      type: 'Permanent',
      subType: 'NoEmail',
      message: '550 5.1.1 nobody',
      diagnosticCode: ['smtp; 550 5.1.1 nobody', 'smtp; 552 5.2.2 full'],
    });
  });

  for (const [to, types] of [
    ['delivered@resend.dev', ['email.sent', 'email.delivered']],
    ['bounced@resend.dev', ['email.bounced']],
    ['complained@resend.dev', ['email.sent', 'email.delivered', 'email.complained']],
    ['suppressed@resend.dev', ['email.suppressed']],
  ] as const) {
    it(`is told for ${to} what its name promises, in order`, async (t) => {
      const { server, receiver } = await stage(t);
      await send(server, { to });
      await receiver.waitFor(types.length);
      await told(server);
      assert.deepEqual(typesTold(receiver), types);
      for (const { json } of receiver.told) assert.deepEqual(json.data.to, [to]);
    });
  }

  it('is told of a schedule, and of a recipient who is on the suppression list', async (t) => {
    const { server, receiver, resend } = await stage(t);
    await resend.suppressions.add({ email: 'no@x.test' });
    await send(server, { to: ['no@x.test', 'yes@x.test'], scheduled_at: 'in 1 hour' });
    await receiver.waitFor(2);
    const [suppressed, scheduled] = receiver.told.map(({ json }) => json);
    assert.deepEqual([suppressed.type, scheduled.type], ['email.suppressed', 'email.scheduled']);
    assert.deepEqual(
      [suppressed.data.suppressed.type, suppressed.data.suppressed.reason],
      ['OnAccountSuppressionList', 'manual'],
    );
  });

  it("is not told what it did not ask for, nor what is another account's, nor after it was deleted", async (t) => {
    const { server, receiver, resend, webhook } = await stage(t, ['email.bounced', 'email.opened']);
    await send(server);
    await send(server, { to: 'bounced@resend.dev' });
    await told(server);
    assert.deepEqual(typesTold(receiver), ['email.bounced']);
    await resend.webhooks.remove(webhook.id);
    await send(server, { to: 'bounced@resend.dev' });
    await told(server);
    assert.equal(receiver.told.length, 1);
  });

  it('is told again on the documented schedule until it answers 2xx, always under the same id and with the same body', async (t) => {
    const { server, receiver, resend, webhook } = await stage(t, ['email.sent']);
    receiver.behave = (_, count) => ({ status: count < 8 ? 500 : 204, body: count < 8 ? 'no' : '' });
    await send(server);
    await receiver.waitFor(1);
    const delays = [5_000, 5 * minute, 30 * minute, 2 * hour, 5 * hour, 10 * hour, 10 * hour];
    const [event] = (await resend.webhooks.events.list({ webhookId: webhook.id })).data?.data ?? [];
    assert(event);
    for (const [index, delayMs] of delays.entries()) {
      await server.until('the failure is recorded', async () => {
        const { data } = await resend.webhooks.events.attempts.list({ webhookId: webhook.id, eventId: event.id });
        return data?.data.length === index + 1;
      });
      server.clock.advance(delayMs - 2_000);
      await server.tick();
      assert.equal(receiver.told.length, index + 1, 'not before its time');
      server.clock.advance(2_000);
      await server.tick();
      await receiver.waitFor(index + 2);
    }
    await told(server);
    assert.deepEqual(new Set(receiver.told.map(({ headers }) => headers['svix-id'])), new Set([event.id]));
    assert.equal(new Set(receiver.told.map(({ body }) => body)).size, 1);
    assert.equal(
      (await resend.webhooks.events.get({ webhookId: webhook.id, eventId: event.id })).data?.status,
      'success',
    );
  });

  it('is given up after eight attempts, and can be told again by hand', async (t) => {
    const { server, receiver, resend, webhook } = await stage(t, ['email.sent']);
    receiver.behave = () => ({ status: 302, headers: { location: `${receiver.url}/elsewhere` } });
    await send(server);
    for (let count = 1; count <= 8; count += 1) {
      await receiver.waitFor(count);
      await server.until('it is recorded', async () => {
        const { text } = await server.call('GET', '/metrics');
        return new RegExp(`sendonce_webhook_attempts_total\\{outcome="redirected"\\} ${count}`).test(text);
      });
      server.clock.advance(10 * hour);
      await server.tick();
    }
    await told(server);
    const names = { webhookId: webhook.id, eventId: String(receiver.told[0]?.headers['svix-id']) };
    const failed = await resend.webhooks.events.get(names);
    assert.deepEqual([failed.data?.status, failed.data?.next_attempt_at], ['failed', null]);
    assert.deepEqual(new Set(receiver.told.map(({ path }) => path)), new Set(['/hook']), 'no redirect was followed');
    receiver.behave = () => ({});
    assert.deepEqual((await resend.webhooks.events.replay(names)).data, { object: 'webhook_event', id: names.eventId });
    await receiver.waitFor(9);
    await told(server);
    assert.equal(receiver.told[8]?.headers['svix-id'], names.eventId);
    assert.equal((await resend.webhooks.events.get(names)).data?.status, 'success');
  });

  it('that fails for five days is disabled, with a word on /metrics; enabled again it hears what it missed on request', async (t) => {
    const { server, receiver, resend, webhook } = await stage(t, ['email.sent']);
    receiver.behave = () => ({ status: 500 });
    const missed = [await send(server)];
    await receiver.waitFor(1);
    await server.until('it is failing', async () =>
      (await server.call('GET', '/metrics')).text.includes('sendonce_webhooks{state="failing"} 1'),
    );
    server.clock.advance(5 * 24 * hour);
    await server.tick();
    await receiver.waitFor(2);
    await server.until(
      'it is disabled',
      async () => (await resend.webhooks.get(webhook.id)).data?.status === 'disabled',
    );
    assert.match((await server.call('GET', '/metrics')).text, /sendonce_webhooks_disabled_total 1/);
    missed.push(await send(server));
    await server.until('the mail is sent', async () => {
      const { json } = await server.call('GET', `/emails/${missed[1]}`);
      return json.last_event === 'sent';
    });
    server.clock.advance(24 * hour);
    await server.tick();
    assert.equal(receiver.told.length, 2, 'a disabled endpoint is left alone');
    const early = await server.call('POST', `/webhooks/${webhook.id}/replay`, {});
    assert.equal(early.status, 422);
    receiver.behave = () => ({});
    await resend.webhooks.update(webhook.id, { status: 'enabled' });
    const { json } = await server.call('POST', `/webhooks/${webhook.id}/replay`, { status: 'failed' });
    assert.deepEqual([json.object, json.replayed, json.has_more], ['webhook_replay', 1, false]);
    await told(server);
    assert.deepEqual(
      receiver.told
        .slice(2)
        .map((one) => one.json.data.email_id)
        .sort(),
      missed,
    );
  });

  it('is told of what came to the suppression list and what left it, and of the mail that taught it', async (t) => {
    const events = ['email.bounced', 'suppression.added', 'suppression.removed'] as const;
    const { server, sink, receiver, resend } = await stage(t, [...events]);
    sink.behave = () => ({ rcpt: () => '550 5.1.1 nobody' });
    const id = await send(server, { to: 'Gone@x.test' });
    await receiver.waitFor(2);
    await resend.suppressions.add({ email: 'gone@x.test' });
    await resend.suppressions.remove('gone@x.test');
    await resend.suppressions.add({ email: 'other@x.test' });
    await receiver.waitFor(4);
    await told(server);
    const suppressions = receiver.told.map(({ json }) => json).filter(({ type }) => type.startsWith('suppression.'));
    const [first] = suppressions;
    assert.deepEqual(first.data, {
      id: first.data.id,
      email: 'gone@x.test',
      origin: 'bounce',
      source_id: id,
      created_at: first.data.created_at,
    });
    // Only events of one email keep their order.
    assert.deepEqual(suppressions.map(({ type, data }) => [type, data.email, data.origin]).sort(), [
      ['suppression.added', 'gone@x.test', 'bounce'],
      ['suppression.added', 'other@x.test', 'manual'],
      ['suppression.removed', 'gone@x.test', 'bounce'],
    ]);
    assert.equal((await server.call('GET', `/emails/${id}`)).json.last_event, 'bounced');
  });

  it('hears after a restart what it was not told before, under the same id', async (t) => {
    const { server, receiver } = await stage(t, ['email.sent']);
    receiver.behave = () => 'hang';
    await send(server);
    await receiver.waitFor(1);
    receiver.behave = () => ({});
    await server.restart();
    await receiver.waitFor(2);
    await told(server);
    assert.equal(receiver.told.length, 2);
    assert.equal(receiver.told[0]?.headers['svix-id'], receiver.told[1]?.headers['svix-id']);
  });

  it('hears of the events of one email in their order, a slow one before its successors', async (t) => {
    const { server, receiver } = await stage(t);
    let answer = () => {};
    const slow = new Promise<void>((resolve) => {
      answer = resolve;
    });
    receiver.behave = async (one) => {
      if (one.json.type === 'email.sent') await slow;
      return {};
    };
    await send(server, { to: 'complained@resend.dev' });
    await receiver.waitFor(1);
    await server.tick();
    assert.deepEqual(typesTold(receiver), ['email.sent'], 'its successors wait');
    answer();
    await told(server);
    assert.deepEqual(typesTold(receiver), ['email.sent', 'email.delivered', 'email.complained']);
  });
});
