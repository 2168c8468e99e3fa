/**
 * `npm run bench:page`: what the page costs. First the time of every page and search on a database of many emails, beside the
 * time of `GET /emails/:id` on the same one; then the CPU of an accept with the page open and closed, in turns.
 * `--emails N` (1,000,000), `--turns N` (10).
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startSendonce } from './child.ts';
import { fillDatabase } from './page-fill.ts';

const { values } = parseArgs({
  options: { emails: { type: 'string', default: '1000000' }, turns: { type: 'string', default: '10' } },
});
const key = 're_bench_the_page_0123456789';
const folder = mkdtempSync(join(tmpdir(), 'sendonce-bench-'));
const path = join(folder, 'page.db');

/** Each is asked for this often; the median counts. */
const asks = 21;
/** Sends in one turn, this many at once. */
const sendsPerTurn = 1_500;
const sendsAtOnce = 10;

try {
  const { ids, tookMs } = await fillDatabase(path, Number(values.emails), { isOpen: true });
  console.log(`${ids.count.toLocaleString('en')} emails stored and indexed in ${Math.round(tookMs / 1_000)} s`);
  const server = await startSendonce({ DATABASE_URL: `sqlite:${path}`, SENDONCE_API_KEY: key }, []);
  const url = `http://127.0.0.1:${server.port}`;
  const cookie = await signIn(url);
  await timePages(url, cookie, ids.some);
  if (Number(values.turns) > 0) await compareCpu(url, cookie, server.cpuSeconds);
  await server.stop();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit();

async function signIn(url: string): Promise<string> {
  const answer = await fetch(`${url}/dashboard/sign-in`, {
    method: 'POST',
    redirect: 'manual',
    headers: { origin: url },
    body: new URLSearchParams({ key }),
  });
  return answer.headers.get('set-cookie')?.split(';')[0] ?? '';
}

async function timePages(url: string, cookie: string, some: string): Promise<void> {
  const auth = { authorization: `Bearer ${key}` };
  const retrieve = () => medianMs(`${url}/emails/${some}`, auth);
  // Once around first, so that nobody pays for what is read or compiled the first time; the best of three counts.
  await retrieve();
  const one = Math.min(await retrieve(), await retrieve(), await retrieve());
  console.log(`\n${'GET /emails/:id'.padEnd(44)} ${one.toFixed(2).padStart(8)} ms`);
  const pages = [
    '',
    '?range=30d',
    '/emails',
    `/emails?after=${some}`,
    `/emails/${some}`,
    `/emails/${some}?view=source`,
    '/emails?q=person77@example.com',
    '/emails?q=pers',
    '/emails?q=invoice',
    '/emails?q=invoice+order',
    '/emails?q=invoice+person77',
    '/emails?q=nothing+like+this',
    '/emails?q=is:delivered',
    '/emails?q=is:bounced',
    '/emails?q=is:bounced+invoice',
    '/emails?q=tag:kind=rare',
    '/emails?tag=usual',
    '/emails?tag=rare',
    '/emails?status=queued',
    '/emails?status=scheduled',
    '/emails?to=person77@example.com',
    `/emails?from=${day(20)}&until=${day(10)}`,
    `/emails?from=${day(20)}&until=${day(10)}&status=bounced`,
    '/emails?sender=a@',
    '/emails?sender=a@&status=bounced',
    '/emails?relay=spare',
    '/emails?relay=spare&to=person77@example.com',
    '/emails?account=another',
    `/emails?q=${some}`,
    '/emails.csv?status=bounced',
    '/idempotency',
    '/idempotency?key=order/1',
    '/in-doubt',
    '/webhooks',
    '/inbox',
    `/inbox/${some}`,
    '/setup',
    '/relays',
    '/suppressions',
    '/domains',
    '/api-keys',
    '/templates',
    '/templates/1',
    '/contacts',
    '/broadcasts',
    '/accounts',
    '/settings',
  ];
  let worst = 0;
  for (const page of pages) {
    const ms = await medianMs(`${url}/dashboard${page}`, { cookie });
    worst = Math.max(worst, ms / one);
    const name = `/dashboard${page}`.replace(some, ':id');
    console.log(`${name.padEnd(44)} ${ms.toFixed(2).padStart(8)} ms ${(ms / one).toFixed(1).padStart(6)} times`);
  }
  console.log(`the slowest takes ${worst.toFixed(1)} times as long; the aim is 50`);
}

/** So many days ago, as filters take it. */
function day(ago: number): string {
  return new Date(Date.now() - ago * 24 * 60 * 60_000).toISOString().slice(0, 10);
}

async function medianMs(address: string, headers: Record<string, string>): Promise<number> {
  const took: number[] = [];
  for (let ask = 0; ask < asks; ask++) {
    const started = performance.now();
    const answer = await fetch(address, { headers, redirect: 'manual' });
    await answer.arrayBuffer();
    if (answer.status >= 400) throw new Error(`${address} was answered ${answer.status}`);
    took.push(performance.now() - started);
  }
  return median(took);
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

async function compareCpu(url: string, cookie: string, cpuSeconds: () => number | null): Promise<void> {
  const micros: Record<'open' | 'closed', number[]> = { open: [], closed: [] };
  await sendAll(url);
  for (let turn = 0; turn < Number(values.turns); turn++) {
    for (const state of turn % 2 === 0 ? (['open', 'closed'] as const) : (['closed', 'open'] as const)) {
      const close = state === 'open' ? await openPage(url, cookie) : () => {};
      const before = cpuSeconds() ?? 0;
      await sendAll(url);
      micros[state].push((((cpuSeconds() ?? 0) - before) * 1_000_000) / sendsPerTurn);
      close();
    }
  }
  for (const state of ['closed', 'open'] as const) {
    const all = micros[state];
    const spread = `${Math.min(...all).toFixed(0)}..${Math.max(...all).toFixed(0)}`;
    console.log(`CPU of an accept and its delivery, page ${state}: ${median(all).toFixed(0)} µs (${spread})`);
  }
}

async function sendAll(url: string): Promise<void> {
  const body = JSON.stringify({
    from: 'Acme <a@example.com>',
    to: ['person1@example.com'],
    subject: 'A short notice',
    html: '<p>it works!</p>',
  });
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  let left = sendsPerTurn;
  const send = async () => {
    while (left-- > 0) {
      const answer = await fetch(`${url}/emails`, { method: 'POST', headers, body });
      await answer.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: sendsAtOnce }, send));
}

/** What the page's script does: listens, and fetches the list again at most once a second. */
async function openPage(url: string, cookie: string): Promise<() => void> {
  const ended = new AbortController();
  const page = await (await fetch(`${url}/dashboard/emails`, { headers: { cookie } })).text();
  const live = /data-live="([^"]+)"/.exec(page)?.[1] ?? '';
  const stream = await fetch(`${url}${live}`, { headers: { cookie }, signal: ended.signal });
  void (async () => {
    let last = 0;
    for await (const chunk of stream.body ?? []) {
      if (!Buffer.from(chunk).includes('change') || performance.now() - last < 1_000) continue;
      last = performance.now();
      await (await fetch(`${url}/dashboard/emails`, { headers: { cookie } })).arrayBuffer();
    }
  })().catch(() => {});
  return () => ended.abort();
}
