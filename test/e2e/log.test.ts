/** What the log of a running program tells: routes and reasons, never whom a mail is for. */

import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { it } from 'node:test';
import { createTemp } from '../support/temp.ts';

it('names no recipient at any level: not in paths, nor in what a relay says', async (t) => {
  const temp = createTemp();
  // Greets with somebody's address, and hangs up.
  const rude = createServer((socket) => socket.end('554 no <bob@rcpt.test> here, says eve@rcpt.test\r\n'));
  rude.listen(0, '127.0.0.1');
  await once(rude, 'listening');
  const { port } = rude.address() as { port: number };
  const settings = {
    PORT: '0',
    LOG_LEVEL: 'debug',
    DATABASE_URL: `sqlite:${temp.path('log.db')}`,
    SENDONCE_API_KEY: 're_key_of_the_log',
    RELAY_URL: `smtp://127.0.0.1:${port}`,
  };
  const program = fork(join(import.meta.dirname, '../../src/main.js'), [], {
    env: { ...process.env, ...settings },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  t.after(async () => {
    program.kill('SIGKILL');
    await once(program, 'exit');
    rude.close();
    temp.remove();
  });
  let said = '';
  program.stdout?.on('data', (chunk) => {
    said += chunk;
    program.emit('said');
  });
  const saidIt = async (words: RegExp) => {
    while (!words.test(said)) await once(program, 'said', { signal: AbortSignal.timeout(20_000) });
    return words.exec(said)?.[1] ?? '';
  };
  const url = await saidIt(/listens on (http:\S+)/);
  const ask = (method: string, path: string, body?: object) =>
    fetch(`${url}${path}`, {
      method,
      headers: { authorization: 'Bearer re_key_of_the_log' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
  await ask('POST', '/emails', { from: 'a@acme.test', to: 'bob@rcpt.test', subject: 's', text: 't' });
  await ask('DELETE', '/v3/smtp/log/bob@rcpt.test');
  await ask('GET', '/suppressions/bob@rcpt.test');
  await ask('DELETE', '/v3/smtp/blockedContacts/bob%40rcpt.test');
  await ask('GET', '/idempotency-keys/welcome-bob@rcpt.test');
  await ask('GET', '/nowhere/bob@rcpt.test');
  for (const route of [/\/v3\/smtp\/log\/:/, /\/suppressions\/:/, /\/blockedContacts\/:/, /\/idempotency-keys\/\*/]) {
    await saidIt(route);
  }
  await saidIt(/no route/);
  await saidIt(/not handed off/);
  assert.match(said, /no <\[address\]> here/);
  assert.doesNotMatch(said, /rcpt\.test/);
});
