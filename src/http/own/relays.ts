/** /relays, our own routes: what `sendonce relay` does, for full-access keys of the first account. */

import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/error.ts';
import type { DatabaseReader } from '../../store/database.ts';
import { type RelayStatus, type RelayToRead, readRelayStatus } from '../../store/relay-status.ts';
import type { RelayOrders } from '../../use-cases/relay-orders.ts';
import type { Call, Reply } from '../call.ts';

/** The relays there are, and a try whether one can be used. */
export type RelayDesk = {
  list(): readonly (RelayToRead & { where: string; connections: number | null })[];
  test(name: string): Promise<{ isUp: boolean; words: string }>;
};

export type RelayParts = { database: DatabaseReader; clock: Clock; desk: RelayDesk; orders: RelayOrders };

export const relaysPath = '/relays';

export async function showRelays(parts: RelayParts): Promise<Reply> {
  return ok({ object: 'list', data: await viewAll(parts) });
}

export async function showRelay(parts: RelayParts, call: Call): Promise<Reply> {
  return ok(await viewOf(parts, known(parts, call)));
}

export async function testRelay(parts: RelayParts, call: Call): Promise<Reply> {
  const name = known(parts, call);
  const { isUp, words } = await parts.desk.test(name);
  return ok({ object: 'relay_test', name, is_up: isUp, message: words });
}

export function orderRelay(action: keyof RelayOrders) {
  return async (parts: RelayParts, call: Call): Promise<Reply> => {
    // One that is gone can be told to let go of what waits for it.
    const name = action === 'retry' ? await waitedFor(parts, call) : known(parts, call);
    await parts.orders[action](name);
    return ok(await viewOf(parts, name));
  };
}

function known({ desk }: RelayParts, call: Call): string {
  const name = call.param('name');
  if (desk.list().some((one) => one.name === name)) return name;
  throw new AppError('not_found', 'There is no relay of this name.');
}

async function waitedFor(parts: RelayParts, call: Call): Promise<string> {
  const name = call.param('name');
  return (await viewOf(parts, name)) ? name : known(parts, call);
}

async function viewOf(parts: RelayParts, name: string) {
  return (await viewAll(parts)).find((one) => one.name === name);
}

async function viewAll({ database, clock, desk }: RelayParts) {
  const facts = desk.list();
  const status = await readRelayStatus(database, facts, clock.now());
  return status.map((one, index) => view(one, facts[index]));
}

function view(status: RelayStatus, facts: { where: string; connections: number | null } | undefined) {
  return {
    object: 'relay',
    name: status.name,
    url: facts?.where ?? null,
    connections: facts?.connections ?? null,
    state: status.state,
    since: status.since === null ? null : new Date(status.since).toISOString(),
    trouble: status.trouble,
    waiting: status.waiting,
    rates: status.rates,
    last_reply: status.lastReply && {
      text: status.lastReply.text,
      at: new Date(status.lastReply.at).toISOString(),
    },
  };
}

function ok(body: unknown): Reply {
  return { status: 200, body: JSON.stringify(body) };
}
