/** What the property has found so far, as the shortest sequence it came down to. */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { broken } from './broken.ts';
import { type ApiRequest, hourMs, Model } from './model.ts';
import { firstMoment, World, type WorldOptions } from './world.ts';

test('a key that has expired does not come back when its email is rescheduled before garbage is collected', async (t) => {
  const world = await World.start();
  t.after(() => world.destroy());
  const model = new Model(firstMoment);
  world.relay.behave('unreachable');
  const payload = {
    from: 'onboarding@resend.dev',
    to: 'to@example.com',
    subject: 'hello',
    text: 'hello',
    scheduled_at: new Date(model.now + hourMs).toISOString(),
  };
  const text = JSON.stringify(payload);
  const request: ApiRequest = { path: '/emails', key: 'digest/user1', payload, text, meaning: text };
  const first = await world.send(request);
  assert(first);
  model.observe(request, first);
  world.advance(model, 25 * hourMs);
  const [id = ''] = model.emails.keys();
  const at = new Date(model.now + hourMs).toISOString();
  const moved = await world.call('PATCH', `/emails/${id}`, JSON.stringify({ scheduled_at: at }));
  assert.equal(moved?.status, 200, moved?.text);
  const next: ApiRequest = { ...request, text: text.replace(payload.scheduled_at, at) };
  const second = await world.send(next);
  assert.equal(second?.status, 200, 'the key is free');
  assert.notEqual(second?.text, first.text);
});

/** One mail is in the relay's hands, without its answer, when the process dies. */
async function crashInHandOff(t: TestContext, options: WorldOptions = {}): Promise<void> {
  const world = await World.start(options);
  t.after(() => world.destroy());
  const model = new Model(firstMoment);
  world.relay.behave('hangs after the dot');
  const payload = { from: 'onboarding@resend.dev', to: 'to@example.com', subject: 'hello', text: 'hello' };
  const text = JSON.stringify(payload);
  const request: ApiRequest = { path: '/emails', key: 'k', payload, text, meaning: text };
  const sent = await world.send(request);
  assert(sent);
  model.observe(request, sent);
  while (world.ledger.taken().length === 0) await world.tick();
  await world.crash();
  world.relay.behave('prompt');
  await world.recover(model);
  await world.finish(model);
}

test('a crash after the dot leaves one mail in doubt, and one copy', (t) => crashInHandOff(t));

test('a crash after the dot is noticed where it sends a second copy (control)', async (t) => {
  await assert.rejects(crashInHandOff(t, broken['sends again after a crash']), assert.AssertionError);
});
