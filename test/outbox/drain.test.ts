/** What becomes of rows: sent once, under keys they keep, in order where that is asked for, or parked for a person. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it, type TestContext } from 'node:test';
import { runDrain } from '../../src/client/outbox/drain.ts';
import { openOutboxDatabase } from '../../src/client/outbox/engine.ts';
import { dropRows, readStatus, retryRows } from '../../src/client/outbox/people.ts';
import { claimRows } from '../../src/client/outbox/rows.ts';
import { startLossyProxy } from '../support/lossy-proxy.ts';
import { allEmails, subjects } from '../support/served.ts';
import { startTestServer, type TestServer, testKey } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';
import { drainAll, drainOnce, type Ground, insertRows, openGround, readRows, statesOf } from './ground.ts';
import { payloadFor } from './order.ts';

const hourMs = 3_600_000;
const lifetimes = { resend: 24 * hourMs, brevo: hourMs / 2 };

describe('a drain', () => {
  let server: TestServer;
  let sink: Sink;
  before(async () => {
    sink = await startSink();
    server = await startTestServer({ environment: { RELAY_URL: `smtp://127.0.0.1:${sink.port}` } });
  });
  after(async () => {
    await server.stop();
    await sink.close();
  });

  let tests = 0;
  /** Rows of one test are called as no other's: they meet on the server. */
  async function begin(t: TestContext): Promise<{ ground: Ground; name: (id: string | number) => string }> {
    const test = ++tests;
    return { ground: await openGround(t), name: (id) => `t${test}/${id}` };
  }

  async function acceptedUnder(...keys: string[]): Promise<Record<string, string[]>> {
    const answers: Record<string, string[]> = {};
    const { json } = await server.call('POST', '/idempotency-keys/lookup', { keys });
    for (const { key, email_ids } of json.data) answers[key] = email_ids;
    return answers;
  }

  const copiesOf = async (name: string) => (await allEmails(server)).filter(({ subject }) => subject === name).length;

  it('sends rows as one batch under the first one’s key, and writes the ids back', async (t) => {
    const { ground, name } = await begin(t);
    const ids = [1, 2, 3].map(name);
    await insertRows(ground.database, ...ids.map((id) => ({ id })));
    assert.equal((await drainOnce(ground, server.url)).sent, 3);
    const rows = await readRows(ground.database);
    const emailIds = rows.map((row) => JSON.parse(row.email_ids ?? '[]')[0]);
    assert.deepEqual(await acceptedUnder(`outbox/batch/${ids[0]}`), { [`outbox/batch/${ids[0]}`]: emailIds });
    for (const [index, row] of rows.entries()) {
      assert.deepEqual([row.state, row.batch, row.attempts], ['sent', ids[0], 1]);
      assert.equal((await server.call('GET', `/emails/${emailIds[index]}`)).json.subject, row.id);
    }
    await server.until('they arrive', () => ids.every((id) => subjects(sink).filter((one) => one === id).length === 1));
  });

  it('sends one row, and what no batch takes, under keys of their own', async (t) => {
    const { ground, name } = await begin(t);
    const attachments = [{ filename: 'a.txt', content: 'aGk=' }];
    await insertRows(
      ground.database,
      { id: name('file'), payload: payloadFor('file', { attachments }) },
      { id: name('later'), payload: payloadFor('later', { scheduled_at: 'in 1 hour' }) },
      { id: name('alone') },
    );
    await drainOnce(ground, server.url);
    const keys = ['file', 'later', 'alone'].map((id) => `outbox/${name(id)}`);
    const accepted = await acceptedUnder(...keys);
    for (const key of keys) assert.equal(accepted[key]?.length, 1, key);
  });

  it('sends to Brevo’s side with the key in the body', async (t) => {
    const { ground, name } = await begin(t);
    const content = { sender: { email: 'a@acme.example' }, to: [{ email: 'b@acme.example' }], textContent: 'x' };
    const payload = JSON.stringify({ ...content, subject: name(1), headers: { 'X-Mine': 'kept' } });
    await insertRows(ground.database, { id: name(1), facade: 'brevo', payload });
    const lossy = await startLossyProxy(t, server.url, 1);
    await drainAll(ground, lossy.url);
    const [row] = await readRows(ground.database);
    assert.deepEqual([row?.state, row?.attempts], ['sent', 2]);
    assert.match(row?.email_ids ?? '', /^\["<.*>"\]$/);
    const { json } = await server.call('GET', `/idempotency-keys/${encodeURIComponent(`outbox/${name(1)}`)}`);
    assert.deepEqual([json.endpoint, json.replays], ['POST /v3/smtp/email', 1]);
  });

  it('leaves rows alone that are not due yet, and makes ids where the caller gave none', async (t) => {
    const { ground, name } = await begin(t);
    const soon = new Date(Date.now() + hourMs).toISOString();
    const past = new Date(Date.now() - hourMs).toISOString();
    await insertRows(ground.database, { id: name('soon'), not_before: soon }, { id: name('past'), not_before: past });
    await ground.database.script(`insert into sendonce_outbox (payload) values ('${payloadFor(name('unnamed'))}');`);
    await drainOnce(ground, server.url);
    const states = Object.entries(await statesOf(ground.database)).map(([id, state]) => [
      id.length > 20 ? '' : id,
      state,
    ]);
    assert.deepEqual(states, [
      [name('soon'), 'waiting'],
      [name('past'), 'sent'],
      ['', 'sent'],
    ]);
  });

  it('lets no refused row keep the others of its batch, and tries it again once it is mended', async (t) => {
    const { ground, name } = await begin(t);
    await insertRows(
      ground.database,
      { id: name(1), payload: payloadFor('x', { to: [] }) },
      { id: name(2) },
      { id: name(3), payload: 'no json' },
      { id: name(4) },
    );
    await drainAll(ground, server.url);
    const parked = { [name(1)]: 'parked', [name(2)]: 'sent', [name(3)]: 'parked', [name(4)]: 'sent' };
    assert.deepEqual(await statesOf(ground.database), parked);
    const [first, , third] = await readRows(ground.database);
    assert.match(first?.last_error ?? '', /`to`/);
    assert.match(third?.last_error ?? '', /^\d+ .*JSON/);
    const mended = payloadFor(name(1));
    await ground.database.script(`update sendonce_outbox set payload = '${mended}' where id = '${name(1)}';`);
    assert.equal(await retryRows(ground.database, name(1)), 1);
    await drainAll(ground, server.url);
    assert.equal((await acceptedUnder(`outbox/${name(1)}`))[`outbox/${name(1)}`]?.length, 1);
    assert.equal(await dropRows(ground.database, name(3)), 1);
    assert.equal((await statesOf(ground.database))[name(3)], 'dropped');
  });

  it('takes a batch apart that is refused as a whole, and may not have been accepted', async (t) => {
    const { ground, name } = await begin(t);
    const [bad, worse] = [name(1), name(2)];
    await insertRows(
      ground.database,
      { id: bad, payload: payloadFor(bad, { to: [] }) },
      { id: worse, payload: payloadFor(worse, { subject: 7 }) },
    );
    await drainAll(ground, server.url);
    const rows = await readRows(ground.database);
    assert.deepEqual(
      rows.map(({ state, batch, parked_because }) => [state, batch, parked_because]),
      [
        ['parked', null, 'refused'],
        ['parked', null, 'refused'],
      ],
    );
  });

  it('keeps a batch together, and its key, over a death between forming and sending it', async (t) => {
    const { ground, name } = await begin(t);
    await insertRows(ground.database, { id: name(1) }, { id: name(2) });
    const formed = await claimRows(ground.database, { claim: 'dead', leaseMs: 1, keyLifetimeMs: lifetimes });
    assert.equal(formed.length, 1);
    await insertRows(ground.database, { id: name(3) });
    await drainAll(ground, server.url);
    const keys = [`outbox/batch/${name(1)}`, `outbox/${name(3)}`];
    const accepted = await acceptedUnder(...keys);
    assert.deepEqual(
      Object.values(accepted).map((ids) => ids.length),
      [2, 1],
    );
  });

  it('that ends when nothing is due waits for what a dead one has left, and not for long for what one that lives has', async (t) => {
    const { ground, name } = await begin(t);
    await insertRows(ground.database, { id: name(1) });
    const lease = { keyLifetimeMs: lifetimes, leaseMs: 700 };
    assert.equal((await claimRows(ground.database, { ...lease, claim: 'dead' })).length, 1);
    await drainOnce(ground, server.url, { leaseMs: 700 });
    assert.deepEqual(await statesOf(ground.database), { [name(1)]: 'sent' });

    await insertRows(ground.database, { id: name(2) });
    await claimRows(ground.database, { ...lease, claim: 'alive', leaseMs: 600_000 });
    await drainOnce(ground, server.url, { leaseMs: 1 });
    assert.equal((await statesOf(ground.database))[name(2)], 'waiting');
  });

  it('repeats a row that was tried alone under the key it had, beside new ones that make a batch', async (t) => {
    const { ground, name } = await begin(t);
    await insertRows(ground.database, { id: name(1) });
    let isLossy = true;
    const lossy = await startLossyProxy(t, server.url, () => isLossy);
    await drainOnce(ground, lossy.url);
    assert.equal((await readRows(ground.database))[0]?.state, 'waiting');
    isLossy = false;
    await insertRows(ground.database, { id: name(2) }, { id: name(3) });
    await drainAll(ground, lossy.url);
    assert.equal(await copiesOf(name(1)), 1);
    assert.equal((await readRows(ground.database))[0]?.batch, null);
  });

  it('sends each row once though every other answer is lost', async (t) => {
    const { ground, name } = await begin(t);
    const ids = Array.from({ length: 30 }, (_, index) => name(index));
    await insertRows(
      ground.database,
      ...ids.map((id, index) => ({ id, ...(index % 3 === 0 ? { ordering: id } : {}) })),
    );
    const lossy = await startLossyProxy(t, server.url, (request) => request % 2 === 1);
    await drainAll(ground, lossy.url);
    const all = (await allEmails(server)).map(({ subject }) => subject as string);
    for (const id of ids) assert.equal(all.filter((subject) => subject === id).length, 1, id);
  });

  it('sends rows of a group in their order, one after the other', async (t) => {
    const { ground, name } = await begin(t);
    for (let index = 0; index < 8; index++) {
      await insertRows(ground.database, { id: name(index), ordering: index % 2 === 0 ? 'even' : 'odd' });
    }
    const lossy = await startLossyProxy(t, server.url, (request) => request % 3 === 1);
    await drainAll(ground, lossy.url, { lanes: 3 });
    const emails = (await allEmails(server)).filter(({ subject }) => subject.startsWith(name('')));
    const order = (rest: number) =>
      emails.map(({ subject }) => Number(subject.split('/')[1])).filter((number) => number % 2 === rest);
    // The list has the newest first.
    assert.deepEqual(
      [order(0), order(1)],
      [
        [6, 4, 2, 0],
        [7, 5, 3, 1],
      ],
    );
  });

  it('holds a group up behind a row that is parked, until a person has answered', async (t) => {
    const { ground, name } = await begin(t);
    await insertRows(
      ground.database,
      { id: name(1), ordering: 'g', payload: payloadFor('x', { to: [] }) },
      { id: name(2), ordering: 'g' },
      { id: name(3), ordering: 'other' },
    );
    await drainOnce(ground, server.url);
    assert.deepEqual(await statesOf(ground.database), { [name(1)]: 'parked', [name(2)]: 'waiting', [name(3)]: 'sent' });
    const { heldUp, parked, waiting } = await readStatus(ground.database);
    assert.deepEqual([heldUp, parked, waiting], [1, 1, 1]);
    await dropRows(ground.database, name(1));
    await drainAll(ground, server.url);
    assert.equal((await statesOf(ground.database))[name(2)], 'sent');
  });

  it('parks what may have been accepted and whose key may be forgotten, without asking again', async (t) => {
    const { ground, name } = await begin(t);
    await insertRows(ground.database, { id: name(1) }, { id: name(2) });
    await claimRows(ground.database, { claim: 'dead', leaseMs: 1, keyLifetimeMs: lifetimes });
    await new Promise((resolve) => setTimeout(resolve, 5));
    await drainOnce(ground, server.url, { keyLifetimeMs: { resend: 0 } });
    const rows = await readRows(ground.database);
    assert.deepEqual(
      rows.map(({ parked_because }) => parked_because),
      ['unknown', 'unknown'],
    );
    assert.equal(await copiesOf(name(1)), 0);
    assert.equal(await retryRows(ground.database, name(2)), 2);
    await drainAll(ground, server.url);
    assert.equal(await copiesOf(name(1)), 1);
  });

  it('parks nothing for a server that was never reached, however long that lasts', async (t) => {
    const { ground, name } = await begin(t);
    await insertRows(ground.database, { id: name(1) });
    for (let time = 0; time < 3; time++) {
      await drainOnce(ground, await closedUrl(), { keyLifetimeMs: { resend: 0 } });
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    const [row] = await readRows(ground.database);
    assert.equal(row?.state, 'waiting');
    assert.match(row?.last_error ?? '', /ECONNREFUSED/);
    await drainAll(ground, server.url);
    assert.equal(await copiesOf(name(1)), 1);
  });

  it('parks nothing for a key of its own that does not work, and says so', async (t) => {
    const { ground, name } = await begin(t);
    await insertRows(ground.database, { id: name(1) }, { id: name(2) });
    await assert.rejects(drainOnce(ground, server.url, { key: 're_wrong' }), /settings do not work: 401/);
    assert.deepEqual(Object.values(await statesOf(ground.database)), ['waiting', 'waiting']);
    await drainAll(ground, server.url);
    assert.deepEqual(Object.values(await statesOf(ground.database)), ['sent', 'sent']);
  });

  it('parks as a conflict what was changed after it may have been accepted', async (t) => {
    const { ground, name } = await begin(t);
    await insertRows(ground.database, { id: name(1) });
    let isLossy = true;
    const lossy = await startLossyProxy(t, server.url, () => isLossy);
    await drainOnce(ground, lossy.url);
    isLossy = false;
    const changed = payloadFor(name(1), { text: 'changed' });
    await ground.database.script(`update sendonce_outbox set payload = '${changed}' where id = '${name(1)}';`);
    await drainAll(ground, lossy.url);
    const [row] = await readRows(ground.database);
    assert.deepEqual([row?.state, row?.parked_because], ['parked', 'conflict']);
    assert.equal(await copiesOf(name(1)), 1);
  });

  it('shares rows with others that drain at once, and sends none of them twice', async (t) => {
    const { ground, name } = await begin(t);
    const ids = Array.from({ length: 250 }, (_, index) => name(index));
    await insertRows(ground.database, ...ids.map((id) => ({ id })));
    const drained = await Promise.all([1, 2, 3].map(() => drainOnce(ground, server.url, { lanes: 2 })));
    assert.equal(
      drained.reduce((sum, { sent }) => sum + sent, 0),
      250,
    );
    const rows = await readRows(ground.database);
    assert(rows.every(({ attempts, state }) => attempts === 1 && state === 'sent'));
    const emailIds = new Set(rows.map((row) => row.email_ids));
    assert.equal(emailIds.size, 250);
  });

  it('keeps to a rate, and to Retry-After with all rows', async (t) => {
    const { ground, name } = await begin(t);
    const asked: number[] = [];
    const limited = http.createServer((request, response) => {
      asked.push(performance.now());
      request.resume().once('end', () => {
        if (asked.length === 1)
          return response.writeHead(429, { 'retry-after': '1' }).end('{"name":"rate_limit_exceeded"}');
        response.writeHead(200, { 'content-type': 'application/json' }).end('{"id":"x"}');
      });
    });
    const url = await listening(limited);
    t.after(() => limited.close());
    await insertRows(ground.database, ...[1, 2, 3].map((id) => ({ id: name(id), endpoint: '/custom' })));
    const begun = performance.now();
    await drainAll(ground, url, { ratePerSecond: 4, lanes: 1, keyLifetimeMs: { resend: 0 } });
    const [first = 0, ...others] = asked;
    assert.equal(asked.length, 4, 'three rows, and the one that was told to wait again');
    assert((others.at(-1) ?? 0) - first >= 950, 'it is asked again after a second');
    // Any of them may be late, and none is early.
    for (const [index, at] of asked.entries()) assert(at - begun >= index * 245, 'four in a second');
    assert(Object.values(await statesOf(ground.database)).every((state) => state === 'sent'));
  });

  it('wakes when a row comes, long before it would look again', async (t) => {
    const { ground, name } = await begin(t);
    const ending = new AbortController();
    let tell = () => {};
    const running = runDrain(ground.database, {
      to: server.url,
      key: testKey,
      signal: ending.signal,
      lanes: 1,
      onProgress: () => tell(),
    });
    const waits: number[] = [];
    for (let time = 0; time < 6; time++) {
      const told = new Promise<void>((resolve) => {
        tell = resolve;
      });
      const began = performance.now();
      // From another connection, as the caller's program has one.
      const other = await openBeside(ground);
      await insertRows(other.database, { id: name(time) });
      await told;
      waits.push(performance.now() - began);
      await other.database.close();
    }
    ending.abort();
    await running;
    waits.sort((one, another) => one - another);
    assert((waits[2] ?? 0) < 700, `polling alone would take half a second on average and up to one: ${waits}`);
  });
});

/** Where nobody listens. */
async function closedUrl(): Promise<string> {
  const server = http.createServer();
  const url = await listening(server);
  server.close();
  return url;
}

async function listening(server: http.Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function openBeside(ground: Ground): Promise<Ground> {
  return { ...ground, database: await openOutboxDatabase(ground.url) };
}
