/** What a request is called, and the trace of its client: in the answer, with the email, in its events, and at its webhooks. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { indexed, signIn } from '../page/visitor.ts';
import { message } from '../support/server.ts';
import { Wire } from '../support/wire.ts';
import { send, stage, told } from '../webhook/stage.ts';

const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const requestId = /^req_[0-9a-f]{16}$/;

describe('each request has an id', () => {
  test('that its answer tells, whatever the answer is', async (t) => {
    const { server } = await stage(t);
    const paths = ['/emails', '/v3/account', '/nothing', '/healthz', '/metrics', '/dashboard', '/dashboard/nothing'];
    const ids = await Promise.all(
      paths.map(async (path) => (await server.call('GET', path)).headers.get('x-request-id')),
    );
    for (const [index, id] of ids.entries()) assert.match(id ?? '', requestId, paths[index]);
    assert.equal(new Set(ids).size, paths.length);
    // What is no HTTP is told in the words of whoever was asked.
    const tooLarge = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`;
    for (const [path, word] of [
      ['/emails', 'name'],
      ['/v3/account', 'code'],
    ] as const) {
      const wire = await Wire.open(server.url);
      wire.write(tooLarge(path));
      const reply = await wire.reply();
      assert.equal(reply.status, 431);
      assert.match(reply.headers.get('x-request-id') ?? '', requestId);
      assert(word in reply.json, reply.text);
      assert.equal('name' in reply.json, path === '/emails');
      await wire.closed();
    }
  });

  test('that its email is found by, and the trace of its client goes to its events and webhooks', async (t) => {
    const { server, receiver } = await stage(t);
    const sent = await server.call('POST', '/emails', message(), { traceparent });
    const id = sent.headers.get('x-request-id') ?? '';
    await send(server);
    await told(server);
    const { data } = (await server.call('GET', `/emails/${sent.json.id}/events`)).json;
    assert.equal(data[0].request_id, id);
    for (const event of data) assert.equal(event.traceparent, traceparent, event.type);
    const tellings = receiver.told.map(({ headers, json }) => ({ headers, data: json.data }));
    const mine = tellings.filter((one) => one.data.email_id === sent.json.id);
    assert(mine.length > 0 && mine.length < tellings.length);
    for (const one of tellings) {
      const expected = one.data.email_id === sent.json.id ? traceparent : undefined;
      assert.deepEqual([one.headers.traceparent, one.data.traceparent], [expected, expected]);
    }
    await indexed(server);
    const visitor = await signIn(server);
    const { text } = await visitor.get(`/emails?q=${id}`);
    const found = new Set(text.match(/\/dashboard\/emails\/[0-9a-f]{8}-[0-9a-f-]*/g));
    assert.deepEqual([...found], [`/dashboard/emails/${sent.json.id}`]);
    assert.match((await visitor.get(`/emails/${sent.json.id}`)).text, new RegExp(`${id}[^]*${traceparent}`));
  });

  test('a traceparent that others could not read is not kept', async (t) => {
    const { server } = await stage(t);
    for (const bad of ['hello', `${traceparent}-x`, `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`]) {
      const { json } = await server.call('POST', '/emails', message(), { traceparent: bad });
      const { data } = (await server.call('GET', `/emails/${json.id}/events`)).json;
      assert.equal(data[0].traceparent, undefined, bad);
    }
  });
});
