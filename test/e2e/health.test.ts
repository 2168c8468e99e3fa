/** What a server says of itself while its database does not answer: /healthz and /metrics. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { cannotRead } from '../../src/core/error.ts';
import type { Database } from '../../src/store/database.ts';
import { bendDatabase } from '../support/bent-database.ts';
import { chosenEngine, openDatabase } from '../support/engine.ts';
import { message, startTestServer } from '../support/server.ts';

type Mood = 'works' | 'refuses' | 'is silent' | 'goes away';

/** A server on a database of which some reads follow the mood. */
async function serveMoody(t: TestContext) {
  const mood: { is: Mood } = { is: 'works' };
  const gone = () => cannotRead(new Error('it is away'));
  const database = (own: Database): Database => ({
    ...bendDatabase(own, []),
    all: (sql, ...params) => {
      if (!sql.includes('from accounts limit 1')) return own.all(sql, ...params);
      if (mood.is === 'refuses') throw gone();
      return mood.is === 'is silent' ? new Promise(() => {}) : own.all(sql, ...params);
    },
    report: async (sql, ...params) => {
      if (mood.is !== 'works') throw gone();
      return own.report(sql, ...params);
    },
  });
  const server = await startTestServer({ outside: { database } });
  t.after(() => server.stop());
  return { server, mood };
}

describe('GET /healthz', () => {
  it('is 200 while the database answers, and 503 while it refuses or keeps silent', async (t) => {
    const { server, mood } = await serveMoody(t);
    for (const [is, status, word] of [
      ['works', 200, 'ok'],
      ['refuses', 503, 'unavailable'],
      ['is silent', 503, 'unavailable'],
      ['works', 200, 'ok'],
    ] as const) {
      mood.is = is;
      const reply = await server.call('GET', '/healthz');
      assert.deepEqual([reply.status, reply.json.status], [status, word], is);
      assert.deepEqual(Object.keys(reply.json), ['status'], 'a stranger is told no more');
    }
  });
});

describe('GET /metrics', () => {
  it('is 200 whatever the database does, says whether that answers, and leaves out what it cannot know', async (t) => {
    const { server, mood } = await serveMoody(t);
    for (const is of ['works', 'refuses', 'is silent', 'goes away', 'works'] as const) {
      mood.is = is;
      const { status, text } = await server.call('GET', '/metrics');
      assert.equal(status, 200, is);
      const up = is === 'works';
      assert.match(text, new RegExp(`^sendonce_database_up ${up ? 1 : 0}$`, 'm'), is);
      assert.match(text, /^sendonce_emails_accepted_total 0$/m, is);
      assert.equal(/^sendonce_open_deliveries\{/m.test(text), up, is);
      assert.equal(/^sendonce_webhook_deliveries_pending /m.test(text), up, is);
    }
  });
});

describe('while another program holds the database', () => {
  /** All that writes on SQLite; on PostgreSQL what the gauges count as well. Held until the answer's `release`. */
  async function hold(t: TestContext, url: string): Promise<() => Promise<void>> {
    const database = await openDatabase(url);
    t.after(() => database.close());
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { holding } = await new Promise<{ holding: Promise<void> }>((resolve) => {
      const holding: Promise<void> = database.write(async (tx) => {
        if (chosenEngine() === 'sqlite') await tx.run('update accounts set created_at = created_at');
        else await tx.run('lock table deliveries, webhooks in access exclusive mode');
        resolve({ holding });
        await released;
      });
    });
    return async () => {
      release();
      await holding;
    };
  }

  it('both answer in time, and what waits to be written is written afterwards', async (t) => {
    const server = await startTestServer();
    t.after(() => server.stop());
    const release = await hold(t, server.databaseUrl);
    const sent = server.call('POST', '/emails', message());
    const startedAt = performance.now();
    const [health, metrics] = await Promise.all([server.call('GET', '/healthz'), server.call('GET', '/metrics')]);
    const tookMs = performance.now() - startedAt;
    assert(tookMs < 20_000, `they took ${tookMs} ms`);
    assert.equal(health.status, 200);
    assert.match(metrics.text, /^sendonce_database_up 1$/m);
    await release();
    assert.equal((await sent).status, 200);
  });
});
