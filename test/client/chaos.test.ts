/** `sendonce chaos` as an app's tests run it: between the app and a server, and with what it says at the end. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { message, startTestServer, type TestServer, testKey } from '../support/server.ts';

const main = join(import.meta.dirname, '../../src/main.js');
let server: TestServer;

before(async () => {
  server = await startTestServer();
});
after(() => server.stop());

async function runChaos(
  flags: string[],
  work: (url: string) => Promise<void>,
): Promise<{ code: number; said: string }> {
  const child = spawn(process.execPath, [main, 'chaos', ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const ended = once(child, 'exit');
  await once(child.stdout, 'data');
  await work(/^http:\S+/.exec(said)?.[0] ?? assert.fail(said));
  child.kill('SIGINT');
  const [code] = await ended;
  return { code, said };
}

async function send(url: string, index: number, key?: string): Promise<boolean> {
  const headers = { authorization: `Bearer ${testKey}`, 'content-type': 'application/json' };
  const keyed = key ? { ...headers, 'idempotency-key': key } : headers;
  const body = JSON.stringify(message({ subject: `Number ${index}` }));
  return fetch(`${url}/emails`, { method: 'POST', headers: keyed, body }).then(
    ({ ok }) => ok,
    () => false,
  );
}

it('shows an app that repeats under one key that nothing is sent twice, and one that has no keys that it is', async () => {
  const flags = ['--upstream', server.url, '--port', '0', '--lose-answers', '0.5', '--seed', '7'];
  const again = (keyOf: (index: number) => string | undefined) => async (url: string) => {
    for (let index = 0; index < 12; index++) while (!(await send(url, index, keyOf(index))));
  };
  const keyed = await runChaos(
    flags,
    again((index) => `chaos/${index}`),
  );
  assert.match(keyed.said, /^12 operations in \d+ requests: 12 accepted once, 0 twice or more, 0 never\.$/m);
  assert.match(keyed.said, /^Faults: lose-answers \d+\.$/m);
  assert.equal(keyed.code, 0);
  const keyless = await runChaos(
    [...flags, '--json'],
    again(() => undefined),
  );
  const { operations, once: single, twice, never } = JSON.parse(keyless.said.split('\n').at(-2) ?? '');
  assert.equal(operations, 12);
  assert(twice > 0 && never === 0 && single + twice === 12);
  assert.equal(keyless.code, 1);
});

it('says what is wrong with a flag, and how it is used', async () => {
  for (const [flags, said] of [
    [[], /--upstream must be the URL of the server/],
    [['--upstream', 'http://x.test', '--lose-answers', 'often'], /--lose-answers must be a number, not "often"/],
    [['--upstream', 'http://x.test', '--lose-answers', '0.7', '--repeats', '0.7'], /The shares add up to 1\.4/],
  ] as const) {
    const child = spawn(process.execPath, [main, 'chaos', ...flags], { stdio: ['ignore', 'ignore', 'pipe'] });
    let error = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      error += text;
    });
    const [code] = await once(child, 'close');
    assert.equal(code, 1);
    assert.match(error, said);
    assert.match(error, /^Usage: sendonce chaos/);
  }
});
