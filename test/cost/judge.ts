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

/** A half that happened to be slow must not make squares look straight. */
const roundsMin = 3;

/** `countsWall`: also how long the answer took, which a busy machine decides as much as we do. */
export type Terms = {
  countsWall: boolean;
  /** How often a request that costs too much is asked, whole and in parts in turn, before it counts. */
  roundsMax: number;
};

export type Case = { target: string; shape: string; size: number };
export type Cost = Pick<Answer, 'status' | 'text' | 'bytes' | 'cpuMs' | 'wallMs'>;
export type Ask = (size: number) => Promise<Cost>;

/**
 * Null: it costs what it may. What looks costly is asked again until it does not, or has looked so in every round: a busy machine
 * makes a request slower and never faster, so that the least of all rounds is what the request itself costs.
 */
export async function judge(ask: Ask, size: number, { countsWall, roundsMax }: Terms): Promise<string | null> {
  let whole = await ask(size);
  // 503: no thread was free in time, which a busy machine may say.
  if (whole.status >= 500 && whole.status !== 503) return `is answered ${whole.status}: ${whole.text}`;
  let [half, quarter] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 1; ; round++) {
    const isDear = overBounds(whole, countsWall) !== null;
    if (!isDear && whole.cpuMs < tellingMs) return null;
    if (!isDear) {
      half = Math.min(half, (await ask(Math.floor(size / 2))).cpuMs);
      quarter = Math.min(quarter, (await ask(Math.floor(size / 4))).cpuMs);
    }
    const why = overBounds(whole, countsWall) ?? overGrowth(whole.cpuMs, half, quarter);
    if (round >= (why === null ? Math.min(roundsMin, roundsMax) : roundsMax)) return why;
    whole = leastOf(whole, await ask(size));
  }
}

function overBounds({ bytes, cpuMs, wallMs }: Cost, countsWall: boolean): string | null {
  const most = Math.max(cpuMsMax, (bytes / megabyte) * cpuMsPerMegabyte);
  if (cpuMs > most) return `takes ${cpuMs.toFixed(0)} ms of the serving thread, at most ${most.toFixed(0)}`;
  if (countsWall && wallMs > wallMsMax) return `is answered after ${wallMs.toFixed(0)} ms`;
  return null;
}

/** Squares grow so at every doubling; where a buffer becomes a large one, or a cache is left, it is at one of them. */
function overGrowth(whole: number, half: number, quarter: number): string | null {
  if (whole <= growthMax * Math.max(half, tellingMs / 2)) return null;
  if (whole <= growthMax ** 2 * Math.max(quarter, tellingMs / 6)) return null;
  return `takes ${whole.toFixed(0)} ms, half of it ${half.toFixed(0)} ms, and a quarter ${quarter.toFixed(0)} ms`;
}

function leastOf(one: Cost, other: Cost): Cost {
  return { ...one, cpuMs: Math.min(one.cpuMs, other.cpuMs), wallMs: Math.min(one.wallMs, other.wallMs) };
}
