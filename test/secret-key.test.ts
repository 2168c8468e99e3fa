/** What signs sessions and links is not in the database, and all processes of a database have the same. */

import assert from 'node:assert/strict';
import { createHmac, hkdfSync } from 'node:crypto';
import { readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { doctor } from '../src/command/doctor.ts';
import { secret } from '../src/command/secret.ts';
import { readConfig } from '../src/config/config.ts';
import type { Environment } from '../src/config/settings.ts';
import { hashToken } from '../src/core/token.ts';
import { endSessions, findSetting, putSetting } from '../src/store/accounts.ts';
import { createVisitor, signIn } from './page/visitor.ts';
import { discardDatabase, newDatabaseUrl, openDatabase } from './support/engine.ts';
import { printed } from './support/printed.ts';
import { message, startTestServer, type TestServer, testKey } from './support/server.ts';
import { createTemp, type Temp } from './support/temp.ts';

const [first, second] = ['the first key of thirty-two letters', 'the second key, just as long as that'];
const keyFile = 'sendonce-secret.key';

type Place = { url: string; temp: Temp; environment: Environment };

async function placeFor(t: TestContext): Promise<Place> {
  const temp = createTemp();
  const url = await newDatabaseUrl(temp);
  t.after(async () => {
    await discardDatabase(url);
    temp.remove();
  });
  return { url, temp, environment: { DATABASE_URL: url, STATE_DIR: temp.path('.'), SECRET_KEY: '' } };
}

/** A server with these settings until `work` is done. */
async function serving<T>(place: Place, settings: Environment, work: (server: TestServer) => Promise<T>): Promise<T> {
  const server = await startTestServer({ environment: { ...place.environment, ...settings } });
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}

/** A cookie and a link, as a browser keeps them. */
async function takeAlong(server: TestServer): Promise<{ cookie: string; link: string }> {
  const { cookie } = await signIn(server);
  const attachments = [{ filename: 'a.txt', content: 'YQ==' }];
  const { json } = await server.call('POST', '/emails', message({ attachments }));
  const { json: list } = await server.call('GET', `/emails/${json.id}/attachments`);
  return { cookie, link: new URL(list.data[0].download_url).search };
}

/** Whether they are still good. */
async function isGood(server: TestServer, { cookie, link }: { cookie: string; link: string }): Promise<boolean[]> {
  const page = await createVisitor(server, cookie).get('');
  const file = await fetch(`${server.url}/download${link}`);
  return [page.status === 200, file.status === 200];
}

async function settingOf(url: string, name: string): Promise<string | null> {
  const database = await openDatabase(url);
  try {
    return await findSetting(database, name);
  } finally {
    await database.close();
  }
}

describe('the secret key', () => {
  it('is made once in STATE_DIR for this user alone, and what it signed is good after a restart', async (t) => {
    const place = await placeFor(t);
    const path = place.temp.path(keyFile);
    const taken = await serving(place, {}, takeAlong);
    const made = readFileSync(path, 'utf8');
    assert.equal(Buffer.from(made.trim(), 'base64url').length, 32);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    await serving(place, {}, async (server) => assert.deepEqual(await isGood(server, taken), [true, true]));
    assert.equal(readFileSync(path, 'utf8'), made);
  });

  it('must be the same for all processes: another one refuses to start, and says to share it', async (t) => {
    const place = await placeFor(t);
    await serving(place, { SECRET_KEY: first }, async () => {});
    await assert.rejects(
      serving(place, { SECRET_KEY: second }, async () => {}),
      /SECRET_KEY is not the one .*must share one/,
    );
    const elsewhere = createTemp();
    t.after(() => elsewhere.remove());
    const settings = { STATE_DIR: elsewhere.path('.') };
    await assert.rejects(
      serving(place, settings, async () => {}),
      /SECRET_KEY is not set.*has no sendonce-secret\.key.*must share/,
    );
    assert.throws(
      () => statSync(join(settings.STATE_DIR, keyFile)),
      { code: 'ENOENT' },
      'a key nobody shares is not made',
    );
    const out = await printed(() =>
      doctor({ config: readConfig({ ...place.environment, ...settings }), problems: [] }),
    );
    process.exitCode = 0;
    assert.match(out, /^FAIL +SECRET_KEY is not set/m);
    await serving(place, { SECRET_KEY: first }, async () => {});
  });

  it('is followed by a new one, beside which the old one counts as long as it is named', async (t) => {
    const place = await placeFor(t);
    const taken = await serving(place, { SECRET_KEY: first }, takeAlong);
    const both = { SECRET_KEY: second, SECRET_KEY_OLD: first };
    await serving(place, both, async (server) => {
      assert.deepEqual(await isGood(server, taken), [true, true]);
      // A form of the page that was shown before carries a token of the old key.
      assert.equal((await createVisitor(server, taken.cookie).post('/theme', { theme: 'dark' })).status, 303);
    });
    await serving(place, { SECRET_KEY: second }, async (server) => {
      assert.deepEqual(await isGood(server, taken), [false, false]);
    });
    await assert.rejects(
      serving(place, { SECRET_KEY: first }, async () => {}),
      /SECRET_KEY is not the one/,
    );
  });

  it('that is lost can be forgotten: the next start takes another, and what the old one signed ends', async (t) => {
    const place = await placeFor(t);
    const taken = await serving(place, {}, takeAlong);
    rmSync(place.temp.path(keyFile));
    await assert.rejects(
      serving(place, {}, async () => {}),
      /sendonce secret forget/,
    );
    const words = await printed(() => secret(readConfig(place.environment), ['forget']));
    assert.match(words, /The next start takes the key it has, or makes one/);
    await serving(place, {}, async (server) => {
      assert.deepEqual(await isGood(server, taken), [false, false]);
      await assert.rejects(secret(readConfig(place.environment), ['forget']), /served|serves/);
    });
  });

  it('of an older version, which stood in the database, opens nothing any more', async (t) => {
    const place = await placeFor(t);
    await serving(place, {}, async () => {});
    const database = await openDatabase(place.url);
    await database.write((tx) => putSetting(tx, 'link_secret', first));
    await database.close();
    await serving(place, {}, async (server) => {
      assert.equal(await settingOf(place.url, 'link_secret'), null);
      assert.deepEqual(await isGood(server, forge(server, first)), [false, false]);
    });
  });

  it('is not in the database: whoever has a copy of that cannot forge a session with anything in it', async (t) => {
    const place = await placeFor(t);
    await serving(place, {}, async (server) => {
      const database = await openDatabase(place.url);
      await database.write((tx) => endSessions(tx, 'settings'));
      const settings = await database.all<{ value: string }>('select value from settings');
      await database.close();
      assert.ok(settings.length > 1);
      for (const { value } of settings) assert.deepEqual(await isGood(server, forge(server, value)), [false, false]);
      // The control: the same forgery with the key itself is let in.
      const key = readFileSync(place.temp.path(keyFile), 'utf8').trim();
      assert.equal((await isGood(server, forge(server, key, 1)))[0], true);
    });
  });
});

/** What somebody makes of a key who knows this program, and the hash of the API key. */
function forge(server: TestServer, key: string, epoch = 0): { cookie: string; link: string } {
  const signing = Buffer.from(hkdfSync('sha256', key, '', 'sendonce dashboard session', 32));
  const stated = Buffer.from(JSON.stringify([server.clock.now() + 60_000, '…', epoch])).toString('base64url');
  const hash = Buffer.from(hashToken(testKey)).toString('base64');
  const text = JSON.stringify(['session', 'settings', hash, stated]);
  const cookie = `sendonce_session=settings.${stated}.${createHmac('sha256', signing).update(text).digest('base64url')}`;
  return { cookie, link: '?account=default' };
}
