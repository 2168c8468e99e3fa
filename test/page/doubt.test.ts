/** A mail in doubt on the page: nothing that may arrive twice is sent without asking, and whoever is second is told who was first. */

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { serve } from '../support/served.ts';
import { message } from '../support/server.ts';
import { modes } from '../support/smtp-sink-modes.ts';
import { signIn } from './visitor.ts';

test('a mail in doubt is answered where it is shown, after a question where it may arrive twice', async (t) => {
  const { server, sink } = await serve(t);
  const visitor = await signIn(server);
  sink.behave = () => modes.acceptThenDrop;
  const { id } = (await server.call('POST', '/emails', message({ subject: 'Reset it' }))).json;
  await server.until('it is in doubt', async () => (await server.call('GET', '/in-doubt')).json.data.length === 1);
  sink.behave = () => modes.accept;
  const copies = sink.received.length;

  const page = (await visitor.get(`/emails/${id}`)).text;
  for (const said of ['The relay has it', 'Send it again', 'Mark as failed', 'Last reply'])
    assert.ok(page.includes(said));
  assert.doesNotMatch(page, /Send as new/);
  const asNew = await visitor.post(`/emails/${id}/send`, { key: randomUUID(), confirmed: 'yes' });
  assert.deepEqual([asNew.status, /is in doubt/.test(asNew.text)], [422, true]);

  const again = { answer: 'send-again', from: 'email' };
  const question = await visitor.post(`/in-doubt/${id}.0`, again);
  assert.equal(question.status, 200);
  assert.match(question.text, /Send “Reset it” again\?[\s\S]*may get it twice/);
  assert.equal((await server.call('GET', '/in-doubt')).json.data.length, 1, 'asking answers nothing');
  // Whoever would rather not: another answer, which names the mail.
  const settled = await visitor.post(`/in-doubt/${id}.0`, { answer: 'sent' });
  const place = settled.headers.get('location')?.replace('/dashboard', '') ?? '';
  assert.match((await visitor.get(place)).text, /Reset it<\/a> to [^:]*@[^:]*: ?Marked as sent\./);

  const late = await visitor.post(`/in-doubt/${id}.0`, { ...again, confirmed: 'yes' });
  assert.equal(late.status, 422);
  assert.match(late.text, /Somebody else was first at [\d -]+:[\d:]+ UTC: sent\./);
  assert.equal(sink.received.length, copies);
  assert.equal((await visitor.post(`/in-doubt/${randomUUID()}.0`, { answer: 'sent' })).status, 404);

  // The control: confirmed, it does go out again.
  sink.behave = () => modes.acceptThenDrop;
  const other = (await server.call('POST', '/emails', message({ subject: 'Another' }))).json.id;
  await server.until('it is in doubt', async () => (await server.call('GET', '/in-doubt')).json.data.length === 1);
  sink.behave = () => modes.accept;
  assert.equal((await visitor.post(`/in-doubt/${other}.0`, { ...again, confirmed: 'yes' })).status, 303);
  await server.until(
    'it is sent',
    async () => (await server.call('GET', `/emails/${other}`)).json.last_event === 'sent',
  );
});

test('sending the same content as a new email is asked about first, without scripts too', async (t) => {
  const { server } = await serve(t);
  const visitor = await signIn(server);
  const { id } = (await server.call('POST', '/emails', message({ subject: 'Once' }))).json;
  const key = randomUUID();
  const question = await visitor.post(`/emails/${id}/send`, { key });
  assert.match(question.text, /Send “Once” as a new email\?/);
  assert.ok(question.text.includes(`name="key" value="${key}"`));
  assert.equal((await server.call('GET', '/emails')).json.data.length, 1);
  assert.equal((await visitor.post(`/emails/${id}/send`, { key, confirmed: 'yes' })).status, 303);
  assert.equal((await server.call('GET', '/emails')).json.data.length, 2);
});
