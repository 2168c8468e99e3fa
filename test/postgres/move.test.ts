/** `sendonce migrate --from sqlite: --to postgres:`: afterwards no key, no email and no doubt is forgotten. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { migrateCommand } from '../../src/command/migrate.ts';
import { type Config, readConfig } from '../../src/config.ts';
import type { Relay } from '../../src/deliver/relay.ts';
import type { Database } from '../../src/store/database.ts';
import { migrate } from '../../src/store/migrate.ts';
import { beginMove, copyAll, endMove } from '../../src/store/move.ts';
import { openDatabase } from '../support/engine.ts';
import { sharedPostgres } from '../support/postgres-server.ts';
import { printed } from '../support/printed.ts';
import { message, startTestServer, type TestServer } from '../support/server.ts';

const config: Config = readConfig({});

const move = (server: TestServer, to: string) =>
  printed(() => migrateCommand(config, { from: server.databaseUrl, to }));

/** Takes every mail, and says nothing to those about silence. */
const relay: Relay = {
  name: 'half deaf',
  concurrency: 5,
  async ship({ envelope, bytes }, gate) {
    await gate({ accepted: envelope.to, bounced: [], deferred: [] });
    if (Buffer.from(bytes).includes('silence')) return { kind: 'in_doubt', reason: 'no answer came' };
    return { kind: 'sent', reply: '250 ok' };
  },
  async close() {},
};

type Sent = { key: string; body: Record<string, unknown>; text: string };

const post = (server: TestServer, { key, body }: Pick<Sent, 'key' | 'body'>) =>
  server.call('POST', '/emails', body, { 'idempotency-key': key });

/** A SQLite server with a bit of everything: sent, scheduled, in doubt, with attachments, with a NUL in the text. */
async function lived(t: TestContext): Promise<{ server: TestServer; sent: Sent[] }> {
  const server = await startTestServer({ relay });
  t.after(() => server.stop().catch(() => {}));
  const bodies = [
    message(),
    message({ subject: 'silence' }),
    message({ scheduled_at: 'in 2 hours' }),
    message({ attachments: [{ filename: 'a.bin', content: Buffer.from([0, 255, 1]).toString('base64') }] }),
    message({ text: 'grüße \u0000 🙂' }),
    ...Array.from({ length: 30 }, (_, index) => message({ subject: `mail ${index}` })),
  ];
  const sent: Sent[] = [];
  for (const [index, body] of bodies.entries()) {
    const key = `key ${index}`;
    const { text, status } = await post(server, { key, body });
    assert.equal(status, 200, text);
    sent.push({ key, body, text });
  }
  await server.until('all but the scheduled one have left', async () => {
    const { text } = await server.call('GET', '/metrics');
    return text.includes('sendonce_open_deliveries{state="in_doubt"} 1') && /\{state="queued"\} 1$/m.test(text);
  });
  return { server, sent };
}

/** A server on what has arrived answers as the first one did, and goes on where that stopped. */
async function assertNothingForgotten(
  t: TestContext,
  before: { sent: Sent[]; emails: unknown; now: number },
  url: string,
) {
  const moved = await startTestServer({ relay, environment: { DATABASE_URL: url } });
  t.after(() => moved.stop());
  for (const one of before.sent) {
    const again = await post(moved, one);
    assert.deepEqual([again.text, again.headers.get('idempotent-replayed')], [one.text, 'true']);
  }
  assert.deepEqual((await moved.call('GET', '/emails?limit=100')).json.data, before.emails);
  const doubts = (await moved.call('GET', '/in-doubt')).json.data;
  assert.equal(doubts.length, 1);
  const scheduled = JSON.parse(before.sent[2]?.text ?? '{}').id;
  moved.clock.advance(3 * 60 * 60_000);
  await moved.until('the scheduled one leaves', async () => {
    return (await moved.call('GET', `/emails/${scheduled}`)).json.last_event === 'sent';
  });
  const next = await moved.call('POST', '/emails', message());
  assert.equal(next.status, 200, 'events have numbers of their own');
}

async function stateOf(server: TestServer, sent: Sent[]) {
  return { sent, emails: (await server.call('GET', '/emails?limit=100')).json.data, now: server.clock.now() };
}

const newDatabase = async () => (await sharedPostgres()).createDatabase();

describe('a move from SQLite to PostgreSQL', () => {
  it('forgets no key, no email and no doubt, and the old database is not served any more', async (t) => {
    const { server, sent } = await lived(t);
    const before = await stateOf(server, sent);
    const url = await newDatabase();
    const moving = server.restart(async () => {
      assert.match(await move(server, url), /Everything is in/);
    });
    await assert.rejects(moving, /cannot be served. Everything in it was moved to/);
    await assertNothingForgotten(t, before, url);
  });

  it('goes on where it was interrupted, however often', async (t) => {
    const { server, sent } = await lived(t);
    const before = await stateOf(server, sent);
    const url = await newDatabase();
    const moving = server.restart(async () => {
      const [source, target] = [await openDatabase(server.databaseUrl), await openDatabase(url)];
      await migrate(target);
      await beginMove(source, target, 'here');
      for (let writes = 1; ; writes += 3) {
        try {
          await copyAll(source, failingAfter(target, writes), () => {});
          break;
        } catch (error) {
          assert.match(String(error), /interrupted/);
          await assert.rejects(startTestServer({ environment: { DATABASE_URL: url } }), /is being filled/);
          await beginMove(source, target, 'here');
        }
      }
      await endMove(source, target, 'there');
      await source.close();
      await target.close();
    });
    await assert.rejects(moving, /was moved to there/);
    await assertNothingForgotten(t, before, url);
  });

  it('is refused while either side serves, and where the target has content', async (t) => {
    const { server } = await lived(t);
    const url = await newDatabase();
    await assert.rejects(move(server, url), /Another Sendonce process serves/);
    const other = await startTestServer({ environment: { DATABASE_URL: url } });
    await server.restart(async () => {
      await assert.rejects(move(server, url), /is being served/).finally(() => other.stop());
      await assert.rejects(move(server, url), /is not empty/);
    });
    await assert.rejects(migrateCommand(config, { from: url, to: server.databaseUrl }), /Usage/);
  });
});

function failingAfter(target: Database, writes: number): Database {
  let left = writes;
  return {
    engine: target.engine,
    all: target.all.bind(target),
    report: target.report.bind(target),
    wall: () => target.wall(),
    announce: () => target.announce(),
    onAnnounced: (listener) => target.onAnnounced(listener),
    close: () => target.close(),
    write(work, terms) {
      left -= 1;
      if (left < 0) return Promise.reject(new Error('interrupted'));
      return target.write(work, terms);
    },
  };
}
