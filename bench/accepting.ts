/** Lines accepts, accepts-2k4, limit, batches and replays. */

import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { type Child, type Helper, type Sendonce, startHelper, startSendonce } from './child.ts';
import type { LoadOrder, LoadReport } from './load.ts';
import { createMail, createNote, type Mail } from './mails.ts';
import type { InsertOrder } from './raw-inserts.ts';
import { apiKey, batchRequests, type Requests, singleRequests } from './requests.ts';
import { compare, type Round, type Side, type Summary } from './rounds.ts';

export type Plan = {
  /** For databases; on the disk that is measured. */
  folder: string;
  rounds: number;
  roundMs: number;
  /** Each side is asked for this long before anything is measured. */
  warmUpMs: number;
  /** For node of the real program, such as `--cpu-prof`. */
  flags: string[];
};

export type Generator = Helper<LoadOrder, LoadReport>;

/** Enough to fill groups; an SDK's user has fewer. */
const connections = 50;
/** Each request carries a hundred: a few keep the server busy. */
const batchConnections = 4;
const batchSize = 100;
/** Keys that are replayed. */
const replayedKeys = 1_000;

const endless = { fromKey: 0, toKey: Number.MAX_SAFE_INTEGER, countMax: Number.MAX_SAFE_INTEGER };

/** A note of 0.3 kB of JSON, as the documentation of SDKs sends it. */
export const compareShortSends = (plan: Plan) =>
  compareSends(plan, { what: 'keyed sends of 0.3 kB, durable', mailOf: createNote, against: bareServer, aim: 0.33 });

/** A receipt of 2.4 kB of JSON. */
export const compareLongSends = (plan: Plan) =>
  compareSends(plan, { what: 'keyed sends of 2.4 kB, durable', mailOf: createMail, against: bareServer, aim: 0.33 });

export const compareWithLimit = (plan: Plan) =>
  compareSends(plan, { what: 'keyed sends of 0.3 kB, durable', mailOf: createNote, against: limitServer, aim: 0.85 });

/** What a line's program is measured against. */
type Against = { name: 'bare-server' | 'limit-server'; what: string };

const bareServer: Against = { name: 'bare-server', what: 'bare server' };
const limitServer: Against = { name: 'limit-server', what: 'bare server that makes the same text part and inserts' };

type Sends = { what: string; mailOf: (variant: number) => Mail; against: Against; aim: number };

async function compareSends(plan: Plan, { what, mailOf, against, aim }: Sends): Promise<Summary> {
  const { sendonce, path, bare, generator, stop } = await startBeside(plan, `${against.name}-${mailOf.name}`, against);
  const sends = createSender(generator, sendonce, { connections, ...singleRequests('send', mailOf) });
  const bareSends = createSender(generator, bare, { connections, ...singleRequests('bare', mailOf) });
  await bareSends.run(plan.warmUpMs);
  await sends.run(plan.warmUpMs);
  const summary = await compare({
    what: `${what}, 50 connections : ${against.what}`,
    aim,
    rounds: plan.rounds,
    subject: () => sends.run(plan.roundMs),
    baseline: () => bareSends.run(plan.roundMs),
  });
  await stop();
  checkStored(path, { emails: sends.acknowledged(), keys: sends.acknowledged() });
  return summary;
}

export async function compareBatches(plan: Plan): Promise<Summary> {
  const path = join(plan.folder, 'batches.db');
  const sendonce = await startApi(plan, path);
  const inserts = (await startHelper<InsertOrder, LoadReport>('raw-inserts', [join(plan.folder, 'raw-inserts.db')]))
    .helper;
  const generator = (await startHelper<LoadOrder, LoadReport>('load')).helper;
  const batches = createSender(generator, sendonce, { connections: batchConnections, ...batchRequests('batch') });
  const rows = Array.from({ length: batchSize }, (_, index) => Buffer.from(JSON.stringify(createMail(index))));
  const insert = (durationMs: number) => measured(inserts, () => inserts.ask({ rows, durationMs }));
  await insert(plan.warmUpMs / 3);
  await batches.run(plan.warmUpMs);
  const summary = await compare({
    what: 'emails in batches of 100 : raw SQLite inserts of the same bytes',
    aim: 0.35,
    rounds: plan.rounds,
    subject: inEmails(() => batches.run(plan.roundMs)),
    baseline: inEmails(() => insert(plan.roundMs)),
  });
  await Promise.all([sendonce.stop(), inserts.stop(), generator.stop()]);
  checkStored(path, { emails: batches.acknowledged() * batchSize, keys: batches.acknowledged() });
  return summary;
}

export async function compareReplays(plan: Plan): Promise<Summary> {
  const { sendonce, path, bare, generator, stop } = await startBeside(plan, 'replays', bareServer);
  const single = { connections, ...singleRequests('replay', createMail) };
  const keys = { fromKey: 0, toKey: replayedKeys };
  const firsts = createSender(generator, sendonce, { ...single, ...keys, countMax: replayedKeys, bodies: 'keep' });
  const replays = createSender(generator, sendonce, { ...single, ...keys, bodies: 'compare' });
  const bareSends = createSender(generator, bare, { ...single, ...keys });
  await firsts.run(60_000);
  await bareSends.run(plan.warmUpMs);
  await replays.run(plan.warmUpMs);
  const summary = await compare({
    what: 'replays of 1,000 keys, 50 connections : bare server',
    aim: 0.6,
    rounds: plan.rounds,
    subject: () => replays.run(plan.roundMs),
    baseline: () => bareSends.run(plan.roundMs),
  });
  await stop();
  checkStored(path, { emails: replayedKeys, keys: replayedKeys });
  return summary;
}

export type Sender = { run(durationMs: number): Promise<Round>; acknowledged(): number };

/** Keys go on where the last run ended, unless `order` bounds them. */
export function createSender(
  generator: Generator,
  server: Child & { port: number },
  order: Requests & { connections: number } & Partial<LoadOrder>,
): Sender {
  let acknowledged = 0;
  return {
    async run(durationMs) {
      const fromKey = order.toKey === undefined ? acknowledged : order.fromKey;
      const whole: LoadOrder = {
        ...endless,
        bodies: 'ignore',
        ...order,
        fromKey: fromKey ?? 0,
        port: server.port,
        durationMs,
      };
      const round = await measured(server, () => generator.ask(whole));
      acknowledged += round.done;
      return round;
    },
    acknowledged: () => acknowledged,
  };
}

export async function measured(server: Child, load: () => Promise<LoadReport>): Promise<Round> {
  await server.loopP99Ms?.();
  const before = server.cpuSeconds();
  const { answered, elapsedMs, latenciesMs } = await load();
  const after = server.cpuSeconds();
  const cpuSeconds = before === null || after === null ? null : after - before;
  const loopP99Ms = await server.loopP99Ms?.();
  return { done: answered, elapsedMs, latenciesMs, cpuSeconds, loopP99Ms, peakBytes: server.peakBytes() };
}

function inEmails(side: Side): Side {
  return async () => {
    const round = await side();
    return { ...round, done: round.done * batchSize };
  };
}

async function startBeside(plan: Plan, name: string, against: Against) {
  const path = join(plan.folder, `${name}.db`);
  const sendonce = await startApi(plan, path);
  const folder = join(plan.folder, `beside-${name}`);
  const { helper, ready } = await startHelper<'port', { port: number }>(against.name, [folder]);
  const bare = { ...helper, port: ready.port };
  const generator = (await startHelper<LoadOrder, LoadReport>('load')).helper;
  const stop = () => Promise.all([sendonce.stop(), bare.stop(), generator.stop()]);
  return { sendonce, path, bare, generator, stop };
}

/** Accepts and does not deliver: that is other lines'. */
function startApi(plan: Plan, path: string): Promise<Sendonce> {
  return startSendonce({ ROLE: 'api', DATABASE_URL: `sqlite:${path}`, SENDONCE_API_KEY: apiKey }, plan.flags);
}

/** What was acknowledged is there, once, and nothing else is. */
export function checkStored(path: string, expected: { emails: number; keys: number }): void {
  const database = new Sqlite(path, { readonly: true });
  const count = (table: string) => database.prepare(`select count(*) from ${table}`).pluck().get() as number;
  const stored = { emails: count('emails'), deliveries: count('deliveries'), keys: count('idempotency_keys') };
  database.close();
  if (stored.emails !== expected.emails || stored.keys !== expected.keys || stored.deliveries !== expected.emails) {
    throw new Error(`acknowledged ${JSON.stringify(expected)}, stored ${JSON.stringify(stored)}`);
  }
}
