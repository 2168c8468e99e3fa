/** What stands in the way of a start, or of a running server, is named for what it is, with what to do about it. */

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { checkDomains } from '../src/command/doctor/domains.ts';
import { doctor } from '../src/command/doctor.ts';
import { webhook } from '../src/command/webhook.ts';
import { examineConfig, readConfig } from '../src/config/config.ts';
import type { RelaySetting } from '../src/config/relays-file.ts';
import { onlyOnSqlite, openDatabase } from './support/engine.ts';
import { printed } from './support/printed.ts';
import { run } from './support/program.ts';
import { message, startTestServer, type TestServer, testSecretKey } from './support/server.ts';
import { createTemp } from './support/temp.ts';

const inFile = onlyOnSqlite('about the bytes of a SQLite file');

const settingsOf = ({ databaseUrl, stateDir }: TestServer) => ({
  DATABASE_URL: databaseUrl,
  STATE_DIR: stateDir,
  SECRET_KEY: testSecretKey,
});

async function diagnose(settings: Record<string, string>): Promise<{ said: string; code: unknown }> {
  const before = process.exitCode;
  const said = await printed(() => doctor(examineConfig(settings)));
  const code = process.exitCode;
  process.exitCode = before;
  return { said, code };
}

/** Served and stopped, with so many bytes from `at` on that mean nothing. */
async function damaged(t: TestContext, at: number, bytes: number) {
  const server = await startTestServer();
  t.after(() => server.stop());
  await server.restart(() => {
    const path = server.databaseUrl.slice('sqlite:'.length);
    const copy = `${server.stateDir}/damaged.db`;
    copyDamaged(path, copy, at, bytes);
  });
  return { ...settingsOf(server), DATABASE_URL: `sqlite:${server.stateDir}/damaged.db` };
}

function copyDamaged(from: string, to: string, at: number, bytes: number): void {
  const whole = readFileSync(from);
  whole.fill(0xa5, at, at + bytes);
  writeFileSync(to, whole, { mode: 0o600 });
}

describe('a damaged database', () => {
  for (const [what, at, bytes] of [
    ['page', 4_096 * 4, 4_096 * 6],
    ['header', 0, 100],
  ] as const) {
    it(`whose ${what} is gone is named, and a backup is asked for`, inFile, async (t) => {
      const settings = await damaged(t, at, bytes);
      const { said, code } = await diagnose(settings);
      assert.match(
        said,
        /^FAIL +\S+damaged\.db is damaged \(.+\): stop the server and put a backup back with sendonce restore FILE/m,
      );
      assert.doesNotMatch(said, /Try again/);
      assert.equal(code, 1);
    });
  }
});

describe('a start says what to do next', () => {
  it('where the port is taken', async (t) => {
    const other = createServer().listen(0, '127.0.0.1');
    t.after(() => other.close());
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as { port: number };
    await assert.rejects(
      startTestServer({ environment: { PORT: String(port) } }),
      /Cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE.*\. Another program listens there: stop it, or set PORT to a free one\.$/,
    );
  });

  it('where no folder can be made, and at once', { skip: process.platform !== 'linux' }, async (t) => {
    const temp = createTemp();
    t.after(() => temp.remove());
    const env = { PATH: process.env.PATH ?? '', PORT: '0', STATE_DIR: temp.path('.') };
    const database = await run({ ...env, DATABASE_URL: 'sqlite:/proc/nope/s.db' });
    assert.match(database.err, /^sendonce: \/proc\/nope\/s\.db\.lock cannot be made or opened: ENOENT/);
    assert.equal(database.code, 1);
  });
});

describe('doctor', () => {
  it('sees folders in which a start could make nothing', async (t) => {
    const temp = createTemp();
    t.after(() => temp.remove());
    const file = temp.path('file');
    writeFileSync(file, '');
    const { said, code } = await diagnose({ DATABASE_URL: `sqlite:${file}/x/s.db`, STATE_DIR: `${file}/state` });
    assert.match(
      said,
      /^FAIL +\S+s\.db does not exist, and cannot be made: \S+ is a file, not a folder\. DATABASE_URL/m,
    );
    assert.match(said, /^FAIL +STATE_DIR is \S+state, which cannot be used: .*name another one/m);
    assert.equal(code, 1);
    const fresh = { DATABASE_URL: `sqlite:${temp.path('new/s.db')}`, STATE_DIR: temp.path('new/state') };
    assert.match((await diagnose(fresh)).said, /^ok .*the first start makes it$/m);
  });

  it('sees a clock that is behind what has happened', async (t) => {
    const server = await startTestServer();
    t.after(() => server.stop());
    assert.match((await diagnose(settingsOf(server))).said, /^ok +the clock says/m);
    server.clock.advance(2 * 60 * 60_000);
    const { json } = await server.call('POST', '/emails', message());
    await server.until('it is captured', async () => {
      const { last_event } = (await server.call('GET', `/emails/${json.id}`)).json;
      return last_event === 'delivered';
    });
    const { said } = await diagnose(settingsOf(server));
    assert.match(said, /^FAIL +the clock of this machine says .*: the database is (119|120) min away from that/m);
  });

  it('looks at the DNS of the domains that mail is sent from, and only notes what it lacks', async (t) => {
    const server = await startTestServer();
    t.after(() => server.stop());
    await server.call('POST', '/emails', message({ from: 'Shop <a@Shop.example>' }));
    const database = await openDatabase(server.databaseUrl);
    t.after(() => database.close());
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const key = (domain: string) => ({
      domain,
      selector: 's1',
      privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    });
    const p = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('base64');
    const zone: Record<string, string> = {
      'good.example': 'v=spf1 include:relay.example ~all',
      '_dmarc.good.example': 'v=DMARC1; p=none',
      's1._domainkey.good.example': `v=DKIM1; k=ed25519; p=${p}`,
      's1._domainkey.stale.example': 'v=DKIM1; k=ed25519; p=AAAA',
    };
    const resolve = async (name: string) => {
      const text = zone[name];
      if (text === undefined) throw Object.assign(new Error('none'), { code: 'ENODATA' });
      return [[text.slice(0, 20), text.slice(20)]];
    };
    const relay = { kind: 'smtp' } as RelaySetting;
    const look = async (ask: typeof resolve) =>
      checkDomains({ dkim: [key('good.example'), key('stale.example')], relay }, database, ask);
    const [good, stale, shop, ...others] = await look(resolve);
    assert.deepEqual([good?.is, stale?.is, shop?.is, others], ['ok', 'note', 'note', []]);
    assert.match(stale?.text ?? '', /stale\.example: no SPF .*; TXT s1\._domainkey\.stale\.example has another key/);
    assert.match(shop?.text ?? '', /shop\.example: no SPF record .* no DMARC record/);
    const silent = await look(() => Promise.reject(Object.assign(new Error('time-out'), { code: 'ETIMEOUT' })));
    assert.deepEqual(
      silent.map(({ is }) => is),
      ['note'],
    );
    assert.match(silent[0]?.text ?? '', /^DNS does not answer here/);
  });
});

describe('webhook listen', () => {
  it('refuses an account that there is not, and names those there are', async (t) => {
    const server = await startTestServer();
    t.after(() => server.stop());
    const listening = webhook(readConfig(settingsOf(server)), ['listen'], { account: 'nope' });
    await assert.rejects(listening, /There is no account nope: there are default\./);
  });
});
