/** Who is served beside an attack: ordinary requests, one after the other, and the memory that the server holds meanwhile. */

import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Target } from './attacks.ts';

export type Beside = {
  requests: number;
  /** That were not answered as on a calm day. */
  failed: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
  /** Resident, of the server and all it has started, at most. */
  peakMb: number;
};

const ordinary = JSON.stringify({
  from: 'a@siege.test',
  to: ['b@siege.test'],
  subject: 'ordinary',
  html: '<p>Your code is 123456.</p>',
});

/** Between two requests of each kind. */
const everyMs = 25;
const memoryEveryMs = 20;

export async function serveBeside<T>(
  target: Target & { pid: number },
  attack: Promise<T>,
): Promise<{ beside: Beside; outcome: T }> {
  let isOver = false;
  const seen: number[] = [];
  let failed = 0;
  let peakMb = 0;
  async function ask(method: string, path: string, body: string | null): Promise<void> {
    while (!isOver) {
      const startedAt = performance.now();
      const headers = { authorization: `Bearer ${target.key}`, 'content-type': 'application/json' };
      const reply = await fetch(`http://127.0.0.1:${target.port}${path}`, { method, headers, body }).catch(() => null);
      await reply?.arrayBuffer().catch(() => null);
      seen.push(performance.now() - startedAt);
      if (!reply?.ok) failed += 1;
      await sleep(everyMs);
    }
  }
  async function watch(): Promise<void> {
    while (!isOver) {
      peakMb = Math.max(peakMb, residentMb(target.pid));
      await sleep(memoryEveryMs);
    }
  }
  const served = [ask('POST', '/emails', ordinary), ask('GET', '/healthz', null), watch()];
  const outcome = await attack;
  isOver = true;
  await Promise.all(served);
  seen.sort((a, b) => a - b);
  const at = (share: number) => seen[Math.min(seen.length - 1, Math.floor(seen.length * share))] ?? 0;
  const beside = { requests: seen.length, failed, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1), peakMb };
  return { beside, outcome };
}

/** Of a process and all below it. */
export function residentMb(pid: number): number {
  let kilobytes = 0;
  for (const one of [pid, ...descendantsOf(pid)]) {
    kilobytes += Number(/^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${one}/status`))?.[1] ?? 0);
  }
  return kilobytes / 1024;
}

function descendantsOf(pid: number): number[] {
  const children = tasksOf(pid).flatMap((task) =>
    read(`/proc/${pid}/task/${task}/children`).split(' ').filter(Boolean),
  );
  return children.map(Number).flatMap((child) => [child, ...descendantsOf(child)]);
}

function tasksOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** Empty where the process has ended meanwhile. */
function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
