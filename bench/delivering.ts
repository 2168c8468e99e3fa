/** Line d: mails handed to a relay, against nodemailer's pooled transport, which stores nothing and promises nothing. */

import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { createSender, type Plan } from './accepting.ts';
import { type Child, type Helper, type Sendonce, startHelper, startSendonce } from './child.ts';
import type { LoadOrder, LoadReport } from './load.ts';
import type { SendOrder } from './pooled-transport.ts';
import { apiKey, scheduledBatches } from './requests.ts';
import { compare, type Round, type Summary } from './rounds.ts';
import type { SinkOrder, SinkReport } from './sink.ts';

/** Sendonce's default. */
const connections = 10;
const warmUpMails = 3_000;
const mailsMin = 1_000;

export async function compareDeliveries(plan: Plan): Promise<Summary> {
  const own = await startDelivering(plan, 'deliveries');
  const { helper: sink, ready } = await startHelper<SinkOrder, SinkReport>('sink');
  const poolArgs = [ready.port, connections].map(String);
  const pool = (await startHelper<SendOrder, string>('pooled-transport', poolArgs)).helper;
  const pooled = createPooled(sink, pool);
  const summary = await compareMails(plan, {
    what: 'd  mails to an SMTP sink, 10 connections : nodemailer pool, no store',
    aim: 2,
    subject: own.deliver,
    baseline: pooled,
  });
  await own.stop();
  await Promise.all([pool.stop(), sink.stop()]);
  return summary;
}

/** As many mails a round as the faster side sends in its time. */
export async function compareMails(
  plan: Plan,
  sides: { what: string; aim: number; subject: Deliver; baseline: Deliver },
): Promise<Summary> {
  const { subject, baseline } = sides;
  const firsts = [await baseline(warmUpMails), await subject(warmUpMails)];
  const fastest = Math.max(...firsts.map(({ done, elapsedMs }) => done / elapsedMs));
  const mails = Math.max(mailsMin, Math.ceil((fastest * plan.roundMs) / 100) * 100);
  return compare({ ...sides, rounds: plan.rounds, subject: () => subject(mails), baseline: () => baseline(mails) });
}

export type Delivering = { port: number; deliver: Deliver; stop(): Promise<void> };

/** The real program with a sink of its own. Its end is refused unless each mail is there, once, and recorded as sent. */
export async function startDelivering(
  plan: Plan,
  name: string,
  settings: Record<string, string> = {},
): Promise<Delivering> {
  const path = join(plan.folder, `${name}.db`);
  const { helper: sink, ready } = await startHelper<SinkOrder, SinkReport>('sink');
  const own = {
    RELAY_URL: `smtp://127.0.0.1:${ready.port}`,
    RELAY_CONNECTIONS: String(connections),
    DATABASE_URL: `sqlite:${path}`,
    SENDONCE_API_KEY: apiKey,
  };
  const sendonce = await startSendonce({ ...own, ...settings }, plan.flags);
  const generator = (await startHelper<LoadOrder, LoadReport>('load')).helper;
  return {
    port: sendonce.port,
    deliver: createDeliverer({ sink, sendonce, generator }),
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
function createDeliverer(parts: { sink: Sink; sendonce: Sendonce; generator: Helper<LoadOrder, LoadReport> }): Deliver {
  const { sink, sendonce, generator } = parts;
  let next = 0;
  let leadMs = 2_000;
  return async function deliver(mails): Promise<Round> {
    const at = Date.now() + leadMs;
    const requests = scheduledBatches(`deliver-${next}`, next, mails, new Date(at));
    const batches = { connections: 2, ...requests, fromKey: 0, toKey: mails / 100, countMax: mails / 100 };
    next += mails;
    const arrived = arrival(sink, sendonce, mails);
    await createSender(generator, sendonce, batches).run(60_000);
    const isLate = Date.now() > at;
    const round = await arrived;
    if (!isLate) return round;
    leadMs *= 2;
    return deliver(mails);
  };
}

/** From the first mail at the sink to the last. */
async function arrival(sink: Sink, sender: Child, mails: number): Promise<Round> {
  await sink.ask({ await: 'first' });
  const before = sender.cpuSeconds();
  const { elapsedMs, latenciesMs } = await sink.ask({ await: 'all', count: mails });
  const after = sender.cpuSeconds();
  const cpuSeconds = before === null || after === null ? null : after - before;
  return { done: mails, elapsedMs, latenciesMs, cpuSeconds };
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
