/** Kills of an app, its drain and the server: at random moments, and on entering the Nth system call of one write and of one drain. */

import { inject, isDead } from '../lab/strace.ts';
import type { Scope } from './ground.ts';
import type { Shop, Victim } from './shop.ts';

const ordersAtOnce = 40;
const aliveMs = 350;

/** The app or the drain is killed after a while, or both, and now and then the server; who lives goes on. */
export async function killAtRandom(scope: Scope, shop: Shop, runs: number, onRun = (_: number) => {}): Promise<void> {
  let writer: Victim | null = null;
  let drain: Victim | null = null;
  for (let run = 0; run < runs; run++) {
    onRun(run);
    if (!writer || writer.isDone()) {
      writer = await shop.startWriter(scope, ordersAtOnce);
      writer.go();
    }
    if (!drain) {
      drain = await shop.startDrain(scope);
      drain.go();
    }
    await new Promise((resolve) => setTimeout(resolve, shop.random() * aliveMs));
    const dice = shop.random();
    if (dice < 0.6) {
      await writer.kill();
      writer = null;
    }
    if (dice > 0.3) {
      await drain.kill();
      drain = null;
    }
    if (run % 8 === 5) await shop.killServer();
  }
  await writer?.kill();
  await drain?.kill();
}

export type SweepTerms = {
  victim: 'writer' | 'drain';
  call: string;
  /** The first N, and the distance to the next. */
  from?: number;
  step?: number;
  runsMax?: number;
  /** For strace's output. */
  folder: string;
};

/** A kill on entering every Nth call, until a run ends before its Nth. Tells how many runs were killed. */
export async function killAtCalls(scope: Scope, shop: Shop, terms: SweepTerms): Promise<number> {
  const { victim, call, from = 1, step = 1, runsMax = 400, folder } = terms;
  for (let kills = 0; ; kills++) {
    if (kills === runsMax || !(await killAtCall(scope, shop, { victim, call, nth: from + kills * step, folder })))
      return kills;
  }
}

type OneKill = { victim: 'writer' | 'drain'; call: string; nth: number; folder: string };

async function killAtCall(scope: Scope, shop: Shop, { victim, call, nth, folder }: OneKill): Promise<boolean> {
  // For the drain to have something to send.
  if (victim === 'drain') await writeAll(scope, shop);
  const running = victim === 'writer' ? await shop.startWriter(scope, 3) : await shop.startDrain(scope, true);
  const injection = await inject(running.pid, `${folder}/strace`, {
    calls: [call],
    what: 'signal=KILL',
    when: String(nth),
    paths: [],
  });
  running.go();
  while (!injection.isDead() && !running.isDone()) await new Promise((resolve) => setTimeout(resolve, 5));
  const isKilled = !running.isDone();
  await injection.detach();
  if (isKilled && !isDead(running.pid)) await running.kill();
  await running.ended;
  return isKilled;
}

async function writeAll(scope: Scope, shop: Shop): Promise<void> {
  const writer = await shop.startWriter(scope, 4);
  writer.go();
  await writer.ended;
}
