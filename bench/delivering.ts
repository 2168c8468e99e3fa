/** Lines deliveries and deliveries-100k: mails handed to a relay, against nodemailer's pooled transport, which stores nothing and promises nothing. */

import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { createSender, type Plan } from './accepting.ts';
import { type Child, type Helper, type Sendonce, startHelper, startSendonce } from './child.ts';
import type { LoadOrder, LoadReport } from './load.ts';
import { type Delivered, delivered } from './mails.ts';
import type { SendOrder } from './pooled-transport.ts';
import { apiKey, scheduledBatches } from './requests.ts';
import { compare, type Round, type Summary } from './rounds.ts';
import type { SinkOrder, SinkReport } from './sink.ts';

/** Sendonce's default. */
const connections = 10;

/** Of what a line's mails are, and how many a request and a round have at least. */
type Load = { kind: Delivered; batchSize: number; warmUpMails: number; mailsMin: number };

const notes: Load = { kind: 'note', batchSize: 100, warmUpMails: 1_500, mailsMin: 300 };
const receipts: Load = { ...notes, kind: 'receipt' };
const reports: Load = { kind: 'report', batchSize: 10, warmUpMails: 150, mailsMin: 50 };

export const compareDeliveries = (plan: Plan) => compareWithPool(plan, 'mails of 0.3 kB', notes, 1.5);
export const compareLargeDeliveries = (plan: Plan) => compareWithPool(plan, 'mails of 100 kB', reports, 2);

async function compareWithPool(plan: Plan, what: string, load: Load, aim: number): Promise<Summary> {
  const own = await startDelivering(plan, `deliveries-${load.kind}`, { load });
  const { helper: sink, ready } = await startHelper<SinkOrder, SinkReport>('sink');
  const poolArgs = [load.kind, ...[ready.port, connections].map(String)];
  const pool = (await startHelper<SendOrder, string>('pooled-transport', poolArgs)).helper;
  const summary = await compareMails(plan, {
    what: `${what} to an SMTP sink, 10 connections : nodemailer pool, no store`,
    aim,
    load,
    subject: own.deliver,
    baseline: createPooled(sink, pool),
  });
  await own.stop();
  await Promise.all([pool.stop(), sink.stop()]);
  return summary;
}

/** As many mails a round as the faster side sends in its time. */
export async function compareMails(
  plan: Plan,
  sides: { what: string; aim: number; load?: Load; subject: Deliver; baseline: Deliver },
): Promise<Summary> {
  const { subject, baseline, load = receipts } = sides;
  const firsts = [await baseline(load.warmUpMails), await subject(load.warmUpMails)];
  const fastest = Math.max(...firsts.map(({ done, elapsedMs }) => done / elapsedMs));
  const mails = Math.max(load.mailsMin, Math.ceil((fastest * plan.roundMs) / load.batchSize) * load.batchSize);
  return compare({ ...sides, rounds: plan.rounds, subject: () => subject(mails), baseline: () => baseline(mails) });
}

type Settings = Record<string, string>;

export type Delivering = { port: number; deliver: Deliver; stop(): Promise<void> };

/** The real program with a sink of its own. Its end is refused unless each mail is there, once, and recorded as sent. */
export async function startDelivering(
  plan: Plan,
  name: string,
  { settings = {}, load = receipts }: { settings?: Settings | ((sinkPort: number) => Settings); load?: Load } = {},
): Promise<Delivering> {
  const path = join(plan.folder, `${name}.db`);
  const { helper: sink, ready } = await startHelper<SinkOrder, SinkReport>('sink');
  const own = {
    RELAY_URL: `smtp://127.0.0.1:${ready.port}`,
    RELAY_CONNECTIONS: String(connections),
    DATABASE_URL: `sqlite:${path}`,
    SENDONCE_API_KEY: apiKey,
  };
  const sendonce = await startSendonce(
    { ...own, ...(typeof settings === 'function' ? settings(ready.port) : settings) },
    plan.flags,
  );
  const generator = (await startHelper<LoadOrder, LoadReport>('load')).helper;
  return {
    port: sendonce.port,
    deliver: createDeliverer({ sink, sendonce, generator }, load),
    async stop() {
      await sendonce.stop();
      await checkDelivered(path, sink);
      await Promise.all([generator.stop(), sink.stop()]);
    },
  };
}

type Sink = Helper<SinkOrder, SinkReport>;
type Deliver = (mails: number) => Promise<Round>;

function createPooled(sink: Sink, pool: Helper<SendOrder, string>): Deliver {
  let next = 0;
  return async (mails) => {
    const sent = pool.ask({ from: next, count: mails });
    next += mails;
    const round = await arrival(sink, pool, mails);
    await sent;
    return round;
  };
}

/**
 * The mails are accepted beforehand, all for one moment: what is measured begins there, in a process that is warm.
 * Should accepting take longer than that, the round is thrown away.
 */
function createDeliverer(parts: Parts, { kind, batchSize }: Load): Deliver {
  const { sink, sendonce, generator } = parts;
  let next = 0;
  let leadMs = 2_000;
  return async function deliver(mails): Promise<Round> {
    const startedAt = Date.now();
    const at = startedAt + leadMs;
    const count = mails / batchSize;
    const batch = { from: next, count: mails, size: batchSize, mailOf: delivered[kind], at: new Date(at) };
    const requests = scheduledBatches(`deliver-${next}`, batch);
    const batches = { connections: 2, ...requests, fromKey: 0, toKey: count, countMax: count };
    next += mails;
    const arrived = arrival(sink, sendonce, mails);
    await createSender(generator, sendonce, batches).run(60_000);
    const tookMs = Date.now() - startedAt;
    const round = await arrived;
    const isLate = tookMs > leadMs;
    leadMs = Math.max(leadMsMin, 3 * tookMs);
    return isLate ? deliver(mails) : round;
  };
}

type Parts = { sink: Sink; sendonce: Sendonce; generator: Helper<LoadOrder, LoadReport> };

const leadMsMin = 500;

/** From the first mail at the sink to the last. */
async function arrival(sink: Sink, sender: Child, mails: number): Promise<Round> {
  await sink.ask({ await: 'first' });
  await sender.loopP99Ms?.();
  const before = sender.cpuSeconds();
  const sinkBefore = sink.cpuSeconds();
  const { elapsedMs, latenciesMs } = await sink.ask({ await: 'all', count: mails });
  const after = sender.cpuSeconds();
  const sinkAfter = sink.cpuSeconds();
  const cpuSeconds = before === null || after === null ? null : after - before;
  const sinkShare = sinkBefore === null || sinkAfter === null ? null : ((sinkAfter - sinkBefore) * 1_000) / elapsedMs;
  const loopP99Ms = await sender.loopP99Ms?.();
  return { done: mails, elapsedMs, latenciesMs, cpuSeconds, loopP99Ms, sinkShare, peakBytes: sender.peakBytes() };
}

/** Each mail is at the sink once, and recorded as sent. */
async function checkDelivered(path: string, sink: Sink): Promise<void> {
  const database = new Sqlite(path, { readonly: true });
  const ids = database.prepare<[], string>('select message_id from emails').pluck().all();
  const unsent = database.prepare("select count(*) from deliveries where state <> 'sent'").pluck().get();
  database.close();
  const { missing, duplicates } = await sink.ask({ missing: ids.map((id) => id) });
  if (missing || duplicates || unsent) {
    throw new Error(
      `of ${ids.length} mails ${missing} are not at the sink once, ${duplicates} twice, ${unsent} unsent`,
    );
  }
}
