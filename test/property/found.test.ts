/** What the property has found so far, as the shortest sequence it came down to. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ApiRequest, hourMs, Model } from './model.ts';
import { firstMoment, World } from './world.ts';

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
