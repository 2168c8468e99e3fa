/** The command line, as it is typed: real processes on a real database. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import { discardDatabase, newDatabaseUrl, onlyOnSqlite } from './support/engine.ts';
import { program, run } from './support/program.ts';
import { createTemp } from './support/temp.ts';

async function environmentFor(t: TestContext): Promise<Record<string, string>> {
  const temp = createTemp();
  const url = await newDatabaseUrl(temp);
  t.after(async () => {
    await discardDatabase(url);
    temp.remove();
  });
  return { PATH: process.env.PATH ?? '', PORT: '0', DATABASE_URL: url, STATE_DIR: temp.path('.') };
}

type Serving = { url: string; welcome: string; stop: () => Promise<number | null> };

async function startServing(t: TestContext, env: Record<string, string>): Promise<Serving> {
  const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  let welcome = '';
  await new Promise<void>((resolve, reject) => {
    child.once('exit', () => reject(new Error(`the server ended: ${welcome}`)));
    child.stdout.on('data', (chunk) => {
      welcome += String(chunk);
      if (welcome.includes('"started"') && welcome.includes('Sendonce listens')) resolve();
    });
  });
  const url = /Sendonce listens on (\S+)/.exec(welcome)?.[1] ?? '';
  const stop = async () => {
    child.kill('SIGTERM');
    const [code] = await once(child, 'exit');
    return code as number | null;
  };
  return { url, welcome, stop };
}

/** For a server that cannot say its port. Below those the system gives to others, and no other test process has this one. */
const ownPort = 20_000 + (process.pid % 10_000);

async function answering(url: string, child: ChildProcess): Promise<void> {
  while (child.exitCode === null) {
    const answer = await fetch(url).catch(() => null);
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('the server ended');
}

describe('sendonce serve', () => {
  it('names a base URL for the SDKs of each facade', async (t) => {
    const { welcome } = await startServing(t, await environmentFor(t));
    const key = /API key: (re_\w{32})/.exec(welcome)?.[1] ?? '';
    const [, resend, brevo] = /Resend's SDKs want (\S+) as their base URL, Brevo's (\S+)\.\n/.exec(welcome) ?? [];
    for (const url of [`${resend}/emails`, `${brevo}/account`]) {
      assert.equal((await fetch(url, { headers: { 'api-key': key } })).status, 200, url);
    }
  });

  it('prints at its first start a key and a curl that works as pasted, and at its second no key', async (t) => {
    const env = await environmentFor(t);
    const first = await startServing(t, env);
    const key = /API key: (re_\w{32})/.exec(first.welcome)?.[1];
    assert.ok(key, first.welcome);
    const pasted = /^ {2}curl (?:.*\n)+?.*'\n/m.exec(first.welcome)?.[0] ?? '';
    const body = /-d '([^']+)'/.exec(pasted)?.[1] ?? '';
    assert.ok(pasted.includes(`Bearer ${key}`) && pasted.includes('Idempotency-Key'));
    const answer = await fetch(`${first.url}/emails`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body,
    });
    assert.equal(answer.status, 200);
    assert.equal(await first.stop(), 0);
    const second = await startServing(t, env);
    assert.doesNotMatch(second.welcome, /API key:|re_\w{32}/);
    assert.equal(await second.stop(), 0);
  });

  it('writes the first key to FIRST_KEY_FILE instead, for this user alone, and warns of a secret that ps shows', async (t) => {
    const env = await environmentFor(t);
    const file = `${env.STATE_DIR}/first-key`;
    writeFileSync(file, 'of an earlier life', { mode: 0o644 });
    const first = await startServing(t, { ...env, FIRST_KEY_FILE: file });
    assert.doesNotMatch(first.welcome, /re_\w{32}/);
    assert.match(first.welcome, new RegExp(`API key: in ${file}, which only this user can read`));
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const key = readFileSync(file, 'utf8').trim();
    assert.match(key, /^re_\w{32}$/);
    assert.equal((await fetch(`${first.url}/emails`, { headers: { authorization: `Bearer ${key}` } })).status, 200);
    await first.stop();
    assert.deepEqual(
      readdirSync(env.STATE_DIR ?? '').filter((name) => name.startsWith('first-key.')),
      [],
    );
    const listed = await run(
      { ...env, FIRST_KEY_FILE: file },
      'key',
      'list',
      '--relay-url',
      'smtp://me:hunter2@mx.test',
    );
    assert.match(listed.err, /^sendonce: --relay-url has a secret in it, .*--relay-url-file/);
    assert.doesNotMatch(listed.err, /hunter2/);
  });

  it('makes no key as a worker, and names nothing that a worker does not serve', async (t) => {
    const env = await environmentFor(t);
    const worker = await startServing(t, { ...env, ROLE: 'worker' });
    assert.match(worker.welcome, /A worker: .* serves \/healthz and \/metrics only/);
    assert.doesNotMatch(worker.welcome, /API key|re_|curl|dashboard|\/emails|base URL/);
    assert.equal((await fetch(`${worker.url}/healthz`)).status, 200);
    assert.equal((await fetch(`${worker.url}/dashboard`)).status, 404);
    await worker.stop();
    const api = await startServing(t, { ...env, ROLE: 'api' });
    assert.match(api.welcome, /API key: re_\w{32}/, 'whoever serves the API makes the first one');
    assert.equal((await fetch(`${api.url}/docs/retries`)).status, 200, 'what is installed along is found');
    await api.stop();
  });

  it('goes on when nobody reads what it prints', async (t) => {
    const env = { ...(await environmentFor(t)), PORT: String(ownPort) };
    const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    t.after(() => child.kill('SIGKILL'));
    child.stdout.destroy();
    const errors = text(child.stderr);
    const ended = once(child, 'exit');
    await answering(`http://127.0.0.1:${ownPort}/healthz`, child);
    child.kill('SIGTERM');
    assert.deepEqual(await ended, [0, null]);
    assert.equal(await errors, '');
  });

  it('ends although a connection never said anything', async (t) => {
    const serving = await startServing(t, await environmentFor(t));
    const silent = connect(Number(new URL(serving.url).port), '127.0.0.1');
    t.after(() => silent.destroy());
    await once(silent, 'connect');
    assert.equal(await serving.stop(), 0);
  });

  const manyMayServe = onlyOnSqlite('any number of processes serve one PostgreSQL');
  it('refuses to serve a database that is served already, and says what to do', manyMayServe, async (t) => {
    const env = await environmentFor(t);
    const serving = await startServing(t, env);
    const second = await run(env);
    assert.equal(second.code, 1);
    assert.match(second.err, /Another Sendonce process serves .*stop the other one/);
    await serving.stop();
  });

  it('names every setting that is wrong, at once', async (t) => {
    const env = {
      ...(await environmentFor(t)),
      PORT: 'eighty',
      IN_DOUBT: 'guess',
      RETENTION_DAYS: '-1',
      PUBLIC_URL: 'here',
      RELAY_URL: 'smtp://me:secret@',
      EGRESS_ALLOW: 'inside',
      DKIM_KEYS: 'acme.test:s1:/nowhere/key.pem',
    };
    const { code, err } = await run(env);
    assert.equal(code, 1);
    for (const name of ['PORT', 'IN_DOUBT', 'RETENTION_DAYS', 'PUBLIC_URL', 'RELAY_URL', 'EGRESS_ALLOW', 'DKIM_KEYS'])
      assert.ok(err.includes(`- ${name} `), name);
    assert.doesNotMatch(err, /secret/);
    assert.doesNotMatch(err, /at .*\.js/, 'no stack');
  });

  it('refuses a URL of PostgreSQL that cannot be read, or whose sslmode is none', async (t) => {
    const env = await environmentFor(t);
    const unread = await run({ ...env, DATABASE_URL: 'postgres://user:very/secret@host/sendonce' });
    assert.equal(unread.code, 1);
    assert.match(unread.err, /DATABASE_URL cannot be read as a URL: .*percent-encoded/);
    assert.doesNotMatch(unread.err, /secret/);
    const url = 'postgres://user@host/sendonce?sslmode=';
    const modes = await run({ ...env, DATABASE_URL: `${url}verify`, DATABASE_LISTEN_URL: `${url}on` });
    assert.equal(modes.code, 1);
    assert.match(modes.err, /DATABASE_URL has an unknown sslmode "verify": it must be .*verify-full/);
    assert.match(modes.err, /DATABASE_LISTEN_URL has an unknown sslmode "on"/);
  });

  it('takes its settings as flags, which win over the environment', async (t) => {
    const { code, err } = await run({ ...(await environmentFor(t)), IN_DOUBT: 'hold' }, '--in-doubt', 'guess');
    assert.equal(code, 1);
    assert.match(err, /IN_DOUBT must be .* not "guess"/);
  });
});

describe('sendonce key', () => {
  it('makes keys that work at once and until they are revoked, and shows them never again', async (t) => {
    const env = await environmentFor(t);
    const created = await run(env, 'key', 'create', '--name', 'ci', '--permission', 'sending_access');
    const token = /^re_\w{32}/.exec(created.out)?.[0] ?? '';
    const id = /^[0-9a-f]{8}-[0-9a-f-]{27}/m.exec(created.out)?.[0] ?? '';
    assert.ok(token && id, created.out);
    const { url, stop } = await startServing(t, env);
    const list = () => fetch(`${url}/emails`, { headers: { authorization: `Bearer ${token}` } });
    assert.match(await (await list()).text(), /restricted to only send/);
    const listed = await run(env, 'key', 'list');
    assert.match(listed.out, new RegExp(`${id} +default +sending_access .* active +ci`));
    assert.ok(!listed.out.includes(token));
    assert.equal((await run(env, 'key', 'revoke', id)).code, 0);
    let revoked = false;
    for (let tries = 0; tries < 100 && !revoked; tries += 1) {
      revoked = (await (await list()).text()).includes('API key is invalid');
      if (!revoked) await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.ok(revoked, 'a running server stops taking it');
    assert.equal((await run(env, 'key', 'revoke', id)).code, 1);
    await stop();
  });

  it('lets the first key be revoked: the next start makes another', async (t) => {
    const env = await environmentFor(t);
    await (await startServing(t, env)).stop();
    const id = /^[0-9a-f]{8}-[0-9a-f-]{27}/m.exec((await run(env, 'key', 'list')).out)?.[0] ?? '';
    assert.equal((await run(env, 'key', 'revoke', id)).code, 0);
    const again = await startServing(t, env);
    assert.match(again.welcome, /API key: re_\w{32}/);
    await again.stop();
  });

  it('refuses names, accounts and permissions that are none', async (t) => {
    const env = await environmentFor(t);
    for (const words of [
      ['--name', 'x'.repeat(51)],
      ['--account', '../etc'],
      ['--permission', 'root'],
    ]) {
      const { code, err } = await run(env, 'key', 'create', ...words);
      assert.equal(code, 1);
      assert.ok(err.includes(words[0] ?? ''), err);
    }
  });
});

describe('sendonce', () => {
  it('says what it can do, and what it cannot', async (t) => {
    const env = await environmentFor(t);
    const help = await run(env, '--help');
    assert.match(help.out, /queue settle/);
    const unknown = await run(env, 'send');
    assert.equal(unknown.code, 2);
    assert.match(unknown.err, /^Usage.*\n\nThere is no command "send"\.\n$/s);
    assert.match((await run(env, 'quue')).err, /There is no command "quue": did you mean queue\?\n$/);
    assert.equal((await run(env, 'help')).out, help.out);
    const flag = await run(env, '--colour', 'red');
    assert.equal(flag.code, 2);
    assert.match(flag.err, /^Usage.*\n\nUnknown option '--colour'\.\n$/s);
    assert.match(
      (await run(env, '--relay-ulr', 'x')).err,
      /Unknown option '--relay-ulr': did you mean --relay-url\?\n$/,
    );
  });

  it('names the switch or the command that was probably meant', async (t) => {
    const env = await environmentFor(t);
    const flag = await run(env, '--versoin');
    assert.match(flag.err, /Unknown option '--versoin': did you mean --version\?\n$/);
    const help = await run(env, 'help', 'quue');
    assert.match(help.err, /There is no command "quue": did you mean queue\?\n$/);
    assert.equal(help.code, 2);
  });

  it('says its version, and what one command can do', async (t) => {
    const env = await environmentFor(t);
    assert.match((await run(env, '--version')).out, /^\d+\.\d+\.\d+\n$/);
    const { out } = await run(env, 'queue', '--help');
    assert.match(out, /^Usage.*\n\n? *queue .*queue settle.*queue hold/s);
    assert.doesNotMatch(out, /key create/);
  });

  it('warns of a setting that is spelled wrong, which would count for nothing', async (t) => {
    const env = { ...(await environmentFor(t)), RELAY_URl: 'smtp://relay.example.com' };
    assert.match(
      (await run(env, 'migrate')).err,
      /^sendonce: RELAY_URl is set and .*: RELAY_URL is probably meant\.\n$/,
    );
  });

  it('ends quietly when nobody reads on, as before `| head`', async (t) => {
    const env = await environmentFor(t);
    await run(env, 'migrate');
    for (const words of [['help'], ['queue'], ['key', 'list'], ['doctor']]) {
      const child = spawn(process.execPath, [program, ...words], { env, stdio: ['ignore', 'pipe', 'pipe'] });
      const errors = text(child.stderr);
      child.stdout.destroy();
      assert.deepEqual(await once(child, 'exit'), [0, null], words.join(' '));
      assert.equal(await errors, '');
    }
  });

  it('doctor finds nothing wrong with a fresh server, and a relay that does not answer', async (t) => {
    const env = await environmentFor(t);
    assert.equal((await run(env, 'migrate')).code, 0);
    assert.equal((await run(env, 'doctor')).code, 0);
    const { code, out } = await run({ ...env, RELAY_URL: 'smtp://127.0.0.1:1' }, 'doctor');
    assert.equal(code, 1);
    assert.match(out, /FAIL +relay 127\.0\.0\.1:1: .*RELAY_URL/);
  });

  it('doctor checks everything, whatever it finds first, and never tells a password', async (t) => {
    const env = await environmentFor(t);
    assert.equal((await run(env, 'migrate')).code, 0);
    const broken = {
      PORT: 'eighty',
      RELAY_URL: 'smtp://me:hun/ter2@relay.example.com',
      EGRESS_ALLOW: 'inside',
      DKIM_KEYS: 'acme.test:s1:/nowhere/key.pem',
    };
    const { code, out, err } = await run({ ...env, ...broken }, 'doctor');
    assert.deepEqual([code, err], [1, '']);
    for (const name of Object.keys(broken)) assert.match(out, new RegExp(`^FAIL +${name} `, 'm'));
    assert.match(out, /^ok .*(quick_check finds nothing wrong|PostgreSQL)/m);
    assert.match(out, /^ok +0 queued$/m);
    assert.match(out, /^ok .*MB free/m);
    assert.doesNotMatch(out, /hun|ter2/);
  });

  it('doctor checks relay and disk without a database it could look into', async (t) => {
    const env = await environmentFor(t);
    for (const url of ['mysql://here', 'postgres://127.0.0.1:1/none']) {
      const { code, out } = await run({ ...env, DATABASE_URL: url, RELAY_URL: 'smtp://127.0.0.1:1' }, 'doctor');
      assert.equal(code, 1);
      assert.match(out, url.startsWith('mysql') ? /^FAIL +DATABASE_URL must be /m : /^FAIL +127\.0\.0\.1:1\/none: /m);
      assert.match(out, /^ok .*MB free/m);
      assert.match(out, /^FAIL +relay 127\.0\.0\.1:1: /m);
    }
  });

  it('doctor says which DKIM key signs', async (t) => {
    const env = await environmentFor(t);
    const key = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
    const file = `${env.STATE_DIR}/key.pem`;
    writeFileSync(file, key);
    const { out } = await run({ ...env, DKIM_KEYS: `acme.test:old:${file},acme.test:new:${file}` }, 'doctor');
    assert.match(out, /^ok +DKIM: acme\.test signs with selector old$/m);
    assert.match(out, /^ok +DKIM: acme\.test signs with selector new$/m);
  });

  it('queue makes no file', onlyOnSqlite('a PostgreSQL database is there or cannot be connected to'), async (t) => {
    assert.match((await run(await environmentFor(t), 'queue')).err, /There is no database/);
  });

  it('queue says when nothing waits, and refuses to settle what is not in doubt', async (t) => {
    const env = await environmentFor(t);
    await run(env, 'migrate');
    assert.match((await run(env, 'queue')).out, /Nothing is waiting/);
    const unknown = await run(env, 'queue', 'settle', '01a20115-592d-70d3-88f8-475aebbdad38', 'sent');
    assert.equal(unknown.code, 1);
    assert.match(unknown.err, /not in doubt/);
    assert.equal((await run(env, 'queue', 'settle', 'all', 'sent')).out, 'Nothing is in doubt.\n');
  });
});
