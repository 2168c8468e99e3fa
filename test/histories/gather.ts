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
import { emailOf, type Operation, readAnswer } from '../lab/operation.ts';
import type { Transaction } from '../lab/relay.ts';
import { type LifeOptions, thoughtful, type World } from '../lab/world.ts';
import type { Call, Deed, History, Mail, Seen } from './history.ts';

export type Wanted = {
  operations: number;
  engine: 'sqlite' | 'postgres';
  seed: number;
  /** The lab's server, or one of its variants. */
  variant?: string;
  /** Only this befalls processes on PostgreSQL. */
  only?: string[];
  /** The relay is always like this. */
  mood?: string;
  /** Nobody is killed. */
  isCalm?: boolean;
  /** Instead of people there is an endpoint that is told of everything, and it counts what it was never told. */
  isHeard?: boolean;
  clients?: number;
  /** `isLeaving`: nothing more is asked for in this life, and what was is to come to its end. */
  onProgress?: (operations: number, isLeaving?: boolean) => void;
};

/** Longer than most pauses of a process: on a busy machine, too, most calls are answered. */
const answerMs = 2_500;

/** Calls and deeds of one life: beyond it, more lives. */
const operationsInLife = 10_000;
/** The first ones are hit by something every few answers, those after them more and more rarely: starting again takes most of the time. */
const answersBetween = [
  { until: 1_000, answers: 30 },
  { until: 5_000, answers: 400 },
  { until: Infinity, answers: 2_000 },
];

export async function gather(wanted: Wanted): Promise<History[]> {
  const histories: History[] = [];
  let done = 0;
  while (done < wanted.operations) {
    const operations = Math.min(operationsInLife, wanted.operations - done);
    const before = done;
    const onProgress: Wanted['onProgress'] = (some, isLeaving) => wanted.onProgress?.(before + some, isLeaving);
    const answers = (some: number) => answersBetween.find(({ until }) => before + some < until)?.answers ?? 0;
    const one = await liveOnce({ ...wanted, operations, seed: wanted.seed + histories.length, onProgress, answers });
    histories.push(one);
    done += countOperations(one);
  }
  return histories;
}

export function countOperations({ calls, deeds }: Pick<History, 'calls' | 'deeds'>): number {
  return calls.length + deeds.length;
}

/** `answers`: how many at most between two things that happen, once there are so many operations. */
type Lived = Wanted & { answers: (operations: number) => number };

async function liveOnce(wanted: Lived): Promise<History> {
  const { seed, variant, mood, clients } = wanted;
  const moods: LifeOptions['moods'] = (thinking) =>
    mood === undefined ? createMoods(thinking) : createMoods(thinking).filter(({ name }) => name === mood);
  const calmer = variant === undefined || mood !== undefined ? moods : thoughtful;
  const options = {
    ...{ seed, moods: calmer, command: labServer(variant), speed: fleetSpeed },
    // Where people change webhooks, nobody can say for sure what each was to be told.
    ...{ hasPeople: !wanted.isHeard, trespassing: 0.05, isHeard: wanted.isHeard === true },
    ...{ answerMs, ...(clients === undefined ? {} : { clients }) },
  };
  return wanted.engine === 'sqlite' ? liveOnSqlite(options, wanted) : liveOnPostgres(options, wanted);
}

async function liveOnSqlite(options: LifeOptions, wanted: Lived): Promise<History> {
  const life = await Life.start(options);
  try {
    life.begin();
    if (wanted.isCalm) await life.up();
    for (let done = 0; tell(done, wanted); done = countSoFar(life)) {
      await (wanted.isCalm ? pause(50) : anyEnd(life, wanted.answers(done)));
    }
    if (!wanted.isCalm) await life.up();
    return await historyOf(life, wanted);
  } finally {
    await life.destroy();
  }
}

async function liveOnPostgres(options: LifeOptions, wanted: Lived): Promise<History> {
  const fleet = await Fleet.start({ ...options, apis: 2, workers: 2 });
  try {
    fleet.begin();
    for (let done = 0; tell(done, wanted); done = countSoFar(fleet)) {
      await (wanted.isCalm ? pause(50) : quickMischief(fleet, wanted.only, wanted.answers(done)));
    }
    await fleet.allUp();
    return await historyOf(fleet, wanted);
  } finally {
    await fleet.destroy();
  }
}

function countSoFar({ load, deeds }: World): number {
  return load.tries.length + Object.values(deeds).flat().length;
}

function tell(done: number, { onProgress, operations }: Lived): boolean {
  onProgress?.(done);
  return done < operations;
}

/** Lets everything come to its end; what endpoints are to be told, only where they count it. What else the lab makes of it is not asked. */
async function historyOf(world: World, wanted: Lived): Promise<History> {
  const { isHeard = false, onProgress } = wanted;
  onProgress?.(countSoFar(world), true);
  const { violations } = await world.examine({ awaitsTellings: isHeard });
  const { load, relay, deeds, clock } = world;
  const idsSeen = new Map(
    relay.transactions.flatMap(({ asked, dot }) => {
      const id = dot?.messageId ? emailOf(dot.messageId) : null;
      return id === null ? [] : asked.map((recipient): [string, string] => [recipient, id]);
    }),
  );
  return {
    calls: load.tries.map(toCall),
    deeds: toDeeds(deeds),
    mails: load.operations.flatMap((operation) => toMails(operation, idsSeen)),
    seen: relay.transactions.flatMap(toSeen),
    shown: new Set(await deliveriesIn(world.books, 'in_doubt')),
    untold: isHeard ? violations.filter((one) => one.includes('never told')) : [],
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

/** An operator may have settled what no client was told of: the relay saw which it was. */
function toMails({ asked, ids, scheduledAt, begunAt }: Operation, idsSeen: ReadonlyMap<string, string>): Mail[] {
  return asked.map(({ to }, index) => {
    const told = ids?.[index];
    return {
      id: told ?? idsSeen.get(to[0] ?? '') ?? null,
      isPromised: told !== undefined,
      recipients: to,
      scheduledAt,
      askedAt: begunAt,
    };
  });
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
      dot:
        dot && wasIn
          ? {
              email: dot.messageId ? emailOf(dot.messageId) : null,
              at: dot.at,
              mailClockAt: dot.labAt,
              said: mood.said,
            }
          : null,
      wasTaken: taken && wasIn,
      wasRefused: refused.includes(recipient) || mood.said === 'no',
    };
  });
}
