/** How relays are doing, as the processes that send have reported it, and what waits for each. */

import { type Ceiling, ceilingName, mostAt, rateKey, relayOfKey, type WindowName } from '../core/rate.ts';
import type { DatabaseReader, Reader } from './database.ts';
import { readDetail } from './mail/events.ts';
import { readUses } from './rates.ts';
import { countWaiting, listOrders, listReports, type RelayReport } from './relays.ts';

export type RelayStatus = {
  name: string;
  /** `gone`: it is not in the settings any more, and mail waits for it. */
  state: 'up' | 'resting' | 'paused' | 'gone';
  /** Since when it rests, or was seen to be back; null where it was never away. */
  since: number | null;
  /** Why it rests. */
  trouble: string | null;
  /** Queued deliveries that wait for it, or for one of several of which it is one. */
  waiting: number;
  /** What counts of its ceilings now, by all processes together. */
  rates: { window: WindowName; used: number; most: number }[];
  /** What it said to one of the last mails, and when. */
  lastReply: { text: string; at: number } | null;
};

export type RelayToRead = { name: string; ceilings: readonly Ceiling[] };

/** Of relays that are gone, those that something waits for are told of after the others. */
export async function readRelayStatus(
  database: DatabaseReader,
  relays: readonly RelayToRead[],
  now: number,
): Promise<RelayStatus[]> {
  const orders = await listOrders(database);
  const reports = await listReports(database, { engine: database.engine, now });
  const waiting = await countWaiting(database);
  const replies = await lastReplies(database);
  const rates = await readRates(database, relays, now);
  const known = relays.map(({ name }, index): RelayStatus => {
    const report = worst(reports.filter(({ relay }) => relay === name));
    const isPaused = orders.some((one) => one.relay === name && one.isPaused);
    return {
      name,
      state: isPaused ? 'paused' : (report?.state ?? 'up'),
      since: report?.since ?? null,
      trouble: report?.state === 'resting' ? report.reply : null,
      waiting: waiting
        .filter(({ waitsFor }) => waitsFor.split(' ').some((key) => relayOfKey(key) === name))
        .reduce((sum, { deliveries }) => sum + deliveries, 0),
      rates: rates[index] ?? [],
      lastReply: replies.get(name) ?? null,
    };
  });
  return [...known, ...gone(relays, waiting)];
}

/** What waits for none of those that are there. */
function gone(
  relays: readonly RelayToRead[],
  waiting: readonly { waitsFor: string; deliveries: number }[],
): RelayStatus[] {
  const there = new Set(relays.map(({ name }) => name));
  const counts = new Map<string, number>();
  for (const { waitsFor, deliveries } of waiting) {
    const names = new Set(waitsFor.split(' ').map(relayOfKey));
    if ([...names].some((name) => there.has(name))) continue;
    for (const name of names) counts.set(name, (counts.get(name) ?? 0) + deliveries);
  }
  const unknown = { state: 'gone' as const, since: null, trouble: null, rates: [], lastReply: null };
  return [...counts].map(([name, deliveries]) => ({ name, waiting: deliveries, ...unknown }));
}

/** Of all relays in one list. */
export async function listRates(reader: Reader, relays: readonly RelayToRead[], now: number) {
  const rates = await readRates(reader, relays, now);
  return relays.flatMap(({ name }, index) => (rates[index] ?? []).map((one) => ({ relay: name, ...one })));
}

/** In the order of the relays. */
async function readRates(reader: Reader, relays: readonly RelayToRead[], now: number): Promise<RelayStatus['rates'][]> {
  const nameOf = (relay: string, { window }: Ceiling) => ceilingName(rateKey(relay), window);
  const all = relays.flatMap(({ name, ceilings }) => ceilings.map((one) => nameOf(name, one)));
  const uses = await readUses(reader, all, now);
  return relays.map(({ name, ceilings }) =>
    ceilings
      .map((one) => ({ window: one.window, used: uses.get(nameOf(name, one)) ?? 0, most: mostAt(one, now) }))
      .filter(({ most }) => Number.isFinite(most)),
  );
}

/** A relay that one process cannot reach is worth looking at, whatever the others say. */
function worst(reports: RelayReport[]): RelayReport | undefined {
  return reports.find(({ state }) => state === 'resting') ?? reports.sort((a, b) => b.since - a.since)[0];
}

/** Enough to see how things go, read from the end of an index. */
const eventsLooked = 300;

async function lastReplies(database: DatabaseReader): Promise<Map<string, { text: string; at: number }>> {
  const rows = await database.all<{ at: number; detail: string }>(
    'select at, detail from events order by id desc limit ?',
    eventsLooked,
  );
  const replies = new Map<string, { text: string; at: number }>();
  for (const { at, detail } of rows) {
    const { relay, reply } = readDetail(detail);
    if (relay !== undefined && reply !== undefined && !replies.has(relay)) replies.set(relay, { text: reply, at });
  }
  return replies;
}
