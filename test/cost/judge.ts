/** What a request may cost the serving thread, and whether it grows with what was written. */

import type { Answer } from './driver.ts';

/** Up to 4 MB a request takes no more than this of the serving thread's time; of more, so much a megabyte. */
export const cpuMsMax = 100;
const cpuMsPerMegabyte = 25;
const megabyte = 1024 * 1024;

/** What is done under a deadline, beside the serving thread, is answered within this; a busy machine gets the same again. */
const wallMsMax = 4_000;

/** Less than this is noise, and growth cannot be told by it. */
const tellingMs = 12;

/** Twice as much takes twice as long. With collections of garbage and caches it may be three times, squares take four. */
const growthMax = 3.2;

/** `countsWall`: also how long the answer took, which a busy machine decides as much as we do. */
export type Terms = {
  countsWall: boolean;
  /** How often a request that costs too much is asked before it counts. */
  triesMax: number;
};

export type Case = { target: string; shape: string; size: number };
export type Ask = (size: number) => Promise<Answer>;

/** Null: it costs what it may. */
export async function judge(ask: Ask, size: number, { countsWall, triesMax }: Terms): Promise<string | null> {
  const first = await ask(size);
  // 503: no thread was free in time, which a busy machine may say.
  if (first.status >= 500 && first.status !== 503) return `is answered ${first.status}: ${first.text}`;
  if (first.cpuMs < tellingMs && (!countsWall || first.wallMs < wallMsMax)) return null;
  const best = await bestOf(ask, size, triesMax, first);
  const most = Math.max(cpuMsMax, (best.bytes / megabyte) * cpuMsPerMegabyte);
  if (best.cpuMs > most) return `takes ${best.cpuMs.toFixed(0)} ms of the serving thread, at most ${most.toFixed(0)}`;
  if (countsWall && best.wallMs > wallMsMax) return `is answered after ${best.wallMs.toFixed(0)} ms`;
  if (best.cpuMs < tellingMs) return null;
  const half = await bestOf(ask, Math.floor(size / 2), triesMax);
  if (best.cpuMs <= growthMax * Math.max(half.cpuMs, tellingMs / 2)) return null;
  return `takes ${best.cpuMs.toFixed(0)} ms, and half of it ${half.cpuMs.toFixed(0)} ms`;
}

async function bestOf(ask: Ask, size: number, triesMax: number, first?: Answer): Promise<Answer> {
  let best = first ?? (await ask(size));
  for (let tries = 1; tries < triesMax; tries++) {
    const again = await ask(size);
    best = { ...best, cpuMs: Math.min(best.cpuMs, again.cpuMs), wallMs: Math.min(best.wallMs, again.wallMs) };
  }
  return best;
}
