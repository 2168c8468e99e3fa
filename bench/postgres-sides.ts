/** Sendonce's sides of `bench:postgres`: API processes that accept, workers that deliver, and claims. */

import type { Database } from '../src/store/database.ts';
import { openPostgres } from '../src/store/engine/postgres/postgres.ts';
import { accountsWithDue, claimDue } from '../src/store/mail/claim.ts';
import { type Child, type Helper, startHelper, startSendonce } from './child.ts';
import type { LoadOrder, LoadReport } from './load.ts';
import { createMail, createNote } from './mails.ts';
import { claimSize } from './pgbench.ts';
import { apiKey, scheduledBatches, singleRequests } from './requests.ts';
import type { Round } from './rounds.ts';
import type { SinkOrder, SinkReport } from './sink.ts';

export type Stand = { url: string /** For STATE_DIR. */; scratch: string };

type Generator = Helper<LoadOrder, LoadReport>;
type Api = Child & { port: number };

/** Of all processes together: enough to fill groups. */
const connections = 48;

const dayMs = 24 * 60 * 60_000;

export type Accepting = { run(durationMs: number): Promise<Round>; stop(): Promise<void> };

export async function startAccepting(apis: Api[], name: string): Promise<Accepting> {
  const generators = await Promise.all(apis.map(async () => (await startHelper('load')).helper as Generator));
  let runs = 0;
  return {
    async run(durationMs) {
      runs += 1;
      const reports = await Promise.all(
        apis.map(({ port }, index) =>
          (generators[index] as Generator).ask({
            ...singleRequests(`${name} ${runs} ${index}`, createNote),
            port,
            connections: connections / apis.length,
            fromKey: 0,
            toKey: Number.MAX_SAFE_INTEGER,
            countMax: Number.MAX_SAFE_INTEGER,
            durationMs,
            bodies: 'ignore',
          }),
        ),
      );
      return {
        done: reports.reduce((sum, { answered }) => sum + answered, 0),
        elapsedMs: Math.max(...reports.map(({ elapsedMs }) => elapsedMs)),
        latenciesMs: Float64Array.from(reports.flatMap(({ latenciesMs }) => [...latenciesMs])),
        cpuSeconds: null,
      };
    },
    async stop() {
      await Promise.all([...apis, ...generators].map((one) => one.stop()));
    },
  };
}

export function startApis({ url, scratch }: Stand, count: number): Promise<Api[]> {
  return Promise.all(Array.from({ length: count }, () => startProcess({ url, scratch }, { ROLE: 'api' })));
}

function startProcess({ url, scratch }: Stand, settings: Record<string, string>): Promise<Api> {
  return startSendonce({ DATABASE_URL: url, SENDONCE_API_KEY: apiKey, STATE_DIR: scratch, ...settings }, []);
}

/** A look for accounts with something due and a claim, as a worker does them, one after the other. */
export async function claimInTurns(database: Database, claims: number): Promise<Round> {
  const startedAt = performance.now();
  let done = 0;
  for (let round = 0; round < claims; round += 1) {
    const now = database.wall();
    const [account] = await accountsWithDue(database, now);
    if (account === undefined) throw new Error('nothing is due any more');
    const terms = { now, leaseMs: 15 * 60_000, limit: claimSize };
    done += (await database.write((tx) => claimDue(tx, account, 'bench', terms))).length;
  }
  if (done !== claims * claimSize) throw new Error(`${claims} claims took ${done} deliveries`);
  return { done, elapsedMs: performance.now() - startedAt, latenciesMs: new Float64Array(), cpuSeconds: null };
}

/** Mails a second from the first at the sink to the last; all are there, and all workers are, before the first is due. */
export async function deliver(stand: Stand, workers: number, mails: number): Promise<number> {
  const { helper: sink, ready } = await startHelper<SinkOrder, SinkReport>('sink');
  const [api] = (await startApis(stand, 1)) as [Api];
  const { helper: generator } = await startHelper<LoadOrder, LoadReport>('load');
  await generator.ask({
    ...scheduledBatches(`deliver ${performance.now()}`, {
      from: 0,
      count: mails,
      size: 100,
      mailOf: createMail,
      at: new Date(Date.now() + dayMs),
    }),
    port: api.port,
    connections: 2,
    fromKey: 0,
    toKey: mails / 100,
    countMax: mails / 100,
    durationMs: 120_000,
    bodies: 'ignore',
  });
  await Promise.all([api.stop(), generator.stop()]);
  const settings = { ROLE: 'worker', RELAY_URL: `smtp://127.0.0.1:${ready.port}` };
  const processes = await Promise.all(Array.from({ length: workers }, () => startProcess(stand, settings)));
  await makeAllDue(stand.url);
  const { elapsedMs, duplicates } = await sink.ask({ await: 'all', count: mails });
  if (duplicates > 0) throw new Error(`${duplicates} mails came twice`);
  await Promise.all(processes.map((one) => one.stop()));
  await sink.stop();
  return (mails / elapsedMs) * 1_000;
}

async function makeAllDue(url: string): Promise<void> {
  const database = await openPostgres({ url });
  await database.write((tx) => tx.run("update deliveries set run_at = 1 where state = 'queued'"));
  await database.close();
}
