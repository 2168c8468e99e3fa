/** Several relays as one for whoever examines: two that speak SMTP and an API over HTTP, with the RELAYS_FILE that names them. */

import { writeFileSync } from 'node:fs';
import { createTemp } from '../support/temp.ts';
import type { Mood } from './moods.ts';
import { type Relay, type RelayOptions, startRelay, type Transaction } from './relay.ts';
import { type LabUpstream, startUpstream } from './upstream.ts';

/** The first two are tried in this order after the upstream; each rests whenever a connection goes wrong. */
const names = ['one', 'two'] as const;

export type RoutedRelay = Relay & { readonly path: string };

export async function startRouted(options: RelayOptions): Promise<RoutedRelay> {
  const temp = createTemp();
  const transactions: Transaction[] = [];
  const relays: Relay[] = [];
  for (const name of names) relays.push(await startRelay({ ...options, transactions, name }));
  const upstream = await startUpstream({ ...options, transactions, name: 'up' });
  const path = temp.path('relays.toml');
  const smtp = names.map(
    (name, index) => `[[relay]]\nname = "${name}"\nurl = "smtp://127.0.0.1:${relays[index]?.port}"\nconnections = 5\n`,
  );
  const http = `[[relay]]\nname = "up"\nurl = "sendonce://127.0.0.1:${upstream.port}?tls=never"\nkey = "re_lab"\n`;
  writeFileSync(path, `${smtp.join('')}${http}[[route]]\nrelays = ["up", "one", "two"]\n`);
  return new Group(relays, { upstream, transactions, path, remove: () => temp.remove() });
}

type Shared = { upstream: LabUpstream; transactions: Transaction[]; path: string; remove: () => void };

class Group implements RoutedRelay {
  readonly transactions: Transaction[];
  readonly path: string;
  readonly #relays: readonly Relay[];
  readonly #shared: Shared;

  constructor(relays: readonly Relay[], shared: Shared) {
    this.#relays = relays;
    this.#shared = shared;
    this.transactions = shared.transactions;
    this.path = shared.path;
  }

  get port(): number {
    return this.#first.port;
  }

  get moods(): Mood[] {
    return this.#first.moods;
  }

  /** One mood alone is a calm one. */
  set moods(moods: Mood[]) {
    for (const one of this.#relays) one.moods = moods;
    this.#shared.upstream.isCalm = moods.length === 1;
  }

  get badGreetings(): number {
    return this.#first.badGreetings;
  }

  set badGreetings(oneIn: number) {
    for (const one of [...this.#relays, this.#shared.upstream]) one.badGreetings = oneIn;
  }

  get badHandshakes(): number {
    return this.#first.badHandshakes;
  }

  set badHandshakes(oneIn: number) {
    for (const one of this.#relays) one.badHandshakes = oneIn;
  }

  get greeting(): Promise<void> | null {
    return this.#first.greeting;
  }

  set greeting(until: Promise<void> | null) {
    for (const one of this.#relays) one.greeting = until;
  }

  get connections(): number {
    return this.#relays.reduce((sum, one) => sum + one.connections, 0);
  }

  get dots(): number {
    return this.transactions.filter(({ dot }) => dot).length;
  }

  get isThinking(): boolean {
    return this.#first.isThinking;
  }

  async close(): Promise<void> {
    for (const one of this.#relays) await one.close();
    await this.#shared.upstream.close();
    this.#shared.remove();
  }

  get #first(): Relay {
    return this.#relays[0] as Relay;
  }
}
