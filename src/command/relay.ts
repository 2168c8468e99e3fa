/** `sendonce relay`: how the relays are doing, and what an operator wants of them. */

import type { Config } from '../config/config.ts';
import { type RelayFacts, relayFacts, testNamed } from '../process/relay-facts.ts';
import type { Database } from '../store/database.ts';
import { type RelayStatus, readRelayStatus } from '../store/relay-status.ts';
import { createRelayOrders } from '../use-cases/relay-orders.ts';
import { CommandError, printable, relativeTime, table, withDatabase } from './terminal.ts';
import { UsageError } from './usage.ts';

const usage = `Usage: sendonce relay list
       sendonce relay test|pause|resume|retry NAME`;

export async function relay(config: Config, [action = 'list', name]: string[]): Promise<void> {
  const facts = relayFacts(config);
  if (action === 'list') return withDatabase(config, { create: false }, (database) => list(database, facts));
  if (name === undefined || !['test', 'pause', 'resume', 'retry'].includes(action)) throw new UsageError(usage);
  const one = facts.find((each) => each.name === name);
  if (!one && action === 'retry') return withDatabase(config, { create: false }, (all) => letGo(all, facts, name));
  if (!one) return unknown(facts, name);
  if (action === 'test') return test(config, one);
  await withDatabase(config, { create: false }, (database) => order(database, action, name));
}

/** One that is gone has only what waits for it. */
async function letGo(database: Database, facts: readonly RelayFacts[], name: string): Promise<void> {
  const status = await readRelayStatus(database, facts, database.wall());
  if (!status.some((one) => one.name === name)) return unknown(facts, name);
  await createRelayOrders(database, { now: () => database.wall() }, () => database.announce()).retry(name);
  console.log(`What waits for ${name} takes the relays there are. Running servers follow within a second.`);
}

function unknown(facts: readonly RelayFacts[], name: string): never {
  throw new CommandError(`There is no relay "${name}"; there are: ${facts.map((each) => each.name).join(', ')}.`);
}

async function test(config: Config, { name, where }: RelayFacts): Promise<void> {
  const tested = await testNamed(config.relay, name);
  if (tested.isUp) return console.log(`${name} (${where}) ${tested.words}`);
  throw new CommandError(`${name} (${where}): ${printable(tested.words)}`);
}

async function list(database: Database, facts: readonly RelayFacts[]): Promise<void> {
  const now = database.wall();
  const status = await readRelayStatus(database, facts, now);
  const rows = status.map((one, index) => row(one, facts[index], now));
  console.log(table(['RELAY', 'STATE', 'SINCE', 'WAITING', 'RATE USED', 'CONNECTIONS', 'WHERE', 'LAST REPLY'], rows));
}

function row(status: RelayStatus, facts: RelayFacts | undefined, now: number): string[] {
  return [
    status.name,
    status.state,
    status.since === null ? '' : relativeTime(status.since, now),
    String(status.waiting),
    status.rates.map(({ window, used, most }) => `${used} of ${most} a ${window}`).join(', '),
    facts?.connections == null ? '' : String(facts.connections),
    facts?.where ?? '',
    printable(status.trouble ?? status.lastReply?.text ?? ''),
  ];
}

async function order(database: Database, action: string, name: string): Promise<void> {
  const orders = createRelayOrders(database, { now: () => database.wall() }, () => database.announce());
  if (action === 'pause') await orders.pause(name);
  else if (action === 'resume') await orders.resume(name);
  else await orders.retry(name);
  console.log(said[action]?.replace('NAME', name));
}

const said: Record<string, string> = {
  pause:
    'NAME gets nothing more: mail takes another relay of its route, or waits. Running servers follow within a second.',
  resume: 'NAME is used again, and what waited for it goes.',
  retry: 'NAME is asked now, and what waited only for it goes as soon as it answers.',
};
