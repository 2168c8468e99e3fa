/** `sendonce backup` under load, and `sendonce restore`: what was acknowledged before is there, what may have left since is held. */

import assert from 'node:assert/strict';
import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { backup, restore } from '../src/command/backup.ts';
import { queue } from '../src/command/queue.ts';
import { readConfig } from '../src/config/config.ts';
import { isWitness } from '../src/process/restore-guard.ts';
import { printed } from './support/printed.ts';
import { startReceiver } from './support/receiver.ts';
import { serve } from './support/served.ts';
import { message, type TestServer, testSecretKey } from './support/server.ts';
import { modes } from './support/smtp-sink-modes.ts';
import { createTemp } from './support/temp.ts';

const configOf = ({ databaseUrl, stateDir }: TestServer) =>
  readConfig({ DATABASE_URL: databaseUrl, STATE_DIR: stateDir, SECRET_KEY: testSecretKey });

function placeFor(t: TestContext): (name: string) => string {
  const temp = createTemp();
  t.after(() => temp.remove());
  return temp.path;
}

/** What is done every ten seconds is done again by the next tick. */
async function pass(server: TestServer, ms: number): Promise<void> {
  server.clock.advance(ms);
  await server.tick();
}

/** Clients that send until they are stopped. */
function startLoad(server: TestServer) {
  const accepted: string[] = [];
  let isOver = false;
  const clients = Array.from({ length: 4 }, async (_, client) => {
    for (let count = 0; !isOver; count++) {
      const key = { 'idempotency-key': `load/${client}/${count}` };
      const { status, json } = await server.call('POST', '/emails', message({ subject: `${client}/${count}` }), key);
      assert.equal(status, 200);
      accepted.push(json.id);
    }
  });
  return {
    accepted,
    more: (count: number) => {
      const goal = accepted.length + count;
      return server.until(`${count} more are accepted`, async () => accepted.length >= goal);
    },
    async end() {
      isOver = true;
      await Promise.all(clients);
    },
  };
}

describe('a backup', () => {
  it('made under load and restored has all that was acknowledged before; what may have left since is held, and leaves once', async (t) => {
    const receiver = await startReceiver(t);
    const { server, sink } = await serve(t, { environment: { ALERT_WEBHOOK: `${receiver.url}/alerts` } });
    const file = placeFor(t)('copy.db');
    sink.behave = ({ transaction }) => (transaction % 2 === 0 ? modes.deferMail : modes.accept);
    const load = startLoad(server);
    await load.more(40);
    const before = [...load.accepted];
    const said = await printed(() => backup(configOf(server), [file], {}));
    assert.match(said, /copy\.db: \d+ events, \d+ MB, checked\./);
    await load.more(40);
    await load.end();
    sink.behave = () => modes.accept;
    server.clock.advance(60_000);
    await server.tick();
    await server.until('all have left', async () => sink.count === load.accepted.length);

    let outcome = '';
    await server.restart(async () => {
      await assert.rejects(restore(configOf(server), [file], {}), /is newer than the backup, by \d+ events.*--force/s);
      outcome = await printed(() => restore(configOf(server), [file], { force: true }));
    });
    const held = Number(/^Restored\. (\d+) deliveries may have left/m.exec(outcome)?.[1]);
    assert.match(outcome, /is kept as .*before-restore/);
    for (const id of before) assert.equal((await server.call('GET', `/emails/${id}`)).status, 200, id);
    const { json } = await server.call('GET', '/in-doubt?limit=100');
    assert.equal(json.data.length, Math.min(held, 100));
    assert(held > 0, 'something waited when the backup was made');
    server.clock.advance(24 * 60 * 60_000);
    await server.tick();
    await server.tick();
    assert.deepEqual(sink.duplicates(), []);
    assert.equal(sink.count, load.accepted.length);

    const alerts = () =>
      receiver.told
        .filter(({ json }) => /doubt|back/.test(json.name))
        .map(({ json }) => [json.type, json.name, json.figure]);
    const began = ['alert.began', 'went_back', held];
    assert.deepEqual(alerts(), [began], 'one call, of as many as are held');
    await server.restart();
    await pass(server, 61_000);
    assert.deepEqual(alerts(), [began], 'a restart tells nothing anew');
    assert.match(
      await printed(() => queue(configOf(server), ['settle', 'all', 'sent'])),
      / in doubt\. Recorded as sent/,
    );
    await pass(server, 61_000);
    await server.restart();
    await pass(server, 61_000);
    assert.deepEqual(alerts(), [began, ['alert.ended', 'went_back', held]]);

    sink.behave = () => modes.dropAtDot;
    await server.call('POST', '/emails', message({ subject: 'of another day' }));
    await server.until('it is in doubt', async () => (await server.call('GET', '/in-doubt')).json.data.length === 1);
    await pass(server, 61_000);
    assert.deepEqual(alerts().slice(2), [['alert.began', 'in_doubt', 1]], 'which has nothing to do with the backup');
  });

  it('restored where no witness is is told of, too', async (t) => {
    const receiver = await startReceiver(t);
    const { server, sink } = await serve(t, { environment: { ALERT_WEBHOOK: `${receiver.url}/alerts` } });
    sink.behave = () => modes.deferMail;
    const file = placeFor(t)('copy.db');
    await server.call('POST', '/emails', message());
    await printed(() => backup(configOf(server), [file], {}));
    await server.restart(async () => {
      for (const name of readdirSync(server.stateDir)) if (isWitness(name)) rmSync(`${server.stateDir}/${name}`);
      await printed(() => restore(configOf(server), [file], { force: true }));
    });
    await pass(server, 11_000);
    await pass(server, 11_000);
    const told = receiver.told.filter(({ json }) => json.name !== 'late');
    assert.deepEqual(
      told.map(({ json }) => [json.type, json.name, json.figure]),
      [['alert.began', 'went_back', 1]],
    );
  });

  it('is for its user alone, one file, and replaces no file by accident', async (t) => {
    const { server } = await serve(t);
    const path = placeFor(t);
    const made = () => printed(() => backup(configOf(server), [path('copy.db')], {}));
    await made();
    assert.equal(statSync(path('copy.db')).mode & 0o077, 0);
    assert.deepEqual(readdirSync(path('.')), ['copy.db']);
    await assert.rejects(made(), /is there already: .*--force/);
    await printed(() => backup(configOf(server), [path('copy.db')], { force: true }));
  });

  it('is not restored while a server runs, nor where it is damaged or something else', async (t) => {
    const { server } = await serve(t);
    const path = placeFor(t);
    await printed(() => backup(configOf(server), [path('copy.db')], {}));
    await assert.rejects(
      restore(configOf(server), [path('copy.db')], { force: true }),
      /Another Sendonce process serves/,
    );
    writeFileSync(path('text.db'), 'no database, '.repeat(1_000));
    await server.restart(async () => {
      const refused = (name: string) => restore(configOf(server), [path(name)], { force: true });
      await assert.rejects(refused('text.db'), /text\.db cannot be restored: file is not a database/);
      await assert.rejects(refused('nothing.db'), /There is no file/);
    });
    assert.equal((await server.call('GET', '/emails')).status, 200);
  });

  it('of PostgreSQL is made with its own tools, which is said', async () => {
    const config = readConfig({ DATABASE_URL: 'postgres://localhost/x' });
    await assert.rejects(backup(config, ['copy.db'], {}), /This is for SQLite\. .*pg_dump/);
    await assert.rejects(restore(config, ['copy.db'], {}), /pg_restore/);
  });
});
