/** `sendonce migrate --from sqlite: --to postgres:`: afterwards no key, no email and no doubt is forgotten. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import pg from 'pg';
import { migrateCommand } from '../../src/command/migrate.ts';
import { type Config, readConfig } from '../../src/config/config.ts';
import { type DatabaseSetting, parseDatabaseUrl } from '../../src/config/database-url.ts';
import { joined } from '../../src/core/pieces.ts';
import type { Relay } from '../../src/deliver/relay.ts';
import { databaseName } from '../../src/process/open-database.ts';
import type { Database } from '../../src/store/database.ts';
import { migrate } from '../../src/store/migrate.ts';
import { beginMove, copyAll, endMove } from '../../src/store/move.ts';
import { mail, send } from '../brevo/brevo.ts';
import { openDatabase } from '../support/engine.ts';
import { sharedPostgres } from '../support/postgres-server.ts';
import { printed } from '../support/printed.ts';
import { program, run } from '../support/program.ts';
import { replyOf } from '../support/reply.ts';
import { message, startTestServer, type TestServer } from '../support/server.ts';

const config: Config = readConfig({});

const move = (server: TestServer, to: string) =>
  printed(() => migrateCommand(config, { from: server.databaseUrl, to }));

/** Takes every mail, and says nothing to those about silence. */
const relay: Relay = {
  name: 'half deaf',
  concurrency: 5,
  async ship({ envelope, pieces }, gate) {
    await gate({ accepted: envelope.to, refused: [] });
    if (joined(pieces).includes('silence')) return { phase: 'in_doubt', reason: 'no answer came' };
    return { phase: 'verdict', reply: replyOf('250 ok') };
  },
  async close() {},
};

type Sent = { key: string; body: Record<string, unknown>; text: string };

const post = (server: TestServer, { key, body }: Pick<Sent, 'key' | 'body'>) =>
  server.call('POST', '/emails', body, { 'idempotency-key': key });

/** A SQLite server with a bit of everything: sent, scheduled, in doubt, with attachments, two with one file, with a NUL in the text. */
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
  const messageVersions = ['a', 'b'].map((name) => ({ to: [{ email: `${name}@example.org` }] }));
  const shared = mail({ attachment: [{ name: 'a.txt', content: 'c2hhcmVk' }], messageVersions });
  assert.equal((await send(server, shared)).status, 201);
  await server.until('all but the scheduled one have left', async () => {
    const { text } = await server.call('GET', '/metrics');
    return text.includes('sendonce_open_deliveries{state="in_doubt"} 1') && /\{state="queued"\} 1$/m.test(text);
  });
  return { server, sent };
}

/** A server on what has arrived answers as the first one did, and goes on where that stopped. */
async function assertNothingForgotten(
  t: TestContext,
  before: { sent: Sent[]; emails: { id: string }[]; now: number },
  url: string,
) {
  const moved = await startTestServer({ relay, environment: { DATABASE_URL: url } });
  t.after(() => moved.stop());
  for (const one of before.sent) {
    const again = await post(moved, one);
    assert.deepEqual([again.text, again.headers.get('idempotent-replayed')], [one.text, 'true']);
  }
  assert.deepEqual((await moved.call('GET', '/emails?limit=100')).json.data, before.emails);
  for (const { id } of before.emails.slice(0, 2)) {
    const { json } = await moved.call('GET', `/emails/${id}/attachments`);
    const downloads = json.data.map((one: { download_url: string }) =>
      fetch(one.download_url).then((file) => file.text()),
    );
    assert.deepEqual(await Promise.all(downloads), ['shared']);
  }
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

const cannotBeServed = /This database cannot be served\. Everything in it was moved to .*: serve that one\./;

const environmentOf = ({ databaseUrl, stateDir }: TestServer) => ({
  PATH: process.env.PATH ?? '',
  PORT: '0',
  DATABASE_URL: databaseUrl,
  STATE_DIR: stateDir,
});

/** A move that cannot write a table, which somebody has locked, and is then told Ctrl-C. */
async function interruptedBefore(to: string, table: string, env: Record<string, string>, from: string) {
  const locker = new pg.Client({ connectionString: to });
  await locker.connect();
  try {
    await locker.query(`begin; lock table ${table} in exclusive mode`);
    const child = spawn(process.execPath, [program, 'migrate', '--from', from, '--to', to], { env });
    let err = '';
    child.stderr.on('data', (chunk) => {
      err += String(chunk);
      if (err.endsWith('idempotency_keys\n')) child.kill('SIGINT');
    });
    const [code] = await once(child, 'close');
    return { code: code as number | null, err };
  } finally {
    await locker.end();
  }
}

describe('a move from SQLite to PostgreSQL', () => {
  it('forgets no key, no email and no doubt, and the old database is not served any more', async (t) => {
    const { server, sent } = await lived(t);
    const before = await stateOf(server, sent);
    const url = await newDatabase();
    const moving = server.restart(async () => {
      const said = await move(server, url);
      assert.match(said, /Everything is in/);
      assert.match(said, /^emails +37 +37$/m);
      assert.match(said, /^idempotency_keys +35 +35$/m);
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

  it('leaves an old database that no command reads or changes any more', async (t) => {
    const { server, sent } = await lived(t);
    const url = await newDatabase();
    const env = environmentOf(server);
    await assert.rejects(
      server.restart(async () => {
        await move(server, url);
      }),
      cannotBeServed,
    );
    const commands = [
      ['serve'],
      ['key', 'create'],
      ['key', 'list'],
      ['key', 'revoke', 'key_1'],
      ['queue'],
      ['queue', 'hold'],
      ['queue', 'settle', 'all', 'sent'],
      ['queue', 'settle', JSON.parse(sent[1]?.text ?? '{}').id, 'sent'],
      ['webhook', 'listen'],
      ['migrate'],
    ];
    for (const words of commands) {
      const { code, out, err } = await run(env, ...words);
      assert.deepEqual([code, out], [1, ''], words.join(' '));
      assert.match(err, cannotBeServed, words.join(' '));
    }
    const { code, out } = await run(env, 'doctor');
    assert.equal(code, 1);
    assert.match(out, /^FAIL .*This database cannot be served\. Everything in it was moved to .*: serve that one\.$/m);
    await assert.rejects(move(server, await newDatabase()), cannotBeServed, 'nor is it moved a second time');
  });

  it('says so when it is interrupted, refuses what is half there, and ends at 100 % when it is run again', async (t) => {
    const { server } = await lived(t);
    const url = await newDatabase();
    const env = environmentOf(server);
    const moving = server.restart(async () => {
      assert.equal((await run({ ...env, DATABASE_URL: url }, 'migrate')).code, 0);
      const { code, err } = await interruptedBefore(url, 'emails', env, server.databaseUrl);
      assert.equal(code, 130);
      assert.match(err, /\nInterrupted\. Run the same command again: it goes on from here\.\n$/);
      const half = { ...env, DATABASE_URL: url };
      assert.match((await run(half, 'doctor')).out, /^FAIL .* is being filled by .*: run the same command again/m);
      assert.match((await run(half, 'key', 'create')).err, /is being filled by .*: run the same command again/);
      const again = await run(env, 'migrate', '--from', server.databaseUrl, '--to', url);
      assert.equal(again.code, 0, again.err);
      assert.match(again.err.trim().split('\n').at(-1) ?? '', /^█{30} 100 % /);
    });
    await assert.rejects(moving, cannotBeServed);
    assert.match((await run({ ...env, DATABASE_URL: url }, 'queue')).out, /^1 in_doubt/);
  });

  it('does not go on with what is stale: an old database that was served in between', async (t) => {
    const { server } = await lived(t);
    const url = await newDatabase();
    const env = environmentOf(server);
    await server.restart(async () => {
      assert.equal((await run({ ...env, DATABASE_URL: url }, 'migrate')).code, 0);
      assert.equal((await interruptedBefore(url, 'emails', env, server.databaseUrl)).code, 130);
    });
    await server.restart(async () => {
      const stale = /of .* \(start 1, event \d+\).*, the source is at .* \(start 2, event \d+\) now.*empty database/;
      await assert.rejects(move(server, url), stale);
    });
  });

  it('may be interrupted between its two marks', async (t) => {
    const { server, sent } = await lived(t);
    const before = await stateOf(server, sent);
    const url = await newDatabase();
    const moving = server.restart(async () => {
      const [source, target] = [await openDatabase(server.databaseUrl), await openDatabase(url)];
      await migrate(target);
      await beginMove(source, target, databaseName(parseDatabaseUrl(server.databaseUrl) as DatabaseSetting));
      await copyAll(source, target, () => {});
      await assert.rejects(endMove(source, failingAfter(target, 0), 'there'), /interrupted/);
      await source.close();
      await target.close();
      assert.match(await move(server, url), /Everything is in/);
    });
    await assert.rejects(moving, /Everything in it was moved to/);
    await assertNothingForgotten(t, before, url);
  });

  it('says how both sides are written, and repeats no password', async () => {
    const typed = (from: string | undefined, to: string | undefined) => migrateCommand(config, { from, to });
    const to = 'postgres://u:secret@host/db';
    await assert.rejects(typed('./data/sendonce.db', to), /^CommandError: --from must be sqlite:PATH, .*\nUsage/);
    await assert.rejects(typed('sqlite:./data/sendonce.db', undefined), /--to is missing: it must be postgres:/);
    await assert.rejects(typed(to, to), (error) => !String(error).includes('secret'));
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
    emptyLog: () => target.emptyLog(),
    close: () => target.close(),
    write(work, terms) {
      left -= 1;
      if (left < 0) return Promise.reject(new Error('interrupted'));
      return target.write(work, terms);
    },
  };
}
