/** The relays of the settings as people are shown them: never with a password. */

import type { Config } from '../config/config.ts';
import { mxName } from '../config/mx-url.ts';
import type { RelayTarget } from '../config/relay-entry.ts';
import type { RelayServer } from '../config/relay-url.ts';
import type { RelaySetting } from '../config/relays-file.ts';
import type { Ceiling } from '../core/rate.ts';
import { adviceOnTrouble } from '../core/relay-trouble.ts';
import type { Relay } from '../deliver/relay.ts';
import type { RelayDesk } from '../http/own/relays.ts';
import { testRelay } from './relay-test.ts';

export type RelayFacts = {
  name: string;
  where: string;
  connections: number | null;
  ceilings: readonly Ceiling[];
};

/** `words`: what came of it, for a person. */
export type RelayTest = { isUp: boolean; words: string };

export function relayFacts({ relay, relayConnections }: Pick<Config, 'relay' | 'relayConnections'>): RelayFacts[] {
  switch (relay.kind) {
    case 'capture':
      return [{ name: 'capture', where: 'kept here', connections: null, ceilings: [] }];
    case 'smtp':
      return [{ name: urlOf(relay.server), where: urlOf(relay.server), connections: relayConnections, ceilings: [] }];
    case 'mx': {
      const one = { kind: 'mx' as const, server: relay.server };
      return [{ name: mxName, where: whereOf(one), connections: relayConnections, ceilings: [] }];
    }
    case 'file':
      return relay.file.relays.map((one) => ({
        name: one.name,
        where: whereOf(one),
        connections: one.connections,
        ceilings: one.rates.own,
      }));
    default:
      return relay satisfies never;
  }
}

/** `current`: the settings as they were last read. `own`: the relay that stands in for them. */
export function createRelayDesk(
  current: () => Pick<Config, 'relay' | 'relayConnections'>,
  { relay: own }: { relay?: Relay },
): RelayDesk {
  if (own) {
    const { name, concurrency: connections } = own;
    return {
      list: () => [{ name, where: name, connections, ceilings: [] }],
      test: async () => ({ isUp: true, words: 'is our own' }),
    };
  }
  return { list: () => relayFacts(current()), test: (name) => testNamed(current().relay, name) };
}

/** Opens a session with it and leaves again. */
export async function testNamed(relay: RelaySetting, name: string): Promise<RelayTest> {
  const target = targetOf(relay, name);
  if (!target) return { isUp: true, words: 'nothing leaves: mail is captured' };
  const tested = await testRelay(target);
  if (!('trouble' in tested)) return { isUp: true, words: tested.came.join(', ') };
  const { heading, next } = adviceOnTrouble(tested.trouble);
  return { isUp: false, words: `${heading} (${tested.words}). ${next}` };
}

function targetOf(relay: RelaySetting, name: string): RelayTarget | null {
  if (relay.kind === 'smtp' || relay.kind === 'mx') return relay;
  return relay.kind === 'file' ? (relay.file.relays.find((one) => one.name === name) ?? null) : null;
}

/** Without user and password. */
export function whereOf(target: RelayTarget): string {
  if (target.kind === 'smtp') return urlOf(target.server);
  if (target.kind === 'mx') return "mx: the recipients' own servers";
  const { service, host, port } = target.server;
  return `${service}://${host}:${port}`;
}

function urlOf({ secure, host, port }: RelayServer): string {
  return `${secure ? 'smtps' : 'smtp'}://${host}:${port}`;
}
