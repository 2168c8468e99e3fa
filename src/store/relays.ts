/** What operators want of relays, and what the processes that send have last seen of them. */

import type { Reader, Transaction } from './database.ts';
import { deadAfterMs } from './workers.ts';

export type RelayOrder = { relay: string; isPaused: boolean; retryAt: number | null };

export async function listOrders(reader: Reader): Promise<RelayOrder[]> {
  const rows = await reader.all<{ relay: string; paused_at: number | null; retry_at: number | null }>(
    'select relay, paused_at, retry_at from relay_orders',
  );
  return rows.map(({ relay, paused_at, retry_at }) => ({ relay, isPaused: paused_at !== null, retryAt: retry_at }));
}

/** `pausedAt` null: it goes on. */
export async function orderPause(tx: Transaction, relay: string, pausedAt: number | null): Promise<void> {
  await tx.run(
    `insert into relay_orders (relay, paused_at) values (?, ?)
     on conflict (relay) do update set paused_at = excluded.paused_at`,
    relay,
    pausedAt,
  );
}

export async function orderRetry(tx: Transaction, relay: string, retryAt: number): Promise<void> {
  await tx.run(
    `insert into relay_orders (relay, retry_at) values (?, ?)
     on conflict (relay) do update set retry_at = excluded.retry_at`,
    relay,
    retryAt,
  );
}

export type RelayReport = {
  relay: string;
  worker: string;
  state: 'up' | 'resting';
  since: number;
  reply: string | null;
};

export async function report(tx: Transaction, { relay, worker, state, since, reply }: RelayReport): Promise<void> {
  await tx.run(
    `insert into relay_reports (relay, worker, state, since, reply) values (?, ?, ?, ?, ?)
     on conflict (relay, worker) do update set state = excluded.state, since = excluded.since, reply = excluded.reply`,
    relay,
    worker,
    state,
    since,
    reply,
  );
}

/** Of processes that live: where one serves alone, of the last one. */
export async function listReports(
  reader: Reader,
  { engine, now }: { engine: 'sqlite' | 'postgres'; now: number },
): Promise<RelayReport[]> {
  const all = 'select relay, worker, state, since, reply from relay_reports';
  if (engine === 'sqlite') return reader.all<RelayReport>(`${all} order by relay`);
  const alive = 'exists (select 1 from workers where workers.id = worker and beat_at > ?)';
  return reader.all<RelayReport>(`${all} where ${alive} order by relay, worker`, now - deadAfterMs);
}

/** Of processes that are not there any more. `mine`: the only one there is, or null where others may live. */
export async function forgetReports(tx: Transaction, mine: string | null): Promise<void> {
  if (mine !== null) return void (await tx.run('delete from relay_reports where worker <> ?', mine));
  await tx.run('delete from relay_reports where not exists (select 1 from workers where workers.id = worker)');
}

/** Of relays that the settings do not name any more. */
export async function keepReportsOf(tx: Transaction, worker: string, relays: readonly string[]): Promise<void> {
  const places = relays.map(() => '?').join(', ');
  await tx.run(`delete from relay_reports where worker = ? and relay not in (${places})`, worker, ...relays);
}

/** Queued deliveries by what they wait for. */
export async function countWaiting(reader: Reader): Promise<{ waitsFor: string; deliveries: number }[]> {
  const rows = await reader.all<{ waits_for: string; deliveries: number }>(
    `select waits_for, count(*) as deliveries from deliveries where state = 'queued' and waits_for is not null
     group by waits_for order by waits_for`,
  );
  return rows.map(({ waits_for, deliveries }) => ({ waitsFor: waits_for, deliveries }));
}
