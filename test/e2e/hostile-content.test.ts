/** Content that takes minutes to render: its request is answered in time, and nobody else waits for it. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { type Limits, limits as realLimits } from '../../src/config/limits.ts';
import { chosenEngine, onlyOnSqlite } from '../support/engine.ts';
import { message, startTestServer, type TestServer } from '../support/server.ts';
import { untilEvent } from './sending.ts';

/** html-to-text takes over a minute for `quotes(100_000)`, some 500 kB; it came out as a mail of 53 MB. */
const quotes = (lines: number) => `${'<blockquote>'.repeat(252)}${'a<br>'.repeat(lines)}`;
/** chrono-node takes a second for each of these, which are all different. */
const dates = Array.from({ length: 20 }, (_, index) => `${'mon \t\ta '.repeat(11)}${index}!`);

/** 2 s are promised, on a machine that does nothing else. The control waits longer, and short beside a minute. */
const answerMsMax = 12_000;
const healthMsMax = 8_000;
const waitedMs = 3_000;

describe('content that is hostile to read', () => {
  it('goes out without a text part, alone and in a batch, and holds up neither others nor the server', async (t) => {
    const server = await start(t);
    const health = watchHealth(server);
    const single = await timed(server.call('POST', '/emails', message({ html: quotes(100_000) })));
    const batch = Array.from({ length: 100 }, () => message({ html: quotes(1_000) }));
    const cut = timed(server.call('POST', '/emails/batch', batch));
    const behind = await timed(server.call('POST', '/emails', message({ html: '<p>ordinary</p>' })));
    for (const { reply, ms } of [single, behind, await cut]) {
      assert.equal(reply.status, 200, reply.text);
      assert.ok(ms < answerMsMax, `answered after ${ms} ms`);
    }
    await untilEvent(server, behind.reply.json.id, 'delivered');
    await untilEvent(server, single.reply.json.id, 'delivered');
    assert.ok((await health.worst()) < healthMsMax);
  });

  const beforeStores = onlyOnSqlite('rendered before a store is asked, which no engine changes');

  it('is refused where its author asked for it: a date in words, a template', beforeStores, async (t) => {
    const server = await start(t);
    const health = watchHealth(server);
    const batch = dates.map((scheduled_at) => message({ scheduled_at }));
    const permissive = await untilNotBusy(() =>
      timed(server.call('POST', '/emails/batch', batch, { 'x-batch-validation': 'permissive' })),
    );
    assert.ok(permissive.ms < answerMsMax, `answered after ${permissive.ms} ms`);
    assert.deepEqual(permissive.reply.json.data, []);
    assert.match(permissive.reply.json.errors.at(-1).message, /takes too long to find out.*ISO 8601/);

    const { reply: soon } = await untilNotBusy(() =>
      timed(server.call('POST', '/emails', message({ scheduled_at: 'tomorrow at 9am' }))),
    );
    assert.equal(soon.status, 200, soon.text);
    const moved = await server.call('PATCH', `/emails/${soon.json.id}`, { scheduled_at: dates[0] });
    assert.equal(moved.status, 422);

    for (const [name, htmlContent, params] of costly) {
      const body = { sender: { email: 'a@b.co' }, to: [{ email: 'c@d.co' }], subject: 's', htmlContent, params };
      const { reply, ms } = await untilNotBusy(() =>
        timed(server.call('POST', '/v3/smtp/email', body, { 'api-key': 're_test_key' })),
      );
      assert.ok(reply.status === 201 || /cannot be rendered/.test(reply.json.message), `${name}: ${reply.text}`);
      assert.ok(ms < answerMsMax, `${name} was answered after ${ms} ms`);
    }
    assert.ok((await health.worst()) < healthMsMax);
  });

  it('would be waited for without a deadline, though not by others', beforeStores, async (t) => {
    const server = await start(t, { renderMsMax: 60_000 });
    const health = watchHealth(server);
    const waited = timed(server.call('POST', '/emails', message({ html: quotes(100_000) })));
    const behind = await server.call('POST', '/emails', message());
    await untilEvent(server, behind.json.id, 'delivered');
    const outcome = await Promise.race([
      waited,
      new Promise((resolve) => setTimeout(resolve, waitedMs, 'still waiting').unref()),
    ]);
    assert.equal(outcome, 'still waiting');
    assert.ok((await health.worst()) < healthMsMax);
  });
});

const loop = (inner: string) => `{% for a in params.list %}${inner}{% endfor %}`;
const list = Array.from({ length: 5_000 }, (_, index) => index);
const members = Object.fromEntries(Array.from({ length: 8_000 }, (_, index) => [`m${index}`, 0]));

/** What a step costs was not counted in any of these. */
const costly: [name: string, html: string, params: Record<string, unknown>][] = [
  ['a number of 100,000 digits', '{{ params.s|add:1 }}'.repeat(50), { s: `${'1'.repeat(90_000)}x` }],
  ['the truth of a large object', '{% if params.o %}a{% endif %}'.repeat(5_000), { o: members }],
  ['320 operands', loop(`{% if ${'params.no or '.repeat(140)}params.no %}a{% endif %}`), { list }],
  ['600 steps', loop(`{{ params.deep${'[0]'.repeat(600)} }}`), { list, deep: [] }],
];

/** On PostgreSQL a second process serves the same database: it must not be drawn into what the first is at. */
async function start(t: TestContext, change: Partial<Limits> = {}): Promise<TestServer> {
  const limits = { renderMsMax: realLimits.renderMsMax, ...change };
  const server = await startTestServer({ limits });
  if (chosenEngine() === 'postgres') {
    const beside = await startTestServer({ environment: { DATABASE_URL: server.databaseUrl, ROLE: 'worker' } });
    t.after(() => beside.stop());
  }
  t.after(() => server.stop());
  return server;
}

async function timed<T>(answer: Promise<T>): Promise<{ reply: T; ms: number }> {
  const since = performance.now();
  return { reply: await answer, ms: performance.now() - since };
}

/** A busy machine may take longer than the deadline to start a thread: 503, and nobody is blamed. */
async function untilNotBusy<T extends { reply: { status: number } }>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    const asked = await ask();
    if (asked.reply.status !== 503 || tries === 10) return asked;
  }
}

/** Asks whether the server is well, again and again. */
function watchHealth(server: TestServer) {
  let worst = 0;
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      const { ms } = await timed(server.call('GET', '/healthz'));
      worst = Math.max(worst, ms);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  return {
    async worst(): Promise<number> {
      isOver = true;
      await watching;
      return worst;
    },
  };
}
