/** A database copied away, run forward and put back: what it takes for open may have left since, and is held. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { doctor } from '../../src/command/doctor.ts';
import { queue } from '../../src/command/queue.ts';
import { readConfig } from '../../src/config/config.ts';
import { RestoreGuard } from '../../src/process/restore-guard.ts';
import type { Database, SqlValue } from '../../src/store/database.ts';
import { appendEvent } from '../../src/store/mail/events.ts';
import { findWentBack, recordWentBack } from '../../src/store/went-back.ts';
import { type Backup, backUp } from '../support/backup.ts';
import { bendDatabase } from '../support/bent-database.ts';
import { createTestClock } from '../support/clock.ts';
import { discardDatabase, newMigratedUrl, openDatabase } from '../support/engine.ts';
import { printed } from '../support/printed.ts';
import { drained, type Served, serve } from '../support/served.ts';
import { message, type TestServer, testSecretKey } from '../support/server.ts';
import { modes } from '../support/smtp-sink-modes.ts';
import { createTemp } from '../support/temp.ts';

const hourMs = 60 * 60_000;
const configOf = ({ databaseUrl, stateDir }: TestServer) =>
  readConfig({ DATABASE_URL: databaseUrl, STATE_DIR: stateDir, SECRET_KEY: testSecretKey });
const heldIn = async (server: TestServer) => (await server.call('GET', '/in-doubt')).json.data;

/** What `sendonce doctor` says. */
async function diagnosis(server: TestServer): Promise<string> {
  const words = await printed(() => doctor({ config: configOf(server), problems: [] }));
  // It is this process's exit status that it set.
  process.exitCode = 0;
  return words;
}

/** Two mails wait for a relay that is away, one for its time; the database is copied; then the relay is back. */
async function copiedAndRunForward(t: TestContext): Promise<Served & { ids: string[]; backup: Backup }> {
  const { server, sink } = await serve(t);
  sink.behave = () => modes.deferMail;
  const ids: string[] = [];
  for (const change of [{}, {}, { scheduled_at: 'in 2 hours' }]) {
    const { json } = await server.call('POST', '/emails', message(change));
    ids.push(json.id);
  }
  await server.until('both were tried', async () => {
    const events = await Promise.all(ids.slice(0, 2).map((id) => server.call('GET', `/emails/${id}`)));
    return events.every(({ json }) => json.last_event === 'delivery_delayed');
  });
  const backup = await backUp(server);
  sink.behave = () => modes.accept;
  server.clock.advance(10_000);
  await server.tick();
  await sink.waitFor(2);
  await server.until('they are sent', async () => {
    const { text } = await server.call('GET', '/metrics');
    return /^sendonce_open_deliveries\{state="queued"\} 1$/m.test(text);
  });
  return { server, sink, ids, backup };
}

/** As it was last looked for, which is every ten seconds. */
async function trouble(server: TestServer, name: string): Promise<string | undefined> {
  server.clock.advance(11_000);
  await server.tick();
  const { text } = await server.call('GET', '/metrics');
  return new RegExp(`^sendonce_trouble\\{name="${name}"\\} (\\d)$`, 'm').exec(text)?.[1];
}

describe('a database that went back in time', () => {
  it('lets nothing leave: everything open is held, and listed with what is known', async (t) => {
    const { server, sink, ids, backup } = await copiedAndRunForward(t);
    await server.restart(backup.putBack);
    server.clock.advance(24 * hourMs);
    await server.tick();
    await server.tick();
    const held = await heldIn(server);
    assert.deepEqual(
      held.map((one: { email_id: string }) => one.email_id),
      ids,
    );
    assert.match(held[0].reason, /went back in time/);
    assert.equal((await server.call('GET', `/emails/${ids[0]}`)).json.in_doubt, true);
    assert.equal(sink.count, 2);
  });

  it('without its witness sends again what has left: the guard is what holds it', async (t) => {
    const { server, sink, backup } = await copiedAndRunForward(t);
    await server.restart(async () => {
      await backup.putBack();
      backup.removeWitness();
    });
    server.clock.advance(60_000);
    await server.tick();
    await sink.waitFor(4);
    assert.equal(sink.duplicates().length, 2);
  });

  it('is recognised by doctor before the start and after it, with what to do', async (t) => {
    const { server, backup } = await copiedAndRunForward(t);
    await server.restart(async () => {
      await backup.putBack();
      const before = await diagnosis(server);
      assert.match(before, /FAIL +the database went back in time.*sendonce queue settle/);
    });
    const after = await diagnosis(server);
    assert.match(after, /agrees with the database; it went back in time on \d{4}-.*, 3 were held/);
    assert.match(after, /FAIL +3 in doubt: see sendonce queue/);
  });

  it('leaves to the operator what becomes of each; a scheduled mail still waits for its time', async (t) => {
    const { server, sink, ids, backup } = await copiedAndRunForward(t);
    await server.restart(backup.putBack);
    const answers = ['sent', 'abandon', 'send-again'];
    for (const [index, answer] of answers.entries()) {
      const { status, json } = await server.call('POST', `/in-doubt/${ids[index]}`, { answer });
      assert.equal(status, 200, JSON.stringify(json));
    }
    await server.tick();
    assert.equal((await heldIn(server)).length, 0);
    assert.equal(sink.count, 2, 'nothing leaves before its time');
    server.clock.advance(3 * hourMs);
    await server.tick();
    await sink.waitFor(3);
    await drained(server);
  });

  it('is answered for all at once from the command line', async (t) => {
    const { server, sink, backup } = await copiedAndRunForward(t);
    await server.restart(backup.putBack);
    assert.equal(await trouble(server, 'went_back'), '1');
    const words = await printed(() => queue(configOf(server), ['settle', 'all', 'sent']));
    assert.match(words, /^3 in doubt\. Recorded as sent\./m);
    assert.equal(await trouble(server, 'went_back'), '0');
    server.clock.advance(24 * hourMs);
    await server.tick();
    assert.equal(sink.count, 2);
  });

  it('goes on holding at the next start where the first one died in the middle', async (t) => {
    const { server, sink, backup } = await copiedAndRunForward(t);
    await server.restart(async () => {
      await backup.putBack();
      backup.removeWitness();
      const database = await openDatabase(server.databaseUrl);
      const wentBack = { at: 0, from: { generation: 1, eventId: 1 }, held: 0, isDone: false };
      await database.write((tx) => recordWentBack(tx, wentBack));
      await database.close();
    });
    server.clock.advance(24 * hourMs);
    await server.tick();
    assert.equal((await heldIn(server)).length, 3);
    assert.equal(sink.count, 2);
  });

  it('that is served where there is no witness can be held by hand first', async (t) => {
    const { server, sink, backup } = await copiedAndRunForward(t);
    await server.restart(async () => {
      await backup.putBack();
      backup.removeWitness();
      assert.match(
        await diagnosis(server),
        /^note +no witness of this database in STATE_DIR \(.*: if this is a restored backup, run sendonce queue hold/m,
      );
      assert.match(await printed(() => queue(configOf(server), ['hold'])), /^3 deliveries are held/);
    });
    server.clock.advance(24 * hourMs);
    await server.tick();
    assert.equal(sink.count, 2);
  });

  it('is told from one that only crashed: that one goes on', async (t) => {
    const { server, sink } = await copiedAndRunForward(t);
    await server.restart();
    server.clock.advance(24 * hourMs);
    await server.tick();
    await sink.waitFor(3);
    assert.deepEqual(sink.duplicates(), []);
  });

  it('is told from one that another process writes to while this one starts', async () => {
    const temp = createTemp();
    const url = await newMigratedUrl(temp);
    const own = await openDatabase(url);
    const guardOf = (database: Database) =>
      new RestoreGuard({ database, clock: createTestClock(), stateDir: temp.path('state') });
    const other = guardOf(own);
    await other.start();
    let reads = 0;
    const watched: Database = {
      ...bendDatabase(own, []),
      all: async <R>(sql: string, ...params: SqlValue[]) => {
        const rows = await own.all<R>(sql, ...params);
        if (sql.includes('max(id)') && reads++ === 0) {
          await own.write((tx) => appendEvent(tx, 'default', 'an email', 'sent', 0, {}));
          await other.check();
        }
        return rows;
      },
    };
    await guardOf(watched).start();
    assert(reads > 0, 'the other one wrote in between');
    assert.equal(await findWentBack(own), null);
    await own.close();
    await discardDatabase(url);
    temp.remove();
  });
});
