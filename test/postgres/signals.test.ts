/** Wake-ups that do not arrive: mail waits for the poll then, and whoever set it up is told why. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { openPostgres } from '../../src/store/engine/postgres/postgres.ts';
import { startProgram } from '../lab/program.ts';
import { startPostgresProxy } from '../support/postgres-proxy.ts';
import { sharedPostgres } from '../support/postgres-server.ts';
import { createTemp } from '../support/temp.ts';

/** What is told about listening there, in order; `next` awaits one more. */
async function listenAt(t: TestContext, url: string, listenUrl: string) {
  const told: string[] = [];
  let more = () => {};
  const onHearing = ({ state }: { state: string }) => {
    told.push(state);
    more();
  };
  const database = await openPostgres({ url, listenUrl, onHearing });
  t.after(() => database.close());
  let heard = 0;
  database.onAnnounced(() => {
    heard += 1;
  });
  const next = (): Promise<void> =>
    new Promise((resolve) => {
      more = resolve;
    });
  return { told, next, database, heard: () => heard };
}

describe('listening for what other processes announce', () => {
  it('is said once to fail where nobody answers, and once to work again', async (t) => {
    const url = await (await sharedPostgres()).createDatabase();
    const proxy = await startPostgresProxy(url);
    t.after(() => proxy.close());
    proxy.setDown(true);
    const listening = await listenAt(t, url, proxy.url);
    await listening.next();
    assert.deepEqual(listening.told, ['fails']);
    proxy.setDown(false);
    await listening.next();
    assert.deepEqual(listening.told, ['fails', 'works']);
  });

  it('is said to be of no use in another database; in the right one nothing is said', async (t) => {
    const server = await sharedPostgres();
    const url = await server.createDatabase();
    const right = await listenAt(t, url, url);
    const wrong = await listenAt(t, url, await server.createDatabase());
    await wrong.next();
    assert.deepEqual([wrong.told, right.told], [['elsewhere'], []]);
    assert.equal(wrong.heard(), 1, 'only its own first look');
  });

  it('is warned about in the log with the cause, and without the password', async (t) => {
    const temp = createTemp();
    const databaseUrl = await (await sharedPostgres()).createDatabase();
    const program = startProgram({
      databaseUrl,
      relayUrl: 'capture:',
      environment: {
        STATE_DIR: temp.path('.'),
        DATABASE_LISTEN_URL: 'postgres://postgres:very-secret@127.0.0.1:1/sendonce',
      },
    });
    t.after(async () => {
      program.signal('SIGKILL');
      await program.ended;
      temp.remove();
    });
    const giveUpAt = performance.now() + 120_000;
    while (!/is not heard/.test(program.words())) {
      assert.ok(performance.now() < giveUpAt, program.words());
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.match(program.words(), /PostgreSQL cannot be reached: connect ECONNREFUSED 127\.0\.0\.1:1/);
    assert.doesNotMatch(program.words(), /very-secret/);
  });
});
