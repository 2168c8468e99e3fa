/**
 * Line slow-disk: accepts by the number of clients, and beside them reads, replays of old keys and `/healthz`, on a disk whose
 * every sync takes so much longer. strace holds back the thread that syncs, whichever that is, and looks at no other call.
 */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { checkStored, createSender, type Generator, type Plan, type Sender } from './accepting.ts';
import { type Sendonce, startHelper, startSendonce } from './child.ts';
import type { LoadOrder, LoadReport } from './load.ts';
import { createNote } from './mails.ts';
import { apiKey, type Requests, reads, singleRequests } from './requests.ts';
import { quantile } from './rounds.ts';

export type SlowDiskOptions = {
  syncMs: number[];
  /** The `build` folder of a former build, to be measured beside this one. */
  against: string | undefined;
};

const clients = [1, 4, 16, 50, 100, 200, 400];
/** Each probe asks so often, on a connection of its own. */
const probeEveryMs = 10;
const oldKeys = 200;

export async function measureSlowDisk(plan: Plan, { syncMs, against }: SlowDiskOptions): Promise<void> {
  const { status, error } = spawnSync('strace', ['-D', ...slowSyncs(1), 'true']);
  if (status !== 0) throw new Error(`the line slow-disk needs strace (${error?.message ?? status})`);
  for (const ms of syncMs) {
    const sides = [await startSide(plan, 'now', ms)];
    if (against !== undefined) sides.push(await startSide(plan, 'former', ms, against));
    console.log(
      `\n${render([`sync + ${ms} ms`, 'clients', 'accepts/s', ...probes.map((name) => `${name} p50, p99`)])}`,
    );
    for (const count of clients) {
      for (const side of sides) console.log(render(await measurePoint(plan, side, count)));
    }
    for (const side of sides) await side.stop();
  }
}

const probes = ['read', 'replay', '/healthz'];

type Side = { name: string; accepts: (connections: number) => Sender; probes: Sender[]; stop(): Promise<void> };

async function measurePoint(plan: Plan, side: Side, connections: number): Promise<string[]> {
  const ms = plan.roundMs * plan.rounds;
  const [accepts, ...probed] = await Promise.all([side.accepts(connections), ...side.probes].map((one) => one.run(ms)));
  const perSecond = accepts ? Math.round((accepts.done / accepts.elapsedMs) * 1_000) : 0;
  const latencies = probed.map(({ latenciesMs }) => {
    const sorted = latenciesMs.sort();
    return `${quantile(sorted, 0.5).toFixed(1)}, ${quantile(sorted, 0.99).toFixed(1)} ms`;
  });
  return [side.name, `${connections}`, perSecond.toLocaleString('en'), ...latencies];
}

async function startSide(plan: Plan, name: string, syncMs: number, build?: string): Promise<Side> {
  const path = join(plan.folder, `slow-${name}-${syncMs}.db`);
  const settings = { ROLE: 'api', DATABASE_URL: `sqlite:${path}`, SENDONCE_API_KEY: apiKey };
  const sendonce = await startSendonce(settings, plan.flags, { build, under: ['strace', '-D', ...slowSyncs(syncMs)] });
  const generators = await Promise.all(['accepts', ...probes].map(startGenerator));
  const [generator, ...others] = generators as [Generator, ...Generator[]];
  const old = { ...singleRequests('old', createNote), fromKey: 0, toKey: oldKeys };
  await createSender(generator, sendonce, { connections: 50, ...old, countMax: oldKeys }).run(60_000);
  const asked = [reads(`/emails/${anyEmail(path)}`), old, reads('/healthz')];
  const probing = others.map((one, index) => probe(one, sendonce, { ...old, ...asked[index] }));
  const sent: Sender[] = [];
  return {
    name,
    probes: probing,
    accepts(connections) {
      // Keys are never used twice, whatever was interrupted.
      const requests = singleRequests(`slow-${sent.length}`, createNote);
      const sender = createSender(generator, sendonce, { connections, ...requests });
      sent.push(sender);
      return sender;
    },
    async stop() {
      await Promise.all([sendonce, ...generators].map((one) => one.stop()));
      const emails = oldKeys + sent.reduce((sum, one) => sum + one.acknowledged(), 0);
      checkStored(path, { emails, keys: emails });
    },
  };
}

function probe(generator: Generator, sendonce: Sendonce, order: Requests & Partial<LoadOrder>): Sender {
  return createSender(generator, sendonce, { ...order, connections: 1, everyMs: probeEveryMs });
}

async function startGenerator(): Promise<Generator> {
  return (await startHelper<LoadOrder, LoadReport>('load')).helper;
}

function anyEmail(path: string): string {
  const database = new Sqlite(path, { readonly: true });
  const id = database.prepare<[], string>('select id from emails limit 1').pluck().get() ?? '';
  database.close();
  return id;
}

/** The call is made; then its thread waits. */
function slowSyncs(ms: number): string[] {
  const syncs = 'fsync,fdatasync';
  const delay = `inject=${syncs}:delay_exit=${ms * 1_000}`;
  return ['-f', '--seccomp-bpf', '-o', '/dev/null', '-e', `trace=${syncs}`, '-e', delay, '--'];
}

function render(cells: string[]): string {
  return cells.map((cell, column) => (column === 0 ? cell.padEnd(12) : cell.padStart(column > 2 ? 18 : 10))).join('  ');
}
