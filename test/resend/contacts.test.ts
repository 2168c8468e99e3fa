/** Contacts, segments, topics and properties by Resend's SDK, and what a topic means for mail. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Resend } from 'resend';
import { drained } from '../support/served.ts';
import { message, startTestServer, type TestServer, testKey } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';

let server: TestServer;
let sink: Sink;
let resend: Resend;

before(async () => {
  sink = await startSink();
  server = await startTestServer({ environment: { RELAY_URL: `smtp://127.0.0.1:${sink.port}` } });
  resend = new Resend(testKey, { baseUrl: server.url });
});
after(async () => {
  await server.stop();
  await sink.close();
});

const nobody = '00000000-0000-0000-0000-000000000000';

describe('/contacts', () => {
  it('are made, found by id and by address, changed and deleted', async () => {
    const { data: made } = await resend.contacts.create({
      ...{ email: 'Steve@Example.test', firstName: 'Steve', properties: { plan: 'gold', seats: 3 } },
    });
    assert(made);
    const { data: again } = await resend.contacts.create({ email: 'steve@example.test', lastName: 'W' });
    assert.equal(again?.id, made.id, 'one address is one contact');
    const { data: found } = await resend.contacts.get({ email: 'STEVE@example.test' });
    assert(found);
    assert.deepEqual(
      [found.id, found.email, found.first_name, found.last_name, found.unsubscribed],
      [made.id, 'Steve@Example.test', 'Steve', 'W', false],
    );
    assert.deepEqual(found.properties, {
      plan: { type: 'string', value: 'gold' },
      seats: { type: 'number', value: 3 },
    });
    await resend.contacts.update({ id: made.id, unsubscribed: true, properties: { plan: null } });
    const { data: changed } = await resend.contacts.get(made.id);
    assert.deepEqual([changed?.unsubscribed, Object.keys(changed?.properties ?? {})], [true, ['seats']]);
    const { data: removed } = await resend.contacts.remove('steve@example.test');
    assert.deepEqual(removed, { object: 'contact', contact: made.id, deleted: true });
    const { error } = await resend.contacts.get(made.id);
    assert.deepEqual([error?.statusCode, error?.message], [404, 'Contact not found']);
  });

  it('answer as recorded', async () => {
    const missing = await server.call('POST', '/contacts', {});
    assert.deepEqual(missing.json, {
      ...{ statusCode: 422, name: 'missing_required_field', message: 'Missing `email` field.' },
    });
    const made = await server.call('POST', '/contacts', { email: 'recorded@example.test' });
    assert.equal(made.status, 201);
    assert.deepEqual(Object.keys(made.json), ['object', 'id']);
    const { json: one } = await server.call('GET', '/contacts/recorded@example.test');
    const members = ['object', 'id', 'email', 'first_name', 'last_name', 'created_at', 'unsubscribed', 'properties'];
    assert.deepEqual(Object.keys(one), members);
    const { json: listed } = await server.call('GET', '/contacts?limit=1');
    assert.deepEqual(
      [listed.object, listed.has_more, Object.keys(listed.data[0])],
      ['list', false, ['id', 'created_at', 'email', 'unsubscribed', 'first_name', 'last_name']],
    );
    assert.equal((await server.call('POST', '/contacts', { email: 'nobody' })).status, 422);
    assert.equal((await server.call('POST', '/contacts/imports', {})).status, 404);
  });

  it('belong to segments, which were called audiences', async () => {
    const { data: segment } = await resend.segments.create({ name: 'Readers' });
    assert(segment);
    const { data: ann } = await resend.contacts.create({ email: 'ann@seg.test', segments: [{ id: segment.id }] });
    const { data: bob } = await resend.contacts.create({ email: 'bob@seg.test', audienceId: segment.id } as never);
    assert(ann && bob);
    const inIt = async () => (await resend.contacts.list({ segmentId: segment.id })).data?.data.map(({ id }) => id);
    assert.deepEqual(await inIt(), [bob.id, ann.id]);
    await resend.contacts.segments.remove({ contactId: ann.id, segmentId: segment.id });
    assert.deepEqual(await inIt(), [bob.id]);
    await resend.contacts.segments.add({ email: 'ann@seg.test', segmentId: segment.id });
    const { data: ofAnn } = await resend.contacts.segments.list({ email: 'ann@seg.test' });
    assert.deepEqual(
      ofAnn?.data.map(({ name }) => name),
      ['Readers'],
    );
    const audience = await server.call('GET', `/audiences/${segment.id}`);
    assert.deepEqual([audience.json.object, audience.json.name], ['audience', 'Readers']);
    await resend.contacts.remove({ audienceId: segment.id, email: 'bob@seg.test' });
    assert.deepEqual(await inIt(), [ann.id]);
    assert.equal((await resend.contacts.get(bob.id)).data?.email, 'bob@seg.test', 'it stays a contact');
    assert.deepEqual((await resend.segments.remove(segment.id)).data, {
      ...{ object: 'segment', id: segment.id, deleted: true },
    });
    assert.equal((await server.call('GET', `/segments/${nobody}`)).json.message, 'Audience not found');
    assert.equal((await server.call('DELETE', `/segments/${nobody}`)).status, 200);
    assert.equal((await server.call('POST', '/segments', {})).json.message, 'Missing `name` field.');
  });

  it('have properties that were declared, and others', async () => {
    const { data: made } = await resend.contactProperties.create({
      key: 'company',
      type: 'string',
      fallbackValue: 'us',
    });
    assert(made);
    assert.equal((await resend.contactProperties.get(made.id)).data?.fallbackValue, 'us');
    await resend.contactProperties.update({ id: made.id, fallbackValue: 'them' });
    assert.equal((await resend.contactProperties.list()).data?.data[0]?.fallbackValue, 'them');
    const twice = await resend.contactProperties.create({ key: 'company', type: 'string' });
    assert.equal(twice.error?.name, 'validation_error');
    const { json } = await server.call('DELETE', `/contact-properties/${made.id}`);
    assert.deepEqual(json, { object: 'contact_property', deleted: true, id: made.id });
  });
});

describe('a topic', () => {
  const sendTo = (to: string[], topic: string | undefined, more = {}) =>
    server.call('POST', '/emails', message({ to, topic_id: topic, ...more }));

  async function topicOf(defaultSubscription: 'opt_in' | 'opt_out'): Promise<string> {
    const { data } = await resend.topics.create({ name: `by ${defaultSubscription}`, defaultSubscription });
    assert(data);
    return data.id;
  }

  async function told(id: string): Promise<[type: string, recipients: string[], origin: string | undefined][]> {
    await drained(server);
    const { json } = await server.call('GET', `/emails/${id}/events`);
    const events: { type: string; recipients: string[]; origin?: string }[] = json.data;
    return events.slice(1).map(({ type, recipients, origin }) => [type, recipients, origin]);
  }

  it('is made, shown, changed and deleted', async () => {
    const id = await topicOf('opt_in');
    await resend.topics.update({ id, description: 'News' });
    const { data } = await resend.topics.get(id);
    assert.deepEqual([data?.description, data?.default_subscription], ['News', 'opt_in']);
    assert.ok((await resend.topics.list()).data?.data.some((one) => one.id === id));
    assert.equal((await resend.topics.remove(id)).data?.deleted, true);
    assert.equal((await resend.topics.get(id)).error?.message, 'Topic not found');
  });

  it('reaches who has not left it, and whom nobody knows by its default', async () => {
    const topic = await topicOf('opt_in');
    const { data: left } = await resend.contacts.create({
      ...{ email: 'left@topic.test', topics: [{ id: topic, subscription: 'opt_out' }] },
    });
    assert(left);
    await resend.contacts.create({ email: 'gone@topic.test', unsubscribed: true });
    const { json } = await sendTo(['Left@topic.test', 'new@topic.test', 'gone@topic.test'], topic);
    assert.deepEqual(await told(json.id), [
      ['suppressed', ['Left@topic.test', 'gone@topic.test'], 'unsubscribed'],
      ['sent', ['new@topic.test'], undefined],
    ]);
    await resend.contacts.topics.update({ id: left.id, topics: [{ id: topic, subscription: 'opt_in' }] });
    const { data: chosen } = await resend.contacts.topics.list({ id: left.id });
    assert.equal(chosen?.data.find(({ id }) => id === topic)?.subscription, 'opt_in');
    assert.deepEqual((await told((await sendTo(['left@topic.test'], topic)).json.id))[0]?.[0], 'sent');
    const asked = await topicOf('opt_out');
    assert.deepEqual((await told((await sendTo(['new@topic.test'], asked)).json.id))[0]?.[2], 'unsubscribed');
    assert.deepEqual((await told((await sendTo(['gone@topic.test'], undefined)).json.id))[0]?.[0], 'sent');
  });

  it('is left once more before the relay hears of it, where somebody leaves meanwhile', async () => {
    const topic = await topicOf('opt_in');
    const { json } = await sendTo(['soon@topic.test'], topic, { scheduled_at: 'in 1 hour' });
    await resend.contacts.create({ email: 'soon@topic.test', topics: [{ id: topic, subscription: 'opt_out' }] });
    server.clock.advance(3_700_000);
    await server.tick();
    assert.deepEqual((await told(json.id)).at(-1), ['suppressed', ['soon@topic.test'], 'unsubscribed']);
  });

  it('is refused where there is none', async () => {
    const { status, json } = await sendTo(['a@topic.test'], nobody);
    assert.deepEqual([status, json.name], [422, 'validation_error']);
    assert.match(json.message, /`topic_id`/);
  });

  it('is left with one click, or on a page that changes nothing by being looked at', async () => {
    const topic = await topicOf('opt_in');
    const key = { 'idempotency-key': 'left with one click' };
    const mail = message({ to: 'click@topic.test', topic_id: topic });
    const first = await server.call('POST', '/emails', mail, key);
    await drained(server);
    const source = sink.received.at(-1)?.bytes.toString('latin1') ?? '';
    assert.match(source, /^List-Unsubscribe-Post: List-Unsubscribe=One-Click\r$/m);
    const unfolded = source.replace(/\r\n[ \t]+/g, '');
    const link = /^List-Unsubscribe: ?<(http[^>]+)>/m.exec(unfolded)?.[1] ?? '';
    const page = await fetch(link);
    assert.equal(page.status, 200);
    const marked = new RegExp(`value="${topic}" checked`);
    assert.match(await page.text(), marked);
    const other = await fetch(link.replace('click%40', 'clack%40'));
    assert.equal(other.status, 404);
    assert.equal((await told((await sendTo(['click@topic.test'], topic)).json.id))[0]?.[0], 'sent');
    const clicked = await fetch(link, { method: 'POST', body: new URLSearchParams('List-Unsubscribe=One-Click') });
    assert.equal(clicked.status, 200);
    assert.equal((await told((await sendTo(['click@topic.test'], topic)).json.id))[0]?.[2], 'unsubscribed');
    assert.doesNotMatch(await (await fetch(link)).text(), marked);
    await fetch(link, { method: 'POST', body: new URLSearchParams([['topic', topic]]) });
    assert.equal((await told((await sendTo(['click@topic.test'], topic)).json.id))[0]?.[0], 'sent');
    await fetch(link, { method: 'POST', body: new URLSearchParams('all=leave') });
    assert.equal((await resend.contacts.get('click@topic.test')).data?.unsubscribed, true);
    // What the server added to the mail is no difference of the request.
    const again = await server.call('POST', '/emails', { ...mail, subject: 'another' }, key);
    assert.deepEqual([again.status, again.json.different_fields], [409, ['subject']]);
    assert.deepEqual(again.json.email_ids, [first.json.id]);
  });
});
