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

  // The control: confirmed, it does go out again, but not before it can be undone no more.
  sink.behave = () => modes.acceptThenDrop;
  const other = (await server.call('POST', '/emails', message({ subject: 'Another' }))).json.id;
  const isHeld = async () => (await server.call('GET', '/in-doubt')).json.data.length === 1;
  await server.until('it is in doubt', isHeld);
  sink.behave = () => modes.accept;
  const sent = sink.received.length;
  const sendAgain = async () => {
    const { status, headers } = await visitor.post(`/in-doubt/${other}.0`, { ...again, confirmed: 'yes' });
    assert.equal(status, 303);
    const path = headers.get('location')?.replace('/dashboard', '') ?? '';
    const notice = (await visitor.get(path)).text;
    assert.match(notice, /It is sent again at <time[\s\S]*Undo/);
    return { path, fields: { attempt: /name="attempt" value="(\d+)"/.exec(notice)?.[1] ?? '', from: 'email' } };
  };
  const undo = (fields: Record<string, string>) => visitor.post(`/in-doubt/${other}.0/undo`, fields);

  const first = await sendAgain();
  server.clock.advance(9_000);
  await server.tick();
  const undone = await undo(first.fields);
  assert.equal(undone.headers.get('location'), `/dashboard/emails/${other}?done=undone`);
  assert.match((await visitor.get(`/emails/${other}?done=undone`)).text, /Undone: nothing was sent again/);
  server.clock.advance(60_000);
  await server.tick();
  assert.equal(await isHeld(), true);
  assert.equal(sink.received.length, sent);
  assert.match((await undo(first.fields)).text, /in doubt again already/);
  assert.match((await visitor.get(first.path)).text, /no longer waiting/);

  const second = await sendAgain();
  server.clock.advance(10_000);
  await server.until(
    'it is sent',
    async () => (await server.call('GET', `/emails/${other}`)).json.last_event === 'sent',
  );
  const tooLate = await undo(second.fields);
  assert.deepEqual(
    [tooLate.status, /Too late: it became sent at [\d -]+:[\d:]+ UTC\. 250/.test(tooLate.text)],
    [422, true],
  );
  assert.equal(sink.received.length, sent + 1);
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
  const made = await visitor.post(`/emails/${id}/send`, { key, confirmed: 'yes' });
  assert.equal(made.status, 303);
  assert.equal((await server.call('GET', '/emails')).json.data.length, 2);
  // It waits as long as it can be taken back.
  const place = made.headers.get('location')?.replace('/dashboard', '') ?? '';
  assert.match((await visitor.get(place)).text, /It is sent at <time[\s\S]*\/cancel"[\s\S]*Undo/);
  const copy = place.split('/')[2]?.split('?')[0] ?? '';
  assert.equal((await visitor.post(`/emails/${copy}/cancel`)).status, 303);
  assert.equal((await server.call('GET', `/emails/${copy}`)).json.last_event, 'canceled');
});
