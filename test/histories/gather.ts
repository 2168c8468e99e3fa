/** Makes a history: clients and people of the lab at work while processes are killed, stopped and cut off. */

import { deliveriesIn } from '../lab/books.ts';
import { Fleet } from '../lab/fleet.ts';
import { anyEnd } from '../lab/kills.ts';
import { fleetSpeed, labServer } from '../lab/lab-server.ts';
import { Life } from '../lab/life.ts';
import type { Try } from '../lab/load.ts';
import { pause } from '../lab/load.ts';
import { quickMischief } from '../lab/mischief.ts';
import { createMoods } from '../lab/moods.ts';
import { readAnswer } from '../lab/operation.ts';
import type { Transaction } from '../lab/relay.ts';
import { type LifeOptions, thoughtful, type World } from '../lab/world.ts';
import type { Call, Deed, History, Seen } from './history.ts';

export type Wanted = {
  operations: number;
  engine: 'sqlite' | 'postgres';
  seed: number;
  /** The lab's server, or one of its variants. */
  variant?: string;
  /** Only this befalls processes on PostgreSQL. */
  only?: string[];
  /** What it may be that ends nothing: then nobody is killed, and the relay is always like this. */
  mood?: string;
  onProgress?: (operations: number) => void;
};

/** Calls and deeds of one life: beyond it, more lives. */
const operationsInLife = 5_000;

export async function gather(wanted: Wanted): Promise<History[]> {
  const histories: History[] = [];
  let done = 0;
  while (done < wanted.operations) {
    const operations = Math.min(operationsInLife, wanted.operations - done);
    const onProgress = (some: number) => wanted.onProgress?.(done + some);
    const one = await liveOnce({ ...wanted, operations, seed: wanted.seed + histories.length, onProgress });
    histories.push(one);
    done += countOperations(one);
  }
  return histories;
}

export function countOperations({ calls, deeds }: Pick<History, 'calls' | 'deeds'>): number {
  return calls.length + deeds.length;
}

async function liveOnce(wanted: Wanted): Promise<History> {
  const { seed, variant, mood } = wanted;
  const moods: LifeOptions['moods'] = (thinking) =>
    mood === undefined ? createMoods(thinking) : createMoods(thinking).filter(({ name }) => name === mood);
  const calmer = variant === undefined || mood !== undefined ? moods : thoughtful;
  const options = {
    ...{ seed, moods: calmer, command: labServer(variant), speed: fleetSpeed },
    ...{ hasPeople: true, trespassing: 0.05 },
  };
  return wanted.engine === 'sqlite' ? liveOnSqlite(options, wanted) : liveOnPostgres(options, wanted);
}

async function liveOnSqlite(options: LifeOptions, wanted: Wanted): Promise<History> {
  const life = await Life.start(options);
  try {
    life.begin();
    if (wanted.mood !== undefined) await life.up();
    while (isToGoOn(life, wanted)) await (wanted.mood === undefined ? anyEnd(life) : pause(50));
    if (wanted.mood === undefined) await life.up();
    return await historyOf(life);
  } finally {
    await life.destroy();
  }
}

async function liveOnPostgres(options: LifeOptions, wanted: Wanted): Promise<History> {
  const fleet = await Fleet.start({ ...options, apis: 2, workers: 2 });
  try {
    fleet.begin();
    while (isToGoOn(fleet, wanted)) await quickMischief(fleet, wanted.only);
    await fleet.allUp();
    return await historyOf(fleet);
  } finally {
    await fleet.destroy();
  }
}

function isToGoOn({ load, deeds }: World, { operations, onProgress }: Wanted): boolean {
  const done = load.tries.length + Object.values(deeds).flat().length;
  onProgress?.(done);
  return done < operations;
}

/** Lets everything come to its end. What the lab itself makes of it is not asked. */
async function historyOf(world: World): Promise<History> {
  await world.examine();
  const { load, relay, deeds, clock } = world;
  return {
    calls: load.tries.map(toCall),
    deeds: toDeeds(deeds),
    mails: load.operations.flatMap(({ asked, ids, scheduledAt }) =>
      asked.map(({ to }, index) => ({ id: ids?.[index] ?? null, recipients: to, scheduledAt })),
    ),
    seen: relay.transactions.flatMap(toSeen),
    shown: new Set(await deliveriesIn(world.books, 'in_doubt')),
    // Resend's a day, by the clock of the lab; Brevo's half an hour.
    keyLifetimeMs: (30 * 60_000) / clock.speed,
    toleranceMs: clocksDifferMs * clock.speed,
  };
}

const clocksDifferMs = 300;

function toCall({ operation, text, begunAt, endedAt, reply }: Try): Call {
  const call = { key: operation.key, body: text, begunAt, endedAt };
  const ids = reply && readAnswer(operation, reply);
  if (ids) return { ...call, saw: { kind: 'accepted', ids: ids.join() } };
  const isConflict = reply?.status === 409 && reply.text.includes('invalid_idempotent_request');
  return { ...call, saw: { kind: isConflict ? 'conflict' : 'none' } };
}

function toDeeds({ cancels, reschedules, doubtAnswers, suppressions }: World['deeds']): Deed[] {
  return [
    ...cancels.map(({ emails, ...one }) => ({ ...spanOf(one), kind: 'cancel' as const, ids: emails })),
    ...reschedules.map(({ email, to, ...one }) => ({ ...spanOf(one), kind: 'reschedule' as const, id: email, to })),
    ...doubtAnswers.map((one) => ({ ...spanOf(one), kind: 'answer' as const, id: one.email, answer: one.state })),
    ...suppressions
      .filter(({ kind }) => kind === 'add')
      .map(({ address, ...one }) => ({ ...spanOf(one), kind: 'suppress' as const, address })),
  ];
}

function spanOf({
  begunAt,
  endedAt,
  outcome,
}: Pick<Deed, 'begunAt' | 'endedAt' | 'outcome'>): Pick<Deed, 'begunAt' | 'endedAt' | 'outcome'> {
  return { begunAt, endedAt, outcome };
}

function toSeen({ asked, to, refused, dot, taken, mood }: Transaction): Seen[] {
  return asked.map((recipient) => {
    const wasIn = to.includes(recipient);
    return {
      recipient,
      dot: dot && wasIn ? { at: dot.at, mailClockAt: dot.labAt, said: mood.said } : null,
      wasTaken: taken && wasIn,
      wasRefused: refused.includes(recipient) || mood.said === 'no',
    };
  });
}
