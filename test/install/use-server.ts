/** Uses an installed server: starts it, sends, repeats, restarts, looks at the page, ends it. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export type Use = {
  program: string;
  environment: NodeJS.ProcessEnv;
  settings: Record<string, string>;
  /** What else must hold of the running server. */
  whileItRuns?: (url: string) => void;
};

/** A service manager waits no longer. */
const endMsMax = 10_000;

const mail = { from: 'Acme <a@example.com>', to: 'you@example.com', subject: 'hello', html: '<p>it works!</p>' };

type Running = { child: ChildProcess; url: string; said: string };

/** Resolves with the milliseconds the first start took. */
export async function useServer(use: Use): Promise<number> {
  const begunAt = performance.now();
  const first = await start(use);
  const startMs = Math.round(performance.now() - begunAt);
  const key = /API key: (re_\w+)/.exec(first.said)?.[1] ?? '';
  const sent = await post(first.url, key);
  assert.equal(sent.status, 200, sent.text);
  assert.deepEqual(await post(first.url, key), { ...sent, isReplayed: true });
  const page = await fetch(`${first.url}/dashboard`);
  assert.equal(page.status, 200);
  assert.match(await page.text(), /API key/);
  assert.equal((await fetch(`${first.url}/docs/retries`)).status, 200, 'the docs are installed along');
  use.whileItRuns?.(first.url);
  await end(first);
  const second = await start(use);
  assert.deepEqual(await post(second.url, key), { ...sent, isReplayed: true }, 'it has kept its data');
  await end(second);
  return startMs;
}

async function start({ program, environment, settings }: Use): Promise<Running> {
  const child = spawn(program, { env: { ...environment, ...settings }, stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`the server ended: ${said}`)));
    child.stdout.on('data', (chunk) => {
      said += String(chunk);
      const url = /Sendonce listens on (\S+)/.exec(said)?.[1];
      if (url && said.includes('"started"')) resolve({ child, url, said });
    });
  });
}

async function post(url: string, key: string): Promise<{ status: number; text: string; isReplayed: boolean }> {
  const reply = await fetch(`${url}/emails`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'idempotency-key': 'hello/1' },
    body: JSON.stringify(mail),
  });
  const isReplayed = reply.headers.get('idempotent-replayed') === 'true';
  return { status: reply.status, text: await reply.text(), isReplayed };
}

async function end({ child }: Running): Promise<void> {
  const begunAt = performance.now();
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [0, null]);
  assert(performance.now() - begunAt < endMsMax, 'it ends soon');
}
